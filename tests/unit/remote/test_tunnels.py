"""Servers of one machine reached on another: real sockets, frames handed over in one process.

The two machines are one here, so the port on the node is another one than the server's: a test
moves it in the frame `Dial`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.remote.frame_kinds import Data, Dial, Eof, Taken
from pytest_ptc.remote.loopback import LoopbackPort, Machine, PortTakenError, this_machine
from pytest_ptc.remote.loopback_ports import ports_listened_at, ports_named
from pytest_ptc.remote.pipes import PIECE_BYTES, WINDOW_BYTES, reset
from pytest_ptc.remote.tunnels import HomeTunnels, NodeTunnels, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

#: Seconds until a test that waits gives up.
SOON = 20.0
ELSEWHERE = Machine("another boot", "net:[1]")


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine, and have nothing of it left."""

    async def bounded() -> None:
        await asyncio.wait_for(work, SOON)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=SOON)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(bounded())


def free_port() -> int:
    """Return a port at which nobody listens, for both versions of IP."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class World:
    """A server, and the two sides of a tunnel to it."""

    def __init__(self, server_port: int) -> None:
        self.port = free_port()
        self.sent: list[Any] = []
        self.on_the_way = Counter[str]()
        self.most = 0
        self.held_up = False
        self._server_port = server_port
        self.home = HomeTunnels(self._to_node)
        self.home.allow([server_port])
        self.node = NodeTunnels("run-1", self._to_home, ELSEWHERE, name="n-")

    def _count(self, frame: Any, by: str) -> None:
        self.sent.append(frame)
        if isinstance(frame, Data):
            assert 0 < len(frame.data) <= PIECE_BYTES
            self.on_the_way[f"{frame.pipe} {by}"] += len(frame.data)
        elif isinstance(frame, Taken):
            other = "home" if by == "node" else "node"
            self.on_the_way[f"{frame.pipe} {other}"] -= frame.size
        self.most = max(self.most, *self.on_the_way.values(), 0)

    def _to_node(self, frame: Any) -> None:
        self._count(frame, "home")
        asyncio.get_running_loop().call_soon(self.node.received, frame)

    def _to_home(self, frame: Any) -> None:
        self._count(frame, "node")
        if isinstance(frame, Dial):
            assert frame.port == self.port
            frame = Dial(frame.pipe, self._server_port)
        asyncio.get_running_loop().call_soon(self.home.received, frame)

    async def connect(
        self, host: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect as an agent on the node does."""
        return await asyncio.open_connection(host, self.port)


@contextlib.asynccontextmanager
async def world(serve: Any, host: str = "127.0.0.1") -> AsyncIterator[World]:
    """Give a server, and a tunnel to it that is open."""
    server = await asyncio.start_server(serve, host, 0)
    made = World(server.sockets[0].getsockname()[1])
    await made.node.open([made.port])
    try:
        yield made
    finally:
        await made.node.close()
        await made.home.close()
        server.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes, until it ends."""
    with contextlib.suppress(OSError):
        while data := await reader.read(PIECE_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()


async def until(happened: Callable[[], object]) -> None:
    """Wait until something has happened."""
    while not happened():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("server_host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("client_host", ["127.0.0.1", "::1"])
def test_a_server_is_reached_by_either_version(server_host: str, client_host: str) -> None:
    """`localhost` may be both, there and here."""

    async def test() -> None:
        async with world(echo, server_host) as made:
            reader, writer = await made.connect(client_host)
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            writer.close()

    run(test())


def test_one_direction_may_end_before_the_other() -> None:
    """As with a client that says all it has, and a server that answers then."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.read()
        writer.write(said[::-1])
        writer.close()

    async def test() -> None:
        async with world(answer) as made:
            reader, writer = await made.connect()
            writer.write(b"abc")
            writer.write_eof()
            assert await reader.read() == b"cba"
            writer.close()
            await until(lambda: not made.node._pipes and not made.home._pipes)

    run(test())


def test_many_connections_carry_much_at_once() -> None:
    """Each gets its own bytes back, all of them, in order."""

    async def once(made: World, number: int) -> None:
        reader, writer = await made.connect()
        content = os.urandom(3 * WINDOW_BYTES + number)

        async def write() -> None:
            for start in range(0, len(content), 10_000):
                writer.write(content[start : start + 10_000])
                await writer.drain()
            writer.write_eof()

        got, _ = await asyncio.gather(reader.read(), write())
        assert got == content
        writer.close()

    async def test() -> None:
        async with world(echo) as made:
            await asyncio.gather(*(once(made, number) for number in range(20)))
            assert made.most <= WINDOW_BYTES
            assert len({frame.pipe for frame in made.sent if isinstance(frame, Dial)}) == 20

    run(test())


