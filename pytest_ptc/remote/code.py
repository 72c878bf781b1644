"""What of pytest's machine is sent to nodes: the directories of tasks, as git would take them.

One `Code` for a run. It is asked for the directories of tasks before those are submitted, and packs
each with its files and its history. That is a snapshot: what is edited later is sent with the tasks
that are submitted later, and those at work have what they began with.

    code = Code(rootpath, max_mb=settings.dask_max_code, ours=lists.ours)
    for sent in code.take(specs):  # new ones; blocks: files are read, git is run
        header(sent.lines)
    sent = code.of(spec.cwd)  # what a node must have before it does this task
    sent.key, sent.blob  # send the bytes where a node does not have the key yet
    PathMap(code.pairs({sent.key: place}))  # `place` is where `sent_code.unpack` has laid it down

What is taken: tracked files, and untracked ones that are not ignored; without git all but what
tools have made. Submodules and repositories in a tree go along as repositories. A link that leads
out of its directory is left out, and said so in `Sent.notes`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_ptc.inputs.named_files import candidates, refs_named, short_names, texts_of
from pytest_ptc.model.errors import ConfigError, GitError
from pytest_ptc.remote.packed_files import TooLargeError
from pytest_ptc.remote.packed_history import Wanted
from pytest_ptc.remote.packing import Packing
from pytest_ptc.system.git.command import git
from pytest_ptc.system.git.repositories import repository_top

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.remote.packed_history import PackedHistory

_KB, _MB = 1_000, 1_000_000
#: Names in a message.
_MAX_NAMES = 5
#: Characters of a text that are taken apart at once: so few have no more words than may be.
_PIECE_CHARS = 16_000


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A directory that is sent.

    Args:
        top: Where it is on pytest's machine; a real path.
        key: What is the same for the same content.
        blob: It, for `sent_code.unpack`.
        files: How many files it has, links too.
        names: The names of files and links from the top, also those of repositories in it.
        folders: The names of directories.
        histories: The commits of the repositories in it, by their tops; its own is first.
        state: What is another one after every change of it.
        notes: What is left out, a line each.
    """

    top: str
    key: str
    blob: bytes
    files: int
    names: frozenset[str]
    folders: frozenset[str]
    histories: Mapping[str, PackedHistory] = field(default_factory=dict)
    state: str = ""
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Sent {self.top} {self.key} {self.files} files>"

    def covers(self, path: str) -> bool:
        """Tell whether a path, links followed, is a file that is sent or a directory of some."""
        name = self.within(path)
        return name is not None and (name == "." or name in self.names or name in self.folders)

    def within(self, path: str) -> str | None:
        """Return an absolute path relative to the top; None where it is not below it."""
        if path != self.top and not path.startswith(f"{self.top}/"):
            return None
        return os.path.relpath(path, self.top)

    @property
    def summary(self) -> str:
        """Return the line of it in the run's header."""
        files = "1 file" if self.files == 1 else f"{self.files:,} files"
        inner = len(self.histories) - (self.top in self.histories)
        parts = [one.words for top, one in self.histories.items() if top == self.top]
        if inner:
            parts.append("1 repository in it" if inner == 1 else f"{inner} repositories in it")
        if self.notes:
            parts.append(f"{len(self.notes)} left out")
        more = f" ({'; '.join(parts)})" if parts else ""
        return f"sent {files}, {size(len(self.blob))} of {self.top}{more}"

    @property
    def lines(self) -> list[str]:
        """Return what a person is told of it, what is left out by name."""
        left_out = [f"not sent: {note}" for note in self.notes[:_MAX_NAMES]]
        more = len(self.notes) - len(left_out)
        return [self.summary, *left_out, *([f"not sent: {more} more"] if more > 0 else [])]


