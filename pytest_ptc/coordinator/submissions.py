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
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.interfaces.tasklist import NewTask
from pytest_ptc.journal.events import KeptReport, TaskGivenUp, TaskSubmitted, VerdictKept
from pytest_ptc.model.result import Kept, Result
from pytest_ptc.model.weighing import no_excuse, weighed_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_ptc.interfaces.tasklist import TaskList
    from pytest_ptc.journal.run_journal import Journal
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.trouble import Trouble
    from pytest_ptc.model.weighing import ExcuseOf

#: Longest description put on the shared list, in characters: the whole prompt is in the journal,
#: and every session that reads the list pays for its tokens.
MAX_DESCRIPTION_CHARS = 16_000


class Submission(NamedTuple):
    """A task on its way to the board, and the future that is its answer.

    Args:
        task_id: Its id on the shared list; one of its own where a verdict is kept.
        spec: What is asked.
        future: Takes its result; never an exception.
        kept: The verdict of an earlier run that is kept for it, if there is one.
    """

    task_id: str
    spec: TaskSpec
    future: Future[Result]
    kept: Kept | None


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
        fingerprints: Mapping[str, Mapping[str, str]],
        kept: Mapping[str, Kept],
    ) -> list[Submission]:
        """Put tasks on the shared list and into the journal.

        Args:
            specs: The tasks.
            fingerprints: The parts that each task's verdict depends on, by its node id.
            kept: Verdicts of an earlier run, by node id: such a task is on no list.

        Raises:
            TaskListError: They cannot be published.
        """
        for spec in specs:
            self._journal.redactor.learn(spec.env)
        fresh = [spec for spec in specs if spec.nodeid not in kept]
        published = iter(self._list.publish([self._announcement(spec) for spec in fresh]))
        submissions = []
        for spec in specs:
            old = self._weighed(kept.get(spec.nodeid), spec)
            # No id of this list's, and one of its own, also for tests that are there twice.
            task_id = next(published) if old is None else f"kept {next(self._kept_numbers)}"
            submission = Submission(task_id, spec, Future(), old)
            submission.future.set_running_or_notify_cancel()
            self._write(submission, dict(fingerprints.get(spec.nodeid, {})))
            submissions.append(submission)
        return submissions

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
        submission.future.set_result(result)

    def abandon(self, trouble: Trouble) -> None:
        """Give up all that is left, when the loop has ended; called by any thread."""
        left = self._drain_inbox()
        with contextlib.suppress(KeyError):
            while True:  # safe from several threads: each pops another one
                left.append(self._open.popitem()[1])
        for task_id, spec, future, _ in left:
            self._journal.append(TaskGivenUp(task=task_id, trouble=trouble))
            future.set_result(Result(task_id=task_id, spec=spec, trouble_outside=trouble))

    def _drain_inbox(self) -> list[Submission]:
        """Empty the inbox and return what was in it; safe from several threads."""
        submissions: list[Submission] = []
        with contextlib.suppress(Empty):
            while True:
                submissions += self._inbox.get_nowait()
        return submissions

    def _announcement(self, spec: TaskSpec) -> NewTask:
        redactor = self._journal.redactor
        description = redactor.head(spec.prompt, MAX_DESCRIPTION_CHARS + 1)
        if len(description) > MAX_DESCRIPTION_CHARS:
            description = (
                f"{description[:MAX_DESCRIPTION_CHARS]}\n[cut; the whole is in the journal]"
            )
        nodeid = redactor.text(spec.nodeid)
        return NewTask(
            subject=nodeid,
            description=description,
            metadata={"nodeid": nodeid},
        )

    def _write(self, submission: Submission, fingerprint: dict[str, str]) -> None:
        """Put down a task, or the verdict that is kept for it, for `--ptc-resume`."""
        task_id, spec, _, kept = submission
        if kept is None:
            event = TaskSubmitted(task=task_id, spec=spec, fingerprint=fingerprint)
            self._journal.append(event)
            return
        self._journal.append(
            VerdictKept(
                task=task_id,
                nodeid=spec.nodeid,
                spec=spec,
                fingerprint=fingerprint,
                content=kept.content,
                run=kept.run_id,
                report=KeptReport.of(kept.report),
            )
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
