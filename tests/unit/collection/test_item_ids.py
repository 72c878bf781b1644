"""Ids of items."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.collection.item_ids import MAX_ID_CHARS, item_id, unique_ids
from pytest_ptc.text.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("src/a.py", "src/a.py"),
        ("v1.2", "v1.2"),
        ("n\u00ebw one.py", "n\u00ebw one.py"),
        ("a\n::add-mask::e", r"a\n:\x3aadd-mask:\x3ae"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\udcffb", r"a\udcffb"),
        ("a\u202eb", r"a\u202eb"),
        (" a ", r"\x20a\x20"),
        ("  ", r"\x20\x20"),
        ("", "empty"),
        ("a\\nb", r"a\\nb"),
        ("##vso[task]x", "# #vso[task]x"),
    ],
)
def test_an_id_is_printable_and_can_be_given_back(text: str, shown: str) -> None:
    """What cannot be shown is escaped, and so is what pytest takes a node id apart at."""
    assert item_id(text) == shown


@given(st.text(max_size=400))
def test_no_id_drives_a_terminal(text: str) -> None:
    """It is one line, not empty, as it is printed, and short enough for a command line."""
    shown = item_id(text)
    assert shown == printable(shown) == shown.strip()
    assert "::" not in shown
    assert 0 < len(shown) <= MAX_ID_CHARS


@given(st.lists(st.sampled_from(["a", "a-2", "a-3", "b", "\n", r"\n", "x" * 300, "x" * 301, ""])))
def test_no_two_ids_are_equal(texts: list[str]) -> None:
    """Not those of equal texts, nor one that looks like a numbered one."""
    ids = unique_ids(texts)
    assert len(set(ids)) == len(texts)
    for text, one in zip(texts, ids, strict=True):
        assert one.startswith(item_id(text))
