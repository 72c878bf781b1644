"""What a worker shows in its pane.

Writing never blocks: Ctrl-S in the terminal, or a pane that tmux does not read, must not stop the
work. Lines that do not fit are dropped; they are in the journal.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_ptc.model.result import Attempt, AttemptReport
    from pytest_ptc.model.task import TaskSpec


class Screen:
    """Prints whole lines on a file descriptor, without blocking.

    Args:
        descriptor: Where to print.
        redact: Takes the secrets out of a text.
    """

    def __init__(self, descriptor: int, redact: Callable[[str], str] = lambda text: text) -> None:
        os.set_blocking(descriptor, False)
        self.redact = redact
        self._descriptor = descriptor
        self._dropped = 0

    def line(self, text: str) -> None:
        """Print one line, with whatever could drive the terminal made visible."""
        self._write(self._plain(text))

    def task(self, attempt: Attempt, spec: TaskSpec) -> None:
        """Print what is about to be done."""
        number = f", attempt {attempt.number}" if attempt.number > 1 else ""
        self._write("")
        self._write(f"{_now()} task {attempt.task_id}{number}: {self._plain(spec.nodeid)}")
        shown = self.redact(spec.prompt)
        for line in shown.splitlines()[:8]:
            self._write(f"    {printable(line[:400])}")

    def verdict(self, report: AttemptReport) -> None:
        """Print how it ended."""
        ended = report.trouble or report.verdict
        assert ended is not None
        if report.verdict is not None:
            count = len(report.verdict.findings)
            findings = f", {count} finding{'s' * (count != 1)}" if count else ""
            text = f"{report.verdict.verdict}{findings}: {report.verdict.summary}"
        else:
            text = str(report.trouble)
        self._write(f"{_now()} {self._plain(text)} ({report.seconds:.1f} s)")

    def _plain(self, text: str) -> str:
        # Redacted first: in a printable text, a secret may look different and not be found.
        return printable(self.redact(text))

    def _write(self, line: str) -> None:
        if self._dropped:
            line = f"[{self._dropped} lines dropped]\n{line}"
        try:
            # A partial write drops the rest of the line.
            os.write(self._descriptor, f"{line}\n".encode("utf-8", "replace"))
        except OSError:
            self._dropped += 1
        else:
            self._dropped = 0


def _now() -> str:
    return time.strftime("%H:%M:%S")
