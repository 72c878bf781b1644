"""Submodules of a worktree: their files come from the clones that are on this machine.

Git would clone them anew, from the address that the tree names. The files alone are put there,
without a repository of their own, so that nothing of them outlives the worktree.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.errors import GitError
from pytest_ptc.system.git.command import git
from pytest_ptc.system.regular_files import read_regular
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_GITLINK = "160000"
_INDEX = "ptc-index"
#: Bytes of a file `.git` that says where the repository is.
_MAX_LINK_BYTES = 10_000


class _Clone(NamedTuple):
    """Where a repository is on this machine.

    Args:
        top: Its working tree; None where it has none here.
        folder: Its git directory.
        env: The variables that make git use it.
    """

    top: Path | None
    folder: Path
    env: Mapping[str, str]


def add_submodules(top: Path, commit: str, worktree: Path) -> tuple[str, ...]:
    """Put the files of all submodules into a worktree, and return notes of those left out.

    Args:
        top: The repository's working tree.
        commit: The commit that the worktree is at.
        worktree: The worktree.

    Raises:
        GitError: A submodule, or its commit, is not on this machine.
    """
    links = _gitlinks(top, commit, None)
    if not links:
        return ()
    common = Path(top, git(top, "rev-parse", "--git-common-dir").removesuffix("\n"))
    return tuple(_add(_Clone(top, common, {}), commit, worktree, Path()))


def _add(clone: _Clone, commit: str, worktree: Path, below: Path) -> Iterator[str]:
    """Add the submodules of one repository, whose files are at `below` in the worktree."""
    place = clone.top or clone.folder
    names = _names(place, commit, clone.env)
    for path, wanted in _gitlinks(place, commit, clone.env).items():
        shown = printable(str(below / path))
        name = names.get(path, path)
        if _is_unwanted(place, name, clone.env):
            yield f"Submodule {shown} is left out: submodule.{printable(name)}.active is false."
            continue
        source = next(
            (one for one in _clones(clone, path, name) if _has(one, wanted)),
            None,
        )
        if source is None:
            raise GitError(
                f"submodule {shown} at {wanted[:12]} is not on this machine; run `git submodule "
                "update --init --recursive`, or say that it is not needed: git config "
                f"submodule.{printable(name)}.active false"
            )
        _check_out(source, wanted, worktree, worktree / below / path)
        yield from _add(source, wanted, worktree, below / path)


def _gitlinks(place: Path, commit: str, env: Mapping[str, str] | None) -> dict[str, str]:
    """Return the submodules of a commit: their paths, and the commits that they are at."""
    listed = git(place, "ls-tree", "-r", "-z", "--full-tree", commit, env=env)
    gitlinks = {}
    for entry in listed.split("\0"):
        head, _, path = entry.partition("\t")
        if head.startswith(_GITLINK):
            gitlinks[path] = head.split(" ")[2]
    return gitlinks


def _names(place: Path, commit: str, env: Mapping[str, str]) -> dict[str, str]:
    """Return the name of the submodule at each path, by the commit's `.gitmodules`."""
    words = ("config", "--blob", f"{commit}:.gitmodules", "-z", "--get-regexp")
    try:
        listed = git(place, *words, r"^submodule\..*\.path$", env=env)
    except GitError:
        return {}  # there is no such file: a repository was added as it was
    found = {}
    for entry in listed.split("\0"):
        key, _, path = entry.partition("\n")
        found[path] = key[len("submodule.") : -len(".path")]
    return found


def _is_unwanted(place: Path, name: str, env: Mapping[str, str]) -> bool:
    try:
        active = git(place, "config", "--type=bool", f"submodule.{name}.active", env=env)
    except GitError:
        return False
    return active.strip() == "false"


def _clones(clone: _Clone, path: str, name: str) -> Iterator[_Clone]:
    """Yield where the repository of a submodule may be on this machine."""
    top = None if clone.top is None else clone.top / path
    if top is not None and clone.top is not None:
        if not top.resolve().is_relative_to(clone.top.resolve()):
            return  # by a link, where somebody else's repository may be
        if (top / ".git").is_dir():
            yield _clone(top, top / ".git")
        linked = _linked(top)
        # Anything else is no submodule of this repository.
        if linked is not None and linked.is_relative_to(clone.folder.resolve()) and linked.is_dir():
            yield _clone(top, linked)
    folder = clone.folder / "modules" / name
    named = Path(name)
    if os.pardir not in named.parts and not named.is_absolute() and folder.is_dir():
        yield _clone(top, folder)


def _linked(top: Path) -> Path | None:
    """Return the git directory that a working tree's file `.git` names, if it has one."""
    try:
        text = os.fsdecode(read_regular(top / ".git", _MAX_LINK_BYTES)).strip()
    except OSError:
        return None
    return (top / re.sub(r"^gitdir: *", "", text)).resolve()


def _clone(top: Path | None, folder: Path) -> _Clone:
    # From its own directory git would take it for a bare repository.
    return _Clone(top if top and top.is_dir() else None, folder, {"GIT_DIR": str(folder)})


def _has(clone: _Clone, commit: str) -> bool:
    try:
        git(clone.folder, "cat-file", "-e", f"{commit}^{{commit}}", env=clone.env)
    except GitError:
        return False
    return True


def _check_out(clone: _Clone, commit: str, worktree: Path, path: Path) -> None:
    """Write the files of a commit to a directory that git has made, empty, for the submodule."""
    expected = worktree.resolve() / path.relative_to(worktree)
    if path.resolve() != expected or not path.is_dir() or next(path.iterdir(), None) is not None:
        raise GitError(f"the place of submodule {printable(str(path))} is no empty directory")
    index = worktree.parent / f"{worktree.name}.{_INDEX}"
    env = {**clone.env, "GIT_WORK_TREE": str(path), "GIT_INDEX_FILE": str(index)}
    try:
        git(path, "read-tree", "--reset", "-u", commit, env=env)
    finally:
        index.unlink(missing_ok=True)
