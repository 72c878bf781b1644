"""The items of a run's page: a row for each that unfolds to all that is known of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from pytest_ptc.model.item_states import ItemState
from pytest_ptc.model.verdict import VerdictKind
from pytest_ptc.reporting.document import json_text
from pytest_ptc.reporting.page.figures import duration, moment
from pytest_ptc.reporting.page.markup import Markup, element, join, lines
from pytest_ptc.reporting.page.titles import STATES, anchor, flags
from pytest_ptc.reporting.run_report import worst_first
from pytest_ptc.reporting.wording import grouped, thousands
from pytest_ptc.text.printable import printable, usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_ptc.model.trouble import Trouble
    from pytest_ptc.model.verdict import Finding
    from pytest_ptc.reporting.run_report import TaskAttempt, TaskReport

#: Most characters of one text in the page; of a longer one, its beginning and its end are there.
_LONGEST = 24_000
#: Most characters of a finding's message, a summary or a line; they may be megabytes.
_SAID = 8_000
#: Most characters of what a row says while it is folded.
_LINE = 300
#: So much of what was said is in pytest's message, if that is made of it.
_MADE_OF = 100
#: Most findings of one item.
_FINDINGS = 2_000

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
    "resumed": ("resumed", "The verdict is an earlier run's, and was not asked for again."),
    "submitted": ("own work", "A test handed this task out itself, and has what became of it."),
    "superseded": ("run again", "The test was run again: the outcome stands with its last task."),
}
#: What is told of an attempt in places of its own; whatever else its agent told is with the rest.
_PLACED = frozenset({"client", "model", "session", "transcript", "turns", "denied"})


class Room:
    """How many more characters of texts the page takes.

    The items come worst first, so that it is those whose texts are there in full.

    Args:
        long: For prompts, transcripts, data and last lines, which are left out beyond it.
        said: For the messages of findings, which are cut short beyond it.
    """

    def __init__(self, long: int, said: int) -> None:
        self._long, self._said = long, said

    def long(self, value: str) -> Iterator[Markup]:
        """Yield a text, or its beginning and its end, with a note on what is not there."""
        if len(value) > _LONGEST:
            head = value[: _LONGEST // 4]
            tail = value[-(_LONGEST - len(head)) :]
            missing = f"{grouped(len(value) - _LONGEST)} characters are left out here"
        else:
            head, tail, missing = value, "", ""
        if len(head) + len(tail) > self._long:
            yield note(f"Left out to keep the page small: {grouped(len(value))} characters")
            return
        self._long -= len(head) + len(tail)
        yield element("pre", lines(head), tabindex=0)
        if missing:
            yield note(missing)
            yield element("pre", lines(tail), tabindex=0)

    def message(self, value: str) -> Markup:
        """Return what a finding says."""
        most = _SAID if self._said > 0 else _LINE
        self._said -= min(len(value), most)
        return _said(value, most)


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where a reader can look further.

    Args:
        transcripts: Texts of attempts, by their names.
        links: The run's folder, as an address from the page.
    """

    transcripts: Mapping[str, str]
    links: str | None

    def attempt(self, task: TaskReport, attempt: TaskAttempt) -> str | None:
        """Return the address of an attempt's folder; an earlier run's is not known."""
        if self.links is None or task.task_id is None or task.kept_from is not None:
            return None
        name = quote(attempt.name, safe="", errors="replace")
        return f"{self.links.rstrip('/')}/attempts/{name}/"


def note(text: str) -> Markup:
    """Return a remark of the page's own."""
    return element("p", text, class_="note")


def groups(tasks: Sequence[TaskReport], places: Places, room: Room) -> Iterator[Markup]:
    """Yield a section for each state that there is, worst first."""
    for state, title in STATES.items():
        alike = [task for task in tasks if task.state is state]
        if alike:
            yield element(
                "section",
                element(
                    "h3",
                    title,
                    element("span", grouped(len(alike)), class_="many"),
                ),
                *(row(task, places, room) for task in alike),
                class_="group",
                id=state.value,
            )


def row(task: TaskReport, places: Places, room: Room) -> Markup:
    """Return an item, folded."""
    return element(
        "details",
        _summary(task),
        element("div", *_body(task, places, room), class_="body"),
        class_="item",
        id=anchor(task),
        data_outcome=task.state.value,
        data_severity=" ".join(severity.value for severity in task.severities) or None,
        data_flag=" ".join(flags(task)) or None,
        data_seconds=f"{task.seconds:.3f}",
        data_cost=None if task.cost_usd is None else f"{task.cost_usd:.6f}",
    )


# The row.


def _summary(task: TaskReport) -> Markup:
    # A parameter may hold whatever separates names.
    plain, bracket, params = task.nodeid.partition("[")
    where, between, name = plain.rpartition("::")
    return element(
        "summary",
        glyph(task.state, _STATE[task.state], class_=f"state {task.state.value}"),
        element(
            "span",
            element("span", where + between, class_="where") if where else None,
            element("b", name + bracket + params),
            class_="name",
        ),
        element("span", *_marks(task), class_="marks"),
        element("span", duration(task.seconds) if task.attempts else "", class_="took"),
        element("span", _first(task.reason.text), class_="line"),
    )


