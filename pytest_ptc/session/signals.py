"""Signals that end a process at once, turned into an end that leaves nothing behind."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

#: What CI systems send to stop a job, and what a terminal sends when it is closed.
ENDING = (signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def ending_in_order() -> Iterator[None]:
    """Within the block, end pytest in order on SIGTERM and SIGHUP: with reports, without workers.

    A signal that somebody else handles, or that is ignored (`nohup`), is left to them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    ours = [number for number in ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    # 128 + N is how a shell tells that a program was ended by signal N.
    pytest.exit(f"stopped by {signal.Signals(number).name}", returncode=128 + number)
