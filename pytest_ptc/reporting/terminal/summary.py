"""The section that closes a run, as text. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.verdict import VerdictKind
from pytest_ptc.reporting.attempts import Spent
from pytest_ptc.reporting.merged import named_items
from pytest_ptc.reporting.task_report import WORST_FIRST, worst_first, worst_tasks_first
from pytest_ptc.reporting.wording import (
    MAX_TEXT_CHARS,
    count,
    finding_text,
    first_sentence,
    grouped,
    hung,
    listed,
    looked_at,
    output_lines,
    thousands,
)
from pytest_ptc.reporting.worker_names import at_node
from pytest_ptc.text.printable import clip, printable, usd, wrap

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_ptc.model.self_test import JudgeReport
    from pytest_ptc.reporting.list_lines import ListLine
    from pytest_ptc.reporting.merged import MergedFinding
    from pytest_ptc.reporting.task_report import TaskReport

#: Narrowest layout; in a narrower terminal the lines wrap as all of pytest's do.
_NARROWEST = 20

#: More items than this that met the same trouble are told together, with so many of their names.
ALIKE = 3

#: Most items that did not pass and are told in full, here and in pytest's own sections together.
MAX_ITEMS = 100

#: Findings of passing items that are named, and findings that several items name.
_PASSING, _SEVERAL = 10, 5

_PLAIN: Mapping[str, bool] = MappingProxyType({})
_MARKUP: Mapping[VerdictKind, Mapping[str, bool]] = {
    VerdictKind.PASS: {"green": True},
    VerdictKind.FAIL: {"red": True},
    VerdictKind.SKIP: {"yellow": True},
    VerdictKind.ERROR: {"red": True},
}


class Line(NamedTuple):
    """A line, and the keywords with which pytest's terminal writer colours it."""

    text: str
    markup: Mapping[str, bool] = _PLAIN


def summary(
    tasks: Sequence[TaskReport],
    *,
    wall: float,
    journal: Path | str,
    width: int,
    verbosity: int = 0,
    unasked: int = 0,
    budget: float | None = None,
    problems: Sequence[str] = (),
    changed_suite: Sequence[str] = (),
    lists: Sequence[ListLine] = (),
    succeeded: bool = True,
    shown: Collection[str] = (),
    judge: JudgeReport | None = None,
    merged: Sequence[MergedFinding] = (),
    flaky: Sequence[str] = (),
) -> list[Line]:
    """Return the section that closes the run.

    Args:
        tasks: The tasks, in the order in which they ended.
        wall: Seconds the run took.
        journal: The run's folder, as a reader should find it.
        width: Columns that wrapped text may take.
        verbosity: Below 0, only what a model needs to act on; above 0, passing items as well.
        unasked: How many marked items are errors without a task, because their prompt broke.
        budget: US dollars that the run might cost.
        problems: What the run could not write down or tidy up, a sentence each.
        changed_suite: Files of suite, configuration and reviewer that the change brings.
        lists: What the lists come to by which findings are excused.
        succeeded: Whether pytest's exit status says so: of what else it runs, too.
        shown: The node ids of items of which pytest shows how they failed.
        judge: How the judge did in its tests.
        merged: The run's findings, each once, where several items may name one.
        flaky: A line for each item that an earlier run judged otherwise on the same input.
    """
    surprises = [task for task in tasks if not task.expected]
    counts = _outcomes(tasks, unasked)
    if verbosity < 0:
        quiet = _quiet(tasks, counts, wall, journal, budget, shown=shown)
        more = [
            *judge_lines(judge),
            *flaky_items(flaky),
            *lines_of_lists(lists),
            *suite_of_change(changed_suite),
        ]
        return [*quiet, *more, *map(_problem, problems)]
    width = max(width, _NARROWEST)
    told, left_out = _told(surprises, shown, MAX_ITEMS if verbosity < 1 else len(tasks))
    items = [
        line
        for alike in told
        for line in (
            _item(alike[0], width, verbosity) if len(alike) == 1 else _together(alike, width)
        )
    ]
    return [
        Line(" ptc summary ".center(width, "="), {"bold": True}),
        _counts(tasks, counts, unasked, succeeded=succeeded),
        *items,
        *_more_items(left_out),
        *passing_findings(surprises, width, verbosity, merged),
        *findings_of_several(merged, width),
        *judge_lines(judge),
        *without_evidence(tasks),
        *flaky_items(flaky),
        *_kept(tasks),
        *lines_of_lists(lists),
        *suite_of_change(changed_suite),
        Line(_times(tasks, wall)),
        *(Line(f"cost {cost}") for cost in _cost(tasks, budget)),
        Line(printable(f"journal {journal}")),
        *map(_problem, problems),
    ]