def glyph(state: ItemState, *said: str, class_: str) -> Markup:
    """Return a state's sign and word."""
    sign = element("svg", element("use", href=f"#sign-{state.value}"), aria_hidden="true")
    return element("span", sign, *said, class_=class_)


def _first(said: str) -> str:
    return said if len(said) <= _LINE else f"{said[:_LINE]}..."


def _marks(task: TaskReport) -> Iterator[Markup]:
    for severity, number in task.severities.items():
        name = severity.value
        yield element("span", f"{grouped(number)} {name}", class_=f"severity {name}")
    number = task.attempts[-1].number if task.attempts else 0
    if number > 1:
        yield element("span", f"{number} attempts", class_="chip")
    for flag in flags(task):
        if flag in _FLAGS:
            short, full = _FLAGS[flag]
            told = f"of run {task.kept_from}" if flag == "resumed" else short
            yield element("span", told, class_=f"chip {flag}", title=full)
    if not task.spec.gate:
        overruled = task.kind is VerdictKind.FAIL and task.state is ItemState.PASSED
        told = "verdict fail, gate off" if overruled else "gate off"
        yield element("span", told, class_="chip", title="The test's body alone judges.")


# What it unfolds to.


def _body(task: TaskReport, places: Places, room: Room) -> Iterator[Markup]:
    yield _where(task)
    yield from (note(_FLAGS[flag][1]) for flag in flags(task) if flag in _FLAGS)
    yield from _verdict(task)
    if task.trouble:
        yield _trouble(task.trouble, room)
    yield from _findings(task, room)
    yield from _attempts(task, places)
    yield from _folded(task, places, room)


def _where(task: TaskReport) -> Markup:
    parts = [element("code", task.nodeid, class_="nodeid")]
    if task.path:
        parts.append(_place(task.path, task.line))
    if task.kept_from is not None:
        parts.append(element("span", f"verdict of run {task.kept_from}"))
    return element("p", *_spaced(parts), class_="told")


def _verdict(task: TaskReport) -> Iterator[Markup]:
    if task.verdict:
        kind = task.kind.value
        yield element(
            "p",
            element("b", f"Verdict {kind}", class_=f"kind {kind}"),
            _said(task.verdict.summary),
            class_="said",
        )
    final = task.final
    if final and final.message and _tells_more(task, final.message):
        phase = f" in {final.phase}" if final.phase else ""
        title = STATES[ItemState(final.outcome)]
        yield element(
            "p",
            element("b", f"{title}{phase}", class_="kind"),
            _said(final.message),
            class_="said",
        )


def _tells_more(task: TaskReport, message: str) -> bool:
    """Tell whether pytest's message says more than the words of the agent that it is made of."""
    said = task.trouble.message if task.trouble else task.verdict.summary if task.verdict else ""
    overruled = task.kind is VerdictKind.PASS and task.state in (
        ItemState.FAILED,
        ItemState.ERROR,
    )
    return overruled or printable(said[:_MADE_OF]) not in printable(message)


def _trouble(trouble: Trouble, room: Room) -> Markup:
    return element(
        "div",
        element(
            "p",
            element("b", f"Trouble: {trouble.cause}", class_="kind trouble"),
            _said(trouble.message),
            class_="said",
        ),
        *_evidence(trouble, room),
        class_="trouble",
    )


def _evidence(trouble: Trouble, room: Room) -> Iterator[Markup]:
    if trouble.evidence.strip():
        yield element("h5", "The last that was seen of it")
        yield from room.long(trouble.evidence)


def _findings(task: TaskReport, room: Room) -> Iterator[Markup]:
    number = len(task.findings)
    if not number:
        return
    shown = worst_first(task.findings)[:_FINDINGS]
    yield element("h4", "Findings", element("span", grouped(number), class_="many"))
    yield element("ul", *(_finding(one, room) for one in shown), class_="findings")
    if len(shown) < number:
        yield note(f"{grouped(number - len(shown))} more are in the JSON document.")


def _finding(finding: Finding, room: Room) -> Markup:
    severity = finding.severity.value
    return element(
        "li",
        element("span", severity, class_=f"severity {severity}"),
        _place(finding.path, finding.line) if finding.path else None,
        element("span", finding.rule[:_LINE], class_="rule") if finding.rule else None,
        element("p", room.message(finding.message)),
    )


def _place(path: str, line: int | None) -> Markup:
    return element("code", path[:_SAID] if line is None else f"{path[:_SAID]}:{line}")


def _said(value: str, most: int = _SAID) -> Markup:
    """Return a text with its line breaks; the end of one that is very long is left out."""
    told = lines(value[:most])
    if len(value) <= most:
        return told
    missing = f"... {grouped(len(value) - most)} more characters"
    return join([told, element("i", missing, class_="note")], " ")


