"""A run with workers, from its plan to its closed journal; it knows nothing of pytest.

Pytest's hooks are one caller; any program can be another:

    with Run.planned(place, settings) as run:
        results = [future.result() for future in run.submit(specs)]

Nothing is started, and nothing is on disk, before the first task. What an item is, and how it takes
its outcome, is its caller's matter.
"""

from __future__ import annotations

import shutil
import time
from enum import Enum
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pytest_ptc.agents.command_line import files_of
from pytest_ptc.coordinator.submissions import Memory
from pytest_ptc.inputs.fingerprint import fingerprint
from pytest_ptc.journal.events import RunEnded, SuiteChanged
from pytest_ptc.model.errors import IllegalMove, PtcError
from pytest_ptc.runs.forgetting import forget_runs
from pytest_ptc.runs.recorded import RecordedRun, open_runs, whole_story
from pytest_ptc.runs.state import RefusedRun, RunState
from pytest_ptc.session.aliases import Aliases
from pytest_ptc.session.assembly import began_without_task, look_before, open_run, plan_run
from pytest_ptc.session.cleaning import clean_run
from pytest_ptc.session.cluster_hosts import is_cluster, sent_again
from pytest_ptc.session.flakiness import flaky_lines
from pytest_ptc.session.journal_setup import key_to_read
from pytest_ptc.session.refusals import (
    refuse_shared_findings,
    refuse_unclear,
    refuse_unenforced,
    refuse_unfilled,
)
from pytest_ptc.session.resuming import Resumption, run_to_resume
from pytest_ptc.session.run_facts import story_without_tasks
from pytest_ptc.session.run_lists import NO_LISTS, read_lists
from pytest_ptc.session.sandboxing import with_sandboxes
from pytest_ptc.session.suite_changes import changed_suite
from pytest_ptc.system.bubblewrap import bubblewrap_problem
from pytest_ptc.system.git import worktrees
from pytest_ptc.system.git.repositories import repository_top
from pytest_ptc.text.secret_names import secret_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from typing_extensions import Self

    from pytest_ptc.interfaces.agent_kind import AgentKind
    from pytest_ptc.interfaces.host import Host
    from pytest_ptc.journal.events import Event, SessionEnded
    from pytest_ptc.model.lifecycle import Snapshot
    from pytest_ptc.model.result import Result
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.session.assembly import OpenRun, RunPlan
    from pytest_ptc.session.cluster import Cluster
    from pytest_ptc.session.place import RunPlace
    from pytest_ptc.session.run_lists import RunLists


class RunPhase(Enum):
    """The phase of a run."""

    #: Nothing is started, and nothing is on disk.
    PLANNED = "planned"
    #: It has had a task: there is a journal, and there may be workers.
    ACTIVE = "active"
    #: All workers have ended; the journal waits for the end of its caller.
    ENDED = "ended"
    #: The journal is closed.
    CLOSED = "closed"

    def move(self, to: RunPhase) -> RunPhase:
        """Return `to` if the table allows the move.

        Raises:
            IllegalMove: It does not.
        """
        if to not in MOVES[self]:
            raise IllegalMove("run", self, to)
        return to


MOVES: Mapping[RunPhase, frozenset[RunPhase]] = MappingProxyType(
    {
        RunPhase.PLANNED: frozenset({RunPhase.ACTIVE}),
        RunPhase.ACTIVE: frozenset({RunPhase.ENDED}),
        RunPhase.ENDED: frozenset({RunPhase.CLOSED}),
        RunPhase.CLOSED: frozenset(),
    }
)


