"""A ledger without a coordinator, for tests of what uses one: it writes at once, by itself."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.journal.attempt_files import keep_text
from pytest_ptc.model.errors import JournalError
from pytest_ptc.text.redaction import Redactor
from pytest_ptc.verdicts.entries import Answered, Entry, ProgramEnded, Recording, story_of

if TYPE_CHECKING:
    from pytest_ptc.journal.attempt_writer import AttemptWriter
    from pytest_ptc.model.verdict import Verdict
    from pytest_ptc.verdicts.endings import Ended
    from pytest_ptc.verdicts.recording import Record


class WritingLedger:
    """A ledger whose records are on disk when it returns.

    Args:
        writer: What writes them.
    """

    token = "token"
    address = Path("/nowhere")

    def __init__(self, writer: AttemptWriter) -> None:
        self.writer = writer
        self.folder = writer.folder
        self.redactor = Redactor()
        self.problem: JournalError | None = None
        self._unwritten: list[Entry] = []

    def record(self, record: Record) -> Future[bool]:
        """Put a recording down."""
        return self._put(Recording(record=record))

    def answered(self, call: str, answer: str) -> Future[bool]:
        """Put down which answer of the model holds a recording."""
        return self._put(Answered(call=call, answer=answer))

    def ended(self, ended: Ended, verdict: Verdict | None = None) -> Future[bool]:
        """Put down how the agent's program ended."""
        return self._put(ProgramEnded(ended=ended, verdict=verdict))

    async def settled(self) -> None:
        """Wait for nothing."""

    def story(self) -> tuple[list[Record], Ended | None]:
        """Return the records that count, and how the agent's program ended."""
        records, ended = self.writer.story()
        fails = [record for record in story_of(self._unwritten)[0] if record.says_fail]
        return [*records, *fails], ended

    def failing_line(self) -> str | None:
        """Return the first line of the output that says fail."""
        return self.writer.failing_line()

    def tail(self) -> str:
        """Return the last lines of the output."""
        return self.writer.tail()

    def keep(self, name: str, text: str) -> None:
        """Keep a text."""
        keep_text(self.folder / name, text, self.redactor)

    def _put(self, entry: Entry) -> Future[bool]:
        future: Future[bool] = Future()
        try:
            self.writer.put(entry)
        except JournalError as error:
            self.problem = error
            self._unwritten.append(entry)
            future.set_exception(error)
        else:
            future.set_result(False)
        return future
