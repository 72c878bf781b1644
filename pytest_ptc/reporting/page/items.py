"""What the items of a run's page say: a row for each that unfolds to all that is known. Pure.

`items.html.jinja` shows it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from pytest_ptc.model.item_states import ItemState
from pytest_ptc.model.verdict import VerdictKind
from pytest_ptc.reporting.document import json_text
from pytest_ptc.reporting.page.figures import duration, moment
from pytest_ptc.reporting.page.markup import lines
from pytest_ptc.reporting.page.titles import STATES, anchor, flags
from pytest_ptc.reporting.run_report import worst_first
from pytest_ptc.reporting.wording import grouped, thousands
from pytest_ptc.text.printable import printable, usd, utf8

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_ptc.model.verdict import Finding
    from pytest_ptc.reporting.run_report import TaskAttempt, TaskReport

#: Most characters of one text in the page; of a longer one, its beginning and its end are there.
_MAX_TEXT_CHARS = 24_000
#: Most characters of a finding's message, a summary or a line; they may be megabytes.
_MAX_MESSAGE_CHARS = 8_000
#: Most characters of what a row says while it is folded.
_MAX_LINE_CHARS = 300
#: So much of what was said is in pytest's message, if that is made of it.
_QUOTED_CHARS = 100
#: Most findings of one item.
_MAX_FINDINGS = 2_000

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
#: What is told of an attempt in places of its own; whatever else its agent told is with the rest.
_PLACED = frozenset({"client", "model", "session", "transcript", "turns", "denied"})


class Cut(NamedTuple):
    """A text with its line breaks, and how much of it is not there."""

    text: Markup
    missing: str = ""


class Long(NamedTuple):
    """A long text, or its beginning and its end, with a note on what is not there."""

    head: Markup = Markup()
    missing: str = ""
    tail: Markup = Markup()
    left_out: str = ""


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
    message: Cut


class Cell(NamedTuple):
    """A cell of the table of attempts, and the element that is around its text."""

    cut: Cut
    tag: str = ""
    class_: str = ""


class Fact(NamedTuple):
    """What else is known of an attempt, and how it is shown."""

    name: str
    cut: Cut
    class_: str = ""
    href: str = ""


class AttemptRow(NamedTuple):
    """An attempt."""

    cells: Mapping[str, Cell]
    facts: Sequence[Fact]


class AttemptTable(NamedTuple):
    """The attempts at an item; no column is empty."""

    title: str
    columns: Sequence[str]
    rows: Sequence[AttemptRow]


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
    commands: Sequence[str]
    folds: Sequence[tuple[str, Long]]


class Group(NamedTuple):
    """The items of one state."""

    state: str
    title: str
    many: str
    rows: Sequence[Row]


class Room:
    """How many more characters of texts the page takes.

    The items come worst first, so that it is those whose texts are there in full.

    Args:
        long: For prompts, transcripts, data and last lines, which are left out beyond it.
        messages: For the messages of findings, which are cut short beyond it.
    """

    def __init__(self, long: int, messages: int) -> None:
        self._long, self._message_room = long, messages

    def long(self, value: str) -> Long:
        """Return a text, or its beginning and its end."""
        if len(value) > _MAX_TEXT_CHARS:
            head = value[: _MAX_TEXT_CHARS // 4]
            tail = value[-(_MAX_TEXT_CHARS - len(head)) :]
            missing = f"{grouped(len(value) - _MAX_TEXT_CHARS)} characters are left out here"
        else:
            head, tail, missing = value, "", ""
        if len(head) + len(tail) > self._long:
            left_out = f"Left out to keep the page small: {grouped(len(value))} characters"
            return Long(left_out=left_out)
        self._long -= len(head) + len(tail)
        return Long(lines(head), missing, lines(tail))

    def message(self, value: str) -> Cut:
        most = _MAX_MESSAGE_CHARS if self._message_room > 0 else _MAX_LINE_CHARS
        self._message_room -= min(len(value), most)
        return _cut(value, most)


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where a reader can look further.

    Args:
        transcripts: Texts of attempts, by their names.
        links: The run's folder, as an address from the page.
        run_id: The run's id.
        files: The address of a commit's files; None where it is not known.
    """

    transcripts: Mapping[str, str]
    links: str | None
    run_id: str = ""
    files: str | None = None

    def line(self, path: str | None, line: int | None) -> str:
        """Return the address of a line of a file; empty where none is known."""
        if self.files is None or not path or path.startswith(("/", "..")):
            return ""
        return f"{self.files}/{quote(utf8(path))}" + ("" if line is None else f"#L{line}")

    def finding(self, finding: Finding, task: TaskReport) -> str:
        """Return the address of a finding's line; empty where none is known."""
        # A task's copy of the repository may be at another commit.
        return self.line(finding.path, finding.line) if task.spec.isolation is None else ""

    def commands(self, task: TaskReport) -> list[str]:
        """Return the commands that a reader may copy for an item."""
        if task.has_no_item:
            return []
        words = ["rerun"]
        if task.attempts and task.attempts[-1].about.get("session"):
            words.append("talk")
        item = shlex.quote(printable(task.nodeid))
        return [f"ptc {word} {self.run_id} {item}" for word in words]

    def attempt(self, task: TaskReport, attempt: TaskAttempt) -> str:
        """Return the address of an attempt's folder; empty for an earlier run's."""
        if self.links is None or task.task_id is None or task.kept_from is not None:
            return ""
        name = quote(attempt.name, safe="", errors="replace")
        return f"{self.links.rstrip('/')}/attempts/{name}/"


