"""What a person, a log or a model reads of a run, as text.

Pure: lines come back, nothing is written. An agent's words are untrusted twice over. They pass
through `printable`, so that they cannot drive the terminal; and no line begins with them, because
CI systems take a line that begins with `::` or `---` for a command. Node ids and paths are never
wrapped, for they are there to be copied.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model import Cause, Severity, VerdictKind, WorkerState
from pytest_ptc.text import clip, clip_left, columns, printable, usd, wrap

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from pytest_ptc.model import AttemptReport, Finding, Result, Snapshot, WorkerView

#: Columns of a worker's cell in the live block, and between two cells: two cells stand side by
#: side in 80 columns, four in 160.
_CELL, _GAP = 38, 2

#: From here on an age in seconds would be wider than its column: it is shown as a clock's time.
_TWO_DIGITS = 100

#: Narrowest layout; in a narrower terminal the lines wrap as all of pytest's do.
_NARROWEST = 20

# pytest's JUnit `message` holds whole lines of 500 characters together, and puts
# "failed on setup with" before them: the first line and the worst finding are made to fit.
_HEADLINE, _HEADLINE_FINDING = 280, 170

#: Most findings and last lines of evidence in an item's own report.
_REPORT_FINDINGS, _EVIDENCE_LINES = 20, 20

#: More items than this that met the same trouble are told together, with so many of their names.
_ALIKE = 3

#: Most characters of one text that are looked at: an agent's may be megabytes.
_LONGEST = 8000

_PLAIN: Mapping[str, bool] = MappingProxyType({})
_MARKUP: Mapping[VerdictKind, Mapping[str, bool]] = {
    VerdictKind.PASS: {"green": True},
    VerdictKind.FAIL: {"red": True},
    VerdictKind.SKIP: {"yellow": True},
    VerdictKind.ERROR: {"red": True},
}
_WORST_FIRST = tuple(reversed(Severity))

# A full stop inside "e.g. this" ends no sentence: a capital or a letter without case must follow.
_SENTENCE_END = re.compile(r"[.!?](?=\s+[^\W\d_a-z])|\u3002")


class Line(NamedTuple):
    """A line, and the keywords with which pytest's terminal writer colours it."""

    text: str
    markup: Mapping[str, bool] = _PLAIN


def header_lines(
    *,
    workers: int,
    host: str,
    agent: str,
    list_id: str,
    attach: str | None = None,
    note: str | None = None,
    budget: float | None = None,
    task_budget: float | None = None,
    resumes: str | None = None,
) -> list[str]:
    """Return what pytest's header says of the run.

    Args:
        workers: How many workers there are.
        host: The name of the host they live in.
        agent: The agent's name.
        list_id: The shared task list.
        attach: The command with which a person can watch.
        note: What went otherwise than asked, such as `NO_TMUX`.
        budget: US dollars that the run may cost.
        task_budget: US dollars that an attempt may cost.
        resumes: The earlier run whose verdicts stand for what is unchanged.
    """
    place = "child processes" if host == "process" else host
    lines = [f"ptc: {_count(workers, 'worker')} in {place}, {agent} agent, list {list_id}"]
    if attach:
        lines.append(f"ptc: watch with: {attach}")
    if note:
        lines.append(f"ptc: {note}")
    if budget is not None:
        lines.append(f"ptc: budget {usd(budget)}; {_overshoot(workers, task_budget)}")
    if resumes is not None:
        lines.append(f"ptc: resumes {resumes}")
    return [printable(line) for line in lines]


def _overshoot(workers: int, task_budget: float | None) -> str:
    """Return by how much a run may cost more than its budget."""
    if task_budget is None:
        tasks = _count(workers, "task")
        return f"{tasks} may overshoot it (ptc_task_budget_usd caps each)"
    answers = _count(workers, "answer")
    return f"{usd(task_budget)} are put aside for a task, {answers} may overshoot it"


def progress_line(snapshot: Snapshot, *, now: float, started: float) -> str:
    """Return where the run stands, as a line of a log."""
    return "ptc: " + ", ".join(_progress(snapshot, now, started))


