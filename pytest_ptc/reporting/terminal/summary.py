"""The section that closes a run, as text. Pure."""

from __future__ import annotations

import re
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.item_states import ItemState
from pytest_ptc.model.verdict import VerdictKind
from pytest_ptc.reporting.wording import (
    LONGEST,
    WORST_FIRST,
    count,
    ending,
    finding_text,
    findings_of,
    hung,
    listed,
    output_lines,
    unfinished,
    worst_first,
)
from pytest_ptc.text.printable import clip, printable, usd, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_ptc.model.result import Result
    from pytest_ptc.reporting.wording import Ending, Final

#: Narrowest layout; in a narrower terminal the lines wrap as all of pytest's do.
_NARROWEST = 20

#: More items than this that met the same trouble are told together, with so many of their names.
_ALIKE = 3

#: Findings of passing items that are named.
_PASSING = 10

_PLAIN: Mapping[str, bool] = MappingProxyType({})
_MARKUP: Mapping[VerdictKind, Mapping[str, bool]] = {
    VerdictKind.PASS: {"green": True},
    VerdictKind.FAIL: {"red": True},
    VerdictKind.SKIP: {"yellow": True},
    VerdictKind.ERROR: {"red": True},
}

# A full stop inside "e.g. this" ends no sentence: a capital or a letter without case must follow.
_SENTENCE_END = re.compile(r"[.!?](?=\s+[^\W\d_a-z])|\u3002")


class Line(NamedTuple):
    """A line, and the keywords with which pytest's terminal writer colours it."""

    text: str
    markup: Mapping[str, bool] = _PLAIN


class _Entry(NamedTuple):
    """A task, and what became of its item."""

    result: Result
    final: Final | None

    @property
    def ending(self) -> Ending:
        return ending(self.result, self.final)

    @property
    def unfinished(self) -> bool:
        return unfinished(self.result, self.final)

    @property
    def bad(self) -> bool:
        """Tell whether somebody must look at it."""
        return self.ending.kind in (VerdictKind.FAIL, VerdictKind.ERROR) and not self.unfinished

    @property
    def expected(self) -> bool:
        """Tell whether it failed as `xfail` expects: it is only counted."""
        return self.final is not None and self.final.state is ItemState.XFAILED


def summary(
    results: Sequence[Result],
    *,
    wall: float,
    journal: Path | str,
    width: int,
    verbosity: int = 0,
    finals: Mapping[str, Final] = MappingProxyType({}),
    unasked: int = 0,
    budget: float | None = None,
    problems: Sequence[str] = (),
    changed_suite: Sequence[str] = (),
    succeeded: bool = True,
) -> list[Line]:
    """Return the section that closes the run.

    Args:
        results: How every task ended.
        wall: Seconds the run took.
        journal: The run's folder, as a reader should find it.
        width: Columns that wrapped text may take.
        verbosity: Below 0, only what a model needs to act on; above 0, passing items as well.
        finals: What became of the tasks' items, by the tasks' ids.
        unasked: How many marked items are errors without a task, because their prompt broke.
        budget: US dollars that the run might cost.
        problems: What the run could not write down or tidy up, a sentence each.
        changed_suite: Files of suite, configuration and reviewer that the change brings.
        succeeded: Whether pytest's exit status says so: of what else it runs, too.
    """
    entries = [_Entry(result, finals.get(result.task_id)) for result in results]
    surprises = [entry for entry in entries if not entry.expected]
    counts = _outcomes(entries, unasked)
    if verbosity < 0:
        quiet = _quiet(entries, counts, wall, journal, budget)
        return [*quiet, *_changed_suite(changed_suite), *map(_problem, problems)]
    width = max(width, _NARROWEST)
    items = [
        line
        for alike in _alike(surprises)
        for line in (
            _item(alike[0], width, verbosity) if len(alike) == 1 else _together(alike, width)
        )
    ]
    return [
        Line(" ptc summary ".center(width, "="), {"bold": True}),
        _counts(entries, counts, unasked, succeeded=succeeded),
        *items,
        *_passing_findings(surprises, width, verbosity),
        *_unlooked(results),
        *_resumed(results),
        *_changed_suite(changed_suite),
        Line(_times(results, wall)),
        *(Line(f"cost {cost}") for cost in _cost(results, budget)),
        Line(printable(f"journal {journal}")),
        *map(_problem, problems),
    ]


def _changed_suite(paths: Sequence[str]) -> Iterator[Line]:
    if paths:
        names = ", ".join(printable(path) for path in paths)
        text = f"the change brings suite, configuration or reviewer of its own: {names}"
        yield Line(text, {"yellow": True})


def _problem(text: str) -> Line:
    return Line(printable(text), {"yellow": True})


