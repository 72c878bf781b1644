"""GitLab's Code Quality: every field that it wants, and fingerprints that are one finding's own."""

from __future__ import annotations

import json

import pytest

from pytest_ptc.reporting.formats.gitlab import gitlab, gitlab_text
from tests.support.documents import Item, finding, run_of


@pytest.mark.parametrize(
    ("severity", "theirs"),
    [
        ("critical", "blocker"),
        ("high", "critical"),
        ("medium", "major"),
        ("low", "minor"),
        ("info", "info"),
    ],
)
def test_a_finding_is_an_entry(severity: str, theirs: str) -> None:
    """With GitLab's five severities, a path without `./`, and the test that it is of."""
    found = finding(severity, "It is.", path="./src/a.py", line=3, rule="SQL injection")
    item = Item("t.py::test_a", findings=(found,))
    (entry,) = json.loads(gitlab_text(run_of(item)))
    assert entry.pop("fingerprint")
    assert entry == {
        "description": "It is. (t.py::test_a)",
        "check_name": "sql-injection",
        "severity": theirs,
        "location": {"path": "src/a.py", "lines": {"begin": 3}},
    }


def test_what_has_no_file_is_at_its_test() -> None:
    """Findings without a path, verdicts and troubles; if that is outside, a file of ours."""
    items = [
        Item("t.py::test_a", findings=(finding("low"),), line=12),
        Item("t.py::test_b", "failed", "fail", line=20),
        Item("t.py::test_c", "error", trouble=("timeout", "late"), line=30),
        Item("../t.py::test_d", findings=(finding("info"),), line=40),
    ]
    places = [entry["location"] for entry in gitlab(run_of(*items))]
    assert [(place["path"], place["lines"]["begin"]) for place in places] == [
        ("t.py", 20),
        ("t.py", 30),
        ("t.py", 12),
        ("README.md", 1),
    ]


def test_what_was_expected_is_left_out() -> None:
    """GitLab would show an expected failure as a new one."""
    assert gitlab(run_of(Item(outcome="xfailed", verdict="fail"))) == []


def test_fingerprints_are_unique_and_stay() -> None:
    """GitLab compares them between branches: the same finding twice has two, in every run."""
    same = (finding("low", path="a.py", line=1), finding("low", path="a.py", line=2))
    moved = (finding("low", path="a.py", line=5), finding("low", path="a.py", line=6))
    before, after = (
        [entry["fingerprint"] for entry in gitlab(run_of(Item(findings=findings)))]
        for findings in (same, moved)
    )
    assert before == after
    assert len(set(before)) == 2
