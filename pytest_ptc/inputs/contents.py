"""What an attempt could see on disk, taken when it begins and again when it has ended.

One service for a run. A look at a repository serves every task that is about it: an attempt begins
with the latest that was finished before it began, and ends with the first that was begun after it
had ended, which it shares with all others that have ended meanwhile. The looks are taken in a
thread, one at a time; only what is new since the last look is read.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.inputs.disk import Disk, combined
from pytest_ptc.inputs.named_files import (
    candidates,
    digest,
    named,
    refs_named,
    short_names,
    texts_of,
)
from pytest_ptc.inputs.trees import Trees, toplevel
from pytest_ptc.model.content import Content
from pytest_ptc.model.errors import GitError, PtcError
from pytest_ptc.system.git.command import git
from pytest_ptc.system.git.repositories import repository_top
from pytest_ptc.system.regular_files import read_regular
from pytest_ptc.text.strict_json import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_ptc.inputs.agent_files import AgentFiles
    from pytest_ptc.inputs.disk import Seen
    from pytest_ptc.inputs.trees import Tree
    from pytest_ptc.model.task import TaskSpec

#: Most lists of files that are kept for a run, so that what has changed can be named later.
MAX_LISTS = 60
MAX_LIST_BYTES = 64 * 1024**2
#: Seconds that the last look may take when the run is over.
LAST_LOOK_TIMEOUT_S = 25.0
#: The thread rests for this share of the time that a look took, so that many short attempts share.
_REST_SHARE = 2.0
_MAX_REST_S = 1.0

LISTS = "contents"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    """What there is to look at for a task; made once.

    Args:
        spec: The task.
        words: What may name files, branches and tags.
        bases: The directories that they may be relative to.
        names_refs: Whether some of them do name branches or tags.
        problem: Why it cannot be looked at.
    """

    spec: TaskSpec
    words: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    names_refs: bool = False
    problem: str | None = None


@dataclass(kw_only=True, slots=True)
class _Look:
    """One look at the disk, in which each thing is looked at once."""

    tops: dict[str, str] = field(default_factory=dict)
    trees: dict[str, Tree] = field(default_factory=dict)
    refs: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    problems: dict[str, PtcError] = field(default_factory=dict)
    exists: dict[str, bool] = field(default_factory=dict)
    agent: _Agent | None = None


class _Agent(NamedTuple):
    """What was found of an agent: its files, their hashes, and the repositories they lie in."""

    files: Mapping[str, str]
    hash: str
    stat: str
    trees: Mapping[str, Tree]


class Contents:
    """Takes the contents of tasks for one run.

    Args:
        agent: The agent's files.
        rootpath: Pytest's root directory.
        more_words: What the agent's program and settings name besides: files, for every task.
        ours: Tells whether a real path is one that this run writes itself.
        tell: Takes each attempt's name and what its agent could see at its end.
        folder: Where lists of files are kept; None for nowhere.
        snapshot: Whether agents see what there was when their tasks were taken, whatever is changed
            since: as where other machines have a copy of it.
    """

    def __init__(
        self,
        *,
        agent: AgentFiles,
        rootpath: str,
        more_words: Iterable[str] = (),
        ours: Callable[[str], bool] = lambda _: False,
        tell: Callable[[str, Content], None] = lambda *_: None,
        folder: Path | None = None,
        snapshot: bool = False,
    ) -> None:
        self._agent = agent
        self._rootpath = os.path.realpath(rootpath)
        self._more = tuple(more_words)
        self._ours, self._tell, self._folder = ours, tell, folder
        self._disk = Disk()
        self._trees = Trees(self._disk, ours)
        self._tasks: dict[str, _Task] = {}
        self._latest: dict[str, Content] = {}
        self._taken: dict[str, Content] = {}
        self._snapshot = snapshot
        self._lists: dict[str, Mapping[str, str]] = {}
        #: One look at a time, whoever takes it.
        self._looking = threading.Lock()
        #: Attempts that are on, attempts that have ended and are to be looked at: their tasks.
        self._change = threading.Condition()
        self._open: dict[str, str] = {}
        self._ended: dict[str, str] = {}
        self._closing = self._closed = False
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<Contents of {len(self._tasks)} tasks, {len(self._ended)} to look at>"

    def add_agent(self, files: AgentFiles, words: Iterable[str] = ()) -> None:
        """Take the files of another agent of the run, and what its program names, for all tasks."""
        with self._looking:
            self._agent = self._agent.plus(files)
            self._more = (*self._more, *words)

    def take(self, specs: Sequence[TaskSpec]) -> dict[str, Content]:
        """Look now, and return what the agents of these tasks could see, by their node ids."""
        with self._looking:
            look = _Look()
            for spec in specs:
                self._tasks[spec.nodeid] = self._task(spec, look)
            taken = self._take([spec.nodeid for spec in specs], look)
            self._taken.update(taken)
            return taken

    def doubt(self, before: Mapping[str, Content], again: Iterable[str] = ()) -> None:
        """Take what tasks were sent with, by their node ids: what differs now is not proven.

        What was packed between two looks is what both of them saw, if that is the same.

        Args:
            before: What was seen before the tasks were sent.
            again: Directories that have changed, and that earlier tasks may find in either state.
        """
        for nodeid, content in before.items():
            if content != self._taken[nodeid]:
                self._taken[nodeid] = Content(problem="it changed while it was sent to nodes")
        for top in again:
            for nodeid in self._taken.keys() - before.keys():
                place = os.path.realpath(self._tasks[nodeid].spec.cwd)
                if place == top or place.startswith(f"{top}/"):
                    problem = "it changed, and was sent to nodes again, while the task was there"
                    self._taken[nodeid] = Content(problem=problem)

    def began(self, attempt: str, spec: TaskSpec) -> Content | None:
        """Return what an attempt that begins now could see, by the latest look; never waits."""
        looks = self._taken if self._snapshot else self._latest
        content = looks.get(spec.nodeid)
        if content is None:
            return None
        if content.problem is None:
            with self._change:
                self._open[attempt] = spec.nodeid
        return content

    def ended(self, attempt: str) -> None:
        """Have what an attempt could see at its end looked at, and told; never waits."""
        with self._change:
            nodeid = self._open.pop(attempt, None)
            if nodeid is None or self._closing:
                return
            self._ended[attempt] = nodeid
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ptc-contents", daemon=True)
                self._thread.start()
            self._change.notify_all()

    def entries(self, hashed: str) -> Mapping[str, str] | None:
        """Return the list of files whose hash this is, if it was taken in this run."""
        return self._lists.get(hashed)

    def close(self) -> None:
        """Take the looks that are still to be taken; may be called again."""
        with self._change:
            self._closing = True
            self._change.notify_all()
            thread = self._thread
        if thread is not None:
            # What is not told by then, as where a file system hangs, is not proven.
            thread.join(LAST_LOOK_TIMEOUT_S)
        with self._change:
            self._closed = True

    # The thread.

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._ended or self._closing)
                ended, self._ended = self._ended, {}
                if not ended:
                    return
            before = time.monotonic()
            with self._looking:
                contents = self._take(list(dict.fromkeys(ended.values())), _Look())
            with self._change:
                for attempt, nodeid in ended.items() if not self._closed else ():
                    self._tell(attempt, contents[nodeid])
                rest = min(_REST_SHARE * (time.monotonic() - before), _MAX_REST_S)
                self._change.wait_for(lambda: self._closing, rest)

    # A look.

    def _task(self, spec: TaskSpec, look: _Look) -> _Task:
        try:
            words = candidates([spec.prompt, *texts_of(dict(spec.params)), *self._more])
            top = self._top(spec.cwd, look)
            names_refs = bool(refs_named(words, self._refs(top, look)))
        except PtcError as error:
            return _Task(spec=spec, problem=str(error))
        # In a worktree of its own, only an absolute name leads out of the commit.
        places = () if spec.isolation else (os.path.realpath(spec.cwd), self._rootpath, top)
        return _Task(
            spec=spec,
            words=tuple(words),
            bases=tuple(dict.fromkeys(places)),
            names_refs=names_refs,
        )

    def _take(self, nodeids: Sequence[str], look: _Look) -> dict[str, Content]:
        self._disk.begin()
        found = {}
        for nodeid in nodeids:
            try:
                found[nodeid] = self._content(self._tasks[nodeid], look)
            except PtcError as error:
                found[nodeid] = Content(problem=str(error))
            except Exception as error:  # noqa: BLE001 - what cannot be looked at is not proven
                found[nodeid] = Content(problem=f"its files cannot be looked at: {error!r}")
        self._latest.update(found)
        return found

    def _content(self, task: _Task, look: _Look) -> Content:
        spec = task.spec
        if task.problem is not None:
            return Content(problem=task.problem)
        top = self._top(spec.cwd, look)
        tree = None if spec.isolation else self._tree(top, look)
        agent = self._agent_now(look)
        outside = named(
            task.words,
            cwd=spec.cwd,
            bases=task.bases,
            disk=self._disk,
            tree=tree,
            ours=self._ours,
            exists=look.exists,
        )
        refs = {}
        if task.names_refs:
            refs = refs_named(task.words, self._refs(top, look))
        names, names_stat = digest(outside)
        # The repository of the task counts by itself.
        others = [one for place, one in agent.trees.items() if tree is None or place != top]
        looked_at = others if tree is None else [*others, tree]
        content = Content(
            tree=f"commit {spec.ref} {spec.base}" if tree is None else tree.hash,
            named=combined([names, *(f"{name} {commit}" for name, commit in refs.items())]),
            agent=combined([agent.hash, *(one.hash for one in others)]),
            stat=combined([names_stat, agent.stat, *(one.stat for one in looked_at)]),
        )
        self._list(content.named, lambda: {**listed(outside), **refs})
        self._list(content.agent, lambda: _with_trees(agent.files, others))
        if tree is not None:
            self._list(content.tree, tree.entries)
        return content

    def _top(self, cwd: str, look: _Look) -> str:
        """Return the top of the repository that a directory is in; a real path."""
        place = os.path.realpath(cwd)
        around = repository_top(place)
        if around is None:
            raise GitError(f"there is no git repository around {place}")
        asked = str(around)
        if asked in look.problems:
            raise look.problems[asked]
        if asked not in look.tops:
            try:
                look.tops[asked] = toplevel(place)
            except GitError as error:
                look.problems[asked] = GitError(f"git refuses: {error}")
                raise look.problems[asked] from error
        top = look.tops[asked]
        if place != top and not place.startswith(f"{top.rstrip('/')}/"):
            raise GitError(f"git takes {top} for the working tree of {place}")
        return top

    def _tree(self, top: str, look: _Look) -> Tree:
        if top in look.problems:
            raise look.problems[top]
        if top not in look.trees:
            try:
                look.trees[top] = self._trees.take(top)
            except PtcError as error:
                look.problems[top] = error
                raise
        return look.trees[top]

    def _refs(self, top: str, look: _Look) -> dict[str, dict[str, str]]:
        """Return the commits of all branches and tags, by every name that they have."""
        if top not in look.refs:
            refs = git(top, "for-each-ref", "--format=%(objectname) %(refname)").splitlines()
            lines = (line.partition(" ") for line in refs)
            look.refs[top] = short_names({name: commit for commit, _, name in lines})
        return look.refs[top]

    def _agent_now(self, look: _Look) -> _Agent:
        if look.agent is None:
            trees = {}
            for place in self._agent.tops:
                # Where git refuses, what stands beside the script counts in its place.
                with contextlib.suppress(GitError):
                    top = self._top(place, look)
                    trees[top] = self._tree(top, look)
            leave = repository_top(self._rootpath)
            found = self._agent.take(self._disk, trees, self._ours, str(leave))
            look.agent = _Agent(listed(found), *digest(found), trees)
        return look.agent

    # Lists of files, by which changes can be named.

    def _list(self, hashed: str, entries: Callable[[], Mapping[str, str]]) -> None:
        if hashed in self._lists or len(self._lists) >= MAX_LISTS:
            return
        made = entries()
        self._lists[hashed] = made
        if self._folder is not None and made:
            with contextlib.suppress(OSError):
                self._folder.mkdir(mode=0o700, exist_ok=True)
                file = self._folder / f"{hashed}.json"
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                with os.fdopen(os.open(file, flags, 0o600), "w", encoding="ascii") as output:
                    json.dump(made, output)


def _with_trees(files: Mapping[str, str], trees: Sequence[Tree]) -> dict[str, str]:
    found = dict(files)
    for tree in trees:
        found |= {f"{tree.top}/{name}": text for name, text in tree.entries().items()}
    return found


def listed(seen: Mapping[str, Seen | None]) -> dict[str, str]:
    """Return one line of text for each path."""
    return {path: "absent" if found is None else found.text for path, found in seen.items()}


def read_list(folder: Path, hashed: str) -> Mapping[str, str] | None:
    """Return a list of files of an earlier run; None where there is none that can be used.

    Args:
        folder: The run's journal.
        hashed: The hash of the part of a content.
    """
    if not hashed.isalnum():
        return None
    try:
        value = strict_json(read_regular(folder / LISTS / f"{hashed}.json", MAX_LIST_BYTES))
    except (OSError, ValueError):
        return None
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        return None
    return value
