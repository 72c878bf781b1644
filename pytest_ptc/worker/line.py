"""A worker's line to its coordinator."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

from pytest_ptc.interfaces import messages

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds that a worker goes on calling while others keep the coordinator's socket busy.
CALLING = 60.0
_PAUSE = 0.02


async def call(address: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection to the coordinator.

    Raises:
        OSError: It is gone, or was busy all the time.
    """
    give_up = time.monotonic() + CALLING
    while True:
        line = socket.socket(socket.AF_UNIX)
        line.setblocking(False)
        try:
            line.connect(str(address))
            break
        except BlockingIOError:
            # Its queue is full. Asyncio would take that for a connection that is on its way.
            line.close()
            if time.monotonic() > give_up:
                raise
        except BaseException:
            line.close()
            raise
        await asyncio.sleep(_PAUSE)
    return await asyncio.open_unix_connection(sock=line, limit=messages.MAX_MESSAGE_BYTES)
