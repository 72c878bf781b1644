"""The engine that is a Dask cluster, on a cluster of real processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import socketserver
import sys
import threading
import time
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import dask.config
import msgspec
import psutil
import pytest
import trustme
from distributed import Client

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.remote.dask import engine
from pytest_ptc.remote.dask.connection import CHECK_S, check_scheduler
from pytest_ptc.remote.dask.engine import GONE_AFTER_S, DaskEngine, DaskPlan
from pytest_ptc.remote.engine import EngineError, EngineGoneError, SeatFacts
from pytest_ptc.remote.fitness import NodeNeeds
from pytest_ptc.remote.own_code import source_digest
from pytest_ptc.remote.transport import Address
from tests.support.dask_cluster import PATIENCE_S, ROOT, DaskCluster, dask_cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

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
            # What Dask's nanny has set for the sake of Dask's own tasks is not for agents.
            assert "OMP_NUM_THREADS" in seats[0].version.split(",")
            for seat in seats:
                heard = await told.engine.call(seat.node, "say", CANARY.encode())
                assert heard == f"{seat.pid} {CANARY}".encode()
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


@pytest.mark.fault("node-lost")
def test_a_node_that_is_killed_frees_its_seats_and_starts_nothing_again(
    cluster: DaskCluster,
) -> None:
    """Dask makes its seats anew elsewhere: they are not wanted, and others may have the place."""

    async def played() -> None:
        async with opened(cluster.address, "run-2") as told:
            told.ask("w1", "w2", "w3")
            lost, *_ = await told.seats_of("w1", "w2", "w3")
            alive = next(seat for seat in told.seated if seat.pid != lost.pid)
            os.kill(lost.pid, signal.SIGKILL)
            assert await told.ended("w1") == f"its node {lost.node} has left the cluster"
            with pytest.raises(EngineError):
                await told.engine.call(lost.node, "hear", b"")
            assert await told.engine.call(alive.node, "hear", b"")
            # The nanny has another in its place.
            told.ask("w4")
            (found,) = await told.seats_of("w4")
            assert await told.engine.call(found.node, "hear", b"")
            assert [seat.worker for seat in told.seated].count("w1") == 1
            assert told.refused == []

    asyncio.run(played())


def test_a_cut_connection_costs_no_seat(cluster: DaskCluster) -> None:
    """Calls may fail until the scheduler is there again; who has a place keeps it."""

    async def played() -> None:
        async with (
            relay(cluster.address) as (through, cut),
            opened(through, "run-9", resource="seats") as told,
        ):
            told.ask("w1", "w2")
            seat, _ = await told.seats_of("w1", "w2")
            cut()
            answers: list[bytes] = []
            while not answers:
                with contextlib.suppress(EngineError):
                    answers.append(await told.engine.call(seat.node, "hear", b""))
            told.ask("w3", "w4")
            await told.seats_of("w3", "w4")
            assert len(told.seated) == 4
            assert not told.seats["w1"].done()
            assert not told.seats["w2"].done()
            told.engine.give_up("w1")
            told.ask("w5")
            await told.seats_of("w5")

    asyncio.run(played())


@asynccontextmanager
async def relay(address: str) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """Yield an address that leads to another, and what cuts all its connections."""
    there = Address.parse(address)
    assert there is not None
    writers: set[asyncio.StreamWriter] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                writer.write(piece)
                await writer.drain()
        writer.close()

    async def relayed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, on = await asyncio.open_connection(there.host, there.port)
        writers.update((writer, on))
        await asyncio.gather(pump(reader, on), pump(back, writer))

    def cut() -> None:
        for writer in writers:
            writer.transport.abort()
        writers.clear()

    server = await asyncio.start_server(relayed, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}", cut
    finally:
        server.close()
        cut()


@pytest.mark.slow
@pytest.mark.fault("node-unfit")
def test_an_unfit_node_is_named_once_and_lives_on(cluster: DaskCluster, tmp_path: Path) -> None:
    """Without our package, or with another, or with a log of all: who else uses it is not hurt."""
    hidden, skewed = tmp_path / "hidden", tmp_path / "skewed"
    (hidden / "pytest_ptc").mkdir(parents=True)
    (hidden / "pytest_ptc/__init__.py").write_text('raise ImportError("there is none")\n')
    (skewed / "pytest_ptc-9.9.dist-info").mkdir(parents=True)
    metadata = "Metadata-Version: 2.1\nName: pytest-ptc\nVersion: 9.9\n"
    (skewed / "pytest_ptc-9.9.dist-info/METADATA").write_text(metadata)

    async def played() -> None:
        async with opened(cluster.address, "run-3", resource="seats") as told:
            told.ask("w1")
            await told.seats_of("w1")
            for name, first, more in (
                ("none", hidden, {"DASK_DISTRIBUTED__WORKER__PRELOAD": "[]"}),
                ("skew", skewed, {}),
                ("logs", ROOT, {"DASK_LOGGING__DISTRIBUTED": "debug"}),
            ):
                environ = {"PYTHONPATH": f"{first}{os.pathsep}{ROOT}", **more}
                cluster.start(name, "--resources", "seats=9", environ=environ)
            await eventually(lambda: len(told.refused) == 3)
            reasons = "\n".join(why for _, why in told.refused)
            assert "it has no pytest-ptc" in reasons
            assert "there is none" in reasons
            assert "it has pytest-ptc 9.9, and pytest has" in reasons
            assert "its Dask logs all messages" in reasons
            # Places that nobody else has are not taken there.
            told.ask("w2", "w3", "w4")
            unfit = [node for node, _ in told.refused]
            seats = await told.seats_of("w2", "w3", "w4")
            assert not {seat.node for seat in seats} & set(unfit)
            async with Client(cluster.address, asynchronous=True, set_as_default=False) as other:
                for node in unfit:
                    assert await other.submit(abs, -3, workers=[node], pure=False) == 3
            assert len(told.refused) == 3

    try:
        asyncio.run(played())
        assert cluster.runs("none")
        assert cluster.runs("skew")
    finally:
        cluster.kill("none", "skew", "logs")


@pytest.mark.fault("node-unfit")
def test_without_any_fit_node_a_seat_ends_with_all_reasons(cluster: DaskCluster) -> None:
    """Nobody waits for a place that cannot come."""

    async def played() -> str:
        needs = msgspec.structs.replace(NEEDS, programs={"no-such-program": "the test"})
        async with opened(cluster.address, "run-4", needs=needs, resource="seats") as told:
            told.ask("w1")
            with pytest.raises(EngineError) as ended:
                await told.ended("w1")
            assert len(told.refused) == 2
            return str(ended.value)

    ended = asyncio.run(played())
    assert ended.count("it has no no-such-program, which is needed for the test") == 2


def test_a_node_whose_supervisor_refuses_gets_no_more_seats(cluster: DaskCluster) -> None:
    """Each is asked once, though it would refuse faster than others accept."""

    async def played() -> None:
        async with opened(cluster.address, "run-5") as told:
            told.ask("w1", more=" refuse")
            with pytest.raises(EngineError, match="this node has no judge; this node has no judge"):
                await told.ended("w1")
            assert [why for _, why in told.refused] == ["this node has no judge"] * 2

    asyncio.run(played())


@pytest.mark.slow
@pytest.mark.fault("scheduler-gone")
def test_a_seat_waits_for_nodes_and_ends_with_the_scheduler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clusters grow when there is work; without a scheduler there is no cluster any more."""

    async def refused(cluster: DaskCluster) -> None:
        async with opened(cluster.address, "run-11") as told:
            told.ask("w1")
            cluster.start("clear")
            with pytest.raises(EngineError, match=r"no node of the cluster .* has no TLS"):
                await told.ended("w1")
        # It had a place for the seat before anybody had looked at it.
        assert "a seat was taken" not in cluster.logged()
        cluster.kill("clear")

    async def played(cluster: DaskCluster) -> None:
        async with opened(cluster.address, "run-6", resource="seats") as told:
            told.ask("w1", "w2", "w3")
            cluster.start("other")  # it has no such resource
            cluster.start("late", *SEATS)
            await eventually(lambda: len(told.seated) == 2)
            (node,) = {seat.node for seat in told.seated}
            assert "a seat was taken" in cluster.logged()
            cluster.start("later", *SEATS)
            # What waited for the first node may have the second one.
            *_, last = await told.seats_of("w1", "w2", "w3")
            assert node in {seat.node for seat in told.seated}
            assert len({seat.node for seat in told.seated}) == 2
            cluster.kill("scheduler")
            killed = time.monotonic()
            for worker in ("w1", "w2", "w3"):
                with pytest.raises(EngineGoneError, match=r"the scheduler .* is gone"):
                    await told.ended(worker)
            assert time.monotonic() - killed < 2 * GONE_AFTER_S
            asked = time.monotonic()
            with pytest.raises(EngineGoneError):
                await told.engine.call(last.node, "hear", b"")
            told.ask("w4")
            with pytest.raises(EngineGoneError):
                await told.ended("w4")
            assert time.monotonic() - asked < 1

    with dask_cluster(tmp_path / "elastic") as cluster:
        with monkeypatch.context() as patch:
            patch.setattr(engine, "clear_problem", lambda address, **_: f"{address} has no TLS")
            asyncio.run(refused(cluster))
        asyncio.run(played(cluster))


