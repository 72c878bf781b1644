"""The supervisor: the loop that carries out what the schedule decides.

It waits for events only: a worker's message, the end of a worker's process or connection, a task
that was handed in, a deadline that the schedule named. After each it asks the schedule what to do
and does it. All state is its own, in the coordinator's thread; others see the snapshot, and have
what they want done by `call`.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_ptc.coordinator.board import Board
from pytest_ptc.coordinator.crew import Crew, Remains
from pytest_ptc.coordinator.running import Running, end_of, stopped_report
from pytest_ptc.coordinator.schedule import (
    STUCK_AFTER_S,
    Action,
    Assign,
    GiveUp,
    GiveUpReady,
    Kill,
    Launch,
    Limits,
    Stop,
    next_look,
    plan,
)
from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.names import RunNames
from pytest_ptc.journal import events
from pytest_ptc.model.errors import PtcError
from pytest_ptc.model.lifecycle import Snapshot, TaskState, WorkerState
from pytest_ptc.model.result import Attempt, AttemptReport
from pytest_ptc.model.trouble import Cause, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from pytest_ptc.coordinator.shared_list import SharedList
    from pytest_ptc.coordinator.submissions import Submissions
    from pytest_ptc.coordinator.view import BoardView
    from pytest_ptc.interfaces.agent import Contents
    from pytest_ptc.interfaces.host import Host
    from pytest_ptc.interfaces.launch import LaunchFile
    from pytest_ptc.journal.run_journal import Journal


#: Seconds that workers have to end by themselves when the run is over, and then after SIGTERM.
QUIT_GRACE_S = 2.0


class Supervisor:
    """Runs in a thread of its own, from the first task to the end of the run.

    Args:
        limits: How many workers.
        host: Where they live.
        shared_list: The shared list.
        journal: The run's journal.
        submissions: The tasks that are handed in, and who is answered.
        scratch: The run's private folder, for the socket and the workers' launch files.
        worker_argv: The program that is a worker; the path of its launch file is appended.
        launch_file: Makes the launch file of a worker, from its name and its key.
        contents: What looks at the files of attempts, so that a later run can tell what has
            changed; None for nobody.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        host: Host,
        shared_list: SharedList,
        journal: Journal,
        submissions: Submissions,
        scratch: Path,
        worker_argv: Sequence[str],
        launch_file: Callable[[str, str], LaunchFile],
        contents: Contents | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._list = shared_list
        self._names = RunNames(journal.run_id)
        self._journal = journal
        self._contents = contents
        self._clock = clock
        self._crew = Crew(
            host=host,
            journal=journal,
            scratch=scratch,
            argv=worker_argv,
            launch_file=launch_file,
            heard=self._heard,
            gone=self._lose,
            stop_task=self._stop_task,
        )
        self._board = Board()
        self._snapshot = Snapshot()
        self._submissions = submissions
        self._at_work: dict[str, Running] = {}
        #: Why tasks end that somebody has stopped while an attempt was at work, by their ids.
        self._stopped_tasks: dict[str, Trouble] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._broken: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._over = asyncio.Event()
        #: Set when workers can call, or when that has failed.
        self.started = threading.Event()
        #: The exception that ended the loop early, if any.
        self.failure: BaseException | None = None
        #: CPU time of the loop's thread, in seconds.
        self.cpu_seconds = 0.0

    def __repr__(self) -> str:
        return f"<Supervisor {self._journal.run_id} {self._snapshot!r}>"

    @property
    def snapshot(self) -> Snapshot:
        """Return the run as it was after the last event."""
        return self._snapshot

    # What other threads call.

    def call(self, action: Callable[..., None], *arguments: object) -> bool:
        """Have the loop call something; return False if the loop has ended."""
        try:
            self._loop.call_soon_threadsafe(action, *arguments)
        except RuntimeError:
            return False
        return True

    def end_all(self) -> None:
        """End all that the run has started; may be called again."""
        self._crew.close()

    # The thread.

    def run(self) -> None:
        """Serve until the run is over; an exception that ended it early is in `failure`."""
        asyncio.set_event_loop(self._loop)
        # A connection's error belongs in the journal, not on the terminal.
        self._loop.set_exception_handler(self._loop_problem)
        before = time.thread_time()
        try:
            self._loop.run_until_complete(self.serve())
        except BaseException as error:  # noqa: BLE001 - whatever it was, no thread may wait for ever
            self.failure = error
            self._journal.append(events.CoordinatorFailed(error=traceback.format_exc()))
        finally:
            self.started.set()
            self.cpu_seconds = time.thread_time() - before
            self._loop.close()

    def _loop_problem(self, _: asyncio.AbstractEventLoop, problem: dict[str, Any]) -> None:
        reported = problem.get("exception") or problem.get("message")
        self._journal.append(events.LoopProblem(problem=f"{reported!r:.500}"))

    async def serve(self) -> None:
        """Take calls and do what is to be done, until the run is over."""
        server = await self._crew.listen()
        self._board.began = self._clock()
        self.started.set()
        try:
            while not self._over.is_set():
                self._turn()
                await self._next_event()
        finally:
            server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await self._crew.hang_up()

    def _turn(self) -> None:
        if self._broken is not None:
            raise self._broken
        now = self._clock()
        self._board.rested(now)
        while actions := plan(self._view(), self._limits, now):
            for action in actions:
                self._act(action)
        for result in self._board.take_results():
            self._submissions.answer(result)
        self._snapshot = self._board.snapshot()
        if self._board.stopping and not self._board.workers.live and not self._board.tasks.open:
            self._over.set()

    def _view(self) -> BoardView:
        # A budget may leave out tasks that are too dear, so that all have to be looked at.
        return self._board.view(all_ready=self._limits.budget_usd is not None)

    async def _next_event(self) -> None:
        if self._over.is_set():
            return
        look = next_look(self._view(), self._limits)
        alarm = None
        if look is not None:
            alarm = self._loop.call_later(max(0.0, look - self._clock()), self._wake.set)
        await self._wake.wait()
        self._wake.clear()
        if alarm:
            alarm.cancel()

    def _act(self, action: Action) -> None:
        match action:
            case Launch(worker):
                self._board.launched(worker, self._clock())
                self._errand(self._crew.launch(worker))
            case Assign(task_id, worker):
                self._assign(task_id, worker)
            case Kill(worker, why):
                self._lose(worker, why)
            case GiveUp(task_id, trouble):
                self._board.gave_up(task_id, trouble)
            case GiveUpReady(trouble):
                self._board.gave_up_ready(trouble)
            case Stop(trouble):
                self.stop(trouble)

    def _errand(self, work: Coroutine[Any, Any, None]) -> None:
        errand = self._loop.create_task(work)
        self._errands.add(errand)
        errand.add_done_callback(self._errand_done)

    def _errand_done(self, errand: asyncio.Task[None]) -> None:
        self._errands.discard(errand)
        if not errand.cancelled():
            # Somebody may wait for what a failed errand left undone: its exception ends the run.
            self._broken = self._broken or errand.exception()
        self._wake.set()

    # Tasks.

    def take_in(self) -> None:
        """Put what was handed in on the board."""
        for task_id, spec, _, kept in self._submissions.take_in():
            if kept is not None:
                self._board.kept(task_id, spec, kept)
                continue
            known, unknown = self._submissions.needs_of(spec)
            self._board.submitted(task_id, spec, known)
            if unknown and self._board.tasks[task_id].state is not TaskState.DONE:
                message = (
                    f"needs {unknown[0]}, which was not run: it is not selected, is skipped, or "
                    "could not be given to an agent"
                )
                self._board.gave_up(task_id, Trouble(cause=Cause.NEEDS, message=message))
        self._wake.set()

    def _assign(self, task_id: str, worker: str) -> None:
        attempt = self._board.assigned(task_id, worker, self._clock())
        task = self._board.tasks[task_id]
        cookie = secrets.token_hex(16)
        try:
            writer = self._journal.open_attempt(attempt, task.spec)
            message = messages.Assigned(
                attempt.name,
                cookie,
                self._journal.token(attempt),
                task.spec.to_json(),
                seconds=task.spec.timeout,
            )
            seen = self._contents.began(attempt.name, task.spec) if self._contents else None
        except Exception as error:  # noqa: BLE001 - one failing task must not end the run
            self._close(AttemptReport(attempt=attempt, seconds=0.0, trouble=_machinery(error)))
            return
        self._at_work[attempt.name] = Running(cookie=cookie, began=self._clock(), writer=writer)
        self._journal.append(
            events.AttemptAssigned(attempt=attempt.name, worker=worker, content=seen)
        )
        self._errand(self._hand_over(attempt, message))

    async def _hand_over(self, attempt: Attempt, message: messages.Assigned) -> None:
        """Claim an attempt's task on the shared list, then give it to its worker."""
        timeout = self._board.tasks[attempt.task_id].spec.timeout
        owner = self._names.owner(attempt.worker)
        trouble = await self._list.claim(attempt.task_id, owner, timeout)
        # Meanwhile the worker may have ended, or been told to: then its burial ends the attempt.
        if self._board.stopping is not None or not self._board.is_at(attempt):
            return
        if trouble is None:
            try:
                self._crew.say(attempt.worker, message)
            except Exception as error:  # noqa: BLE001 - a message that cannot be encoded
                trouble = _machinery(error)
            else:
                self._board.handed_over(attempt, self._clock())
                self._journal.append(
                    events.AttemptClaimed(attempt=attempt.name, worker=attempt.worker)
                )
                self._wake.set()
                return
        seconds = self._clock() - self._at_work[attempt.name].began
        report = AttemptReport(attempt=attempt, seconds=seconds, trouble=trouble)
        self._ended(attempt, trouble, report)

    async def _put_down(self, worker: str, running: Running, message: messages.Recorded) -> None:
        """Put down what was recorded, in a thread and in its turn, and acknowledge it."""
        problem = await running.put(message.entry)
        self._crew.say(worker, messages.Acknowledged(message.attempt, message.number, problem))

    def _ended(
        self, attempt: Attempt, otherwise: Trouble, report: AttemptReport | None = None
    ) -> None:
        """End an attempt by what its worker reports; else by what was recorded, or this trouble."""
        if (stopped := self._stopped_tasks.get(attempt.task_id)) is not None:
            otherwise, report = stopped, stopped_report(report, stopped)
        # Gone already where its worker has said that it ended, and is lost while that is filed.
        if (running := self._at_work.pop(attempt.name, None)) is not None:
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
        self._journal.append(events.AttemptEnded.of(closed.report, sha256=closed.sha256))
        if self._contents is not None:
            self._contents.ended(attempt.name)
        self._close(closed.report, by_worker=report is not None)
        self._list.ended(
            closed.report,
            self._names.owner(attempt.worker),
            done=self._board.tasks[attempt.task_id].state is TaskState.DONE,
            redactor=running.writer.redactor,
        )

    def _close(self, report: AttemptReport, *, by_worker: bool = True) -> None:
        self._board.ended(report, self._clock(), by_worker=by_worker)
        self._wake.set()

    def _stop_task(self, task_id: str) -> str | None:
        """End a task that somebody has stopped; return why not, if so."""
        task = self._board.tasks.get(task_id)
        if task is None:
            return f"the run has no task {task_id:.100}"
        trouble = Trouble(cause=Cause.TASK_STOPPED, message="it was ended by `ptc stop`")
        if task.state is TaskState.DONE:
            return "it has ended"
        if task.state is not TaskState.RUNNING:
            self._board.gave_up(task_id, trouble)
            self._wake.set()
            return None
        running = self._board.workers.running
        attempt = next((one for one in running if one.task_id == task_id), None)
        if attempt is None or attempt.name not in self._at_work:
            return "it is ending"
        self._stopped_tasks[task_id] = trouble
        self._crew.say(attempt.worker, messages.Abandon(attempt.name, trouble.message))
        self._loop.call_later(STUCK_AFTER_S, self._lose_with, attempt)
        return None

    def _lose_with(self, attempt: Attempt) -> None:
        """End a worker that has not ended its attempt as it was told to."""
        if self._board.attempt_of(attempt.worker) == attempt:
            self._lose(attempt.worker, "it did not end its task when told to")

    # Workers.

    def _heard(self, worker: str, message: messages.Message) -> None:
        attempt = self._board.attempt_of(worker)
        match message:
            case messages.Hello() if self._is_starting(worker):
                self._greet(worker)
            case messages.Ready() if self._is_starting(worker):
                self._board.called_in(worker, self._clock())
                self._journal.append(events.WorkerReady(worker=worker))
                self._wake.set()
            case messages.Begun(name) if attempt is not None and attempt.name == name:
                self._board.begun(worker)
            case messages.Look(name) if attempt is not None and attempt.name == name:
                self._errand(self._look(attempt))
            case messages.Waits(name, seconds, why) if attempt is not None and attempt.name == name:
                self._hold(attempt, seconds, why)
            case messages.Recorded(name) if attempt is not None and attempt.name == name:
                self._recorded(worker, message)
            case messages.Ended(name) if attempt is not None and attempt.name == name:
                self._ended(attempt, *end_of(attempt, message))
            case _:
                self._journal.append(
                    events.StaleMessage(worker=worker, message=f"{message!r:.500}")
                )

    def _recorded(self, worker: str, message: messages.Recorded) -> None:
        running = self._at_work.get(message.attempt)
        if running is not None:
            self._errand(self._put_down(worker, running, message))
        else:
            over = messages.Acknowledged(message.attempt, message.number, "the attempt is over")
            self._crew.say(worker, over)

    async def _look(self, attempt: Attempt) -> None:
        """Tell an attempt's worker whether the shared list has its task."""
        listed = await self._list.has(attempt.task_id)
        self._crew.say(attempt.worker, messages.Looked(attempt.name, listed))

    def _is_starting(self, worker: str) -> bool:
        found = self._board.workers.get(worker)
        return found is not None and found.state is WorkerState.STARTING

    def _greet(self, worker: str) -> None:
        """Tell a worker that has started what to get ready for, or that there is nothing to do."""
        if self._board.stopping is not None:
            self._crew.say(worker, messages.Quit())
            return
        like = self._board.next_spec(worker)
        self._crew.say(worker, messages.Prepare(like.to_json() if like is not None else None))

    def _hold(self, attempt: Attempt, seconds: float, why: str) -> None:
        """Hold back further attempts, at most for as long as one of them might take."""
        seconds = min(seconds, self._board.tasks[attempt.task_id].spec.timeout)
        self._journal.append(
            events.AttemptsHeld(attempt=attempt.name, seconds=round(seconds, 3), why=why)
        )
        self._board.waits(why, self._clock() + seconds)
        self._wake.set()

    def _lose(self, worker: str, why: str) -> None:
        """Take a worker as gone, however that was noticed; an errand ends what is left of it."""
        found = self._board.workers.get(worker)
        if found is not None and found.state is not WorkerState.GONE:
            attempt = self._board.died(worker, self._clock())
            # Taken now: the worker's message that the attempt ended may still come before the
            # burial.
            running = self._at_work.get(attempt.name) if attempt is not None else None
            cookie = running.cookie if running is not None else None
            self._errand(self._bury(worker, why, attempt, cookie))
            self._wake.set()

    async def _bury(
        self, worker: str, why: str, attempt: Attempt | None, cookie: str | None
    ) -> None:
        """End what a lost worker left running, then end its attempt by what is on disk."""
        try:
            remains = await self._crew.bury(worker, why, cookie)
        except Exception as error:  # noqa: BLE001 - whatever a host raises, its attempt has an end
            remains = Remains(ended=f"{why}; {error!r}")
        remains = replace(remains, tail=self._journal.redactor.text(remains.tail))
        self._board.buried(worker, remains.ended, remains.tail)
        if self._board.stopping is None or attempt is not None:
            self._journal.append(events.WorkerLost(worker=worker, why=why, ended=remains.ended))
        # Not where the worker's message that the attempt ended was read after its own end was
        # noticed.
        if attempt is not None and self._board.attempt_of(worker) == attempt:
            self._ended(attempt, self._cause_of_death(worker, remains))
        self._wake.set()

    def _cause_of_death(self, worker: str, remains: Remains) -> Trouble:
        if self._board.stopping is not None:
            return self._board.stopping
        message = f"worker {worker} ended in the middle of its task: {remains.ended}"
        return Trouble(cause=Cause.WORKER_LOST, message=message, evidence=remains.tail)

    def stop(self, trouble: Trouble) -> None:
        """Begin nothing more and end all workers; what has not ended by then ends so."""
        if self._board.stopping is not None:
            return
        self._board.stopped(trouble)
        self._journal.append(events.RunStopping(why=trouble.message))
        for worker in self._board.workers.live:
            self._crew.say(worker.name, messages.Quit())
        self._loop.call_later(QUIT_GRACE_S, lambda: self._errand(self._end_crew()))
        self._wake.set()

    async def _end_crew(self) -> None:
        """End workers that did not end by themselves, so that the thread comes to its end."""
        await self._crew.end()
        for worker in self._board.workers.live:
            self._lose(worker.name, "ended by force")


def _machinery(error: Exception) -> Trouble:
    message = str(error) if isinstance(error, PtcError) else repr(error)
    return Trouble(cause=Cause.MACHINERY, message=message[:2000])
