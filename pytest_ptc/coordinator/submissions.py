"""The tasks that pytest's thread submits, with a future for each.

The submitting thread publishes a task on the shared list and writes it to the journal; the loop
takes it in and sets its future. Whichever thread finds that the loop has ended sets the futures
that are left, so that every future gets a result.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import Future
from dataclasses import replace
from itertools import count
from queue import Empty, SimpleQueue
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.coordinator.item_tasks import Ballot, NewCheck
from pytest_ptc.interfaces.tasklist import NewTask
from pytest_ptc.journal.events import (
    CheckKept,
    CheckSubmitted,
    ItemDecided,
    KeptReport,
    TaskGivenUp,
    TaskSubmitted,
    VerdictKept,
    VoteKept,
    VoteSubmitted,
)
from pytest_ptc.model.result import Kept, Result
from pytest_ptc.model.trouble import Trouble
from pytest_ptc.model.verdict import Verdict
from pytest_ptc.model.voters import vote_spec
from pytest_ptc.model.weighing import no_excuse, weighed_report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_ptc.interfaces.tasklist import TaskList
    from pytest_ptc.journal.event import Event
    from pytest_ptc.journal.run_journal import Journal
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.weighing import ExcuseOf

#: Longest description put on the shared list, in characters: the whole prompt is in the journal,
#: and every session that reads the list pays for its tokens.
MAX_DESCRIPTION_CHARS = 16_000


def _nothing_depends(_: TaskSpec) -> Mapping[str, str]:
    return {}


def _nothing_kept(_: TaskSpec) -> Kept | None:
    return None


class Memory(NamedTuple):
    """What earlier runs have to do with this one's tasks.

    Args:
        fingerprint: Returns the parts that a task's verdict depends on.
        votes: Verdicts of an earlier run, by node id and by the number of the vote.
        check: Returns what a verifier of an earlier run said in the place of one; None for nothing.
    """

    fingerprint: Callable[[TaskSpec], Mapping[str, str]] = _nothing_depends
    votes: Mapping[str, Mapping[int, Kept]] = MappingProxyType({})
    check: Callable[[TaskSpec], Kept | None] = _nothing_kept


NO_MEMORY = Memory()


class Submission(NamedTuple):
    """A task on its way to the board, and the future that is its answer.

    Args:
        task_id: Its id: that of its first vote's task.
        spec: What is asked.
        future: Takes its result; never an exception.
        ballots: Its votes; one without a panel.
        memory: What is known of it from earlier runs.
    """

    task_id: str
    spec: TaskSpec
    future: Future[Result]
    ballots: tuple[Ballot, ...]
    memory: Memory


class Submissions:
    """All tasks of a run, from their submission to their answer.

    Args:
        task_list: The shared list, open.
        journal: The run's journal.
        excuse_of: What excuses findings of kept verdicts: today's list of known ones.
    """

    def __init__(
        self, task_list: TaskList, journal: Journal, excuse_of: ExcuseOf = no_excuse
    ) -> None:
        self._list = task_list
        self._journal = journal
        self._excuse_of = excuse_of
        self._inbox: SimpleQueue[Sequence[Submission]] = SimpleQueue()
        self._kept_numbers = count(1)
        self._open: dict[str, Submission] = {}
        self._ids: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Submissions {len(self._open)} open of {len(self._ids)}>"

    # What the submitting thread calls.

    def publish(
        self,
        specs: Sequence[TaskSpec],
        memory: Memory,
    ) -> list[Submission]:
        """Put tasks on the shared list and into the journal.

        Args:
            specs: The tasks.
            memory: What is known of them from earlier runs: a vote that is kept is on no list.

        Raises:
            TaskListError: They cannot be published.
        """
        for spec in specs:
            self._journal.redactor.learn(spec.env)
        votes = [
            (
                spec,
                [
                    self._weighed(memory.votes.get(spec.nodeid, {}).get(n), spec)
                    for n in _numbers(spec)
                ],
            )
            for spec in specs
        ]
        fresh = [
            self._announcement(spec, number if spec.votes > 1 else None)
            for spec, olds in votes
            for number, old in enumerate(olds, 1)
            if old is None
        ]
        published = iter(self._list.publish(fresh))
        submissions = []
        for spec, olds in votes:
            ballots = tuple(
                # No id of this list's, and one of its own, also for tests that are there twice.
                Ballot(n, next(published) if old is None else self._kept_id(), old)
                for n, old in enumerate(olds, 1)
            )
            submission = Submission(ballots[0].task_id, spec, Future(), ballots, memory)
            submission.future.set_running_or_notify_cancel()
            self._write(submission)
            submissions.append(submission)
        return submissions

    def publish_checks(
        self, item_id: str, wanted: Sequence[tuple[int, TaskSpec]]
    ) -> list[NewCheck]:
        """Put the tasks of an item's verifiers on the shared list and into the journal.

        What a verifier of an earlier run said is kept.

        Args:
            item_id: The item.
            wanted: Their tasks, each with the index of its finding.

        Raises:
            TaskListError: They cannot be published.
        """
        open_item = self._open.get(item_id)
        memory = open_item.memory if open_item is not None else NO_MEMORY
        kept = [memory.check(spec) for _, spec in wanted]
        news = [
            self._announcement(spec, None, check=True)
            for (_, spec), old in zip(wanted, kept, strict=True)
            if old is None
        ]
        published = iter(self._list.publish(news) if news else [])
        checks = [
            NewCheck(finding, next(published) if old is None else self._kept_id(), spec, old)
            for (finding, spec), old in zip(wanted, kept, strict=True)
        ]
        for check in checks:
            self._journal.append(_check_event(item_id, check, dict(memory.fingerprint(check.spec))))
        return checks

    def _kept_id(self) -> str:
        return f"kept {next(self._kept_numbers)}"

    def _weighed(self, kept: Kept | None, spec: TaskSpec) -> Kept | None:
        if kept is None:
            return None
        return replace(kept, report=weighed_report(kept.report, spec, self._excuse_of))

    def hand_in(self, submissions: Sequence[Submission]) -> None:
        """Put tasks into the inbox; then call the loop, or `abandon` if it has ended."""
        self._inbox.put(submissions)

    # What the loop calls.

    def take_in(self) -> list[Submission]:
        """Return what was handed in since the last call, a task after those that it needs."""
        new = self._drain_inbox()
        self._open.update((submission.task_id, submission) for submission in new)
        self._ids.update((submission.spec.nodeid, submission.task_id) for submission in new)
        return _needs_first(new)

    def needs_of(self, spec: TaskSpec) -> tuple[list[str], list[str]]:
        """Return the ids of the tasks that a task needs, and the node ids of those not run."""
        known = [self._ids[need] for need in spec.needs if need in self._ids]
        return known, [need for need in spec.needs if need not in self._ids]

    def answer(self, result: Result) -> None:
        """Set the future of a result's task."""
        submission = self._open.pop(result.task_id)
        if (trouble := result.trouble_outside) is not None:
            self._journal.append(TaskGivenUp(task=result.task_id, trouble=trouble))
        elif result.outcome is not None:
            self._journal.append(_decided(result, result.outcome))
        submission.future.set_result(result)

    def abandon(self, trouble: Trouble) -> None:
        """Give up all that is left, when the loop has ended; called by any thread."""
        left = self._drain_inbox()
        with contextlib.suppress(KeyError):
            while True:  # safe from several threads: each pops another one
                left.append(self._open.popitem()[1])
        for one in left:
            self._journal.append(TaskGivenUp(task=one.task_id, trouble=trouble))
            result = Result(task_id=one.task_id, spec=one.spec, trouble_outside=trouble)
            one.future.set_result(result)

    def _drain_inbox(self) -> list[Submission]:
        """Empty the inbox and return what was in it; safe from several threads."""
        submissions: list[Submission] = []
        with contextlib.suppress(Empty):
            while True:
                submissions += self._inbox.get_nowait()
        return submissions

    def _announcement(self, spec: TaskSpec, vote: int | None, *, check: bool = False) -> NewTask:
        redactor = self._journal.redactor
        description = redactor.head(spec.prompt, MAX_DESCRIPTION_CHARS + 1)
        if len(description) > MAX_DESCRIPTION_CHARS:
            description = (
                f"{description[:MAX_DESCRIPTION_CHARS]}\n[cut; the whole is in the journal]"
            )
        nodeid = redactor.text(spec.for_agent.nodeid)
        part = f" (vote {vote} of {spec.votes})" if vote is not None else ""
        return NewTask(
            subject=f"{nodeid}{' (verification)' if check else part}",
            description=description,
            metadata={"nodeid": nodeid},
        )

    def _write(self, submission: Submission) -> None:
        """Put down an item and its votes, and the verdicts that are kept, for `--ptc-resume`."""
        item_id, spec, _, (first, *others), (fingerprint, _, _) = submission
        own = dict(fingerprint(vote_spec(spec, 1)))
        if first.kept is None or others:
            self._journal.append(TaskSubmitted(task=item_id, spec=spec, fingerprint=own))
        else:
            self._journal.append(
                VerdictKept(
                    task=item_id,
                    nodeid=spec.nodeid,
                    spec=spec,
                    fingerprint=own,
                    content=first.kept.content,
                    run=first.kept.run_id,
                    report=KeptReport.of(first.kept.report),
                )
            )
        if not others:
            return
        for number, task_id, kept in submission.ballots:
            parts = own if number == 1 else dict(fingerprint(vote_spec(spec, number)))
            if kept is not None:
                event: Event = VoteKept(
                    task=task_id,
                    item=item_id,
                    number=number,
                    fingerprint=parts,
                    content=kept.content,
                    run=kept.run_id,
                    report=KeptReport.of(kept.report),
                )
            elif number > 1:
                event = VoteSubmitted(task=task_id, item=item_id, number=number, fingerprint=parts)
            else:
                continue
            self._journal.append(event)


