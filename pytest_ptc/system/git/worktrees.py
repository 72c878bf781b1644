"""Git worktrees: a copy of the repository for each attempt, at the commit that it is about.

A worktree has what git would check out, but for programs: no hook is run, no filter, and nothing is
fetched. What that leaves out is said in the prompt; what an agent could take for an empty directory
is an error.

Two that are made at once can get in each other's way in git, so making and removing holds a lock of
the repository's. Git keeps a note of each worktree in the repository; ours are found by their path,
which is in the run's own scratch folder, and those of others are never touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.errors import GitError
from pytest_ptc.system.git.command import git
from pytest_ptc.system.git.repositories import brought_repository, partial_clone_hint
from pytest_ptc.system.git.submodules import add_submodules
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Where worktrees are, below a run's scratch folder.
FOLDER = "worktrees"
#: Names of files that a note has; more are counted.
_MAX_NAMES = 20


class Worktree(NamedTuple):
    """A worktree that is there.

    Args:
        cwd: The directory in it that stands for the task's.
        notes: What an agent must know that cannot see it, a sentence each.
    """

    cwd: str
    notes: tuple[str, ...]


def add(cwd: str, commit: str, path: Path) -> Worktree:
    """Make a worktree at this commit.

    Raises:
        GitError: Git cannot make it, something would be missing in it, or `cwd` leads out of it.
    """
    top = git(cwd, "rev-parse", "--show-toplevel").removesuffix("\n")
    real = Path(cwd).resolve()
    if not real.is_relative_to(Path(top).resolve()):
        raise GitError(f"{cwd} is not in the working tree that its repository names, {top}")
    inside = real.relative_to(Path(top).resolve())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(cwd):
        try:
            git(cwd, "worktree", "add", "--detach", "--quiet", str(path), commit)
        except GitError as error:
            hint = partial_clone_hint(_common(cwd) / "objects")
            raise GitError(f"{error}{hint}") from error
    notes = add_submodules(Path(top), commit, path)
    place = path / inside
    if not place.is_dir():
        raise GitError(f"commit {commit[:12]} has no directory {printable(str(inside))}")
    # By links of the tree it could be any directory of the machine.
    if place.resolve() != path.resolve() / inside:
        raise GitError(
            f"commit {commit[:12]} has a link in place of the directory {printable(str(inside))}"
            f", and it leads to {printable(str(place.resolve()))}"
        )
    if brought_repository(place) is not None:
        raise GitError(f"commit {commit[:12]} has a bare repository as {printable(str(inside))}")
    return Worktree(str(place), (*notes, *_filtered(path)))


def remove(cwd: str, path: Path) -> None:
    """Remove a worktree of ours, whatever is left of it; never raises for what is gone.

    Args:
        cwd: A directory of the repository.
        path: The worktree.
    """
    with contextlib.suppress(GitError, OSError), _locked(cwd):
        shutil.rmtree(path, ignore_errors=True)
        for note in _notes(cwd, path):
            shutil.rmtree(note, ignore_errors=True)


def remove_all(cwds: Iterable[str], scratch: Path) -> None:
    """Remove all worktrees of a run, those of killed workers too.

    Args:
        cwds: A directory of each repository.
        scratch: The run's scratch folder.
    """
    for cwd in dict.fromkeys(cwds):
        remove(cwd, scratch / FOLDER)


def _filtered(path: Path) -> Iterator[str]:
    """Yield notes of the files that a program of the configuration would have made otherwise."""
    names = git(path, "ls-files", "-z")
    attributes = git(path, "check-attr", "-z", "--stdin", "filter", stdin=os.fsencode(names))
    fields = attributes.split("\0")
    by_filter: dict[str, list[str]] = {}
    for name, value in zip(fields[::3], fields[2::3], strict=False):
        if value not in ("unspecified", "unset", "set"):
            by_filter.setdefault(value, []).append(name)
    for value, files in by_filter.items():
        what = "pointers of Git LFS, without their content" if value == "lfs" else "as stored"
        yield f"Files with the filter {value}, which is not run, are {what}: {_listed(files)}."


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_MAX_NAMES])
    more = len(names) - _MAX_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


def _notes(cwd: str, path: Path) -> Iterator[Path]:
    """Yield git's notes of the worktrees at or below a path (see gitrepository-layout)."""
    ours = os.path.realpath(path)
    for note in (_common(cwd) / "worktrees").glob("*/gitdir"):
        with contextlib.suppress(OSError):
            at = os.path.realpath(Path(note.read_text().strip()).parent)
            if at == ours or at.startswith(f"{ours}{os.sep}"):
                yield note.parent


@contextlib.contextmanager
def _locked(cwd: str) -> Iterator[None]:
    """Hold the repository's lock: that of its directory itself, so that no file is left."""
    descriptor = os.open(_common(cwd), os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _common(cwd: str) -> Path:
    return Path(cwd, git(cwd, "rev-parse", "--git-common-dir").removesuffix("\n"))
