"""Git worktrees: a copy of the repository for each attempt, at the commit that it is about.

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
from typing import TYPE_CHECKING

from pytest_ptc.errors import GitError
from pytest_ptc.git import git

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Where worktrees are, below a run's scratch folder.
FOLDER = "worktrees"
#: Bytes of a diff that are put into a prompt; every request pays for them.
LONGEST_DIFF = 200_000


def resolve(cwd: str, ref: str) -> str:
    """Return the commit that a ref names in the repository of this directory.

    Raises:
        GitError: There is no repository, or no such commit.
    """
    return git(cwd, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}").strip()


def diff(cwd: str, base: str, commit: str) -> str:
    """Return what a commit changed since it left `base`, cut where it is very long.

    Raises:
        GitError: Git cannot tell.
    """
    text = git(cwd, "diff", "--no-ext-diff", "--no-color", f"{base}...{commit}")
    if len(text) <= LONGEST_DIFF:
        return text
    return f"{text[:LONGEST_DIFF]}\n[cut; the whole: git diff {base}...{commit}]\n"


def add(cwd: str, commit: str, path: Path) -> str:
    """Make a worktree at this commit, and return the directory in it that stands for `cwd`.

    Raises:
        GitError: Git cannot make it; the message has its words.
    """
    top = git(cwd, "rev-parse", "--show-toplevel").rstrip("\n")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(cwd):
        git(cwd, "worktree", "add", "--detach", "--quiet", str(path), commit)
    inside = os.path.relpath(os.path.realpath(cwd), os.path.realpath(top))
    place = path if inside == "." else path / inside
    if not place.is_dir():
        raise GitError(f"commit {commit[:12]} has no directory {inside}")
    return str(place)


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
    return Path(cwd, git(cwd, "rev-parse", "--git-common-dir").rstrip("\n"))
