"""The workers of a run, from their launch until they are gone and accounted for. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.errors import IllegalMove
from pytest_ptc.model.lifecycle import WorkerState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_ptc.model.result import Attempt

#: Seconds until a worker is launched again after one was refused a place; doubled each time.
FIRST_PAUSE_S = 1.0
MAX_PAUSE_S = 30.0
#: So many times in a row that costs no restart.
MAX_FREE_REFUSALS = 10


@dataclass(kw_only=True, slots=True)
class Worker:
    """One worker on the board.

    Args:
        name: `w1`, `w2`, ...
        state: Where it stands.
        since: When it came into its state, or was given its attempt.
        attempt: The attempt that it was given and that has not ended.
        lost_with: The attempt that it was on when it went, whose processes may live until it is
            buried.
        begun: Whether it has reported that it began that attempt.
        buried: Whether it is known how it ended, and nothing of it is left.
        node: The node that it has a place on; None without one, and on this machine.
    """

    name: str
    state: WorkerState
    since: float
    attempt: Attempt | None = None
    lost_with: Attempt | None = None
    begun: bool = False
    buried: bool = False
    node: str | None = None


class Loss(NamedTuple):
    """How a worker ended: its name, what its host says of that, and its last lines."""

    worker: str
    ended: str
    tail: str


class Workers:
    """The workers of one run. One leaves when it is gone, is buried, and its attempt has ended."""

    def __init__(self) -> None:
        self._by_name: dict[str, Worker] = {}
        #: How many have been launched, also those that never had a place.
        self.launches = 0
        #: How many of those were lost before they had a place, and cost no restart.
        self.unplaced = 0
        #: No worker is launched before that: the last ones were refused a place.
        self.pause_until = -math.inf
        #: Why no worker can be launched any more, if so.
        self.shut: str | None = None
        self._refusals = 0
        self._refusal = -math.inf
        #: How often workers have died before one has ever called in, and when one last did.
        self.unready_deaths = 0
        self._unready_death = -math.inf
        self._startable = False
        #: The last of which it became known how it ended.
        self.last_lost: Loss | None = None

    def __repr__(self) -> str:
        return f"<Workers {sorted(self._by_name)}>"

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> Worker:
        return self._by_name[name]

    def get(self, name: str) -> Worker | None:
        """Return a worker; None for one that has left."""
        return self._by_name.get(name)

    @property
    def live(self) -> list[Worker]:
        """Return those that are not gone, in the order in which they were started."""
        return [worker for worker in self if worker.state is not WorkerState.GONE]

    @property
    def idle(self) -> list[Worker]:
        """Return those that wait for a task."""
        return [worker for worker in self if worker.state is WorkerState.IDLE]

    @property
    def starting(self) -> list[Worker]:
        """Return those that have a place and have not called in yet."""
        return [worker for worker in self if worker.state is WorkerState.STARTING]

    @property
    def running(self) -> list[Attempt]:
        """Return the attempts that have not ended, those of workers that are gone among them."""
        return [worker.attempt for worker in self if worker.attempt is not None]

    @property
    def at_work(self) -> list[Attempt]:
        """Return the attempts that have not ended, or of which processes may still be there."""
        attempts = [worker.attempt or worker.lost_with for worker in self]
        return [attempt for attempt in attempts if attempt is not None]

    @property
    def awaits_burial(self) -> bool:
        """Tell whether there is a gone worker of which it is not known yet how it ended."""
        return any(worker.state is WorkerState.GONE and not worker.buried for worker in self)

    def launch(self, name: str, now: float) -> None:
        """Take a worker that is asked a place for."""
        self.launches += 1
        self._by_name[name] = Worker(name=name, state=WorkerState.WAITING, since=now)

    def place(self, name: str, node: str | None, now: float) -> None:
        """Take a worker as being started from now on, on this node."""
        self._enter(name, WorkerState.WAITING, WorkerState.STARTING, now).node = node

    def call_in(self, name: str, now: float) -> None:
        """Take a started worker as idle."""
        self._enter(name, WorkerState.STARTING, WorkerState.IDLE, now)
        # One worker has started: later deaths before a call-in are not caused by how workers start.
        self._startable = True
        self.unready_deaths = 0
        self._refusals, self.pause_until = 0, -math.inf

    def give(self, attempt: Attempt, now: float) -> None:
        """Take the worker of an attempt as busy with it."""
        busy = self._enter(attempt.worker, WorkerState.IDLE, WorkerState.BUSY, now)
        busy.attempt, busy.begun = attempt, False

    def end(self, attempt: Attempt, now: float) -> bool:
        """Take the worker of an attempt as done with it; False where it is not on it."""
        worker = self.get(attempt.worker)
        if worker is None or worker.attempt != attempt:
            return False
        worker.attempt = None
        if worker.state is WorkerState.BUSY:
            self._enter(worker.name, WorkerState.BUSY, WorkerState.IDLE, now)
        self._let_go(worker)
        return True

    def die(self, name: str, now: float) -> Attempt | None:
        """Take a worker as gone and return the attempt it was on, which is still to be ended."""
        gone = self._by_name[name]
        if gone.state is WorkerState.WAITING:
            self._refuse(gone, now)
        # Workers that were starting together may have died of one cause, such as the end of their
        # tmux server: only the death of one that was started since then counts again.
        unready = gone.state in (WorkerState.WAITING, WorkerState.STARTING)
        if unready and gone.since >= self._unready_death and not self._startable:
            self.unready_deaths += 1
            self._unready_death = now
        gone.state, gone.since = WorkerState.GONE, now
        gone.lost_with = gone.attempt
        return gone.attempt

    def bury(self, loss: Loss) -> None:
        """Take how a gone worker ended."""
        self.last_lost = loss
        worker = self._by_name[loss.worker]
        worker.buried, worker.lost_with = True, None
        self._let_go(worker)

    def _refuse(self, gone: Worker, now: float) -> None:
        """Take a worker that never had a place: nothing of it was started, or has failed.

        A node that refuses is sooner free for the next than one that works: so the next one waits,
        ever longer. Those that were refused together count once.
        """
        if gone.since >= self._refusal:
            pause = FIRST_PAUSE_S * 2 ** min(self._refusals, MAX_FREE_REFUSALS)
            self._refusals += 1
            self._refusal, self.pause_until = now, now + min(pause, MAX_PAUSE_S)
        if self._refusals <= MAX_FREE_REFUSALS:
            self.unplaced += 1

    def _let_go(self, worker: Worker) -> None:
        if worker.state is WorkerState.GONE and worker.buried and worker.attempt is None:
            del self._by_name[worker.name]

    def _enter(self, name: str, state: WorkerState, to: WorkerState, now: float) -> Worker:
        worker = self._by_name[name]
        if worker.state is not state:
            raise IllegalMove(f"worker {name}", worker.state, to)
        worker.state, worker.since = to, now
        return worker
