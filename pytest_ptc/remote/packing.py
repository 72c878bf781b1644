"""A directory on its way to bytes: what of it is sent, with the repositories in it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_ptc.inputs.disk import combined
from pytest_ptc.inputs.trees import GIT_LIST_TIMEOUT_S, MAX_DEPTH, toplevel
from pytest_ptc.model.errors import ConfigError, GitError
from pytest_ptc.remote.code_format import PackedDirectory
from pytest_ptc.remote.packed_files import TooLargeError, pack_files
from pytest_ptc.remote.packed_history import Wanted, gitlinks, have, pack_history
from pytest_ptc.system.git.command import git
from pytest_ptc.system.patterns import MADE_BY_TOOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_ptc.remote.packed_history import PackedHistory

#: Most files of a directory that are sent.
MAX_FILES = 100_000
_GITLINK = "160000"


class Packing:
    """One directory while it is packed, with all repositories in it.

    Args:
        top: The directory; a real path.
        most: Bytes that it may come to.
        wanted: What tasks need of histories, by the tops of their repositories.
        ours: Tells whether a path is one that this run writes itself.
    """

    def __init__(
        self, top: str, most: int, wanted: Mapping[str, Wanted], ours: Callable[[str], bool]
    ) -> None:
        self._top, self._left, self._wanted, self._ours = top, most, dict(wanted), ours
        self.names: set[str] = set()
        self.folders: set[str] = set()
        self.sizes: dict[str, int] = {}
        self.histories: dict[str, PackedHistory] = {}
        self.notes: list[str] = []

    def directory(self, top: str, depth: int) -> PackedDirectory:
        """Pack a directory, and the repositories in it.

        Raises:
            TooLargeError: It does not fit.
        """
        listed = self._listed(top, depth)
        in_git = listed.index is not None
        prefix = "" if top == self._top else f"{os.path.relpath(top, self._top)}/"
        try:
            files = pack_files(top, listed.files, self._left, listed.folders)
        except TooLargeError as error:
            self.sizes |= {prefix + name: count for name, count in error.sizes.items()}
            raise
        self._left -= len(files.tar)
        self.sizes |= {prefix + name: count for name, count in files.sizes.items()}
        self.names |= {prefix + name for name in files.names - listed.folders}
        self.folders |= {prefix + name for name in listed.folders}
        self.notes += [f"{prefix}{note}" for note in files.left_out]
        if in_git:
            self._want_submodules(top, listed)
        inner = {
            os.fsencode(name): self.directory(f"{top}/{name}", depth + 1)
            for name in sorted(listed.inner)
        }
        repository = None
        if in_git:
            # Files go first: of the history a part will do.
            history = pack_history(top, self._wanted.get(top, Wanted()), max(self._left, 0))
            self._left -= len(history.repository.pack)
            self.histories[top] = history
            repository = history.repository
        return PackedDirectory(
            name=os.fsencode(os.path.basename(top)),
            files=files.tar,
            tar_hash=files.tar_hash,
            repository=repository,
            inner=inner,
        )

    def state(self, top: str, depth: int = 0) -> str:
        """Return what is another one after every change of what would be packed."""
        listed = self._listed(top, depth)
        lines = [_stat(f"{top}/{name}", name) for name in sorted(listed.files)]
        lines += sorted(listed.folders)
        if listed.index is not None:
            lines += [listed.index, _head(top)]
        return combined(
            [*lines, *(self.state(f"{top}/{name}", depth + 1) for name in sorted(listed.inner))]
        )

    def _listed(self, top: str, depth: int) -> _Listed:
        """List a directory.

        Raises:
            ConfigError: There is too much of it.
            GitError: Git refuses.
        """
        if depth > MAX_DEPTH:
            raise ConfigError(f"more than {MAX_DEPTH} repositories within each other, at {top!r}")
        in_git = os.path.lexists(f"{top}/.git")
        try:
            told = toplevel(top) if in_git else top
        except GitError as error:
            raise GitError(f"{top} is not sent to nodes: {error}") from error
        if told != top:
            raise ConfigError(f"git takes {told} for the working tree of {top}, so it is not sent")
        listed = self._tracked(top) if in_git else self._walked(top)
        if len(listed.files) > MAX_FILES:
            raise ConfigError(
                f"{top} has more than {MAX_FILES:,} files, which are not sent to nodes; have git "
                "ignore what no task needs, or say ptc_dask_code=shared"
            )
        return listed

    def _tracked(self, top: str) -> _Listed:
        listed = _Listed()
        listed.index = git(top, "ls-files", "--stage", "-z", patience=GIT_LIST_TIMEOUT_S)
        for entry in filter(None, listed.index.split("\0")):
            mark, _, name = entry.partition("\t")
            if not mark.startswith(_GITLINK):
                listed.files.add(name)
            elif os.path.isdir(f"{top}/{name}") and not os.path.islink(f"{top}/{name}"):
                # Git wants the directory of a submodule that is not checked out.
                listed.folders.add(name)
                if os.path.lexists(f"{top}/{name}/.git"):
                    listed.inner.add(name)
        words = ("ls-files", "--others", "--exclude-standard", "-z")
        for entry in filter(None, git(top, *words, patience=GIT_LIST_TIMEOUT_S).split("\0")):
            name = entry.rstrip("/")
            if self._ours(f"{top}/{name}"):
                continue
            if entry.endswith("/"):
                listed.inner.add(name)
            else:
                listed.files.add(name)
        listed.files = {name for name in listed.files if _is_plain(top, os.path.dirname(name))}
        return listed

    def _walked(self, top: str) -> _Listed:
        """List all below a directory without git, but what tools have made."""
        listed = _Listed()
        for place, folders, files in os.walk(top, onerror=_refuse):
            here = os.path.relpath(place, top)
            prefix = "" if here == "." else f"{here}/"
            for name in list(folders):
                path = f"{place}/{name}"
                if name in MADE_BY_TOOLS or self._ours(path):
                    folders.remove(name)
                elif os.path.islink(path):
                    listed.files.add(prefix + name)
                else:
                    listed.folders.add(prefix + name)
                    if os.path.lexists(f"{path}/.git"):
                        folders.remove(name)
                        listed.inner.add(prefix + name)
            listed.files |= {prefix + name for name in files if not self._ours(f"{place}/{name}")}
            if len(listed.files) > MAX_FILES:
                return listed
        return listed

    def _want_submodules(self, top: str, listed: _Listed) -> None:
        """Have the commits go along at which the tasks' commits have their submodules."""
        wanted = self._wanted.get(top, Wanted())
        if not listed.inner or not wanted.commits:
            return
        for name, commits in gitlinks(top, wanted.commits).items():
            place = f"{top}/{name}"
            if name in listed.inner:
                known = self._wanted.get(place, Wanted())
                there = known.commits | have(place, commits)
                self._wanted[place] = Wanted(commits=there, ranges=known.ranges, refs=known.refs)


@dataclass(slots=True)
class _Listed:
    """Names from a directory: files and links, directories to make, and repositories.

    Args:
        index: What git's index has; None without git.
    """

    files: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    inner: set[str] = field(default_factory=set)
    index: str | None = None


def _is_plain(top: str, folder: str) -> bool:
    """Tell whether a directory of a tree is there itself, and no link has taken its place."""
    return os.path.realpath(f"{top}/{folder}") == os.path.normpath(f"{top}/{folder}")


def _refuse(error: OSError) -> None:
    raise ConfigError(f"{error.filename!r} cannot be read to be sent: {error.strerror}")


def _stat(path: str, name: str) -> str:
    try:
        seen = os.lstat(path)
    except OSError:
        return name
    times = (seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_mode)
    return f"{name} {times}"


def _head(top: str) -> str:
    """Return what is checked out: the branch, and its commit."""
    try:
        return git(top, "rev-parse", "--symbolic-full-name", "HEAD") + git(top, "rev-parse", "HEAD")
    except GitError:
        return ""  # before the first commit
