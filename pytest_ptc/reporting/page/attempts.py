"""The table of the attempts at an item: how each went, and what else is known of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.reporting.attempts import NOT_NEEDED, vote_part
from pytest_ptc.reporting.page.figures import duration, moment
from pytest_ptc.reporting.page.texts import Cut, cut_text, json_lines
from pytest_ptc.reporting.wording import finding_text, thousands
from pytest_ptc.reporting.worker_names import at_node
from pytest_ptc.text.printable import usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_ptc.reporting.attempts import TaskAttempt
    from pytest_ptc.reporting.page.places import Places
    from pytest_ptc.reporting.task_report import TaskReport

#: What is told of an attempt in places of its own; whatever else its agent told is with the rest.
SHOWN_FACTS = frozenset({"client", "model", "session", "transcript", "turns", "denied"})


#: Most findings of a vote whose panel came to nothing.
_MAX_FINDINGS = 20


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
    """The attempts at an item, no column of which is empty, and the votes that were not cast."""

    title: str
    columns: Sequence[str]
    rows: Sequence[AttemptRow]
    notes: Sequence[str]


def attempts(task: TaskReport, places: Places) -> AttemptTable:
    rows = [
        AttemptRow(_cells(attempt), list(_facts(task, attempt, places)))
        for attempt in task.attempts
    ]
    # An agent that counts neither calls nor money has no empty columns for them.
    columns = [name for name in rows[0].cells if any(row.cells[name].cut.text for row in rows)]
    notes = [
        f"{vote_part(one.number, len(task.votes), one.voter)}: {one.state}"
        for one in task.votes
        if one.state == NOT_NEEDED
    ]
    return AttemptTable("Attempts" if len(rows) > 1 else "Attempt", columns, rows, notes)


def _cells(attempt: TaskAttempt) -> dict[str, Cell]:
    calls, usage = attempt.tool_calls, attempt.usage
    texts = {
        "For": attempt.part,
        "Attempt": str(attempt.number),
        "Worker": at_node(attempt.worker, attempt.node),
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
    cells = {name: Cell(cut_text(text)) for name, text in texts.items()}
    cells["Ended as"] = _ended(attempt)
    if attempt.without_evidence:
        cells["Tool calls"] = Cell(cut_text("none"), "b", "blind")
    return cells


def _time(at: float) -> str:
    return moment(at)[0].rpartition(", ")[2]


def _ended(attempt: TaskAttempt) -> Cell:
    cut = cut_text(attempt.ended_as)
    if attempt.trouble:
        return Cell(cut, "b", "kind trouble")
    return Cell(cut, "b", f"kind {attempt.kind}") if attempt.kind else Cell(cut, "i")


def _facts(task: TaskReport, attempt: TaskAttempt, places: Places) -> Iterator[Fact]:
    """Yield what else is known of an attempt."""
    about = attempt.about
    # The last attempt's trouble is the item's own, and stands above.
    if attempt.trouble and attempt is not task.attempts[-1]:
        yield Fact("Trouble", cut_text(attempt.trouble.message), "wide")
    if attempt.part and attempt.said:
        yield Fact("Quoted" if attempt.is_check else "Said", cut_text(attempt.said), "wide")
    if found := task.only_said_by(attempt):
        yield Fact("Found", cut_text("\n".join(map(finding_text, found[:_MAX_FINDINGS]))), "wide")
    for name in ("client", "model", "session", "turns"):
        if about.get(name) is not None:
            yield Fact(name.capitalize(), cut_text(_text(about[name])))
    if about.get("denied"):
        yield Fact("Denied", cut_text(_text(about["denied"])), "wide")
    if attempt.sha256 is not None:
        yield Fact("SHA-256 of report", cut_text(attempt.sha256), "hash")
    folder = places.attempt(task, attempt)
    if folder:
        yield Fact("Folder", cut_text("attempt's folder"), href=folder)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json_lines(value)