class Code:
    """The directories of a run's tasks, packed.

    Args:
        root: Pytest's root directory, which is sent first.
        max_mb: How many megabytes they may come to, packed, in all.
        ours: Tells whether a path is one that this run writes itself.
    """

    def __init__(
        self, root: Path | str, *, max_mb: int, ours: Callable[[str], bool] = lambda _: False
    ) -> None:
        self._max_mb = max_mb
        self._ours = ours
        self.root_given = os.path.abspath(root)
        self.root = os.path.realpath(root)
        self._wanted: dict[str, Wanted] = {}
        #: The latest that was packed, by top.
        self._sent: dict[str, Sent] = {}
        #: The directories that `take` has packed when they had been before.
        self.sent_again: frozenset[str] = frozenset()
        self._of_cwd: dict[str, str] = {}
        #: The directories of tasks as these name them; some may be links.
        self._given: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"<Code {[sent.top for sent in self.all]}>"

    @property
    def all(self) -> list[Sent]:
        """Return all that is sent: of each directory, the latest."""
        return list(self._sent.values())

    def take(self, specs: Sequence[TaskSpec] = ()) -> list[Sent]:
        """Pack what these tasks need and what is not packed yet as it is now, and return that.

        Raises:
            ConfigError: It is too large, or a task's directory is one that is not sent.
            PtcError: Git refuses, or something cannot be read.
        """
        places = [(None, self.root), *((spec, os.path.realpath(spec.cwd)) for spec in specs)]
        self._want(specs)
        before = set(self._sent)
        new: dict[str, Sent] = {}
        checked: set[str] = set()
        for spec, place in places:
            sent = self._holder(place)
            # In a worktree of its own there is nothing of what is edited.
            in_place = spec is not None and spec.isolation is None
            if sent is not None and in_place and sent.top not in {*new, *checked}:
                checked.add(sent.top)
                if _state(sent.top, self._ours) != sent.state:
                    new[sent.top] = sent = self._pack(sent.top)
            if sent is None or not self._suffices(sent, place):
                top = sent.top if sent is not None else _top(place)
                new[top] = sent = self._pack(top)
            if spec is not None and spec.isolation is None and not sent.covers(place):
                raise ConfigError(
                    f"{spec.nodeid}: cwd: {spec.cwd} is not sent to nodes, as git ignores it; have "
                    "git take what is in it, or say ptc_dask_code=shared where nodes see this disk"
                )
            self._of_cwd[place] = sent.top
            if spec is not None:
                self._given[os.path.abspath(spec.cwd)] = None
        self.sent_again = frozenset(before & new.keys())
        return list(new.values())

    def of(self, cwd: str) -> Sent:
        """Return what has a task's directory; the task was taken."""
        return self._sent[self._of_cwd[os.path.realpath(cwd)]]

    def at_root(self) -> Sent:
        """Return what has pytest's root directory; it was taken."""
        return self._sent[self._of_cwd[self.root]]

    def pairs(self, places: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return what stands where on a node, for a `PathMap`; tasks may name a place by a link.

        Args:
            places: Where the node has what is sent, by its key.
        """
        found: dict[str, str] = {}
        for sent in self.all:
            if sent.key in places:
                found[sent.top] = places[sent.key]
        for given in (self.root_given, *self._given):
            real = os.path.realpath(given)
            for top in sorted(found, key=len, reverse=True):
                if real == top or real.startswith(f"{top}/"):
                    place = os.path.normpath(f"{found[top]}/{os.path.relpath(real, top)}")
                    if given != real:
                        found.setdefault(given, place)
                    break
        return list(found.items())

    # What is wanted.

    def _want(self, specs: Sequence[TaskSpec]) -> None:
        """Note what tasks need of the histories of their repositories."""
        #: Each repository's branches and tags by all their names, and what is checked out.
        known: dict[str, tuple[dict[str, dict[str, str]], str]] = {}
        tops: dict[str, str | None] = {}
        for spec in specs:
            if spec.cwd not in tops:
                top = repository_top(os.path.realpath(spec.cwd))
                tops[spec.cwd] = None if top is None else str(top)
            place = tops[spec.cwd]
            if place is None:
                continue
            if place not in known:
                known[place] = (_refs(place), _head(place))
            names, head = known[place]
            compared = spec.ref or head
            texts = (spec.prompt, *texts_of(dict(spec.params)))
            words = (word for text in texts for word in all_words(text))
            self._add(
                place,
                Wanted(
                    commits=frozenset(filter(None, (spec.ref, spec.base))),
                    ranges=frozenset({(spec.base, compared)} if spec.base and compared else ()),
                    refs=frozenset(refs_named(words, names)),
                ),
            )

    def _add(self, top: str, more: Wanted) -> None:
        known = self._wanted.get(top, Wanted())
        if more == Wanted() and top in self._wanted:
            return
        self._wanted[top] = Wanted(
            commits=known.commits | more.commits,
            ranges=known.ranges | more.ranges,
            refs=known.refs | more.refs,
        )

    def _holder(self, place: str) -> Sent | None:
        """Return the sent directory that a place is in: the innermost that has it."""
        around = [sent for sent in self.all if sent.within(place) is not None]
        known = [sent for sent in around if sent.covers(place)]
        if known:
            return max(known, key=lambda sent: len(sent.top))
        # A repository that another one ignores is sent by itself.
        own = _top(place)
        return next((sent for sent in around if own == sent.top or own in sent.histories), None)

    def _suffices(self, sent: Sent, place: str) -> bool:
        top = repository_top(place)
        if top is None or (wanted := self._wanted.get(str(top))) is None:
            return True
        history = sent.histories.get(str(top))
        return history is None or history.has(str(top), wanted)

    # Packing.

    def _pack(self, top: str) -> Sent:
        if top == "/":
            raise ConfigError(
                "the root directory of all files cannot be sent to nodes; run pytest in the "
                "project's own directory, or say ptc_dask_code=shared"
            )
        others = sum(len(sent.blob) for sent in self.all if sent.top != top)
        made = Packing(top, self._max_mb * _MB - others, self._wanted, self._ours)
        # Before it is packed: what changes in the meantime is another state.
        state = _state(top, self._ours)
        try:
            directory = made.directory(top, 0)
        except TooLargeError as error:
            raise ConfigError(self._too_large(top, error.sizes or made.sizes)) from error
        self._sent[top] = sent = Sent(
            top=top,
            key=directory.key,
            blob=directory.to_bytes(),
            files=len(made.names),
            names=frozenset(made.names),
            folders=frozenset(_parents({*made.names, *made.folders}) | made.folders),
            histories=dict(sorted(made.histories.items())),
            state=state,
            notes=tuple(made.notes),
        )
        return sent

    def _too_large(self, top: str, sizes: Mapping[str, int]) -> str:
        largest = sorted(sizes.items(), key=lambda pair: -pair[1])[:_MAX_NAMES]
        named = ", ".join(f"{name} ({size(count)})" for name, count in largest)
        others = [sent.top for sent in self.all if sent.top != top]
        beside = f", beside {', '.join(others)}" if others else ""
        return (
            f"{top} does not fit into the {self._max_mb} MB that are sent to nodes{beside}: its "
            f"files are {size(sum(sizes.values()))}, and git's commits come on top; raise "
            "ptc_dask_max_code, have git ignore what no task needs, or say ptc_dask_code=shared "
            f"where nodes see this disk; its largest files: {named}"
        )


def all_words(text: str) -> Iterator[str]:
    """Yield all that could be a path, a pattern or a branch in a text of any length.

    A prompt may hold a whole file. Some come more than once.
    """
    start = 0
    while start < len(text):
        end = start + _PIECE_CHARS
        if end < len(text):
            # Between lines, or else at a blank: what is longer than a piece is no path.
            places = (text.rfind(sign, start + 1, end) for sign in "\n ")
            end = next((at + 1 for at in places if at > 0), end)
        yield from candidates([text[start:end]])
        start = end


def size(count: int) -> str:
    """Return a number of bytes as people say it."""
    if count < _KB:
        return f"{count} bytes"
    return f"{count / _KB:.0f} kB" if count < _MB else f"{count / _MB:.1f} MB"


def _state(top: str, ours: Callable[[str], bool]) -> str:
    return Packing(top, 0, {}, ours).state(top)


def _top(place: str) -> str:
    """Return what is sent for a place: its repository, or itself."""
    return str(repository_top(place) or place)


def _refs(top: str) -> dict[str, dict[str, str]]:
    """Return what each name that git takes for a branch or tag may mean."""
    lines = git(top, "for-each-ref", "--format=%(objectname) %(refname)").splitlines()
    pairs = (line.partition(" ") for line in lines)
    return short_names({name: commit for commit, _, name in pairs})


def _head(top: str) -> str:
    try:
        return git(top, "rev-parse", "--verify", "--quiet", "HEAD").strip()
    except GitError:
        return ""


def _parents(names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        place = os.path.dirname(name)
        while place and place not in found:
            found.add(place)
            place = os.path.dirname(place)
    return found
