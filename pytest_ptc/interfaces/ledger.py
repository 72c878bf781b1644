"""Where an agent puts what is recorded of its attempt, and what it may ask of that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_ptc.model.verdict import Verdict
    from pytest_ptc.text.redaction import Redactor
    from pytest_ptc.verdicts.endings import Ended
    from pytest_ptc.verdicts.recording import Record


class Ledger(Protocol):
    """One attempt's records, as its agent sees them.

    Every method but `keep`, `tail` and `failing_line` may raise JournalError: it cannot be kept, or
    cannot be read.
    """

    @property
    def folder(self) -> Path:
        """Return the attempt's folder, for the files that help who looks back."""

    @property
    def redactor(self) -> Redactor:
        """Return what takes the attempt's secrets out of texts."""

    @property
    def token(self) -> str:
        """Return what proves that a recording is of this attempt."""

    @property
    def over(self) -> bool:
        """Tell whether the attempt's time is over."""

    def end_time(self) -> None:
        """Put down that the time is over: from here on only a fail counts."""

    def record(self, record: Record) -> bool:
        """Put a recording on disk, and tell whether it is too late to count."""

    def answered(self, call: str, answer: str) -> None:
        """Put down which answer of the model holds a recording."""

    def ended(self, ended: Ended, verdict: Verdict | None = None) -> None:
        """Put on disk how the agent's program ended, with the verdict that its status is, if so."""

    def story(self, schema: Mapping[str, Any] | None = None) -> tuple[list[Record], Ended | None]:
        """Return what was recorded, and how the agent's program ended, if that was seen."""

    def keep(self, name: str, text: str) -> None:
        """Keep a text for whoever looks back."""

    def tail(self) -> str:
        """Return the last lines of what the agent printed."""

    def failing_line(self) -> str | None:
        """Return the first line of a program's output that says fail; None if there is none."""
