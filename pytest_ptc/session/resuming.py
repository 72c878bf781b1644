"""Verdicts of an earlier run that this one keeps: `--ptc-resume`.

A verdict is kept if everything that it depends on is proved to be the same: the task, its agent,
and the files that the agent could see when the attempt began, when it had ended, and now. Any other
task is run again, and the terminal says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.inputs.contents import read_list
from pytest_ptc.inputs.fingerprint import changed_parts
from pytest_ptc.inputs.trees import changes
from pytest_ptc.journal.closing import demanded, recorded_or
from pytest_ptc.journal.events import (
    AttemptAssigned,
    AttemptEnded,
    CheckKept,
    CheckSubmitted,
    ContentSeen,
    TaskSubmitted,
    VerdictKept,
    VoteKept,
    VoteSubmitted,
)
from pytest_ptc.model.errors import ConfigError, JournalError
from pytest_ptc.model.panel import Vote, decide, needed_passes
from pytest_ptc.model.result import AttemptReport, Kept
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.model.voters import vote_spec
from pytest_ptc.runs.recorded import RecordedRun
from pytest_ptc.runs.state import RefusedRun, RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from pytest_ptc.journal.attempt_reader import AttemptReader
    from pytest_ptc.model.content import Content
    from pytest_ptc.model.task import TaskSpec

#: The last run, whichever it is.
LAST = "last"
#: How many paths a reason names; more are counted.
MAX_NAMED_PATHS = 3


def run_to_resume(
    found: Sequence[RecordedRun | RefusedRun], wanted: str
) -> RecordedRun | RefusedRun | None:
    """Return the run to resume: the last one, or that whose id ends in `wanted`; None without runs.

    Where the last one is refused, that is what is returned, and no older one: it may be refused
    because somebody wants an older one to be taken.

    Args:
        found: All runs, oldest first.
        wanted: `LAST`, or the end of a run's id.

    Raises:
        ConfigError: No run or several match, it is still active, or it is refused.
    """
    if wanted == LAST:
        run = found[-1] if found else None
    else:
        matching = [run for run in found if run.run_id.endswith(wanted)]
        if len(matching) != 1:
            raise ConfigError(f"--ptc-resume: {_match_problem(matching, wanted)}")
        (run,) = matching
        if isinstance(run, RefusedRun):
            raise ConfigError(f"--ptc-resume: {run.error()}")
    if isinstance(run, RecordedRun) and run.state is RunState.RUNNING:
        raise ConfigError(
            f"--ptc-resume: run {run.run_id} is still active; wait for it, or use `ptc stop`"
        )
    return run


def _match_problem(matching: Sequence[RecordedRun | RefusedRun], wanted: str) -> str:
    if not matching:
        return f"no run has an id that ends in {wanted!r}; see `ptc list`"
    ids = ", ".join(run.run_id for run in matching)
    return f"{len(matching)} runs match {wanted!r}: {ids}; give more of the id"


# Results of the earlier run.


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """What an earlier run has of one task.

    Args:
        kept: Its verdict; None where it has none.
        parts: The hashes of what it depends on besides files.
        begun: What its agent could see when the attempt began; None if that was not recorded.
        ended: What its agent could see when it had ended; None if the run was killed before.
        agreed: Whether all tasks of that item, as by `--reruns`, had the same verdict.
    """

    kept: Kept | None
    parts: Mapping[str, str]
    begun: Content | None
    ended: Content | None
    agreed: bool = True

    @property
    def kind(self) -> VerdictKind | None:
        """Return what its verdict is, if it has one."""
        verdict = self.kept.report.verdict if self.kept is not None else None
        return verdict.verdict if verdict is not None else None


Key = tuple[str, str]


def earlier_votes(run: RecordedRun) -> dict[Key, dict[int, Earlier]]:
    """Return a run's results by item and by the number of the vote, which is 1 without a panel.

    Of several tasks of one item, as by `--reruns`, the last counts. A recorded verdict counts even
    if the run was killed before it reported it. `error` is none: the agent says that it could not
    do the task.
    """
    found: dict[Key, dict[int, Earlier]] = {}
    for key, number, earlier in _votes(run):
        before = found.setdefault(key, {}).get(number)
        same = before is None or (before.agreed and before.kind == earlier.kind)
        found[key][number] = replace(earlier, agreed=same)
    return found


def earlier_checks(run: RecordedRun) -> dict[Key, list[Earlier]]:
    """Return what the verifiers of a run said, by item, in order."""
    found: dict[Key, list[Earlier]] = {}
    tasks = _TasksOf(run)
    for event in run.events:
        match event:
            case CheckSubmitted(spec=spec):
                earlier = tasks.earlier(event.task, spec, event.fingerprint)
            case CheckKept(spec=spec):
                earlier = _kept_again(event)
            case _:
                continue
        found.setdefault((spec.source, spec.nodeid), []).append(earlier)
    return found


class _TasksOf:
    """The tasks of a run that an agent was asked, by their last attempts."""

    def __init__(self, run: RecordedRun) -> None:
        self._run = run
        self._assigned: dict[str, AttemptAssigned] = {}
        self._ended: dict[str, AttemptEnded] = {}
        self._seen: dict[str, Content] = {}
        for event in run.events:
            match event:
                case AttemptAssigned():
                    self._assigned[event.given.task_id] = event
                case AttemptEnded():
                    self._ended[event.name] = event
                case ContentSeen():
                    self._seen[event.attempt] = event.content

    def earlier(self, task_id: str, spec: TaskSpec, parts: Mapping[str, str]) -> Earlier:
        """Return what the run has of a task."""
        last = self._assigned.get(task_id)
        if last is None:
            return Earlier(kept=None, parts=parts, begun=None, ended=None)
        return Earlier(
            kept=_kept(self._run, last, spec, self._ended.get(last.attempt)),
            parts=parts,
            begun=last.content,
            ended=self._seen.get(last.attempt),
        )


def _kept_again(event: VerdictKept | VoteKept | CheckKept) -> Earlier:
    return Earlier(
        kept=Kept(run_id=event.run, report=event.report.report),
        parts=event.fingerprint,
        begun=event.content,
        ended=event.content,
    )


def _votes(run: RecordedRun) -> Iterator[tuple[Key, int, Earlier]]:
    """Yield each vote of a run, by its last attempt, in the order of the story."""
    tasks = _TasksOf(run)
    specs: dict[str, TaskSpec] = {}
    for event in run.events:
        number = 1
        match event:
            case VerdictKept(spec=spec):
                earlier = _kept_again(event)
            case VoteKept(number=number):
                spec = specs[event.item]
                earlier = _kept_again(event)
            case TaskSubmitted(spec=spec):
                specs[event.task] = spec
                earlier = tasks.earlier(event.task, spec, event.fingerprint)
            case VoteSubmitted(number=number):
                spec = specs[event.item]
                earlier = tasks.earlier(event.task, spec, event.fingerprint)
            case _:
                continue
        yield (spec.source, spec.nodeid), number, earlier


def _kept(
    run: RecordedRun, assigned: AttemptAssigned, spec: TaskSpec, ended: AttemptEnded | None
) -> Kept | None:
    """Return the verdict that an attempt's folder holds, if it is one that can be kept."""
    try:
        journal = run.attempt(assigned.attempt, spec.schema)
        report, digest = journal.filed()
        if ended is not None and ended.sha256 not in (None, digest):
            return None  # somebody has changed the report since the coordinator read it
        report = report or _from_records(journal, assigned, spec)
    except JournalError:
        return None
    verdict = report.verdict if report is not None else None
    if report is None or verdict is None or verdict.verdict is VerdictKind.ERROR:
        return None
    return Kept(run_id=run.run_id, report=report)