# How it went.


def _attempts(task: TaskReport, places: Places) -> Iterator[Markup]:
    attempts = task.attempts
    if not attempts:
        yield note("No attempt was made.")
        return
    rows = [_cells(attempt) for attempt in attempts]
    # An agent that counts neither calls nor money has no empty columns for them.
    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    head = element("tr", *(element("th", name, scope="col") for name in columns))
    yield element("h4", "Attempts" if len(attempts) > 1 else "Attempt")
    yield element(
        "table",
        element("thead", head),
        *(
            element(
                "tbody",
                element("tr", *(element("td", row[name], data_th=name) for name in columns)),
                _facts(task, attempt, places, wide=len(columns)),
            )
            for attempt, row in zip(attempts, rows, strict=True)
        ),
        class_="attempts",
    )


def _cells(attempt: TaskAttempt) -> dict[str, str]:
    calls, usage = attempt.tool_calls, attempt.usage
    cells = {
        "Attempt": str(attempt.number),
        "Worker": attempt.worker,
        "Began": "" if attempt.assigned is None else _time(attempt.assigned),
        "Took": "" if attempt.seconds is None else duration(attempt.seconds),
        "Ended as": _ended(attempt),
        "Tool calls": "" if calls is None else _short(calls),
        "Cost": "",
        "Tokens": "",
    }
    if attempt.without_evidence:
        cells["Tool calls"] = element("b", "none", class_="blind")
    if usage is not None:
        cells["Cost"] = "unknown" if usage.cost_usd is None else usd(usage.cost_usd)
        read = usage.tokens - usage.output_tokens
        cells["Tokens"] = f"{thousands(read)} in, {thousands(usage.output_tokens)} out"
    return cells


def _time(at: float) -> str:
    return moment(at)[0].rpartition(", ")[2]


def _facts(task: TaskReport, attempt: TaskAttempt, places: Places, *, wide: int) -> Markup | None:
    pairs = [
        element("div", element("dt", name), element("dd", value), class_=kind)
        for name, value, kind in _told(task, attempt, places)
    ]
    if not pairs:
        return None
    return element("tr", element("td", element("dl", *pairs), colspan=wide), class_="facts")


def _ended(attempt: TaskAttempt) -> str:
    if attempt.trouble:
        return element("b", attempt.ended_as, class_="kind trouble")
    if attempt.kind is None:
        return element("i", attempt.ended_as)
    return element("b", attempt.ended_as, class_=f"kind {attempt.kind.value}")


def _told(
    task: TaskReport, attempt: TaskAttempt, places: Places
) -> Iterator[tuple[str, str, str | None]]:
    """Yield what else is known of an attempt: a name, a value, and how it is shown."""
    about = attempt.about
    # The last attempt's trouble is the item's own, and stands above.
    if attempt.trouble and attempt is not task.attempts[-1]:
        yield "Trouble", _said(attempt.trouble.message), "wide"
    for name in ("client", "model", "session", "turns"):
        if about.get(name) is not None:
            yield name.capitalize(), _short(about[name]), None
    if about.get("denied"):
        yield "Denied", _short(about["denied"]), "wide"
    if attempt.sha256 is not None:
        yield "SHA-256 of report", attempt.sha256, "hash"
    folder = places.attempt(task, attempt)
    if folder is not None:
        yield "Folder", element("a", "attempt's folder", href=folder), None


def _short(value: object) -> Markup:
    return _said(value if isinstance(value, str) else _json(value))


def _json(value: object, indent: int | None = None) -> str:
    return json_text(value, ensure_ascii=False, default=str, indent=indent)


# What was asked and what came of it, folded.


def _folded(task: TaskReport, places: Places, room: Room) -> Iterator[Markup]:
    verdict, spec = task.verdict, task.spec
    if verdict and verdict.data is not None:
        yield _fold("Data", room.long(_json(verdict.data, 2)))
    yield _fold("Prompt", room.long(spec.prompt))
    if spec.params:
        yield _fold("Parameters", room.long(_json(dict(spec.params), 2)))
    for attempt in task.attempts:
        of = f" of attempt {attempt.number}" if len(task.attempts) > 1 else ""
        if task.kept_from is None and attempt.name in places.transcripts:
            yield _fold(f"Transcript{of}", room.long(places.transcripts[attempt.name]))
        trouble = attempt.trouble
        if trouble and attempt is not task.attempts[-1] and trouble.evidence.strip():
            yield _fold(f"Last lines{of}", room.long(trouble.evidence))
        rest = {key: value for key, value in attempt.about.items() if key not in _PLACED}
        if rest:
            yield _fold(f"Settings and facts{of}", room.long(_json(rest, 2)))


def _fold(title: str, held: Iterable[Markup]) -> Markup:
    return element("details", element("summary", title), *held, class_="fold")


def _spaced(parts: Sequence[Markup]) -> Iterator[Markup]:
    for place, part in enumerate(parts):
        if place:
            yield Markup(" ")
        yield part
