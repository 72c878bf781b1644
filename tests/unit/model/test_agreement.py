"""How far judgements agree: against published values and by what they mean."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.model.agreement import Flips, flips, krippendorff_alpha, pass_power

#: K. Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011; `.` is missing.
BINARY = ("0100000010", "1110010000")
NOMINAL = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")


def units(rows: tuple[str, ...]) -> list[list[str]]:
    return [[value for value in column if value != "."] for column in zip(*rows, strict=True)]


@pytest.mark.parametrize(("rows", "alpha"), [(BINARY, 0.095), (NOMINAL, 0.743)])
def test_alpha_is_as_published(rows: tuple[str, ...], alpha: float) -> None:
    assert krippendorff_alpha(units(rows)) == pytest.approx(alpha, abs=0.0005)


@pytest.mark.parametrize("told", [[], ["a"], ["aa", "aaa"], ["a", "b"]])
def test_alpha_says_nothing_without_repeats_or_with_one_value_alone(told: list[str]) -> None:
    assert krippendorff_alpha(told) is None


@given(st.lists(st.text("abc", max_size=5), max_size=8))
def test_alpha_is_what_pairs_say(told: list[str]) -> None:
    """By the definition: unequal pairs within units, against unequal pairs of all values."""
    alpha = krippendorff_alpha(told)
    pairable = [unit for unit in told if len(unit) > 1]
    values = "".join(pairable)
    expected = sum(one != other for one, other in combinations(values, 2))
    if not expected:
        assert alpha is None
        return
    observed = sum(
        sum(one != other for one, other in combinations(unit, 2)) * 2 / (len(unit) - 1)
        for unit in pairable
    )
    wanted = 1 - (observed / len(values)) / (expected / (len(values) * (len(values) - 1) / 2))
    assert alpha == pytest.approx(wanted)


def test_a_flip_is_another_verdict_than_the_time_before() -> None:
    assert flips(["ppf", "p", "", "fpf"]) == Flips(repeats=4, flips=3)
    assert flips(["ppf", "pp"]).rate == pytest.approx(1 / 3)
    assert flips(["p"]).rate is None


def test_pass_power_is_the_share_of_sets_that_all_pass() -> None:
    """An item with fewer votes says nothing."""
    assert pass_power([(2, 3)], 1) == pytest.approx(2 / 3)
    assert pass_power([(2, 3), (3, 3)], 2) == pytest.approx((1 / 3 + 1) / 2)
    assert pass_power([(2, 3), (2, 2)], 3) == 0.0
    assert pass_power([(2, 2)], 3) is None
