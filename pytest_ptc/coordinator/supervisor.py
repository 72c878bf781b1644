"""The supervisor: the loop that carries out what the schedule decides.

It waits for events only: a worker's message, the end of a worker's process or connection, a task
that was handed in, a deadline that the schedule named. After each it asks the schedule what to do
and does it. All state is its own, in the coordinator's thread; others see the snapshot, and have
what they want done by `call`.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

from pytest_ptc.coordinator import deadlines
from pytest_ptc.coordinator.attempts import Attempts
from pytest_ptc.coordinator.board import Board
from pytest_ptc.coordinator.crew import CrewCalls
from pytest_ptc.coordinator.running import end_of
from pytest_ptc.coordinator.schedule import (
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
from pytest_ptc.coordinator.worker_lives import WorkerLives
from pytest_ptc.interfaces import messages
from pytest_ptc.journal import events
from pytest_ptc.model.lifecycle import Snapshot, TaskState, WorkerState
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.weighing import no_excuse
from pytest_ptc.system.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pytest_ptc.coordinator.crew import CrewMaker
    from pytest_ptc.coordinator.items import Item
    from pytest_ptc.coordinator.shared_list import SharedList
    from pytest_ptc.coordinator.submissions import Submissions
    from pytest_ptc.coordinator.view import BoardView
    from pytest_ptc.interfaces.agent import Contents
    from pytest_ptc.interfaces.launch import AgentLaunch
    from pytest_ptc.journal.run_journal import Journal
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.weighing import ExcuseOf


#: Seconds that workers have to end by themselves when the run is over, and then after SIGTERM.
QUIT_GRACE_S = 2.0
#: Seconds between two snapshots: whoever shows them draws less often.
SNAPSHOT_INTERVAL_S = 0.1


class Supervisor:
    """Runs in a thread of its own, from the first task to the end of the run.

    Args:
        shared_list: The shared list, in threads.
        submissions: The tasks that are handed in, and who is answered.

    The other arguments are those of `Coordinator`.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        crew: CrewMaker,
        shared_list: SharedList,
        journal: Journal,
        submissions: Submissions,
        contents: Contents | None = None,
        excuse_of: ExcuseOf = no_excuse,
        agent_of: Callable[[TaskSpec], AgentLaunch | None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._journal = journal
        self._clock = clock
        self._crew = crew(
            CrewCalls(
                heard=self._heard,
                gone=self._lose,
                placed=self._placed,
                note=self._note,
                shut=self._shut,
                stop_task=self._stop_task,
            )
        )
        self._board = Board()
        self._snapshot = Snapshot()
        self._show_at = -math.inf
        self._submissions = submissions
        self._errands: set[asyncio.Task[None]] = set()
        self._broken: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._over = asyncio.Event()
        self._attempts = Attempts(
            board=self._board,
            shared_list=shared_list,
            journal=journal,
            contents=contents,
            excuse_of=excuse_of,
            agent_of=agent_of,
            say=self._say,
            errand=self._errand,
            wake=self._wake.set,
            clock=clock,
        )
        self._lives = WorkerLives(
            board=self._board,
            crew=self._crew,
            attempts=self._attempts,
            journal=journal,
            agent_of=agent_of,
            errand=self._errand,
            wake=self._wake.set,
            clock=clock,
        )
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
        """Return the run as it is, or as it was a moment ago."""
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
                await self._next_event(self._turn())
        finally:
            server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await self._crew.hang_up()

    def _turn(self) -> float | None:
        """Do what is to be done now, and return when to look again though nothing has happened."""
        if self._broken is not None:
            raise self._broken
        now = self._clock()
        self._board.rested(now)
        while True:
            view = self._view()
            if not (actions := plan(view, self._limits, now)):
                break
            for action in actions:
                self._act(action)
        for item in self._board.tasks.take_to_check():
            self._errand(self._ask_verifiers(item))
        for task_id in self._board.tasks.take_surplus():
            message = "the other votes had decided"
            self._end_attempt(task_id, Trouble(cause=Cause.DECIDED, message=message))
        for result in self._board.take_results():
            self._submissions.answer(result)
        if self._board.stopping and not view.live and not self._board.tasks.open:
            self._over.set()
        times = [next_look(view, self._limits), None if self._has_shown(now) else self._show_at]
        return min((at for at in times if at is not None), default=None)

    def _has_shown(self, now: float) -> bool:
        """Take a snapshot, unless the last one is new: it costs more the more workers there are."""
        if now < self._show_at and not self._over.is_set():
            return False
        self._snapshot = self._board.snapshot()
        self._show_at = now + SNAPSHOT_INTERVAL_S
        return True

    def _view(self) -> BoardView:
        return self._board.view(priced=self._limits.budget_usd is not None)

    async def _next_event(self, look: float | None) -> None:
        if self._over.is_set():
            return
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
                self._lives.launch(worker)
            # An earlier action of the same look may have ended its item: that of a task which could
            # not be begun, on a full disk.
            case Assign(task_id, worker) if self._board.tasks[task_id].state is TaskState.READY:
                self._attempts.assign(task_id, worker)
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
        for item_id, spec, _, ballots, _ in self._submissions.take_in():
            known, unknown = self._submissions.needs_of(spec)
            if ballots[0].kept is not None and len(ballots) == 1:
                known, unknown = [], []
            self._board.submitted(item_id, spec, known, ballots)
            item = self._board.tasks.item(item_id)
            if unknown and item is not None and item.result is None:
                message = (
                    f"needs {unknown[0]}, which was not run: it is not selected, is skipped, or "
                    "could not be given to an agent"
                )
                trouble = Trouble(cause=Cause.NEEDS, message=message)
                self._board.tasks.give_up_item(item_id, trouble)
        self._wake.set()

    async def _ask_verifiers(self, item: Item) -> None:
        """Have verifiers look at what blocks an item; where none can be asked, that stands."""
        wanted = item.wanted_checks
        try:
            checks = await in_thread(self._submissions.publish_checks, item.id, wanted)
        except Exception as error:  # noqa: BLE001 - whatever it is, the findings stand
            self._board.tasks.give_up_checks(item.id, f"no task for it: {error}"[:500])
        else:
            self._board.tasks.add_checks(item.id, checks)
        self._wake.set()

    def _stop_task(self, task_id: str) -> str | None:
        """End the item of a task that somebody has stopped; return why not, if so."""
        task = self._board.tasks.get(task_id)
        # A vote that nobody has needed yet is no task on the board.
        item = task.item if task is not None else self._board.tasks.item(task_id)
        if item is None:
            return f"the run has no task {task_id:.100}"
        if item.result is not None:
            return "it has ended"
        trouble = Trouble(cause=Cause.TASK_STOPPED, message="it was ended by `ptc stop`")
        working = self._board.tasks.give_up_item(item.id, trouble)
        self._wake.set()
        ended = [self._end_attempt(one, trouble) for one in working]
        return None if all(ended) else "it is ending"

    def _end_attempt(self, task_id: str, why: Trouble) -> bool:
        """Have a worker end its attempt at a task; return False if it is ending already."""
        running = self._board.workers.running
        attempt = next((one for one in running if one.task_id == task_id), None)
        if attempt is None or not self._attempts.abandon(attempt, why):
            return False
        self._loop.call_later(deadlines.STUCK_AFTER_S, self._lives.lose_with, attempt)
        return True

    # Workers.

    def _heard(self, worker: str, message: messages.Message) -> None:
        attempt = self._board.attempt_of(worker)
        match message:
            case messages.Hello() if self._lives.is_starting(worker):
                self._lives.greet(worker)
            case messages.Ready() if self._lives.is_starting(worker):
                self._lives.ready(worker)
            case messages.Begun(name) if attempt is not None and attempt.name == name:
                self._board.begun(worker)
            case messages.Look(name) if attempt is not None and attempt.name == name:
                self._attempts.look(attempt)
            case messages.Waits(name, seconds, why) if attempt is not None and attempt.name == name:
                self._attempts.hold(attempt, seconds, why)
            case messages.Recorded(name) if attempt is not None and attempt.name == name:
                self._attempts.record(worker, message)
            case messages.Ended(name) if attempt is not None and attempt.name == name:
                self._attempts.end(attempt, *end_of(attempt, message))
            case _:
                self._journal.append(
                    events.StaleMessage(worker=worker, message=f"{message!r:.500}")
                )

    def _placed(self, worker: str, node: str | None) -> None:
        self._lives.placed(worker, node)

    def _note(self, text: str) -> None:
        """Tell people of where workers live."""
        self._board.noted(text)
        self._wake.set()

    def _shut(self, why: str) -> None:
        """Launch no worker any more."""
        self._board.shut(why)
        self._wake.set()

    def _say(self, worker: str, message: messages.Message) -> None:
        self._crew.say(worker, message)

    def _lose(self, worker: str, why: str) -> None:
        self._lives.lose(worker, why)

    def stop(self, trouble: Trouble) -> None:
        """Begin nothing more and end all workers; what has not ended by then ends so."""
        if self._board.stopping is not None:
            return
        self._board.stopped(trouble)
        self._journal.append(events.RunStopping(why=trouble.message))
        for worker in self._board.workers.live:
            if worker.state is WorkerState.WAITING:
                self._lose(worker.name, "the run ends before it has a place")
            else:
                self._crew.say(worker.name, messages.Quit())
        self._loop.call_later(QUIT_GRACE_S, lambda: self._errand(self._end_crew()))
        self._wake.set()

    async def _end_crew(self) -> None:
        """End workers that did not end by themselves, so that the thread comes to its end."""
        await self._crew.end()
        for worker in self._board.workers.live:
            self._lose(worker.name, "ended by force")
