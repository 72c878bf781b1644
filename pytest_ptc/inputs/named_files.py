"""Files that the words of a task name, and that its repository's content does not have.

Words only ever add: what git tracks, or would take, counts whether a word names it or not. A word
may name an ignored file, one outside of the repository, a directory or a pattern of such, or a
branch or tag, which the agent can look at though no file changes with it.

Every step is linear in the length of the text: a prompt may hold what somebody else has written.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pytest_ptc.inputs.disk import Seen, TooMuchError, below, combined
from pytest_ptc.inputs.trees import through
from pytest_ptc.system.patterns import MADE_BY_TOOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_ptc.inputs.disk import Disk
    from pytest_ptc.inputs.trees import Tree

#: Most files that the words of one task name, and most words that are looked at.
MAX_NAMED = 2_000
MAX_WORDS = 20_000
#: Most patterns of one task.
MAX_PATTERNS = 100
#: Most files that are come across below one directory that a word or a pattern names.
MAX_WALKED = 20_000
#: Longest path that Linux and macOS take, in characters.
_MAX_PATH_CHARS = 4_096
_MAX_LINE_CHARS = 255

_WORD = re.compile(r"[^\s\"'`<>|,;(){}]+")
_QUOTES = "\"'`"
#: What may stand around a path without being of it, as in `[x.py],` or `**x.py**!`
_AROUND = ".,:;!?()[]{}*_#@&$%^~-+=<>|/\\"
_BEHIND = ".,:;!?)]}*_"
_IN_FRONT = "([{*_@-+"
_SPLIT = re.compile(r"[=:#@?&]")
#: What stands between and behind the names of refs, as in `main...HEAD~2:src/a.py`.
_IN_REVISIONS = re.compile(r"\.\.\.?|[~^@:]")


def texts_of(value: object) -> Iterator[str]:
    """Yield every text in a JSON value, the names in its objects too."""
    waiting = [value]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            waiting += [*entry, *entry.values()]
        elif isinstance(entry, list | tuple):
            waiting += entry


def candidates(texts: Iterable[str]) -> list[str]:
    """Return all that could be a path, a pattern or a branch in texts, each once.

    Raises:
        TooMuchError: There are more than `MAX_WORDS`.
    """
    found: dict[str, None] = {}
    for text in texts:
        for word in (*_lines(text), *(match[0] for match in _WORD.finditer(text))):
            for form in _forms(word):
                found[form] = None
            if len(found) > MAX_WORDS:
                raise TooMuchError(f"more than {MAX_WORDS} words")
    return list(found)


def _lines(text: str) -> Iterator[str]:
    """Yield whole lines, and what is between quotes: names may hold blanks and any other sign."""
    if len(text) <= _MAX_LINE_CHARS:
        yield text
    for line in text.splitlines():
        if len(line) > _MAX_LINE_CHARS:
            continue
        yield line.strip().lstrip("-*+ ").rstrip(_BEHIND)
        for quote in _QUOTES:
            if quote in line:
                yield from line.split(quote)[1:]


def _forms(word: str) -> Iterator[str]:
    """Yield a word as it stands, without the signs around it, and in its parts."""
    if len(word) > _MAX_PATH_CHARS or "\0" in word or not word.strip(_AROUND):
        return
    word = word.removeprefix("file://")
    bare = word.rstrip(_BEHIND).lstrip(_IN_FRONT)
    yield from (form for form in dict.fromkeys((word, word.rstrip(_BEHIND), bare)) if form)
    for part in _SPLIT.split(bare):
        if part != bare and part.strip(_AROUND):
            yield part


def named(
    words: Sequence[str],
    *,
    cwd: str,
    bases: Sequence[str],
    disk: Disk,
    tree: Tree | None,
    ours: Callable[[str], bool],
    exists: dict[str, bool],
) -> dict[str, Seen | None]:
    """Return what lies at the paths that words name, without what the tree has anyway.

    Args:
        words: From `candidates`.
        cwd: The agent's directory; itself, and what it lies in, is no name.
        bases: The directories that names may be relative to; none for absolute names alone.
        disk: What reads files.
        tree: The content of the repository.
        ours: Tells whether a path is one that this run writes itself.
        exists: What is known of which paths there are; tasks that are looked at together share it.

    Raises:
        PtcError: Something cannot be read, or there is too much.
    """
    look = _Look(cwd, disk, tree, ours)
    look.directory()
    patterns = 0
    for word in words:
        for path in _paths(word, bases):
            if path not in exists:
                exists[path] = os.path.lexists(path)
            if exists[path]:
                look.at(path)
        if any(sign in word for sign in "*?["):
            patterns += 1
            if patterns > MAX_PATTERNS:
                raise TooMuchError(f"a prompt or parameter with more than {MAX_PATTERNS} patterns")
            for base in bases if not os.path.isabs(word) else ("/",):
                look.matching(base, word.lstrip("/"))
    return look.found


def _paths(word: str, bases: Sequence[str]) -> Iterator[str]:
    home = os.path.expanduser(word) if word.startswith("~") else word
    if os.path.isabs(home):
        yield os.path.normpath(home)
        word = word.lstrip("/")
        # `/src/a.py` may be meant from the top of the repository.
    for base in bases:
        yield os.path.normpath(f"{base}/{word}")


class _Look:
    """One look at all that a task names."""

    def __init__(
        self, cwd: str, disk: Disk, tree: Tree | None, ours: Callable[[str], bool]
    ) -> None:
        self.found: dict[str, Seen | None] = {}
        self._cwd = os.path.realpath(cwd)
        self._disk, self._tree, self._ours = disk, tree, ours
        self._looked: set[str] = set()
        self._walked: dict[str, list[str]] = {}

    def directory(self) -> None:
        """Look at the agent's directory itself where git ignores it: the task has named it."""
        if self._tree is not None and not self._tree.covers(self._cwd):
            for inside in self._walk(self._cwd):
                self._add(inside)

    def at(self, path: str) -> None:
        """Look at a path, and if it is a directory, at all below it."""
        if path in self._looked:
            return
        self._looked.add(path)
        real = os.path.realpath(path)
        if os.path.isdir(real):
            if self._cwd == real or self._cwd.startswith(f"{real.rstrip('/')}/"):
                return  # the directory in which the agent is: what git takes of it counts
            self._put(path, Seen("directory", b""))
            for inside in self._walk(real):
                self._add(inside)
        else:
            self._add(path)

    def matching(self, base: str, pattern: str) -> None:
        """Look at all files that match a pattern from a directory."""
        fixed: list[str] = []
        parts = [part for part in pattern.split("/") if part not in ("", ".")]
        while parts and not any(sign in parts[0] for sign in "*?["):
            fixed.append(parts.pop(0))
        folder = os.path.normpath("/".join([base, *fixed]))
        if not parts or folder == "/" or not os.path.isdir(folder):
            return
        for path in self._walk(os.path.realpath(folder)):
            inside = os.path.relpath(path, os.path.realpath(folder)).split("/")
            if matches(inside, parts):
                self._add(path)

    def _walk(self, folder: str) -> list[str]:
        if folder not in self._walked:
            # A pattern or directory does not mean what tools have put there, unless it says so.
            leave = MADE_BY_TOOLS - set(folder.split("/"))
            self._walked[folder] = list(below(folder, MAX_WALKED, leave | {".git"}))
        return self._walked[folder]

    def _add(self, path: str) -> None:
        real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if self._ours(real) or (self._tree is not None and self._tree.covers(real)):
            return
        self._put(path, through(path, self._disk, self._tree))

    def _put(self, path: str, seen: Seen | None) -> None:
        top = "" if self._tree is None else f"{self._tree.top.rstrip('/')}/"
        self.found[path.removeprefix(top) if top else path] = seen
        if len(self.found) > MAX_NAMED:
            raise TooMuchError(f"a prompt or parameter that names more than {MAX_NAMED} files")


