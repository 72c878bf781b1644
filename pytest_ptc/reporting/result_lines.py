"""A run's results as lines, one for each item, in at most so many bytes. Pure.

The form is for a person and for a model that called `ptc`, which pays for every word. What does not
fit is shortened first, and left out last: passing items before others, and never without a count.
The bound holds by construction: each line is made to fit the room that it has, and none is added
for which there is no room.
"""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.model.item_states import ItemState
from pytest_ptc.model.verdict import VerdictKind
from pytest_ptc.reporting.document import finding_json, json_text, judge_json, self_test_json
from pytest_ptc.reporting.finding_names import named_findings
from pytest_ptc.reporting.item_names import item_names
from pytest_ptc.reporting.list_lines import short_list_lines
from pytest_ptc.reporting.merged import merged_findings
from pytest_ptc.reporting.short_ids import short_run_id
from pytest_ptc.reporting.wording import (
    MAX_TEXT_CHARS,
    finding_text,
    first_sentence,
    listed,
    looked_at,
    plural,
    seconds_text,
)
from pytest_ptc.text.printable import printable, utf8

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_ptc.model.verdict import Finding
    from pytest_ptc.reporting.finding_names import NamedFinding
    from pytest_ptc.reporting.run_report import RunReport
    from pytest_ptc.reporting.task_report import TaskReport

#: Most bytes that an agent which runs a command is given back: about 600 tokens.
AGENT_MAX_BYTES = 2_400
#: The smallest bound: totals, the reason why a run is no success, what its lists come to, and where
#: to read on fit.
MIN_BYTES = 1_000

#: What an item's line begins with, the worst first. What is in capitals needs a look.
_FAIL, _ERROR, _NOT_DONE = "FAIL", "ERROR", "NOT DONE"
_UNDER_WAY = ("running", "queued")
_WORDS = (_FAIL, _ERROR, _NOT_DONE, "xpass", "skip", "xfail", *_UNDER_WAY, "pass")
_BAD = (_FAIL, _ERROR, _NOT_DONE)
_TOTALS_ORDER = ("pass", _FAIL, _ERROR, "skip", "xfail", "xpass", _NOT_DONE, *_UNDER_WAY)

#: As long as all items are shown, a line is not made shorter than this: one of an item that
#: somebody must look at, and another.
_SHORTEST_BAD, _SHORTEST = 40, 24
#: With fewer bytes than these a reason or a finding says nothing, or both of them together.
_TELLING, _TELLING_TWO = 12, 36
#: The room of a line where only the worst are shown.
_WORST_ROOM = range(120, 400)
#: A line of an item that somebody must look at has so many times the room of another.
_WEIGHT = 3
#: Most bytes of an item's name, of the reason why a run is no success, of its id, and of a command.
_NAME, _REASON, _ID, _HINT = 80, 160, 40, 80
#: Most lines of what a run's lists come to.
_LISTS = 2
#: Bytes that there always are for how the judge did: for its numbers.
_JUDGE = 80
_NOTHING: Mapping[tuple[str, int], str] = MappingProxyType({})
_CUT = "\N{HORIZONTAL ELLIPSIS}"


def result_lines(
    report: RunReport,
    *,
    max_bytes: int | None = None,
    verbose: bool = False,
    active: bool = False,
    others: Iterable[str] = (),
    rest: str = "ptc results {run}",
) -> list[str]:
    """Return a line for each item, in the order in which pytest collected them, and one of totals.

    Args:
        report: The run.
        max_bytes: Most bytes of all lines in UTF-8, each with its line end; at least `MIN_BYTES`.
            Where there are more, lines are shortened, then only the worst are shown, and the line
            before the last names a command that shows the rest. None for no bound.
        verbose: Whether lines have whole summaries, and one of its own for each finding.
        active: Whether the run is still active: a task that is not done is no shortfall yet.
        others: The ids of other runs, so that the id in the last line is unique among them.
        rest: The command that shows the rest; `{run}` is the run's id.

    Raises:
        ValueError: The bound is less than `MIN_BYTES`.
    """
    if max_bytes is not None and max_bytes < MIN_BYTES:
        raise ValueError(f"results need room for {MIN_BYTES} bytes, not {max_bytes}")
    run = _bytes_cut(printable(short_run_id(report.run_id, others)), _ID)
    items = _items(report, active=active, in_items=_in_items(report) if verbose else {})
    why_not = [] if active else _why_not(report, items)
    lists = [_bytes_cut(line, _REASON) for line in short_list_lines(report)[:_LISTS]]
    judge = [] if active else _judge(report, max_bytes)
    last = [*judge, *why_not, *lists, _totals(report, items, run, active=active)]
    if verbose:
        lines = [line for item in items for line in (item.whole, *item.findings, *item.looked)]
    else:
        lines = [item.line for item in items]
    if max_bytes is None or _size([*lines, *last]) <= max_bytes:
        return [*lines, *last]
    hint = _bytes_cut(rest.format(run=run), _HINT)
    return [*_bounded(items, max_bytes - _size(last), hint), *last]


