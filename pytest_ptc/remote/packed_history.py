"""The commits of a repository, so that git says on a node what it says here.

All of its history goes along where that fits; else that of what is checked out, of the tasks'
commits and of the branches that they name; else the latest commits of those, as in a shallow clone.
No configuration goes along but what says how files are to be compared, and no hook, remote or name
of a person.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import GitError
from pytest_ptc.remote.code_format import Repository
from pytest_ptc.remote.packed_files import TooLargeError
from pytest_ptc.system.git.command import TooMuchPrintedError, git, git_bytes
from pytest_ptc.system.git.repositories import partial_clone_hint
from pytest_ptc.system.regular_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: How many of the latest commits are sent where not all of them fit; the fewest last.
LATEST = (1_000, 100, 1)
#: Commits between a base and what is compared with it, which are sent with the latest.
MAX_BETWEEN = 5_000
#: Git packs what it has; a repository of more than so many times the room is not tried as a whole.
_AT_MOST_TIMES = 8
_MAX_TEXT_BYTES = 1024 * 1024
#: What the files of a checkout depend on, and what git says of them.
_SETTINGS = (
    r"^(core\.(autocrlf|eol|filemode|ignorecase|precomposeunicode|symlinks|quotepath)"
    r"|diff\.ignoresubmodules|status\.showuntrackedfiles|submodule\..*\.(active|ignore))$"
)
_ALL = ("refs/heads/", "refs/tags/", "refs/remotes/")
_GITLINK = "160000"
_SHA256_CHARS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What tasks need of a repository's history.

    Args:
        commits: Commits in full.
        ranges: Commits that are compared: base, and what is compared with it.
        refs: Full names of refs that tasks name.
    """

    commits: frozenset[str] = frozenset()
    ranges: frozenset[tuple[str, str]] = frozenset()
    refs: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedHistory:
    """A repository that is packed.

    Args:
        repository: It.
        wanted: What tasks need of it.
        commits: How many commits are in it.
        refs: The full names of its refs.
        fewer_refs: How many branches and tags are not in it.
        cut: Whether there are more commits behind those that are in it.
    """

    repository: Repository
    wanted: Wanted
    commits: int
    refs: frozenset[str]
    fewer_refs: int
    cut: bool

    def has(self, top: str, wanted: Wanted) -> bool:
        """Tell whether all that is wanted is in it, at the place where it was packed."""
        if not wanted.refs <= self.refs:
            return False
        missing = {*wanted.commits, *(one for pair in wanted.ranges for one in pair)}
        missing -= {*self.wanted.commits, *(one for pair in self.wanted.ranges for one in pair)}
        if not missing:
            return wanted.ranges <= self.wanted.ranges or not self.cut
        if self.cut:
            return False
        tips = sorted({f"^{at}" for _, at in self.repository.refs})
        asked = _lines([*sorted(missing), *tips])
        return not git(top, "rev-list", "--max-count=1", "--stdin", stdin=asked)

    @property
    def words(self) -> str:
        """Return what a person is told of it."""
        said = "1 commit" if self.commits == 1 else f"{self.commits:,} commits"
        if self.cut:
            said = "the latest commit" if self.commits == 1 else f"the latest {said}"
        if self.fewer_refs:
            said += f" without {self.fewer_refs} branches and tags that no task names"
        return said


def pack_history(top: str, wanted: Wanted, most: int) -> PackedHistory:
    """Pack the history of the repository whose top this is.

    Raises:
        GitError: Git refuses, or has not all of it.
        TooLargeError: Not even the latest commit fits.
    """
    source = _Source(top, wanted)
    if not source.tips and not source.index:
        return source.packed((), b"", (), commits=0, cut=False)
    for packed in source.attempts(most):
        if packed is not None:
            return packed
    raise TooLargeError("too large")


