"""Numbered frames over calls that may fail, or be made twice: each arrives once, in order.

An engine gives us calls from pytest's machine to a node, and their answers. A call that failed may
have been carried out, and an engine may repeat one by itself. So every frame has a number, is kept
until the other side has said that it has it, and is taken once. Pure.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Bytes of the frames in one call or answer, about: a longer frame goes alone.
MAX_LOAD_BYTES = 4 * 1024 * 1024


class FrameError(Exception):
    """The other side has said what it cannot have meant: a defect of ours, or of a forger."""


class Outbox:
    """Frames on their way out, each encoded already.

    Args:
        news: Called when there is a frame to send.
    """

    def __init__(self, news: Callable[[], None] = lambda: None) -> None:
        self._news = news
        self._frames: deque[bytes] = deque()
        #: The number of the first frame that is kept.
        self._first = 1
        #: The number of the last frame that does not wait for others.
        self._urgent = 0
        #: Bytes of all frames that are kept.
        self.size = 0

    def __repr__(self) -> str:
        return f"<Outbox {len(self._frames)} frames from {self._first} on>"

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def is_urgent(self) -> bool:
        """Tell whether there is a frame that does not wait for others."""
        return self._urgent >= self._first

    def put(self, frame: bytes, *, urgent: bool = True) -> None:
        """Send a frame with the next load; one that is not urgent waits for another that is."""
        self._frames.append(frame)
        self.size += len(frame)
        if urgent:
            self.hurry()

    def hurry(self) -> None:
        """Let what there is wait no more."""
        if self._frames:
            self._urgent = self._first + len(self._frames) - 1
            self._news()

    def arrived(self, last: int) -> None:
        """Forget the frames up to this number: the other side has them.

        Raises:
            FrameError: It has not been sent.
        """
        if last >= self._first + len(self._frames):
            raise FrameError(f"frame {last} has not been sent, and is said to have arrived")
        while self._first <= last:
            self.size -= len(self._frames.popleft())
            self._first += 1

    def load(self) -> tuple[int, list[bytes]]:
        """Return the number of the first frame that is kept, and so many as go at once."""
        frames: list[bytes] = []
        left = MAX_LOAD_BYTES
        for frame in self._frames:
            left -= len(frame)
            if frames and left < 0:
                break
            frames.append(frame)
        return self._first, frames


class Inbox:
    """Tells which of the frames that came are new."""

    def __init__(self) -> None:
        #: The number of the last frame that came.
        self.last = 0

    def __repr__(self) -> str:
        return f"<Inbox up to {self.last}>"

    def take(self, first: int, frames: Sequence[bytes]) -> Sequence[bytes]:
        """Return those of a load that have not come before.

        Args:
            first: The number of the first of them.
            frames: The load.

        Raises:
            FrameError: One before it is missing.
        """
        if not 1 <= first <= self.last + 1:
            raise FrameError(f"frame {self.last + 1} is missing: {first} came")
        fresh = frames[self.last + 1 - first :]
        self.last += len(fresh)
        return fresh
