"""An engine whose nodes are all in this process, and whose calls fail on demand.

Real are the nodes' supervisors, their hosts, and their workers. The engine is this module: seats
are threads, calls are function calls, and a test says which of them are lost, late or repeated.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING

from pytest_ptc.remote import node as nodes
from pytest_ptc.remote.engine import EngineError, EngineGoneError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_ptc.remote.engine import Op, SeatFacts


class InProcessEngine:
    """Implements `Engine`.

    Args:
        run_id: The run's id.
        places: How many seats each node has, by its name.
    """

    name = "here"

    def __init__(self, run_id: str, places: dict[str, int]) -> None:
        self.run_id = run_id
        self._left = dict(places)
        #: Nodes whose calls do not arrive, and those whose answers do not.
        self.cut: set[str] = set()
        self.deaf: set[str] = set()
        #: How often each call is made in place of once.
        self.times = 1
        #: Set when it is gone for good.
        self.gone: str | None = None
        #: How many calls were made, by their names.
        self.calls: Counter[str] = Counter()
        self.refused_nodes: dict[str, str] = {}
        self.seats: dict[str, nodes.Seat] = {}
        self._given_up: set[str] = set()
        self._seated: Callable[[SeatFacts], None] = lambda _: None
        self._changed = asyncio.Event()

    def check(self) -> None:
        """It is there."""

    async def open(
        self, seated: Callable[[SeatFacts], None], refused: Callable[[str, str], None]
    ) -> None:
        """Take who is told of seats."""
        del refused
        self._seated = seated

    async def seat(self, worker: str, ticket: bytes) -> str:
        """Find a place on the node that has the most left, and hold it."""
        while (node := self._free_node()) is None:
            if worker in self._given_up:
                return "given up"
            if not any(name not in self.refused_nodes for name in self._left):
                raise EngineError(
                    "; ".join(f"{one}: {why}" for one, why in self.refused_nodes.items())
                )
            self._changed.clear()
            await self._changed.wait()
        self._left[node] -= 1
        try:
            return await self.hold(node, worker, ticket)
        finally:
            self._left[node] += 1
            self._changed.set()

    async def hold(self, node: str, worker: str, ticket: bytes) -> str:
        """Hold a seat on this node until it is free; a test may have it made again elsewhere."""
        seat = self.seats[worker] = nodes.take_seat(ticket, node)
        self._seated(seat.facts)
        await asyncio.to_thread(_wait, seat)
        return "free"

    async def call(self, node: str, op: Op, payload: bytes) -> bytes:
        """Call a node, as often as it is to be."""
        self.calls[op] += 1
        if self.gone is not None:
            raise EngineGoneError(self.gone)
        if node in self.cut:
            raise EngineError(f"{node} cannot be reached")
        answers = [asyncio.wrap_future(nodes.answer(payload)) for _ in range(self.times)]
        answer = (await asyncio.gather(*answers))[0]
        if node in self.deaf or node in self.cut:
            raise EngineError(f"the answer of {node} was lost")
        return answer

    def refuse(self, node: str, why: str) -> None:
        """Find no more places there."""
        self.refused_nodes[node] = why
        self._changed.set()

    def give_up(self, worker: str) -> None:
        """Look for no place for a worker any more."""
        self._given_up.add(worker)
        self._changed.set()

    async def close(self) -> None:
        """There is nothing to close."""

    def _free_node(self) -> str | None:
        fit = {node: left for node, left in self._left.items() if node not in self.refused_nodes}
        best = max(fit, key=lambda node: fit[node], default=None)
        return best if best is not None and fit[best] > 0 else None


def _wait(seat: nodes.Seat) -> None:
    threading.current_thread().name = f"seat of {seat.facts.worker}"
    while not seat.wait(1.0):
        pass
