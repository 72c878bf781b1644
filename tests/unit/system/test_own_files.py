"""Files of ours in a folder of an agent's: written and read without following anything."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.system.own_files import link_new, open_for_append, read_end, write_new
from pytest_ptc.system.regular_files import read_regular
from tests.support.vandal import FILES

if TYPE_CHECKING:
    from pathlib import Path

KINDS = sorted(set(FILES) - {"nothing", "many-lines"})
#: What is a file of its own, whatever is in it.
FILE_KINDS = {
    "empty",
    "brackets",
    "deep",
    "sealed-brackets",
    "cut",
    "broken-utf8",
    "too-large",
    "no-newline",
    "huge",
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a place for a file of ours, beside a file of somebody's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "precious").write_text("of somebody")
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "ours"


def spoilt(place: Path, kind: str) -> None:
    """Put something there."""
    if kind == "link":
        place.symlink_to(place.parent.parent / "precious")
    else:
        FILES[kind](place)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_anew_is_there_whatever_was(place: Path, kind: str) -> None:
    """It is our file afterwards, and nobody else's has changed."""
    for write in (write_new, lambda *given: link_new(*given, over=True)):
        spoilt(place, kind)
        write(place, b"new")
        assert read_regular(place, 10) == b"new"
        assert (place.parent.parent / "precious").read_text() == "of somebody"
        place.unlink()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_appended_to_what_is_no_file_of_ours(place: Path, kind: str) -> None:
    """What is none is refused, at once."""
    spoilt(place, kind)
    if kind in FILE_KINDS:
        os.close(open_for_append(place))
    else:
        with pytest.raises(OSError, match=r"regular|second name|directory|symbolic|No such"):
            open_for_append(place)


@pytest.mark.parametrize("kind", KINDS)
def test_the_end_of_a_file_is_read_at_once(place: Path, kind: str) -> None:
    """Of what is none it is not."""
    spoilt(place, kind)
    if kind in FILE_KINDS | {"second-name"}:
        assert len(read_end(place, 10)) <= 10
    else:
        with pytest.raises(OSError, match=r"regular|symbolic"):
            read_end(place, 10)


def test_the_first_that_is_put_there_stays(place: Path) -> None:
    """Nothing is beside it afterwards."""
    link_new(place, b"first")
    with pytest.raises(FileExistsError):
        link_new(place, b"second")
    assert place.read_bytes() == b"first"
    assert [path.name for path in place.parent.iterdir()] == ["ours"]


def test_a_folder_that_is_a_link_is_not_entered(place: Path) -> None:
    """Nothing is written where it leads."""
    elsewhere = place.parent.parent / "elsewhere"
    elsewhere.mkdir()
    place.parent.rmdir()
    place.parent.symlink_to(elsewhere)
    for write in (write_new, link_new):
        with pytest.raises(OSError, match=r"directory|symbolic"):
            write(place, b"new")
    with pytest.raises(OSError, match=r"directory|symbolic"):
        open_for_append(place)
    assert list(elsewhere.iterdir()) == []
