"""Text of unknown origin made fit for a terminal: printable, measured, cut and wrapped."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Most accents on one letter: more would hide a text of any length in one column.
_MOST_ACCENTS = 4

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_LINES = re.compile(r"\r\n?|\n")
_BREAKS = re.compile(r"[\t\n\v\f\r]+")
# What has to be looked at one by one: most texts are long, and have few of these.
_UNUSUAL = re.compile(r"[^ -~]+")
# Azure and TeamCity take `##vso[...]`, `##teamcity[...]` and `##[...]` for commands anywhere in a
# line.
_CI_COMMAND = re.compile(r"##(?=\w*\[)")
# GitHub takes a line for a command that begins with `::`, whatever blanks are before it; a text may
# become a line of its own, and may be wrapped at any blank.
_LINE_COMMAND = re.compile(r"(?<!\S):{2,}(?=\w)|^\s*:{2,}")


def usd(amount: float) -> str:
    """Return an amount of US dollars, below one with the hundredths of a cent that tasks cost."""
    exact = abs(amount - round(amount, 2)) < 1e-9  # noqa: PLR2004 - sums of binary fractions
    return f"${amount:.2f}" if amount >= 1 or exact else f"${amount:.4f}"


def printable(text: str) -> str:
    """Return a text of unknown origin as one line that drives neither a terminal nor a CI system.

    Colours are dropped and line breaks and tabs become blanks. Every other character that has no
    shape of its own is escaped as Python escapes it: controls, lone surrogates, bidirectional and
    invisible ones, and accents upon accents.
    """
    if not (text.isascii() and text.isprintable()):
        text = _BREAKS.sub(" ", _COLOUR.sub("", text))
        # No accent belongs to a letter before these: the sign there has a shape of its own.
        text = _UNUSUAL.sub(lambda found: "".join(_shown(found[0])), text)
    if "::" in text:
        text = _LINE_COMMAND.sub(
            lambda found: found[0].replace("::", ": :").replace("::", ": :"), text
        )
    return _CI_COMMAND.sub("# #", text) if "##" in text else text


def printable_lines(text: str) -> str:
    """Return a text of unknown origin made printable, with its lines as they are."""
    if "\n" not in text and "\r" not in text:
        return printable(text)
    return "\n".join(printable(line) for line in _LINES.split(text))


def utf8(text: str) -> bytes:
    """Return a text as bytes: those of file names that are no text as they were."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half an emoji, which no bytes stand for
        return text.encode("utf-8", "backslashreplace")


def _shown(text: str) -> Iterator[str]:
    accents = 0
    for char in text:
        accents = 0 if _cells(char) else accents + 1
        # Python calls every blank but the plain one unprintable.
        shape = char.isprintable() or unicodedata.category(char) == "Zs"
        if shape and accents <= _MOST_ACCENTS:
            yield char
        else:
            yield char.encode("unicode_escape").decode("ascii")


def columns(text: str) -> int:
    """Return how many columns of a terminal a printable text takes, at the most."""
    return len(text) if text.isascii() else sum(map(_cells, text))


@lru_cache(maxsize=4096)
def _cells(char: str) -> int:
    # Asks for the wide, coloured form of the character before it; some terminals grant that.
    if char == "\N{VARIATION SELECTOR-16}":
        return 1
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("F", "W") else 1


def clip(text: str, width: int) -> str:
    """Return a printable text in at most `width` columns, its end cut off with dots."""
    width = max(width, 0)
    return text if columns(text) <= width else _dotted(text, width)


def clip_left(text: str, width: int) -> str:
    """Return a printable text in at most `width` columns, its beginning cut off with dots."""
    width = max(width, 0)
    if columns(text) <= width:
        return text
    dots = "..."[:width]
    kept = text[len(text) - _fit(text[::-1], width - len(dots)) :]
    # An accent whose letter was cut off would sit on the last dot.
    while kept and not _cells(kept[0]):
        kept = kept[1:]
    return dots + kept


def _dotted(text: str, width: int) -> str:
    dots = "..."[:width]
    return text[: _fit(text, width - len(dots))] + dots


def _fit(text: str, width: int) -> int:
    """Return how many of the first characters fit into `width` columns."""
    used = 0
    for index, char in enumerate(text):
        used += _cells(char)
        if used > width:
            return index
    return len(text)


def wrap(text: str, width: int, most: int) -> list[str]:
    """Return a printable text as at most `most` lines; the last ends in dots if more was there."""
    lines = [""]
    for piece in _pieces(text, width):
        joined = f"{lines[-1]} {piece}" if lines[-1] else piece
        if columns(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(piece)
        if len(lines) > most:
            break
    if len(lines) > most:
        lines = lines[:most]
        lines[-1] = _dotted(lines[-1], width)
    return lines


def _pieces(text: str, width: int) -> Iterator[str]:
    for word in text.split(" "):
        rest = word
        while columns(rest) > width:
            cut = max(_fit(rest, width), 1)
            if cut > 1 and rest.startswith("::", cut):
                cut -= 1  # no line begins with `::`, see above
            yield rest[:cut]
            rest = rest[cut:]
        if rest:
            yield rest
