"""A queue that forgets what is old."""

from collections import deque


class Recent:
    """The last few of many things."""

    def __init__(self, most: int) -> None:
        self._things: deque[object] = deque(maxlen=most)

    def add(self, thing: object) -> None:
        """Add a thing; the oldest may go."""
        self._things.append(thing)

    def all(self) -> list[object]:
        """Return them, the oldest first."""
        return list(self._things)