def matches(names: Sequence[str], parts: Sequence[str]) -> bool:
    """Tell whether a path matches a pattern; `**` stands for any directories, and for none.

    A pattern of any length takes time in proportion to its length times the path's.
    """
    reached = {0}
    for name in [*names, None]:
        for place in sorted(reached):
            # Any number of `**` may stand for nothing.
            end = place
            while end < len(parts) and parts[end] == "**":
                end += 1
                reached.add(end)
        if name is None:
            # A directory that matches stands for all below it.
            return len(parts) in reached
        after = set()
        for place in reached:
            if place == len(parts):
                return True
            if parts[place] == "**":
                after.add(place)
            elif fits(name, parts[place]):
                after.add(place + 1)
        reached = after
        if not reached:
            return False
    return False


def fits(name: str, pattern: str) -> bool:
    """Tell whether one name matches one part of a pattern; `[` is taken for any one character.

    Rather a file too many than one too few: classes of characters are not looked into.
    """
    signs: list[str | None] = []
    place = 0
    while place < len(pattern):
        sign = pattern[place]
        if sign == "[" and (end := pattern.find("]", place + 2)) > 0:
            signs.append(None)
            place = end
        else:
            signs.append(None if sign == "?" else sign)
        place += 1
    # The greedy match with one step back, which is enough for `*`.
    at, star, star_at, here = 0, -1, 0, 0
    while here < len(name):
        if at < len(signs) and signs[at] == "*":
            star, star_at = at, here
            at += 1
        elif at < len(signs) and signs[at] in (None, name[here]):
            at, here = at + 1, here + 1
        elif star >= 0:
            star_at += 1
            at, here = star + 1, star_at
        else:
            return False
    return all(sign == "*" for sign in signs[at:])


def short_names(refs: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return what each name that git takes for a ref may mean: full names, and what they are at.

    Args:
        refs: Objects by the full names of refs.
    """
    found: dict[str, dict[str, str]] = {}
    for name, at in refs.items():
        for prefix in ("", "refs/", "refs/heads/", "refs/tags/", "refs/remotes/"):
            if name.startswith(prefix):
                found.setdefault(name.removeprefix(prefix), {})[name] = at
    return found


def refs_named(words: Iterable[str], names: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the branches and tags that words name, with what they are at.

    Args:
        words: From `candidates`.
        names: From `short_names`.
    """
    found: dict[str, str] = {}
    for word in words:
        for part in _IN_REVISIONS.split(word):
            found |= names.get(part, {})
    return found


def digest(seen: Mapping[str, Seen | None]) -> tuple[str, str]:
    """Return the hashes of what was found and of its stats."""
    texts = [
        f"{path!r} {'absent' if found is None else found.text}" for path, found in seen.items()
    ]
    stats = [f"{path!r} {found.stat.hex() if found else ''}" for path, found in seen.items()]
    return combined(sorted(texts)), combined(sorted(stats))