def judge_lines(judge: JudgeReport | None) -> Iterator[Line]:
    """Yield how the judge did in its tests, if it had any."""
    if judge is not None and judge.text:
        wrong = judge.canaries.bad or judge.controls.bad
        kind = VerdictKind.FAIL if judge.blind else VerdictKind.SKIP if wrong else VerdictKind.PASS
        yield Line(printable(judge.text), _MARKUP[kind])


def suite_of_change(paths: Sequence[str]) -> Iterator[Line]:
    """Yield which files of its own judge the change under review brings."""
    if paths:
        names = ", ".join(printable(path) for path in paths)
        text = f"the change brings suite, configuration or reviewer of its own: {names}"
        yield Line(text, {"yellow": True})


def lines_of_lists(lines: Sequence[ListLine]) -> Iterator[Line]:
    """Yield what the lists come to by which findings are excused."""
    for text, warns in lines:
        yield Line(text, {"yellow": True} if warns else _PLAIN)


def _problem(text: str) -> Line:
    return Line(printable(text), {"yellow": True})


def _quiet(
    tasks: Sequence[TaskReport],
    counts: str,
    wall: float,
    journal: Path | str,
    budget: float | None,
    *,
    shown: Collection[str],
) -> list[Line]:
    """Return as little as a reader can act on: a model pays for every word of it."""
    cost = "".join(f", cost {text}" for text in _cost(tasks, budget))
    others = listed(
        [
            ("without a tool call", sum(task.without_evidence for task in tasks)),
            ("resumed", sum(task.kept_from is not None for task in tasks)),
        ]
    )
    totals = ", ".join(filter(None, (counts or "0 items", others)))
    lines = [f"ptc: {totals} in {wall:.1f} s{cost}, journal {journal}"]
    bad = [task for task in tasks if task.bad and not task.expected]
    told, left_out = _told(bad, shown, MAX_ITEMS)
    for task, *alike in told:
        kind, label, explanation = task.reason
        findings = worst_first(task.findings)
        parts = [clip(first_sentence(explanation), 200)]
        parts += [clip(finding_text(finding), 160) for finding in findings[:1]]
        if len(findings) > 1:
            parts.append(f"+{count(len(findings) - 1, 'finding')}")
        ended = f"{kind} {label}" if label else kind.value
        who = f"{task.nodeid} and {len(alike)} more" if alike else task.nodeid
        lines.append(f"{who}: {ended}: {'; '.join(filter(None, parts))}")
    return [*(Line(printable(line)) for line in lines), *_more_items(left_out)]


def _told(
    tasks: Sequence[TaskReport], shown: Collection[str], most: int
) -> tuple[list[list[TaskReport]], int]:
    """Return the items to tell of, those together that are alike, and how many bad ones are not.

    Of more than there is room for, the worst are told, in their order.
    """
    groups = _alike([task for task in tasks if task.nodeid not in shown])
    bad = [group for group in groups if group[0].bad and not group[0].unfinished]
    worst = {
        id(task)
        for task in worst_tasks_first(group[0] for group in bad)[: max(0, most - len(shown))]
    }
    left_out = [group for group in bad if id(group[0]) not in worst]
    out = {id(group) for group in left_out}
    return [group for group in groups if id(group) not in out], sum(map(len, left_out))


def _more_items(left_out: int) -> Iterator[Line]:
    if left_out:
        text = f"+{grouped(left_out)} more did not pass; `ptc results --all` has a line for each"
        yield Line(text, _MARKUP[VerdictKind.FAIL])


def _alike(tasks: Sequence[TaskReport]) -> list[list[TaskReport]]:
    """Return the tasks, those together that met the very same trouble if they are several.

    Without a login no item of a suite gets anywhere: that is one thing to read, not hundreds.
    """
    groups: dict[object, list[TaskReport]] = {}
    for place, task in enumerate(tasks):
        trouble = task.trouble
        key = (trouble.cause, trouble.message) if trouble and not task.unfinished else place
        groups.setdefault(key, []).append(task)
    return [
        alike
        for group in groups.values()
        for alike in ([group] if len(group) > ALIKE else [[one] for one in group])
    ]


