"""What was when in a run: attempts, tasks that waited, and when nothing was begun. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.item_states import BAD, ItemState
from pytest_ptc.model.verdict import VerdictKind
from pytest_ptc.reporting.page.figures import duration
from pytest_ptc.reporting.page.titles import anchor
from pytest_ptc.reporting.worker_names import at_node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_ptc.reporting.attempts import TaskAttempt
    from pytest_ptc.reporting.run_report import Hold, RunReport
    from pytest_ptc.reporting.task_report import TaskReport

#: How an attempt ended: the classes of the bars, and what the legend says of them.
ENDINGS: Mapping[str, str] = {
    "pass": "pass",
    "fail": "fail",
    "expected": "fail, as expected",
    "overruled": "pass, but the item did not",
    "skip": "skip",
    "error": "error by verdict",
    "trouble": "trouble: no verdict",
    "open": "did not end",
}


class Bar(NamedTuple):
    """One attempt: in whose lane, from when to when, how it ended, and what is told of it."""

    worker: str
    begin: float
    end: float
    ending: str
    again: bool
    anchor: str
    tooltip: str


class Band(NamedTuple):
    """When nothing was begun, and why."""

    begin: float
    end: float
    why: str


def bars_of(run: RunReport) -> Iterator[Bar]:
    """Yield each attempt that a worker was given."""
    now = run.began + run.seconds
    for task in run.tasks:
        for attempt in task.attempts:
            if attempt.assigned is None:
                continue
            state = task.state if attempt is task.attempts[-1] else None
            yield Bar(
                worker=attempt.worker,
                begin=attempt.assigned,
                end=_end(attempt, attempt.assigned, now),
                ending=_ending(attempt, state),
                again=attempt.number > 1,
                anchor=anchor(task),
                tooltip=_tooltip(task, attempt),
            )


def _end(attempt: TaskAttempt, assigned: float, now: float) -> float:
    if attempt.ended is not None:
        return attempt.ended
    if attempt.seconds is not None:
        return assigned + attempt.seconds
    return max(now, assigned)


def _ending(attempt: TaskAttempt, state: ItemState | None) -> str:
    if attempt.trouble:
        return "trouble"
    if attempt.kind is VerdictKind.FAIL and state is ItemState.XFAILED:
        return "expected"
    if attempt.kind is VerdictKind.PASS and state in BAD:
        return "overruled"
    return attempt.kind.value if attempt.kind else "open"


def _tooltip(task: TaskReport, attempt: TaskAttempt) -> str:
    took = "" if attempt.seconds is None else f", {duration(attempt.seconds)}"
    again = f", attempt {attempt.number}" if attempt.number > 1 else ""
    again = f", {attempt.part}{again}" if attempt.part else again
    worker = at_node(attempt.worker, attempt.node)
    return f"{task.nodeid}\n{attempt.ended_as}{took} on {worker}{again}"


def waiting_of(tasks: Iterable[TaskReport], ends: float) -> Iterator[tuple[float, int]]:
    """Yield how many tasks wait for a worker, each time that changes."""
    changes: dict[float, int] = {}
    for task in tasks:
        if task.kept_from is None and task.submitted is not None:
            for since, until in _waits(task, task.submitted, ends):
                changes[since] = changes.get(since, 0) + 1
                changes[until] = changes.get(until, 0) - 1
    number = 0
    for at in sorted(changes):
        number += changes[at]
        yield at, number


def _waits(task: TaskReport, submitted: float, ends: float) -> Iterator[tuple[float, float]]:
    attempts = [one for one in task.attempts if one.assigned is not None]
    since = [submitted, *(one.ended for one in attempts if one.ended is not None)]
    until = [one.assigned for one in attempts if one.assigned is not None]
    # A task that was never begun waits to the end; one that was, only between its attempts.
    yield from zip(since, until or [ends], strict=False)


def bands_of(holds: Iterable[Hold]) -> list[Band]:
    """Return holds as bands of which no two touch: every worker that is refused says so."""
    bands: list[Band] = []
    for hold in sorted(holds, key=lambda one: one.at):
        begin, end, why = hold.at, hold.at + hold.seconds, hold.why
        if bands and begin <= bands[-1].end:
            last = bands[-1]
            both = last.why if why in last.why.split(", ") else f"{last.why}, {why}"
            bands[-1] = Band(last.begin, max(last.end, end), both)
        else:
            bands.append(Band(begin, end, why))
    return bands
