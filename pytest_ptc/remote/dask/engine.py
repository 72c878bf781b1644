"""The engine that is a Dask cluster.

Talk goes over the cluster's own connections, through its scheduler: nothing has to be reachable
that was not so before, and TLS is the cluster's. Dask's client has a thread and a loop of its own:
the coordinator cancels what is left in its loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from distributed import Client
from distributed.security import Security

from pytest_ptc.remote.dask import node as on_node
from pytest_ptc.remote.dask.bell import Bell
from pytest_ptc.remote.dask.cluster import LocalDask
from pytest_ptc.remote.dask.connection import check_scheduler, import_dask
from pytest_ptc.remote.dask.nodes import ANSWER_S, DaskNodes, call_by_text
from pytest_ptc.remote.dask.seats import DaskSeats
from pytest_ptc.remote.engine import EngineError, EngineGoneError
from pytest_ptc.remote.fitness import LOGS_MESSAGES
from pytest_ptc.remote.transport import Address, clear_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from pytest_ptc.remote.engine import Op, SeatFacts
    from pytest_ptc.remote.fitness import NodeNeeds

_T = TypeVar("_T")

#: Seconds without the scheduler after which it is gone for good.
GONE_AFTER_S = 10.0
#: Seconds in which a scheduler that is there has answered nothing: it is stopped, or gone as well.
UNHEARD_S = 60.0
#: Seconds for the end of all.
_END_S = 15.0
#: Seconds between two looks at the connection, and at which nodes there are.
_GLANCE_S = 0.2
_LOOK_S = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class DaskPlan:
    """What is asked of a cluster.

    Args:
        address: Where its scheduler is; None for one that is made for the run, on this machine.
        run_id: The run.
        needs: What a node must have.
        workers: How many seats a cluster needs that is made for the run.
        resource: The Dask resource of which each seat takes one; empty for none.
        insecure: Whether connections without TLS may leave this machine.
        secrets: What the run sends that is secret, in words.
        call_s: Seconds after which a call counts as not answered.
    """

    address: Address | None
    run_id: str
    needs: NodeNeeds
    workers: int
    resource: str = ""
    insecure: bool = False
    secrets: Sequence[str] = ()
    call_s: float = 30.0


class DaskEngine:
    """A Dask cluster, as `interfaces` of `remote/engine.py` has it.

    Args:
        plan: What is asked of it.
    """

    name = "dask"
    #: There is none before it is opened: a run may turn out to have no task.
    _loop: asyncio.AbstractEventLoop

    def __init__(self, plan: DaskPlan) -> None:
        self._plan = plan
        self._thread = threading.Thread(target=self._turn, name="ptc-dask", daemon=True)
        self._client: Client | None = None
        self._cluster: LocalDask | None = None
        self._seats: DaskSeats | None = None
        self._nodes: DaskNodes | None = None
        self._watch: asyncio.Task[None] | None = None
        self._why_gone: str | None = None
        self._closed = False
        self._quiet = _OtherThreads(self._thread)

    def __repr__(self) -> str:
        return f"<DaskEngine {self._plan.address or 'local'}>"

    def check(self) -> None:
        if self._plan.address is None:
            import_dask(local=True)
        else:
            check_scheduler(self._plan.address)

    async def open(
        self, seated: Callable[[SeatFacts], None], refused: Callable[[str, str], None]
    ) -> None:
        ours = asyncio.get_running_loop()

        def tell(callback: Callable[..., None]) -> Callable[..., None]:
            def told(*facts: Any) -> None:
                with contextlib.suppress(RuntimeError):  # the run is over, and its loop closed
                    ours.call_soon_threadsafe(callback, *facts)

            return told

        self._loop = asyncio.new_event_loop()
        self._thread.start()
        for handler in logging.getLogger("distributed").handlers:
            handler.addFilter(self._quiet)
        await self._there(self._open(tell(seated), tell(refused)))

    async def seat(self, worker: str, ticket: bytes) -> str:
        return await self._there(self._opened.seat(worker, ticket))

    async def call(self, node: str, op: Op, payload: bytes) -> bytes:
        del op  # what is asked is in the payload, too
        return await self._there(self._call(node, payload))

    def refuse(self, node: str, why: str) -> None:
        self._soon(self._opened.refuse, node, why)

    def give_up(self, worker: str) -> None:
        self._soon(self._opened.give_up, worker)

    def _soon(self, call: Callable[..., None], *arguments: object) -> None:
        if not self._closed:
            self._loop.call_soon_threadsafe(call, *arguments)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._thread.is_alive():
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._there(self._close()), _END_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            await asyncio.to_thread(self._thread.join, ANSWER_S)
            if not self._thread.is_alive():
                self._loop.close()
        if self._cluster is not None:
            await asyncio.to_thread(self._cluster.close)
        for handler in logging.getLogger("distributed").handlers:
            handler.removeFilter(self._quiet)

    @property
    def _opened(self) -> DaskSeats:
        if self._seats is None:
            raise EngineError("the engine is not open")
        return self._seats

    async def _there(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return what some work in the loop of Dask's client comes to."""
        if not self._thread.is_alive():
            work.close()
            raise EngineGoneError("the engine is closed")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    # In the thread of Dask's client.

    async def _open(
        self, seated: Callable[[SeatFacts], None], refused: Callable[[str, str], None]
    ) -> None:
        address, security = str(self._plan.address), None
        if self._plan.address is None:
            self._cluster = await asyncio.to_thread(LocalDask, -(-max(1, self._plan.workers) // 2))
            told = await asyncio.to_thread(self._cluster.told)
            address = told.pop("address")
            security = Security(require_encryption=True, **told)
        try:
            # Nobody else is at work yet whom it could matter to that warnings are no errors.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._client = Client(
                    address,
                    asynchronous=True,
                    name="pytest-ptc",
                    security=security,
                    set_as_default=False,
                    timeout=GONE_AFTER_S,
                )
                # Dask's own limit does not hold for a scheduler that says nothing at all.
                await asyncio.wait_for(self._client, 2 * GONE_AFTER_S)
        except (OSError, asyncio.TimeoutError, ImportError, RuntimeError, ValueError) as error:
            why = str(error) or "it does not answer"
            raise EngineGoneError(f"the scheduler {address} cannot be reached: {why}") from None
        await self._refuse_log(self._client, address)
        changed = Bell()
        self._nodes = DaskNodes(
            self._client,
            self._plan.needs,
            resource=self._plan.resource,
            closed_to=self._closed_to,
            refused=refused,
            changed=changed,
        )
        self._seats = DaskSeats(
            self._client,
            run_id=self._plan.run_id,
            source=self._plan.needs.source,
            resource=self._plan.resource,
            nodes=self._nodes,
            seated=seated,
            changed=changed,
            gone=lambda: self._why_gone,
        )
        self._subscribe()
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await self._nodes.look()
        self._watch = asyncio.ensure_future(self._watched(self._client, self._nodes, changed))

    async def _refuse_log(self, client: Client, address: str) -> None:
        """Go to no scheduler that would have what we send in its log.

        Raises:
            EngineGoneError: It would.
        """
        try:
            text = call_by_text("logs_messages")
            logs = await asyncio.wait_for(client.run_on_scheduler(eval, *text), GONE_AFTER_S)
        except Exception as error:  # noqa: BLE001 - of Dask's, which has many
            raise EngineGoneError(
                f"the scheduler {address} does not answer ({type(error).__name__})"
            ) from None
        if logs:
            raise EngineGoneError(f"the scheduler {address} cannot be used: {LOGS_MESSAGES}")

    def _closed_to(self, node: str) -> str | None:
        address = Address.parse(node)
        if address is None or address.scheme not in ("tls", "tcp"):
            return f"{node}: workers cannot be reached there: use tls://"
        return clear_problem(address, insecure=self._plan.insecure, secrets=self._plan.secrets)

    def _subscribe(self) -> None:
        assert self._client is not None
        seats = self._opened

        def told(event: tuple[float, Any]) -> None:
            if isinstance(event[1], dict):
                seats.offered(event[1])

        self._client.subscribe_topic(on_node.topic(self._plan.run_id), told)

    async def _watched(self, client: Client, nodes: DaskNodes, changed: Bell) -> None:
        """Look after the connection and the nodes, until the scheduler is gone."""
        was, next_look, heard = "running", 0.0, self._loop.time()
        scheduler = f"the scheduler {self._plan.address or 'of the run'}"
        while self._why_gone is None:
            await asyncio.sleep(_GLANCE_S)
            status, now = str(client.status), self._loop.time()
            if status in ("closing", "closed"):
                self._why_gone = f"{scheduler} is gone"
            elif now - heard > UNHEARD_S:
                self._why_gone = f"{scheduler} is gone: it has not answered for {UNHEARD_S:.0f} s"
                changed.ring()
            elif status == "running" and was != "running":
                # To the scheduler this is another client.
                self._subscribe()
            if status != was:
                changed.ring()
            was = status
            if status == "running" and now >= next_look:
                with contextlib.suppress(Exception):
                    await nodes.look()
                    heard = self._loop.time()
                next_look = self._loop.time() + _LOOK_S

    async def _call(self, node: str, payload: bytes) -> bytes:
        if self._why_gone is not None:
            raise EngineGoneError(self._why_gone)
        if self._nodes is None:
            raise EngineError("the engine is not open")
        answered = await self._nodes.run(node, self._plan.call_s, on_node.ptc_call, payload)
        try:
            how, answer = msgspec.convert(answered, tuple[str, bytes])
        except msgspec.ValidationError as error:
            raise EngineError(f"node {node}: {error}") from None
        if how != "ok":
            raise EngineError(f"node {node}: {answer.decode(errors='replace')}")
        return answer

    async def _close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self._seats is not None:
            await self._seats.close()
        if self._client is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._client.close(), ANSWER_S)
        # What is left waits for a scheduler that is not there.
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._loop.shutdown_default_executor()


class _OtherThreads(logging.Filter):
    """Lets through what Dask logs in other threads: what it logs in ours, we tell.

    Args:
        ours: The thread of our client.
    """

    def __init__(self, ours: threading.Thread) -> None:
        super().__init__()
        self._ours = ours

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._ours.ident
