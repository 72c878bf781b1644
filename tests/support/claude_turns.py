"""What turns with Claude Code are made of in tests."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_ptc.verdicts.recording import Record


class NoLedger:
    """A ledger that takes everything in time, and that nobody reads."""

    def record(self, record: Record) -> Future[bool]:
        """Take a recording."""
        del record
        return _in_time()

    def answered(self, call: str, answer: str) -> Future[bool]:
        """Take which answer holds a recording."""
        del call, answer
        return _in_time()


def _in_time() -> Future[bool]:
    """Return what is told of something that was put down in time."""
    future: Future[bool] = Future()
    future.set_result(False)
    return future
