"""What votes, verification and the self-test are worth with a judge that errs.

The judge errs by rule, with fixed seeds. What its votes and verifiers decide, how many of them are
asked, and whether a judge is blind, is the product's.

What is assumed: half of the items have a defect, of which a vote names the place or nothing. A vote
on an item without one has a false alarm of one finding. Conversations err independently of each
other and take about as long. Eight are held at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_ptc.model.self_test import Minimums
from tests.bench.figures import quantile
from tests.support.erring_judges import Form, Judge, Quality, quality, self_test

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

HEADINGS = ("form", "missed defects", "false blocks", "requests", "target", "met")

#: Runs of each form, and items of each run.
SEEDS, ITEMS = 25, 1000
#: Series of self-tests, and runs of each series.
SERIES, RUNS = 25, 100

ONE, VERIFIED = Form(), Form(verify=True)
THREE, THREE_VERIFIED = Form(votes=3), Form(votes=3, verify=True)
ALL, ALL_VERIFIED = Form(votes=3, quorum="all"), Form(votes=3, quorum="all", verify=True)
FIVE = Form(votes=5)
#: Where the false alarms on an item are.
PLACES = {False: ", false alarms at one place", True: ", false alarms at several places"}
FORMS = (ONE, VERIFIED, THREE, THREE_VERIFIED, ALL, ALL_VERIFIED, FIVE)

FEW_DEFECTS = (ONE, THREE_VERIFIED, ALL_VERIFIED)

#: What `votes=3, verify` is held to, against one vote: the most of its false blocks, of its missed
#: defects, and of its requests.
MOST_BLOCKED, MOST_MISSED, MOST_REQUESTS = 1 / 3, 1.0, 3.5
TARGET = "≤ 1, ≤ 1/3, ≤ 3.5 of one vote"
#: In so many of a hundred runs the self-test has to tell a judge of the first catch rate from one
#: of the second.
LEAST_TOLD, BLIND, GOOD = 95, 0.5, 0.95
MINIMUMS = Minimums(catch="0.8")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A form and what it is worth; `problem` says which target was missed."""

    form: str
    unseen: str
    blocked: str
    requests: str
    target: str = ""
    problem: str = ""

    @property
    def missed(self) -> bool:
        """Tell whether its target was missed."""
        return bool(self.problem)

    def cells(self) -> tuple[str, ...]:
        """Return the form's line."""
        met = f"**missed**: {self.problem}" if self.problem else "met" if self.target else ""
        return (self.form, self.unseen, self.blocked, self.requests, self.target, met)


def measure(_: Path) -> Iterator[Line]:
    """Yield a line for each form, then for the self-test."""
    for defective, forms in ((0.5, FORMS), (0.1, FEW_DEFECTS)):
        ones = _runs(ONE, defective)
        for form in forms:
            yield from _lines(form, ones, defective)
    yield from _self_tests()


def _runs(form: Form, defective: float, *, spread: bool = False) -> list[Quality]:
    judge = Judge(spread=spread)
    return [quality(form, judge, seed, items=ITEMS, defective=defective) for seed in range(SEEDS)]


def _lines(form: Form, ones: Sequence[Quality], defective: float) -> Iterator[Line]:
    share = "" if defective == 0.5 else f", {defective:.0%} have a defect"
    # Where false alarms are matters to what several votes name and verifiers refute.
    several = form.verify and form.votes > 1
    for spread, place in PLACES.items() if several else ((False, ""),):
        runs = _runs(form, defective, spread=spread)
        target = TARGET if form == THREE_VERIFIED else ""
        yield Line(
            form=f"`{form.name}`{place}{share}" if form != ONE else f"{form.name}{share}",
            unseen=_shown([run.missed for run in runs], runs[0].defects),
            blocked=_shown([run.blocked for run in runs], runs[0].clean),
            requests=_shown([run.requests for run in runs]),
            target=target,
            problem=problem_of(runs, ones) if target else "",
        )


def problem_of(runs: Sequence[Quality], ones: Sequence[Quality]) -> str:
    """Return what keeps a form from its target, against runs of one vote; empty for nothing."""
    pairs = list(zip(runs, ones, strict=True))
    ratios = {
        "false blocks": ([run.blocked / one.blocked for run, one in pairs], MOST_BLOCKED),
        "missed defects": ([run.missed / one.missed for run, one in pairs], MOST_MISSED),
        "requests": ([run.requests / one.requests for run, one in pairs], MOST_REQUESTS),
    }
    found = {what: (quantile(values, 0.95), most) for what, (values, most) in ratios.items()}
    return "; ".join(f"{what}: {at:.2f}" for what, (at, most) in found.items() if at > most)


def _shown(values: Sequence[float], total: int | None = None) -> str:
    """Return a median, and what nine of ten runs are within."""
    middle, low, high = (quantile(values, share) for share in (0.5, 0.05, 0.95))
    of = "" if total is None else f" of {total}"
    return f"{middle:,}{of}" if low == high else f"{middle:,}{of} ({low:,} to {high:,})"


def _self_tests() -> Iterator[Line]:
    """Yield how often the self-test tells a judge that is blind, and one that is not."""
    for catch, found in ((BLIND, True), (Judge().catch, None), (GOOD, False)):
        told = [_blind_of(catch, series) for series in range(SERIES)]
        right = [count if found in (True, None) else RUNS - count for count in told]
        # In the median of the series: that of a single one is left to luck.
        problem = found is not None and quantile(right, 0.5) < LEAST_TOLD
        said = "blind" if found in (True, None) else "not blind"
        yield Line(
            form=f"self-test, 12 canaries, `--ptc-min-catch={MINIMUMS.catch}`, catch rate {catch}",
            unseen=f"{said} in {_shown(right, RUNS)} runs",
            blocked="",
            requests="12 more a run",
            target="" if found is None else f"{LEAST_TOLD} of {RUNS}",
            problem=f"{quantile(right, 0.5)} of {RUNS}" if problem else "",
        )


def _blind_of(catch: float, series: int) -> int:
    """Return in how many runs of a series a judge of this catch rate is found blind."""
    judge = Judge(catch=catch)
    seeds = range(series * RUNS, (series + 1) * RUNS)
    return sum(bool(self_test(judge, seed, MINIMUMS).blind) for seed in seeds)