def worst_lines(
    report: RunReport,
    *,
    max_bytes: int,
    others: Iterable[str] = (),
    rest: str = "ptc results {run}",
) -> list[str]:
    """Return a line for each item that somebody must look at, the worst first, and one of totals.

    Items that met the very same trouble have one line. Their names are node ids, to be copied.

    Args:
        report: The run.
        max_bytes: Most bytes, as for `result_lines`.
        others: As for `result_lines`.
        rest: As for `result_lines`.
    """
    run = _bytes_cut(printable(short_run_id(report.run_id, others)), _ID)
    items = _items(report, active=False, whole_ids=True)
    last = [*_why_not(report, items), _totals(report, items, run)]
    bad = [item._replace(more=_findings(item.more)) for item in items if item.bad]
    hint = _bytes_cut(rest.format(run=run), _HINT)
    return [*(_worst(bad, max_bytes - _size(last), hint) if bad else []), *last]


def result_json_lines(report: RunReport) -> list[str]:
    """Return a JSON object for each item, in the order of `result_lines`, and a last of totals.

    The words are those of the JSON document's schema; `item` is the name in `result_lines`,
    and `name` that of a finding in their verbose form.
    """
    tasks = report.as_collected
    names = item_names([task.nodeid for task in tasks])
    found = named_findings(report)
    objects = [_item_json(*item) for item in zip(tasks, names, found, strict=True)]
    spent = report.spent
    totals = {
        "run": report.run_id,
        "items": len(tasks),
        "states": {state.value: number for state, number in report.states.items()},
        "complete": report.complete,
        "successful": report.successful,
        "judge": judge_json(report.judge),
        "why_not_successful": report.why_not_successful,
        "exit_status": report.exit_status,
        "seconds": report.seconds,
        "cost_usd": spent.known_cost_usd if spent else None,
        "attempts_of_unknown_cost": spent.unknown if spent else None,
    }
    return [json_text(value) for value in (*objects, totals)]


