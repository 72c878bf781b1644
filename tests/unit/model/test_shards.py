"""Dealing items to shards."""

from __future__ import annotations

from random import Random  # noqa: TC003 - hypothesis reads it

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.model.shards import EVERY, DealtItem, Shard, deal


@pytest.mark.parametrize(("text", "shard"), [("1/1", (1, 1)), (" 2/4 ", (2, 4)), ("007/9", (7, 9))])
def test_a_shard_is_a_number_of_a_number(text: str, shard: tuple[int, int]) -> None:
    """As a pipeline's variables fill it in."""
    assert Shard.parse(text) == shard


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "1", "/4", "2/", "0/3", "4/3", "-1/3", "1/0", "1.0/3", "1/3/3", "1 / 3"),
        *("\u0661/3", "1/1001", "1/" + "9" * 5000, "${CI_NODE_INDEX}/${CI_NODE_TOTAL}"),
    ],
)
def test_whatever_else_is_no_shard(text: str) -> None:
    """A job that is not one of several, and one that counts from 0, deal nothing."""
    assert Shard.parse(text) is None


ITEMS = st.lists(
    st.builds(
        DealtItem,
        st.text("abcd", min_size=1, max_size=3),
        st.frozensets(st.sampled_from(["need a", "need b", "group g", "group h"]), max_size=2),
        st.booleans(),
    ),
    max_size=30,
)


@given(ITEMS, st.integers(1, 7), st.randoms())
def test_each_item_is_in_one_shard_or_in_all(
    items: list[DealtItem], of: int, order: Random
) -> None:
    """Whatever the order of collection; nothing that is tied is parted."""
    parts = deal(items, of)
    assert len(parts) == len(items)
    assert all(part in range(EVERY, of + 1) for part in parts)
    for item, part in zip(items, parts, strict=True):
        assert part != EVERY or (item.tests_judge and not item.ties)
        for other, its in zip(items, parts, strict=True):
            if item.name == other.name or item.ties & other.ties:
                assert part == its
    places = [*range(len(items))]
    order.shuffle(places)
    assert deal([items[at] for at in places], of) == [parts[at] for at in places]


@given(st.integers(0, 40), st.integers(1, 9))
def test_the_parts_are_of_equal_size(items: int, of: int) -> None:
    """Tests of the judge are in every shard and fill none."""
    dealt = [DealtItem(f"t.py::t[{n}]") for n in range(items)]
    parts = deal([*dealt, DealtItem("t.py::canary", tests_judge=True)], of)
    assert parts.pop() == EVERY
    sizes = [parts.count(number) for number in range(1, of + 1)]
    assert sum(sizes) == items
    assert max(sizes) - min(sizes) <= 1
    # The items of a file, which take alike, are not all in one.
    assert sorted(parts[:of]) == [*range(1, min(items, of) + 1)] or items > 9


def test_what_stays_together_is_dealt_first() -> None:
    """Three that are tied, and three that are not, are two parts of three."""
    tied = [DealtItem(f"z{n}", frozenset({"group g"})) for n in range(3)]
    assert deal([*map(DealtItem, "abc"), *tied], 2) == [2, 2, 2, 1, 1, 1]
    assert deal([*tied, DealtItem("a", frozenset({"group g"}), tests_judge=True)], 2) == [1] * 4
