"""Workers that are no processes: a thread plays hundreds of them by a script.

Each says what a worker says, as lines: hello, ready, begun, recorded, ended. It answers in a thread
of its own, so that what the coordinator's thread costs is the coordinator's alone. Some die in the
middle of a task, and some agents get nowhere. What a worker leaves in an attempt's folder for
people, it leaves.
"""

from __future__ import annotations

import heapq
import os
import random
import threading
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pytest_ptc.interfaces import messages
from pytest_ptc.journal.attempt_files import OUTPUT, PROMPT
from pytest_ptc.model.result import Attempt, AttemptReport, Usage
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Finding, Severity, Verdict, VerdictKind
from pytest_ptc.verdicts.entries import Recording, entry_to_json
from pytest_ptc.verdicts.recording import Record

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds from a worker's start until it is ready, and those of an attempt, from and to.
START_S = 0.02
ATTEMPT_S = (2.0, 8.0)
#: The variable that has another number of seconds, the largest.
SECONDS = "BENCH_ATTEMPT_SECONDS"

_SEVERITIES = tuple(Severity)
#: As long as what a model says of a finding.
_WORDS = (
    "The handler puts `user_id` into the statement by an f-string, so that a value such as "
    "`1; drop table users` is executed \N{EM DASH} see OWASP's page | CWE-89 <injection>. "
    "Escaping quotes does not help, for numbers are not quoted. Pass it as a parameter instead."
)


class Part(NamedTuple):
    """What one attempt comes to.

    Args:
        seconds: How long it takes.
        ends: What it comes to: a verdict, a trouble, or the death of its worker, which is None.
    """

    seconds: float
    ends: Verdict | Trouble | None


def part_of(number: int, attempt: int) -> Part:
    """Return what an attempt comes to at the task of this number. Pure.

    One of five fails with four findings; of the others, every fourth passes with one. Of the first
    attempts, one of 200 loses its worker, and the agent fails in one of 500; it fails in all
    attempts of one of 1,000.
    """
    chance = random.Random(1000 * number + attempt)  # noqa: S311 - the same for every run
    seconds = chance.uniform(*ATTEMPT_S)
    if most := os.environ.get(SECONDS):
        seconds *= float(most) / ATTEMPT_S[1]
    if attempt == 1 and number % 200 == 7:
        return Part(seconds, None)
    if number % 1000 == 13 or (attempt == 1 and number % 500 == 11):
        message = "the program ended with status 1 before it recorded a verdict"
        evidence = 'Traceback (most recent call last):\n  File "agent.py", line 7\nMemoryError'
        return Part(seconds, Trouble(cause=Cause.AGENT_FAILED, message=message, evidence=evidence))
    if number % 5 == 0:
        return Part(seconds, _verdict(VerdictKind.FAIL, number, 4))
    return Part(seconds, _verdict(VerdictKind.PASS, number, int(number % 4 == 1)))


