"""What was seen of each item in a storm: asked, noted, reported, and done to it. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.trouble import Cause
from tests.storm.faults import KILLED_AGENT
from tests.storm.scripts import VERDICT_ERROR, Ending, ending

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.storm.faults import Strike
    from tests.storm.scripts import Script
    from tests.storm.story import Story, Told
    from tests.storm.suite import Phase

_CAUSE = re.compile(rf"^ptc error: ({'|'.join(Cause)})\b", re.MULTILINE)
_VERDICT = re.compile(r"^ptc verdict: (fail|error)\b", re.MULTILINE)


class Note(NamedTuple):
    """One line of an agent: when, its attempt, its process, and what it does or has done."""

    at: float
    attempt: int
    pid: int
    what: str
    kind: str

    @classmethod
    def of(cls, line: str) -> Note:
        """Return the note that a line is."""
        at, attempt, pid, what, *kind = line.split()
        return cls(float(at), int(attempt), int(pid), what, " ".join(kind))


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One item as it was seen.

    Args:
        script: What its agents were to do.
        allowed: How many attempts it may have.
        phases: What pytest reported of it.
        notes: What its agents noted.
        attempts: Its attempts in the journal, by number.
        last_word: What the journal last says of its task.
        hits: The faults that hit it, its workers or its agents.
        outlived: Attempts of which something was seen to go on after the journal had their ends.
    """

    script: Script
    allowed: int
    phases: Sequence[Phase] = ()
    notes: Sequence[Note] = ()
    attempts: Mapping[int, Told] = field(default_factory=dict)
    last_word: str | None = None
    hits: Sequence[Strike] = ()
    outlived: Sequence[int] = ()

    @property
    def expected(self) -> Ending:
        """Return how it ends if its agents are left alone."""
        return ending(self.script, self.allowed)

    @property
    def ended(self) -> Ending | None:
        """Return how it ended; None if pytest did not report exactly one outcome."""
        deciding = [p for p in self.phases if p.when == "call" or p.outcome != "passed"]
        if len(deciding) != 1:
            return None
        (phase,) = deciding
        if phase.outcome != "failed":
            return Ending(phase.outcome)
        said = _VERDICT.search(phase.text)
        if phase.when == "call":
            # A failure that is not the verdict's has no business here: the body does nothing.
            return Ending("failed") if said and said[1] == "fail" else Ending("failed", "its body")
        if said and said[1] == "error":
            return Ending("error", VERDICT_ERROR)
        named = _CAUSE.search(phase.text)
        return Ending("error", named[1] if named else None)

    @property
    def begun(self) -> list[int]:
        """Return the attempts that began, in order."""
        return [note.attempt for note in self.notes if note.what == "began"]

    @property
    def acknowledged(self) -> list[Note]:
        """Return what `ptc record` has acknowledged and its agent did not go against."""
        if self.script.contradicts_itself:
            return []
        killed = {strike.hit.pid for strike in self.hits if strike.kind == KILLED_AGENT}
        return [
            note
            for note in self.notes
            if note.what == "acknowledged"
            and not (note.kind in ("pass", "skip") and note.pid in killed)
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """All that was seen of a run.

    Args:
        scripts: What the agents were to do.
        allowed: How many attempts each item may have.
        phases: What pytest reported, in order.
        notes: What the agents of each item noted, in order.
        story: What the journal told.
        strikes: The faults that were done.
        outlived: Attempts, by task and number, of which something was seen to go on after the
            journal had their ends.
    """

    scripts: Sequence[Script]
    allowed: int
    phases: Sequence[Phase]
    notes: Mapping[str, Sequence[str]]
    story: Story
    strikes: Sequence[Strike]
    outlived: Sequence[tuple[str, int]]

    def items(self) -> list[Item]:
        """Return what was seen of each item."""
        phases: dict[str, list[Phase]] = defaultdict(list)
        for phase in self.phases:
            phases[phase.item].append(phase)
        attempts: dict[str, dict[int, Told]] = defaultdict(dict)
        for (task, number), told in self.story.attempts.items():
            attempts[task][number] = told
        found = []
        for script in self.scripts:
            task = self.story.tasks.get(script.name, "")
            item = Item(
                script=script,
                allowed=self.allowed,
                phases=phases[script.name],
                notes=[Note.of(line) for line in self.notes.get(script.name, ())],
                attempts=attempts[task],
                last_word=self.story.last.get(task),
                hits=[strike for strike in self.strikes if _hits(strike, task, attempts[task])],
                outlived=[number for of, number in self.outlived if of == task],
            )
            found.append(item)
        return found


def _hits(strike: Strike, task: str, attempts: Mapping[int, Told]) -> bool:
    """Tell whether a fault hit a task: not one of its workers after it had ended there."""
    if task in strike.hit.tasks or (strike.hit.attempt or ("",))[0] == task:
        return True
    return any(
        told.worker in strike.hit.workers and (told.ended is None or strike.at <= told.ended)
        for told in attempts.values()
    )
