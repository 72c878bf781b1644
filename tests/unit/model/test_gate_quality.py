"""Votes, verification and the self-test are worth what they cost, with judges that err.

`python -m tests.bench judges` has the figures of many runs.
"""

from __future__ import annotations

import pytest

from pytest_ptc.model.self_test import Minimums
from tests.bench.judges import (
    ALL_VERIFIED,
    BLIND,
    GOOD,
    LEAST_TOLD,
    MOST_BLOCKED,
    MOST_MISSED,
    MOST_REQUESTS,
    ONE,
    RUNS,
    THREE,
    THREE_VERIFIED,
    VERIFIED,
)
from tests.support.erring_judges import Form, Judge, Quality, quality, self_test

#: Items of a run: enough for what is looked for to be more than noise.
ITEMS = 600

SPREAD = pytest.mark.parametrize("spread", [False, True])


def of(form: Form, *, spread: bool = False) -> Quality:
    return quality(form, Judge(spread=spread), seed=1, items=ITEMS)


@SPREAD
def test_three_votes_and_verification_block_less_and_miss_no_more(*, spread: bool) -> None:
    one, three = of(ONE, spread=spread), of(THREE_VERIFIED, spread=spread)
    assert three.blocked <= MOST_BLOCKED * one.blocked
    assert three.missed <= MOST_MISSED * one.missed
    assert three.requests <= MOST_REQUESTS * one.requests


@SPREAD
def test_all_of_three_votes_and_verification_miss_fewest(*, spread: bool) -> None:
    """What the first fail has ended is cast when that fail is refuted."""
    one, every = of(ONE, spread=spread), of(ALL_VERIFIED, spread=spread)
    assert every.missed <= one.missed / 3
    assert every.blocked <= one.blocked


def test_verification_alone_blocks_less_and_misses_more() -> None:
    one, verified = of(ONE), of(VERIFIED)
    assert verified.blocked <= MOST_BLOCKED * one.blocked
    assert one.missed < verified.missed <= 1.5 * one.missed


def test_votes_that_agree_early_spare_the_last() -> None:
    assert 2 * ITEMS < of(THREE).requests < 2.5 * ITEMS


@pytest.mark.parametrize(("catch", "blind"), [(BLIND, True), (GOOD, False)])
def test_the_self_test_tells_a_blind_judge_from_a_good_one(catch: float, *, blind: bool) -> None:
    judge = Judge(catch=catch)
    found = [bool(self_test(judge, seed, Minimums(catch="0.8")).blind) for seed in range(RUNS)]
    assert found.count(blind) >= LEAST_TOLD


def test_a_judge_that_errs_by_rule_errs_as_often_as_it_should() -> None:
    one = of(ONE)
    assert (one.defects, one.clean, one.requests) == (ITEMS // 2, ITEMS // 2, ITEMS)
    assert 0.24 <= one.missed / one.defects <= 0.36
    assert 0.14 <= one.blocked / one.clean <= 0.26
