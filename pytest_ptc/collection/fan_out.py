"""What a suite fans out over: the files that match patterns."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.collection.item_ids import unique_ids
from pytest_ptc.collection.root_dir import ROOT
from pytest_ptc.model.errors import ListingError
from pytest_ptc.system.patterns import MADE_BY_TOOLS, checked_patterns, hint, matches_any, means

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["files", "matching", "require_matches", "tree"]


def files(*patterns: str, exclude: str | Sequence[str] = ()) -> list[Any]:
    """Return the files that match, for `pytest.mark.parametrize`; their names are the ids.

    Args:
        patterns: Such as `src/**/*.py`, from pytest's root directory, where agents work too. `*`
            stops at `/`, `**` is any directories; in `exclude`, too.
        exclude: Patterns of files to leave out.

    Raises:
        ListingError: A pattern matches nothing: a suite without items would be green though nothing
            was reviewed.
    """
    root = ROOT.get(None) or Path.cwd()
    names = matching(root, patterns, exclude)
    return [pytest.param(name, id=one) for name, one in zip(names, unique_ids(names), strict=True)]


def matching(root: Path, patterns: object, exclude: object = ()) -> list[str]:
    """Return the names of the files below a directory that match, sorted, with `/`.

    A link to a file of the tree is a file of it; a link that leads nowhere is none.

    Raises:
        ListingError: A pattern matches nothing or is none, all that matches is excluded, or a link
            leads out of the tree.
    """
    wanted = checked_patterns("files", patterns)
    if not wanted:
        raise ListingError("files: no pattern is given; write one, such as src/**/*.py")
    left_out = checked_patterns("exclude", exclude)
    names = tree(root, wanted)
    require_matches(root, wanted, names)
    found = {name for name in names if any(means(name, pattern) for pattern in wanted)}
    found = {name for name in found if not matches_any(name, left_out)}
    if not found:
        raise ListingError(f"everything that matches below {root} is excluded")
    for name in sorted(found):
        _refuse_way_out(root, name)
    return sorted(found)


def require_matches(root: Path, patterns: Sequence[str], names: Sequence[str]) -> None:
    """Check that each pattern means one of these files.

    Raises:
        ListingError: One does not.
    """
    for pattern in patterns:
        if not any(means(name, pattern) for name in names):
            raise ListingError(f"no file below {root} matches {pattern!r}{hint(pattern)}")


def tree(root: Path, patterns: Sequence[str]) -> list[str]:
    """Return the names of all files below a directory, but in tools' that no pattern names.

    No link to a directory is followed, and nothing is opened. A file is a regular one, or a link
    to one.
    """
    named = {part for pattern in patterns for part in PurePosixPath(pattern).parts}
    bases = {_base(pattern) for pattern in patterns}
    return list(_below(root, (), MADE_BY_TOOLS - named, bases))


def _base(pattern: str) -> tuple[str, ...]:
    """Return the directory that all files of a pattern are below, as its names."""
    folders = PurePosixPath(pattern).parts[:-1]
    signs = (place for place, part in enumerate(folders) if set(part) & set("*?[\\"))
    return folders[: next(signs, len(folders))]


def _below(
    root: Path, place: tuple[str, ...], unmeant: frozenset[str], bases: set[tuple[str, ...]]
) -> Iterator[str]:
    folder = root.joinpath(*place)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        # A directory that cannot be read may hold what is meant.
        raise ListingError(f"{folder}: {error.strerror or error}") from error
    for entry in entries:
        inside = (*place, entry.name)
        if entry.is_dir(follow_symlinks=False):
            on_the_way = any(
                all(map(str.__eq__, inside, base)) for base in bases
            )  # of two paths, the shorter one leads to the other
            if on_the_way and entry.name not in unmeant:
                yield from _below(root, inside, unmeant, bases)
        elif _is_file(entry):
            yield "/".join(inside)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return False  # a link that leads nowhere, or in a circle


def _refuse_way_out(root: Path, name: str) -> None:
    path = root / name
    if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
        raise ListingError(f"{name!r} is a link that leads out of {root}; exclude it")
