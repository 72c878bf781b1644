"""The result of cleaning up after a killed run."""

from __future__ import annotations

from typing import NamedTuple


class Cleaned(NamedTuple):
    """What was removed, and what was left because it may not be the run's; each in words."""

    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    def and_(self, other: Cleaned) -> Cleaned:
        """Return both results as one."""
        return Cleaned(self.removed + other.removed, self.left + other.left)

    def __str__(self) -> str:
        left = f"; left {', '.join(self.left)}" if self.left else ""
        return f"removed {', '.join(self.removed) or 'nothing'}{left}"