@pytest.mark.slow
@pytest.mark.fault("scheduler-gone")
def test_a_scheduler_that_is_stopped_is_gone_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connections stand, and nobody answers: no run waits for that, nor its end."""
    monkeypatch.setattr(engine, "UNHEARD_S", 3.0)

    async def played(cluster: DaskCluster) -> float:
        async with opened(cluster.address, "run-10", call_s=2.0) as told:
            told.ask("w1")
            (seat,) = await told.seats_of("w1")
            cluster.stop("scheduler")
            with pytest.raises(EngineError, match="no answer"):
                await told.engine.call(seat.node, "hear", b"")
            with pytest.raises(EngineGoneError, match="is gone: it has not answered for 3 s"):
                await told.ended("w1")
            told.ask("w2")
            with pytest.raises(EngineGoneError):
                await told.ended("w2")
            return time.monotonic()

    with dask_cluster(tmp_path / "stopped") as cluster:
        cluster.start("na")
        over = asyncio.run(played(cluster))
        assert time.monotonic() - over < 30


@pytest.mark.slow
def test_a_cluster_of_this_machine_is_made_for_the_run_and_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else of the machine can use it, and none of its processes and files is left."""
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__PRELOAD", "tests.support.seats")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    before = set(psutil.Process().children(recursive=True))

    async def played() -> list[psutil.Process]:
        async with opened(None, "run-7", workers=4) as told:
            told.engine.check()
            told.ask("w1", "w2", "w3", "w4")
            seats = await told.seats_of("w1", "w2", "w3", "w4")
            assert len({seat.pid for seat in seats}) == 2
            assert all(seat.node.startswith("tls://127.0.0.1:") for seat in seats)
            assert await told.engine.call(seats[0].node, "say", b"x" * 2_000_000)
            return list(set(psutil.Process().children(recursive=True)) - before)

    started = asyncio.run(played())
    assert len(started) >= 3
    assert psutil.wait_procs(started, timeout=PATIENCE_S)[1] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault("scheduler-refused")
