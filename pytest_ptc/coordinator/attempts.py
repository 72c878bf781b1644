"""The life of an attempt: assigned, claimed, handed over to its worker, recorded, ended and filed.

All of it runs in the loop of the supervisor, which decides when an attempt begins and takes the
messages of workers.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from pytest_ptc.coordinator.running import Running, stopped_report
from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.names import RunNames
from pytest_ptc.journal import events
from pytest_ptc.model.errors import PtcError
from pytest_ptc.model.lifecycle import TaskState
from pytest_ptc.model.result import AttemptReport
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.weighing import weighed_report

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pytest_ptc.coordinator.board import Board
    from pytest_ptc.coordinator.shared_list import SharedList
    from pytest_ptc.interfaces.agent import Contents
    from pytest_ptc.interfaces.launch import AgentLaunch
    from pytest_ptc.journal.run_journal import Journal
    from pytest_ptc.model.result import Attempt
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.weighing import ExcuseOf


class Attempts:
    """The running attempts of a run.

    Args:
        board: The board, which belongs to the supervisor as well.
        shared_list: The shared list.
        journal: The run's journal.
        contents: What looks at the files of attempts; None for nobody.
        excuse_of: What excuses findings, beside what is known of each.
        agent_of: Returns how a worker makes a task's agent; None for that of its launch file.
        say: Sends a message to a worker.
        errand: Runs a coroutine beside the loop.
        wake: Wakes the loop, since the board has changed.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        board: Board,
        shared_list: SharedList,
        journal: Journal,
        contents: Contents | None,
        excuse_of: ExcuseOf,
        agent_of: Callable[[TaskSpec], AgentLaunch | None],
        say: Callable[[str, messages.Message], None],
        errand: Callable[[Coroutine[Any, Any, None]], None],
        wake: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._board = board
        self._list = shared_list
        self._names = RunNames(journal.run_id)
        self._journal = journal
        self._contents = contents
        self._excuse_of = excuse_of
        self._agent_of = agent_of
        self._say = say
        self._errand = errand
        self._wake = wake
        self._clock = clock
        self._running: dict[str, Running] = {}
        #: Why tasks end that somebody has stopped during an attempt, by their ids.
        self._stopped_tasks: dict[str, Trouble] = {}

    def __repr__(self) -> str:
        return f"<Attempts {sorted(self._running)}>"

    def cookie_of(self, attempt: Attempt) -> str | None:
        """Return the mark of an attempt's processes; None for one that is not running."""
        running = self._running.get(attempt.name)
        return running.cookie if running is not None else None

    def assign(self, task_id: str, worker: str) -> None:
        """Begin an attempt: an errand claims its task and hands it over to the worker."""
        attempt = self._board.assigned(task_id, worker, self._clock())
        task = self._board.tasks[task_id]
        cookie = secrets.token_hex(16)
        try:
            writer = self._journal.open_attempt(attempt, task.spec.for_agent)
            message = messages.Assigned(
                attempt.name,
                cookie,
                self._journal.token(attempt),
                task.spec.for_agent.to_json(),
                seconds=task.spec.timeout,
                agent=self._agent_of(task.spec),
            )
            seen = self._contents.began(attempt.name, task.spec) if self._contents else None
        except Exception as error:  # noqa: BLE001 - one failing task must not end the run
            self._close(AttemptReport(attempt=attempt, seconds=0.0, trouble=_machinery(error)))
            return
        self._running[attempt.name] = Running(cookie=cookie, began=self._clock(), writer=writer)
        self._journal.append(
            events.AttemptAssigned(attempt=attempt.name, worker=worker, content=seen)
        )
        self._errand(self._hand_over(attempt, message))

    async def _hand_over(self, attempt: Attempt, message: messages.Assigned) -> None:
        """Claim an attempt's task on the shared list, then give it to its worker."""
        timeout = self._board.tasks[attempt.task_id].spec.timeout
        owner = self._names.owner(attempt.worker)
        trouble = await self._list.claim(attempt.task_id, owner, timeout)
        # Meanwhile the worker may have ended, or the run may have stopped it: then its burial ends
        # the attempt.
        if self._board.stopping is not None or not self._board.is_at(attempt):
            return
        if trouble is None:
            try:
                self._say(attempt.worker, message)
            except Exception as error:  # noqa: BLE001 - a message that cannot be encoded
                trouble = _machinery(error)
            else:
                self._board.handed_over(attempt, self._clock())
                self._journal.append(
                    events.AttemptClaimed(attempt=attempt.name, worker=attempt.worker)
                )
                self._wake()
                return
        seconds = self._clock() - self._running[attempt.name].began
        report = AttemptReport(attempt=attempt, seconds=seconds, trouble=trouble)
        self.end(attempt, trouble, report)

    def record(self, worker: str, message: messages.Recorded) -> None:
        """Have an errand put down what an attempt has recorded; refuse it when that is over."""
        running = self._running.get(message.attempt)
        if running is not None:
            self._errand(self._put_down(worker, running, message))
        else:
            over = messages.Acknowledged(message.attempt, message.number, "the attempt is over")
            self._say(worker, over)

    async def _put_down(self, worker: str, running: Running, message: messages.Recorded) -> None:
        """Put down what was recorded, in a thread and in its turn, and acknowledge it."""
        problem = await running.put(message.entry)
        self._say(worker, messages.Acknowledged(message.attempt, message.number, problem))

    def look(self, attempt: Attempt) -> None:
        """Have an errand look whether the shared list has an attempt's task."""
        self._errand(self._look(attempt))

    async def _look(self, attempt: Attempt) -> None:
        listed = await self._list.has(attempt.task_id)
        self._say(attempt.worker, messages.Looked(attempt.name, listed))

    def hold(self, attempt: Attempt, seconds: float, why: str) -> None:
        """Hold back further attempts, at most for as long as this one may take."""
        seconds = min(seconds, self._board.tasks[attempt.task_id].spec.timeout)
        self._journal.append(
            events.AttemptsHeld(attempt=attempt.name, seconds=round(seconds, 3), why=why)
        )
        self._board.waits(why, self._clock() + seconds)
        self._wake()

    def abandon(self, attempt: Attempt, stopped: Trouble) -> bool:
        """Have a worker end an attempt whose task is stopped; return False if it is ending."""
        if attempt.name not in self._running:
            return False
        self._stopped_tasks[attempt.task_id] = stopped
        self._say(attempt.worker, messages.Abandon(attempt.name, stopped.message))
        return True

    def end(
        self, attempt: Attempt, otherwise: Trouble, report: AttemptReport | None = None
    ) -> None:
        """End an attempt by what its worker reports; else by what was recorded, or this trouble."""
        if (stopped := self._stopped_tasks.get(attempt.task_id)) is not None:
            otherwise, report = stopped, stopped_report(report, stopped)
        # Gone already where its worker has reported the end, and is lost while that is filed.
        if (running := self._running.pop(attempt.name, None)) is not None:
            self._errand(self._file_end(attempt, running, otherwise, report))

    async def _file_end(
        self,
        attempt: Attempt,
        running: Running,
        otherwise: Trouble,
        report: AttemptReport | None,
    ) -> None:
        """File how an attempt ended, in a thread, after all that was recorded."""
        seconds = self._clock() - running.began
        spec = self._board.tasks[attempt.task_id].spec
        closed = await running.close(attempt, spec, seconds, otherwise, report)
        # What is on disk is what was recorded; what excuses a finding may be another next time.
        ended = weighed_report(closed.report, spec, self._excuse_of)
        self._journal.append(events.AttemptEnded.of(ended, sha256=closed.sha256))
        if self._contents is not None:
            self._contents.ended(attempt.name)
        self._close(ended, by_worker=report is not None)
        self._list.ended(
            ended,
            self._names.owner(attempt.worker),
            done=self._board.tasks[attempt.task_id].state is TaskState.DONE,
            redactor=running.writer.redactor,
        )

    def _close(self, report: AttemptReport, *, by_worker: bool = True) -> None:
        self._board.ended(report, self._clock(), by_worker=by_worker)
        self._wake()


def _machinery(error: Exception) -> Trouble:
    message = str(error) if isinstance(error, PtcError) else repr(error)
    return Trouble(cause=Cause.MACHINERY, message=message[:2000])
