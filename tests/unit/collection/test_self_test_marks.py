"""What says that an item tests the judge: checked before anything is paid for."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ptc.collection.front_matter import SuiteError
from pytest_ptc.collection.markdown import read_suite
from pytest_ptc.collection.self_test_keys import only_expected
from pytest_ptc.collection.self_test_marks import canary_of
from pytest_ptc.model.errors import ValueRefused
from pytest_ptc.model.self_test import Expectation

GOOD = {"path": "src/x.py", "rule": "eval"}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("src/x.py", "must be a mapping such as"),
        ({}, "rule or message is missing"),
        ({"path": "src/x.py"}, "rule or message is missing"),
        ({"rule": "eval"}, "path: is missing; name the file"),
        ({**GOOD, "path": 3}, "path: must be a text, not 3"),
        ({**GOOD, "path": "../x.py"}, "path: '../x.py' is no file below the agent's directory"),
        ({**GOOD, "path": "/x.py"}, "path: '/x.py' is no file below"),
        ({**GOOD, "path": "{other}"}, "path: {other} is no parameter of the test"),
        ({**GOOD, "lines": 3}, "lines: unknown key; known are path, rule, message, line"),
        ({**GOOD, "line": 0}, "line: must be a whole number from 1, not 0"),
        ({**GOOD, "line": True}, "line: must be a whole number from 1, not True"),
        ({**GOOD, "rule": []}, "rule: must be a text or a list of texts"),
        ({**GOOD, "rule": " - "}, "rule: ' - ' has no letter"),
        ({"path": "x", "message": "("}, "message: '(' is no pattern"),
        ({"path": "x", "message": ""}, "message: must be a pattern"),
        ({"path": "x", "message": ".*"}, "message: '.*' matches any message"),
    ],
)
def test_an_expectation_that_no_finding_could_meet_is_refused(given: Any, problem: str) -> None:
    """And one that any finding meets; the message names the key and the fix."""
    with pytest.raises(ValueRefused) as caught:
        canary_of(given, {"path": "x"})
    assert str(caught.value).startswith(problem)


def test_path_and_rule_are_filled_and_a_pattern_is_left_alone() -> None:
    """Braces are a part of many patterns."""
    given = {"path": "./{path}", "rule": ["{rule}", "b"], "message": "a{2}{path}", "line": 3}
    test = canary_of(given, {"path": "src/x.py", "rule": "eval"})
    assert test.expect == Expectation(
        path="src/x.py", rules=("eval", "b"), message="a{2}{path}", line=3
    )


def test_what_only_the_expected_finding_names_is_kept_from_the_agent() -> None:
    """A parameter that the prompt names is the agent's, too."""
    expected = {"path": "{path}", "rule": ["{rule}"], "line": 3}
    assert only_expected(expected, {"path"}) == {"rule"}
    assert only_expected(None, ()) == frozenset()


@pytest.mark.parametrize(
    ("matter", "line", "problem"),
    [
        ("canary: {path: x, rule: y}\ncontrol: true", 3, "control: stands beside canary"),
        ("xfail: known\ncanary: {path: x, rule: y}", 2, "xfail: stands beside canary"),
        ("xfail: known\ncontrol: true", 2, "xfail: stands beside control"),
        ("control: 1", 2, "control: must be true or false"),
        ("canary:", 2, "canary: is empty"),
    ],
)
def test_front_matter_that_contradicts_itself_is_refused(
    matter: str, line: int, problem: str
) -> None:
    """With the line of what is to be removed."""
    with pytest.raises(SuiteError) as caught:
        read_suite(f"---\n{matter}\n---\nReview it.\n")
    assert (caught.value.line, caught.value.problem[: len(problem)]) == (line, problem)


def test_front_matter_says_what_is_planted() -> None:
    """`control: false` says nothing."""
    suite = read_suite("---\ncanary: {path: x, rule: y}\ncontrol: false\n---\nReview it.\n")
    assert suite.canary == {"path": "x", "rule": "y"}
    assert not suite.control
    assert read_suite("---\ncontrol: true\n---\nReview it.\n").control
