"""What the items of a run's page say: a row for each that unfolds to all that is known. Pure.

`items.html.jinja` shows it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.item_states import ItemState
from pytest_ptc.model.verdict import VerdictKind
from pytest_ptc.reporting.attempts import vote_part
from pytest_ptc.reporting.page.attempts import SHOWN_FACTS, AttemptTable, attempts
from pytest_ptc.reporting.page.figures import duration
from pytest_ptc.reporting.page.texts import (
    MAX_LINE_CHARS,
    MAX_MESSAGE_CHARS,
    Cut,
    Long,
    Room,
    cut_text,
    json_lines,
)
from pytest_ptc.reporting.page.titles import STATES, anchor, flags
from pytest_ptc.reporting.task_report import worst_first
from pytest_ptc.reporting.wording import finding_marks, grouped, listed
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_ptc.model.verdict import Finding
    from pytest_ptc.reporting.page.places import Places
    from pytest_ptc.reporting.task_report import TaskReport

#: So much of what was said is in pytest's message, if that is made of it.
_QUOTED_CHARS = 100
#: Most findings of one item.
_MAX_FINDINGS = 2_000

#: What is said in place of what a large page has no room for.
_LEFT_OUT = "Its prompt and its attempts are left out to keep the page small. This shows them:"

#: The words of an item's own state.
_STATE: Mapping[ItemState, str] = {
    ItemState.FAILED: "failed",
    ItemState.ERROR: "error",
    ItemState.UNDONE: "not done",
    ItemState.XPASSED: "unexpected",
    ItemState.UNRESOLVED: "no outcome",
    ItemState.UNREPORTED: "no outcome",
    ItemState.SKIPPED: "skipped",
    ItemState.XFAILED: "expected",
    ItemState.PASSED: "passed",
}
#: What is said of an item's flags, shortly and in full.
_FLAGS: Mapping[str, tuple[str, str]] = {
    "blind": ("no tool call", "The agent recorded a pass without using a tool: it may be a guess."),
    "resumed": ("resumed", "The verdict was kept from an earlier run."),
    "submitted": ("own work", "A test submitted this task and uses its result itself."),
    "superseded": ("run again", "The test was run again: its outcome is shown with its last task."),
}


class Words(NamedTuple):
    """What was said, behind a label."""

    label: str
    class_: str
    cut: Cut


class Mark(NamedTuple):
    """Something remarkable, beside an item's name."""

    text: str
    class_: str
    title: str = ""


class FindingRow(NamedTuple):
    """A finding."""

    severity: str
    place: str
    href: str
    rule: str
    marks: str
    message: Cut
    excused: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """An item, as the page shows it: texts and amounts, ready to be put out."""

    anchor: str
    state: str
    state_word: str
    severities: str
    flags: str
    seconds: str
    cost: str
    nodeid: str
    where: str
    name: str
    marks: Sequence[Mark]
    took: str
    line: str
    place: str
    kept: str
    notes: Sequence[str]
    words: Sequence[Words]
    trouble: Words | None
    evidence: Long | None
    findings: Sequence[FindingRow]
    many_findings: str
    more_findings: str
    attempts: AttemptTable | None
    no_attempts: str
    shown_by: str
    commands: Sequence[str]
    folds: Sequence[tuple[str, Long]]


class Group(NamedTuple):
    """The items of one state; each row is made when it is its turn, for all of them are large."""

    state: str
    title: str
    many: str
    rows: Iterator[Row]


def groups(tasks: Sequence[TaskReport], places: Places, room: Room) -> list[Group]:
    """Return the items of each state that there is, worst first."""
    of_state: dict[ItemState, list[TaskReport]] = {state: [] for state in STATES}
    for task in tasks:
        of_state[task.state].append(task)
    make = partial(_row, places=places, room=room)
    return [
        Group(state.value, STATES[state], grouped(len(found)), map(make, found))
        for state, found in of_state.items()
        if found
    ]


def _row(task: TaskReport, places: Places, room: Room) -> Row:
    whole = room.takes_item()
    # A parameter may hold whatever separates names.
    plain, bracket, params = task.nodeid.partition("[")
    where, between, name = plain.rpartition("::")
    trouble, number = task.trouble, len(task.findings)
    flag_names = flags(task)
    return Row(
        anchor=anchor(task),
        state=task.state.value,
        state_word=_STATE[task.state],
        severities=" ".join(severity.value for severity in task.severities),
        flags=" ".join(flag_names),
        seconds=f"{task.seconds:.3f}",
        cost="" if task.cost_usd is None else f"{task.cost_usd:.6f}",
        nodeid=task.nodeid,
        where=where + between,
        name=name + bracket + params,
        marks=list(_marks(task, flag_names)),
        took=duration(task.seconds) if task.attempts else "",
        line=_first(task.reason.text),
        place=_place(task.path, task.line),
        kept="" if task.kept_from is None else f"verdict of run {task.kept_from}",
        notes=[_FLAGS[flag][1] for flag in flag_names if flag in _FLAGS],
        words=list(_words(task, whole=whole)),
        trouble=Words(f"Trouble: {trouble.cause}", "", cut_text(trouble.message))
        if trouble
        else None,
        evidence=room.long(trouble.evidence)
        if trouble and trouble.evidence.strip() and whole
        else None,
        findings=[
            _finding(one, task, places, room) for one in worst_first(task.findings)[:_MAX_FINDINGS]
        ],
        many_findings=grouped(number),
        more_findings=f"{grouped(number - _MAX_FINDINGS)} more are in the JSON document."
        if number > _MAX_FINDINGS
        else "",
        attempts=attempts(task, places) if task.attempts and whole else None,
        no_attempts=_LEFT_OUT if not whole else "" if task.attempts else "No attempt was made.",
        shown_by="" if whole else places.command("show", task),
        commands=places.commands(task) if whole else [],
        folds=list(_folds(task, places, room)) if whole else [],
    )