class Run:
    """A run with workers.

    Args:
        place: Where it takes place.
        settings: What the user asked for.
        plan: What it is made of.
        earlier: The run that this one takes up, or the one that it would, were it not refused.
        lists: What excuses its findings.
    """

    def __init__(
        self,
        place: RunPlace,
        settings: Settings,
        plan: RunPlan,
        earlier: RecordedRun | RefusedRun | None = None,
        lists: RunLists = NO_LISTS,
    ) -> None:
        self.plan = plan
        self.lists = lists
        self.refused = earlier if isinstance(earlier, RefusedRun) else None
        self.earlier = earlier if not isinstance(earlier, RefusedRun) else None
        self.phase = RunPhase.PLANNED
        #: How long it took, in seconds, once it has ended.
        self.wall = 0.0
        #: What could not be written down or tidied up, a sentence each.
        self.problems: list[str] = []
        #: Called when the first tasks are published.
        self.when_begun: Callable[[], object] = lambda: None
        #: Files of suite, configuration and reviewer that the change under review brings.
        self.changed_suite: tuple[str, ...] = ()
        #: What was made ready to be sent to nodes, a line each.
        self.sent: list[str] = []
        self._place = place
        self._settings = settings
        self._resumption: Resumption | None = None
        self._aliases = Aliases()
        #: Directories of repositories of which there are worktrees.
        self._isolated: set[str] = set()
        #: Which task writes a file of findings, by its directory and name.
        self._findings: dict[tuple[str, str], str] = {}
        #: What it holds, from its first task on.
        self._open: OpenRun | None = None

    @classmethod
    def planned(
        cls,
        place: RunPlace,
        settings: Settings,
        *,
        other_host: Callable[[str], Host | Cluster | None] = lambda _: None,
        more_agents: Iterable[AgentKind] = (),
    ) -> Run:
        """Return a run; arguments as for `plan_run`.

        Raises:
            ConfigError: Something that the settings name is missing, or cannot be used.
        """
        lists = read_lists(place, settings)
        plan = plan_run(place, settings, other_host=other_host, more_agents=more_agents)
        earlier = None
        if settings.resume:
            there = place.runs.is_dir() and any(place.runs.iterdir())
            key = key_to_read(place.root) if there else None
            earlier = run_to_resume(open_runs(place.runs, place.root, key), settings.resume)
        return cls(place, settings, plan, earlier, lists)

    def __repr__(self) -> str:
        return f"<Run {self.plan.run_id} {self.phase.value}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.end()
        finally:
            self.close()

    @property
    def resumes(self) -> str | None:
        """Return the id of the run that this one takes up, or that there is none to take up."""
        if not self._settings.resume:
            return None
        if self.refused is not None:
            return f"nothing: {self.refused.error()}"
        return self.earlier.run_id if self.earlier else "nothing: there is no earlier run"

    @property
    def begun(self) -> bool:
        """Tell whether it has had a task."""
        return self.phase is not RunPhase.PLANNED

    @property
    def folder(self) -> Path | None:
        """Return its journal, once it has one."""
        return self._open.journal.folder if self._open is not None else None

    @property
    def shown_folder(self) -> Path:
        """Return its journal by the shortest path from where the program was started.

        Before there is one, that is the start itself.
        """
        return self._place.shown(self.folder) if self.folder is not None else Path()

    @property
    def flaky(self) -> list[str]:
        """Return a line for each item that an earlier run judged otherwise on the same input."""
        return flaky_lines(self.folder, self._place)

    @property
    def snapshot(self) -> Snapshot:
        """Return it as it was after the last event; it has begun."""
        return self._opened.coordinator.snapshot

    def take_up(self) -> None:
        """Resume the earlier run: clean up after it, and read its results.

        Raises:
            PtcError: What it left cannot be removed.
        """
        if self.earlier is None:
            return
        if self.earlier.state is RunState.KILLED and self.earlier.in_sight:
            clean_run(self.earlier)
        self._resumption = Resumption(self.earlier)

    def submit(
        self, specs: Sequence[TaskSpec], *, resume: bool = False, since: Sequence[str] = ()
    ) -> list[Future[Result]]:
        """Hand tasks to the coordinator, and return a future for each.

        Args:
            specs: The tasks.
            resume: Whether a verdict of an earlier run may stand for them: not for a second go.
            since: Commits and branches since whose fork the working tree has changed.

        Raises:
            PtcError: The run cannot begin, or the tasks cannot be published.
        """
        specs = self._aliases.given(specs)
        new_agents = self.plan.agents.take(specs)
        specs = with_sandboxes(specs, self.plan.agents.all_of, bubblewrap_problem)
        refuse_unenforced(specs, self.plan.agents.all_of, self._settings.budget_usd)
        refuse_unclear(specs, self.plan.agents, self._place.root)
        refuse_unfilled(specs, self.plan.agents)
        refuse_shared_findings(specs, self.plan.agents, self._findings)
        self.lists.refuse_new_without_baseline(specs)
        before = look_before(self._place, self._settings, self.plan, specs)
        if is_cluster(self.plan.host):
            self.sent += self.plan.host.take(specs)
        if resume:
            self._name_changes(specs, since)
        self._isolated.update(spec.cwd for spec in specs if spec.isolation is not None)
        begins = self._open is None
        if self._open is None:
            resumes = self.earlier.run_id if self.earlier else None
            self._open = open_run(
                self._place, self._settings, self.plan, resumes=resumes, lists=self.lists
            )
            self.phase = self.phase.move(RunPhase.ACTIVE)
        if self.changed_suite:
            self._open.journal.append(SuiteChanged(paths=self.changed_suite))
        for agent in new_agents:
            self._open.contents.add_agent(self.plan.agents.files(agent), agent.plan.words)
            self._open.journal.redactor.learn(secret_arguments(agent.plan.argv))
        contents = self._open.contents.take(specs)
        self._open.contents.doubt(before, sent_again(self.plan.host))
        memory = Memory(self._marks)
        if resume and self._resumption is not None:
            resumption, entries = self._resumption, self._open.contents.entries
            memory = Memory(
                self._marks,
                resumption.kept(specs, self._marks, contents, entries),
                partial(resumption.kept_check, self._marks, contents),
            )
        futures = self._open.coordinator.submit(specs, memory=memory)
        if begins:
            self.when_begun()
        return futures

    def _marks(self, spec: TaskSpec) -> dict[str, str]:
        """Return what a task's verdict depends on besides files, as hashes of the parts."""
        top = repository_top(spec.cwd)
        facts = self.plan.agents.facts(spec)
        return fingerprint(spec, facts, None if top is None else str(top))

    def _name_changes(self, specs: Sequence[TaskSpec], since: Sequence[str]) -> None:
        """Note what the change under review brings of its own judge."""
        ranges = [(spec.cwd, spec.base, spec.ref) for spec in specs if spec.ref is not None]
        if not ranges and not since:
            return
        root = self._place.root
        modules = [root / spec.nodeid.partition("::")[0] for spec in specs]
        agents = [agent for spec in specs for agent in self.plan.agents.all_of(spec)]
        programs = [name for agent in agents for name in files_of(agent.plan.argv)]
        found = changed_suite(root, ranges, since, [*modules, *programs], self.lists.files)
        self.changed_suite = tuple(sorted({*self.changed_suite, *found}))

    def resumption_lines(self) -> list[str]:
        """Return why verdicts of the earlier run are not kept; each reason once."""
        return self._resumption.lines() if self._resumption is not None else []

    def tell(self, event: Event) -> None:
        """Put an event into the journal while the run is active; else it is lost."""
        if self.phase is RunPhase.ACTIVE:
            self._opened.journal.append(event)

    def redact(self, text: str) -> str:
        """Return a text without the secrets that the run knows."""
        return self._open.journal.redactor.text(text) if self._open is not None else text

    def story(self, session_end: SessionEnded) -> Iterable[Event]:
        """Return the journal, for a report that is made of it; it can be gone through once.

        Args:
            session_end: How the caller's session ends; the journal has it when nobody can change it
                any more.
        """
        if self._open is None:
            resumes = self.earlier.run_id if self.earlier else None
            began = began_without_task(self._place, self._settings, self.plan, resumes)
            return story_without_tasks(began, session_end)
        return chain(whole_story(self._open.journal), [replace(session_end, at=time.time())])

    def end(self, when_quiet: Callable[[], object] = lambda: None) -> None:
        """End workers and tidy the shared list, if the run is active.

        Args:
            when_quiet: Called when all workers have ended.
        """
        if self.phase is not RunPhase.ACTIVE:
            return
        held = self._opened
        try:
            held.coordinator.close()
            held.contents.close()
            when_quiet()
            self.problems += held.coordinator.snapshot.notes
            if problems := held.coordinator.list_problems:
                self.problems.append(_list_problem(problems))
        finally:
            # Not reached twice: a second Ctrl-C in `close` comes here with everything killed.
            self.phase = self.phase.move(RunPhase.ENDED)
            self.wall = time.monotonic() - held.began
            try:
                held.task_list.close()
            except PtcError as error:
                self.problems.append(f"tasks left on the shared list: {error}")
            held.journal.append(RunEnded(seconds=round(self.wall, 3)))
            if held.journal.problem:
                self.problems.append(f"journal incomplete: {held.journal.problem}")
            worktrees.remove_all(self._isolated, held.scratch)
            shutil.rmtree(held.scratch, ignore_errors=True)

    def close(self, session_end: SessionEnded | None = None) -> None:
        """Put down how the caller's session ended, if that is known, and close the journal.

        Nothing is done of a run that has not ended.
        """
        if self.phase is not RunPhase.ENDED:
            return
        self.phase = self.phase.move(RunPhase.CLOSED)
        if session_end is not None:
            self._opened.journal.append(session_end)
        self._opened.journal.close()

    def forget_old_runs(self) -> list[str]:
        """Delete old journals where `ptc_keep_runs` asks for that; return problems.

        Nothing is done before the run is closed: its own journal is one of those that are kept.
        """
        keep = self._settings.keep_runs
        if keep is None or self.phase is not RunPhase.CLOSED:
            return []
        try:
            found = open_runs(self._place.runs, self._place.root, key_to_read(self._place.root))
            forget_runs([run for run in found if isinstance(run, RecordedRun)], keep)
        except PtcError as error:
            return [f"ptc_keep_runs: {error}"]
        return []

    @property
    def _opened(self) -> OpenRun:
        assert self._open is not None, "no task has been submitted"
        return self._open


def _list_problem(problems: Sequence[str]) -> str:
    more = f"; {len(problems) - 1} more in the journal" if len(problems) > 1 else ""
    return f"shared list not up to date: {problems[0]}{more}; verdicts are not affected"
