"""An engine with one node that says and answers what a test tells it to."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from pytest_ptc.remote import frame_kinds as frames
from pytest_ptc.remote.engine import SeatFacts
from pytest_ptc.remote.frames import Inbox, Outbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_ptc.remote.engine import Op

FACTS = SeatFacts(
    worker="w1",
    node="node-1",
    supervisor="s-1",
    host="machine",
    pid=1,
    python="3.11",
    version="1",
)


class ScriptedEngine:
    """Implements `Engine`; a test may replace what any call answers."""

    name = "scripted"

    def __init__(self) -> None:
        self.answer: dict[str, Callable[[frames.Call], bytes]] = {}
        self.calls: Counter[str] = Counter()
        #: What the node was told, in order.
        self.told: list[frames.ToNode] = []
        #: The last frame of the node that pytest's machine has said to have.
        self.arrived = 0
        self.refused: list[str] = []
        self.seated: Callable[[SeatFacts], None] = lambda _: None
        #: Set when all seats are free, and how many there were.
        self.free = asyncio.Event()
        self.waiting = 0
        self.given_up: set[str] = set()
        #: How each question for a seat ends at once; when there is none more, it is held.
        self.seats: list[str | BaseException] = []
        self._inbox = Inbox()
        self._outbox = Outbox()

    def tell(self, *told: frames.FromNode) -> None:
        """Have the node say this."""
        for frame in told:
            self._outbox.put(frames.encode(frame))

    def check(self) -> None:
        """It is there."""

    async def open(
        self, seated: Callable[[SeatFacts], None], refused: Callable[[str, str], None]
    ) -> None:
        del refused
        self.seated = seated

    async def seat(self, worker: str, ticket: bytes) -> str:
        del ticket
        if not self.seats:
            self.waiting += 1
            while not (self.free.is_set() or worker in self.given_up):  # noqa: ASYNC110 - two ends
                await asyncio.sleep(0.005)
            return "free"
        ended = self.seats.pop(0)
        if isinstance(ended, BaseException):
            raise ended
        return ended

    async def call(self, node: str, op: Op, payload: bytes) -> bytes:
        del node
        self.calls[op] += 1
        await asyncio.sleep(0.005)
        call = frames.decode_call(payload)
        if op in self.answer:
            return self.answer[op](call)
        if isinstance(call, frames.Hear):
            self.arrived = call.arrived
            self._outbox.arrived(call.arrived)
            return frames.encode(frames.Heard(*self._outbox.load()))
        for one in self._inbox.take(call.first, call.frames):
            self.told.append(frames.decode_to_node(one))
            if isinstance(self.told[-1], frames.Close):
                self.tell(frames.Closed())
        return frames.encode(frames.Said(self._inbox.last))

    def refuse(self, node: str, why: str) -> None:
        del why
        self.refused.append(node)

    def give_up(self, worker: str) -> None:
        self.given_up.add(worker)

    async def close(self) -> None:
        """There is nothing to close."""