def _from_records(
    journal: AttemptReader, assigned: AttemptAssigned, spec: TaskSpec
) -> AttemptReport | None:
    """Return the result of an attempt without a report; None if nothing was recorded.

    The task itself is taken from the run's journal: the attempt's own folder proves nothing.
    """
    attempt = assigned.given
    nothing = Trouble(cause=Cause.WORKER_LOST, message="the run was killed")
    settled = demanded(recorded_or(nothing, journal), spec, journal)
    if not isinstance(settled, Verdict):
        return None
    return AttemptReport(attempt=attempt, seconds=0.0, verdict=settled)


# Whether a verdict is kept.


class Change(NamedTuple):
    """Why a verdict is not kept.

    Args:
        what: The reason, a few words; tasks of one reason are counted together.
        then: The hash of the list of files as it was, where files have changed.
        now: The hash of the list of files as it is.
    """

    what: str
    then: str = ""
    now: str = ""


_FILES = {
    "tree": "the tree changed",
    "named": "files that its words name changed",
    "agent": "the agent changed",
}


def why_not(earlier: Earlier, parts: Mapping[str, str], content: Content) -> Change | None:
    """Return why a verdict is not kept, or None if it is. Pure.

    Args:
        earlier: What the earlier run has of the task, a verdict among it.
        parts: The hashes of what its verdict depends on besides files.
        content: What its agent could see now.
    """
    changed = changed_parts(earlier.parts, parts)
    if changed:
        return Change(f"{_listed_parts(changed)} changed")
    if not earlier.agreed:
        return Change("that run judged it several times, with different verdicts")
    if content.problem is not None:
        return Change(content.problem)
    begun = earlier.begun
    if begun is None:
        return Change("that run did not record its files")
    if begun.problem is not None:
        return Change(f"that run could not read its files: {begun.problem}")
    # Where nothing was written since before it began, nobody need have looked at its end.
    written = begun.stat != content.stat
    return _difference(begun, content) or (_meanwhile(begun, earlier.ended) if written else None)


