"""Patterns with stars and question marks alone: the same meaning as that of all other patterns."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_ptc.system.patterns import matches
from pytest_ptc.text.globs import glob_matches

NAMES = st.lists(st.text("ab.", min_size=1, max_size=3), min_size=1, max_size=4)
PATTERNS = st.lists(
    st.text("ab.*?", min_size=1, max_size=4) | st.just("**"), min_size=1, max_size=5
)


@given(name=NAMES, pattern=PATTERNS)
def test_it_means_what_other_patterns_mean(name: list[str], pattern: list[str]) -> None:
    assume(not {".", ".."} & {*name, *pattern})
    path, glob = "/".join(name), "/".join(pattern)
    assert glob_matches(path, glob) == matches(path, glob)


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("app/[id]/page.tsx", "app/[id]/page.tsx", True),
        ("app/i/page.tsx", "app/[id]/page.tsx", False),
        ("src/a.py", "**/*.py", True),
        ("a.py", "**/*.py", True),
        ("src/b/a.py", "src/*.py", False),
        ("src/b/a.py", "src/**", True),
        ("src", "src/**", False),
    ],
)
def test_brackets_mean_themselves(name: str, pattern: str, expected: bool) -> None:
    assert glob_matches(name, pattern) is expected


def test_a_name_that_an_agent_made_up_is_bounded() -> None:
    """No pattern of stars takes more than the product of both lengths."""
    assert not glob_matches("a/" * 2000 + "b", "**/a/" * 20 + "c")
    assert not glob_matches("a" * 4000, "*a" * 20 + "b")
    assert not glob_matches("a" * 100_000_000, "*")
