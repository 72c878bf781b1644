"""Patterns of file names with stars and question marks alone. Pure.

Brackets mean themselves: names of files have them, and nobody expands these patterns. Matching
takes no more than the product of both lengths: the name may be any text of an agent's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

#: Longer names are those of no file.
_MAX_NAME_CHARS = 4096


def glob_matches(name: str, pattern: str) -> bool:
    """Tell whether a file's name, with `/`, matches a pattern.

    `*` and `?` stop at `/`; `**` between slashes stands for any directories and for none.
    """
    if len(name) > _MAX_NAME_CHARS:
        return False
    parts = pattern.split("/")
    if parts[-1] == "**":
        parts.append("*")
    return _fits(name.split("/"), parts, "**", _part_fits)


def _part_fits(part: str, pattern: str) -> bool:
    return _fits(part, pattern, "*", lambda char, sign: sign in ("?", char))


def _fits(things: Sequence[T], signs: Sequence[T], star: str, fits: Callable[[T, T], bool]) -> bool:
    """Tell whether each thing fits its sign, where a star stands for any number of things."""
    at = sign = 0
    # Where the last star was, and how far it reaches: no earlier star need reach any further.
    back, reach = -1, 0
    while at < len(things):
        if sign < len(signs) and signs[sign] == star:
            back, reach, sign = sign, at, sign + 1
        elif sign < len(signs) and fits(things[at], signs[sign]):
            at, sign = at + 1, sign + 1
        elif back >= 0:
            reach += 1
            at, sign = reach, back + 1
        else:
            return False
    return all(one == star for one in signs[sign:])
