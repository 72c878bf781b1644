from __future__ import annotations

import pytest

from pytest_ptc.reporting.item_names import item_names


@pytest.mark.parametrize(
    ("nodeids", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param(["a.py::test_x"], ["test_x"], id="one"),
        pytest.param(["d/a.py::T::test_x"], ["test_x"], id="one-of-a-class"),
        pytest.param(["a.py::test_x[b.txt]"], ["b.txt"], id="one-parameter"),
        pytest.param(["a.py::t[s/b.txt]", "a.py::t[s/c.txt]"], ["s/b.txt", "s/c.txt"], id="files"),
        pytest.param(["a.py::test_x", "a.py::test_y"], ["test_x", "test_y"], id="functions"),
        pytest.param(["a.py::test_x", "a.py::test_x[b]"], ["test_x", "test_x[b]"], id="mixed"),
        pytest.param(["a.py::t[x]", "a.py::u[x]"], ["t[x]", "u[x]"], id="two-tests"),
        pytest.param(["t/a.py::x", "t/ab.py::x"], ["a.py::x", "ab.py::x"], id="two-modules"),
        pytest.param(["a.py::x", "b/a.py::x"], ["a.py::x", "b/a.py::x"], id="nothing-shared"),
        pytest.param(
            ["a.py::t[x]", "a.py::t[x]::submit[1]"], ["t[x]", "t[x]::submit[1]"], id="sub"
        ),
        pytest.param(["a.py::t[]", "a.py::t[b]"], ["a.py::t[]", "a.py::t[b]"], id="empty"),
        pytest.param(["a.py::t[a::b[1]]", "a.py::t[a::b[2]]"], ["a::b[1]", "a::b[2]"], id="inside"),
        pytest.param(["notes.md::x", "notes.md::x"], ["x", "x"], id="equal"),
    ],
)
def test_names_are_without_what_all_share(nodeids: list[str], expected: list[str]) -> None:
    """What is left is as different as the ids are."""
    assert item_names(nodeids) == expected
