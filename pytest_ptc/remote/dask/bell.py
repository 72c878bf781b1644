"""A bell that wakes all that wait for it."""

from __future__ import annotations

import asyncio


class Bell:
    """Rung when something has changed: whoever waits looks for himself what it is."""

    def __init__(self) -> None:
        self._rung: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def next_ring(self) -> asyncio.Future[None]:
        """Return what is done when it is rung the next time; whoever waits shields it."""
        return self._rung

    def ring(self) -> None:
        rung, self._rung = self._rung, asyncio.get_running_loop().create_future()
        rung.set_result(None)
