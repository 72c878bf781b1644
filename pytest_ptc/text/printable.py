"""Text of unknown origin made fit for a terminal: printable, measured, cut and wrapped."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Accents on one letter; more could hide a text of any length in one column.
_MAX_ACCENTS = 4
#: Most characters of one sign, such as an emoji with its modifiers or a syllable. What is longer is
#: taken apart, as a terminal may do when it draws it.
_MAX_SIGN_CHARS = 5
#: Letters that are drawn as nothing.
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")

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
    """Return a text as one line without control sequences and CI commands.

    Colours are dropped and line breaks and tabs become blanks. Every other character that has no
    shape of its own is escaped as Python escapes it: controls, lone surrogates, bidirectional and
    invisible ones, and accents upon accents.
    """
    if not (text.isascii() and text.isprintable()):
        text = _BREAKS.sub(" ", _COLOUR.sub("", text))
        # No accent belongs to a letter before these: the sign there has a shape of its own.
        text = _UNUSUAL.sub(lambda found: "".join(_escape(found[0])), text)
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
    """Return a text as UTF-8; surrogate escapes, as in file names, become their bytes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half an emoji, which no bytes stand for
        return text.encode("utf-8", "backslashreplace")


def _escape(text: str) -> Iterator[str]:
    accents = 0
    for char in text:
        accents = 0 if _cells_alone(char) else accents + 1
        # Python calls every blank but the plain one unprintable.
        shape = char.isprintable() or unicodedata.category(char) == "Zs"
        if shape and char not in _FILLERS and accents <= _MAX_ACCENTS:
            yield char
        else:
            yield char.encode("unicode_escape").decode("ascii")


def columns(text: str) -> int:
    """Return how many columns of a terminal a printable text takes."""
    return len(text) if text.isascii() else sum(map(_cells, _signs(text)))


def _signs(text: str) -> Iterator[str]:
    """Yield what a reader sees as one sign each: a letter with its accents, an emoji, a flag."""
    if text.isascii():
        yield from text
        return
    # Here and below, for `ptc record` measures nothing, and is waited for.
    from wcwidth import iter_graphemes  # noqa: PLC0415

    for sign in iter_graphemes(text):
        yield from [sign] if len(sign) <= _MAX_SIGN_CHARS else sign


@lru_cache(maxsize=4096)
def _cells(sign: str) -> int:
    from wcwidth import width  # noqa: PLC0415 - as above

    if len(sign) == 1:
        return _cells_alone(sign)
    # A mark without a letter is drawn as one.
    return max(int(width(sign, control_codes="ignore")), *map(_cells_alone, sign))


@lru_cache(maxsize=4096)
def _cells_alone(char: str) -> int:
    from wcwidth import wcwidth  # noqa: PLC0415 - as above

    category = unicodedata.category(char)
    if category in ("Mn", "Me"):
        return 0
    # A mark with a width of its own takes none of its letter's.
    return 1 if category == "Mc" else max(int(wcwidth(char)), 0)


def clip(text: str, width: int) -> str:
    """Return a printable text in at most `width` columns, its end cut off with dots."""
    width = max(width, 0)
    return text if columns(text) <= width else _cut_with_dots(text, width)


def clip_left(text: str, width: int) -> str:
    """Return a printable text in at most `width` columns, its beginning cut off with dots."""
    width = max(width, 0)
    if columns(text) <= width:
        return text
    dots = "..."[:width]
    kept = _fitting(reversed(list(_signs(text))), width - len(dots))
    while columns(shown := dots + "".join(reversed(kept))) > width:
        kept.pop()
    return shown


def _cut_with_dots(text: str, width: int) -> str:
    dots = "..."[:width]
    kept = _fitting(_signs(text), width - len(dots))
    # Half of a sign that was taken apart may be one of another width.
    while columns(shown := "".join(kept) + dots) > width:
        kept.pop()
    return shown


def _fitting(signs: Iterable[str], width: int) -> list[str]:
    """Return the first signs, as many as fit into `width` columns."""
    fitting: list[str] = []
    left = width
    for sign in signs:
        left -= _cells(sign)
        if left < 0:
            break
        fitting.append(sign)
    return fitting


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
        lines[-1] = _cut_with_dots(lines[-1], width)
    return lines


def _pieces(text: str, width: int) -> Iterator[str]:
    for word in text.split(" "):
        if columns(word) <= width:
            yield from [word] if word else []
            continue
        signs = list(_signs(word))
        while signs:
            cut = max(len(_fitting(signs, width)), 1)
            # No line begins with `::`, see above.
            if cut > 1 and signs[cut : cut + 2] == [":", ":"]:
                cut -= 1
            yield "".join(signs[:cut])
            signs = signs[cut:]
