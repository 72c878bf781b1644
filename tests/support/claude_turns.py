"""What turns with Claude Code are made of in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_ptc.verdicts.recording import Record


class NoLedger:
    """A ledger that takes everything in time, and that nobody reads."""

    def record(self, record: Record) -> bool:
        """Take a recording."""
        del record
        return False

    def answered(self, call: str, answer: str) -> None:
        """Take which answer holds a recording."""
