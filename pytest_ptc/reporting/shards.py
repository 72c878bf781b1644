"""From the runs of several shards to one report, or to the reasons why there is none. Pure.

Nothing is merged that leaves a doubt: an item that nobody was to judge, two judgements of one item
that differ, jobs that were not asked the same of the same commit. The report is made of those of
the runs and is never better than the worst of them.
"""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.journal.events import ShardTaken
from pytest_ptc.model.errors import ReportError
from pytest_ptc.model.greenness import FAILED, NOT_JUDGED, PASSED
from pytest_ptc.model.shards import EVERY, Shard, ShardFacts
from pytest_ptc.model.verdict import VerdictKind
from pytest_ptc.reporting.merged import named_items
from pytest_ptc.reporting.run_report import RunReport, Session
from pytest_ptc.reporting.story import run_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_ptc.journal.events import Event
    from pytest_ptc.model.verdict import Verdict
    from pytest_ptc.reporting.task_report import TaskReport

#: Exit statuses from the best on; any other, as of a run that was interrupted, is worse.
_STATUSES = (PASSED, NOT_JUDGED, FAILED)


class ShardRun(NamedTuple):
    """A run that judged a shard."""

    report: RunReport
    taken: ShardTaken

    @property
    def run_id(self) -> str:
        return self.report.run_id

    @property
    def shard(self) -> Shard:
        return Shard(self.taken.number, self.taken.of)

    @property
    def name(self) -> str:
        """Return which it is, for messages."""
        return f"run {self.run_id} (shard {self.shard})"

    @property
    def dealt(self) -> dict[str, int]:
        """Return the shards of all items."""
        return dict(zip(self.taken.nodeids, self.taken.shards, strict=False))

    @property
    def status(self) -> int:
        """Return the exit status, which is 0 only if the run is a success."""
        status = self.report.exit_status
        if status is None or (status == PASSED and not self.report.successful):
            return FAILED
        return status

    @property
    def items(self) -> Iterator[TaskReport]:
        """Yield the tasks that stand for items."""
        return (task for task in self.report.standing if not task.is_submitted)


def merged_report(stories: Iterable[Sequence[Event]]) -> RunReport:
    """Return one report of the runs of all shards.

    Args:
        stories: The events of each run. Of several runs of one shard, the last one stands.

    Raises:
        ReportError: They cannot be merged; the message has all reasons.
    """
    runs: list[ShardRun] = []
    problems: list[str] = []
    for report, taken in _without_earlier([(run_report(one), _taken(one)) for one in stories]):
        if taken is not None:
            runs.append(ShardRun(report, taken))
        else:
            problems.append(
                f"run {report.run_id} has judged no shard, or was over before it took one: leave "
                "it out, or run it again with --ptc-shard=K/N"
            )
    runs.sort(key=lambda run: (run.shard, run.run_id))
    if not problems and not runs:
        problems = ["there is no run to merge"]
    problems = problems or _unlike(runs)
    last = {run.shard.number: run for run in runs}
    problems = problems or [*_missing(last), *_twice(runs)]
    if problems:
        raise ReportError("\n".join(problems))
    return _merged(runs, [last[number] for number in sorted(last)])


def _taken(events: Iterable[Event]) -> ShardTaken | None:
    return next((event for event in events if isinstance(event, ShardTaken)), None)


def _without_earlier(
    runs: Sequence[tuple[RunReport, ShardTaken | None]],
) -> list[tuple[RunReport, ShardTaken | None]]:
    """Return runs without those of an earlier commit or of no shard that one of them resumes.

    A job that keeps journals for `--ptc-resume` gives them all. What was judged of another commit
    counts as far as the run that resumes it has kept it.
    """
    resuming = {report.facts.resumes: report for report, _ in runs}
    left_out: set[str] = set()
    # Ids sort by time: a run that resumes another has the later one.
    for report, taken in sorted(runs, key=lambda run: run[0].run_id, reverse=True):
        later = resuming.get(report.run_id)
        if later is not None and (
            later.run_id in left_out or taken is None or later.facts.commit != report.facts.commit
        ):
            left_out.add(report.run_id)
    return [run for run in runs if run[0].run_id not in left_out]


def merged_status(report: RunReport) -> int:
    """Return the exit status of a merged report: 0, 1, or 10 where nothing failed."""
    if report.successful:
        return PASSED
    return NOT_JUDGED if report.exit_status == NOT_JUDGED else FAILED