def without_needs(needs: Mapping[str, Sequence[str]], kept: Collection[str]) -> list[str]:
    """Return the tasks whose verdict would be kept, and that need one which is run again. Pure.

    Args:
        needs: The node ids that each task needs, by its own.
        kept: The tasks whose own verdict could be kept.
    """
    left = dict.fromkeys(kept)
    while fresh := [one for one in left if any(need not in left for need in needs[one])]:
        for nodeid in fresh:
            del left[nodeid]
    return [nodeid for nodeid in kept if nodeid not in left]


def are_decided(spec: TaskSpec, votes: Mapping[int, Kept]) -> bool:
    """Tell whether kept votes decide their item, so that nobody is asked. Pure."""
    if spec.votes == 1:
        return bool(votes)
    cast = [
        Vote(number=number, report=votes[number].report if number in votes else None)
        for number in range(1, spec.votes + 1)
    ]
    needed = needed_passes(spec.quorum, spec.votes)
    return decide([vote.state(spec.fail_on) for vote in cast], needed) is not None


def stale_tests(specs: Sequence[TaskSpec], decided: Collection[str]) -> list[str]:
    """Return the tests of the judge whose earlier verdict says nothing of this run. Pure.

    A run in which any other item is judged tests its judge anew: another day, a model with the same
    name may be another judge. Where all other verdicts are kept, so are those of its tests.

    Args:
        specs: The tasks.
        decided: Those that kept verdicts decide.
    """
    judges = any(spec.self_test is None and spec.nodeid not in decided for spec in specs)
    return [spec.nodeid for spec in specs if judges and spec.self_test is not None]


def _meanwhile(begun: Content, ended: Content | None) -> Change | None:
    """Return why it is not shown that an agent saw the same all the time, if it is not."""
    if ended is None:
        return Change("that run was killed before it could check its files")
    if ended.problem is not None:
        return Change(f"that run could not read its files at the end: {ended.problem}")
    change = _difference(begun, ended)
    if change is not None:
        return change._replace(what=f"{change.what} while it ran")
    if ended.stat != begun.stat:
        return Change("files were written while it ran, and put back")
    return None


def _difference(then: Content, now: Content) -> Change | None:
    for name, what in _FILES.items():
        before, after = getattr(then, name), getattr(now, name)
        if before != after:
            return Change(what, before, after)
    return None


def _listed_parts(changed: Sequence[str]) -> str:
    agent = [name.removeprefix("agent: ") for name in changed if name.startswith("agent: ")]
    others = [f"the {name}" for name in changed if not name.startswith("agent: ")]
    return " and ".join([*others, *([f"the agent ({', '.join(agent)})"] if agent else [])])


