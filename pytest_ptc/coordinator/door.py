"""The door: the socket that workers connect to, and the check that a caller is a worker.

It is a Unix socket: any process of the same user can connect to it. A worker shows its key. Where
the system tells who has connected, it must also be the process that was started as that worker, or
descend from it: a key that somebody has read opens nothing. Any other caller is a stranger: it may
send one short line, within a timeout, and the number of strangers is bounded. A worker's lines have
a maximal length; a line that is no message ends that worker, and no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
from typing import TYPE_CHECKING

from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.line import MAX_LINE_BYTES, StreamLine
from pytest_ptc.system.peers import descends, peer_pid
from pytest_ptc.system.timeouts import within

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from pytest_ptc.interfaces.line import Line
    from pytest_ptc.system.processes import ProcessIdentity


async def _unseen(_: str) -> None:
    """Tell that a worker's process cannot be seen from here."""


#: Seconds that a stranger has for its hello; a worker sends it at once.
HELLO_TIMEOUT_S = 30.0
#: Seconds in which all that a dead worker has sent must be read.
DRAIN_TIMEOUT_S = 5.0
#: Strangers at once; one more closes the oldest: a worker would have sent its hello by now.
MAX_STRANGERS = 256
#: How many broken connections of strangers the journal records.
MAX_NOTES = 20


class Door:
    """Takes calls, and holds the line to every worker.

    Its methods are the loop's to call.

    Args:
        heard: Takes each worker's messages, its hello first.
        gone: Takes a worker's name and that its line has ended.
        note: Takes the worker of a broken connection, if it is known, and why.
        proof: What the run's user has to show; empty where nobody may ask for anything.
        stop_task: Stops a task, by its id; returns why it does not, if so.
        process_of: Returns a worker's process once it is started; None where it cannot be seen.
    """

    def __init__(
        self,
        *,
        heard: Callable[[str, messages.Message], None],
        gone: Callable[[str, str], None],
        note: Callable[[str | None, str], None],
        proof: str = "",
        stop_task: Callable[[str], str | None] = lambda _: "nobody stops tasks here",
        process_of: Callable[[str], Awaitable[ProcessIdentity | None]] = _unseen,
    ) -> None:
        self._process_of = process_of
        self._heard = heard
        self._gone = gone
        self._note = note
        self._proof = proof
        self._stop_task = stop_task
        self._notes_left = MAX_NOTES
        self._keys: dict[str, str] = {}
        self._lines: dict[str, Line] = {}
        self._ended: dict[str, asyncio.Event] = {}
        self._strangers: dict[Line, None] = {}

    def __repr__(self) -> str:
        return f"<Door {sorted(self._lines)}, {len(self._strangers)} strangers>"

    async def open(self, address: Path) -> asyncio.AbstractServer:
        """Begin to take calls on a Unix socket; its path may have at most about 100 bytes."""
        return await asyncio.start_unix_server(self._accept, address, limit=MAX_LINE_BYTES)

    def key_for(self, worker: str) -> str:
        """Return a new key for a worker; its hello must carry it, and uses it up."""
        key = self._keys[worker] = secrets.token_hex(16)
        return key

    def say(self, worker: str, message: messages.Message) -> None:
        """Send a message; one to a gone worker is dropped, since its end is reported separately."""
        if worker in self._lines:
            self._lines[worker].say(message)

    def hang_up(self, worker: str) -> None:
        """Close the line to a worker, which calls no more."""
        self._keys.pop(worker, None)
        if (line := self._lines.pop(worker, None)) is not None:
            line.close()

    async def hear_out(self, worker: str) -> None:
        """Wait until all that a dead worker has sent is read, at most `DRAIN_TIMEOUT_S`.

        A process that it left behind may hold its connection open for ever.
        """
        if worker in self._lines:
            with contextlib.suppress(asyncio.TimeoutError):
                await within(self._end_event(worker).wait(), DRAIN_TIMEOUT_S)

    async def close(self) -> None:
        """Close every line."""
        for line in (*self._lines.values(), *self._strangers):
            line.close()
        await asyncio.sleep(0)  # transports close in the loop's next round

    async def take(self, line: Line, pid: int | None = None) -> None:
        """Serve one caller, from its hello to the end of its connection.

        Args:
            line: The line to it.
            pid: Its process; None where nobody knows.
        """
        worker = None
        try:
            hello = await self._read_hello(line, pid)
            if isinstance(hello, messages.StopTask):
                line.say(messages.Answered(self._stop_task(hello.task)))
                return
            worker = hello.worker
            self._lines[worker] = line
            self._heard(worker, hello)
            while (message := await line.hear()) is not None:
                self._heard(worker, message)
        except asyncio.CancelledError:
            return  # the loop ends; Python 3.10 and 3.11 log a handler that ends by cancellation
        except Exception as error:  # noqa: BLE001 - one caller's trouble is its own
            self._note_broken(worker, error)
        finally:
            if worker is None:
                line.close()
            else:
                self._end_event(worker).set()
        if worker is not None:
            self._gone(worker, "its connection ended")

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.take(StreamLine(reader, writer), peer_pid(writer))

    async def _read_hello(self, line: Line, pid: int | None) -> messages.Hello | messages.StopTask:
        """Return the hello of a caller that is a worker, or the request of the run's user.

        Raises:
            ValueError: It is not a worker.
            asyncio.TimeoutError: There was no hello in time.
        """
        self._strangers[line] = None
        if len(self._strangers) > MAX_STRANGERS:
            first = next(iter(self._strangers))
            del self._strangers[first]
            first.close()
        try:
            hello = await within(line.hear(), HELLO_TIMEOUT_S)
            if isinstance(hello, messages.Hello):
                await self._check_worker(hello, pid)
        finally:
            self._strangers.pop(line, None)
        if isinstance(hello, messages.StopTask):
            if not self._proof or not hmac.compare_digest(
                hello.proof.encode(), self._proof.encode()
            ):
                raise ValueError("it asks to stop a task, and does not show the run's key")
            return hello
        if not isinstance(hello, messages.Hello):
            raise ValueError("its first message is not a hello")  # noqa: TRY004 - as broken as others
        return hello

    async def _check_worker(self, hello: messages.Hello, pid: int | None) -> None:
        """Use up the key in a worker's hello.

        Raises:
            ValueError: It has not the key, or is another process.
        """
        worker = f"worker {hello.worker!r:.40}"
        if not self._has_key(hello):
            raise ValueError(f"it does not have the key of {worker}")
        if pid is not None:
            # It may call before the host has told which process it is.
            process = await within(self._process_of(hello.worker), HELLO_TIMEOUT_S)
            if process is not None and not descends(pid, process.pid):
                raise ValueError(f"process {pid} has the key of {worker}, and is not that worker")
        # Not before: a wrong hello must not lock the worker out. Of two right ones one counts.
        if not self._has_key(hello):
            raise ValueError(f"the key of {worker} is used up")
        del self._keys[hello.worker]

    def _has_key(self, hello: messages.Hello) -> bool:
        key = self._keys.get(hello.worker)
        return key is not None and hmac.compare_digest(key.encode(), hello.key.encode())

    def _end_event(self, worker: str) -> asyncio.Event:
        """Return the event that is set when a worker's connection has ended."""
        return self._ended.setdefault(worker, asyncio.Event())

    def _note_broken(self, worker: str | None, error: Exception) -> None:
        if worker is None:
            self._notes_left -= 1
            if self._notes_left < 0:
                return
        self._note(worker, f"{error!r:.500}")
