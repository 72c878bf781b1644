"""The marks of a run's time."""

from __future__ import annotations

import pytest

from pytest_ptc.reporting.page.axis import marks


@pytest.mark.parametrize(
    ("seconds", "first", "last"),
    [
        pytest.param(0.05, ["0 s", "0.01 s"], "0.05 s", id="hundredths"),
        pytest.param(3, ["0 s", "0.5 s"], "3 s", id="seconds"),
        pytest.param(61, ["0 s", "10 s"], "1:00", id="a-minute"),
        pytest.param(3700, ["0 min", "10 min"], "1 h 00", id="an-hour"),
        pytest.param(90_000, ["0 min", "4 h 00"], "24 h 00", id="a-day"),
        pytest.param(40_000_000, ["0 min", "1248 h 00"], "9984 h 00", id="more-than-a-year"),
    ],
)
def test_a_mark_says_when_it_is_in_the_unit_of_its_steps(
    seconds: float, first: list[str], last: str
) -> None:
    """Steps are round numbers, no more of them than there is room for."""
    found = marks(seconds, 9)
    assert [mark.label for mark in found[:2]] == first
    assert found[-1].label == last
    assert found[-1].at <= seconds
    assert len(found) <= 10
