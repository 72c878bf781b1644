"""Figures, the targets they are held to, and the Markdown table that shows both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HEADINGS = ("figure", "n", "median", "p90", "p99", "target", "met")

#: The shares that are shown, and the fewest values of which each is more than the largest by
#: another name.
FEWEST = {0.5: 1, 0.9: 10, 0.99: 100}


class Row(Protocol):
    """One line of the table."""

    @property
    def missed(self) -> bool:
        """Tell whether a target was missed; a figure without one misses nothing."""

    def cells(self) -> tuple[str, ...]:
        """Return what stands in the line, in the order of `HEADINGS`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """The most that one statistic of a figure may be."""

    of: Literal["median", "p99"]
    most: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """Something measured again and again; shown as its median, p90 and p99.

    Args:
        what: What was measured.
        unit: The values' unit; empty for a ratio.
        values: The measurements, in any order.
        target: What they are held to.
    """

    what: str
    unit: str
    values: Sequence[float]
    target: Target | None = None

    @property
    def missed(self) -> bool:
        """Tell whether the target was missed."""
        if self.target is None:
            return False
        share = {"median": 0.5, "p99": 0.99}[self.target.of]
        # "Not at most" and not "more": a figure that is no number meets no target.
        return not quantile(self.values, share) <= self.target.most

    def cells(self) -> tuple[str, ...]:
        """Return the figure's line."""
        statistics = [self._shown(share) for share in FEWEST]
        met = "" if self.target is None else _met(self.missed)
        wanted = "" if self.target is None else self._wanted(self.target)
        return (self.what, str(len(self.values)), *statistics, wanted, met)

    def _shown(self, share: float) -> str:
        if len(self.values) < FEWEST[share]:
            return ""
        return f"{quantile(self.values, share):.2f} {self.unit}".strip()

    def _wanted(self, target: Target) -> str:
        return f"{target.of} ≤ {target.most:g} {self.unit}".strip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """Something that is so or is not; `problem` says why not."""

    what: str
    problem: str | None

    @property
    def missed(self) -> bool:
        """Tell whether it is not so."""
        return self.problem is not None

    def cells(self) -> tuple[str, ...]:
        """Return the check's line."""
        return (self.what, "", self.problem or "", "", "", "yes", _met(self.missed))


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def table(rows: Iterable[Row], headings: Sequence[str] = HEADINGS) -> str:
    """Return a Markdown table of these lines."""
    lines = [headings, tuple("---" for _ in headings), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _met(missed: bool) -> str:
    return "**missed**" if missed else "met"
