"""The line between a worker and its coordinator, whatever it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pytest_ptc.interfaces import messages

if TYPE_CHECKING:
    import asyncio


class Line(Protocol):
    """One end of a line: it carries messages in both directions, each whole and in order.

    The worker opens it and says hello first; from then on either side speaks when it has something
    to say. A line ends once, for both: when one side closes it or dies, and then the other one
    hears the end at once. All calls are made in the event loop of whoever holds this end.
    """

    def say(self, message: messages.Message) -> None:
        """Send a message; never waits.

        On a line that has ended it goes nowhere, and is no error: `hear` tells of the end.

        Raises:
            TypeError: The message holds what is no JSON; then nothing of it is sent.
        """

    async def hear(self) -> messages.Message | None:
        """Return the next message; None once the line has ended, by whatever means.

        Raises:
            ValueError: What came is no message, or is too long; the line is of no use any more.
        """

    def close(self) -> None:
        """End the line, once what was said has been sent; may be called again."""


class StreamLine:
    """A line over a stream of bytes: one message is one line of it.

    Args:
        reader: Where the other side is heard; its limit is the longest message that is taken.
        writer: Where it is spoken to.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def say(self, message: messages.Message) -> None:
        """Send a message; see `Line`."""
        self._writer.write(messages.encode(message))

    async def hear(self) -> messages.Message | None:
        """Return the next message, or None; see `Line`."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None  # the other side has died with something unread
        return messages.decode(line) if line else None

    def close(self) -> None:
        """End the line; see `Line`."""
        self._writer.close()
