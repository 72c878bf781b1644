"""The files that an attempt reviews, as far as findings name them: read bounded, inside alone.

Nothing is followed out of what is reviewed, and nothing is opened that may block.
"""

from __future__ import annotations

import codecs
import difflib
import os
import re
import stat
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import GitError
from pytest_ptc.system.git.command import git, git_bytes
from pytest_ptc.system.git.repositories import repository_top
from pytest_ptc.system.regular_files import read_regular
from pytest_ptc.text.printable import printable
from pytest_ptc.verdicts.places import Kind, Seen, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Bytes of a file whose lines are looked at; those of a longer one are not known.
MAX_FILE_BYTES = 8 * 1024 * 1024
#: Files whose lines are kept in memory.
_MAX_KEPT = 8
#: Characters of a path, entries of a directory, and seconds that one call of git may take.
_MAX_PATH_CHARS, _MAX_ENTRIES, _GIT_TIMEOUT_S = 4096, 2000, 5.0
#: Files that are not there and are searched for in commits: a linter's file may name thousands.
_MAX_SEARCHES = 100
#: Names that a hint has.
_MAX_NAMES = 3
_PATTERN_SIGNS = re.compile(r"[*?\[\]\\]")
#: What `printable` may have made of a name.
_ESCAPED = re.compile(r"\\|: :|# #")
_BOMS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class ReviewedFiles:
    """The files of one attempt's directory, and of the repository around it.

    Args:
        cwd: The attempt's directory: in its worktree, if it has one.
        original: The task's directory; its paths stand for those of the worktree.
        base: The commit that the review is against, in full; None if there is none.
    """

    def __init__(self, cwd: str, original: str | None = None, base: str | None = None) -> None:
        self._cwd = os.path.realpath(cwd)
        self._top = os.path.realpath(repository_top(self._cwd) or self._cwd)
        self._in_git = os.path.lexists(os.path.join(self._top, ".git"))  # noqa: PTH118
        self._original = None
        if original is not None and os.path.realpath(original) != self._cwd:
            self._original = os.path.realpath(repository_top(original) or original)
        self._base = base
        self._kept: dict[str, Seen] = {}
        self._searches = 0
        self._until = float("inf")

    def begin(self, seconds: float) -> None:
        """Begin with another verdict: so long from now, what is asked for is looked at."""
        self._until = time.monotonic() + seconds

    def look(self, path: str) -> Seen:
        """Return what is at a path: from the directory, from the top, or absolute inside of it."""
        if path not in self._kept:
            if time.monotonic() > self._until:
                return Seen(Kind.UNKNOWN)
            if len(self._kept) >= _MAX_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[path] = self._look(path)
        return self._kept[path]

    def near(self, path: str) -> Sequence[str]:
        """Return files whose names are like that of a path which leads nowhere."""
        spot = next(iter(self._spots(path)), None)
        if spot is None:
            return ()
        return [*dict.fromkeys((*self._of_that_name(spot), *_alike(spot, self._cwd)))][:_MAX_NAMES]

    def _look(self, path: str) -> Seen:
        spots = list(self._spots(path))
        inside = [spot for spot in spots if self._has(spot)]
        # A verdict has names as they are printed.
        escaped = [
            _as_printed(self._top, Path(spot).relative_to(self._top).parts)
            for spot in inside
            if _ESCAPED.search(spot)
        ]
        for spot in (*inside, *filter(None, escaped)):
            if os.path.lexists(spot):
                return self._at(spot)
        for spot in inside:
            if (seen := self._gone(spot)) is not None:
                return seen
        if spots and not inside:
            return Seen(Kind.OUTSIDE)
        return Seen(Kind.ABSENT, known_start=self._knows_start(path, inside))

    def _knows_start(self, path: str, spots: Sequence[str]) -> bool:
        """Tell whether the first directory of a path is there; of an absolute one, the last."""
        if path.startswith("/"):
            folders = [os.path.dirname(spot) for spot in spots]  # noqa: PTH120
            return any(folder != "/" and os.path.isdir(folder) for folder in folders)  # noqa: PTH112
        first, slash, _ = path.partition("/")
        return bool(slash) and any((root / first).is_dir() for root in self._roots())

    def _roots(self) -> list[Path]:
        return [Path(root) for root in dict.fromkeys((self._cwd, self._top))]

    def _spots(self, path: str) -> Iterator[str]:
        """Yield the places that a path may mean, links of their directories followed."""
        if "\0" in path or len(path) > _MAX_PATH_CHARS:
            return
        try:
            os.fsencode(path)
        except UnicodeEncodeError:
            return
        if not path.startswith("/"):
            starts = [str(root / path) for root in self._roots()]
        else:
            starts = [path]
            if self._original is not None and _is_in(os.path.realpath(path), self._original):
                starts = [self._top + os.path.realpath(path)[len(self._original) :]]
        for start in starts:
            # Of the last part, a link is a file of its own.
            folder, name = os.path.split(start.rstrip("/") or "/")
            if name in ("", os.curdir, os.pardir):
                yield os.path.realpath(start)
            else:
                yield os.path.join(os.path.realpath(folder), name)  # noqa: PTH118

    def _has(self, spot: str) -> bool:
        return _is_in(spot, self._top)

    def _at(self, spot: str) -> Seen:
        real = os.path.realpath(spot)
        if not self._has(real):
            return Seen(Kind.OTHER, path=self._path(spot), name=self._name(spot))
        path, name = self._path(spot), self._name(real)
        try:
            mode = os.lstat(real).st_mode
        except OSError:  # a link to nothing
            return Seen(Kind.OTHER, path=path, name=self._name(spot))
        if stat.S_ISDIR(mode):
            return Seen(Kind.DIRECTORY, path=path, name=name)
        if not stat.S_ISREG(mode):
            return Seen(Kind.OTHER, path=path, name=name)
        try:
            lines = _lines(read_regular(Path(real), MAX_FILE_BYTES))
        except OSError:
            lines = None
        return Seen(Kind.FILE, path=path, name=name, lines=lines)

    def _gone(self, spot: str) -> Seen | None:
        """Return a file that the change under review has deleted; None if it has not."""
        if not self._in_git:
            return None
        if self._searches >= _MAX_SEARCHES:
            return None
        self._searches += 1
        name = self._name(spot)
        for commit in self._commits_with(name):
            try:
                content = git_bytes(
                    self._top,
                    *("cat-file", "blob", f"{commit}:{name}"),
                    most=MAX_FILE_BYTES,
                    patience=_GIT_TIMEOUT_S,
                )
            except GitError:
                continue
            path = self._path(spot)
            return Seen(Kind.FILE, path=path, name=name, lines=_lines(content), gone=True)
        return None

    def _commits_with(self, name: str) -> Iterator[str]:
        """Yield the commits that may have a file which is not there."""
        if self._base is not None:
            yield self._base
        yield "HEAD"
        words = ("log", "-1", "--diff-filter=D", "--no-renames", "--format=%H", "--")
        try:
            place = f":(top,literal){name}"
            deletion = git(self._top, *words, place, patience=_GIT_TIMEOUT_S).strip()
        except GitError:
            return
        if deletion:
            yield f"{deletion}^"

    def _of_that_name(self, spot: str) -> Iterator[str]:
        """Yield the repository's files of the same name in other directories."""
        name = os.path.basename(spot)  # noqa: PTH119
        if not self._in_git or not name or _PATTERN_SIGNS.search(name):
            return
        pattern = f":(top,glob,icase)**/{name}"
        try:
            found = git(self._top, "ls-files", "-z", "--", pattern, patience=_GIT_TIMEOUT_S)
        except GitError:
            return
        for entry in islice(filter(None, found.split("\0")), _MAX_NAMES):
            yield self._path(os.path.join(self._top, entry))  # noqa: PTH118

    def _path(self, spot: str) -> str:
        return os.path.relpath(spot, self._cwd)

    def _name(self, spot: str) -> str:
        return os.path.relpath(spot, self._top)


