"""The block of lines below pytest's own, in a terminal that can be drawn on.

Every draw is one write, made of what xterm, tmux, VS Code, GNU screen and the Linux console all
understand, and leaves the cursor where it was:

1. Room is made by going down with IND, which keeps the column and scrolls at the bottom, and up
   again. If that scrolled, the cursor's line has moved up as far as the cursor has.
2. Only then is the cursor saved: a saved place stays on its row of the screen when text scrolls
   away below it, so nothing after this may scroll. Lines are reached by CUD, which never scrolls,
   and wrapping is off while they are written, lest the terminal finds one wider than we did.
3. What is right of a line and below the last is erased, whatever an earlier size left there.

Whoever breaks the cursor's line calls `erase` before that. Drawing while pytest captures at the
level of file descriptors would draw into the capture: the caller draws between items.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, TextIO

from pytest_ptc.text.printable import clip, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_IND = "\x1bD"
_SAVE, _RESTORE = "\x1b7", "\x1b8"
_WRAP_OFF, _WRAP_ON = "\x1b[?7l", "\x1b[?7h"
_NEXT_LINE = "\x1b[B\r"
_ERASE_RIGHT, _ERASE_BELOW = "\x1b[K", "\x1b[J"

#: Terminals without the sequences above, by the name in TERM.
_PLAIN_TERMINALS = ("", "dumb", "unknown")


def live_supported(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether lines can be drawn and erased on this stream, with somebody there to see it.

    Some CI systems give a job a terminal and keep all that was ever written to it: as pytest does,
    we know them by CI or BUILD_NUMBER.
    """
    if environ.get("TERM", "") in _PLAIN_TERMINALS:
        return False
    if environ.get("CI") or environ.get("BUILD_NUMBER"):
        return False
    try:
        return stream.isatty()
    except (AttributeError, OSError, ValueError):
        return False


def stream_size(stream: TextIO) -> os.terminal_size:
    """Return the size of the stream's terminal at this moment.

    Raises:
        OSError: It is not a terminal.
        ValueError: It is closed.
    """
    size = os.get_terminal_size(stream.fileno())
    # A serial line or a container's terminal may not know its size: it says 0 by 0.
    return size if size.columns and size.lines else shutil.get_terminal_size()


class LiveArea:
    """Lines below the cursor's line that come and go without a trace.

    No method raises: a terminal that cannot be written to is no reason to end a test run.

    Args:
        stream: Where pytest writes.
        size: Returns the terminal's size at this moment; asks the terminal if not given.
        column: Returns how many columns pytest has written since its last line break, below 0 if
            that is not known: the terminal writer's `width_of_current_line`. With it, pytest's text
            may run on into the next line without `erase`; without it, that leaves a trace, and a
            character written at the right edge may be replaced by the next one.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        size: Callable[[], os.terminal_size] | None = None,
        column: Callable[[], int] | None = None,
    ) -> None:
        self._stream = stream
        self._size = size or (lambda: stream_size(stream))
        self._column = column
        self._drawn = False

    def __repr__(self) -> str:
        return f"<LiveArea {'drawn' if self._drawn else 'clear'}>"

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines instead of those before, as many and as much of each as there is room.

        Every line is made printable: nothing in it can move the cursor.
        """
        if lines:
            self._show(lines)
        else:
            self.erase()

    def erase(self) -> None:
        """Take the lines away; nothing is written if there are none."""
        if self._drawn:
            self._show(())

    def _show(self, lines: Sequence[str]) -> None:
        try:
            size = self._size()
            room = size.lines - 1
            if room < 1 or size.columns < 1:
                return
            self._drawn = True
            frame = _frame(self._fitted(lines[:room], size))
            self._stream.write(self._settled(size.columns) + frame)
            self._stream.flush()
            self._drawn = bool(lines)
        # Closed, hung up, or full (EAGAIN): the next call tries again.
        except (OSError, ValueError):
            pass

    def _fitted(self, lines: Sequence[str], size: os.terminal_size) -> list[str]:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        encodable = [
            printable(line).encode(encoding, "backslashreplace").decode(encoding) for line in lines
        ]
        return [clip(line, size.columns - 1) for line in encodable]

    def _settled(self, width: int) -> str:
        """Return what makes the cursor's line safe to leave, if pytest's column is known.

        A terminal wraps only when the next character comes, forgets on any move that it was about
        to, and tmux cannot save it: a blank makes it wrap now. What is right of the cursor can then
        only be a line of ours that pytest's text has run into.
        """
        column = self._column() if self._column else -1
        if column < 0:
            return ""
        return (" \r" if column and column % width == 0 else "") + _ERASE_RIGHT


def _frame(lines: Sequence[str]) -> str:
    # An empty area has a row as well: after the terminal shrank, the cursor may be at the bottom,
    # and erasing starts a row below it.
    rows = max(len(lines), 1)
    shown = (_ERASE_RIGHT + _NEXT_LINE).join(lines)
    return (
        f"{_IND * rows}\x1b[{rows}A{_SAVE}"
        f"{_WRAP_OFF}{_NEXT_LINE}{shown}{_ERASE_BELOW}{_WRAP_ON}{_RESTORE}"
    )
