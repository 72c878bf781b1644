"""The protocol of an attempt's records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from pytest_ptc.model.errors import JournalError
    from pytest_ptc.model.verdict import Verdict
    from pytest_ptc.text.redaction import Redactor
    from pytest_ptc.verdicts.endings import Ended
    from pytest_ptc.verdicts.recording import Record


class Records(Protocol):
    """An attempt's records, as needed for its outcome."""

    def story(self) -> tuple[list[Record], Ended | None]:
        """Return the records that count, and how the agent's program ended, if known.

        Raises:
            JournalError: They cannot be read; one of them may have been a fail.
        """

    def failing_line(self) -> str | None:
        """Return the first line of a program's output that says fail; None if there is none."""

    def tail(self) -> str:
        """Return the last lines of what the agent printed."""


class Ledger(Records, Protocol):
    """One attempt's records, as its agent sees them.

    Records go to the coordinator, which writes them in the order in which they came. Each method
    returns at once, in any thread. Its future has a result when the record is on disk, and a
    JournalError when it is not, or when there is no acknowledgement in time. Do not report
    anything as recorded before there is a result.
    """

    @property
    def folder(self) -> Path:
        """Return the attempt's folder in the journal."""

    @property
    def redactor(self) -> Redactor:
        """Return the redactor that knows the attempt's secrets."""

    @property
    def token(self) -> str:
        """Return the token that identifies this attempt to its worker."""

    @property
    def address(self) -> Path:
        """Return the path of the Unix socket that `ptc record` calls."""

    @property
    def problem(self) -> JournalError | None:
        """Return the last error in recording, if any."""

    def record(self, record: Record) -> Future[bool]:
        """Send a recording; the result tells whether it came too late to count."""

    def answered(self, call: str, answer: str) -> Future[bool]:
        """Send which answer of the model holds a recording."""

    def ended(self, ended: Ended, verdict: Verdict | None = None) -> Future[bool]:
        """Send how the agent's program ended, and the verdict of its exit status, if any."""

    async def settled(self) -> None:
        """Wait until every record is on disk, or has failed."""

    def keep(self, name: str, text: str) -> None:
        """Write a text to a file of the attempt's folder, redacted."""