def _verdict(kind: VerdictKind, number: int, findings: int) -> Verdict:
    return Verdict(
        verdict=kind,
        summary=f"Module {number} was read wholly, with what calls it. {_WORDS[:120]}",
        findings=tuple(
            Finding(
                severity=_SEVERITIES[(number // 5 + place) % len(_SEVERITIES)]
                if kind is VerdictKind.FAIL
                else Severity.LOW,
                message=f"{number}.{place}: {_WORDS}",
                path=f"src/package_{number % 60}/module_{number}.py",
                line=10 * place + 1,
                rule=f"rule-{(number + place) % 50}",
            )
            for place in range(findings)
        ),
        checked=(f"src/package_{number % 60}/module_{number}.py",),
    )


@dataclass(eq=False)
class _Worker:
    """One worker that is played: what it was given, until that has ended."""

    name: str
    given: messages.Assigned | None = None
    began: float = 0.0
    #: What it has to say when its record is acknowledged.
    report: AttemptReport | None = None
    alive: bool = True


class Stage:
    """A thread in which workers are played, each in its time."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._play, name="simulated workers", daemon=True)
        self._thread.start()

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Have something done in this thread, after so many seconds."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), act))
            self._changed.notify()

    def close(self) -> None:
        """Play no more."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    def _play(self) -> None:
        while (act := self._next()) is not None:
            act()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._over:
                now = time.monotonic()
                if self._due and self._due[0][0] <= now:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(self._due[0][0] - now if self._due else None)
        return None


class Outlet(Protocol):
    """Where workers that are played are heard; called in the thread of the stage."""

    def tell(self, worker: str, line: bytes) -> None:
        """Take a line of a worker."""

    def gone(self, worker: str, why: str) -> None:
        """Take the end of a worker."""

    def leave(self, worker: str, attempt: str, name: str, text: bytes) -> None:
        """Take a file that a worker leaves for people."""


class Players:
    """Workers that are played, all methods in the thread of the stage.

    Args:
        stage: The thread.
        outlet: Where they are heard.
    """

    def __init__(self, stage: Stage, outlet: Outlet) -> None:
        self._stage = stage
        self._outlet = outlet
        self._workers: dict[str, _Worker] = {}

    def __repr__(self) -> str:
        return f"<Players {len(self._workers)}>"

    def start(self, worker: str) -> None:
        """Play a worker from its start on."""
        played = self._workers[worker] = _Worker(worker)
        self._stage.later(START_S, lambda: self._tell(played, messages.Hello(worker, "key")))

    def kill(self, worker: str) -> None:
        """Play a worker no longer, and say nothing of it."""
        if (played := self._workers.pop(worker, None)) is not None:
            played.alive = False

    def end(self, why: str) -> None:
        """End all workers."""
        for played in list(self._workers.values()):
            self._end(played, why)

    def hear(self, worker: str, line: bytes) -> None:
        """Have a worker hear a line; one that is gone hears nothing."""
        if (played := self._workers.get(worker)) is None or not played.alive:
            return
        match message := messages.decode(line):
            case messages.Prepare():
                self._tell(played, messages.Ready())
            case messages.Assigned():
                self._begin(played, message)
            case messages.Acknowledged():
                self._report(played)
            case messages.Abandon(name, why) if played.given and played.given.attempt == name:
                self._stop(played, why)
            case messages.Quit():
                self._end(played, "its process ended")

    def _tell(self, played: _Worker, message: messages.Message) -> None:
        if played.alive:
            self._outlet.tell(played.name, messages.encode(message))

    def _end(self, played: _Worker, why: str) -> None:
        if played.alive:
            played.alive = False
            self._outlet.gone(played.name, why)

    def _begin(self, played: _Worker, given: messages.Assigned) -> None:
        played.given, played.began = given, time.monotonic()
        self._tell(played, messages.Begun(given.attempt))
        attempt = Attempt.parse(given.attempt, worker=played.name)
        seconds, ends = part_of(int(given.spec["params"]["value"]), attempt.number)
        self._stage.later(seconds, lambda: self._finish(played, given, attempt, ends))

    def _finish(
        self,
        played: _Worker,
        given: messages.Assigned,
        attempt: Attempt,
        ends: Verdict | Trouble | None,
    ) -> None:
        if not played.alive or played.given is not given:
            return
        said = "".join(f"reads src/module_{n}.py, and what calls it there\n" for n in range(30))
        self._outlet.leave(played.name, attempt.name, PROMPT, given.spec["prompt"].encode())
        self._outlet.leave(played.name, attempt.name, OUTPUT, said.encode())
        if ends is None:
            self._end(played, "its process ended")
            return
        played.report = AttemptReport(
            attempt=attempt,
            seconds=time.monotonic() - played.began,
            verdict=ends if isinstance(ends, Verdict) else None,
            trouble=ends if isinstance(ends, Trouble) else None,
            usage=Usage(
                input_tokens=300, output_tokens=900, cache_read_tokens=40_000, cost_usd=0.031
            ),
            about={"client": "2.1.330", "model": "simulated", "session": "x" * 36},
            tool_calls=12,
        )
        if isinstance(ends, Verdict):
            entry = entry_to_json(Recording(record=Record(call="c1", verdict=ends, answer="a1")))
            self._tell(played, messages.Recorded(attempt.name, 1, entry))
        else:
            self._report(played)

    def _report(self, played: _Worker) -> None:
        report, played.report = played.report, None
        if report is not None:
            played.given = None
            self._tell(played, messages.Ended(report.attempt.name, report.to_json()))

    def _stop(self, played: _Worker, why: str) -> None:
        assert played.given is not None, "checked by the caller"
        attempt = Attempt.parse(played.given.attempt, worker=played.name)
        trouble = Trouble(cause=Cause.TASK_STOPPED, message=why)
        seconds = time.monotonic() - played.began
        played.report = AttemptReport(attempt=attempt, seconds=seconds, trouble=trouble)
        self._report(played)
