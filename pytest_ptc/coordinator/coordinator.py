"""The coordinator as pytest's thread sees it: tasks in, results out; all else is in a thread."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from pytest_ptc.coordinator.shared_list import SharedList
from pytest_ptc.coordinator.submissions import NO_MEMORY, Memory, Submissions
from pytest_ptc.coordinator.supervisor import Supervisor
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.weighing import no_excuse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from pytest_ptc.coordinator.crew import CrewMaker
    from pytest_ptc.coordinator.schedule import Limits
    from pytest_ptc.interfaces.agent import Contents
    from pytest_ptc.interfaces.launch import AgentLaunch
    from pytest_ptc.interfaces.tasklist import TaskList
    from pytest_ptc.journal.run_journal import Journal
    from pytest_ptc.model.lifecycle import Snapshot
    from pytest_ptc.model.result import Result
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.weighing import ExcuseOf


class Coordinator:
    """One run: tasks in, results out.

    Args:
        limits: How many workers.
        crew: Makes the crew of workers.
        task_list: The shared list, open.
        journal: The run's journal.
        contents: What looks at the files of attempts, so that a later run can tell what has
            changed; None for nobody.
        excuse_of: What excuses findings, such as a list of known ones.
        agent_of: Returns how a worker makes a task's agent; None for that of its launch file.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        crew: CrewMaker,
        task_list: TaskList,
        journal: Journal,
        contents: Contents | None = None,
        excuse_of: ExcuseOf = no_excuse,
        agent_of: Callable[[TaskSpec], AgentLaunch | None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._submissions = Submissions(task_list, journal, excuse_of)
        self._list = SharedList(task_list, journal)
        self._supervisor = Supervisor(
            limits=limits,
            crew=crew,
            shared_list=self._list,
            journal=journal,
            submissions=self._submissions,
            contents=contents,
            excuse_of=excuse_of,
            agent_of=agent_of,
            clock=clock,
        )
        self._thread = threading.Thread(target=self._run, name="ptc-coordinator", daemon=True)

    def __repr__(self) -> str:
        return f"<Coordinator {self._supervisor!r}>"

    @property
    def snapshot(self) -> Snapshot:
        """Return the run as it is, or as it was a moment ago."""
        return self._supervisor.snapshot

    @property
    def cpu_seconds(self) -> float:
        """Return the CPU time of its thread, in seconds, once that has ended."""
        return self._supervisor.cpu_seconds

    @property
    def list_problems(self) -> Sequence[str]:
        """Return what has gone wrong on the shared list so far, a sentence each."""
        return self._list.problems

    def submit(
        self,
        specs: Sequence[TaskSpec],
        *,
        memory: Memory = NO_MEMORY,
    ) -> list[Future[Result]]:
        """Publish tasks and return a future for each; a future never raises.

        Args:
            specs: The tasks. A need stands for a task of this call or of an earlier one.
            memory: What is known of them from earlier runs: a vote that is kept is not cast again.

        Raises:
            TaskListError: They cannot be published; then no worker has been started for them.
        """
        submissions = self._submissions.publish(specs, memory)
        self._start()
        # Handed in before the call: whichever thread finds that the loop has ended answers what is
        # in the inbox, so that every future gets a result.
        self._submissions.hand_in(submissions)
        if not self._supervisor.call(self._supervisor.take_in):
            self._abandon()
        return [submission.future for submission in submissions]

    def stop(self, why: str) -> None:
        """Begin nothing more, end all workers, and give up all open tasks with this reason."""
        if self._thread.is_alive():
            trouble = Trouble(cause=Cause.STOPPED, message=why)
            # False if the loop has just ended on its own: then there is nothing to stop.
            self._supervisor.call(self._supervisor.stop, trouble)

    def close(self) -> None:
        """End the run and everything it started; may be called again, also after Ctrl-C in it."""
        try:
            if self._thread.is_alive():
                self.stop("the run ended")
                self._thread.join()
            self._list.close()
        finally:
            self._supervisor.end_all()

    def _start(self) -> None:
        if not self._supervisor.started.is_set():
            self._thread.start()
            self._supervisor.started.wait()

    def _run(self) -> None:
        try:
            self._supervisor.run()
        finally:
            self._abandon()

    def _abandon(self) -> None:
        """Answer what the loop, which has ended, left open."""
        ended = "the run had ended"
        if (failure := self._supervisor.failure) is not None:
            ended = f"the coordinator ended: {failure!r}"
        self._submissions.abandon(Trouble(cause=Cause.MACHINERY, message=ended))
