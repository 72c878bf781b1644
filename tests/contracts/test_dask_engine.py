"""The engine that is a Dask cluster, on a cluster of real processes."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from distributed import Client

from pytest_ptc.remote.dask.engine import DaskEngine, DaskPlan
from pytest_ptc.remote.engine import EngineError, SeatFacts
from pytest_ptc.remote.fitness import NodeNeeds
from pytest_ptc.remote.own_code import source_digest
from pytest_ptc.remote.transport import Address
from tests.support.dask_cluster import PATIENCE_S, DaskCluster, dask_cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

CANARY = "canary-4711"
SEATS = ("--resources", "seats=2")
NEEDS = NodeNeeds(
    python="{}.{}".format(*sys.version_info),
    version=version("pytest-ptc"),
    source=source_digest(),
    programs={"git": "what is sent"},
)


class Told:
    """What an engine has told, and the engine."""

    def __init__(self, address: str | None, run_id: str, **more: Any) -> None:
        plan = {"needs": NEEDS, "workers": 4, **more}
        parsed = None if address is None else Address.parse(address)
        self.engine = DaskEngine(DaskPlan(address=parsed, run_id=run_id, **plan))
        self.seated: list[SeatFacts] = []
        self.refused: list[tuple[str, str]] = []
        self.seats: dict[str, asyncio.Task[str]] = {}

    def ask(self, *workers: str, more: str = "") -> None:
        """Ask for seats; the tickets are secret."""
        for worker in workers:
            ticket = f"{worker}-{CANARY}{more}".encode()
            self.seats[worker] = asyncio.ensure_future(self.engine.seat(worker, ticket))

    async def seats_of(self, *workers: str) -> list[SeatFacts]:
        """Return where seats are, when all are somewhere."""
        await eventually(lambda: {*workers} <= {seat.worker for seat in self.seated})
        return [next(s for s in self.seated if s.worker == worker) for worker in workers]

    async def ended(self, worker: str) -> str:
        """Return how a seat ended."""
        return await asyncio.wait_for(self.seats[worker], PATIENCE_S)


async def eventually(holds: Any) -> None:
    """Return when something holds."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until
        await asyncio.sleep(0.05)


@asynccontextmanager
async def opened(address: str | None, run_id: str, **more: Any) -> AsyncIterator[Told]:
    """Yield an open engine, and close it."""
    told = Told(address, run_id, **more)
    try:
        await told.engine.open(told.seated.append, lambda *node: told.refused.append(node))
        yield told
    finally:
        await told.engine.close()
        await told.engine.close()
        await asyncio.gather(*told.seats.values(), return_exceptions=True)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """Give all tests of this module one cluster of two nodes."""
    with dask_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        for name in ("na", "nb"):
            cluster.start(name, *SEATS)
        yield cluster


def test_seats_are_had_and_calls_reach_their_supervisors(cluster: DaskCluster) -> None:
    """On as many nodes as there are; what was secret is nowhere in Dask, and nothing is left."""

    async def played() -> str:
        async with opened(cluster.address, "run-1") as told:
            told.ask("w1", "w2", "w3", "w4")
            seats = await told.seats_of("w1", "w2", "w3", "w4")
            assert len({seat.pid for seat in seats}) == 2
            for seat in seats:
                heard = await told.engine.call(seat.node, "say", CANARY.encode())
                assert heard == f"{seat.pid} run-1 say {CANARY}".encode()
            with pytest.raises(EngineError, match="ValueError"):
                await told.engine.call(seats[0].node, "hear", f"fail {CANARY}".encode())
            with pytest.raises(EngineError, match="not in the cluster"):
                await told.engine.call("tcp://127.0.0.1:1", "hear", b"")
            # A fifth has no place before one is given up.
            told.ask("w5")
            told.engine.give_up("w1")
            assert await told.ended("w1") == "it was given up"
            await told.seats_of("w5")
            assert [seat.worker for seat in told.seated].count("w2") == 1
            async with Client(cluster.address, asynchronous=True, set_as_default=False) as other:
                kept = f"{await other.get_events()} {await other.run_on_scheduler(tasks_of)}"
        assert {*told.seats} == {"w1", "w2", "w3", "w4", "w5"}
        assert all(seat.done() for seat in told.seats.values())
        async with Client(cluster.address, asynchronous=True, set_as_default=False) as other:
            assert await other.run_on_scheduler(tasks_of) == []
            await eventually_free(other)
            return kept + str(await other.get_events())

    kept = asyncio.run(played())
    assert "run-1" in kept
    assert CANARY not in kept
    assert CANARY not in cluster.logged()


def tasks_of(dask_scheduler: Any) -> list[str]:
    """Return what a scheduler knows of tasks."""
    return [f"{task} {task.run_spec}" for task in dask_scheduler.tasks.values()]


async def eventually_free(client: Client) -> None:
    """Return when no node is in the middle of a task."""
    until = time.monotonic() + PATIENCE_S
    while any((await client.run(busy)).values()):
        assert time.monotonic() < until
        await asyncio.sleep(0.05)


def busy(dask_worker: Any) -> int:
    """Return how many threads of a node are in a task."""
    return len(dask_worker.active_threads)
