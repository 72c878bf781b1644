"""Which findings are one and the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_ptc.model.same_findings import groups_of_same, is_same
from pytest_ptc.model.verdict import Finding, Severity

ONE = Finding(
    severity=Severity.HIGH, message="SQL is put together", path="a.py", line=10, rule="sql"
)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"message": "in other words", "severity": Severity.LOW}, True),
        ({"line": 13}, True),
        ({"line": 7}, True),
        ({"line": 14}, False),
        ({"line": None}, False),
        ({"path": "b.py"}, False),
        ({"path": None}, False),
        ({"rule": "SQL"}, True),
        ({"rule": None}, True),
        ({"rule": "xss"}, False),
    ],
)
def test_place_and_rule_tell(other: dict[str, object], same: bool) -> None:
    assert is_same(ONE, replace(ONE, **other)) is same  # type: ignore[arg-type]
    assert is_same(replace(ONE, **other), ONE) is same  # type: ignore[arg-type]


def test_without_a_path_the_words_tell() -> None:
    one = replace(ONE, path=None, line=None)
    assert is_same(one, replace(one, message="sql is put  together."))
    assert not is_same(one, replace(one, message="something else"))


def test_without_a_line_only_such_ones_are_the_same() -> None:
    whole = replace(ONE, line=None)
    assert is_same(whole, replace(whole, message="m"))
    ruleless = replace(whole, rule=None)
    assert is_same(ruleless, whole)
    assert not is_same(ruleless, replace(whole, message="m"))


def test_a_group_is_of_what_is_the_same_as_its_first() -> None:
    findings = [replace(ONE, line=line) for line in (10, 30, 12, 15, 31)]
    assert groups_of_same(findings) == [[0, 2], [1, 4], [3]]
