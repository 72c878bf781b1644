"""An engine whose nodes are all in this process, and whose calls fail on demand.

Real are the nodes' supervisors, their hosts, and their workers. The engine is this module: seats
are threads, calls are function calls, and a test says which of them are lost, late or repeated.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.remote import node as nodes
from pytest_ptc.remote.engine import EngineError, EngineGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pytest_ptc.interfaces.host import Host
    from pytest_ptc.remote.engine import Op, SeatFacts


class InProcessEngine:
    """Implements `Engine`.

    Args:
        run_id: The run's id.
        places: How many seats each node has, by its name.
        unfit: Nodes that lack what workers need.
    """

    name = "here"

    def __init__(
        self, run_id: str, places: dict[str, int], unfit: Collection[str] = frozenset()
    ) -> None:
        self.run_id = run_id
        self._unfit = unfit
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
        self._tickets: dict[str, bytes] = {}
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
        self._loop = asyncio.get_running_loop()

    async def seat(self, worker: str, ticket: bytes) -> str:
        """Find a place on the node that has the most left, and hold it until it is free."""
        while (node := self._free_node()) is None:
            if worker in self._given_up:
                return "given up"
            self._changed.clear()
            await self._changed.wait()
        self._left[node] -= 1
        self._tickets[worker] = ticket
        try:
            seat = self._take(worker, node)
            while not await asyncio.to_thread(seat.wait, 0.05):
                if self.gone is not None:
                    raise EngineGoneError(self.gone)
        finally:
            self._left[node] += 1
            self._changed.set()
        return "free"

    def _take(self, worker: str, node: str) -> nodes.Seat:
        with pytest.MonkeyPatch.context() as here:
            if node in self._unfit:
                here.setattr(nodes, "make_node_host", _no_host)
            seat = self.seats[worker] = nodes.take_seat(self._tickets[worker], node)
        self._seated(seat.facts)
        return seat

    def make_again(self, seat: nodes.Seat, node: str) -> nodes.Seat:
        """Make a seat again on another node, as after the loss of one; in another thread."""
        again = nodes.take_seat(self._tickets[seat.facts.worker], node)
        self._loop.call_soon_threadsafe(self._seated, again.facts)
        return again

    def go(self, why: str) -> None:
        """Be gone for good; in another thread."""
        self.gone = why
        self._loop.call_soon_threadsafe(self._changed.set)

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
        """Return a node that has a place left; None where all are taken.

        Raises:
            EngineError: There will never be one.
        """
        if self.gone is not None:
            raise EngineGoneError(self.gone)
        fit = {node: left for node, left in self._left.items() if node not in self.refused_nodes}
        if not fit:
            told = "; ".join(f"{node}: {why}" for node, why in self.refused_nodes.items())
            raise EngineError(f"no node is fit: {told}")
        found = {node: left for node, left in fit.items() if node not in self.cut and left > 0}
        return max(found, key=lambda node: found[node], default=None)


def _no_host(*_: str) -> Host:
    raise ConfigError("no tmux here")