def _alike(spot: str, cwd: str) -> Iterator[str]:
    """Yield files with similar names in the nearest directory that is there."""
    folder, name = os.path.split(spot)
    wanted = name
    while not os.path.isdir(folder) and folder != "/":  # noqa: PTH112
        folder, wanted = os.path.split(folder)
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, _MAX_ENTRIES)]
    except OSError:
        return
    for close in difflib.get_close_matches(wanted, names, _MAX_NAMES):
        yield os.path.relpath(os.path.join(folder, close), cwd)  # noqa: PTH118


def _as_printed(place: str, parts: Sequence[str]) -> str | None:
    """Return the file below a directory whose name is printed as these parts; None without one."""
    if not parts:
        return place
    try:
        with os.scandir(place) as entries:
            names = [entry.name for entry in islice(entries, _MAX_ENTRIES)]
    except OSError:
        return None
    alike = (name for name in names if parts[0] in (name, printable(name)))
    found = (_as_printed(os.path.join(place, name), parts[1:]) for name in alike)  # noqa: PTH118
    return next(filter(None, found), None)


def _lines(content: bytes) -> list[str]:
    encoding = next((name for bom, name in _BOMS if content.startswith(bom)), "utf-8-sig")
    lines = content.decode(encoding, "replace").split("\n")
    if lines[-1] == "":
        lines.pop()
    return [plain(line) for line in lines]


def _is_in(place: str, folder: str) -> bool:
    return place == folder or place.startswith(f"{folder.rstrip('/')}/")