class _Item(NamedTuple):
    """One item's result.

    Args:
        word: What became of it, one of `_WORDS`.
        name: Its short name, printable.
        reason: Why, printable: the summary, the cause, pytest's message.
        worst: Its worst finding; empty without one.
        more: How many findings it has besides, in words; empty without one.
        same: What is equal for items that met the same trouble; None without one.
        summary: Why, with the whole summary.
        all_findings: Its findings with their rules, worst first.
        looked_at: What its agent looked at, and what it could not.
    """

    word: str
    name: str
    reason: str
    worst: str
    more: str
    same: object
    summary: str
    all_findings: Sequence[str]
    looked_at: Sequence[str]

    @property
    def bad(self) -> bool:
        return self.word in _BAD

    @property
    def line(self) -> str:
        """Return its line without a bound."""
        return self._line(self.name, self.reason, self.worst)

    @property
    def whole(self) -> str:
        """Return its line with the whole summary and no finding."""
        return f"{self.word} {self.name}  {self.summary}".rstrip()

    @property
    def findings(self) -> Iterator[str]:
        """Yield a line for each finding."""
        return (f"  - {text}" for text in self.all_findings)

    @property
    def looked(self) -> Iterator[str]:
        """Yield what its agent looked at."""
        return (f"  {text}" for text in self.looked_at)

    def fitted(self, most: int) -> str:
        """Return its line in at most so many bytes: name, reason and finding share them.

        Where little room is left beside the name, one of them has it: the finding where somebody
        must look. Where next to none is left, the name has it.
        """
        if _bytes(self.line) <= most:
            return self.line
        name = _middle_cut(self.name, min(_NAME, max(most // 2, most - 60)))
        room = most - _bytes(self._line(name, "", "")) - 4
        if room < _TELLING:
            name = _middle_cut(self.name, most - _bytes(self._line("", "", "")) - 1)
            return _bytes_cut(self._line(name, "", ""), most)
        if room < _TELLING_TWO and self.worst and self.reason:
            one = self.worst if self.bad else self.reason
            return _bytes_cut(self._line(name, _bytes_cut(one, room), ""), most)
        worst = _bytes_cut(self.worst, max(room // 2, room - _bytes(self.reason)))
        reason = _bytes_cut(self.reason, room - _bytes(worst))
        return _bytes_cut(self._line(name, reason, worst), most)

    def _line(self, name: str, reason: str, worst: str) -> str:
        found = f"{worst} ({self.more})" if self.more and worst else worst or self.more
        why = ": ".join(filter(None, (reason, found)))
        return f"{self.word} {name}  {why}".rstrip()


def _in_items(report: RunReport) -> dict[tuple[str, int], str]:
    """Return of each finding that several items name in how many they do, by item and place."""
    return {
        (one.task.nodeid, id(one.finding)): f" ({merged.in_items})"
        for merged in merged_findings(report)
        if len(merged.members) > 1
        for one in merged.members
    }


def _items(
    report: RunReport,
    *,
    active: bool,
    whole_ids: bool = False,
    in_items: Mapping[tuple[str, int], str] = _NOTHING,
) -> list[_Item]:
    tasks = report.as_collected
    nodeids = [task.nodeid for task in tasks]
    names = nodeids if whole_ids else item_names(nodeids)
    found = named_findings(report)
    return [
        _item(*item, active=active, in_items=in_items)
        for item in zip(tasks, names, found, strict=True)
    ]


def _item(
    task: TaskReport,
    name: str,
    found: Sequence[NamedFinding],
    *,
    active: bool,
    in_items: Mapping[tuple[str, int], str],
) -> _Item:
    label, text = _reason(task)
    if active and task.unfinished:
        label, text = "", "" if task.verdict is None else f"its agent recorded {task.kind}"
    trouble = task.trouble
    return _Item(
        word=_word(task, active=active),
        name=printable(name[:MAX_TEXT_CHARS]),
        reason=_words(label, first_sentence(text)),
        worst=_short_finding(found[0].finding) if found else "",
        more=f"+{len(found) - 1}" if len(found) > 1 else "",
        same=(trouble.cause, trouble.message) if trouble and not task.unfinished else None,
        summary=_words(label, text[:MAX_TEXT_CHARS]),
        all_findings=[
            f"{name} {finding_text(one)}{in_items.get((task.nodeid, id(one)), '')}"
            for name, one in found
        ],
        looked_at=looked_at(task.verdict),
    )


def _word(task: TaskReport, *, active: bool) -> str:
    if task.expected:
        return "xfail"
    if task.unfinished:
        return task.so_far if active and task.so_far in _UNDER_WAY else _NOT_DONE
    kind = task.reason.kind
    if kind is VerdictKind.PASS and task.state is ItemState.XPASSED:
        return "xpass"
    return {VerdictKind.FAIL: _FAIL, VerdictKind.ERROR: _ERROR}.get(kind, kind.value)


def _reason(task: TaskReport) -> tuple[str, str]:
    """Return the cause of what became of an item in a few words, and what there is to say of it."""
    if task.expected or task.state is ItemState.XPASSED:
        why = task.final.xfail if task.final else None
        return why or "", task.reason.said
    if task.unfinished and not task.undone and task.verdict is not None:
        return "", f"its agent recorded {task.kind}, and its test did not run"
    return task.reason.label, task.reason.said


def _findings(more: str) -> str:
    return f"{more} {plural(int(more), 'finding')}" if more else ""


def _words(label: str, text: str) -> str:
    return printable(": ".join(filter(None, (label.strip(), text.strip()))))


def _short_finding(finding: Finding) -> str:
    excuse = finding.facts.excuse
    parts = (
        # It stands behind what became of the item: it must not look like the reason.
        finding.severity.value if excuse is None else f"({excuse} {finding.severity})",
        finding.location[:MAX_TEXT_CHARS],
        finding.message[:MAX_TEXT_CHARS],
    )
    return printable(" ".join(filter(None, parts)))


def _item_json(task: TaskReport, name: str, found: Sequence[NamedFinding]) -> dict[str, Any]:
    verdict, trouble = task.verdict, task.trouble
    by_finding = {id(one.finding): one.name for one in found}
    return {
        "item": name,
        "nodeid": task.nodeid,
        "state": task.state.value,
        "outcome": task.final.outcome if task.final else None,
        "verdict": verdict.verdict.value if verdict else None,
        "summary": verdict.summary if verdict else None,
        "findings": [
            {**finding_json(finding), "name": by_finding[id(finding)]} for finding in task.findings
        ],
        "data": verdict.data if verdict else None,
        "checked": list(verdict.checked) if verdict else [],
        "open": list(verdict.open) if verdict else [],
        "self_test": self_test_json(task),
        "cause": trouble.cause.value if trouble else None,
        "message": trouble.message if trouble else task.final.message if task.final else None,
        "params": dict(task.spec.params),
        "resumed": task.kept_from,
        "attempts": len(task.attempts),
        "seconds": round(task.seconds, 3),
        "cost_usd": task.cost_usd,
    }


def _totals(report: RunReport, items: Sequence[_Item], run: str, *, active: bool = False) -> str:
    numbers = Counter(item.word for item in items)
    counts = listed((word.lower(), numbers[word]) for word in _TOTALS_ORDER)
    parts = [f"{len(items)}: {counts}" if items else "0 items"]
    # Of a run that is active, it is known until its last event alone.
    parts += [] if active else [seconds_text(report.seconds)]
    spent = report.spent
    if spent is not None and spent.known_cost_usd is not None:
        parts.append(spent.cost_text)
    return ", ".join([*parts, f"run {run}", *(["active"] if active else [])])


def _judge(report: RunReport, max_bytes: int | None) -> list[str]:
    """Return how the judge did in its tests, if it had any."""
    text = printable(report.judge.text)
    room = _bytes(text) if max_bytes is None else max(_JUDGE, max_bytes // 10)
    return [_bytes_cut(text, room)] if text else []


def _why_not(report: RunReport, items: Sequence[_Item]) -> list[str]:
    """Return why a run is no success, where its items' lines do not say it."""
    why = report.why_not_successful
    told = report.complete and any(item.bad for item in items) and not report.judge.blind
    if why is None or told:
        return []
    return [_bytes_cut(f"not successful: {printable(why[:MAX_TEXT_CHARS])}", _REASON)]


# The bound.


def _bounded(items: Sequence[_Item], room: int, hint: str) -> list[str]:
    """Return lines of items and one that says how to see the rest, in at most so many bytes."""
    last = f"rest: {hint}"
    most = _most_of_a_line(items, room - _size([last]))
    if all(_share(item, most) >= (_SHORTEST_BAD if item.bad else _SHORTEST) for item in items):
        return [*(item.fitted(_share(item, most)) for item in items), last]
    return _worst(items, room, hint)


def _share(item: _Item, most: int) -> int:
    return most * _WEIGHT if item.bad else most


def _most_of_a_line(items: Sequence[_Item], room: int) -> int:
    """Return the most bytes of a line of an item that need no look, so that all lines fit."""
    needs = [(_bytes(item.line), item) for item in items]
    few, many = 0, room
    while few < many:
        most = (few + many + 1) // 2
        if sum(min(need, _share(item, most)) + 1 for need, item in needs) <= room:
            few = most
        else:
            many = most - 1
    return few


def _worst(items: Sequence[_Item], room: int, hint: str) -> list[str]:
    """Return the lines of the worst items, and how many of which kind are left out."""
    ranks = {word: rank for rank, word in enumerate(_WORDS)}
    groups = _alike(sorted(items, key=lambda item: ranks[item.word]))
    left = Counter(item.word for item in items)
    bad = sum(group[0].bad for group in groups)
    most = min(max(_WORST_ROOM.start, room // max(bad, 1) - 1), _WORST_ROOM.stop)
    lines: list[str] = []
    for group in groups:
        after = left - Counter(item.word for item in group)
        line = group[0].fitted(most) if len(group) == 1 else _together(group, most)
        if _size([*lines, line, _left_out(after, hint)]) > room:
            break
        lines.append(line)
        left = after
    return [*lines, _left_out(left, hint)]


def _alike(items: Sequence[_Item]) -> list[list[_Item]]:
    """Return the items, those together that met the very same trouble."""
    groups: dict[object, list[_Item]] = {}
    for place, item in enumerate(items):
        groups.setdefault(place if item.same is None else (item.word, item.same), []).append(item)
    return list(groups.values())


def _together(items: Sequence[_Item], most: int) -> str:
    head = f"{items[0].word} {len(items)} items  "
    return (head + _bytes_cut(items[0].reason, most - len(head))).rstrip()


def _left_out(left: Counter[str], hint: str) -> str:
    counts = listed((word.lower(), left[word]) for word in _TOTALS_ORDER)
    return f"{counts} more; rest: {hint}" if counts else f"rest: {hint}"


def _size(lines: Iterable[str]) -> int:
    return sum(_bytes(line) + 1 for line in lines)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(utf8(text))


def _bytes_cut(text: str, most: int) -> str:
    """Return a printable text in at most so many bytes, with an ellipsis where its end was."""
    if _bytes(text) <= most:
        return text
    room = most - len(_CUT.encode())
    if room <= 0:
        return ""
    return utf8(text)[:room].decode("utf-8", "ignore").rstrip() + _CUT


def _middle_cut(text: str, most: int) -> str:
    """Return a printable text in at most so many bytes, with an ellipsis where its middle was."""
    if _bytes(text) <= most:
        return text
    room = max(most - len(_CUT.encode()), 0)
    encoded = utf8(text)
    start = encoded[: room // 2].decode("utf-8", "ignore")
    end = encoded[len(encoded) - (room - room // 2) :].decode("utf-8", "ignore")
    return f"{start}{_CUT}{end}"
