"""A worker's call to its coordinator, over a Unix socket."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

from pytest_ptc.interfaces.line import MAX_LINE_BYTES, StreamLine

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.interfaces.line import Line

#: Seconds that a worker goes on calling while others keep the coordinator's socket busy.
CALL_PATIENCE_S = 60.0
#: Seconds between two calls.
CALL_PAUSE_S = 0.02


async def call(address: Path) -> Line:
    """Return a line to the coordinator.

    Raises:
        OSError: It is gone, or was busy all the time.
    """
    give_up = time.monotonic() + CALL_PATIENCE_S
    while True:
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        try:
            connection.connect(str(address))
            break
        except BlockingIOError:
            # Its queue is full. Asyncio would take that for a connection that is on its way.
            connection.close()
            if time.monotonic() > give_up:
                raise
        except BaseException:
            connection.close()
            raise
        await asyncio.sleep(CALL_PAUSE_S)
    streams = await asyncio.open_unix_connection(sock=connection, limit=MAX_LINE_BYTES)
    return StreamLine(*streams)
