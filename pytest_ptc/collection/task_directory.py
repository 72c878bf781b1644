"""The directory of a task: where a marker's text may lead, and where it may not.

Who writes the suite may name any directory of the machine, by its absolute path or by a session
fixture. What is filled in from parameters, and what a checkout brings, may lead nowhere out of the
repository.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.errors import GitError, PtcError
from pytest_ptc.system.git.command import git
from pytest_ptc.system.git.repositories import brought_repository, repository_top
from pytest_ptc.text.template import fields_of, fill

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class DirectoryError(PtcError):
    """A directory that cannot be a task's; the message says why, and the fix."""


def task_directory(
    text: str,
    rootpath: Path,
    values: Mapping[str, Any] | None = None,
    trusted: Collection[str] = (),
) -> str:
    """Return the absolute path of the directory that a text names.

    Args:
        text: What the marker or the ini file says, its fields not filled.
        rootpath: Pytest's root directory, which relative paths are from.
        values: What the fields are filled from.
        trusted: The fields whose values come from code of the suite alone.

    Raises:
        DirectoryError: It is no directory, or leads out of where it belongs.
    """
    given = dict(values or {})
    filled = fill(text, given)
    if "\0" in filled or not filled.strip():
        raise DirectoryError(f"{filled!r} is not a path; name a directory")
    path = (rootpath / filled).absolute()
    if not path.is_dir():
        raise DirectoryError(f"{path} is not a directory")
    home = repository_top(rootpath) or rootpath
    root = _bounds(text, given, trusted, home)
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(root)):
        raise DirectoryError(
            f"{filled!r} leads to {real}, out of {root}; name a directory inside it, or another "
            "one by its absolute path, without parameters in it"
        )
    problem = _tree_problem(real, home)
    if problem is not None:
        raise DirectoryError(f"{filled!r}: {problem}; name another directory")
    return str(real if os.pardir in path.parts else path)


def _bounds(text: str, values: Mapping[str, Any], trusted: Collection[str], home: Path) -> Path:
    """Return the directory that the path must stay in."""
    known = {name: value for name, value in values.items() if name in trusted}
    open_fields = {name: "\0" for name in fields_of(text) if name not in known}
    head, cut, _ = fill(text, {**known, **open_fields}).partition("\0")
    if not head.startswith(os.sep):
        return home
    # Of `/srv/app-{name}` only `/srv` is certain.
    anchor = Path(os.path.normpath(head.rpartition(os.sep)[0] or os.sep if cut else head))
    return home if anchor.is_relative_to(home) else anchor


def _tree_problem(real: Path, home: Path) -> str | None:
    """Say why a directory of the repository is not a place for an agent."""
    outer = Path(os.path.realpath(home))
    if not real.is_relative_to(outer):
        return None
    if ".git" in real.relative_to(outer).parts:
        return "it is in .git"
    brought = brought_repository(real)
    if brought is not None and brought.is_relative_to(outer):
        return f"the files of {brought} make a bare repository"
    inner = repository_top(real)
    if inner is None or inner == outer or not (outer / ".git").exists():
        return None
    # A clone that somebody has made there is untracked, and a submodule is one entry; but where
    # files of the repository lie in it, somebody has put a `.git` of another over them.
    name = inner.relative_to(outer).as_posix()
    try:
        tracked = git(outer, "ls-files", "-z", "--", f":(literal){name}/")
    except GitError:
        return None
    if tracked and set(tracked.split("\0")) != {name, ""}:
        return f"{inner / '.git'} hides the repository that its files are of"
    return None