class Resumption:
    """One resumed run: which of its verdicts are kept, and why the others are not.

    Args:
        run: The run.
    """

    def __init__(self, run: RecordedRun) -> None:
        self._run = run
        self._votes = earlier_votes(run)
        self._checks = earlier_checks(run)
        self._kept = 0
        self._fresh: dict[str, list[str]] = {}

    def __repr__(self) -> str:
        return f"<Resumption of {self._run.run_id}>"

    def kept(
        self,
        specs: Sequence[TaskSpec],
        fingerprint: Callable[[TaskSpec], Mapping[str, str]],
        contents: Mapping[str, Content],
        entries: Callable[[str], Mapping[str, str] | None],
    ) -> dict[str, dict[int, Kept]]:
        """Return which votes are cast by a verdict of the earlier run, by node ids and numbers.

        Without a panel the number is 1. A task that needs one which is run again is run again, too.

        Args:
            specs: The tasks.
            fingerprint: Returns the hashes of what a task depends on besides files.
            contents: What each one's agent could see now.
            entries: Returns a list of files of this run by its hash.
        """
        found: dict[str, dict[int, Kept]] = {}
        reasons: dict[str, str] = {}
        for spec in specs:
            votes = self._votes.get((spec.source, spec.nodeid), {})
            for number, earlier in votes.items():
                if earlier.kept is None or number > spec.votes:
                    continue
                now = contents[spec.nodeid]
                change = why_not(earlier, fingerprint(vote_spec(spec, number)), now)
                if change is None:
                    kept = replace(earlier.kept, content=now)
                    found.setdefault(spec.nodeid, {})[number] = kept
                else:
                    reasons[spec.nodeid] = change.what + self._detail(change, entries)
        needs = {spec.nodeid: spec.needs for spec in specs}
        for nodeid in without_needs(needs, found):
            del found[nodeid]
            reasons[nodeid] = "a task that it needs is run again"
        decided = [spec.nodeid for spec in specs if are_decided(spec, found.get(spec.nodeid, {}))]
        for nodeid in stale_tests(specs, decided):
            if found.pop(nodeid, None):
                reasons[nodeid] = "the judge is tested in each run in which it judges"
        for nodeid in without_needs(needs, found):
            del found[nodeid]
            reasons[nodeid] = "a task that it needs is run again"
        self._kept += len(found)
        for nodeid, reason in reasons.items():
            self._fresh.setdefault(reason, []).append(nodeid)
        return found

    def kept_check(
        self,
        fingerprint: Callable[[TaskSpec], Mapping[str, str]],
        contents: Mapping[str, Content],
        spec: TaskSpec,
    ) -> Kept | None:
        """Return what a verifier of the earlier run said, once; None for nothing that is kept.

        Args:
            fingerprint: As for `kept`.
            contents: As for `kept`.
            spec: The verifier's task: its prompt has the finding.
        """
        now = contents[spec.nodeid]
        checks = self._checks.get((spec.source, spec.nodeid), [])
        for earlier in checks:
            if earlier.kept is not None and why_not(earlier, fingerprint(spec), now) is None:
                checks.remove(earlier)
                return replace(earlier.kept, content=now)
        return None

    def lines(self) -> list[str]:
        """Return what happened since the last call, in lines; none if every verdict was kept."""
        fresh, self._fresh = self._fresh, {}
        kept, self._kept = self._kept, 0
        if not fresh:
            return []
        total = kept + sum(map(len, fresh.values()))
        verdicts = "verdict" if total == 1 else "verdicts"
        first = f"ptc: {kept} of {total} {verdicts} of run {self._run.run_id} kept"
        if len(fresh) == 1:
            (reason,) = fresh
            return [f"{first}: {reason}"]
        reasons = sorted(fresh.items(), key=lambda pair: (-len(pair[1]), pair[0]))
        return [first, *(f"ptc:   {len(names)} not: {why}" for why, names in reasons)]

    def _detail(self, change: Change, entries: Callable[[str], Mapping[str, str] | None]) -> str:
        """Return the first paths that differ, in brackets, where that can be told."""
        then = read_list(self._run.folder, change.then) if change.then else None
        now = entries(change.now) if change.now else None
        if now is None and change.now:
            now = read_list(self._run.folder, change.now)
        if then is None or now is None:
            return ""
        found = list(changes(then, now))
        more = f", +{len(found) - MAX_NAMED_PATHS} more" if len(found) > MAX_NAMED_PATHS else ""
        return f" ({', '.join(found[:MAX_NAMED_PATHS])}{more})" if found else ""
