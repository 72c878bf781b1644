"""Where bubblewrap says how the program in it ended; it says nothing where it never started one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_BYTES = 4096


class StatusPipe:
    """A pipe for one bubblewrap, which gets `writer`."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._open = {self._reader, self.writer}

    def added_to(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return bubblewrap's words with this pipe named in them."""
        return (words[0], "--json-status-fd", str(self.writer), *words[1:])

    def close_writer(self) -> None:
        """Close our own writing end."""
        self._close(self.writer)

    def has_exit_code(self) -> bool:
        """Tell whether a program was started and has ended; bubblewrap has ended, too."""
        try:
            return b'"exit-code"' in os.read(self._reader, _MAX_BYTES)
        except OSError:
            return False

    def close(self) -> None:
        """Close it; may be called again."""
        self._close(self._reader)
        self._close(self.writer)

    def _close(self, descriptor: int) -> None:
        if descriptor in self._open:
            self._open.remove(descriptor)
            os.close(descriptor)
