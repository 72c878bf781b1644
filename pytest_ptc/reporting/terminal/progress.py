"""What is shown while pytest waits for verdicts: a live area on a terminal, lines elsewhere."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, TextIO

from pytest_ptc.reporting.terminal.live_area import LiveArea, live_supported, stream_size
from pytest_ptc.reporting.terminal.status import live_lines, progress_line
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    import pytest

    from pytest_ptc.model.lifecycle import Snapshot

#: Seconds between two drawings: a second hand that does not stutter.
REDRAW_INTERVAL_S = 0.25
#: Seconds between two lines in a log: a reader sees that it lives, a log stays short.
LINE_INTERVAL_S = 30.0


class Progress:
    """Shows how the run stands, in the way that the output allows.

    Args:
        reporter: Pytest's terminal reporter; None where the user wants none.
        stream: What it writes to.
    """

    def __init__(self, reporter: pytest.TerminalReporter | None, stream: TextIO) -> None:
        self._reporter = None if reporter is None or reporter.verbosity < 0 else reporter
        self._size = partial(stream_size, stream)
        self._area = self._live_area(stream)
        self._started = self._last_line_at = time.monotonic()
        self._told = 0

    @property
    def interval(self) -> float | None:
        """Return for how many seconds nothing new needs to be shown; None for ever."""
        if self._reporter is None:
            return None
        if self._area is not None:
            return REDRAW_INTERVAL_S
        return max(0.0, self._last_line_at + LINE_INTERVAL_S - time.monotonic())

    def show(self, snapshot: Snapshot) -> None:
        """Show how the run stands, if it is time for that."""
        now = time.monotonic()
        if self._area is not None:
            try:
                size = self._size()
            except (OSError, ValueError):
                return  # the terminal hung up, which is no reason to end the run
            self._area.draw(
                live_lines(
                    snapshot,
                    now=now,
                    started=self._started,
                    width=size.columns,
                    height=size.lines,
                )
            )
        elif self._reporter is not None:
            lines = [f"ptc: {printable(note)}" for note in snapshot.notes[self._told :]]
            self._told = len(snapshot.notes)
            if now - self._last_line_at >= LINE_INTERVAL_S:
                self._last_line_at = now
                lines.append(progress_line(snapshot, now=now, started=self._started))
            for line in lines:
                self._reporter.ensure_newline()
                self._reporter.write_line(line)

    def clear(self) -> None:
        """Take what is shown off the terminal, so that pytest can go on."""
        if self._area is not None:
            self._area.erase()

    def _live_area(self, stream: TextIO) -> LiveArea | None:
        if self._reporter is None or not live_supported(stream, os.environ):
            return None
        if self._reporter.config.getoption("capture", "fd") == "no":
            return None  # what tests print would run through it
        writer = self._reporter.config.get_terminal_writer()
        return LiveArea(stream, size=self._size, column=lambda: writer.width_of_current_line)
