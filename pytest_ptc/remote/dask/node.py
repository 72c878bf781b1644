"""What runs in a process of Dask's on a node, besides our supervisor.

A seat's task says that it has a place, and waits for its ticket, which comes by a call: what Dask
keeps of a task, in its scheduler and its logs, holds nothing secret. Nothing here raises, because
Dask logs what a function was called with that did.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import shutil
import threading
from concurrent.futures import Future
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import dask.config
import msgspec
from distributed import get_worker

from pytest_ptc.model.errors import PtcError
from pytest_ptc.remote import node as supervisors
from pytest_ptc.remote.own_code import source_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The hash of this package's modules when this process loaded it.
SOURCE = source_digest()
#: Seconds until a seat says again that it has a place: its first word may have been lost.
OFFER_S = 2.0
#: How often it says so; then nobody waits for it.
_OFFERS = 15
#: Seconds between two looks whether the Dask worker is being closed.
_LOOK_S = 1.0
#: Seconds that a supervisor has to end what it has when its Dask worker is being closed.
_CLOSE_S = 10.0
#: Seconds that a supervisor may take to begin, its code among it.
_TAKE_S = 120.0
_ALIVE = frozenset({"init", "starting", "running", "paused"})


class _Offer:
    """A place that a seat has, and what pytest's side says to it."""

    def __init__(self) -> None:
        self.ticket: bytes | None = None
        #: Set when there is a ticket, or the place is not wanted.
        self.told = threading.Event()
        #: Set when the place is not wanted any more.
        self.freed = threading.Event()
        #: How the supervisor has taken it.
        self.answer: Future[tuple[str, bytes]] = Future()


#: The places of this process, by run, worker, and the number of the attempt at a seat.
_PLACES: dict[tuple[str, str, int], _Offer] = {}
_LOCK = threading.Lock()


def topic(run_id: str) -> str:
    """Return the name under which seats of a run say that they have a place."""
    return f"ptc-{run_id}"


def facts(programs: tuple[str, ...]) -> dict[str, Any]:
    """Return what a node that has this package tells of it."""
    return {
        "version": version("pytest-ptc"),
        "source": source_digest(),
        "in_memory": SOURCE,
        "programs": [name for name in programs if shutil.which(name)],
    }


def hold(run_id: str, worker: str, number: int) -> str:
    """Hold a place until it is free, in a thread of Dask's.

    Returns:
        `free`; `refused` by the supervisor; `unwanted`; or `unheard`, if nobody gave a ticket.
    """
    _quiet()
    key = (run_id, worker, number)
    with _LOCK:
        if key in _PLACES:
            return "unwanted"  # a thread of this process has it
        offer = _PLACES[key] = _Offer()
    try:
        return _held(run_id, worker, number, offer)
    finally:
        with _LOCK:
            del _PLACES[key]
        if not offer.answer.done():
            offer.answer.set_result(("unwanted", b""))


def _held(run_id: str, worker: str, number: int, offer: _Offer) -> str:
    worker_process = get_worker()
    for _ in range(_OFFERS):
        with contextlib.suppress(Exception):
            worker_process.log_event(
                topic(run_id), {"seat": worker, "number": number, "node": worker_process.address}
            )
        if offer.told.wait(OFFER_S) or worker_process.status.name not in _ALIVE:
            break
    else:
        return "unheard"
    ticket, offer.ticket = offer.ticket, None
    if ticket is None:
        return "unwanted"
    seat = _taken(ticket, worker_process.address, offer.answer)
    if seat is None:
        return "refused"
    while not offer.freed.is_set() and not seat.wait(_LOOK_S):
        if worker_process.status.name not in _ALIVE:
            # In order, as a batch system's job does before its time is over.
            with contextlib.suppress(Exception):
                seat.close(_CLOSE_S)
            break
    return "free"


def _taken(ticket: bytes, node: str, answer: Future[tuple[str, bytes]]) -> supervisors.Seat | None:
    """Have the run's supervisor take a place, and tell pytest's side how it has."""
    try:
        seat = supervisors.take_seat(ticket, node, daskless(os.environ))
        answer.set_result(("taken", msgspec.msgpack.encode(seat.facts)))
    except PtcError as error:
        answer.set_result(("refused", str(error).encode()))
    except Exception as error:  # noqa: BLE001 - see above
        why = f"{platform.node()}: {type(error).__name__}: {error}"
        answer.set_result(("refused", why.encode()))
    else:
        return seat
    return None


def daskless(environ: Mapping[str, str]) -> dict[str, str | None]:
    """Return which variables agents must not have that Dask has set for its own sake.

    It bounds the threads of libraries of numbers, for its own tasks, and may hand its configuration
    on, with keys in it.
    """
    defaults = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    ours = {name for name, value in defaults.items() if environ.get(name) == str(value)}
    return dict.fromkeys((ours | {"DASK_INTERNAL_INHERIT_CONFIG"}) & set(environ))


# Dask runs these in the event loop of the worker's process; their names are those in its log.


async def ptc_ticket(
    run_id: str, worker: str, number: int, ticket: bytes | None
) -> tuple[str, bytes]:
    """Give a place its ticket, or none if it is not wanted; return how it was taken."""
    offer = _PLACES.get((run_id, worker, number))
    if offer is None:
        return "unwanted", b""
    if not offer.told.is_set():
        offer.ticket = ticket
        offer.told.set()
    if ticket is None:
        offer.freed.set()
        return "unwanted", b""
    # It may be asked twice, and whoever waits may go: the answer stays.
    waiting = asyncio.shield(asyncio.wrap_future(offer.answer))
    try:
        return await asyncio.wait_for(waiting, _TAKE_S)
    except asyncio.TimeoutError:
        return "refused", f"its supervisor did not begin within {_TAKE_S:.0f} s".encode()


async def ptc_free(run_id: str) -> None:
    """Free all places of a run."""
    for (run, _, _), offer in list(_PLACES.items()):
        if run == run_id:
            offer.freed.set()
            offer.told.set()


async def ptc_call(payload: bytes) -> tuple[str, bytes]:
    """Ask the run's supervisor in this process; return `ok` and its answer, or `error` and why."""
    try:
        answer: bytes = await asyncio.wrap_future(supervisors.answer(payload))
    except Exception as error:  # noqa: BLE001 - as above
        return "error", f"{type(error).__name__}: {error}".encode()
    return "ok", answer


class _Quiet(logging.Filter):
    """Keeps out the line that Dask logs for each call, several a second."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.args not in ((ptc_call.__name__,), (ptc_ticket.__name__,))


_QUIET = _Quiet()


def _quiet() -> None:
    logging.getLogger("distributed.worker").addFilter(_QUIET)
