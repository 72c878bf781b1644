"""How far judgements of the same input agree: over runs, and over the votes of a panel. Pure."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from math import comb
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence


class Flips(NamedTuple):
    """How often something judged again was judged otherwise.

    Args:
        repeats: How many judgements follow on another one of the same input.
        flips: How many of these differ from the one before.
    """

    repeats: int
    flips: int

    @property
    def rate(self) -> float | None:
        """Return the share of repeats that are flips; None without a repeat."""
        return self.flips / self.repeats if self.repeats else None


def flips(units: Iterable[Sequence[Hashable]]) -> Flips:
    """Return the flips among the judgements of several inputs.

    Args:
        units: The judgements of each input, in order.
    """
    pairs = [one != other for unit in units for one, other in pairwise(unit)]
    return Flips(len(pairs), sum(pairs))


def krippendorff_alpha(units: Iterable[Sequence[Hashable]]) -> float | None:
    """Return Krippendorff's alpha for nominal values, in any number and with any missing.

    1 is agreement, 0 is what chance would bring, below 0 is less than that. None where it says
    nothing: where no input is judged twice, or all values are the same.

    See K. Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011.

    Args:
        units: The values of each unit.
    """
    pairable = [Counter(unit) for unit in units if len(unit) > 1]
    totals: Counter[Hashable] = Counter()
    for values in pairable:
        totals.update(values)
    number = totals.total()
    expected = sum(count * (number - count) for count in totals.values())
    if not expected:
        return None
    # Each unit's ordered pairs of unequal values, weighted so that each value counts once.
    observed = sum(
        sum(count * (values.total() - count) for count in values.values()) / (values.total() - 1)
        for values in pairable
    )
    return 1 - (number - 1) * observed / expected


def pass_power(panels: Iterable[tuple[int, int]], votes: int) -> float | None:
    """Return pass^k: the chance that so many conversations on one item all pass.

    The mean over the items of the share of sets of k votes in which all pass.

    Args:
        panels: Of each item, how many votes pass, and how many there are; a missing one is no pass.
        votes: How many conversations; items with fewer say nothing.
    """
    shares = [
        comb(passes, votes) / comb(number, votes) for passes, number in panels if number >= votes
    ]
    return sum(shares) / len(shares) if shares else None
