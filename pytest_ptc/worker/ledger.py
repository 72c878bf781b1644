"""An attempt's ledger in its worker: the coordinator writes the records and acknowledges them.

The verdict is made from the acknowledged records in memory. Nothing is read back from a file, which
an agent may have written. A record that could not be written does not count, except a fail.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from itertools import count
from typing import TYPE_CHECKING

from pytest_ptc.interfaces import messages
from pytest_ptc.journal.attempt_files import failing_output_line, keep_text, last_lines
from pytest_ptc.model.errors import JournalError
from pytest_ptc.verdicts.entries import (
    Answered,
    Entry,
    ProgramEnded,
    Recording,
    entry_to_json,
    story_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_ptc.model.result import Attempt
    from pytest_ptc.model.verdict import Verdict, VerdictKind
    from pytest_ptc.text.redaction import Redactor
    from pytest_ptc.verdicts.endings import Ended
    from pytest_ptc.verdicts.recording import Record

#: Seconds that an acknowledgement is waited for; more than the coordinator waits for its disk.
ACKNOWLEDGEMENT_TIMEOUT_S = 30.0


class AttemptLedger:
    """One attempt's ledger; see `interfaces.ledger.Ledger`.

    Make it, and pass acknowledgements to it, in the worker's event loop.

    Args:
        attempt: The attempt.
        folder: Its folder in the journal, for files that help to read the attempt later.
        token: Identifies its agent to `ptc record`.
        address: The path of the socket that `ptc record` calls.
        redactor: Takes its secrets out of texts.
        deadline: When its time is over, on this process's monotonic clock.
        say: Sends a message to the coordinator.
    """

    def __init__(
        self,
        attempt: Attempt,
        *,
        folder: Path,
        token: str,
        address: Path,
        redactor: Redactor,
        deadline: float,
        say: Callable[[messages.Message], None],
    ) -> None:
        self.folder = folder
        self.token = token
        self.address = address
        self.redactor = redactor
        self.problem: JournalError | None = None
        self.name = attempt.name
        self._deadline = deadline
        self._say = say
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._numbers = count(1)
        self._pending: dict[int, tuple[Entry, Future[bool]]] = {}
        self._expired: dict[int, Entry] = {}
        self._entries: list[Entry] = []
        self._unwritten: list[Entry] = []
        self._over = False
        self._closed: str | None = None

    def __repr__(self) -> str:
        return f"<AttemptLedger {self.name} {len(self._entries)} kept, {len(self._pending)} sent>"

    # What is recorded.

    @property
    def over(self) -> bool:
        """Tell whether the attempt's time is over."""
        return self._over or time.monotonic() > self._deadline

    def end_time(self) -> None:
        """Take the time as over: from here on only a fail counts."""
        self._over = True

    def record(self, record: Record) -> Future[bool]:
        """Send a recording; the result tells whether it came too late to count."""
        return self._put(Recording(record=record, late=self.over))

    def answered(self, call: str, answer: str) -> Future[bool]:
        """Send which answer of the model holds a recording."""
        return self._put(Answered(call=call, answer=answer))

    def ended(self, ended: Ended, verdict: Verdict | None = None) -> Future[bool]:
        """Send how the agent's program ended, and the verdict of its exit status, if any."""
        return self._put(ProgramEnded(ended=ended, verdict=verdict, late=self.over))

    async def settled(self) -> None:
        """Wait until everything is acknowledged, or is known not to be."""
        while self._pending:
            futures = [asyncio.wrap_future(future) for _, future in self._pending.values()]
            await asyncio.gather(*futures, return_exceptions=True)

    # What the coordinator says.

    def acknowledged(self, message: messages.Acknowledged) -> None:
        """Take that something is on disk, or why it is not."""
        if (late := self._expired.pop(message.number, None)) is not None:
            # The caller got an error for it, but it is on disk: it counts.
            if message.problem is None:
                self._entries.append(late)
            return
        entry, future = self._pending.pop(message.number, (None, None))
        if entry is None or future is None:
            return
        if message.problem is not None:
            self._reject(entry, future, message.problem)
            return
        self._entries.append(entry)
        recording = entry if isinstance(entry, Recording) else None
        future.set_result(
            recording is not None and recording.late and not recording.record.says_fail
        )

    def close(self, why: str) -> None:
        """Take nothing more, and wait for nothing more."""
        self._closed = self._closed or why
        for number in list(self._pending):
            self._reject(*self._pending.pop(number), why)

    # What it comes to.

    def has_handed_over(self, kind: VerdictKind) -> bool:
        """Tell whether a verdict of this kind is on disk, or on its way there."""
        entries = [*self._entries, *(entry for entry, _ in self._pending.values())]
        records, _ = story_of(entries)
        return any(record.verdict and record.verdict.verdict is kind for record in records)

    def story(self) -> tuple[list[Record], Ended | None]:
        """Return the records that count, and how the agent's program ended, if that was seen."""
        fails = [
            entry
            for entry in self._unwritten
            if isinstance(entry, Recording) and entry.record.says_fail
        ]
        return story_of([*self._entries, *fails])

    def failing_line(self) -> str | None:
        """Return the first line of a program's output that says fail; None if there is none."""
        return failing_output_line(self.folder)

    def tail(self) -> str:
        """Return the last lines of what the agent printed."""
        return last_lines(self.folder)

    def keep(self, name: str, text: str) -> None:
        """Keep a text in the attempt's folder, redacted."""
        keep_text(self.folder / name, text, self.redactor)

    def _put(self, entry: Entry) -> Future[bool]:
        future: Future[bool] = Future()
        if threading.get_ident() == self._thread:
            self._send(entry, future)
        else:
            self._loop.call_soon_threadsafe(self._send, entry, future)
        return future

    def _send(self, entry: Entry, future: Future[bool]) -> None:
        if self._closed is not None:
            self._reject(entry, future, self._closed)
            return
        number = next(self._numbers)
        self._pending[number] = entry, future
        try:
            self._say(messages.Recorded(self.name, number, entry_to_json(entry)))
        except TypeError as error:
            # A third-party agent may record anything.
            self._reject(*self._pending.pop(number), f"it cannot be recorded: {error}")
            return
        self._loop.call_later(ACKNOWLEDGEMENT_TIMEOUT_S, self._expire, number)

    def _expire(self, number: int) -> None:
        if number in self._pending:
            entry, future = self._pending.pop(number)
            self._expired[number] = entry
            why = f"pytest did not acknowledge the record within {ACKNOWLEDGEMENT_TIMEOUT_S:g} s"
            self._reject(entry, future, f"journal {self.folder}: {why}")

    def _reject(self, entry: Entry, future: Future[bool], why: str) -> None:
        self._unwritten.append(entry)
        self.problem = JournalError(why)
        future.set_exception(self.problem)
