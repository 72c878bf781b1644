"""The lines that a patch of git's adds, by file. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_ptc.model.changed_lines import ChangedFile

if TYPE_CHECKING:
    from collections.abc import Iterator

_HUNK = re.compile(
    r"@@ -\d+(?:,(?P<before>\d+))? \+(?P<start>\d+)(?:,(?P<after>\d+))? @@(?: .*)?", re.DOTALL
)
_ESCAPE = re.compile(rb"\\([abtnvfr\"\\]|[0-7]{3})")
_CHARS = dict(zip(b"abtnvfr", b"\a\b\t\n\v\f\r", strict=True))


class HunkError(ValueError):
    """A text that is no patch of git's."""


def changed_in(patch: str) -> dict[str, ChangedFile]:
    """Return what a patch does to each file that has lines in it, by the file's name after it.

    Args:
        patch: The output of `git diff -p` with the prefixes `a/` and `b/`, its line ends as they
            are; of bytes that are no UTF-8, the surrogate escapes.

    Raises:
        HunkError: It is none, or is cut off.
    """
    found: dict[str, ChangedFile] = {}
    lines = iter(patch.split("\n"))
    name: str | None = None
    for line in lines:
        # Only here: within a hunk, `+++ x` is a line that was added.
        if line.startswith("+++ "):
            name = _name(line[len("+++ ") :])
        elif line.startswith("@@ "):
            hunk = _HUNK.fullmatch(line)
            if hunk is None:
                raise HunkError(f"no hunk: {line[:80]!r}")
            before, after = (int(hunk[part] or 1) for part in ("before", "after"))
            start = int(hunk["start"])
            # Of a hunk without lines after it, git names the line before.
            changes = list(_changes(lines, before, after, start if after else start + 1))
            if name is not None:
                known = found.get(name, ChangedFile())
                added = tuple((first, last) for first, last in changes if last >= first)
                cut = tuple(last for first, last in changes if last < first)
                found[name] = ChangedFile((*known.added, *added), (*known.cut, *cut))
    return found


def _changes(lines: Iterator[str], before: int, after: int, line: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last line of each change in a hunk; of a cut, the last is before."""
    first: int | None = None
    while before > 0 or after > 0:
        text = next(lines, None)
        if text is None:
            raise HunkError("a hunk is cut off")
        sign = text[:1]
        if sign == "\\":
            continue
        if sign in ("+", "-"):
            first = line if first is None else first
        elif first is not None:
            yield first, line - 1
            first = None
        # An empty line is one of the context: git may leave out its blank.
        before -= sign != "+"
        after -= sign != "-"
        line += sign != "-"
    if before < 0 or after < 0:
        raise HunkError("a hunk has more lines than it says")
    if first is not None:
        yield first, line - 1


def _name(text: str) -> str | None:
    """Return the name in a header; None for that of a file that is gone."""
    if text.startswith('"'):
        quoted = text.rstrip("\t")[1:-1].encode("utf-8", "surrogateescape")
        text = _ESCAPE.sub(_unescaped, quoted).decode("utf-8", "surrogateescape")
    else:
        # Git closes a name with blanks by a tab.
        text = text.removesuffix("\t")
    return None if text == "/dev/null" else text.removeprefix("b/")


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = found[1]
    if len(code) == 3:  # noqa: PLR2004 - octal
        return bytes([int(code, 8) & 0xFF])
    return bytes([_CHARS.get(code[0], code[0])])
