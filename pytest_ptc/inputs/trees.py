"""The content of a repository's working tree, as git would take it, and of nothing else.

Git only lists what is tracked, and what is untracked and not ignored. Files are read by us, raw, so
that no filter, attribute, hook or flag of the index (assume-unchanged, skip-worktree) has a say in
what they hold. Submodules and repositories in the tree are looked at in the same way.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_ptc.inputs.disk import Seen, TooMuchError, UnreadableError, below, combined, kind_of
from pytest_ptc.model.errors import GitError
from pytest_ptc.system.git.command import git

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_ptc.inputs.disk import Disk

#: Most files of a repository; hashing more would cost more than it saves.
MAX_FILES = 100_000
#: Most files behind one link that leads out of what git lists.
MAX_LINKED = 2_000
#: Most repositories within each other.
MAX_DEPTH = 8

#: Seconds that git may take to list what there is.
GIT_LIST_TIMEOUT_S = 20.0

_GIT = frozenset({".git"})
_SUBMODULE = "160000"
UNTRACKED = "untracked"
#: The name that no file has, under which a list has the commit that is checked out.
COMMIT = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Listed:
    """What git lists: names with what its index has of each, or `UNTRACKED`."""

    names: tuple[str, ...]
    marks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A working tree at one moment.

    Args:
        top: Its directory.
        head: The commit that is checked out; `none` before the first.
        names: Names of files, from the top, with what stands at the same place in:
        marks: what the index has of them, or `UNTRACKED`;
        seen: what lies there; None where that is nothing.
        inner: Repositories in the tree, by their names.
    """

    top: str
    head: str
    names: Sequence[str]
    marks: Sequence[str]
    seen: Sequence[Seen | None]
    inner: Mapping[str, Tree] = field(default_factory=dict)

    @cached_property
    def hash(self) -> str:
        texts = [_text(seen) for seen in self.seen]
        lines = [self.head, *map(repr, self.names), *self.marks, *texts]
        return combined([*lines, *(f"{name!r} {tree.hash}" for name, tree in self.inner.items())])

    @cached_property
    def stat(self) -> str:
        """Return the hash of every file's inode, size and times."""
        lines = [seen.stat.hex() if seen is not None else "" for seen in self.seen]
        return combined([*lines, *(tree.stat for tree in self.inner.values())])

    @cached_property
    def _places(self) -> frozenset[str]:
        found = {"."}
        for name in self.names:
            place = name
            while place and place not in found:
                found.add(place)
                place = place.rpartition("/")[0]
        return frozenset(found)

    def covers(self, path: str) -> bool:
        """Tell whether a real path is a file of the tree, or a directory that has some."""
        if path == self.top:
            return True
        if not path.startswith(f"{self.top.rstrip('/')}/"):
            return False
        name = os.path.relpath(path, self.top)
        if name in self._places:
            return True
        return any(tree.covers(path) for tree in self.inner.values())

    def entries(self) -> dict[str, str]:
        """Return one line of text for each file, by its name from the top."""
        own = zip(self.names, self.marks, self.seen, strict=True)
        found = {name: f"{mark} {_text(seen)}" for name, mark, seen in own}
        found[COMMIT] = self.head
        for place, tree in self.inner.items():
            found[place] = f"{found.get(place, UNTRACKED)} at {tree.head}"
            within = tree.entries()
            del within[COMMIT]
            found |= {f"{place}/{name}": text for name, text in within.items()}
        return found


def _text(seen: Seen | None) -> str:
    return "absent" if seen is None else seen.text