class _Source:
    def __init__(self, top: str, wanted: Wanted) -> None:
        self._top, self._wanted = top, wanted
        self._head = _line(top, "symbolic-ref", "--quiet", "HEAD")
        self._commit = _line(top, "rev-parse", "--verify", "--quiet", "HEAD")
        form = "--format=%(refname)%00%(objectname)%00%(symref)"
        lines = git(top, "for-each-ref", form).splitlines()
        self._refs: dict[str, str] = {}
        self._symrefs: dict[str, str] = {}
        for ref, found, symref in (line.split("\0") for line in lines):
            if ref.startswith(_ALL) or ref in wanted.refs:
                self._refs[ref] = found
                if symref:
                    self._symrefs[ref] = symref
        between = {commit for pair in wanted.ranges for commit in pair}
        self._needed = {*wanted.commits, *between} | ({self._commit} if self._commit else set())
        self.index = git_bytes(top, "ls-files", "--stage", "-z")
        self.tips = {*self._needed, *self._refs.values()}

    @property
    def _objects(self) -> str:
        """Return the hash that objects are named by, as any name shows it."""
        staged = self.index.decode("utf-8", "surrogateescape").split(" ", 2)[1:2]
        name = next(iter((*filter(None, [self._commit]), *staged)), "")
        return "sha256" if len(name) == _SHA256_CHARS else "sha1"

    def attempts(self, most: int) -> Iterable[PackedHistory | None]:
        """Yield what can be sent, the most first, and None for what does not fit."""
        named = {self._head, *self._wanted.refs}
        some = {name: at for name, at in self._refs.items() if name in named}
        # In a partial clone, the latest commit may be all that is there.
        with contextlib.suppress(GitError):
            if _bytes_of(self._top) <= _AT_MOST_TIMES * most:
                yield self._whole(self._refs, most)
            yield self._whole(some, most)
        for count in LATEST:
            try:
                yield self._latest(some, count, most)
            except GitError as error:
                if count == LATEST[-1]:
                    raise GitError(f"{error}{_hint(self._top)}") from error

    def _whole(self, refs: dict[str, str], most: int) -> PackedHistory | None:
        tips = sorted({*self._needed, *refs.values()})
        words = ("pack-objects", "--revs", "--indexed-objects", "--stdout", "-q")
        try:
            pack = git_bytes(self._top, *words, stdin=_lines(tips), most=most)
        except TooMuchPrintedError:
            return None
        count = 0
        if tips:
            count = int(git(self._top, "rev-list", "--count", "--stdin", stdin=_lines(tips)))
        shallow = self._shallow()
        return self.packed(refs, pack, shallow, commits=count, cut=bool(shallow))

    def _latest(self, refs: dict[str, str], count: int, most: int) -> PackedHistory | None:
        """Pack the latest commits and those between what is compared; with all their files."""
        starts = sorted({*self._needed, *refs.values()})
        chosen = set(self._commits(starts, count)) | set(self._peeled(starts))
        for base, ref in sorted(self._wanted.ranges):
            with contextlib.suppress(GitError):  # two histories
                chosen |= set(git(self._top, "merge-base", "--all", base, ref).split())
            chosen |= set(self._commits([base, ref, f"^{base}"], MAX_BETWEEN))
            chosen |= set(self._commits([base, ref, f"^{ref}"], MAX_BETWEEN))
        tags = {at for at in refs.values() if at not in chosen}
        asked = _lines(sorted({*chosen, *tags}))
        listed = git_bytes(self._top, "rev-list", "--objects", "--no-walk", "--stdin", stdin=asked)
        staged = {entry.split()[1] for entry in self._staged()}
        words = ("pack-objects", "--stdout", "-q")
        try:
            pack = git_bytes(self._top, *words, stdin=listed + _lines(sorted(staged)), most=most)
        except TooMuchPrintedError:
            return None
        parents = git(self._top, "rev-list", "--parents", "--no-walk", "--stdin", stdin=asked)
        cut = []
        for line in parents.splitlines():
            commit, *before = line.split()
            if not chosen.issuperset(before):
                cut.append(commit)
        shallow = sorted({*cut, *(one for one in self._shallow() if one in chosen)})
        return self.packed(refs, pack, shallow, commits=len(chosen), cut=bool(cut))

    def _commits(self, starts: Sequence[str], count: int) -> list[str]:
        words = ("rev-list", f"--max-count={count}", "--stdin")
        return git(self._top, *words, stdin=_lines(starts)).split()

    def _peeled(self, names: Sequence[str]) -> list[str]:
        words = ("rev-list", "--no-walk", "--stdin")
        return git(self._top, *words, stdin=_lines(names)).split()

    def _staged(self) -> list[str]:
        entries = self.index.decode("utf-8", "surrogateescape").split("\0")
        return [entry for entry in entries if entry and not entry.startswith(_GITLINK)]

    def _shallow(self) -> list[str]:
        text = self._own_file("shallow")
        return text.decode("ascii", "replace").split()

    def _own_file(self, name: str) -> bytes:
        path = _line(self._top, "rev-parse", "--git-path", name)
        try:
            return read_regular(Path(self._top, path), _MAX_TEXT_BYTES)
        except OSError:
            return b""

    def packed(
        self,
        refs: Iterable[str],
        pack: bytes,
        shallow: Sequence[str],
        *,
        commits: int,
        cut: bool,
    ) -> PackedHistory:
        """Return the repository with these refs and objects."""
        kept = frozenset(refs)
        return PackedHistory(
            repository=self._described(kept, pack, shallow),
            wanted=self._wanted,
            commits=commits,
            refs=kept,
            fewer_refs=len(self._refs) - len(kept),
            cut=cut,
        )

    def _described(self, refs: frozenset[str], pack: bytes, shallow: Sequence[str]) -> Repository:
        flags = _flags(self._top) if self.index else {}
        assumed = {name for name, flag in flags.items() if flag.islower()}
        # What a filter of this machine has made is no change, and no filter is run there.
        assumed |= set(_filtered(self._top)) if self.index else set()
        links = {ref: to for ref, to in self._symrefs.items() if ref in refs and to in refs}
        return Repository(
            objects=self._objects,
            head=_bytes(self._head or self._commit),
            refs=[(_bytes(ref), self._refs[ref]) for ref in sorted(refs) if ref not in links],
            symrefs=[(_bytes(ref), _bytes(to)) for ref, to in sorted(links.items())],
            pack=pack,
            shallow=list(shallow),
            index=self.index,
            intended=_intended(self._top) if self.index else [],
            skipped=[_bytes(name) for name, flag in sorted(flags.items()) if flag in "Ss"],
            assumed=[_bytes(name) for name in sorted(assumed)],
            settings=_settings(self._top),
            exclude=_users_ignores(self._top) + self._own_file("info/exclude"),
            attributes=self._own_file("info/attributes"),
        )


