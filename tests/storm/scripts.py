"""What agents do in a storm, and how an item ends whose agents are left alone. Pure.

A script is a row of steps, the same in every attempt but for those that begin with `first`:

    sleep SECONDS      work
    record KIND        `ptc record KIND`; give up with exit status 3 if that is refused
    print KIND         print the verdict as the last line
    garble             print something that is nearly a verdict
    leave              start a process that leaves the agent's session, and does not end
    hang               do not end, not even by SIGTERM
    exit STATUS        end so
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.trouble import RETRYABLE, Cause

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

#: What a verdict makes of its item.
OUTCOMES = {"pass": "passed", "fail": "failed", "skip": "skipped", "error": "error"}
#: What an error's text says of a verdict of error, in the place where others name their cause.
VERDICT_ERROR = "verdict error"

#: Scripts, and how many of a thousand items have them; `~` is some time of work.
MIX = {
    "~; print pass": 200,
    "~; record pass": 130,
    "~; record pass; print pass": 40,
    "~; record pass; ~": 100,
    "~; record pass; hang": 20,
    "~; print fail": 90,
    "~; record fail": 50,
    "~; record fail; ~": 40,
    "~; record fail; exit 1": 20,
    "~; print skip": 30,
    "~; record skip; ~": 40,
    "~; print error": 20,
    "~; record error; ~": 30,
    "leave; ~; print pass": 20,
    "first exit 3; ~; print pass": 30,
    "~; first hang; record pass": 20,
    "~; first garble; first exit 0; print fail": 20,
    "~; record pass; ~; exit 1": 20,
    "~; print skip; exit 1": 10,
    "~; garble": 20,
    "~; exit 3": 20,
    "~": 20,
    "hang": 10,
}


#: Scripts whose agents record, and then work on.
RECORDING = {"~; record pass; ~": 8, "~; record fail; ~": 1, "~; record skip; ~": 1}


class Ending(NamedTuple):
    """How an item ends: its outcome, and the cause that an error names."""

    outcome: str
    cause: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """What the agents of one item do.

    Args:
        name: The item's id, and the name of its agents' log.
        steps: Their steps.
    """

    name: str
    steps: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return the script as its agents get it, in one line."""
        return "; ".join((self.name, *self.steps))

    @property
    def contradicts_itself(self) -> bool:
        """Tell whether an agent goes against what it has recorded."""
        return any(step.startswith("record") for step in self.steps) and (
            attempt_ending(self.steps, 1).cause == Cause.CONTRADICTED
        )


def make_scripts(
    count: int, longest: float, chance: Random, mix: Mapping[str, int] = MIX
) -> list[Script]:
    """Return this many scripts of all kinds; agents work for at most `longest` seconds at a time.

    Each kind is there once, if there are as many items; the others come by their shares.
    """
    deck = list(mix)
    deck += chance.choices(deck, list(mix.values()), k=max(0, count - len(deck)))
    chance.shuffle(deck)
    return [
        Script(
            name=f"t{number:04}",
            steps=tuple(
                f"sleep {chance.uniform(0, longest):.2f}" if step == "~" else step
                for step in text.split("; ")
            ),
        )
        for number, text in enumerate(deck[:count], 1)
    ]


def ending(script: Script, attempts: int) -> Ending:
    """Return how an item ends whose agents are left alone, with at most this many attempts."""
    last = Ending("error")
    for number in range(1, attempts + 1):
        last = attempt_ending(script.steps, number)
        if last.cause not in RETRYABLE:
            break
    return last


def attempt_ending(steps: tuple[str, ...], number: int) -> Ending:
    """Return how an attempt ends that is left alone: the table of outcomes, once more."""
    recorded: list[str] = []
    printed: list[str] = []
    status = 0
    for step in steps_of(steps, number):
        word, _, rest = step.partition(" ")
        if word == "record":
            recorded.append(rest)
        elif word in ("print", "garble"):
            printed = [rest]
        elif word == "hang":
            # A verdict that was recorded in time counts; a program's last line is not there yet.
            return _judged(recorded, 0) if recorded else _error(Cause.TIMEOUT)
        elif word == "exit":
            status = int(rest)
            break
    if "" in printed:
        return _error(Cause.MALFORMED)
    return _judged([*recorded, *printed], status)


def steps_of(steps: tuple[str, ...], number: int) -> list[str]:
    """Return what is done in the attempt of this number."""
    return [step.removeprefix("first ") for step in steps if number == 1 or "first" not in step]


def _judged(said: list[str], status: int) -> Ending:
    if not said:
        return _error(Cause.AGENT_FAILED if status else Cause.NO_VERDICT)
    if "fail" in said:
        return Ending("failed")
    if len(set(said)) > 1 or (status and said[-1] != "error"):
        return _error(Cause.CONTRADICTED)
    return Ending(OUTCOMES[said[-1]], VERDICT_ERROR if said[-1] == "error" else None)


def _error(cause: Cause) -> Ending:
    return Ending("error", cause.value)
