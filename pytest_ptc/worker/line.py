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

#: Seconds that a worker retries to connect while the coordinator's socket is busy.
CALL_TIMEOUT_S = 60.0
#: Seconds between two tries.
CALL_PAUSE_S = 0.02


async def call(address: Path) -> Line:
    """Connect to the coordinator.

    Raises:
        OSError: It has ended, or was busy for `CALL_TIMEOUT_S`.
    """
    give_up = time.monotonic() + CALL_TIMEOUT_S
    while True:
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        try:
            connection.connect(str(address))
            break
        except BlockingIOError:
            # The socket's backlog is full. Asyncio would take that for a connection in progress.
            connection.close()
            if time.monotonic() > give_up:
                raise
        except BaseException:
            connection.close()
            raise
        await asyncio.sleep(CALL_PAUSE_S)
    streams = await asyncio.open_unix_connection(sock=connection, limit=MAX_LINE_BYTES)
    return StreamLine(*streams)
