"""Needs are found among all that was collected; what nobody answers concerns one task alone."""

from __future__ import annotations

import pytest

from pytest_ptc.collection.needs import is_of_a_file, match_needs
from pytest_ptc.model.errors import MarkerError


def test_a_need_is_a_node_id_or_a_name_in_the_same_file() -> None:
    """Without parameters it stands for every item of that test."""
    selected = {
        "a.py::x": ["y", "b.py::z"],
        "a.py::y[1]": [],
        "a.py::y[2]": [],
        "a.py::yy": [],
        "b.py::z": [],
        "b.py::y": [],
    }
    found = match_needs(selected)
    assert found.of["a.py::x"] == ("a.py::y[1]", "a.py::y[2]", "b.py::z")
    assert (found.others, found.unanswered) == ((), ())


def test_what_was_not_selected_is_needed_with_what_it_needs() -> None:
    """And nothing else of it."""
    others = {"a.py::y": ["z"], "a.py::z": [], "a.py::unneeded": []}
    found = match_needs({"a.py::x": ["y"]}, others, others.__getitem__)
    assert found.of == {"a.py::x": ("a.py::y",), "a.py::y": ("a.py::z",), "a.py::z": ()}
    assert found.others == ("a.py::y", "a.py::z")


def test_a_need_that_nobody_answers_stays_unmet() -> None:
    """It stands there as it was said: no task is called so."""
    found = match_needs({"a.py::x": ["gone"], "a.py::y": []})
    assert found.of == {"a.py::x": ("gone",), "a.py::y": ()}
    assert found.unanswered == (("a.py::x", "gone"),)


@pytest.mark.parametrize(
    ("selected", "others"),
    [
        ({"a.py::x": ["x"]}, {}),
        ({"a.py::x": ["y"], "a.py::y": ["x"]}, {}),
        ({"a.py::x": ["y"]}, {"a.py::y": ["x"]}),
    ],
)
def test_a_circle_is_refused(selected: dict[str, list[str]], others: dict[str, list[str]]) -> None:
    """Also one that goes through tests that were not selected."""
    with pytest.raises(MarkerError, match="a cycle"):
        match_needs(selected, others, others.__getitem__)


@pytest.mark.parametrize(
    ("need", "known"),
    [("y", True), ("TestA::y", True), ("a.py::y", True), ("b.py::y", True), ("c.py::y", False)],
)
def test_a_need_of_another_file_may_be_where_nobody_looked(need: str, known: bool) -> None:
    """One of a file that was collected is a mistake if nothing answers it."""
    files = {"a.py", "b.py"}
    # `TestA` is no file: in the same file, a class.
    assert is_of_a_file(need, "a.py::x", {*files, "TestA"}) is known
