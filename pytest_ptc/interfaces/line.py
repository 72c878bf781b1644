"""The connection between a worker and its coordinator, independent of the transport."""

from __future__ import annotations

import asyncio
import re
from typing import Protocol

from pytest_ptc.interfaces import messages


class Line(Protocol):
    """One end of a line: it carries messages in both directions, each whole and in order.

    The worker opens it and says hello first; from then on either side speaks when it has something
    to say. A line ends once, for both: when one side closes it or dies, and then the other one
    hears the end at once. All calls are made in the event loop of whoever holds this end.
    """

    def say(self, message: messages.Message) -> None:
        """Send a message; never waits.

        On a line that has ended it is dropped, without an error: `hear` reports the end.

        Raises:
            TypeError: The message holds a value that is not JSON; then nothing is sent.
        """

    async def hear(self) -> messages.Message | None:
        """Return the next message; None once the line has ended, by whatever means.

        Raises:
            ValueError: The input is not a message, or too long; the line cannot be used any more.
        """

    def close(self) -> None:
        """End the line, once what was said has been sent; may be called again."""


#: The longest line of a stream: no more is read from a stranger.
MAX_LINE_BYTES = 64 * 1024
#: Messages of this size or more are decoded in a thread, so that others can be read meanwhile.
_LONG_BYTES = 1024 * 1024
#: The line before a message that is too long for a line: its length in bytes.
_LENGTH = re.compile(rb"(\d{1,9})\n")


class StreamLine:
    """A line over a stream of bytes: one message is one line of it.

    A message that is too long for that comes after a line that tells its length.

    Args:
        reader: Where the other side is heard; its limit is `MAX_LINE_BYTES`.
        writer: Where it is spoken to.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def say(self, message: messages.Message) -> None:
        """Send a message; see `Line`."""
        text = messages.encode(message)
        if len(text) > MAX_LINE_BYTES:
            self._writer.write(b"%d\n" % len(text))
        self._writer.write(text)

    async def hear(self) -> messages.Message | None:
        """Return the next message, or None; see `Line`."""
        text = await self._next_text()
        if text is None or len(text) < _LONG_BYTES:
            return messages.decode(text) if text is not None else None
        return await asyncio.to_thread(messages.decode, text)

    async def _next_text(self) -> bytes | None:
        """Return the bytes of the next message; None once the line has ended, also within one."""
        try:
            line = await self._reader.readline()
            length = _LENGTH.fullmatch(line)
            if length is None:
                return line or None
            if int(length[1]) > messages.MAX_MESSAGE_BYTES:
                raise ValueError(f"not a message: it has {int(length[1])} bytes")
            return await self._reader.readexactly(int(length[1]))
        except (ConnectionError, asyncio.IncompleteReadError):
            return None  # the other side has died with something unread

    def close(self) -> None:
        """End the line; see `Line`."""
        self._writer.close()