def groups(tasks: Sequence[TaskReport], places: Places, room: Room) -> list[Group]:
    """Return the items of each state that there is, worst first."""
    found = []
    for state, title in STATES.items():
        rows = [_row(task, places, room) for task in tasks if task.state is state]
        if rows:
            found.append(Group(state.value, title, grouped(len(rows)), rows))
    return found


def _row(task: TaskReport, places: Places, room: Room) -> Row:
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
        words=list(_words(task)),
        trouble=Words(f"Trouble: {trouble.cause}", "", _cut(trouble.message)) if trouble else None,
        evidence=room.long(trouble.evidence) if trouble and trouble.evidence.strip() else None,
        findings=[
            _finding(one, task, places, room) for one in worst_first(task.findings)[:_MAX_FINDINGS]
        ],
        many_findings=grouped(number),
        more_findings=f"{grouped(number - _MAX_FINDINGS)} more are in the JSON document."
        if number > _MAX_FINDINGS
        else "",
        attempts=_attempts(task, places) if task.attempts else None,
        commands=places.commands(task),
        folds=list(_folds(task, places, room)),
    )


def _first(text: str) -> str:
    return text if len(text) <= _MAX_LINE_CHARS else f"{text[:_MAX_LINE_CHARS]}..."


def _marks(task: TaskReport, flag_names: Sequence[str]) -> Iterator[Mark]:
    for severity, number in task.severities.items():
        yield Mark(f"{grouped(number)} {severity}", f"severity {severity}")
    number = task.attempts[-1].number if task.attempts else 0
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


def _words(task: TaskReport) -> Iterator[Words]:
    if task.verdict:
        kind = task.kind.value
        yield Words(f"Verdict {kind}", f"kind {kind}", _cut(task.verdict.summary))
    final = task.final
    if final and final.message and _tells_more(task, final.message):
        phase = f" in {final.phase}" if final.phase else ""
        yield Words(f"{STATES[ItemState(final.outcome)]}{phase}", "kind", _cut(final.message))


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
        rule=(finding.rule or "")[:_MAX_LINE_CHARS],
        message=room.message(finding.message),
    )


def _place(path: str | None, line: int | None) -> str:
    if not path:
        return ""
    return path[:_MAX_MESSAGE_CHARS] if line is None else f"{path[:_MAX_MESSAGE_CHARS]}:{line}"


def _cut(value: str, most: int = _MAX_MESSAGE_CHARS) -> Cut:
    """Return a text with its line breaks; the end of one that is very long is left out."""
    if len(value) <= most:
        return Cut(lines(value))
    return Cut(lines(value[:most]), f"... {grouped(len(value) - most)} more characters")


