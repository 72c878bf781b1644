"""A program's output: kept in a file of bounded size, shown, and handed on line by line."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from typing import TYPE_CHECKING, Protocol

from pytest_ptc.system import own_files
from pytest_ptc.text.redaction import RedactedStream
from pytest_ptc.verdicts.verdict_json import MAX_VERDICT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_ptc.text.redaction import Redactor

#: Bytes of output kept at the start and at the end of the file: an agent in a loop must not fill
#: the disk, and its last output explains its end.
HEAD_BYTES = 4 * 1024 * 1024
TAIL_BYTES = 256 * 1024
#: Characters of a line that are shown.
MAX_SHOWN_CHARS = 2000
#: Most lines shown of one read.
_MAX_SHOWN_LINES = 200
#: Bytes kept of the end of a line that is longer than `MAX_VERDICT_BYTES`.
_LINE_TAIL_BYTES = 64 * 1024


class LineReader(Protocol):
    """What reads the lines that a program prints.

    What a method raises ends the attempt as an infrastructure error, once the program has ended.
    """

    def take(self, stream: str, lines: Sequence[bytes]) -> None:
        """Take complete lines of `stdout` or `stderr`, without their ends.

        Of a line that is longer than a verdict may be, the middle is missing.
        """

    def end(self) -> None:
        """Take note that there is no further line."""


class Line:
    """A line that is being read, of bounded size however long it is."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = b""

    def feed(self, piece: bytes) -> None:
        """Take the next piece of it."""
        room = MAX_VERDICT_BYTES + 1 - len(self._head)
        self._head += piece[:room]
        if len(piece) > room:
            self._tail = (self._tail + piece[room:])[-_LINE_TAIL_BYTES:]

    def take(self) -> bytes:
        """Return the line, without its middle if it is too long, and begin the next one."""
        line = bytes(self._head) + self._tail
        self._head, self._tail = bytearray(), b""
        return line


class Output:
    """What a program prints.

    Args:
        path: The file.
        show: Prints one line on the worker's screen.
        redactor: Keeps secrets out of the file and off the screen.
        reader: Takes every complete line.
    """

    def __init__(
        self, path: Path, show: Callable[[str], None], redactor: Redactor, reader: LineReader
    ) -> None:
        self._file = os.fdopen(own_files.open_new(path), "wb", buffering=0)
        self._show = show
        self._redactor = redactor
        self._reader = reader
        self._redacted = {name: RedactedStream(redactor) for name in ("stdout", "stderr")}
        self._head_left = HEAD_BYTES
        self._cut = 0
        self._recent: deque[bytes] = deque()
        self._recent_size = 0
        self._unfinished = {"stdout": Line(), "stderr": Line()}
        self._finished = False
        #: What the reader raised first.
        self.error: Exception | None = None

    def take(self, stream: str, data: bytes) -> None:
        """Take what the program printed on `stdout` or `stderr`."""
        # First: the file outlives this process.
        self._keep(self._redacted[stream].feed(data))
        first, *others = data.split(b"\n")
        unfinished = self._unfinished[stream]
        unfinished.feed(first)
        if others:
            lines = [unfinished.take(), *others[:-1]]
            unfinished.feed(others[-1])
            # Records in the lines go to disk as soon as they are read.
            self._hand_on(stream, lines)
            for line in lines[-_MAX_SHOWN_LINES:]:
                self._show(self._redactor.head(line.decode("utf-8", "replace"), MAX_SHOWN_CHARS))

    def finish(self) -> None:
        """Take the end of the output; an unfinished line counts as a line."""
        if not self._finished:
            self._finished = True
            for stream in ("stderr", "stdout"):
                self._keep(self._redacted[stream].rest())
                self._hand_on(stream, [self._unfinished[stream].take()])
            try:
                self._reader.end()
            except Exception as error:  # noqa: BLE001 - see LineReader
                self.error = self.error or error

    def tail(self) -> str:
        """Return the last lines printed, of both streams."""
        text = b"".join(self._recent).decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-40:])

    def close(self) -> None:
        """Take the end, and append the last `TAIL_BYTES` if the middle was cut."""
        self.finish()
        with contextlib.suppress(OSError):
            if self._cut > self._recent_size:
                self._file.write(b"\n[... %d bytes cut ...]\n" % (self._cut - self._recent_size))
            if self._cut:
                self._file.write(b"".join(self._recent)[-self._cut :])
        self._file.close()

    def _hand_on(self, stream: str, lines: Sequence[bytes]) -> None:
        try:
            self._reader.take(stream, lines)
        except Exception as error:  # noqa: BLE001 - see LineReader
            self.error = self.error or error

    def _keep(self, data: bytes) -> None:
        written = data[: self._head_left]
        # The file only helps people: a full disk must not end the task.
        with contextlib.suppress(OSError):
            self._file.write(written)
        self._head_left -= len(written)
        self._cut += len(data) - len(written)
        self._recent.append(data)
        self._recent_size += len(data)
        while self._recent_size - len(self._recent[0]) >= TAIL_BYTES:
            self._recent_size -= len(self._recent.popleft())
