"""The protocol of engines, which carry workers' places to nodes, and words to and from them.

A *node* is one process of the engine's on some machine. A *seat* is a task of the engine's that
holds a place for one worker on a node. It starts nothing: what is started there, pytest's side says
over calls. So whatever an engine does again by itself, as it does when it has lost a node, starts
nothing twice.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import msgspec

from pytest_ptc.model.errors import PtcError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

#: What a node can be asked: what it has to tell, or to take what it is told.
Op = Literal["hear", "say"]


class EngineError(PtcError):
    """A call did not reach its node, or its answer did not come back; it may have been made.

    Also: the engine itself is gone, see `EngineGoneError`.
    """


class EngineGoneError(EngineError):
    """The engine is gone for good: no call will ever be answered, no seat found."""


async def asked_of_engine(work: Coroutine[Any, Any, T]) -> T:
    """Return what something comes to that an engine was asked.

    Raises:
        EngineError: It has failed, in whatever way: an engine's own cancellations are no end of
            ours.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task})
    finally:
        task.cancel()
    if task.cancelled():
        raise EngineError("the engine has cancelled it")
    error = task.exception()
    if error is None or isinstance(error, EngineError):
        return task.result()
    raise EngineError(f"{type(error).__name__}: {error}") from error


class SeatFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Where a seat is, as the node tells it.

    Args:
        worker: The worker that it is for.
        node: The engine's address of the node; what `Engine.call` takes.
        supervisor: The name of our supervisor in that process: random, new for each supervisor.
        host: The machine's name.
        pid: The node's process there.
        python: The version of its Python.
        version: The version of pytest-ptc there.
        attach: The command with which a person on that machine can watch; None if there is none.
    """

    worker: str
    node: str
    supervisor: str
    host: str
    pid: int
    python: str
    version: str
    attach: str | None = None


class Engine(Protocol):
    """A cluster on which workers find places.

    All methods are called in one event loop, that of the coordinator, `check` apart.
    """

    @property
    def name(self) -> str:
        """Return the engine's name, as the option `--ptc-host` has it."""

    def check(self) -> None:
        """Find out whether the engine can be used at all, and leave nothing open.

        Called before anything of the run is made, in any thread. It takes 3 s at most.

        Raises:
            ConfigError: It cannot be reached, refuses us, or is none; the message says the fix.
        """

    async def open(
        self, seated: Callable[[SeatFacts], None], refused: Callable[[str, str], None]
    ) -> None:
        """Connect.

        Args:
            seated: Called when a seat is taken, once for each place: again with another node or
                supervisor if the engine has lost the first one and made the seat anew. Its worker
                is known to that supervisor then.
            refused: Called with a node and why it gets no seats, once for each node.

        Raises:
            EngineError: It cannot be reached any more.
        """

    async def seat(self, worker: str, ticket: bytes) -> str:
        """Ask for a place for a worker, and return how that ended when it has.

        It waits as long as it takes: nodes may be in a batch system's queue.

        Args:
            worker: The worker.
            ticket: What the supervisor needs to know of it. It may be secret: it is given to the
                node that has the seat, and to nobody else.

        Raises:
            EngineError: There can be no place: the engine is gone, or no node is fit, each with
                its reason.
        """

    async def call(self, node: str, op: Op, payload: bytes) -> bytes:
        """Call the run's supervisor on a node; it may be called twice.

        Args:
            node: `SeatFacts.node`.
            op: What for.
            payload: May be secret.

        Raises:
            EngineError: No answer. Whoever calls again waits a little before that.
        """

    def refuse(self, node: str, why: str) -> None:
        """Ask for no more seats on a node: it has turned out that it cannot have our workers."""

    def give_up(self, worker: str) -> None:
        """Ask no longer for a worker's place: its seat is free, or is never taken."""

    async def close(self) -> None:
        """Free all seats and disconnect; it does not raise, and may be called again."""
