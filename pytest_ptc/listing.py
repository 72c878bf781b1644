"""What a suite fans out over: files by pattern, and files that git says have changed."""

from __future__ import annotations

import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.errors import GitError, ListingError
from pytest_ptc.git import git
from pytest_ptc.roots import ROOTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: Directories that tools fill, and that no suite means unless its pattern names them.
MADE_BY_TOOLS = frozenset(
    {".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".mypy_cache"}
    | {".pytest_cache", ".ruff_cache"}
)


def files(*patterns: str, exclude: str | Sequence[str] = ()) -> list[Any]:
    """Return the files that match, for `pytest.mark.parametrize`; their names are the ids.

    Args:
        patterns: Such as `src/**/*.py`, from pytest's root directory, where agents work too.
        exclude: Patterns of files to leave out.

    Raises:
        ListingError: Nothing matches: a suite of no items would be green though nobody looked.
    """
    root = ROOTS[-1] if ROOTS else Path.cwd()
    found = matching(root, patterns, [exclude] if isinstance(exclude, str) else exclude)
    return [pytest.param(name, id=name) for name in found]


def matching(root: Path, patterns: Iterable[str], exclude: Iterable[str] = ()) -> list[str]:
    """Return the names of the files below a directory that match, sorted, with `/`.

    Raises:
        ListingError: Nothing matches a pattern, or it leads out of the directory.
    """
    left_out = list(exclude)
    found: dict[str, None] = {}
    for pattern in patterns:
        names = list(_glob(root, pattern))
        if not names:
            raise ListingError(f"no file below {root} matches {pattern!r}")
        found.update(dict.fromkeys(name for name in names if not _matches_any(name, left_out)))
    if not found:
        raise ListingError(f"everything that matches below {root} is excluded")
    return sorted(found)


def changed(root: Path, base: str, patterns: Iterable[str] = ()) -> list[str]:
    """Return the names of the files that differ from where `base` was left, and still exist.

    Changes that are not committed count, new files too. There may be none.

    Args:
        root: The directory that names are from.
        base: A commit or branch.
        patterns: Those that are meant; all where there is none.

    Raises:
        ListingError: Git cannot tell.
    """
    if base.startswith("-"):
        raise ListingError(f"{base!r} is not the name of a commit")
    try:
        left = git(root, "merge-base", base, "HEAD").strip()
        names = git(root, "diff", "-z", "--relative", "--name-only", left).split("\0")
        names += git(root, "ls-files", "-z", "--others", "--exclude-standard").split("\0")
    except GitError as error:
        raise ListingError(f"what has changed since {base!r} in {root}: {error}") from error
    wanted = list(patterns)
    return sorted(
        {
            name
            for name in names
            if name and (root / name).is_file() and (not wanted or _matches_any(name, wanted))
        }
    )


def _glob(root: Path, pattern: str) -> Iterator[str]:
    if pattern.startswith("/") or ".." in PurePosixPath(pattern).parts:
        raise ListingError(f"{pattern!r} leads out of {root}")
    named = set(PurePosixPath(pattern).parts)
    try:
        paths = sorted(root.glob(pattern))
    except ValueError as error:
        raise ListingError(f"{pattern!r}: {error}") from error
    for path in paths:
        inside = path.relative_to(root)
        if path.is_file() and not (MADE_BY_TOOLS & set(inside.parts)) - named:
            yield inside.as_posix()


def _matches_any(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether a name matches a pattern; `**/` stands for any directories, and for none."""
    return any(
        fnmatch.fnmatchcase(name, form)
        for pattern in patterns
        for form in (pattern, pattern.replace("**/", ""))
    )
