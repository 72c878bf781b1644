"""One end of a tunnelled connection: a socket here, and frames to and from the other end.

Each direction has a window: the sender has so many bytes on their way at most, and goes on as the
receiver says that it has passed some on. So one connection that nobody reads holds up no other, and
no more than a window of it is ever in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING

from pytest_ptc.remote.frame_kinds import Data, Dial, Eof, Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Send = Callable[[Dial | Data | Eof | Taken], None]

#: Bytes of one direction of a connection that may be on their way, and of one frame.
WINDOW_BYTES = 256 * 1024
PIECE_BYTES = 64 * 1024


class Pipe:
    """One end of a connection: a socket here, and frames to the other end."""

    def __init__(self, name: str, send: Send) -> None:
        self.name = name
        self._send = send
        self._room = WINDOW_BYTES
        self._has_room = asyncio.Event()
        self._has_room.set()
        #: What has come and is not written yet; None for the end.
        self._come: deque[bytes | None] = deque()
        self._has_come = asyncio.Event()
        self._held = 0
        self._task: asyncio.Task[None] | None = None
        self._failed_there = False

    def __repr__(self) -> str:
        return f"<Pipe {self.name} {self._held} held, room {self._room}>"

    def begin(self, work: Coroutine[None, None, None], ended: Callable[[], None]) -> None:
        """Have a connection made and carried until it ends."""
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(lambda _: ended())

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def received(self, frame: Data | Eof | Taken) -> None:
        if isinstance(frame, Taken):
            self._room += frame.size
            self._has_room.set()
        elif isinstance(frame, Eof) and frame.why is not None:
            self._failed_there = True
            if self._task is not None:
                self._task.cancel()
        elif isinstance(frame, Data):
            self._held += len(frame.data)
            if self._held > WINDOW_BYTES:
                self._tell_failure("more was sent than there is room for")
                if self._task is not None:
                    self._task.cancel()
            self._come.append(frame.data)
            self._has_come.set()
        else:
            self._come.append(None)
            self._has_come.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry all that goes through a connection until both directions have ended."""
        ways = [
            asyncio.ensure_future(self._outwards(reader)),
            asyncio.ensure_future(self._inwards(writer)),
        ]
        whole = False
        try:
            await asyncio.gather(*ways)
            whole = True
            writer.close()
        except OSError as error:
            self._tell_failure(error.strerror or str(error) or "the connection was reset")
        finally:
            # Nothing is waited for before this: whoever is ended may be ended a second time.
            if not whole:
                self._tell_failure("the tunnel has ended")
                reset(writer)
            for way in ways:
                way.cancel()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    def refuse(self, why: str) -> None:
        """Say that there is no connection here."""
        self._tell_failure(why)

    async def _outwards(self, reader: asyncio.StreamReader) -> None:
        while True:
            while self._room <= 0:
                self._has_room.clear()
                await self._has_room.wait()
            data = await reader.read(min(PIECE_BYTES, self._room))
            if not data:
                self._send(Eof(self.name))
                return
            self._room -= len(data)
            self._send(Data(self.name, data))

    async def _inwards(self, writer: asyncio.StreamWriter) -> None:
        while True:
            while not self._come:
                self._has_come.clear()
                await self._has_come.wait()
            data = self._come.popleft()
            if data is None:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
            self._held -= len(data)
            self._send(Taken(self.name, len(data)))

    def _tell_failure(self, why: str) -> None:
        if not self._failed_there:
            self._failed_there = True
            self._send(Eof(self.name, why))


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection so that its other end does not take it for a regular end."""
    with contextlib.suppress(OSError):
        own = writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
