"""A run as GitHub Actions shows it: annotations, and the summary of a step. Pure: a run to text.

An annotation is a command to GitHub's runner, one line that begins with `::`; what an agent said
stands in it in a form that can neither end the line nor the command. The summary is Markdown; there
every sign that could be markup is written as a character reference, which is never markup, and
mentions, addresses and emoji, which GitHub looks for in the finished text, are broken by a blank of
no width. Node ids and paths are there to be copied: they are code, in which GitHub looks for
nothing, exactly as pytest has them.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from pytest_ptc.model.item_states import ItemState
from pytest_ptc.model.rule_names import FINDING
from pytest_ptc.model.verdict import Severity
from pytest_ptc.reporting.document import json_text
from pytest_ptc.reporting.issues import OURS, issues_of
from pytest_ptc.reporting.list_lines import list_lines
from pytest_ptc.reporting.task_report import WORST_FIRST
from pytest_ptc.reporting.wording import count, cut, listed
from pytest_ptc.text.printable import clip_left, printable, utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_ptc.model.verdict import Verdict
    from pytest_ptc.reporting.attempts import Spent
    from pytest_ptc.reporting.issues import Issue
    from pytest_ptc.reporting.run_report import RunReport
    from pytest_ptc.reporting.task_report import TaskReport

T = TypeVar("T")

#: How many annotations of a kind GitHub shows of a step.
MAX_ANNOTATIONS = 10

#: GitHub takes 1 MiB from a step, and nothing of what is larger; some room is left to others.
MAX_SUMMARY_BYTES = 1024 * 1024 - 16 * 1024

#: Most characters of a title, and of a table's cell.
_LONGEST_TITLE, _LONGEST_CELL = 200, 400

#: Most characters of a node id or a path: one that is cut cannot be given back to pytest.
_MAX_CODE_CHARS = 2000

#: Room for the line that says what was left out.
_MARGIN_BYTES = 200

#: Passes without a tool call that are named.
_MAX_NAMED = 3

#: What pytest made of an item, in its order here; work that a test submitted is judged alone.
_OUTCOMES = {
    "failed": "failed",
    "error": "error",
    "unresolved": "failed, not run",
    "alone": "judged alone",
    "undone": "not run",
    "unreported": "passed, not run",
    "passed": "passed",
    "xpassed": "passed unexpectedly",
    "xfailed": "failed as expected",
    "skipped": "skipped",
}

#: The states of items whose answers are shown.
_PASSED = (ItemState.PASSED, ItemState.XPASSED)

#: All but letters, digits, and what Markdown gives no meaning to inside of a line.
_SIGN = re.compile(r"[^\w ,;?%'\"-]|_")
#: What GitHub looks for before a word, in the finished text.
_LOOKED_FOR = "@#:"

_TICKS = re.compile("`+")
_COMMIT = re.compile("[0-9a-f]{40,64}")


def annotation_lines(run: RunReport) -> list[str]:
    """Return the commands that annotate the run's files, worst first, as many as GitHub shows.

    What keeps an item from passing is an error; of other findings, from `medium` on a warning, and
    below a notice, as what is excused. What was expected is none.
    """
    kinds: dict[str, list[str]] = {"error": [], "warning": [], "notice": []}
    for issue in issues_of(run):
        if not issue.expected:
            kind = _kind(issue)
            kinds[kind].append(_annotation(kind, issue))
    left = {kind: lines[MAX_ANNOTATIONS:] for kind, lines in kinds.items()}
    shown = [line for lines in kinds.values() for line in lines[:MAX_ANNOTATIONS]]
    if not any(left.values()):
        return shown
    # The notice about the others is one of the notices.
    if len(kinds["notice"]) >= MAX_ANNOTATIONS:
        left["notice"].append(shown.pop())
    numbers = listed((kind, len(lines)) for kind, lines in left.items())
    text = f"not annotated, because GitHub shows {MAX_ANNOTATIONS} of a kind: {numbers} more"
    return [*shown, _command("notice", text, title="pytest-ptc")]


def _kind(issue: Issue) -> str:
    if issue.fails:
        return "error"
    if issue.excuse is not None:
        return "notice"
    return "warning" if issue.severity.rank >= Severity.MEDIUM.rank else "notice"


def _annotation(kind: str, issue: Issue) -> str:
    title = issue.label if issue.excuse is None else f"{issue.label} ({issue.excuse})"
    if not issue.of_run:
        title = f"{title}: {clip_left(issue.nodeid, _LONGEST_TITLE)}{_and_more(issue)}"
    place = {} if issue.path is None else {"file": printable(issue.path)}
    if place and issue.line is not None:
        place["line"] = str(issue.line)
    return _command(kind, issue.marked_message, **place, title=title)


def _and_more(issue: Issue) -> str:
    """Return how many other items name the same finding."""
    others = len(issue.tasks) - 1
    return f" and {count(others, 'other item')}" if others > 0 else ""


def _command(name: str, data: str, **properties: str) -> str:
    parameters = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {parameters}::{_data(data)}"


def _data(text: str) -> str:
    # The percent sign first: it stands in what the others become.
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def step_summary(run: RunReport, *, room: int = MAX_SUMMARY_BYTES, files: str | None = None) -> str:
    """Return the run in Markdown.

    Args:
        run: The run.
        room: How many bytes it may take; what is left out is said.
        files: The address below which a repository's files are, to which `/COMMIT/PATH` is added;
            None for places without links.
    """
    page = _Page(room)
    tasks = run.standing
    issues = [issue for issue in issues_of(run) if not issue.expected]
    page.text(f"## pytest-ptc: {_outcomes(tasks)}")
    if run.why_not_successful is not None:
        page.text(f"**Not successful**: {_escaped(run.why_not_successful)}.")
    for line in _facts(run):
        page.text(line)
    page.table("### Not passed", ("outcome", "test", "why"), _failing(tasks, issues), _failure)
    findings = [issue for issue in issues if issue.rule not in OURS]
    if findings:
        severities = Counter(issue.severity for issue in findings)
        by_severity = listed((severity, severities[severity]) for severity in WORST_FIRST)
        heading = f"### {count(len(findings), 'finding')}: {by_severity}{_excused(findings)}"
        columns = ("severity", "place", "what", "rule", "test")
        page.table(heading, columns, findings, partial(_finding, files=files))
    answers = [
        (task, task.verdict)
        for task in tasks
        if task.verdict and task.state in _PASSED and not task.tests_judge
    ]
    page.table(
        "### Answers of passing items", ("test", "answer", "data"), answers, _answer, folded=True
    )
    return page.done()


def _excused(findings: Sequence[Issue]) -> str:
    excuses = Counter(issue.excuse for issue in findings if issue.excuse is not None)
    return f"; excused: {listed(excuses.items())}" if excuses else ""


class _Page:
    """Markdown that does not outgrow its room."""

    def __init__(self, room: int) -> None:
        self._left = room
        self._lines: list[str] = []

    def text(self, line: str) -> None:
        """Add a paragraph or a heading, if it fits."""
        if self._fits(line, "", spare=_MARGIN_BYTES):
            self._lines += [line, ""]

    def table(
        self,
        heading: str,
        columns: Sequence[str],
        things: Sequence[T],
        cells: Callable[[T], Sequence[str]],
        *,
        folded: bool = False,
    ) -> None:
        """Add a table with a row for each thing, as many as fit; none without things."""
        head = [heading, "", _row(columns), _row(["---"] * len(columns))]
        if folded:
            title = heading.lstrip("# ")
            head[:1] = ["<details>", f"<summary>{title}</summary>"]
        if not things or not self._fits(*head, spare=2 * _MARGIN_BYTES):
            return
        self._lines += head
        for shown, thing in enumerate(things):
            row = _row(cells(thing))
            if not self._fits(row, spare=_MARGIN_BYTES):
                left = f"{len(things) - shown} more left out: GitHub takes no larger summary."
                self._fits("", left, "", spare=0)
                self._lines += ["", left]
                break
            self._lines.append(row)
        self._lines.append("")
        if folded:
            # There is room for it: no table comes within `_MARGIN_BYTES` of the end.
            self._lines += ["</details>", ""]

    def done(self) -> str:
        return "\n".join(self._lines)

    def _fits(self, *lines: str, spare: int) -> bool:
        size = sum(len(line.encode()) + 1 for line in lines)
        if size + spare > self._left:
            return False
        self._left -= size
        return True


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _outcomes(tasks: Sequence[TaskReport]) -> str:
    numbers = Counter(map(_outcome, tasks))
    return listed((name, numbers[outcome]) for outcome, name in _OUTCOMES.items()) or "no items"


def _outcome(task: TaskReport) -> str:
    if task.is_submitted and task.state in (ItemState.UNRESOLVED, ItemState.UNREPORTED):
        return "error" if task.verdict is None else "alone"
    return task.state.value


def _facts(run: RunReport) -> Iterator[str]:
    if run.stopped is not None:
        yield f"The run was stopped: {_escaped(run.stopped)}."
    elif not run.complete:
        yield "The run was killed, or is still active: these are its results so far."
    if run.changed_suite:
        names = ", ".join(map(_escaped, run.changed_suite))
        yield f"The change brings suite, configuration or reviewer of its own: {names}."
    for line in list_lines(run):
        yield f"{_escaped(line.text)}."
    if run.judge.text:
        yield f"{_escaped(run.judge.text)}."
    unseen = [task.nodeid for task in run.standing if task.without_evidence]
    if unseen:
        names = ", ".join(_code(nodeid) for nodeid in unseen[:_MAX_NAMED])
        more = f", and {len(unseen) - _MAX_NAMED} more" if len(unseen) > _MAX_NAMED else ""
        yield f"{count(len(unseen), 'pass', 'passes')} without a tool call: {names}{more}."
    kept = Counter(task.kept_from for task in run.standing if task.kept_from is not None)
    for earlier, number in sorted(kept.items()):
        stand = f"{count(number, 'verdict')} of run {_escaped(earlier)} kept, unchanged"
        yield f"{stand}: not run again."
    facts = [f"{run.seconds:.1f} s", count(len(run.attempts), "attempt"), *_cost(run.spent)]
    if run.shards:
        facts.insert(0, count(sum(shard.stands for shard in run.shards), "shard"))
    yield f"Run {_escaped(run.run_id)}: {', '.join(facts)}."


def _cost(spent: Spent | None) -> Iterator[str]:
    if spent is not None:
        yield f"cost {spent.cost_text.replace('$', '&#36;')}"
        if spent.unknown:
            yield f"{count(spent.unknown, 'attempt')} of unknown cost"


def _failing(tasks: Sequence[TaskReport], issues: Sequence[Issue]) -> list[TaskReport]:
    """Return the items that did not pass, failures first; those never come to are counted alone."""
    failing = {id(task) for issue in issues if not issue.of_run for task in issue.failed_tasks}
    order = list(_OUTCOMES)
    found = [task for task in tasks if id(task) in failing]
    return sorted(found, key=lambda task: order.index(_outcome(task)))


def _failure(task: TaskReport) -> Sequence[str]:
    return _OUTCOMES[_outcome(task)], _code_cell(task.nodeid), _escaped(task.reason.text)


def _answer(answer: tuple[TaskReport, Verdict]) -> Sequence[str]:
    task, verdict = answer
    data = verdict.data
    shown_data = "" if data is None else _escaped(json_text(data, ensure_ascii=False))
    return _code_cell(task.nodeid), _escaped(verdict.summary), shown_data


def _finding(issue: Issue, files: str | None) -> Sequence[str]:
    return (
        issue.severity.value,
        _place(issue, files),
        _escaped(issue.marked_message),
        "" if issue.rule == FINDING else _escaped(issue.rule),
        f"{_code_cell(issue.nodeid)}{_and_more(issue)}",
    )


def _place(issue: Issue, files: str | None) -> str:
    source = issue.source
    if files is None or source is None or not _COMMIT.fullmatch(source.commit or ""):
        place = "" if issue.at_test else f"{issue.path}:{issue.line}" if issue.line else issue.path
        return _code_cell(place) if place else ""
    text = source.path if source.line is None else f"{source.path}:{source.line}"
    line = "" if source.line is None else f"#L{source.line}"
    # Nothing in an address needs a character that Markdown knows.
    return f"[{_code_cell(text)}]({files}/{source.commit}/{quote(utf8(source.path))}{line})"


def _code_cell(text: str) -> str:
    """Return a text of unknown origin as code in a table's cell, exactly as it is."""
    code = _code(text)
    # A sign between cells, also in code; behind a backslash it cannot be told from a cell's end.
    if "\\|" in code:
        return f"<code>{_SIGN.sub(lambda sign: f'&#{ord(sign[0])};', _code_text(text))}</code>"
    return code.replace("|", "\\|")


def _code(text: str) -> str:
    """Return a text of unknown origin as code, exactly as it is where it is printable."""
    text = _code_text(text)
    if not text:
        return ""
    fence = "`" * (max(map(len, _TICKS.findall(text)), default=0) + 1)
    # The blanks are no part of the code; they keep a tick of the text's from the fence.
    blank = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{blank}{text}{blank}{fence}"


def _code_text(text: str) -> str:
    return cut(printable(text[: 2 * _MAX_CODE_CHARS]).strip(), _MAX_CODE_CHARS)


def _escaped(text: str) -> str:
    """Return a text of unknown origin as one line of Markdown that shows it and does no more."""
    text = cut(printable(text[: 2 * _LONGEST_CELL]).strip(), _LONGEST_CELL)
    return _SIGN.sub(_reference, text)


def _reference(sign: re.Match[str]) -> str:
    follows = sign.string[sign.end() : sign.end() + 1].strip()
    apart = "&#8203;" if follows and sign[0] in _LOOKED_FOR else ""
    return f"&#{ord(sign[0])};{apart}"