def test_tls_needs_certificates_of_one_authority(tmp_path: Path) -> None:
    """Those of Dask's own configuration; whatever else is tried is told what is wrong."""
    ours, strangers = Authority(tmp_path, "ours"), Authority(tmp_path, "strangers")

    async def played(cluster: DaskCluster) -> None:
        async with opened(cluster.address, "run-8", secrets=("KEY of ptc_env",)) as told:
            told.ask("w1")
            (seat,) = await told.seats_of("w1")
            assert seat.node.startswith("tls://")
            assert await told.engine.call(seat.node, "say", CANARY.encode())

    with dask_cluster(tmp_path / "tls", ours.environ, protocol="tls") as cluster:
        cluster.start("na", "--host", "tls://127.0.0.1")
        address = Address.parse(cluster.address)
        assert address is not None
        for configured, words in (
            (strangers.configuration, "its certificate is not one of our authority's"),
            (ours.configuration | strangers.client, "it refuses our certificate"),
            ({}, "TLS needs certificates: set distributed.comm.tls.ca-file"),
            (ours.configuration | {"distributed.comm.tls.ca-file": "/no"}, "cannot be used"),
        ):
            with dask.config.set(configured), pytest.raises(ConfigError, match=words):
                in_time(address)
        with pytest.raises(ConfigError, match=f"it speaks TLS: use tls://127.0.0.1:{address.port}"):
            in_time(address._replace(scheme="tcp"))
        with dask.config.set(ours.configuration):
            in_time(address)
            asyncio.run(played(cluster))


