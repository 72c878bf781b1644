"""What an engine calls in its process on a node: seats are taken here, and calls answered."""

from __future__ import annotations

import os
import platform
import re
import secrets
import threading
from concurrent.futures import Future
from importlib.metadata import version
from typing import TYPE_CHECKING

import msgspec

from pytest_ptc.remote import frame_kinds as frames
from pytest_ptc.remote.engine import SeatFacts
from pytest_ptc.remote.frames import FrameError
from pytest_ptc.remote.node_host import make_node_host
from pytest_ptc.remote.node_supervisor import NodeSupervisor
from pytest_ptc.remote.sent_code import unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The supervisors of this process, by run and name.
_SUPERVISORS: dict[tuple[str, str], NodeSupervisor] = {}
#: The open one of each, by run and node: an engine may have several nodes in one process.
_OPEN: dict[tuple[str, str], NodeSupervisor] = {}
#: Names of supervisors that have ended with all that they had started.
_ENDED: set[str] = set()
_LOCK = threading.Lock()


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What a seat is for.

    Args:
        run: The run's id.
        worker: The worker.
        lease: Seconds that what is started on the node may live without pytest's machine.
    """

    run: str
    worker: str
    lease: float

    def encode(self) -> bytes:
        """Return it as bytes."""
        return msgspec.msgpack.encode(self)


class Seat:
    """A place that is held for one worker.

    Args:
        supervisor: The run's supervisor on the node.
        facts: Where it is.
        free: Set when it is free.
    """

    def __init__(self, supervisor: NodeSupervisor, facts: SeatFacts, free: threading.Event) -> None:
        self.facts = facts
        self._supervisor = supervisor
        self._free = free

    def __repr__(self) -> str:
        return f"<Seat of {self.facts.worker} at {self.facts.supervisor}>"

    def wait(self, timeout: float) -> bool:
        """Wait until it is free, at most for so many seconds; tell whether it is."""
        return self._free.wait(timeout)

    def close(self, timeout: float) -> None:
        """Have all of the run on this node end, and wait for that: the engine ends its process.

        Args:
            timeout: Seconds to wait at most.
        """
        self._supervisor.close()
        self._supervisor.join(timeout)


def take_seat(ticket: bytes, node: str, environ: Mapping[str, str | None] = {}) -> Seat:
    """Hold a place for a worker in this process.

    Args:
        ticket: The encoded `Ticket`.
        node: The engine's address of this process.
        environ: Changes that the engine asks of the workers' environment; None removes a variable
            that it has set for its own sake.
    """
    wanted = msgspec.msgpack.decode(ticket, type=Ticket)
    with _LOCK:
        _retire_ended()
        supervisor = _OPEN.get((wanted.run, node))
        # One that is ending was not heard for too long: another begins anew beside it.
        if supervisor is None or not supervisor.is_open:
            name = _new_name()
            supervisor = _OPEN[wanted.run, node] = NodeSupervisor(
                name=name,
                run_id=wanted.run,
                lease=wanted.lease,
                make_host=make_node_host,
                unpack=unpack,
                environ=dict(environ),
            )
            _SUPERVISORS[wanted.run, name] = supervisor
    facts = SeatFacts(
        worker=wanted.worker,
        node=node,
        supervisor=supervisor.name,
        host=platform.node(),
        pid=os.getpid(),
        python=platform.python_version(),
        version=version("pytest-ptc"),
    )
    return Seat(supervisor, facts, supervisor.hold(wanted.worker))


def answer(payload: bytes) -> Future[bytes]:
    """Return the answer to a call of pytest's machine, in time; it is never an exception."""
    try:
        call = frames.decode_call(payload)
    except FrameError as error:
        return _at_once(frames.Refused(str(error)))
    with _LOCK:
        _retire_ended()
        supervisor = _SUPERVISORS.get((call.run, call.supervisor))
        if supervisor is None:
            why = f"there is no supervisor {call.supervisor} of run {call.run} here"
            return _at_once(frames.Refused(why, ended=call.supervisor in _ENDED))
    try:
        return supervisor.answer(call)
    except RuntimeError:
        return _at_once(frames.Refused(f"supervisor {call.supervisor} is ending"))


def _retire_ended() -> None:
    """Forget supervisors that have ended: a cluster outlives many runs."""
    for key, supervisor in list(_SUPERVISORS.items()):
        if supervisor.is_over:
            del _SUPERVISORS[key]
            _ENDED.add(supervisor.name)
    for key, supervisor in list(_OPEN.items()):
        if supervisor.is_over:
            del _OPEN[key]


def _at_once(refused: frames.Refused) -> Future[bytes]:
    done: Future[bytes] = Future()
    done.set_result(frames.encode(refused))
    return done


def _new_name() -> str:
    """Return the name of a supervisor: random, since containers share host names and pids."""
    host = re.sub(r"[^A-Za-z0-9-]", "", platform.node().partition(".")[0])[-12:] or "node"
    return f"{host}-{secrets.token_hex(3)}"