# Whether all of it may be merged.


def _unlike(runs: Sequence[ShardRun]) -> list[str]:
    """Return in what runs differ that must not differ in anything but their shards."""
    first = runs[0]
    problems = []
    if first.report.facts.commit is None:
        problems.append(
            f"{first.name} was of no commit: nothing shows that all jobs judged the same; run them "
            "in a git repository"
        )
    for run in runs[1:]:
        for what, value in _COMPARED.items():
            one, other = value(first), value(run)
            if one != other:
                shown = f": {one} and {other}" if isinstance(one, int | str) else ""
                problems.append(f"{first.name} and {run.name} differ in {what}{shown}")
        problems += _settings_differ(first, run)
        problems += _items_differ(first, run)
    return problems


def _place_in_repository(run: ShardRun) -> str | None:
    facts = run.report.facts
    if facts.repository is None:
        return None
    return posixpath.relpath(facts.rootdir, facts.repository)


_COMPARED: Mapping[str, Callable[[ShardRun], object]] = {
    "their number of shards": lambda run: run.shard.of,
    "the commit": lambda run: run.report.facts.commit,
    "the version of pytest-ptc": lambda run: run.report.facts.pytest_ptc,
    "the version of Python": lambda run: ".".join(run.report.facts.python.split(".")[:2]),
    "the root directory's place in the repository": _place_in_repository,
    "their known findings": lambda run: run.report.known and run.report.known.entries,
    "their baseline": lambda run: run.report.baseline,
}


def _settings_differ(first: ShardRun, run: ShardRun) -> Iterator[str]:
    mine, other = first.taken.settings, run.taken.settings
    for name in sorted({*mine, *other}):
        if mine.get(name) != other.get(name):
            shown = f"{mine.get(name)!r:.80} and {other.get(name)!r:.80}"
            yield f"{first.name} and {run.name} differ in the setting ptc_{name}: {shown}"


def _items_differ(first: ShardRun, run: ShardRun) -> Iterator[str]:
    mine, other = first.dealt, run.dealt
    pair = f"{first.name} and {run.name}"
    if only := [*(mine.keys() - other.keys()), *(other.keys() - mine.keys())]:
        yield f"{pair} differ in the tests that were selected: {named_items(sorted(only))}"
    elif first.shard.of == run.shard.of and mine != other:
        moved = [name for name, shard in mine.items() if other[name] != shard]
        yield f"{pair} have dealt tests to other shards: {named_items(moved)}"


def _missing(last: Mapping[int, ShardRun]) -> Iterator[str]:
    """Yield which shards, and which items of them, nobody has judged."""
    of = next(iter(last.values())).shard.of
    if missing := [str(Shard(number, of)) for number in range(1, of + 1) if number not in last]:
        yield f"no run is of shard {named_items(missing)}: give the journals of all jobs"
    for run in last.values():
        if not run.report.ended or run.report.session is None:
            yield (
                f"{run.name} was killed, or is still active; run its job again with --ptc-resume, "
                "which keeps what it has judged"
            )
            continue
        there = {task.nodeid for task in run.items}
        ours = (EVERY, run.shard.number)
        lost = [name for name, shard in run.dealt.items() if shard in ours and name not in there]
        if lost:
            yield f"{run.name} has judged not all of its tests: {named_items(lost)}"
        alien = [name for name in there if run.dealt.get(name, EVERY) not in ours]
        if alien:
            yield f"{run.name} has judged tests of other shards: {named_items(sorted(alien))}"


def _twice(runs: Sequence[ShardRun]) -> Iterator[str]:
    """Yield the items that two runs of one shard have judged differently."""
    judged: dict[tuple[int, str], tuple[ShardRun, VerdictKind]] = {}
    for run in runs:
        for task in run.items:
            kind = task.reason.kind
            if task.verdict is None or kind is VerdictKind.ERROR:
                continue
            before, as_ = judged.setdefault((run.shard.number, task.nodeid), (run, kind))
            if as_ is not kind:
                yield (
                    f"{task.nodeid} was judged twice: {as_.value} in {before.name}, {kind.value} "
                    f"in {run.name}; --ptc-resume keeps what is judged, and runs the rest"
                )


# The report of it all.


