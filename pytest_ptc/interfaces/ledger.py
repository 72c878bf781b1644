"""Where an agent puts what is recorded of its attempt, and what it may ask of that."""

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
    """What is known of an attempt, by whoever judges it."""

    def story(self) -> tuple[list[Record], Ended | None]:
        """Return the records that count, and how the agent's program ended, if that was seen.

        Raises:
            JournalError: They cannot be read; one of them may have been a fail.
        """

    def failing_line(self) -> str | None:
        """Return the first line of a program's output that says fail; None if there is none."""

    def tail(self) -> str:
        """Return the last lines of what the agent printed."""


class Ledger(Records, Protocol):
    """One attempt's records, as its agent sees them.

    What is put here goes to the coordinator, which alone writes it down, in the order it came in.
    Each method returns at once, in any thread. Its future has a result when the record is on disk,
    and a JournalError when it is not, or when nobody says so in time: nobody is told that
    something is recorded before there is a result.
    """

    @property
    def folder(self) -> Path:
        """Return the attempt's folder, for the files that help who looks back."""

    @property
    def redactor(self) -> Redactor:
        """Return what takes the attempt's secrets out of texts."""

    @property
    def token(self) -> str:
        """Return what proves to the worker that a recording is of this attempt."""

    @property
    def address(self) -> Path:
        """Return the path of the Unix socket that `ptc record` calls."""

    @property
    def problem(self) -> JournalError | None:
        """Return why something is not recorded, if that is so: the last reason."""

    def record(self, record: Record) -> Future[bool]:
        """Have a recording put down; the result tells whether it is too late to count."""

    def answered(self, call: str, answer: str) -> Future[bool]:
        """Have it put down which answer of the model holds a recording."""

    def ended(self, ended: Ended, verdict: Verdict | None = None) -> Future[bool]:
        """Have it put down how the agent's program ended, with the verdict that its status is."""

    async def settled(self) -> None:
        """Wait until all of that is on disk, or is known not to be."""

    def keep(self, name: str, text: str) -> None:
        """Keep a text for whoever looks back."""