def test_a_connection_that_nobody_reads_holds_up_no_other() -> None:
    """What is on its way of it stays within its window."""

    async def test() -> None:
        waiting = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if await reader.readexactly(1) == b"-":
                await waiting.wait()  # reads nothing
                writer.transport.abort()
            else:
                await echo(reader, writer)

        async with world(serve) as made:
            _, stuck = await made.connect()
            stuck.write(b"-" + b"x" * (64 * WINDOW_BYTES))
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stuck.drain(), 0.3)
            reader, writer = await made.connect()
            writer.write(b"+hello")
            assert await reader.readexactly(5) == b"hello"
            assert made.most <= WINDOW_BYTES
            waiting.set()
            stuck.transport.abort()
            writer.close()
            await until(lambda: not made.node._pipes and not made.home._pipes)

    run(test())


def test_a_server_that_does_not_listen_is_a_reset() -> None:
    """Never an end that looks regular."""

    async def test() -> None:
        async with world(echo) as made:
            made._server_port = free_port()
            made.home.allow([made._server_port])
            reader, writer = await made.connect()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
            (why,) = [frame.why for frame in made.sent if isinstance(frame, Eof)]
            assert "refused" in str(why).lower() or "Connect call failed" in str(why)

    run(test())


def test_only_ports_that_tasks_name_are_connected_to() -> None:
    """A node chooses nothing of pytest's machine."""

    async def test() -> None:
        async with world(echo) as made:
            made.home._allowed.clear()
            reader, writer = await made.connect()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()

    run(test())


@pytest.mark.parametrize("who", ["server", "client"])
def test_a_reset_is_one_at_the_other_end(who: str) -> None:
    """With bytes before it or without."""

    async def test() -> None:
        seen: list[BaseException | bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(1)
            if who == "server":
                reset(writer)
                return
            try:
                seen.append(await reader.read())
            except ConnectionResetError as error:
                seen.append(error)
            writer.close()

        async with world(serve) as made:
            reader, writer = await made.connect()
            writer.write(b"x")
            if who == "server":
                with pytest.raises(ConnectionResetError):
                    await reader.read()
                writer.close()
                return
            await writer.drain()
            await until(lambda: any(isinstance(frame, Taken) for frame in made.sent))
            reset(writer)
            await until(lambda: seen)
            assert isinstance(seen[0], ConnectionResetError)

    run(test())


def test_the_end_of_a_side_resets_what_is_open() -> None:
    """As when the node is lost, or the run ends."""

    async def test() -> None:
        async with world(echo) as made:
            reader, writer = await made.connect()
            writer.write(b"x")
            await reader.readexactly(1)
            await made.home.close()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
            await made.node.close()
            with pytest.raises(ConnectionRefusedError):
                await made.connect()

    run(test())


def test_more_than_the_window_ends_the_connection() -> None:
    """Whoever sends it: no more is ever kept in memory."""

    async def test() -> None:
        async with world(echo) as made:
            reader, writer = await made.connect()
            await until(lambda: made.home._pipes)
            made.node.received(Data("n-1", b"x" * (WINDOW_BYTES + 1)))
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()

    run(test())


def test_frames_of_connections_that_have_ended_are_left_alone() -> None:
    """They cross each other on their way."""

    async def test() -> None:
        async with world(echo) as made:
            for frame in (Data("n-9", b"x"), Eof("n-9"), Eof("n-9", "why"), Taken("n-9", 1)):
                made.node.received(frame)
                made.home.received(frame)
            assert made.sent == []

    run(test())


def test_a_port_that_somebody_else_has_is_an_error() -> None:
    """Named, with the fix; also where only one version of IP is taken. Later it may be free."""

    async def test() -> None:
        for host in ("127.0.0.1", "::1"):
            taken = await asyncio.start_server(echo, host, 0)
            port = taken.sockets[0].getsockname()[1]
            node = NodeTunnels("run-1", lambda _: None, ELSEWHERE)
            with pytest.raises(PortTakenError, match=f"port {port} .*in use.*end what listens"):
                await node.open([port])
            taken.close()
            await node.open([port])
            await node.close()

    run(test())


def test_on_the_same_machine_the_port_itself_is_used() -> None:
    """No tunnel is needed, and nothing listens."""

    async def test() -> None:
        port = free_port()
        node = NodeTunnels("run-1", lambda _: None, this_machine())
        await node.open([port])
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await node.close()

    run(test())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Machine("b", "n"), Machine("b", "n"), True),
        (Machine("b", "n"), Machine("b", "m"), False),
        (Machine("b", "n"), Machine("c", "n"), False),
        (Machine("", "n"), Machine("", "n"), False),
        (Machine("", ""), Machine("", ""), False),
        (Machine("b", ""), Machine("b", ""), True),
    ],
)
def test_machines_are_the_same_by_boot_and_network(
    one: Machine, other: Machine, *, same: bool
) -> None:
    """Where nothing tells, they are not."""
    assert one.is_same(other) is same