# How it went.


def _attempts(task: TaskReport, places: Places) -> AttemptTable:
    rows = [
        AttemptRow(_cells(attempt), list(_facts(task, attempt, places)))
        for attempt in task.attempts
    ]
    # An agent that counts neither calls nor money has no empty columns for them.
    columns = [name for name in rows[0].cells if any(row.cells[name].cut.text for row in rows)]
    return AttemptTable("Attempts" if len(rows) > 1 else "Attempt", columns, rows)


def _cells(attempt: TaskAttempt) -> dict[str, Cell]:
    calls, usage = attempt.tool_calls, attempt.usage
    texts = {
        "Attempt": str(attempt.number),
        "Worker": attempt.worker,
        "Began": "" if attempt.assigned is None else _time(attempt.assigned),
        "Took": "" if attempt.seconds is None else duration(attempt.seconds),
        "Ended as": "",
        "Tool calls": "" if calls is None else str(calls),
        "Cost": "",
        "Tokens": "",
    }
    if usage is not None:
        texts["Cost"] = "unknown" if usage.cost_usd is None else usd(usage.cost_usd)
        read = usage.tokens - usage.output_tokens
        texts["Tokens"] = f"{thousands(read)} in, {thousands(usage.output_tokens)} out"
    cells = {name: Cell(_cut(text)) for name, text in texts.items()}
    cells["Ended as"] = _ended(attempt)
    if attempt.without_evidence:
        cells["Tool calls"] = Cell(_cut("none"), "b", "blind")
    return cells


def _time(at: float) -> str:
    return moment(at)[0].rpartition(", ")[2]


def _ended(attempt: TaskAttempt) -> Cell:
    cut = _cut(attempt.ended_as)
    if attempt.trouble:
        return Cell(cut, "b", "kind trouble")
    return Cell(cut, "b", f"kind {attempt.kind}") if attempt.kind else Cell(cut, "i")


def _facts(task: TaskReport, attempt: TaskAttempt, places: Places) -> Iterator[Fact]:
    """Yield what else is known of an attempt."""
    about = attempt.about
    # The last attempt's trouble is the item's own, and stands above.
    if attempt.trouble and attempt is not task.attempts[-1]:
        yield Fact("Trouble", _cut(attempt.trouble.message), "wide")
    for name in ("client", "model", "session", "turns"):
        if about.get(name) is not None:
            yield Fact(name.capitalize(), _cut(_text(about[name])))
    if about.get("denied"):
        yield Fact("Denied", _cut(_text(about["denied"])), "wide")
    if attempt.sha256 is not None:
        yield Fact("SHA-256 of report", _cut(attempt.sha256), "hash")
    folder = places.attempt(task, attempt)
    if folder:
        yield Fact("Folder", _cut("attempt's folder"), href=folder)


def _text(value: object) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: object, indent: int | None = None) -> str:
    return json_text(value, ensure_ascii=False, default=str, indent=indent)


# What was asked and what came of it, folded.


def _folds(task: TaskReport, places: Places, room: Room) -> Iterator[tuple[str, Long]]:
    verdict, spec = task.verdict, task.spec
    if verdict and verdict.data is not None:
        yield "Data", room.long(_json(verdict.data, 2))
    yield "Prompt", room.long(spec.prompt)
    if spec.params:
        yield "Parameters", room.long(_json(dict(spec.params), 2))
    for attempt in task.attempts:
        of = f" of attempt {attempt.number}" if len(task.attempts) > 1 else ""
        if task.kept_from is None and attempt.name in places.transcripts:
            yield f"Transcript{of}", room.long(places.transcripts[attempt.name])
        trouble = attempt.trouble
        if trouble and attempt is not task.attempts[-1] and trouble.evidence.strip():
            yield f"Last lines{of}", room.long(trouble.evidence)
        rest = {key: value for key, value in attempt.about.items() if key not in _PLACED}
        if rest:
            yield f"Settings and facts{of}", room.long(_json(rest, 2))