def gitlinks(top: str, commits: Iterable[str]) -> dict[str, set[str]]:
    """Return the commits at which these commits have their submodules, by the submodules' paths."""
    found: dict[str, set[str]] = {}
    for commit in commits:
        with contextlib.suppress(GitError):
            for entry in git(top, "ls-tree", "-r", "-z", "--full-tree", commit).split("\0"):
                mode, _, path = entry.partition("\t")
                if mode.startswith(_GITLINK):
                    found.setdefault(path, set()).add(mode.split(" ")[2])
    return found


def have(top: str, commits: Iterable[str]) -> frozenset[str]:
    """Return which of these commits a repository has."""
    asked = sorted(commits)
    if not asked:
        return frozenset()
    lines = git(top, "cat-file", "--batch-check", stdin=_lines(asked)).splitlines()
    return frozenset(line.split(" ")[0] for line in lines if line.split(" ")[1] == "commit")


def _line(top: str, *words: str) -> str:
    """Return the line that git prints; empty where it has none."""
    try:
        return git(top, *words).removesuffix("\n")
    except GitError:
        return ""


def _lines(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode("ascii")


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _bytes_of(top: str) -> int:
    """Return how many bytes a repository's objects have on disk."""
    told = git(top, "count-objects", "-v")
    found = dict(re.findall(r"^(size|size-pack): (\d+)$", told, re.MULTILINE))
    return 1024 * sum(map(int, found.values()))


def _hint(top: str) -> str:
    return partial_clone_hint(Path(top, _line(top, "rev-parse", "--git-path", "objects")))


def _flags(top: str) -> dict[str, str]:
    """Return git's letter for each file of the index that is looked at in another way."""
    entries = (entry.partition(" ") for entry in git(top, "ls-files", "-v", "-z").split("\0"))
    return {name: flag for flag, _, name in entries if flag and (flag == "S" or flag.islower())}


def _intended(top: str) -> list[bytes]:
    words = ("diff", "--name-only", "--diff-filter=A", "--no-renames", "-z")
    return sorted(filter(None, git_bytes(top, *words).split(b"\0")))


def _filtered(top: str) -> Iterable[str]:
    """Yield the files of the index for which this machine has a filter, as of Git LFS."""
    found = _line(top, "config", "-z", "--name-only", "--get-regexp", r"^filter\.").split("\0")
    filters = {name[len("filter.") :].rpartition(".")[0] for name in found if name}
    if not filters:
        return
    names = git_bytes(top, "ls-files", "-z")
    fields = git(top, "check-attr", "-z", "--stdin", "filter", stdin=names).split("\0")
    for name, value in zip(fields[::3], fields[2::3], strict=False):
        if value in filters:
            yield name


def _settings(top: str) -> list[tuple[str, str]]:
    entries = _line(top, "config", "-z", "--get-regexp", _SETTINGS).split("\0")
    pairs = (entry.partition("\n") for entry in entries if entry)
    # The last one counts, and a key without a value is true.
    return sorted({key: value if cut else "true" for key, cut, value in pairs}.items())


def _users_ignores(top: str) -> bytes:
    """Return what the user ignores everywhere."""
    named = _line(top, "config", "--type=path", "core.excludesFile")
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    place = named or f"{home}/git/ignore"
    try:
        text = read_regular(Path(os.path.realpath(os.path.join(top, place))), _MAX_TEXT_BYTES)
    except OSError:
        return b""
    return text.removesuffix(b"\n") + b"\n" if text else b""
