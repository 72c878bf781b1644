"""Lines for tests: two ends in one event loop, and nothing between them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pytest_ptc.interfaces import messages

if TYPE_CHECKING:
    from collections.abc import Callable

#: What is heard at the end of a line.
END = None


class FakeLine:
    """One end of a line; what it says is handed to a function, what it hears is put in.

    Args:
        said: Takes each message as the other side would have it, and the end.
    """

    def __init__(self, said: Callable[[messages.Message | None], None]) -> None:
        self._said = said
        self._heard: asyncio.Queue[messages.Message | None] = asyncio.Queue()
        self._open = True

    def put(self, message: messages.Message | None) -> None:
        """Let this end hear a message, or the end."""
        self._heard.put_nowait(message)

    def say(self, message: messages.Message) -> None:
        """Hand a message on, as text and back: what cannot be said is no message."""
        message = messages.decode(messages.encode(message))
        if self._open:
            self._said(message)

    async def hear(self) -> messages.Message | None:
        """Return what was put in; the end again and again."""
        message = await self._heard.get()
        if message is END:
            self.put(END)
        return message

    def close(self) -> None:
        """Tell both sides that it ends."""
        if self._open:
            self._open = False
            self._said(END)
            self.put(END)


def line_pair() -> tuple[FakeLine, FakeLine]:
    """Return both ends of a line."""
    one = FakeLine(lambda message: other.put(message))  # noqa: PLW0108 - it is not there yet
    other = FakeLine(one.put)
    return one, other
