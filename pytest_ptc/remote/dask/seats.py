"""Seats on a Dask cluster: tasks of Dask's that hold places, each asked for until it is had once.

Of what Dask does again by itself nothing counts: a seat has a number, and gets its ticket only if
it is the one that was asked for last.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_ptc.remote.dask import node as on_node
from pytest_ptc.remote.dask.nodes import ANSWER_S, call_by_text
from pytest_ptc.remote.engine import EngineError, EngineGoneError, SeatFacts
from pytest_ptc.system.timeouts import within

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from distributed import Client, Future

    from pytest_ptc.remote.dask.bell import Bell
    from pytest_ptc.remote.dask.nodes import DaskNodes

#: Seconds before a seat that ended for nothing is asked for again.
_PAUSE_S = 0.3
#: Seconds before a node is told again what it has not answered.
_AGAIN_S = 1.0
#: Seconds for a node to take a seat, its supervisor's start among it.
_TAKE_S = 130.0


@dataclass(kw_only=True, slots=True, eq=False)
class _Seat:
    """A place that is asked for.

    Args:
        worker: The worker that it is for.
        ticket: What its node must know.
        number: How often it was asked for anew: what the last one tells counts.
        node: Where it is; None as long as it is nowhere.
        taken: Whether the supervisor there has it, so that pytest's side was told of it.
        offer: The conversation with the node that has offered a place.
        future: Dask's, of the task.
        given_up: Whether nobody wants it any more.
    """

    worker: str
    ticket: bytes
    number: int = 0
    node: str | None = None
    taken: bool = False
    offer: asyncio.Task[Any] | None = None
    future: Future[Any] | None = field(default=None, repr=False)
    given_up: bool = False


class DaskSeats:
    """The seats of a run. All is called in the loop of Dask's client.

    Args:
        client: Dask's, connected.
        run_id: The run.
        source: The hash of our modules, which a node must have.
        resource: The Dask resource of which each seat takes one; empty for none.
        nodes: The nodes.
        seated: Called with where a seat is, once for each.
        changed: Rung when there are other nodes, or another connection.
        gone: Returns why the scheduler is gone; None as long as it is there.
    """

    def __init__(
        self,
        client: Client,
        *,
        run_id: str,
        source: str,
        resource: str,
        nodes: DaskNodes,
        seated: Callable[[SeatFacts], None],
        changed: Bell,
        gone: Callable[[], str | None],
    ) -> None:
        self._client = client
        self._run_id = run_id
        self._source = source
        self._resources = {resource: 1} if resource else None
        self._nodes = nodes
        self._seated = seated
        self._changed = changed
        self._gone = gone
        self._seats: dict[str, _Seat] = {}
        self._talks: set[asyncio.Task[Any]] = set()

    async def seat(self, worker: str, ticket: bytes) -> str:
        """As `Engine.seat`."""
        seat = self._seats[worker] = _Seat(worker=worker, ticket=ticket)
        try:
            while (ended := await self._asked(seat)) is None:
                if not seat.taken:
                    seat.number += 1
            return ended
        finally:
            seat.given_up = True
            if self._seats.get(worker) is seat:
                del self._seats[worker]
            self._cancel(seat)

    def give_up(self, worker: str) -> None:
        """As `Engine.give_up`."""
        seat = self._seats.get(worker)
        if seat is not None:
            seat.given_up = True
            self._cancel(seat)
            self._changed.ring()

    def refuse(self, node: str, why: str) -> None:
        """As `Engine.refuse`: whoever calls has told of it."""
        self._nodes.refuse(node, why, tell=False)
        self._changed.ring()

    def offered(self, told: dict[str, Any]) -> None:
        """Answer a node that has a place for a seat."""
        worker, number, node = told.get("seat"), told.get("number"), told.get("node")
        if not (isinstance(worker, str) and isinstance(number, int) and isinstance(node, str)):
            return
        seat = self._seats.get(worker)
        wanted = seat is not None and seat.number == number and not seat.given_up
        if seat is None or not wanted or seat.node not in (None, node):
            self._talk(self._tell(worker, number, node, None))
        elif seat.offer is None or seat.offer.done():
            seat.node = node
            self._nodes.seen(node)
            seat.offer = self._talk(self._take(seat, node))

    async def close(self) -> None:
        """Free all seats."""
        nodes = {
            node for seat in self._seats.values() if (node := seat.node) in self._nodes and node
        }
        for worker in list(self._seats):
            self.give_up(worker)
        if nodes and self._gone() is None:
            with contextlib.suppress(Exception):
                await within(
                    self._client.run(
                        on_node.ptc_free, self._run_id, workers=list(nodes), on_error="ignore"
                    ),
                    ANSWER_S,
                )
        for talk in self._talks:
            talk.cancel()

    async def _asked(self, seat: _Seat) -> str | None:
        """Ask Dask for a place once; return how it ended, or None to ask again."""
        await self._connection()
        if seat.given_up:
            return "it was given up"
        if not seat.taken:
            seat.node = None
        elif seat.node not in self._nodes:
            return _left(seat)
        wanted = self._nodes.seatable if seat.node is None else (seat.node,)
        text = call_by_text("hold", self._run_id, seat.worker, seat.number, self._source)
        seat.future = self._client.submit(
            eval,
            *text,
            key=f"ptc-{self._run_id}-{seat.worker}-{seat.number}",
            pure=False,
            workers=None if wanted is None else list(wanted),
            allow_other_workers=False,
            resources=self._resources,
        )
        try:
            return await self._followed(seat, seat.future, wanted)
        finally:
            self._cancel(seat)

    async def _followed(
        self, seat: _Seat, future: Future[Any], wanted: tuple[str, ...] | None
    ) -> str | None:
        result = asyncio.ensure_future(_outcome(future))
        try:
            while True:
                ring = asyncio.shield(self._changed.next_ring)
                await asyncio.wait((result, ring), return_when=asyncio.FIRST_COMPLETED)
                ring.cancel()
                if seat.given_up:
                    return "it was given up"
                if (why := self._gone()) is not None:
                    raise EngineGoneError(why)
                if result.done():
                    return await self._ended(seat, *result.result())
                if seat.taken and seat.node not in self._nodes:
                    return _left(seat)
                if seat.node is None and self._nodes.seatable != wanted:
                    return None  # where it waits, it may wait for long; others may have a place
        finally:
            result.cancel()

    async def _ended(self, seat: _Seat, how: str, told: str) -> str | None:
        """Return how a seat's end counts; None to ask for another."""
        if seat.offer is not None and not seat.offer.done():
            await asyncio.wait({seat.offer}, timeout=ANSWER_S)
        if how == "lost":
            # With the connection, or by somebody who ends all that is on the cluster.
            await asyncio.sleep(_PAUSE_S)
            return None
        if how == "failed":
            raise EngineError(f"Dask gave the seat of {seat.worker} up: {told}")
        if seat.taken:
            # Elsewhere Dask has made the seat anew.
            left = told != seat.node
            return _left(seat) if left else f"its place at {seat.node} is free"
        if how == "unfit":
            await self._nodes.ask(told)
        await asyncio.sleep(_PAUSE_S)
        return None

    async def _take(self, seat: _Seat, node: str) -> None:
        """Give a node the seat's ticket, and tell pytest's side who has it."""
        if not self._nodes.is_fit(node):
            # It has joined since the last look: nothing may be sent there yet.
            await self._nodes.ask(node)
            self._changed.ring()
        if not self._nodes.is_fit(node):
            await self._free(seat.worker, seat.number, node)
            seat.node = None
            return
        how = "unheard"
        while how == "unheard" and not seat.given_up and node in self._nodes:
            how, answer = await self._tell(seat.worker, seat.number, node, seat.ticket)
            if how == "unheard":
                await asyncio.sleep(_AGAIN_S)
        if how == "taken" and not seat.given_up:
            with contextlib.suppress(msgspec.DecodeError):
                facts = msgspec.msgpack.decode(answer, type=SeatFacts)
                if not seat.taken:
                    seat.taken = True
                    self._seated(msgspec.structs.replace(facts, worker=seat.worker, node=node))
                return
        if how == "refused":
            self._nodes.refuse(node, answer.decode(errors="replace"))
            self._changed.ring()
        if not seat.taken:
            seat.node = None

    async def _tell(
        self, worker: str, number: int, node: str, ticket: bytes | None
    ) -> tuple[str, bytes]:
        told = (self._run_id, worker, number, ticket)
        try:
            answer = await self._nodes.run(node, _TAKE_S, on_node.ptc_ticket, *told)
            return msgspec.convert(answer, tuple[str, bytes])
        except (EngineError, msgspec.ValidationError):
            return "unheard", b""  # the node says it again, if it is there

    def _talk(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        talk = asyncio.ensure_future(work)
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)
        return talk

    def _cancel(self, seat: _Seat) -> None:
        """Have Dask forget a seat's task, and its node free the place."""
        future, seat.future = seat.future, None
        if future is None:
            return
        if future.done():
            # Else Dask keeps its result for as long as anything, a traceback say, knows of it.
            future.release()
            return
        self._talk(self._forget(future))
        if seat.node is not None and (seat.given_up or not seat.taken):
            self._talk(self._free(seat.worker, seat.number, seat.node))

    async def _free(self, worker: str, number: int, node: str) -> None:
        """Have a node free a place: one that nobody knows of would be held to the run's end."""
        while node in self._nodes and self._gone() is None:
            how, _ = await self._tell(worker, number, node, None)
            if how != "unheard":
                return
            await asyncio.sleep(_AGAIN_S)

    async def _forget(self, future: Future[Any]) -> None:
        with contextlib.suppress(Exception):
            await within(self._client.cancel([future], force=True), ANSWER_S)

    async def _connection(self) -> None:
        """Return when the scheduler is there.

        Raises:
            EngineGoneError: It is gone for good.
        """
        while (why := self._gone()) is None and self._client.status != "running":
            await asyncio.shield(self._changed.next_ring)
        if why is not None:
            raise EngineGoneError(why)


def _left(seat: _Seat) -> str:
    return f"its node {seat.node} has left the cluster"


async def _outcome(future: Future[Any]) -> tuple[str, str]:
    """Return how a seat's task ended: what it says and its node, `lost`, or `failed` and why."""
    try:
        how, node = await future
    except asyncio.CancelledError:
        if future.status == "cancelled":
            return "lost", ""
        raise
    except Exception as error:  # noqa: BLE001 - whatever Dask makes of a task's end
        if future.status in ("cancelled", "lost"):
            return "lost", ""
        return "failed", f"{type(error).__name__}: {error}"
    return str(how), str(node)