def _check_event(item_id: str, check: NewCheck, fingerprint: dict[str, str]) -> Event:
    if check.kept is None:
        return CheckSubmitted(
            task=check.task_id,
            item=item_id,
            finding=check.finding,
            spec=check.spec,
            fingerprint=fingerprint,
        )
    return CheckKept(
        task=check.task_id,
        item=item_id,
        finding=check.finding,
        spec=check.spec,
        fingerprint=fingerprint,
        content=check.kept.content,
        run=check.kept.run_id,
        report=KeptReport.of(check.kept.report),
    )


def _numbers(spec: TaskSpec) -> range:
    return range(1, spec.votes + 1)


def _decided(result: Result, outcome: Verdict | Trouble) -> ItemDecided:
    return ItemDecided(
        item=result.task_id,
        verdict=outcome if isinstance(outcome, Verdict) else None,
        trouble=outcome if isinstance(outcome, Trouble) else None,
        spared=tuple(vote.task_id for vote in result.votes if vote.spared and vote.task_id),
    )


def _needs_first(submissions: Sequence[Submission]) -> list[Submission]:
    """Return tasks so that each comes after those it needs, else in their order."""
    # Several of one node id are as many tasks: pytest collects so with `--keep-duplicates`.
    left: dict[str, list[Submission]] = {}
    for submission in submissions:
        left.setdefault(submission.spec.nodeid, []).append(submission)
    ordered = []

    def visit(nodeid: str) -> None:
        for submission in left.pop(nodeid, []):
            for need in submission.spec.needs:
                visit(need)
            ordered.append(submission)

    for submission in submissions:
        visit(submission.spec.nodeid)
    return ordered