def live_lines(
    snapshot: Snapshot, *, now: float, started: float, width: int, height: int
) -> list[str]:
    """Return where the run and every worker stand, for a terminal of this size.

    No line reaches the last column, and the lines take at most a third of the height.
    """
    usable = max(width - 1, 0)
    first = "ptc " + " | ".join(_progress(snapshot, now, started))
    if columns(first) > usable:
        # Of all of it, the retries and the cost can be missed most easily.
        less = replace(snapshot, retries=0, cost_usd=0.0)
        first = "ptc " + " | ".join(_progress(less, now, started))
    a_row = max((usable + _GAP) // (_CELL + _GAP), 1)
    rows = max(height // 3, 1) - 1
    cells = _worker_cells(snapshot.workers, now, rows * a_row)
    width_of_cell = (usable + _GAP) // a_row - _GAP
    table = [cells[start : start + a_row] for start in range(0, len(cells), a_row)]
    return [clip(first, usable), *(_row(row, width_of_cell) for row in table)]


def _progress(snapshot: Snapshot, now: float, started: float) -> list[str]:
    verdicts = _listed((kind, snapshot.verdicts.get(kind, 0)) for kind in VerdictKind)
    done = f"{snapshot.done}/{snapshot.total} done"
    parts = [
        f"{done} ({verdicts})" if verdicts else done,
        f"{snapshot.running} running",
        f"{snapshot.queued} queued",
    ]
    if snapshot.retries:
        parts.append(_count(snapshot.retries, "retry", "retries"))
    if snapshot.held and snapshot.held_until > now:
        parts.insert(1, f"{printable(snapshot.held)}, held for {_clock(snapshot.held_until - now)}")
    if snapshot.cost_usd:
        parts.append(usd(snapshot.cost_usd))
    return [*parts, _clock(now - started)]


def _worker_cells(workers: Sequence[WorkerView], now: float, room: int) -> list[tuple[str, str]]:
    """Return a head that is never cut and a name that may be, for as many as there is room."""
    shown = list(workers)
    if len(workers) > room:
        # Whoever has no room should be one that has nothing to show.
        shown.sort(key=lambda worker: worker.state is not WorkerState.BUSY)
        shown = shown[: max(room - 1, 0)]
    ages = [_age(now - worker.since) for worker in shown]
    names_wide = max((len(worker.name) for worker in shown), default=0)
    ages_wide = max(map(len, ages), default=0)
    cells = [
        (f"{worker.name:<{names_wide}} {age:>{max(ages_wide, 3)}} ", _doing(worker))
        for worker, age in zip(shown, ages, strict=True)
    ]
    hidden = len(workers) - len(shown)
    if hidden and room:
        cells.append((f"+{hidden} more {_plural(hidden, 'worker')}", ""))
    return cells


def _doing(worker: WorkerView) -> str:
    if worker.state is WorkerState.BUSY and worker.nodeid:
        return printable(_test_name(worker.nodeid))
    return worker.state.value


def _test_name(nodeid: str) -> str:
    """Return a node id without its file and classes, but with all of its parameters."""
    file, _, inside = nodeid.partition("::")
    name, bracket, params = (inside or file).partition("[")
    return name.rpartition("::")[2] + bracket + params


def _row(cells: Iterable[tuple[str, str]], width: int) -> str:
    texts = [clip(head + clip_left(name, width - len(head)), width) for head, name in cells]
    padded = [text + " " * (width - columns(text)) for text in texts]
    return (" " * _GAP).join(padded).rstrip(" ")


def summary(
    results: Sequence[Result],
    *,
    wall: float,
    journal: Path | str,
    width: int,
    verbosity: int = 0,
    expected: Collection[str] = (),
    budget: float | None = None,
    problem: str | None = None,
) -> list[Line]:
    """Return the section that closes the run.

    Args:
        results: How every task ended.
        wall: Seconds the run took.
        journal: The run's folder, as a reader should find it.
        width: Columns that wrapped text may take.
        verbosity: Below 0, only what a model needs to act on; above 0, passing items as well.
        expected: The node ids of tests whose fail was expected, by `xfail`: only counted.
        budget: US dollars that the run might cost.
        problem: Why the journal does not have the whole story, if so.
    """
    surprises = [result for result in results if result.spec.nodeid not in expected]
    if verbosity < 0:
        return _quiet(results, expected, wall, journal, budget)
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
        _counts(surprises, len(expected)),
        *items,
        *_passing_findings(results),
        *_unlooked(results),
        *_resumed(results),
        Line(_times(results, wall)),
        *(Line(f"cost {cost}") for cost in _cost(results, budget)),
        Line(printable(f"journal {journal}")),
        *([Line(f"journal incomplete: {problem}", {"yellow": True})] if problem else []),
    ]


def failure_text(result: Result, journal: Path | str) -> str:
    """Return the report of an item that its agent failed: the verdict, findings and where to look.

    The first two lines hold the verdict and the worst finding within what JUnit keeps.
    """
    if result.verdict is None:
        return trouble_text(result, journal)
    ending = _ending(result)
    lines = [
        *_headlines(f"ptc verdict: {ending.kind}", ending.said, result.verdict.findings),
        *_tried(result),
        *_output(result, journal),
    ]
    return "\n".join(lines)


def trouble_text(result: Result, journal: Path | str) -> str:
    """Return the report of an item without a verdict that counts: the cause, and what was tried."""
    ending = _ending(result)
    lines = [
        *_headlines(f"ptc error: {ending.cause}", ending.said, _findings(result)),
        *_tried(result),
        *_output(result, journal),
        *_evidence(result),
    ]
    return "\n".join(lines)


class _Ending(NamedTuple):
    """How a task ended, in the words that reports use."""

    kind: VerdictKind
    cause: str
    said: str


def _ending(result: Result) -> _Ending:
    verdict, trouble = result.verdict, result.trouble
    if verdict is not None:
        cause = "verdict error" if verdict.verdict is VerdictKind.ERROR else ""
        return _Ending(verdict.verdict, cause, verdict.summary)
    if trouble is not None:
        return _Ending(VerdictKind.ERROR, trouble.cause.value, trouble.message)
    return _Ending(VerdictKind.ERROR, "no result", "the task has neither a verdict nor a trouble")


def _unfinished(result: Result) -> bool:
    """Tell whether the run was stopped before the item could end: no news about the item."""
    return result.trouble is not None and result.trouble.cause is Cause.STOPPED


def _bad(result: Result) -> bool:
    return _ending(result).kind in (VerdictKind.FAIL, VerdictKind.ERROR) and not _unfinished(result)


def _findings(result: Result) -> tuple[Finding, ...]:
    return result.verdict.findings if result.verdict else ()


def _quiet(
    results: Sequence[Result],
    expected: Collection[str],
    wall: float,
    journal: Path | str,
    budget: float | None,
) -> list[Line]:
    """Return as little as a reader can act on: a model pays for every word of it."""
    surprises = [result for result in results if result.spec.nodeid not in expected]
    counts = _outcomes(surprises, len(expected)) or "0 items"
    cost = "".join(f", cost {text}" for text in _cost(results, budget))
    unlooked = sum(result.unlooked for result in results)
    blind = f", {unlooked} without a tool call" if unlooked else ""
    resumed = sum(result.resumed is not None for result in results)
    blind += f", {resumed} resumed" if resumed else ""
    lines = [f"ptc: {counts}{blind} in {wall:.1f} s{cost}, journal {journal}"]
    for result, *others in _alike(list(filter(_bad, surprises))):
        kind, cause, said = _ending(result)
        worst = _worst_first(_findings(result))[:1]
        parts = [clip(_first_sentence(said), 200), *(clip(_finding(one), 160) for one in worst)]
        ended = f"{kind} {cause}" if cause else kind.value
        who = f"{result.spec.nodeid} and {len(others)} more" if others else result.spec.nodeid
        lines.append(f"{who}: {ended}: {'; '.join(filter(None, parts))}")
    return [Line(printable(line)) for line in lines]


def _alike(results: Sequence[Result]) -> list[list[Result]]:
    """Return the results, those together that met the very same trouble if they are several.

    Without a login no item of a suite gets anywhere: that is one thing to read, not hundreds.
    """
    groups: dict[object, list[Result]] = {}
    for place, result in enumerate(results):
        trouble = result.trouble
        key = (trouble.cause, trouble.message) if trouble and not _unfinished(result) else place
        groups.setdefault(key, []).append(result)
    return [
        alike
        for group in groups.values()
        for alike in ([group] if len(group) > _ALIKE else [[one] for one in group])
    ]


def _together(results: Sequence[Result], width: int) -> Iterator[Line]:
    kind, cause, said = _ending(results[0])
    head = f"{kind.value.upper()} {_count(len(results), 'item')}: {cause}"
    yield Line(printable(head), _MARKUP[kind])
    for line in wrap(printable(said[:_LONGEST]), width - 4, _NORMAL.said):
        yield Line(f"  | {line}")
    for result in results[:_ALIKE]:
        yield Line(printable(f"  {result.spec.nodeid}"))
    yield Line(f"  +{len(results) - _ALIKE} more")


def _first_sentence(text: str) -> str:
    text = printable(text[:_LONGEST])
    end = _SENTENCE_END.search(text)
    return (text[: end.end()] if end else text).rstrip(".\u3002")


def _counts(results: Sequence[Result], expected: int) -> Line:
    items = _count(len(results) + expected, "item")
    text = f"{items}: {_outcomes(results, expected)}".removesuffix(": ")
    if any(map(_bad, results)):
        return Line(text, _MARKUP[VerdictKind.FAIL])
    # Green says that everything was done.
    complete = (results or expected) and not any(map(_unfinished, results))
    return Line(text, _MARKUP[VerdictKind.PASS if complete else VerdictKind.SKIP])


def _outcomes(results: Sequence[Result], expected: int) -> str:
    kinds = Counter(_ending(result).kind for result in results if not _unfinished(result))
    unfinished = sum(map(_unfinished, results))
    others = [("fail as expected", expected), ("not done", unfinished)]
    return _listed([*((kind, kinds[kind]) for kind in VerdictKind), *others])


class _Room(NamedTuple):
    """Most lines of what was said, most findings, and most lines of each."""

    said: int
    findings: int | None
    each: int


_NORMAL = _Room(said=5, findings=5, each=2)
_VERBOSE = _Room(said=20, findings=None, each=10)


def _item(result: Result, width: int, verbosity: int) -> Iterator[Line]:
    if _unfinished(result) or (not _bad(result) and verbosity < 1):
        return
    room = _VERBOSE if verbosity > 0 else _NORMAL
    kind, cause, said = _ending(result)
    head = f"{kind.value.upper()} {result.spec.nodeid}" + (f": {cause}" if cause else "")
    details = _details(result)
    yield Line(printable(f"{head} ({details})" if details else head), _MARKUP[kind])
    # A passing item has one line; why an item was skipped, failed or broke is worth more.
    if kind is not VerdictKind.PASS:
        for line in wrap(printable(said[:_LONGEST]), width - 4, room.said):
            yield Line(f"  | {line}")
    findings = _worst_first(_findings(result))
    shown = findings[: room.findings]
    for finding in shown:
        yield from _hung(wrap(_finding(finding), width - 4, room.each))
    if len(findings) > len(shown):
        yield Line(f"  +{len(findings) - len(shown)} more")
    if _bad(result):
        # Below the journal's folder, which is named once, at the end.
        yield from (Line(f"  {line}") for line in _output(result, ""))


def _hung(lines: Sequence[str]) -> Iterator[Line]:
    yield Line(f"  - {lines[0]}")
    yield from (Line(f"  | {line}") for line in lines[1:])


def _details(result: Result) -> str:
    parts = [result.worker] if result.worker else []
    if len(result.reports) > 1:
        parts.append(_count(len(result.reports), "attempt"))
    if result.reports:
        parts.append(f"{result.seconds:.1f} s")
    if result.resumed is not None:
        parts.append(f"in run {result.resumed}")
    if result.usage is not None and result.usage.cost_usd is not None:
        parts.append(usd(result.usage.cost_usd))
    if not result.spec.gate:
        parts.append("gate off")
    return ", ".join(parts)


def _passing_findings(results: Sequence[Result]) -> list[Line]:
    severities = Counter(
        finding.severity
        for result in results
        if _ending(result).kind is VerdictKind.PASS
        for finding in _findings(result)
    )
    if not severities:
        return []
    listed = _listed((severity, severities[severity]) for severity in _WORST_FIRST)
    return [Line(f"{_count(severities.total(), 'finding')} in passing items: {listed}")]


def _unlooked(results: Sequence[Result]) -> list[Line]:
    """Return which passes were recorded by an agent that had used no tool: it may have guessed."""
    named = [result.spec.nodeid for result in results if result.unlooked]
    if not named:
        return []
    more = f", +{len(named) - _ALIKE} more" if len(named) > _ALIKE else ""
    text = (
        f"{_count(len(named), 'pass', 'passes')} without a tool call: {', '.join(named[:_ALIKE])}"
    )
    return [Line(printable(f"{text}{more}"), _MARKUP[VerdictKind.SKIP])]


def _resumed(results: Sequence[Result]) -> list[Line]:
    """Return how many verdicts are those of which earlier runs."""
    runs = Counter(result.resumed for result in results if result.resumed is not None)
    return [
        Line(printable(f"{_count(number, 'verdict')} of run {run} stand, unchanged: not run again"))
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
        parts.append(_count(retries, "retry", "retries"))
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
        parts.append(f"{_count(unknown, 'attempt')} of unknown cost")
    return [", ".join(parts)]


def _thousands(number: int) -> str:
    return f"{number / 1000:.1f}k" if number >= 1000 else str(number)  # noqa: PLR2004


def _headlines(label: str, said: str, findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the verdict and the worst finding, cut to fit JUnit's message, then all in full."""
    said = printable(said[:_LONGEST])
    listed = [_finding(finding) for finding in _worst_first(findings)[:_REPORT_FINDINGS]]
    headline = f"{label} - {said}" if said else label
    yield _cut(headline, _HEADLINE)
    yield from (f"  - {_cut(text, _HEADLINE_FINDING)}" for text in listed[:1])
    if len(headline) > _HEADLINE:
        yield from (f"  | {line}" for line in wrap(said, 96, 50))
    for place, text in enumerate(listed):
        if place or len(text) > _HEADLINE_FINDING:
            yield from (line.text for line in _hung(wrap(text, 96, 20)))
    if len(findings) > len(listed):
        yield f"  +{len(findings) - len(listed)} more"


def _tried(result: Result) -> Iterator[str]:
    if not result.reports:
        yield "no attempt was made"
    said = _ending(result).said
    for report in result.reports:
        attempt = report.attempt
        what = f"attempt {attempt.number} on {attempt.worker}, {report.seconds:.1f} s"
        if result.resumed is not None:
            what += f", in run {result.resumed}"
        yield printable(f"{what}: {_how(report, said)}")


def _how(report: AttemptReport, said: str) -> str:
    if report.trouble is None:
        return f"verdict {report.verdict.verdict}" if report.verdict else "no result"
    # The message of the last attempt is the headline already.
    if report.trouble.message == said:
        return report.trouble.cause.value
    return f"{report.trouble.cause} - {_cut(printable(report.trouble.message[:_LONGEST]), 400)}"


def _output(result: Result, journal: Path | str) -> list[str]:
    if not result.reports:
        return []
    last = result.reports[-1]
    run = Path(journal)
    if result.resumed is not None:
        # Journals stand side by side; in the summary, where ours is named once, the other is too.
        run = run.with_name(result.resumed) if run.name else Path("..", result.resumed)
    folder = run / "attempts" / last.attempt.name
    if "transcript" in last.about:
        return [printable(f"transcript in {folder / str(last.about['transcript'])}")]
    return [printable(f"output in {folder}")]


def _evidence(result: Result) -> list[str]:
    troubles = [result.trouble, *(report.trouble for report in reversed(result.reports))]
    seen = next((trouble.evidence for trouble in troubles if trouble and trouble.evidence), "")
    # A bare carriage return is a progress bar drawn anew.
    lines = [line for line in re.split(r"[\r\n]+", seen[-_LONGEST:]) if line.strip()]
    if not lines:
        return []
    return [
        "last lines:",
        *(f"  | {_cut(printable(line), 200)}" for line in lines[-_EVIDENCE_LINES:]),
    ]


def _worst_first(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: _WORST_FIRST.index(finding.severity))


def _finding(finding: Finding) -> str:
    place = " ".join(filter(None, (finding.severity, finding.location, finding.rule)))
    return printable(f"{place[:_LONGEST]}: {finding.message[:_LONGEST]}")


def _cut(text: str, most: int) -> str:
    """Cut by characters, as JUnit's limit counts."""
    return text if len(text) <= most else text[: most - 3] + "..."


def _listed(counts: Iterable[tuple[object, int]]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts if count)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {_plural(number, one, many)}"


def _plural(number: int, one: str, many: str = "") -> str:
    return one if number == 1 else many or f"{one}s"


def _clock(seconds: float) -> str:
    minutes, second = divmod(max(int(seconds), 0), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _age(seconds: float) -> str:
    return f"{max(int(seconds), 0)}s" if seconds < _TWO_DIGITS else _clock(seconds)
