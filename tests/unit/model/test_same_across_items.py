"""Which findings of several items are one and the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.model.same_across_items import ItemFinding, same_across_items
from pytest_ptc.model.same_findings import is_same
from pytest_ptc.model.verdict import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = ("a.py", "")


def named(
    item: str, line: int | None = 10, rule: str | None = "sql", **more: object
) -> ItemFinding:
    return ItemFinding(**{"item": item, "file": FILE, "line": line, "rule": rule, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("findings", "groups"),
    [
        pytest.param([named("a"), named("b", 13, "SQL", message="m")], [[0, 1]], id="nearby"),
        pytest.param([named("a"), named("b", 14)], [[0], [1]], id="another-line"),
        pytest.param([named("a"), named("b", rule="xss")], [[0], [1]], id="another-rule"),
        pytest.param([named("a"), named("b", file=("a.py", "c1"))], [[0], [1]], id="commits"),
        pytest.param([named("a"), named("b", 12, None)], [[0, 1]], id="of-any-rule"),
        pytest.param([named("a", 12, None), named("b", 15)], [[1, 0]], id="whichever-is-first"),
        pytest.param([named("a", rule=None), named("b", rule=None)], [[0, 1]], id="no-rule"),
        pytest.param([named("a", None), named("b", None, message="m")], [[0, 1]], id="whole-file"),
        pytest.param([named("a", None), named("b", 1)], [[0], [1]], id="file-and-line"),
        pytest.param(
            [named("a", None, None, message="x"), named("b", None, None, message="y")],
            [[0], [1]],
            id="whole-file-without-a-rule",
        ),
        pytest.param([named("a", file=None), named("b", file=None)], [[0], [1]], id="no-file"),
        pytest.param(
            [named("a", 10), named("a", 11), named("b", 11), named("b", 12)],
            [[0, 2], [1, 3]],
            id="twice-in-one-item",
        ),
    ],
)
def test_place_and_rule_tell(findings: Sequence[ItemFinding], groups: list[list[int]]) -> None:
    assert same_across_items(findings) == groups


FINDINGS = st.lists(
    st.builds(
        ItemFinding,
        item=st.sampled_from("abcde"),
        file=st.sampled_from([None, FILE, FILE, ("b.py", "")]),
        line=st.none() | st.integers(1, 12),
        rule=st.sampled_from([None, "r1", "R1", "r2"]),
        message=st.sampled_from(["m", "n"]),
    ),
    max_size=25,
)


def test_rules_that_differ_in_case_alone_have_an_order() -> None:
    """Also two of one item, which are the same in all that decides."""
    one, other = (
        ItemFinding(item="c", file=FILE, line=11, rule=rule, message="m") for rule in ("R1", "r1")
    )
    told, again = (
        [findings[at].rule for group in same_across_items(findings) for at in group]
        for findings in ([one, other], [other, one])
    )
    assert told == again


@given(FINDINGS, st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter(findings: list[ItemFinding], random: object) -> None:
    """The groups hold the same findings in the same order."""
    shuffled = list(findings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    told = [[findings[at] for at in group] for group in same_across_items(findings)]
    again = [[shuffled[at] for at in group] for group in same_across_items(shuffled)]
    placed = [group for group in told if group[0].file is not None]
    assert placed == [group for group in again if group[0].file is not None]
    assert sorted(map(repr, told)) == sorted(map(repr, again))


@given(FINDINGS)
def test_nothing_is_dropped_and_an_item_names_a_thing_once(findings: list[ItemFinding]) -> None:
    """Each finding is in one group, whose members are the same as its first, of different items."""
    groups = same_across_items(findings)
    assert sorted(at for group in groups for at in group) == list(range(len(findings)))
    for first, *others in groups:
        items = [findings[at].item for at in (first, *others)]
        assert len(set(items)) == len(items)
        assert all(is_same(whole(findings[first]), whole(findings[at])) for at in others)


def whole(one: ItemFinding) -> Finding:
    path = one.file[0] if one.file else None
    return Finding(
        severity=Severity.LOW, message=one.message, path=path, line=one.line, rule=one.rule
    )


def test_many_findings_at_one_line_cost_little() -> None:
    """Each item's are looked through once, not once for each."""
    many = [named(item, message=str(number)) for item in "ab" for number in range(20_000)]
    assert len(same_across_items(many)) == 20_000
