"""The shared list as a worker uses it: in a thread, for a moment, and never at an attempt's cost.

The list is a view of the run. Others may hold a lock on it for long, or put anything in the place
of a task: the worker hears its coordinator meanwhile, and goes on by the journal alone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.errors import TaskListError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.system.threads import OneByOne, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_ptc.interfaces.tasklist import TaskList

#: Seconds that a worker waits for the list; of an attempt's time at most this part.
PATIENCE = 5.0
PART = 0.25
#: Seconds that what is still to be done there gets when the worker ends.
LAST_PATIENCE = 1.0


class WorkersList:
    """A worker's hold on the shared list.

    Its calls are carried out one after the other, the late ones too: what a worker has given up
    waiting for does not come after what it did next.

    Args:
        task_list: The list.
        show: Takes what is worth knowing, for who watches.
    """

    def __init__(self, task_list: TaskList, show: Callable[[str], None]) -> None:
        self._list = task_list
        self._show = show
        self._threads = OneByOne()

    def has(self, task_id: str) -> bool:
        """Tell whether the list has this task of the run's."""
        return self._list.has(task_id)

    async def claim(self, task_id: str, owner: str, timeout: float) -> Trouble | None:
        """Claim a task; return why its attempt is useless, if so.

        Where the list is broken, locked or gone, nobody else can have the task.

        Args:
            task_id: The task.
            owner: Who claims it.
            timeout: Seconds that the attempt may take.
        """
        seconds = min(PATIENCE, PART * timeout)
        try:
            problem = await in_thread(
                self._claimed, task_id, owner, seconds=seconds, executor=self._threads, keep=True
            )
        except asyncio.TimeoutError:
            self._go_on(f"task {task_id} is locked, or does not answer, for {seconds:g} s")
            return None
        except TaskListError as error:
            self._go_on(str(error))
            return None
        if problem is None:
            return None
        return Trouble(cause=Cause.CLAIM_LOST, message=f"task {task_id}: {problem}")

    async def release(self, task_id: str, owner: str) -> None:
        """Put a task back to pending."""
        await self._do(self._list.release, task_id, owner)

    async def complete(self, task_id: str, owner: str, metadata: Mapping[str, Any]) -> None:
        """Mark a task completed, and add to its metadata."""
        await self._do(self._list.complete, task_id, owner, metadata)

    async def close(self) -> None:
        """Wait for what is still to be done, for a moment."""
        try:
            await in_thread(lambda: None, seconds=LAST_PATIENCE, executor=self._threads, keep=True)
        except asyncio.TimeoutError:
            self._show("shared list: locked, or it does not answer: what is on it stays as it is")

    async def _do(self, call: Callable[..., None], *args: Any) -> None:
        try:
            await in_thread(call, *args, seconds=PATIENCE, executor=self._threads, keep=True)
        except asyncio.TimeoutError:
            self._show(f"shared list: task {args[0]} is locked, or does not answer")
        except TaskListError as error:
            self._show(f"shared list: {error}")

    def _claimed(self, task_id: str, owner: str) -> str | None:
        """Claim a task; return who else has it, or that it is not there, if so."""
        if self._list.claim(task_id, owner):
            return None
        if self._list.has(task_id):
            return "somebody else took or completed it on the shared list"
        if self._list.is_gone(task_id):
            self._go_on("it is gone")
            return None
        return "somebody deleted it from the shared list"

    def _go_on(self, why: str) -> None:
        self._show(f"shared list: {why}: on with the journal alone")
