"""What is shown while pytest waits for verdicts: a live area on a terminal, lines elsewhere."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, TextIO

from pytest_ptc.reporting.live import LiveArea, live_supported
from pytest_ptc.reporting.terminal import live_lines, progress_line

if TYPE_CHECKING:
    import pytest

    from pytest_ptc.model import Snapshot

#: Seconds between two drawings: a second hand that does not stutter.
REDRAW = 0.25
#: Seconds between two lines in a log: a reader sees that it lives, a log stays short.
LINE_EVERY = 30.0


class Progress:
    """Shows how the run stands, in the way that the output allows."""

    def __init__(self, config: pytest.Config, stream: TextIO) -> None:
        self._config = config
        self._quiet = config.get_verbosity() < 0
        live = not self._quiet and live_supported(stream, os.environ)
        self._area = LiveArea(stream) if live else None
        self._started = self._said = time.monotonic()

    @property
    def interval(self) -> float | None:
        """Return for how many seconds nothing new needs to be shown; None for ever."""
        if self._quiet:
            return None
        if self._area is not None:
            return REDRAW
        return max(0.0, self._said + LINE_EVERY - time.monotonic())

    def show(self, snapshot: Snapshot) -> None:
        """Show how the run stands, if it is time for that."""
        now = time.monotonic()
        if self._area is not None:
            size = os.get_terminal_size()
            self._area.draw(
                live_lines(
                    snapshot,
                    now=now,
                    started=self._started,
                    width=size.columns,
                    height=size.lines,
                )
            )
        elif not self._quiet and now - self._said >= LINE_EVERY:
            self._said = now
            reporter = self._config.pluginmanager.getplugin("terminalreporter")
            if reporter is not None:
                reporter.ensure_newline()
                reporter.write_line(progress_line(snapshot, now=now, started=self._started))

    def clear(self) -> None:
        """Take what is shown off the terminal, so that pytest can go on."""
        if self._area is not None:
            self._area.erase()
