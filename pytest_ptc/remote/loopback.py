"""A port of this machine's loopback interface, listened at by one supervisor of a run.

Several supervisors of a run may be on one machine, and all want the same ports. The first has them.
It holds a socket in the kernel's own names, which belong to this network and vanish with their
process: no file is left, and nobody has to guess whether its holder still lives. The others are
connected to that, and one of them takes the holder's place when it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct
import subprocess
import sys
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.errors import PtcError
from pytest_ptc.system.machine import boot_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
    Accepted = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "::1")
#: Seconds that another supervisor may take to answer, and between two looks at one that is ending.
HANDSHAKE_TIMEOUT_S = 5.0
_PAUSE_S = 0.02
_READY = b"1"


class PortTakenError(PtcError):
    """A port of the node at which somebody else listens; the message names it and the fix."""


class Machine(NamedTuple):
    """Which network a process is in; equal for all that share a loopback interface.

    Args:
        boot: The boot of the machine; empty where nothing tells it.
        network: Its network namespace.
    """

    boot: str
    network: str

    def is_same(self, other: Machine) -> bool:
        return bool(self.boot) and self == other


def this_machine() -> Machine:
    """Return which network this process is in."""
    if sys.platform == "darwin":
        words = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(words, check=True, capture_output=True, timeout=5)
            return Machine(done.stdout.decode("ascii", "replace").strip(), "")
        return Machine("", "")
    try:
        network = os.readlink("/proc/self/ns/net")  # noqa: PTH115 - it is no path
    except OSError:
        return Machine("", "")
    return Machine(boot_id() or "", network)


class LoopbackPort:
    """One port, to be listened at by us or by another supervisor of this run.

    Args:
        run_id: The run's id.
        number: The port.
        accepted: Takes the port and a connection to it.
        lost: Takes the port, when nobody of this run can listen at it any more, and why.
    """

    def __init__(
        self, run_id: str, number: int, accepted: Accepted, lost: Callable[[int, str], None]
    ) -> None:
        self._number, self._accepted, self._lost = number, accepted, lost
        digest = sha256(f"{os.geteuid()} {run_id} {number}".encode()).hexdigest()
        self._guard_name = b"\0ptc-tunnel-" + digest[:40].encode()
        self._servers: list[asyncio.AbstractServer] = []
        self._held: set[asyncio.StreamWriter] = set()
        self._watcher: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<LoopbackPort {self._number}, {'listening' if self._servers else 'not ours'}>"

    async def open(self) -> None:
        """Listen, or find that another supervisor of the run does.

        Raises:
            PortTakenError: Somebody else listens there.
        """
        line = await self._listen_or_join()
        if line is not None:
            self._watcher = asyncio.get_running_loop().create_task(self._watch(line))

    async def _listen_or_join(self) -> Line | None:
        """Return a line to the supervisor that listens; None where that is this one."""
        until = asyncio.get_running_loop().time() + HANDSHAKE_TIMEOUT_S
        while asyncio.get_running_loop().time() < until:
            guard = self._guard()
            if guard is not None:
                await self._listen(guard)
                return None
            line = await self._join()
            if line is not None:
                return line
            await asyncio.sleep(_PAUSE_S)
        raise PortTakenError(self._taken(None))

    async def close(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait({self._watcher})
        self._close_servers()

    def _close_servers(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
        for writer in self._held:
            writer.close()
        self._held.clear()

    def _guard(self) -> socket.socket | None:
        """Return the guard of the port; None where another supervisor has it."""
        guard = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if sys.platform == "linux":  # elsewhere each supervisor is on its own
                guard.bind(self._guard_name)
                guard.listen()
        except OSError as error:
            guard.close()
            if error.errno != errno.EADDRINUSE:
                raise PortTakenError(self._taken(error)) from error
            return None
        return guard

    async def _listen(self, guard: socket.socket) -> None:
        try:
            for place, host in enumerate(LOOPBACK):
                try:
                    own = _bound(host, self._number)
                except OSError as error:
                    # There may be no version 6 here. Somebody else at one of them is a danger.
                    if place and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                        continue
                    raise PortTakenError(self._taken(error)) from error
                self._servers.append(await asyncio.start_server(self._accept, sock=own))
            if sys.platform == "linux":
                self._servers.append(await asyncio.start_unix_server(self._answer, sock=guard))
            else:
                guard.close()
        except BaseException:
            guard.close()
            self._close_servers()
            raise

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._accepted(self._number, reader, writer)

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Tell another supervisor that the port is served, until we end."""
        self._held.add(writer)
        writer.write(_READY)
        with contextlib.suppress(OSError):
            await writer.drain()

    async def _join(self) -> Line | None:
        """Return a line to the supervisor that has the port; None where it has ended meanwhile.

        Raises:
            PortTakenError: It is not of our user, or does not answer.
        """
        own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        own.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(own, self._guard_name)
            credentials = own.getsockopt(
                socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
            )
        except ConnectionRefusedError:
            own.close()
            return None
        except OSError as error:
            own.close()
            raise PortTakenError(self._taken(error)) from error
        reader, writer = await asyncio.open_unix_connection(sock=own)
        try:
            said = await asyncio.wait_for(reader.read(1), HANDSHAKE_TIMEOUT_S)
        except asyncio.TimeoutError:
            writer.close()
            raise PortTakenError(self._taken(None)) from None
        except OSError:
            said = b""
        if said == _READY and struct.unpack("3i", credentials)[1] == os.geteuid():
            return reader, writer
        writer.close()
        if said:
            raise PortTakenError(self._taken(None))
        return None

    async def _watch(self, line: Line | None) -> None:
        """Take the place of the supervisor that listens, when it has ended."""
        while line is not None:
            reader, writer = line
            try:
                with contextlib.suppress(OSError):
                    await reader.read()
            finally:
                writer.close()
            try:
                line = await self._listen_or_join()
            except PortTakenError as error:
                self._lost(self._number, str(error))
                return

    def _taken(self, error: OSError | None) -> str:
        why = f" ({error.strerror})" if error is not None else ""
        return (
            f"port {self._number} of this node's loopback interface cannot be listened at{why}, so "
            f"that the server on pytest's machine cannot be reached at 127.0.0.1:{self._number} "
            "here; end what listens there, or have the server take another port"
        )


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    own = socket.socket(family, socket.SOCK_STREAM)
    try:
        # What is left of connections that were closed is nobody's.
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        own.bind((host, port))
        own.listen(128)
    except OSError:
        own.close()
        raise
    return own
