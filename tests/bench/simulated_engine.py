"""An engine whose nodes are played: frames, calls and leases are pytest's own, at its end.

A node answers calls as a supervisor does: it says what it has to say when it is asked, at the
latest after a third of the lease. One of them is lost in the middle of the run.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_ptc.remote import frame_kinds as frames
from pytest_ptc.remote.engine import Engine, EngineError, Op, SeatFacts
from pytest_ptc.remote.frames import Inbox, Outbox
from tests.bench.simulated_workers import Players, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

#: How many nodes there are, and for how many workers each has a place.
NODES, SEATS = 100, 5
LEASE_S = 15.0
#: Seconds after which the first node is lost.
LOST_AFTER_S = 25.0


class SimulatedNode:
    """A node, in the thread of the stage; a place where workers are heard.

    Args:
        name: Its address.
        stage: The thread.
    """

    def __init__(self, name: str, stage: Stage) -> None:
        self.name = name
        self.workers: set[str] = set()
        self.lost = False
        self._stage = stage
        self._players = Players(stage, self)
        self._outbox, self._inbox = Outbox(self._news), Inbox()
        #: Who waits for news.
        self._answer: Callable[[bytes], None] | None = None

    def __repr__(self) -> str:
        return f"<SimulatedNode {self.name}>"

    def facts(self, worker: str) -> SeatFacts:
        """Return what is told of a worker's seat."""
        return SeatFacts(
            worker=worker,
            node=f"tcp://{self.name}:8786",
            supervisor=self.name,
            host=self.name,
            pid=1,
            python="3.11.7",
            version="0",
        )

    def lose(self) -> None:
        """Answer nothing any more."""
        self.lost = True

    def call(self, payload: bytes, answer: Callable[[bytes], None]) -> None:
        """Take a call, and answer it in time."""
        if self.lost:
            return
        match frames.decode_call(payload):
            case frames.Hear(_, _, _, arrived):
                self._outbox.arrived(arrived)
                self._answer = answer
                if len(self._outbox):
                    self._say()
                else:
                    self._stage.later(LEASE_S / 3, partial(self._say_to, answer))
            case frames.Say(_, _, first, load):
                for text in self._inbox.take(first, load):
                    self._take(frames.decode_to_node(text))
                answer(frames.encode(frames.Said(self._inbox.last)))

    def _news(self) -> None:
        if self._answer is not None:
            # What else there is at this moment goes with it.
            self._stage.later(0.002, partial(self._say_to, self._answer))

    def _say_to(self, answer: Callable[[bytes], None]) -> None:
        if self._answer is answer:
            self._say()

    def _say(self) -> None:
        assert self._answer is not None, "checked by the callers"
        answer, self._answer = self._answer, None
        if not self.lost:
            answer(frames.encode(frames.Heard(*self._outbox.load())))

    def _put(self, frame: frames.FromNode) -> None:
        self._outbox.put(frames.encode(frame))

    def _take(self, frame: frames.ToNode) -> None:
        match frame:
            case frames.Setup():
                self._put(frames.Opened("process", None, None))
            case frames.Start(worker):
                self._players.start(worker)
            case frames.Line(worker, text):
                self._players.hear(worker, text)
            case frames.Bury(number, worker, why):
                self._players.kill(worker)
                self._put(frames.Buried(number, f"{why}: killed by signal 9", "Killed"))
            case frames.Close():
                self._players.end("ended by force")
                self._put(frames.Closed())

    # Where its workers are heard.

    def tell(self, worker: str, line: bytes) -> None:
        """Pass on a line of a worker."""
        self._put(frames.Line(worker, line))

    def gone(self, worker: str, why: str) -> None:
        """Pass on the end of a worker."""
        self._put(frames.Gone(worker, why))

    def leave(self, worker: str, attempt: str, name: str, text: bytes) -> None:
        """Carry a file that a worker leaves for people."""
        del worker
        self._put(frames.File(attempt, name, 0, text))


class SimulatedEngine(Engine):
    """Implements `Engine`."""

    def __init__(self) -> None:
        self._stage = Stage()
        self._nodes = {
            f"node-{n:03}": SimulatedNode(f"node-{n:03}", self._stage) for n in range(NODES)
        }
        self._by_address = {node.facts("").node: node for node in self._nodes.values()}
        self._waiting: list[str] = []
        self._seats: dict[str, tuple[SimulatedNode | None, asyncio.Future[str]]] = {}

    @property
    def name(self) -> str:
        """Return what it is called."""
        return "simulated"

    def check(self) -> None:
        """It can always be reached."""

    async def open(
        self, seated: Callable[[SeatFacts], None], refused: Callable[[str, str], None]
    ) -> None:
        """Take who is told of seats."""
        del refused
        self._loop = asyncio.get_running_loop()
        self._seated = seated
        first = next(iter(self._nodes.values()))
        self._stage.later(LOST_AFTER_S, first.lose)

    async def seat(self, worker: str, ticket: bytes) -> str:
        """Find a place on the node that has the fewest workers, or wait for one."""
        del ticket
        ended: asyncio.Future[str] = self._loop.create_future()
        self._seats[worker] = (None, ended)
        self._waiting.append(worker)
        self._find()
        return await ended

    def _find(self) -> None:
        while self._waiting:
            open_nodes = [node for node in self._nodes.values() if not node.lost]
            node = min(open_nodes, key=lambda one: len(one.workers))
            if len(node.workers) >= SEATS:
                return
            worker = self._waiting.pop(0)
            node.workers.add(worker)
            self._seats[worker] = (node, self._seats[worker][1])
            self._loop.call_later(0.05, self._seated, node.facts(worker))

    async def call(self, node: str, op: Op, payload: bytes) -> bytes:
        """Call a node in its thread."""
        del op
        answered: asyncio.Future[bytes] = self._loop.create_future()

        def answer(text: bytes) -> None:
            # The loop may have ended.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_set, answered, text)

        found = self._by_address.get(node)
        if found is None:
            raise EngineError(f"there is no node {node}")
        self._stage.later(0.0, partial(found.call, payload, answer))
        return await answered

    def refuse(self, node: str, why: str) -> None:
        """Every node is fit."""

    def give_up(self, worker: str) -> None:
        """Free a seat, or ask for it no longer."""
        node, ended = self._seats.pop(worker, (None, None))
        if worker in self._waiting:
            self._waiting.remove(worker)
        if node is not None:
            node.workers.discard(worker)
        if ended is not None and not ended.done():
            ended.set_result("it was given up")
        self._find()

    async def close(self) -> None:
        """End the play."""
        self._stage.close()


def _set(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)
