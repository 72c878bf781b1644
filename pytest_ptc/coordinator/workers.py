"""The workers of a run, from their launch until they are gone and accounted for. Pure."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.coordinator.deadlines import Deadline, deadline_of
from pytest_ptc.model.errors import IllegalMove
from pytest_ptc.model.lifecycle import WorkerState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pytest_ptc.model.result import Attempt

#: Seconds until a worker is launched again after one was refused a place; doubled each time.
FIRST_PAUSE_S = 1.0
MAX_PAUSE_S = 30.0
#: So many times in a row that costs no restart.
MAX_FREE_REFUSALS = 10
#: So many deadlines are kept beside those that count.
MAX_VOID_DEADLINES = 1000


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
        timeout: Seconds that its attempt may take.
        group: The group of its attempt's task.
        node: The node that it has a place on; None without one, and on this machine.
    """

    name: str
    state: WorkerState
    since: float
    attempt: Attempt | None = None
    lost_with: Attempt | None = None
    begun: bool = False
    buried: bool = False
    timeout: float | None = None
    group: str | None = None
    node: str | None = None

    @property
    def deadline(self) -> Deadline | None:
        """Return by when it must have moved; None where nothing is expected of it."""
        return deadline_of(
            self.name, self.state, self.since, timeout=self.timeout, begun=self.begun
        )


class Loss(NamedTuple):
    """How a worker ended: its name, what its host says of that, and its last lines."""

    worker: str
    ended: str
    tail: str


class Workers:
    """The workers of one run. One leaves when it is gone, is buried, and its attempt has ended."""

    def __init__(self) -> None:
        self._by_name: dict[str, Worker] = {}
        #: Those in each state, in the order in which they came into it.
        self._in_state: dict[WorkerState, dict[str, Worker]] = {one: {} for one in WorkerState}
        #: The attempts that have not ended, by their workers.
        self._running: dict[str, Attempt] = {}
        #: The groups at work, by the workers.
        self._groups: dict[str, str] = {}
        #: A heap of deadlines; those are void that are not their worker's any more.
        self._deadlines: list[Deadline] = []
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

    def __len__(self) -> int:
        return len(self._by_name)

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
    def idle(self) -> Collection[str]:
        """Return the names of those that wait for a task, the one that waits longest first."""
        return self._in_state[WorkerState.IDLE].keys()

    @property
    def starting(self) -> Collection[str]:
        """Return the names of those that have a place and have not called in yet, in order."""
        return self._in_state[WorkerState.STARTING].keys()

    def count(self, *states: WorkerState) -> int:
        """Return how many are in one of these states."""
        return sum(len(self._in_state[state]) for state in states)

    @property
    def running(self) -> Collection[Attempt]:
        """Return the attempts that have not ended, those of workers that are gone among them."""
        return self._running.values()

    @property
    def groups_at_work(self) -> frozenset[str]:
        """Return the groups of attempts that have not ended, or that may still have processes."""
        return frozenset(self._groups.values())

    @property
    def awaits_burial(self) -> bool:
        """Tell whether there is a gone worker of which it is not known yet how it ended."""
        return any(not worker.buried for worker in self._in_state[WorkerState.GONE].values())

    @property
    def deadline(self) -> Deadline | None:
        """Return the first of all deadlines; None where there is none."""
        while self._deadlines:
            first = self._deadlines[0]
            worker = self.get(first.worker)
            if worker is not None and worker.deadline == first:
                return first
            heapq.heappop(self._deadlines)
        return None

    def launch(self, name: str, now: float) -> None:
        """Take a worker that is asked a place for."""
        self.launches += 1
        worker = Worker(name=name, state=WorkerState.WAITING, since=now)
        self._by_name[name] = self._in_state[WorkerState.WAITING][name] = worker

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

    def give(self, attempt: Attempt, now: float, *, timeout: float, group: str | None) -> None:
        """Take the worker of an attempt as busy with it.

        Args:
            attempt: The attempt.
            now: The time.
            timeout: Seconds that it may take.
            group: The group of its task.
        """
        busy = self._by_name[attempt.worker]
        self._enter(busy.name, WorkerState.IDLE, WorkerState.BUSY, now)
        busy.attempt, busy.begun, busy.timeout, busy.group = attempt, False, timeout, group
        self._account(busy)

    def hand_over(self, attempt: Attempt, now: float) -> None:
        """Take an attempt as given to its worker: its time begins."""
        worker = self._by_name[attempt.worker]
        worker.since = now
        self._account(worker)

    def begin(self, name: str) -> None:
        """Take a worker as at work on its attempt."""
        worker = self._by_name[name]
        worker.begun = True
        self._account(worker)

    def end(self, attempt: Attempt, now: float) -> bool:
        """Take the worker of an attempt as done with it; False where it is not on it."""
        worker = self.get(attempt.worker)
        if worker is None or worker.attempt != attempt:
            return False
        worker.attempt = worker.timeout = None
        if worker.state is WorkerState.BUSY:
            self._enter(worker.name, WorkerState.BUSY, WorkerState.IDLE, now)
        self._account(worker)
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
        gone.lost_with = gone.attempt
        self._enter(name, gone.state, WorkerState.GONE, now)
        return gone.attempt

    def bury(self, loss: Loss) -> None:
        """Take how a gone worker ended."""
        self.last_lost = loss
        worker = self._by_name[loss.worker]
        worker.buried, worker.lost_with = True, None
        self._account(worker)

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

    def _enter(self, name: str, state: WorkerState, to: WorkerState, now: float) -> Worker:
        worker = self._by_name[name]
        if worker.state is not state:
            raise IllegalMove(f"worker {name}", worker.state, to)
        del self._in_state[state][name]
        self._in_state[to][name] = worker
        worker.state, worker.since = to, now
        self._account(worker)
        return worker

    def _account(self, worker: Worker) -> None:
        """Have all that is known of the workers together agree with one that has changed."""
        name = worker.name
        if worker.attempt is not None:
            self._running[name] = worker.attempt
        else:
            self._running.pop(name, None)
        at_work = worker.attempt is not None or worker.lost_with is not None
        if at_work and worker.group is not None:
            self._groups[name] = worker.group
        else:
            self._groups.pop(name, None)
        if worker.state is WorkerState.GONE and worker.buried and worker.attempt is None:
            del self._by_name[name], self._in_state[WorkerState.GONE][name]
        elif (deadline := worker.deadline) is not None:
            heapq.heappush(self._deadlines, deadline)
            if len(self._deadlines) > MAX_VOID_DEADLINES + len(self._by_name):
                there = (worker.deadline for worker in self)
                self._deadlines = sorted(one for one in there if one is not None)