def _together(tasks: Sequence[TaskReport], width: int) -> Iterator[Line]:
    kind, label, explanation = tasks[0].reason
    head = f"{kind.value.upper()} {count(len(tasks), 'item')}: {label}"
    yield Line(printable(head), _MARKUP[kind])
    for line in wrap(printable(explanation[:MAX_TEXT_CHARS]), width - 4, _NORMAL.explanation):
        yield Line(f"  | {line}")
    for task in tasks[:ALIKE]:
        yield Line(printable(f"  {task.nodeid}"))
    yield Line(f"  +{len(tasks) - ALIKE} more")


def _counts(tasks: Sequence[TaskReport], counts: str, unasked: int, *, succeeded: bool) -> Line:
    items = count(len(tasks) + unasked, "item")
    text = f"{items}: {counts}".removesuffix(": ")
    if unasked or any(task.bad for task in tasks if not task.expected):
        return Line(text, _MARKUP[VerdictKind.FAIL])
    # Green says that everything was done.
    complete = succeeded and tasks and not any(task.unfinished for task in tasks)
    return Line(text, _MARKUP[VerdictKind.PASS if complete else VerdictKind.SKIP])


def _outcomes(tasks: Sequence[TaskReport], unasked: int) -> str:
    surprises = [task for task in tasks if not task.expected]
    kinds = Counter(task.reason.kind for task in surprises if not task.unfinished)
    kinds[VerdictKind.ERROR] += unasked
    others = [("fail as expected", len(tasks) - len(surprises))]
    others.append(("not done", sum(task.unfinished for task in surprises)))
    return listed([*((kind, kinds[kind]) for kind in VerdictKind), *others])


class _Room(NamedTuple):
    """Most lines of an explanation, most findings, and most lines of each."""

    explanation: int
    findings: int | None
    each: int


_NORMAL = _Room(explanation=5, findings=5, each=2)
_VERBOSE = _Room(explanation=20, findings=None, each=10)


def _item(task: TaskReport, width: int, verbosity: int) -> Iterator[Line]:
    if task.unfinished or (not task.bad and verbosity < 1):
        return
    room = _VERBOSE if verbosity > 0 else _NORMAL
    kind, label, explanation = task.reason
    head = f"{kind.value.upper()} {task.nodeid}" + (f": {label}" if label else "")
    details = _details(task)
    yield Line(printable(f"{head} ({details})" if details else head), _MARKUP[kind])
    for line in wrap(printable(explanation[:MAX_TEXT_CHARS]), width - 4, room.explanation):
        yield Line(f"  | {line}")
    findings = worst_first(task.findings)
    shown = findings[: room.findings]
    for finding in shown:
        yield from map(Line, hung(wrap(finding_text(finding), width - 4, room.each)))
    if len(findings) > len(shown):
        yield Line(f"  +{len(findings) - len(shown)} more")
    if verbosity > 0:
        for text in looked_at(task.verdict):
            yield from (Line(f"  | {line}") for line in wrap(text, width - 4, room.each))
    if task.bad:
        # Below the journal's folder, which is named once, at the end.
        yield from (Line(f"  {line}") for line in output_lines(task, ""))


def _details(task: TaskReport) -> str:
    attempts = task.attempts
    parts = [at_node(attempts[-1].worker, attempts[-1].node)] if attempts else []
    if len(attempts) > 1:
        parts.append(count(len(attempts), "attempt"))
    if attempts:
        parts.append(f"{task.seconds:.1f} s")
    if task.kept_from is not None:
        parts.append(f"in run {task.kept_from}")
    spent = task.spent
    if spent is not None and spent.known_cost_usd is not None:
        parts.append(spent.cost_text)
    if not task.spec.gate:
        parts.append("gate off")
    return ", ".join(parts)