def _first(text: str) -> str:
    return text if len(text) <= MAX_LINE_CHARS else f"{text[:MAX_LINE_CHARS]}..."


def _marks(task: TaskReport, flag_names: Sequence[str]) -> Iterator[Mark]:
    for severity, number in task.severities.items():
        yield Mark(f"{grouped(number)} {severity}", f"severity {severity}")
    if task.votes:
        states = Counter(vote.state for vote in task.votes)
        votes = [
            f"{vote_part(one.number, len(task.votes), one.voter)}: {one.state}"
            for one in task.votes
        ]
        yield Mark(f"votes: {listed((s, n) for s, n in states.items())}", "chip", ", ".join(votes))
    number = max((attempt.number for attempt in task.attempts), default=0)
    if number > 1:
        yield Mark(f"{number} attempts", "chip")
    for flag in flag_names:
        if flag in _FLAGS:
            short, full = _FLAGS[flag]
            yield Mark(
                f"of run {task.kept_from}" if flag == "resumed" else short, f"chip {flag}", full
            )
    if not task.spec.gate:
        overruled = task.kind is VerdictKind.FAIL and task.state is ItemState.PASSED
        text = "verdict fail, gate off" if overruled else "gate off"
        yield Mark(text, "chip", "Only the test's body decides.")


def _words(task: TaskReport, *, whole: bool) -> Iterator[Words]:
    if task.verdict:
        kind = task.kind.value
        yield Words(f"Verdict {kind}", f"kind {kind}", cut_text(task.verdict.summary))
    if task.verdict and whole:
        for label, said in (("Checked", task.verdict.checked), ("Open", task.verdict.open)):
            if said:
                yield Words(label, "kind", cut_text("; ".join(said)))
    final = task.final
    if final and final.message and _tells_more(task, final.message):
        phase = f" in {final.phase}" if final.phase else ""
        yield Words(f"{STATES[ItemState(final.outcome)]}{phase}", "kind", cut_text(final.message))


def _tells_more(task: TaskReport, message: str) -> bool:
    """Tell whether pytest's message says more than the words of the agent that it is made of."""
    text = task.trouble.message if task.trouble else task.verdict.summary if task.verdict else ""
    failed = task.state in (ItemState.FAILED, ItemState.ERROR)
    overruled = task.kind is VerdictKind.PASS and failed
    return overruled or printable(text[:_QUOTED_CHARS]) not in printable(message)


def _finding(finding: Finding, task: TaskReport, places: Places, room: Room) -> FindingRow:
    return FindingRow(
        severity=finding.severity.value,
        place=_place(finding.path, finding.line),
        href=places.finding(finding, task),
        rule=(finding.rule or "")[:MAX_LINE_CHARS],
        marks=finding_marks(finding)[:MAX_MESSAGE_CHARS],
        message=room.message(finding.message),
        excused=finding.facts.excuse is not None,
    )


def _place(path: str | None, line: int | None) -> str:
    if not path:
        return ""
    return path[:MAX_MESSAGE_CHARS] if line is None else f"{path[:MAX_MESSAGE_CHARS]}:{line}"


# What was asked and what came of it, folded.


def _folds(task: TaskReport, places: Places, room: Room) -> Iterator[tuple[str, Long]]:
    verdict, spec = task.verdict, task.spec
    if verdict and verdict.data is not None:
        yield "Data", room.long(json_lines(verdict.data, 2))
    yield "Prompt", room.long(spec.prompt)
    if spec.params:
        yield "Parameters", room.long(json_lines(dict(spec.params), 2))
    for attempt in task.attempts:
        part = f"{attempt.part}, " if attempt.part else ""
        of = f" of {part}attempt {attempt.number}" if len(task.attempts) > 1 else ""
        transcript = places.transcript(task, attempt)
        if transcript is not None:
            yield f"Transcript{of}", room.long(transcript)
        trouble = attempt.trouble
        if trouble and attempt is not task.attempts[-1] and trouble.evidence.strip():
            yield f"Last lines{of}", room.long(trouble.evidence)
        rest = {key: value for key, value in attempt.about.items() if key not in SHOWN_FACTS}
        if rest:
            yield f"Settings and facts{of}", room.long(json_lines(rest, 2))
