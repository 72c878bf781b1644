"""What became of what a killed run has left."""

from __future__ import annotations

from typing import NamedTuple


class Cleaned(NamedTuple):
    """What was removed, and what was left because it is not seen to be the run's; each in words."""

    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    def and_(self, other: Cleaned) -> Cleaned:
        """Return what became of these and of others."""
        return Cleaned(self.removed + other.removed, self.left + other.left)

    def __str__(self) -> str:
        left = f"; left {', '.join(self.left)}" if self.left else ""
        return f"removed {', '.join(self.removed) or 'nothing'}{left}"
