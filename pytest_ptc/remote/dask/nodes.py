"""The nodes of a Dask cluster: each is asked once what it has, before it gets a seat."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_ptc.remote.dask import seat
from pytest_ptc.remote.engine import EngineError
from pytest_ptc.remote.fitness import NodeFacts, why_unfit
from pytest_ptc.system.timeouts import within

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

    from pytest_ptc.remote.dask.bell import Bell
    from pytest_ptc.remote.fitness import NodeNeeds

#: Seconds for what Dask and our functions on nodes answer at once.
ANSWER_S = 5.0


def call_by_text(function: str, *arguments: object) -> tuple[str, dict[str, Any]]:
    """Return what `eval` takes to call a function of `seat.py` where we are not installed."""
    text = inspect.getsource(seat)
    return f"[exec({text!r}, there := {{}}), there[{function!r}](*{arguments!r})][1]", {}


class DaskNodes:
    """Which nodes there are, and which of them can have workers.

    Args:
        client: Dask's, connected.
        needs: What a node must have.
        resource: The Dask resource that it must offer; empty for none.
        closed_to: Returns why nothing may be sent to an address; None if it may.
        refused: Called with a node that gets no seats, and why.
        changed: Rung when there are other nodes than before.
    """

    def __init__(
        self,
        client: Client,
        needs: NodeNeeds,
        *,
        resource: str,
        closed_to: Callable[[str], str | None],
        refused: Callable[[str, str], None],
        changed: Bell,
    ) -> None:
        self._client = client
        self._needs = needs
        self._resource = resource
        self._closed_to = closed_to
        self._refused = refused
        self._changed = changed
        #: Why each node that was asked gets no seats; None if it gets some.
        self._asked: dict[str, str | None] = {}
        self._present: set[str] = set()
        self._named: set[tuple[str, str]] = set()

    def __contains__(self, node: object) -> bool:
        return node in self._present

    def seen(self, node: str) -> None:
        """Count a node as there: it has just said something."""
        self._present.add(node)

    def is_fit(self, node: str) -> bool:
        """Tell whether a node was asked, and may have workers."""
        return node in self._asked and self._asked[node] is None

    def refuse(self, node: str, why: str, *, tell: bool = True) -> None:
        """Let a node have no seats, and tell of it once."""
        self._asked[node] = why
        if tell and (node, why) not in self._named:
            self._refused(node, why)
        self._named.add((node, why))

    @property
    def seatable(self) -> tuple[str, ...] | None:
        """Return the nodes that may have seats; None while none is known, not an unfit one either.

        Raises:
            EngineError: No node may: each is named, with its reason.
        """
        fit = tuple(sorted(n for n in self._present if self._asked.get(n, "") is None))
        # One that does not answer may do so yet.
        fit = fit or tuple(sorted(self._present - set(self._asked)))
        unfit = [why for node in sorted(self._present) if (why := self._asked.get(node))]
        if unfit and not fit:
            raise EngineError("no node of the cluster can have workers: " + "; ".join(unfit))
        return fit or None

    async def look(self) -> None:
        """Find out which nodes there are, and ask those that are new."""
        there = await within(self._offering(), ANSWER_S)
        if self._present != set(there):
            self._present = set(there)
            self._changed.ring()
        before = dict(self._asked)
        # A node that comes back at its old address may have been put right.
        self._asked = {node: why for node, why in self._asked.items() if node in there}
        await asyncio.gather(*(self.ask(node) for node in there if node not in self._asked))
        if self._asked != before:
            self._changed.ring()

    async def _offering(self) -> set[str]:
        """Return the nodes that have a place for us at all: others are nobody's business."""
        if not self._resource:
            return set(await self._client.nthreads())
        scheduler: Any = self._client.scheduler
        told = await scheduler.identity()
        return {
            node
            for node, about in told["workers"].items()
            if about["resources"].get(self._resource, 0) >= 1
        }

    async def ask(self, node: str) -> None:
        """Ask a node what it has; one that does not answer is asked again at the next look."""
        why = self._closed_to(node)
        if why is None:
            facts = await self._facts(node)
            if facts is None:
                return
            why = why_unfit(facts, self._needs)
        if why is None:
            self._asked[node] = None
        else:
            self.refuse(node, why)

    async def run(self, node: str, limit: float, function: Callable[..., Any], *told: Any) -> Any:
        """Call a function in a node's process; it may be called twice.

        Dask would try for 30 s to reach a node that is not there any more.

        Args:
            node: The node.
            limit: Seconds for the answer.
            function: One that is the same there.
            *told: What it is called with; Dask logs it only if it raises.

        Raises:
            EngineError: No answer.
        """
        work = asyncio.ensure_future(
            self._client.run(function, *told, workers=[node], on_error="return")
        )
        try:
            await within(self._answered(node, work), limit)
            answer = work.result()[node]
        except EngineError:
            raise
        except Exception as error:  # noqa: BLE001 - of Dask's, which has many
            raise EngineError(f"node {node}: no answer ({type(error).__name__})") from None
        finally:
            work.cancel()
        if isinstance(answer, BaseException):
            raise EngineError(f"node {node}: no answer ({type(answer).__name__})")
        return answer

    async def _answered(self, node: str, work: asyncio.Future[Any]) -> None:
        """Return when a node has answered.

        Raises:
            EngineError: It cannot answer any more.
        """
        while not work.done():
            if self._client.status != "running":
                raise EngineError("the connection with the scheduler is interrupted")
            if node not in self._present:
                raise EngineError(f"node {node} is not in the cluster")
            ring = asyncio.shield(self._changed.next_ring)
            await asyncio.wait((work, ring), return_when=asyncio.FIRST_COMPLETED)
            ring.cancel()

    async def _facts(self, node: str) -> NodeFacts | None:
        text = call_by_text("facts", tuple(self._needs.programs))
        try:
            return msgspec.convert(await self.run(node, ANSWER_S, eval, *text), NodeFacts)
        except msgspec.ValidationError as error:
            # Of a node's own making, as all that is told by one.
            return NodeFacts(
                host=node, pid=0, platform="", python=self._needs.python, problem=str(error)
            )
        except EngineError:
            return None
