"""Which item a word means."""

from __future__ import annotations

import pytest

from pytest_ptc.cli.items import place_of
from pytest_ptc.cli.rerun import arguments_again
from pytest_ptc.model.errors import ConfigError

NODEIDS = ("t.py::test_a[src/b.txt]", "t.py::test_a[b.txt]", "t.py::test_a[c]", "t.py::test_a[cc]")
NAMES = ("src/b.txt", "b.txt", "c", "cc")


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        (NODEIDS[0], 0),
        ("src/b.txt", 0),
        ("b.txt", 1),
        ("c", 2),
        ("[cc]", 3),
        ("test_a[c]", 2),
        ("src", 0),
    ],
)
def test_a_word_means_an_item(wanted: str, place: int) -> None:
    """Its id, its short name, the end of its id, a part that no other has, in this order."""
    assert place_of(wanted, NODEIDS, NAMES, "r") == place


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (".txt", "'.txt' means 2 items: src/b.txt, b.txt; name one"),
        ("test_a", "means 4 items: src/b.txt, b.txt, c, cc; name one"),
        ("nowhere", "run r has no item 'nowhere'; see `ptc results r`"),
    ],
)
def test_a_word_that_does_not_name_one_is_refused(wanted: str, said: str) -> None:
    """With the candidates."""
    with pytest.raises(ConfigError, match="item") as refused:
        place_of(wanted, NODEIDS, NAMES, "r")
    assert said in str(refused.value)


def test_many_candidates_are_counted() -> None:
    """What is printed is bounded."""
    names = [f"n{number}" for number in range(100)]
    with pytest.raises(ConfigError, match="n7 and 92 more; name one"):
        place_of("n", names, names, "r")


def test_a_new_run_keeps_no_verdict() -> None:
    """Options that take up an earlier run go; an argument that is not on record is refused."""
    words = ["-k", "x", "--ptc-resume=abc", "--ptc-resume", "--ptc-workers=2"]
    assert arguments_again(words) == ["-k", "x", "--ptc-workers=2"]
    with pytest.raises(ConfigError, match="was secret"):
        arguments_again(["--token=[redacted TOKEN]"])
