"""Servers on the loopback interface of pytest's machine, reached on a node's at the same port.

On pytest's machine, one `HomeTunnels` for each node; on the node, one `NodeTunnels`:

    home = HomeTunnels(send)          # `send` takes frames to the node; it never waits
    ports = served(ports_named(texts_of_the_task))
    home.allow(ports)                 # no other port is ever connected to
    ...                               # tell the node the ports, and `this_machine()`, before a task

    tunnels = NodeTunnels(run_id, send, home_machine)
    await tunnels.open(ports)         # before a task begins; PortTakenError ends its attempt

    home.received(frame), tunnels.received(frame)  # each `Dial`, `Data`, `Eof` and `Taken`
    await home.close(), await tunnels.close()

Where nobody listens on pytest's machine, nobody listens on the node: `served` says which ports are
worth a tunnel. A node that is pytest's machine needs none. Of several supervisors of a run on one
machine the first has the port, and the others know it by a socket whose name only they can have;
when it ends, another one takes its place.

Each direction of a connection has a window: so many bytes are on their way at most, whatever the
frames wait for. The end of one direction leaves the other open; a connection that fails is reset
at both ends. What cannot be told is a refusal: a client on the node is connected before the server
is asked, and then reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.remote.frame_kinds import Data, Dial, Eof, Taken
from pytest_ptc.remote.loopback import LOOPBACK, LoopbackPort, Machine, this_machine
from pytest_ptc.remote.loopback_ports import ports_listened_at
from pytest_ptc.remote.pipes import Pipe, reset

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from pytest_ptc.remote.pipes import Send

#: Most connections of a node at once.
MAX_PIPES = 1_000
#: Seconds that a server may take to accept.
CONNECT_TIMEOUT_S = 10.0


def served(ports: Iterable[int]) -> frozenset[int]:
    """Return at which of these ports somebody listens on the loopback interface here."""
    asked = frozenset(ports)
    if not asked:
        return asked
    try:
        four = Path("/proc/self/net/tcp").read_text(encoding="ascii")
    except OSError:
        return frozenset(port for port in asked if _answers(port))
    six = ""
    with contextlib.suppress(OSError):
        six = Path("/proc/self/net/tcp6").read_text(encoding="ascii")
    return asked & (ports_listened_at(four, six=False) | ports_listened_at(six, six=True))


def _answers(port: int) -> bool:
    for host in LOOPBACK:
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
            return True
    return False


class _Tunnels:
    """What both sides have: connections by their names."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._pipes: dict[str, Pipe] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._pipes)} connections>"

    def received(self, frame: Dial | Data | Eof | Taken) -> None:
        """Take a frame from the other side; never waits.

        Of a connection that has ended here, the other side may not know yet: that is left alone.
        """
        if not isinstance(frame, Dial):
            pipe = self._pipes.get(frame.pipe)
            if pipe is not None:
                pipe.received(frame)

    def _begin(self, pipe: Pipe, work: Coroutine[None, None, None]) -> None:
        self._pipes[pipe.name] = pipe
        pipe.begin(work, lambda: self._ended(pipe))

    def _ended(self, pipe: Pipe) -> None:
        self._pipes.pop(pipe.name, None)

    async def _close_pipes(self) -> None:
        await asyncio.gather(*(pipe.end() for pipe in list(self._pipes.values())))


class HomeTunnels(_Tunnels):
    """The side of pytest's machine, for one node: it connects to servers.

    Args:
        send: Takes frames to the node, and never waits.
    """

    def __init__(self, send: Send) -> None:
        super().__init__(send)
        self._allowed: set[int] = set()

    def allow(self, ports: Iterable[int]) -> None:
        """Let the node connect to these ports, too: tasks have named them."""
        self._allowed |= set(ports)

    def received(self, frame: Dial | Data | Eof | Taken) -> None:
        if not isinstance(frame, Dial):
            super().received(frame)
            return
        pipe = Pipe(frame.pipe, self._send)
        if frame.port not in self._allowed:
            pipe.refuse(f"no task has named port {frame.port}")
        elif len(self._pipes) >= MAX_PIPES or frame.pipe in self._pipes:
            pipe.refuse(f"{len(self._pipes)} connections are open")
        else:
            self._begin(pipe, self._dial(pipe, frame.port))

    async def close(self) -> None:
        """Reset all connections."""
        await self._close_pipes()

    async def _dial(self, pipe: Pipe, port: int) -> None:
        why = ""
        for host in LOOPBACK:
            try:
                reader, writer = await asyncio.wait_for(
                    asyncio.open_connection(host, port), CONNECT_TIMEOUT_S
                )
            except (OSError, asyncio.TimeoutError) as error:
                # That nobody listens for version 6 says nothing of version 4.
                why = why or str(error) or "the server does not accept"
            else:
                await pipe.carry(reader, writer)
                return
        pipe.refuse(why)


class NodeTunnels(_Tunnels):
    """The node's side: it listens where servers listen on pytest's machine.

    Args:
        run_id: The run's id.
        send: Takes frames to pytest's machine, and never waits.
        home: The machine that pytest is on.
        name: What connections are named after; another one for each supervisor.
        lost: Takes a port at which nobody of this run listens any more, and why.
    """

    def __init__(
        self,
        run_id: str,
        send: Send,
        home: Machine,
        *,
        name: str = "",
        lost: Callable[[int, str], None] = lambda *_: None,
    ) -> None:
        super().__init__(send)
        self._run_id, self._name, self._lost = run_id, name, lost
        self._is_home = home.is_same(this_machine())
        self._numbers = count(1)
        self._opening = asyncio.Lock()
        self._ports: dict[int, LoopbackPort] = {}

    async def open(self, ports: Iterable[int]) -> None:
        """Have these ports of pytest's machine reached here; again for those that are, too.

        Raises:
            PortTakenError: Somebody else listens at one of them here.
        """
        if self._is_home:
            return
        async with self._opening:
            for number in sorted(set(ports) - set(self._ports)):
                port = LoopbackPort(self._run_id, number, self._accepted, self._is_lost)
                await port.open()
                self._ports[number] = port

    async def close(self) -> None:
        """Listen no more, and reset all connections."""
        async with self._opening:
            ports, self._ports = list(self._ports.values()), {}
            await asyncio.gather(*(port.close() for port in ports))
        await self._close_pipes()

    async def _accepted(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if len(self._pipes) >= MAX_PIPES:
            reset(writer)
            return
        pipe = Pipe(f"{self._name}{next(self._numbers)}", self._send)
        self._send(Dial(pipe.name, port))
        self._begin(pipe, pipe.carry(reader, writer))

    def _is_lost(self, port: int, why: str) -> None:
        self._ports.pop(port, None)
        self._lost(port, why)