@pytest.mark.fault("scheduler-refused")
def test_whatever_is_no_scheduler_is_told_within_three_seconds(cluster: DaskCluster) -> None:
    """A name that is none, a port where nothing listens, one that is silent, other programs'."""
    with socket.create_server(("127.0.0.1", 0)) as silent, bannering() as other:
        node = next(iter(asyncio.run(nodes_of(cluster.address))))
        for said, words in (
            ("tcp://no-such-host.invalid:8786", "there is no host no-such-host.invalid"),
            (f"tcp://127.0.0.1:{free_port()}", "nothing listens there"),
            (f"tcp://127.0.0.1:{silent.getsockname()[1]}", "it listens, and says nothing: is that"),
            (f"tcp://127.0.0.1:{other}", "that is no Dask scheduler"),
            (node, "that is a Dask worker, not the scheduler"),
        ):
            address = Address.parse(said)
            assert address is not None
            with pytest.raises(ConfigError, match=f"--ptc-dask-scheduler: {said}: {words}"):
                in_time(address)
        in_time(Address.parse(cluster.address))


def in_time(address: Address | None) -> None:
    """Look for a scheduler, as long as that may take."""
    assert address is not None
    began = time.monotonic()
    try:
        check_scheduler(address)
    finally:
        assert time.monotonic() - began < CHECK_S + 1


async def nodes_of(address: str) -> list[str]:
    """Return the nodes of a cluster, when it has some."""
    async with Client(address, asynchronous=True, set_as_default=False) as client:
        await client.wait_for_workers(1)
        return list(await client.nthreads())


def free_port() -> int:
    """Return a port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def bannering() -> Iterator[int]:
    """Yield the port of a program that greets whoever connects, and hangs up."""

    class Greeting(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"220 mail.example ready\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeting) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            serving.join()


class Authority:
    """A throw-away certificate authority, and one certificate of it for all of a cluster.

    Args:
        folder: For its files.
        name: Its name.
    """

    def __init__(self, folder: Path, name: str) -> None:
        authority = trustme.CA(organization_name=name)
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        ca, pair = folder / f"{name}-ca.pem", folder / f"{name}.pem"
        authority.cert_pem.write_to_path(str(ca))
        certificate.private_key_and_cert_chain_pem.write_to_path(str(pair))
        #: What a client presents.
        self.client = {f"distributed.comm.tls.client.{part}": str(pair) for part in ("key", "cert")}
        #: Dask's configuration for it.
        self.configuration = {
            "distributed.comm.tls.ca-file": str(ca),
            **{
                f"distributed.comm.tls.{role}.{part}": str(pair)
                for role in ("client", "scheduler", "worker")
                for part in ("key", "cert")
            },
        }
        #: The same as variables.
        self.environ = {
            f"DASK_{key.replace('.', '__').replace('-', '_').upper()}": value
            for key, value in self.configuration.items()
        }
