from __future__ import annotations

import pytest

from pytest_ptc.hosts.last_lines import MAX_LINES, last_lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("\n \n\t\n", ""),
        ("one\n\n\ntwo\n", "one\ntwo"),
        ("  indented  \n", "  indented"),
        ("10%\r50%\r99%\n", "99%"),
        ("windows\r\n", "windows"),
        ("\x1b[1;31mred\x1b[0m and \x1b[38:5:4mblue\x1b[m", "red and blue"),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b", "ab"),
        ("\x1bPstring\x1b\\a\x1bcb\x1b", "ab"),
        ("bell\x07 null\x00 del\x7f c1\x9b", "bell null del c1"),
        ("tab\tstays", "tab\tstays"),
        ("é 漢 🦉", "é 漢 🦉"),
    ],
)
def test_last_lines(text: str, expected: str) -> None:
    """What only a terminal understands is taken out, and so are empty lines."""
    assert last_lines(text) == expected


def test_only_the_last() -> None:
    """Of many lines the last are kept."""
    text = "\n".join(f"line {i}" for i in range(1000))
    assert last_lines(text).splitlines() == [f"line {i}" for i in range(1000 - MAX_LINES, 1000)]