def _merged(runs: Sequence[ShardRun], last: Sequence[ShardRun]) -> RunReport:
    first = last[0].report
    began = min(run.report.began for run in runs)
    ended = max(run.report.began + run.report.seconds for run in runs)
    tasks = [task for run in runs for task in _tasks(run, first, stands=run in last)]
    stopped = [f"shard {run.shard}: {run.report.stopped}" for run in last if run.report.stopped]
    holds = sorted(hold for run in runs for hold in run.report.holds)
    known = [run.report.known for run in last if run.report.known is not None]
    nothing = sum(run.report.session.nothing_to_judge for run in last if run.report.session)
    return RunReport(
        run_id=f"{min(run.run_id for run in runs)}+{len(runs) - 1}" if runs[1:] else first.run_id,
        began=began,
        seconds=round(ended - began, 3),
        ended=True,
        session=Session(max((run.status for run in last), key=_badness), nothing),
        stopped="; ".join(stopped) or None,
        facts=first.facts._replace(
            workers=sum(run.report.facts.workers for run in last),
            host=", ".join(sorted({run.report.facts.host for run in last})),
            arguments=_without_shard(first.facts.arguments),
            resumes=None,
        ),
        changed_suite=tuple(sorted({path for run in last for path in run.report.changed_suite})),
        known=max(known, key=lambda one: one.today, default=None),
        baseline=first.baseline,
        tasks=tuple(replace(task, number=number) for number, task in enumerate(tasks, 1)),
        collected=last[0].taken.nodeids,
        workers=tuple(
            replace(worker, name=_worker(run, worker.name, stands=run in last))
            for run in runs
            for worker in run.report.workers
        ),
        nodes=tuple(node for run in runs for node in run.report.nodes),
        holds=tuple(holds),
        shards=tuple(
            ShardFacts(
                shard=str(run.shard),
                run=run.run_id,
                exit_status=run.report.exit_status,
                why_not_successful=run.report.why_not_successful,
                stands=run in last,
            )
            for run in runs
        ),
    )


def _badness(status: int) -> tuple[int, int]:
    known = _STATUSES.index(status) if status in _STATUSES else len(_STATUSES)
    return known, status


def _tasks(run: ShardRun, first: RunReport, *, stands: bool) -> Iterator[TaskReport]:
    """Yield a run's tasks as the merged report has them; of an earlier run none stands."""
    for task in run.report.tasks:
        attempts = (
            replace(
                attempt,
                worker=_worker(run, attempt.worker, stands=stands)
                if task.kept_from is None
                else attempt.worker,
                verdict=_verdict(attempt.verdict, run.report, first),
            )
            for attempt in task.attempts
        )
        moved = replace(
            task,
            run=run.run_id,
            attempts=tuple(attempts),
            spec=replace(task.spec, cwd=_moved(task.spec.cwd, run.report, first)),
            verdict=_verdict(task.verdict, run.report, first),
        )
        # As of a test that was run again: the last run has what became of it.
        yield moved if stands else replace(moved, overtaken=True, phases=())


def _worker(run: ShardRun, name: str, *, stands: bool) -> str:
    """Return a worker's name, which no worker of another run has."""
    return f"{run.shard.number}/{name}" if stands else f"{run.shard.number}/{run.run_id}/{name}"


def _moved(path: str, run: RunReport, first: RunReport) -> str:
    """Return a path of a job's machine as it would be on that of the first job."""
    here = run.facts.repository or run.facts.rootdir
    there = first.facts.repository or first.facts.rootdir
    if here == there or not f"{path}/".startswith(f"{here.rstrip('/')}/"):
        return path
    return posixpath.normpath(posixpath.join(there, posixpath.relpath(path, here)))


def _verdict(verdict: Verdict | None, run: RunReport, first: RunReport) -> Verdict | None:
    """Return a verdict whose findings are where the first job would have found them."""
    if verdict is None:
        return None
    findings = (
        replace(one, path=_moved(one.path, run, first)) if one.path else one
        for one in verdict.findings
    )
    return replace(verdict, findings=tuple(findings))


def _without_shard(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return a job's arguments as all jobs have them."""
    option = "--ptc-shard"
    return tuple(
        word
        for before, word in zip(("", *arguments), arguments, strict=False)
        if option not in (before, word) and not word.startswith(f"{option}=")
    )
