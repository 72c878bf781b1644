"""Tasks of a run have names of their own, whatever pytest calls their items."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.collection.task_names import task_names


def test_a_node_id_that_is_its_own_stays() -> None:
    """Whatever the file is."""
    items = [("a.py::test_x", "a.py"), ("b.py::test_x", "b.py")]
    assert task_names(items) == ["a.py::test_x", "b.py::test_x"]


def test_equal_node_ids_are_told_apart_by_their_files_in_any_order() -> None:
    """A suite outside of the root directory has node ids without a file."""
    items = [("::test_x", "../r/a.py"), ("::test_x", "../r/b.py"), ("::test_y", "../r/b.py")]
    names = ["../r/a.py::test_x", "../r/b.py::test_x", "::test_y"]
    assert task_names(items) == names
    assert task_names(items[::-1]) == names[::-1]


def test_one_test_that_is_there_twice_is_numbered() -> None:
    """As with `--keep-duplicates`."""
    items = [("a.py::test_x", "a.py")] * 3
    assert task_names(items) == ["a.py::test_x", "a.py::test_x#2", "a.py::test_x#3"]


_NAMES = st.sampled_from(["::t", "a.py::t", "a.py::t#2", "b.py::t", "t"])


@given(st.lists(st.tuples(_NAMES, st.sampled_from(["a.py", "b.py", "../a.py"])), max_size=12))
def test_names_are_unique_whatever_the_items_are(items: list[tuple[str, str]]) -> None:
    """Also where a number is what another item is called."""
    names = task_names(items)
    assert len(set(names)) == len(names) == len(items)
