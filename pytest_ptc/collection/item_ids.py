"""Ids of items: printable, told apart, and as they can be given back to pytest. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Longest id, in characters: a whole text may be a value, and a command line has to take an id.
MAX_ID_CHARS = 200

_END_BLANKS = re.compile(r"^\s+|(?<!\s)\s+$")


def item_id(text: str) -> str:
    """Return a text as an id: nothing in it drives a terminal, and pytest finds its item by it.

    What cannot be shown is escaped as Python escapes it, and so are the signs that pytest takes
    a node id apart at, blanks at the ends, and a backslash.
    """
    escaped = "".join(map(_shown, text.replace("\\", r"\\")))
    shown = printable(escaped.replace("::", r":\x3a"))
    shown = _END_BLANKS.sub(lambda found: r"\x20" * len(found[0]), shown) or "empty"
    if len(shown) <= MAX_ID_CHARS:
        return shown
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{shown[: MAX_ID_CHARS - 13].rstrip()}-{digest}"


def unique_ids(texts: Sequence[str]) -> list[str]:
    """Return an id for each text; those that would be equal are told apart by a number."""
    return numbered([item_id(text) for text in texts], "-")


def numbered(names: Sequence[str], mark: str) -> list[str]:
    """Return the names, all different: a repeated one gets `mark` and a number that is free."""
    taken = set(names)
    seen: set[str] = set()
    unique = []
    for name in names:
        found, number = name, 1
        while found in seen or (number > 1 and found in taken):
            number += 1
            found = f"{name}{mark}{number}"
        seen.add(found)
        unique.append(found)
    return unique


def _shown(char: str) -> str:
    # What `printable` would drop or make a blank of: names that differ have ids that do.
    return char.encode("unicode_escape").decode("ascii") if char in "\t\n\v\f\r\x1b" else char