class Trees:
    """Takes the content of repositories; what has not changed since the last time costs little.

    Args:
        disk: What reads files.
        ours: Tells whether an untracked path is one that this run writes itself.
    """

    def __init__(self, disk: Disk, ours: Callable[[str], bool] = lambda _: False) -> None:
        self._disk = disk
        self._ours = ours
        self._listed: dict[str, tuple[str, str, _Listed]] = {}
        self._last: dict[str, Tree] = {}

    def __repr__(self) -> str:
        return f"<Trees {sorted(self._last)}>"

    def take(self, top: str, depth: int = 0) -> Tree:
        """Return the working tree whose top this directory is; it is a real path.

        Raises:
            GitError: Git refuses.
            PtcError: There is more than can be looked at, or something cannot be read.
        """
        if depth > MAX_DEPTH:
            raise TooMuchError(f"more than {MAX_DEPTH} repositories within each other, at {top!r}")
        listed = self._list(top)
        if len(listed.names) > MAX_FILES:
            raise TooMuchError(f"more than {MAX_FILES} files in {top!r}")
        inner: dict[str, Tree] = {}
        seen: list[Seen | None] = []
        look, folder = self._disk.look, top.rstrip("/")
        links: list[int] = []
        for place, (name, mark) in enumerate(zip(listed.names, listed.marks, strict=True)):
            path = f"{folder}/{name}"
            found = look(path)
            if found is not None and found.text.startswith("link "):
                links.append(place)
            elif found is not None and found.text == "directory":
                found = self._folder(path, name, mark, inner, depth)
            seen.append(found)
        tree = Tree(
            top=top,
            head=_head(top),
            names=listed.names,
            marks=listed.marks,
            seen=seen,
            inner=inner,
        )
        for place in links:
            seen[place] = through(f"{folder}/{listed.names[place]}", self._disk, tree)
        last = self._last.get(top)
        # The same object has its hashes already.
        if last == tree:
            return last
        self._last[top] = tree
        return tree

    def _list(self, top: str) -> _Listed:
        index = git(top, "ls-files", "--stage", "-z", patience=GIT_LIST_TIMEOUT_S)
        last = self._listed.get(top)
        self._refuse_odd_files(top, last[2] if last is not None else None)
        others = git(
            top, "ls-files", "--others", "--exclude-standard", "-z", patience=GIT_LIST_TIMEOUT_S
        )
        if last is not None and last[:2] == (index, others):
            return last[2]
        marks: dict[str, str] = {}
        for line in index.split("\0"):
            mark, _, name = line.partition("\t")
            if name:
                # A file in conflict is there several times.
                marks[name] = f"{marks[name]}, {mark}" if name in marks else mark
        for name in others.split("\0"):
            if name and not self._ours(f"{top.rstrip('/')}/{name.rstrip('/')}"):
                marks.setdefault(name.rstrip("/"), UNTRACKED)
        listed = _Listed(names=tuple(marks), marks=tuple(marks.values()))
        self._listed[top] = (index, others, listed)
        return listed

    def _refuse_odd_files(self, top: str, listed: _Listed | None) -> None:
        """Refuse a FIFO in place of a file that git reads: it would wait there for ever.

        In a directory that is new since the last look it is git's patience that ends.
        """
        folders = {"": None} | dict.fromkeys(
            name.rpartition("/")[0] for name in (listed.names if listed is not None else ())
        )
        for folder in folders:
            path = f"{top}/{folder}/.gitignore"
            try:
                mode = os.lstat(path).st_mode
            except OSError:
                continue
            if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
                raise UnreadableError(f"{path!r} is a {kind_of(mode)}")

    def _folder(
        self, path: str, name: str, mark: str, inner: dict[str, Tree], depth: int
    ) -> Seen | None:
        """Return the state of a directory where git has a file, a submodule or a repository."""
        if mark != UNTRACKED and not mark.startswith(_SUBMODULE):
            # What lies in it is untracked, and listed.
            return Seen("directory", b"")
        if os.path.lexists(f"{path}/.git") and toplevel(path) == path:
            inner[name] = self.take(path, depth + 1)
            return Seen("repository", b"")
        return _raw(path, self._disk)


def toplevel(place: str) -> str:
    """Return the real path of the top of the working tree that a directory is in.

    Raises:
        GitError: Git refuses, or there is none.
    """
    top_line = git(place, "rev-parse", "--show-toplevel", patience=GIT_LIST_TIMEOUT_S)
    return os.path.realpath(top_line.removesuffix("\n"))


def through(path: str, disk: Disk, tree: Tree | None = None) -> Seen | None:
    """Return what lies at a path, and where it is a link, what that leads to.

    Args:
        path: The path.
        disk: What reads files.
        tree: What is looked at anyway: a link into it is only named.

    Raises:
        PtcError: It cannot be read, or there is too much behind it.
    """
    seen = disk.look(path)
    if seen is None or not seen.text.startswith("link "):
        return seen
    real = os.path.realpath(path)
    named = real
    if tree is not None:
        if tree.covers(real):
            return Seen(f"{seen.text} to {os.path.relpath(real, tree.top)!r}", seen.stat)
        if real.startswith(f"{tree.top.rstrip('/')}/"):
            named = os.path.relpath(real, tree.top)
    target = disk.look(real)
    if target is None:
        return Seen(f"{seen.text} to {named!r}: absent", seen.stat)
    if target.text == "directory":
        target = _raw(real, disk)
    return Seen(f"{seen.text} to {named!r}: {target.text}", seen.stat + target.stat)


def _raw(folder: str, disk: Disk) -> Seen:
    """Return the state of a directory that git does not look into, with all below it."""
    names, stats = [], []
    for path in below(folder, MAX_LINKED, _GIT):
        seen = disk.look(path)
        if seen is not None and seen.text.startswith("link "):
            real = os.path.realpath(path)
            target = disk.look(real)
            behind = "absent" if target is None else target.text
            if behind == "directory" and not real.startswith(f"{folder}/"):
                raise TooMuchError(f"a link of {path!r} to another directory, which was not read")
            seen = Seen(f"{seen.text} to {behind}", seen.stat)
        if seen is not None:
            names.append(f"{os.path.relpath(path, folder)!r} {seen.text}")
            stats.append(seen.stat.hex())
    return Seen(f"directory {combined(names)}", combined(stats).encode())


def _head(top: str) -> str:
    try:
        return git(
            top, "rev-parse", "--verify", "--quiet", "HEAD", patience=GIT_LIST_TIMEOUT_S
        ).strip()
    except GitError:
        return "none"  # before the first commit; a repository that is broken refuses to list


def changes(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Yield what differs between the entries of two trees, in the way of `git status --short`."""
    if then.get(COMMIT) != now.get(COMMIT):
        yield f"commit {then.get(COMMIT, 'none'):.7} is {now.get(COMMIT, 'none'):.7} now"
    for name in sorted({*then, *now} - {COMMIT}):
        old, new = then.get(name), now.get(name)
        if old == new:
            continue
        gone = new is None or new.endswith(" absent")
        if gone:
            yield f"D {name}"
        elif old is None or old.endswith(" absent"):
            yield f"{'??' if new is not None and new.startswith(UNTRACKED) else 'A'} {name}"
        else:
            yield f"M {name}"
