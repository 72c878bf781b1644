"""The life of a worker: launched, placed, greeted, ready, and lost, however that is noticed.

All of it runs in the loop of the supervisor, which decides when a worker is launched and takes the
messages of workers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_ptc.coordinator.crew import Remains
from pytest_ptc.interfaces import messages
from pytest_ptc.journal import events
from pytest_ptc.model.lifecycle import WorkerState
from pytest_ptc.model.trouble import Cause, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pytest_ptc.coordinator.attempts import Attempts
    from pytest_ptc.coordinator.board import Board
    from pytest_ptc.coordinator.crew import Crew
    from pytest_ptc.interfaces.launch import AgentLaunch
    from pytest_ptc.journal.run_journal import Journal
    from pytest_ptc.model.result import Attempt
    from pytest_ptc.model.task import TaskSpec


class WorkerLives:
    """The workers of a run, from their launch to their burial.

    Args:
        board: The board, which belongs to the supervisor as well.
        crew: The run's workers themselves.
        attempts: What they are on.
        journal: The run's journal.
        agent_of: Returns how a worker makes a task's agent; None for that of its launch file.
        errand: Runs a coroutine beside the loop.
        wake: Wakes the loop, since the board has changed.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        board: Board,
        crew: Crew,
        attempts: Attempts,
        journal: Journal,
        agent_of: Callable[[TaskSpec], AgentLaunch | None],
        errand: Callable[[Coroutine[Any, Any, None]], None],
        wake: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._board = board
        self._crew = crew
        self._attempts = attempts
        self._journal = journal
        self._agent_of = agent_of
        self._errand = errand
        self._wake = wake
        self._clock = clock

    def __repr__(self) -> str:
        return f"<WorkerLives {[worker.name for worker in self._board.workers.live]}>"

    def launch(self, worker: str) -> None:
        """Have an errand start a worker."""
        self._board.launched(worker, self._clock())
        self._errand(self._crew.launch(worker))

    def placed(self, worker: str, node: str | None) -> None:
        """Take a worker as being started from now on: it may have waited for a place."""
        self._board.placed(worker, node, self._clock())
        self._wake()

    def is_starting(self, worker: str) -> bool:
        """Tell whether a worker has a place and has not called in."""
        found = self._board.workers.get(worker)
        return found is not None and found.state is WorkerState.STARTING

    def greet(self, worker: str) -> None:
        """Tell a worker that has started what to get ready for, or that there is nothing to do."""
        if self._board.stopping is not None:
            self._crew.say(worker, messages.Quit())
            return
        like = self._board.next_spec(worker)
        if like is None:
            self._crew.say(worker, messages.Prepare(None))
        else:
            seen = like.for_agent.to_json()
            self._crew.say(worker, messages.Prepare(seen, self._agent_of(like)))

    def ready(self, worker: str) -> None:
        """Take a worker as one that can be given a task."""
        self._board.called_in(worker, self._clock())
        self._journal.append(events.WorkerReady(worker=worker))
        self._wake()

    def lose(self, worker: str, why: str) -> None:
        """Take a worker as gone, however that was noticed; an errand ends what is left of it."""
        found = self._board.workers.get(worker)
        if found is not None and found.state is not WorkerState.GONE:
            attempt = self._board.died(worker, self._clock())
            # Taken now: the worker's message that the attempt ended may still come before the
            # burial.
            cookie = self._attempts.cookie_of(attempt) if attempt is not None else None
            self._errand(self._bury(worker, why, attempt, cookie))
            self._wake()

    def lose_with(self, attempt: Attempt) -> None:
        """End a worker that has not ended its attempt as it was told to."""
        if self._board.attempt_of(attempt.worker) == attempt:
            self.lose(attempt.worker, "it did not end its task when told to")

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
            self._attempts.end(attempt, self._cause_of_death(worker, remains))
        self._wake()

    def _cause_of_death(self, worker: str, remains: Remains) -> Trouble:
        if self._board.stopping is not None:
            return self._board.stopping
        found = self._board.workers.get(worker)
        # A lost node ends many tasks at once: what is the same for all is told once.
        who = f"worker {worker}" if found is None or found.node is None else "its worker"
        message = f"{who} ended in the middle of its task: {remains.ended}"
        return Trouble(cause=Cause.WORKER_LOST, message=message, evidence=remains.tail)
