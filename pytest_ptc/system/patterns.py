"""Patterns of file names: one meaning in `files`, `exclude` and beside `changed`.

`*` and `?` stop at `/`, `**` stands for any directories and for none, `[...]` is one of some
characters; a leading dot is no exception. Braces, `!`, `~` and `+(...)` mean themselves: several
patterns are a list. Whether case counts is the platform's affair.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import ListingError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Directories that tools fill, and that no pattern means unless it names them.
MADE_BY_TOOLS = frozenset(
    {".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".mypy_cache"}
    | {".pytest_cache", ".ruff_cache"}
)


def checked_patterns(name: str, value: object) -> list[str]:
    """Return the patterns of a field, each fit to be matched.

    Args:
        name: The field, for messages.
        value: One pattern, or several.

    Raises:
        ListingError: It holds something else, or a pattern that no file of a tree can match.
    """
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        raise ListingError(f"{name}: must be a pattern or a list of patterns, not {value!r:.80}")
    return [_checked(name, one) for one in given]


def _checked(name: str, pattern: str) -> str:
    if not pattern.strip():
        raise ListingError(f"{name}: {pattern!r} is an empty pattern; write such as src/**/*.py")
    if pattern.startswith("/") or ".." in PurePosixPath(pattern).parts:
        raise ListingError(
            f"{name}: {pattern!r} leads out of the root directory, which patterns begin at"
        )
    while pattern.startswith("./"):
        pattern = pattern[2:].lstrip("/")
    return pattern


def matches(name: str, pattern: str) -> bool:
    """Tell whether a file's name, from the root directory and with `/`, matches a pattern."""
    from wcmatch import glob  # noqa: PLC0415 - 40 ms that only a suite of files pays for

    return glob.globmatch(name, pattern, flags=glob.GLOBSTAR | glob.DOTGLOB)


def matches_any(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether a file's name matches one of the patterns."""
    return any(matches(name, pattern) for pattern in patterns)


def means(name: str, pattern: str) -> bool:
    """Tell whether a pattern means a file: it matches, and names the directories of tools."""
    by_tools = MADE_BY_TOOLS & set(PurePosixPath(name).parts[:-1])
    return by_tools <= set(PurePosixPath(pattern).parts) and matches(name, pattern)


def hint(pattern: str) -> str:
    """Return what may be wrong with a pattern that matches nothing; empty where nothing shows."""
    if pattern != pattern.strip():
        return "; it begins or ends with a blank"
    if "{" in pattern or "(" in pattern:
        return "; braces and parentheses mean themselves: write a list of patterns"
    if pattern.endswith("/"):
        return f"; a directory's files are {pattern}**"
    return ""
