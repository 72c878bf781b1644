"""Tests of the judge among the items of `ptc run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.collection.inline_items import Rows, Sources, inline_suite
from pytest_ptc.collection.inline_tests import inline_tests
from pytest_ptc.model.errors import ListingError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("a.py:eval", "a.py", {"path": "a.py", "rule": "eval"}),
        ("a.py:/eval|exec/", "a.py", {"path": "a.py", "message": "eval|exec"}),
        ("src/a.py:/a/b/", "src/a.py", {"path": "src/a.py", "message": "a/b"}),
        ("{a}.py:x", "{a}.py", {"path": "{{a}}.py", "rule": "x"}),
    ],
)
def test_a_canary_is_a_file_and_what_must_be_found(
    text: str, path: str, expected: dict[str, Any]
) -> None:
    """A rule, or a pattern between slashes."""
    assert inline_tests([text], ["b.py"]) == {path: expected, "b.py": None}


@pytest.mark.parametrize(
    ("canaries", "controls", "problem"),
    [
        (["a.py"], [], "--canary 'a.py': write FILE:RULE, or FILE:/pattern/"),
        (["a.py:"], [], "write FILE:RULE"),
        (["a.py:/(/"], [], "message: '(' is no pattern"),
        (["../a.py:x"], [], "is no file below the agent's directory"),
        (["a.py:x", "a.py:y"], [], "--canary 'a.py': is given twice"),
        (["a.py:x"], ["a.py"], "--control 'a.py': is given twice"),
        ([], [" "], "--control: is empty"),
    ],
)
def test_what_no_finding_could_meet_is_refused(
    canaries: list[str], controls: list[str], problem: str
) -> None:
    """With the option, the value and the fix."""
    with pytest.raises(ListingError) as caught:
        inline_tests(canaries, controls)
    assert problem in str(caught.value)


def test_tests_are_items_like_the_others(tmp_path: Path) -> None:
    """They are last, where agents do not see them; each has the field of the others."""
    for name in ("a.py", "b.py", "c.py"):
        (tmp_path / name).touch()
    sources = Sources(files=["a.py"], canaries=["b.py:x"], controls=["c.py"])
    items = inline_suite("Review {file}.", sources, {}, tmp_path).items
    assert [dict(item.params) for item in items] == [{"file": f"{name}.py"} for name in "abc"]
    assert [item.canary for item in items] == [None, {"path": "b.py", "rule": "x"}, None]
    assert [item.control for item in items] == [False, False, True]


@pytest.mark.parametrize(
    ("prompt", "sources", "problem"),
    [
        ("Do it.", {"canaries": ["a.py:x"]}, "need items behind PROMPT"),
        ("{each}", {"items": ["a.py"], "controls": ["a.py"]}, "is an item and a test of the judge"),
        ("{each}", {"items": ["x"], "controls": ["nope.py"]}, "nope.py is no file"),
        ("{path}", {"files": ["a.py"], "canaries": ["nope.py:x"]}, "nope.py is no file"),
        (
            "{a} {b}",
            {"rows": Rows("--from f", [{"a": "1", "b": "2"}]), "controls": ["a.py"]},
            "items have several fields (a, b)",
        ),
    ],
)
def test_items_that_do_not_fit_are_refused(
    tmp_path: Path, prompt: str, sources: dict[str, Any], problem: str
) -> None:
    """Before anything is paid for."""
    (tmp_path / "a.py").touch()
    with pytest.raises(ListingError) as caught:
        inline_suite(prompt, Sources(**sources), {}, tmp_path)
    assert problem in str(caught.value)