def _quiet(
    entries: Sequence[_Entry],
    counts: str,
    wall: float,
    journal: Path | str,
    budget: float | None,
) -> list[Line]:
    """Return as little as a reader can act on: a model pays for every word of it."""
    results = [entry.result for entry in entries]
    cost = "".join(f", cost {text}" for text in _cost(results, budget))
    unlooked = sum(result.unlooked for result in results)
    blind = f", {unlooked} without a tool call" if unlooked else ""
    resumed = sum(result.resumed is not None for result in results)
    blind += f", {resumed} resumed" if resumed else ""
    lines = [f"ptc: {counts or '0 items'}{blind} in {wall:.1f} s{cost}, journal {journal}"]
    for entry, *others in _alike([entry for entry in entries if entry.bad and not entry.expected]):
        kind, cause, said = entry.ending
        findings = worst_first(findings_of(entry.result))
        parts = [clip(_first_sentence(said), 200)]
        parts += [clip(finding_text(finding), 160) for finding in findings[:1]]
        if len(findings) > 1:
            parts.append(f"+{count(len(findings) - 1, 'finding')}")
        ended = f"{kind} {cause}" if cause else kind.value
        nodeid = entry.result.spec.nodeid
        who = f"{nodeid} and {len(others)} more" if others else nodeid
        lines.append(f"{who}: {ended}: {'; '.join(filter(None, parts))}")
    return [Line(printable(line)) for line in lines]


def _alike(entries: Sequence[_Entry]) -> list[list[_Entry]]:
    """Return the entries, those together that met the very same trouble if they are several.

    Without a login no item of a suite gets anywhere: that is one thing to read, not hundreds.
    """
    groups: dict[object, list[_Entry]] = {}
    for place, entry in enumerate(entries):
        trouble = entry.result.trouble
        key = (trouble.cause, trouble.message) if trouble and not entry.unfinished else place
        groups.setdefault(key, []).append(entry)
    return [
        alike
        for group in groups.values()
        for alike in ([group] if len(group) > _ALIKE else [[one] for one in group])
    ]


def _together(entries: Sequence[_Entry], width: int) -> Iterator[Line]:
    kind, cause, said = entries[0].ending
    head = f"{kind.value.upper()} {count(len(entries), 'item')}: {cause}"
    yield Line(printable(head), _MARKUP[kind])
    for line in wrap(printable(said[:LONGEST]), width - 4, _NORMAL.said):
        yield Line(f"  | {line}")
    for entry in entries[:_ALIKE]:
        yield Line(printable(f"  {entry.result.spec.nodeid}"))
    yield Line(f"  +{len(entries) - _ALIKE} more")


def _first_sentence(text: str) -> str:
    text = printable(text[:LONGEST])
    end = _SENTENCE_END.search(text)
    return (text[: end.end()] if end else text).rstrip(".\u3002")


def _counts(entries: Sequence[_Entry], counts: str, unasked: int, *, succeeded: bool) -> Line:
    items = count(len(entries) + unasked, "item")
    text = f"{items}: {counts}".removesuffix(": ")
    if unasked or any(entry.bad for entry in entries if not entry.expected):
        return Line(text, _MARKUP[VerdictKind.FAIL])
    # Green says that everything was done.
    complete = succeeded and entries and not any(entry.unfinished for entry in entries)
    return Line(text, _MARKUP[VerdictKind.PASS if complete else VerdictKind.SKIP])


def _outcomes(entries: Sequence[_Entry], unasked: int) -> str:
    told = [entry for entry in entries if not entry.expected and not entry.unfinished]
    kinds = Counter(entry.ending.kind for entry in told)
    kinds[VerdictKind.ERROR] += unasked
    expected = sum(entry.expected for entry in entries)
    others = [("fail as expected", expected)]
    others.append(("not done", sum(entry.unfinished for entry in entries if not entry.expected)))
    return listed([*((kind, kinds[kind]) for kind in VerdictKind), *others])


class _Room(NamedTuple):
    """Most lines of what was said, most findings, and most lines of each."""

    said: int
    findings: int | None
    each: int


_NORMAL = _Room(said=5, findings=5, each=2)
_VERBOSE = _Room(said=20, findings=None, each=10)


