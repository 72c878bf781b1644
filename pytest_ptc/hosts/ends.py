"""The end of a process of this machine, as an event."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_ptc.system.processes import ProcessIdentity


async def process_ended(process: ProcessIdentity | None) -> None:
    """Return when a process has ended; never, where the system has no event for that.

    Args:
        process: The process; None for one that had ended before it could be identified.
    """
    if process is None:
        return
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):  # not Linux, or forbidden by a sandbox
        await asyncio.Event().wait()
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        # Checked after the descriptor was opened: its pid cannot be another process's by then.
        if process.alive:
            await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
