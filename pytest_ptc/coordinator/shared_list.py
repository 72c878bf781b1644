"""The shared list as the coordinator uses it: in threads, and never at the cost of anything else.

The list is a view of the run. Others may hold a lock on it for long, or put anything in the place
of a task: the run waits a moment for a claim and goes on by its journal alone; it waits for nothing
else.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_ptc.journal.events import SharedListProblem
from pytest_ptc.model.errors import TaskListError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.system.threads import InTurn, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_ptc.interfaces.tasklist import TaskList
    from pytest_ptc.journal.run_journal import Journal
    from pytest_ptc.model.result import AttemptReport
    from pytest_ptc.text.redaction import Redactor

#: Seconds that an attempt waits for its claim, and the largest part of its own time.
CLAIM_TIMEOUT_S = 5.0
CLAIM_TIMEOUT_PART = 0.25
#: Seconds that the question waits whether a task is on the list.
LOOK_TIMEOUT_S = 5.0
#: Seconds that calls which have not ended get when the run ends.
LAST_CALLS_S = 1.0
#: What ends a task without an outcome: its attempt was cut short.
_NOT_COMPLETED = frozenset({Cause.WORKER_LOST, Cause.STOPPED, Cause.RUN_TIMEOUT})

#: Tasks at once whose calls wait for locks, or for a disk that does not answer.
MAX_THREADS = 32


class SharedList:
    """The coordinator's hold on the shared list.

    The calls of one task are carried out in order, the late ones too: what nobody waits for any
    more does not come after what was asked for next.

    Args:
        task_list: The list.
        journal: Takes what goes wrong.
    """

    def __init__(self, task_list: TaskList, journal: Journal) -> None:
        self._list = task_list
        self._journal = journal
        self._calls = InTurn(MAX_THREADS)
        #: Tasks that could not be put back to pending, and who has them on the list.
        self._unreleased: dict[str, str] = {}
        #: What went wrong, a sentence each.
        self.problems: list[str] = []
        self._closed = False

    def __repr__(self) -> str:
        return f"<SharedList {self._calls!r}>"

    async def claim(self, task_id: str, owner: str, timeout: float) -> Trouble | None:
        """Claim a task; return why its attempt is useless, if so.

        Where the list is broken, locked or gone, nobody else can have the task.

        Args:
            task_id: The task.
            owner: Who claims it.
            timeout: Seconds that the attempt may take.
        """
        seconds = min(CLAIM_TIMEOUT_S, CLAIM_TIMEOUT_PART * timeout)
        claim = asyncio.wrap_future(
            self._calls.submit(task_id, partial(self._claim, task_id, owner))
        )
        try:
            await asyncio.wait([claim], timeout=seconds)
        finally:
            # It goes on all the same; a thread must not report to a loop that has ended.
            answered = not claim.cancel()
        if not answered:
            self._note(task_id, f"it is locked, or does not answer, for {seconds:g} s")
            return None
        if (problem := claim.result()) is None:
            return None
        return Trouble(cause=Cause.CLAIM_LOST, message=f"task {task_id}: {problem}")

    def release(self, task_id: str, owner: str) -> None:
        """Have a task put back to pending."""
        self._calls.submit(task_id, partial(self._release, task_id, owner))

    def complete(self, task_id: str, owner: str, metadata: Callable[[], Mapping[str, Any]]) -> None:
        """Have a task marked completed, and its metadata added to; they are made in the thread."""

        def complete() -> None:
            self._list.complete(task_id, owner, metadata())

        self._calls.submit(task_id, partial(self._do, task_id, complete))

    def ended(self, report: AttemptReport, owner: str, *, done: bool, redactor: Redactor) -> None:
        """Have a task shown as it is after an attempt: completed with its outcome, or pending.

        Args:
            report: How the attempt ended.
            owner: Who has claimed the task for it.
            done: Whether there is no other attempt.
            redactor: Takes the attempt's secrets out of what is shown.
        """
        task_id = report.attempt.task_id
        trouble = report.trouble
        if trouble is not None and trouble.cause is Cause.CLAIM_LOST:
            return
        if not done or (trouble is not None and trouble.cause in _NOT_COMPLETED):
            self.release(task_id, owner)
        else:
            self.complete(task_id, owner, lambda: {"ptc": redactor.json(_outcome(report))})

    async def has(self, task_id: str) -> bool:
        """Tell whether the list has this task of the run's; False if it does not answer."""
        try:
            return await in_thread(self._list.has, task_id, seconds=LOOK_TIMEOUT_S)
        except asyncio.TimeoutError:
            return False

    def close(self) -> None:
        """Wait a moment for the calls that have not ended, and drop the others.

        Called when the loop has ended; may be called again.
        """
        for task_id in self._calls.close(LAST_CALLS_S):
            self._note(task_id, "it is locked, or does not answer: it stays as it is")
        self._closed = True

    # In the threads.

    def _claim(self, task_id: str, owner: str) -> str | None:
        """Claim a task; return who else has it, or that it is not there, if so."""
        try:
            if (ours := self._unreleased.pop(task_id, None)) is not None:
                self._list.release(task_id, ours)
            if self._list.claim(task_id, owner):
                return None
            if self._list.has(task_id):
                return "somebody else took or completed it on the shared list"
            if not self._list.is_gone(task_id):
                return "somebody deleted it from the shared list"
        except TaskListError as error:
            self._note(task_id, str(error))
        except Exception as error:  # noqa: BLE001 - the list is a view: no attempt depends on it
            self._note(task_id, repr(error))
        else:
            self._note(task_id, "the list is gone")
        return None

    def _release(self, task_id: str, owner: str) -> None:
        if not self._do(task_id, partial(self._list.release, task_id, owner)):
            # Else the next attempt would find it taken, by us.
            self._unreleased[task_id] = owner

    def _do(self, task_id: str, call: Callable[[], None]) -> bool:
        """Make a call, and return whether it succeeded."""
        try:
            call()
        except TaskListError as error:
            self._note(task_id, str(error))
        except Exception as error:  # noqa: BLE001 - the list is a view: no attempt depends on it
            self._note(task_id, repr(error))
        else:
            return True
        return False

    def _note(self, task_id: str, problem: str) -> None:
        if self._closed:  # the journal may be closed, too
            return
        self.problems.append(f"task {task_id}: {problem}")
        self._journal.append(SharedListProblem(task=task_id, problem=problem))


def _outcome(report: AttemptReport) -> dict[str, Any]:
    if report.verdict is not None:
        return report.verdict.to_json()
    assert report.trouble is not None
    return {"verdict": "error", "summary": str(report.trouble), "findings": [], "data": None}
