"""The door that workers call at, and who of those that do is one.

It is a Unix socket: anything of the same user can connect to it. Whoever has not shown a worker's
key is a stranger: he may say one short line, for so long, and there are only so many of them at
once. What a worker says is read as far as a line may be long; a line that is no message ends that
worker, and nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
from typing import TYPE_CHECKING

from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.line import MAX_LINE_BYTES, StreamLine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_ptc.interfaces.line import Line

#: Seconds that a stranger has to say who he is; a worker does so at once.
GREETING = 30.0
#: Seconds in which all has been heard of a worker that is dead.
LAST_WORDS_S = 5.0
#: Strangers at once; with one more, the one that came first has to go, who is no worker by now.
MAX_STRANGERS = 256
#: How many strangers' failings the journal is told of.
MAX_NOTES = 20


class Door:
    """Takes calls, and holds the line to every worker.

    Its methods are the loop's to call.

    Args:
        heard: Takes each worker's messages, its hello first.
        gone: Takes a worker's name and that its line has ended.
        note: Takes what is to be noted of a line that is broken: the worker, and why.
    """

    def __init__(
        self,
        *,
        heard: Callable[[str, messages.Message], None],
        gone: Callable[[str, str], None],
        note: Callable[[str | None, str], None],
    ) -> None:
        self._heard = heard
        self._gone = gone
        self._note = note
        self._notes_left = MAX_NOTES
        self._keys: dict[str, str] = {}
        self._lines: dict[str, Line] = {}
        self._ended: dict[str, asyncio.Event] = {}
        self._strangers: dict[Line, None] = {}

    def __repr__(self) -> str:
        return f"<Door {sorted(self._lines)}, {len(self._strangers)} strangers>"

    async def open(self, address: Path) -> asyncio.AbstractServer:
        """Begin to take calls on a Unix socket; its path may have at most about 100 bytes."""
        return await asyncio.start_unix_server(self._called, address, limit=MAX_LINE_BYTES)

    def key_for(self, worker: str) -> str:
        """Return the key that a worker has to show, once."""
        key = self._keys[worker] = secrets.token_hex(16)
        return key

    def say(self, worker: str, message: messages.Message) -> None:
        """Send a message; one to a worker that is gone goes nowhere, and its end is told apart."""
        if worker in self._lines:
            self._lines[worker].say(message)

    def hang_up(self, worker: str) -> None:
        """Close the line to a worker, which calls no more."""
        self._keys.pop(worker, None)
        if (line := self._lines.pop(worker, None)) is not None:
            line.close()

    async def hear_out(self, worker: str) -> None:
        """Wait until all has been heard that a worker has said which is dead.

        Something that it left behind may hold its line open for ever.
        """
        if worker in self._lines:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ended_of(worker).wait(), LAST_WORDS_S)

    async def close(self) -> None:
        """Close every line."""
        for line in (*self._lines.values(), *self._strangers):
            line.close()
        await asyncio.sleep(0)  # transports close in the loop's next round

    async def take(self, line: Line) -> None:
        """Hear one caller out, from the hello to the end of the line."""
        worker = None
        try:
            hello = await self._greeting(line)
            worker = hello.worker
            self._lines[worker] = line
            self._heard(worker, hello)
            while (message := await line.hear()) is not None:
                self._heard(worker, message)
        except asyncio.CancelledError:
            return  # the loop ends; Python 3.10 and 3.11 log a handler that ends by cancellation
        except Exception as error:  # noqa: BLE001 - one caller's trouble is its own
            self._broken(worker, error)
        finally:
            if worker is None:
                line.close()
            else:
                self._ended_of(worker).set()
        if worker is not None:
            self._gone(worker, "its connection ended")

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.take(StreamLine(reader, writer))

    async def _greeting(self, line: Line) -> messages.Hello:
        """Return the hello of a caller that is a worker.

        Raises:
            ValueError: It is none.
            asyncio.TimeoutError: It has said nothing for too long.
        """
        self._strangers[line] = None
        if len(self._strangers) > MAX_STRANGERS:
            first = next(iter(self._strangers))
            del self._strangers[first]
            first.close()
        try:
            hello = await asyncio.wait_for(line.hear(), GREETING)
        finally:
            self._strangers.pop(line, None)
        if not isinstance(hello, messages.Hello):
            raise ValueError("its first message is no hello")  # noqa: TRY004 - as broken as others
        key = self._keys.get(hello.worker)
        if key is None or not hmac.compare_digest(key.encode(), hello.key.encode()):
            raise ValueError(f"it has not the key of worker {hello.worker!r:.40}")
        # Not before: a wrong hello must not lock the worker out.
        del self._keys[hello.worker]
        return hello

    def _ended_of(self, worker: str) -> asyncio.Event:
        """Return what is set when a worker's line has ended."""
        return self._ended.setdefault(worker, asyncio.Event())

    def _broken(self, worker: str | None, error: Exception) -> None:
        if worker is None:
            self._notes_left -= 1
            if self._notes_left < 0:
                return
        self._note(worker, f"{error!r:.500}")