def passing_findings(
    tasks: Sequence[TaskReport],
    width: int,
    verbosity: int,
    merged: Sequence[MergedFinding] = (),
) -> Iterator[Line]:
    """Yield how many findings passing items have, and the worst of them.

    Those that other items name, too, stand elsewhere: see `findings_of_several`.
    """
    others = {
        (one.task.nodeid, one.number)
        for several in merged
        if len(several.members) > 1
        for one in several.members
    }
    found = [
        (finding, task.nodeid)
        for task in tasks
        # Findings of a planted defect are what its test is about.
        if task.reason.kind is VerdictKind.PASS and not task.unfinished and not task.tests_judge
        for number, finding in enumerate(task.findings)
        if (task.nodeid, number) not in others
    ]
    if not found:
        return
    severities = Counter(one.severity for one, _ in found if one.facts.excuse is None)
    excuses = Counter(one.facts.excuse for one, _ in found if one.facts.excuse is not None)
    numbers = [(severity, severities[severity]) for severity in WORST_FIRST]
    by_kind = listed([*numbers, *excuses.items()])
    yield Line(f"{count(len(found), 'finding')} in passing items: {by_kind}")
    if verbosity > 0:
        # They stand with their items.
        return
    found.sort(
        key=lambda pair: (pair[0].facts.excuse is not None, WORST_FIRST.index(pair[0].severity))
    )
    for finding, nodeid in found[:_PASSING]:
        yield from map(Line, hung(wrap(finding_text(finding), width - 4, _NORMAL.each)))
        yield Line(printable(f"  | in {nodeid}"))
    if len(found) > _PASSING:
        yield Line(f"  +{len(found) - _PASSING} more")


def findings_of_several(
    merged: Sequence[MergedFinding], width: int, most: int = _SEVERAL
) -> Iterator[Line]:
    """Yield the findings that several items name, each once, the worst first."""
    several = [one for one in merged if len(one.members) > 1]
    if not several:
        return
    several.sort(key=lambda one: (one.excuse is not None, WORST_FIRST.index(one.severity)))
    yield Line(f"{count(len(several), 'finding')} of several items:")
    for one in several[:most]:
        # With the place that most items name.
        place = one.place.finding
        text = finding_text(replace(one.speaker.finding, path=place.path, line=place.line))
        yield from map(Line, hung(wrap(text, width - 4, _NORMAL.each)))
        yield Line(printable(f"  | {one.in_items}: {named_items(one.nodeids)}"))
    if len(several) > most:
        yield Line(f"  +{len(several) - most} more")


def without_evidence(tasks: Sequence[TaskReport]) -> list[Line]:
    """Return which passes were recorded by an agent that had used no tool: it may have guessed."""
    named = [task.nodeid for task in tasks if task.without_evidence]
    if not named:
        return []
    more = f", +{len(named) - ALIKE} more" if len(named) > ALIKE else ""
    text = f"{count(len(named), 'pass', 'passes')} without a tool call: {', '.join(named[:ALIKE])}"
    return [Line(printable(f"{text}{more}"), _MARKUP[VerdictKind.SKIP])]


def flaky_items(lines: Sequence[str]) -> Iterator[Line]:
    """Yield which items an earlier run judged otherwise on the same input."""
    for line in lines[:ALIKE]:
        yield Line(f"flaky {line}", _MARKUP[VerdictKind.SKIP])
    if len(lines) > ALIKE:
        yield Line(f"+{len(lines) - ALIKE} more flaky items; see `ptc stats`")


def _kept(tasks: Sequence[TaskReport]) -> list[Line]:
    """Return how many verdicts are those of which earlier runs."""
    runs = Counter(task.kept_from for task in tasks if task.kept_from is not None)
    return [
        Line(printable(f"{count(number, 'verdict')} of run {run} kept, unchanged: not run again"))
        for run, number in sorted(runs.items())
    ]


def _times(tasks: Sequence[TaskReport], wall: float) -> str:
    own = [task for task in tasks if task.kept_from is None]
    work = sum(task.seconds for task in own)
    retries = sum(attempt.number > 1 for task in own for attempt in task.attempts)
    parts = [f"wall {wall:.1f} s", f"work {work:.1f} s"]
    if work and wall > 0:
        parts.append(f"speed-up {work / wall:.1f}x")
    if retries:
        parts.append(count(retries, "retry", "retries"))
    return ", ".join(parts)


def _cost(tasks: Sequence[TaskReport], budget: float | None) -> list[str]:
    """Return what the run cost, if its agents account for that."""
    spent = Spent.of(one for task in tasks if task.kept_from is None for one in task.attempts)
    if spent is None:
        return []
    cost, usage = spent.cost_usd, spent.usage
    text = spent.cost_text
    if budget is not None:
        text += f" of {usd(budget)}" if cost <= budget else f", {usd(cost - budget)} over budget"
    cached = thousands(usage.cache_read_tokens)
    parts = [text, f"{thousands(spent.tokens_read)} tokens read ({cached} from cache)"]
    parts.append(f"{thousands(usage.output_tokens)} written")
    if spent.unknown and spent.known_cost_usd is not None:
        parts.append(f"{count(spent.unknown, 'attempt')} of unknown cost")
    return [", ".join(parts)]
