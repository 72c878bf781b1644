"""Whether a run's folder can be trusted as a place: its path, its owner, its permissions.

Its content is checked elsewhere, by its seals. But whoever can put a link, a FIFO or a file there
controls what we open, wait for and remove; and a journal that git tracks came with the checkout,
whoever wrote it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.journal.lines import STORY
from pytest_ptc.model.errors import GitError
from pytest_ptc.system.git.repositories import repository_top

if TYPE_CHECKING:
    from collections.abc import Iterator

#: `<cache directory>/d/ptc/runs/<run id>`: how far below pytest's cache directory a run is.
_BELOW_CACHE = 4
#: Below a run's folder only we make files on the first level, and folders down to the second: those
#: of attempts and workers. What is in these may be an agent's, whose doing costs its attempt alone.
_OWN_FILES, _OWN_FOLDERS = 1, 2


def link_on_the_way(path: Path, root: Path) -> Path | None:
    """Return the first link or file among the directories that lead to `path`; None without one.

    Args:
        path: A run's folder, or one above it; what is missing is no link.
        root: The project's root directory; the path to it is the user's own matter. So is that to
            a cache directory outside of it.
    """
    depth = len(path.relative_to(root).parts) if path.is_relative_to(root) else _BELOW_CACHE
    ways = [path, *path.parents][:depth]
    for step in reversed(ways):
        try:
            mode = step.lstat().st_mode
        except FileNotFoundError:
            return None
        if not stat.S_ISDIR(mode):
            return step
    return None


def place_problem(folder: Path, root: Path, *, attempts: bool = True) -> str | None:
    """Return why a run's folder cannot be trusted, without its subject; None if it can.

    Args:
        folder: The run's folder.
        root: The project's root directory.
        attempts: Whether to check the folders of attempts, too: there may be thousands, and they do
            not matter to a caller that trusts nothing in them.
    """
    try:
        if (step := link_on_the_way(folder, root)) is not None:
            kind = "a link" if step.is_symlink() else "not a directory"
            what = "is" if step == folder else f"is reached through {step.name}, which is"
            return f"{what} {kind}"
        for path, seen, depth in _entries(folder, _OWN_FOLDERS + 2 if attempts else 2):
            name = path.relative_to(folder.parent.parent)
            if seen.st_uid != os.geteuid():
                return f"belongs to another user: {name}"
            if depth <= _OWN_FILES and stat.S_ISLNK(seen.st_mode):
                return f"has a link in it: {name}"
            own_folder = stat.S_ISDIR(seen.st_mode) and depth <= _OWN_FOLDERS
            if (own_folder or path == folder / STORY) and seen.st_mode & 0o022:
                return f"can be written by others: {name}; chmod -R go-w {folder}"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return None


def _entries(folder: Path, levels: int) -> Iterator[tuple[Path, os.stat_result, int]]:
    """Yield the folder of all runs and a run's, and what is in that, each with its depth."""
    yield folder.parent, folder.parent.lstat(), 0
    level = [folder]
    for depth in range(levels):
        below = []
        for path in level:
            seen = path.lstat()
            yield path, seen, depth
            if depth < levels - 1 and depth <= _OWN_FOLDERS and stat.S_ISDIR(seen.st_mode):
                below += [Path(entry.path) for entry in os.scandir(path)]
        level = below


def tracked_runs(runs: Path) -> frozenset[str]:
    """Return the ids of those runs of which git tracks a file; none where git cannot tell."""
    if repository_top(runs) is None:
        return frozenset()
    from pytest_ptc.system.git.command import git  # noqa: PLC0415 - a status needs no git

    try:
        tracked = git(runs, "ls-files", "-z", "--", ".")
    except GitError:
        # No git, or one that does not trust the repository. The seals are what proves a journal.
        return frozenset()
    return frozenset(name.partition("/")[0] for name in tracked.split("\0") if name)
