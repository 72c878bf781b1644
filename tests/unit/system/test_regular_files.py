"""Files and JSON of unknown origin: read in full, or refused with a reason; never waited for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.system.regular_files import read_regular
from pytest_ptc.text.strict_json import MAX_JSON_DEPTH, strict_json

if TYPE_CHECKING:
    from pathlib import Path


def test_a_regular_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    """A file of exactly the bound is read; one byte more is refused."""
    (tmp_path / "file").write_bytes(b"12345")
    assert read_regular(tmp_path / "file", 5) == b"12345"
    with pytest.raises(OSError, match="longer than 4 bytes"):
        read_regular(tmp_path / "file", 4)


def test_nothing_but_a_regular_file_is_read(tmp_path: Path) -> None:
    """FIFO, directory, link and device are errors at once, and what is not there is not found."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    for name in ("fifo", "folder", "link"):
        with pytest.raises(OSError):  # noqa: PT011 - the words are the system's
            read_regular(tmp_path / name, 5)
    with pytest.raises(OSError, match="not a regular file"):
        read_regular(tmp_path / os.path.relpath("/dev/null", tmp_path.resolve()), 5)
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "absent", 5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "a": 2}', "twice"),
        ('[{"b": {"a": 1, "a": 1}}]', "twice"),
        ("1e400", "too large"),
        ("[-1e400]", "too large"),
        ("NaN", "not JSON"),
        ("Infinity", "not JSON"),
        ("[" * 100_000, "levels"),
        ("[" * (MAX_JSON_DEPTH + 1) + "]" * (MAX_JSON_DEPTH + 1), "levels"),
        ('{"a":' * (MAX_JSON_DEPTH + 1) + "1" + "}" * (MAX_JSON_DEPTH + 1), "levels"),
        ("{", "Expecting"),
        (b"\xff", "decode"),
    ],
)
def test_json_that_says_two_things_or_too_much_is_refused(text: str | bytes, reason: str) -> None:
    """Every refusal is a ValueError with a reason."""
    with pytest.raises(ValueError, match=reason):
        strict_json(text)


def test_json_within_the_bounds_is_read() -> None:
    """As many levels as are allowed, and equal keys of different objects."""
    deep = "[" * (MAX_JSON_DEPTH - 1) + "]" * (MAX_JSON_DEPTH - 1)
    assert strict_json(deep) == strict_json(deep)
    assert strict_json('[{"a": 1.5}, {"a": null}]') == [{"a": 1.5}, {"a": None}]