def _item(entry: _Entry, width: int, verbosity: int) -> Iterator[Line]:
    if entry.unfinished or (not entry.bad and verbosity < 1):
        return
    room = _VERBOSE if verbosity > 0 else _NORMAL
    result = entry.result
    kind, cause, said = entry.ending
    head = f"{kind.value.upper()} {result.spec.nodeid}" + (f": {cause}" if cause else "")
    details = _details(result)
    yield Line(printable(f"{head} ({details})" if details else head), _MARKUP[kind])
    for line in wrap(printable(said[:LONGEST]), width - 4, room.said):
        yield Line(f"  | {line}")
    findings = worst_first(findings_of(result))
    shown = findings[: room.findings]
    for finding in shown:
        yield from map(Line, hung(wrap(finding_text(finding), width - 4, room.each)))
    if len(findings) > len(shown):
        yield Line(f"  +{len(findings) - len(shown)} more")
    if entry.bad:
        # Below the journal's folder, which is named once, at the end.
        yield from (Line(f"  {line}") for line in output_lines(result, ""))


def _details(result: Result) -> str:
    parts = [result.worker] if result.worker else []
    if len(result.reports) > 1:
        parts.append(count(len(result.reports), "attempt"))
    if result.reports:
        parts.append(f"{result.seconds:.1f} s")
    if result.resumed is not None:
        parts.append(f"in run {result.resumed}")
    if result.usage is not None and result.usage.cost_usd is not None:
        parts.append(usd(result.usage.cost_usd))
    if not result.spec.gate:
        parts.append("gate off")
    return ", ".join(parts)


def _passing_findings(entries: Sequence[_Entry], width: int, verbosity: int) -> Iterator[Line]:
    """Yield how many findings passing items have, and the worst of them."""
    found = [
        (finding, entry.result.spec.nodeid)
        for entry in entries
        if entry.ending.kind is VerdictKind.PASS and not entry.unfinished
        for finding in findings_of(entry.result)
    ]
    if not found:
        return
    severities = Counter(finding.severity for finding, _ in found)
    by_severity = listed((severity, severities[severity]) for severity in WORST_FIRST)
    yield Line(f"{count(len(found), 'finding')} in passing items: {by_severity}")
    if verbosity > 0:
        # They stand with their items.
        return
    found.sort(key=lambda pair: WORST_FIRST.index(pair[0].severity))
    for finding, nodeid in found[:_PASSING]:
        yield from map(Line, hung(wrap(finding_text(finding), width - 4, _NORMAL.each)))
        yield Line(printable(f"  | in {nodeid}"))
    if len(found) > _PASSING:
        yield Line(f"  +{len(found) - _PASSING} more")


def _unlooked(results: Sequence[Result]) -> list[Line]:
    """Return which passes were recorded by an agent that had used no tool: it may have guessed."""
    named = [result.spec.nodeid for result in results if result.unlooked]
    if not named:
        return []
    more = f", +{len(named) - _ALIKE} more" if len(named) > _ALIKE else ""
    text = f"{count(len(named), 'pass', 'passes')} without a tool call: {', '.join(named[:_ALIKE])}"
    return [Line(printable(f"{text}{more}"), _MARKUP[VerdictKind.SKIP])]


def _resumed(results: Sequence[Result]) -> list[Line]:
    """Return how many verdicts are those of which earlier runs."""
    runs = Counter(result.resumed for result in results if result.resumed is not None)
    return [
        Line(printable(f"{count(number, 'verdict')} of run {run} stand, unchanged: not run again"))
        for run, number in sorted(runs.items())
    ]


def _times(results: Sequence[Result], wall: float) -> str:
    results = [result for result in results if result.resumed is None]
    work = sum(result.seconds for result in results)
    retries = sum(max(len(result.reports) - 1, 0) for result in results)
    parts = [f"wall {wall:.1f} s", f"work {work:.1f} s"]
    if work and wall > 0:
        parts.append(f"speed-up {work / wall:.1f}x")
    if retries:
        parts.append(count(retries, "retry", "retries"))
    return ", ".join(parts)


def _cost(results: Sequence[Result], budget: float | None) -> list[str]:
    """Return what the run cost, if its agents account for that."""
    reports = [r for result in results if result.resumed is None for r in result.reports]
    usages = [report.usage for report in reports if report.usage is not None]
    if not usages:
        return []
    spent = sum(usage.cost_usd or 0.0 for usage in usages)
    unknown = sum(usage.cost_usd is None for usage in usages)
    text = usd(spent)
    if budget is not None:
        text += f" of {usd(budget)}" if spent <= budget else f", {usd(spent - budget)} over budget"
    read = sum(usage.tokens - usage.output_tokens for usage in usages)
    cached = sum(usage.cache_read_tokens for usage in usages)
    parts = [text, f"{_thousands(read)} tokens read ({_thousands(cached)} from cache)"]
    parts.append(f"{_thousands(sum(usage.output_tokens for usage in usages))} written")
    if unknown:
        parts.append(f"{count(unknown, 'attempt')} of unknown cost")
    return [", ".join(parts)]


def _thousands(number: int) -> str:
    return f"{number / 1000:.1f}k" if number >= 1000 else str(number)  # noqa: PLR2004