def test_two_supervisors_of_a_run_share_a_port() -> None:
    """The second takes the first's place when it ends; one of another run is somebody else."""

    async def test() -> None:
        async with world(echo) as made:
            lost: list[int] = []
            second = NodeTunnels(
                "run-1", made._to_home, ELSEWHERE, name="m-", lost=lambda port, _: lost.append(port)
            )
            third = NodeTunnels("run-1", made._to_home, ELSEWHERE, name="o-")
            stranger = NodeTunnels("run-2", made._to_home, ELSEWHERE)
            await asyncio.gather(second.open([made.port]), third.open([made.port]))
            with pytest.raises(PortTakenError):
                await stranger.open([made.port])
            (await made.connect())[1].close()
            await made.node.close()
            while True:
                with contextlib.suppress(ConnectionRefusedError):
                    (await made.connect())[1].close()
                    break
                await asyncio.sleep(0.01)
            await until(lambda: sum(isinstance(frame, Dial) for frame in made.sent) > 1)
            names = [frame.pipe for frame in made.sent if isinstance(frame, Dial)]
            assert names[0] == "n-1"
            assert names[1] in ("m-1", "o-1")
            assert lost == []
            await third.close()
            await second.close()

    run(test())


def test_a_port_that_is_lost_to_somebody_else_is_told() -> None:
    """When the supervisor that had it has ended, and a program has been faster."""

    async def test() -> None:
        told: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        port = free_port()
        first = LoopbackPort("run-1", port, _nobody, lambda *_: None)
        second = NodeTunnels(
            "run-1", lambda _: None, ELSEWHERE, lost=lambda *lost: told.put_nowait(lost)
        )
        await first.open()
        await second.open([port])
        # What listens is exchanged while the guard stays.
        for server in first._servers[:-1]:
            server.close()
        program = await asyncio.start_server(echo, "127.0.0.1", port)
        await first.close()
        number, why = await told.get()
        assert number == port
        assert f"port {port}" in why
        program.close()
        await second.open([port])
        await second.close()

    run(test())


async def _nobody(*_: object) -> None:
    raise AssertionError


def test_the_place_of_a_killed_supervisor_is_taken() -> None:
    """The kernel tells that it has ended."""
    program = """
import asyncio, sys
from pytest_ptc.remote.loopback import Machine
from pytest_ptc.remote.tunnels import NodeTunnels
async def main():
    node = NodeTunnels("run-1", lambda _: None, Machine("another boot", ""))
    await node.open([int(sys.argv[1])])
    print("open", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""

    async def test() -> None:
        async with world(echo) as made:
            await made.node.close()
            line = [sys.executable, "-c", program, str(made.port)]
            with subprocess.Popen(line, stdout=subprocess.PIPE) as other:  # noqa: ASYNC220
                try:
                    assert other.stdout is not None
                    assert other.stdout.readline() == b"open\n"
                    await made.node.open([made.port])
                    assert made.sent == []
                finally:
                    other.kill()
            while True:
                with contextlib.suppress(OSError):
                    reader, writer = await made.connect()
                    writer.write(b"x")
                    assert await reader.readexactly(1) == b"x"
                    writer.close()
                    break
                await asyncio.sleep(0.01)

    run(test())


def test_only_ports_at_which_somebody_listens_are_worth_a_tunnel() -> None:
    """An agent may start a server of its own at any other."""
    with socket.socket() as four, socket.socket(socket.AF_INET6) as six, socket.socket() as every:
        four.bind(("127.0.0.1", 0))
        six.bind(("::1", 0))
        every.bind(("0.0.0.0", 0))  # noqa: S104 - for a moment
        ports = [one.getsockname()[1] for one in (four, six, every)]
        assert served(ports) == frozenset()
        for one in (four, six, every):
            one.listen()
        assert served([*ports, free_port()]) == set(ports)
    assert served([]) == frozenset()


TABLE = """  sl  local_address rem_address   st tx_queue
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000
   1: 00000000:0050 00000000:0000 0A 00000000:00000000
   2: 0500000A:0051 00000000:0000 0A 00000000:00000000
   3: 0100007F:0052 0100007F:1F90 01 00000000:00000000
"""


def test_the_kernels_table_is_read_by_address_and_state() -> None:
    """A server at another interface is not reached by loopback, and a connection is no server."""
    assert ports_listened_at(TABLE, six=False) == {8080, 80}
    assert ports_listened_at("", six=True) == frozenset()


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("http://127.0.0.1:8000/x", {8000}),
        ("localhost:1, LOCALHOST:2 and http://app.localhost:3/", {1, 2, 3}),
        ("http://[::1]:8000 redis://user:pass@127.0.0.9:6379/0", {8000, 6379}),
        ("http://0.0.0.0:5000", {5000}),
        ("http://example.org:80 10.0.0.1:81 1127.0.0.1:82 xlocalhost:83", set()),
        ("127.0.0.1:0 127.0.0.1:65536 127.0.0.1:8000x localhost:", set()),
        ("{'u': 'http://localhost:8000'}", {8000}),
    ],
)
def test_ports_are_those_of_loopback_servers_that_texts_name(text: str, ports: set[int]) -> None:
    """By any name that leads to this machine alone."""
    assert ports_named([text]) == ports
