"""The run of one pytest session: made when its first task is submitted, ended once.

Here pytest's settings meet the coordinator, the journal and the shared list. What an item is, and
how it takes its outcome, is the runner's.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from msgspec.structs import replace

from pytest_ptc.agents.command_line import files_of
from pytest_ptc.inputs.fingerprint import fingerprint
from pytest_ptc.journal.events import RunEnded, SuiteChanged
from pytest_ptc.model.errors import PtcError
from pytest_ptc.runs.cleaning import clean_run
from pytest_ptc.runs.recorded import RefusedRun, RunState, open_runs, whole_story
from pytest_ptc.session.assembly import facts_for_reports, facts_of, make_coordinator, make_run
from pytest_ptc.session.journal_setup import key_to_read, runs_folder
from pytest_ptc.session.resuming import Resumption, run_to_resume
from pytest_ptc.session.run_facts import session_end, story_without_tasks
from pytest_ptc.session.suite_changes import changed_suite
from pytest_ptc.system.git import worktrees
from pytest_ptc.system.git.repositories import repository_top
from pytest_ptc.system.scratch import make_scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from pytest_ptc.coordinator.loop import Coordinator
    from pytest_ptc.inputs.contents import Contents
    from pytest_ptc.journal.events import Event
    from pytest_ptc.journal.run_journal import Journal
    from pytest_ptc.model.lifecycle import Snapshot
    from pytest_ptc.model.result import Kept, Result
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.runs.recorded import RecordedRun
    from pytest_ptc.session.assembly import Run
    from pytest_ptc.tasklist.store import TaskListStore


class LiveRun:
    """A run with workers; nothing is started, and nothing is on disk, before the first task.

    Args:
        config: Pytest's configuration.
        settings: What the user asked for.
        run: What is known of the run before it begins.
        earlier: The run that this one takes up, or the one that it would, were it not refused.
    """

    def __init__(
        self,
        config: pytest.Config,
        settings: Settings,
        run: Run,
        earlier: RecordedRun | RefusedRun | None = None,
    ) -> None:
        self.facts = run
        self.refused = earlier if isinstance(earlier, RefusedRun) else None
        self.earlier = earlier if not isinstance(earlier, RefusedRun) else None
        #: How long it took, in seconds, once it has ended.
        self.wall = 0.0
        #: What could not be written down or tidied up, a sentence each.
        self.problems: list[str] = []
        #: Files of suite, configuration and reviewer that the change under review brings.
        self.changed_suite: tuple[str, ...] = ()
        self._config = config
        self._settings = settings
        self._resumption: Resumption | None = None
        self._told_refused = False
        #: Directories of repositories of which there are worktrees.
        self._isolated: set[str] = set()
        self._parts: _Parts | None = None
        self._ended = False
        self._closed = False

    @classmethod
    def of(cls, config: pytest.Config, settings: Settings) -> LiveRun:
        """Return the run of this pytest session.

        Raises:
            ConfigError: Something that the settings name is missing.
        """
        run = make_run(config, settings)
        earlier = None
        if settings.resume:
            runs = runs_folder(config)
            there = runs.is_dir() and any(runs.iterdir())
            key = key_to_read(config) if there else None
            earlier = run_to_resume(open_runs(runs, config.rootpath, key), settings.resume)
        return cls(config, settings, run, earlier)

    def __repr__(self) -> str:
        return f"<LiveRun {self.facts.run_id}>"

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
        """Tell whether it has come to have a task."""
        return self._parts is not None

    @property
    def is_on(self) -> bool:
        """Tell whether it has begun and not ended."""
        return self.begun and not self._ended

    @property
    def folder(self) -> Path | None:
        """Return its journal, once it has one."""
        return self._parts.journal.folder if self._parts is not None else None

    @property
    def shown_folder(self) -> Path:
        """Return its journal by the shortest path from where pytest was started."""
        folder = self._begun.journal.folder
        start = self._config.invocation_params.dir
        return folder.relative_to(start) if folder.is_relative_to(start) else folder

    @property
    def snapshot(self) -> Snapshot:
        """Return it as it was after the last event."""
        return self._begun.coordinator.snapshot

    def take_up(self) -> None:
        """Take over the earlier run: remove what it left, and read what it came to.

        Raises:
            pytest.UsageError: What it left cannot be removed.
        """
        if self.earlier is None:
            return
        try:
            if self.earlier.state is RunState.KILLED and self.earlier.in_sight:
                clean_run(self.earlier)
        except PtcError as error:
            raise pytest.UsageError(f"ptc: {error}") from error
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
            pytest.UsageError: The run cannot begin, or the tasks cannot be published.
        """
        self._refuse_unclear(specs)
        if resume:
            self._name_changes(specs, since)
        self._isolated.update(spec.cwd for spec in specs if spec.isolation is not None)
        agent = facts_of(self._settings, self.facts, self._config.rootpath)
        marks = {spec.nodeid: fingerprint(spec, agent, _top(spec)) for spec in specs}
        try:
            if self._parts is None:
                self._parts = self._begin()
            if self.changed_suite:
                self._parts.journal.append(SuiteChanged(paths=self.changed_suite))
            contents = self._parts.contents.take(specs)
            kept: dict[str, Kept] = {}
            if resume and self._resumption is not None:
                entries = self._parts.contents.entries
                kept = self._resumption.kept(specs, marks, contents, entries)
            return self._parts.coordinator.submit(specs, fingerprints=marks, kept=kept)
        except PtcError as error:
            raise pytest.UsageError(f"ptc: {error}") from error

    def _name_changes(self, specs: Sequence[TaskSpec], since: Sequence[str]) -> None:
        """Note what the change under review brings of its own judge."""
        ranges = [(spec.cwd, spec.base, spec.ref) for spec in specs if spec.ref is not None]
        if not ranges and not since:
            return
        root = self._config.rootpath
        modules = [root / spec.nodeid.partition("::")[0] for spec in specs]
        programs = files_of(self.facts.agent.plan.argv)
        found = changed_suite(root, ranges, since, [*modules, *programs])
        self.changed_suite = tuple(sorted({*self.changed_suite, *found}))

    def _refuse_unclear(self, specs: Sequence[TaskSpec]) -> None:
        """Refuse a command of which nobody can tell whose files it names: ours, or the reviewed."""
        plan = self.facts.agent.plan
        root = self._config.rootpath.resolve()
        elsewhere = (
            spec for spec in specs if spec.isolation is not None or Path(spec.cwd).resolve() != root
        )
        spec = next(elsewhere, None) if plan.unclear else None
        if spec is not None:
            name = plan.unclear[0]
            raise pytest.UsageError(
                f"ptc: {spec.nodeid}: {plan.source}: {name!r} names a file of the root directory, "
                f"and could be one of the task's directory: write {{rootpath}}/{name} for a "
                f"file of the reviewer, {{cwd}}/{name} for one that is reviewed"
            )

    def resumption_lines(self) -> list[str]:
        """Return why verdicts of the earlier run do not stand, as far as that was not said yet."""
        if self.refused is not None and self._config.get_verbosity() < 0 and not self._told_refused:
            # The header, which has it otherwise, is not shown.
            self._told_refused = True
            return [f"ptc: resumes {self.resumes}"]
        return self._resumption.lines() if self._resumption is not None else []

    def tell(self, event: Event) -> None:
        """Put an event into the journal, if there is one that is open."""
        if self.is_on:
            self._begun.journal.append(event)

    def redact(self, text: str) -> str:
        """Return a text without the secrets that the run knows."""
        return self._parts.journal.redactor.text(text) if self._parts is not None else text

    def story(self, session: pytest.Session) -> list[Event]:
        """Return the journal, for the reports that are made of it."""
        if self._parts is None:
            resumes = self.earlier.run_id if self.earlier else None
            began = facts_for_reports(self._config, self._settings, self.facts, resumes)
            return story_without_tasks(began, session)
        # The journal has it when nobody can change it any more.
        end = replace(session_end(session), at=time.time())
        return [*whole_story(self._parts.journal), end]

    def end(self, when_quiet: Callable[[], object]) -> None:
        """End workers and tidy the shared list.

        Args:
            when_quiet: Called when all workers have ended.
        """
        coordinator, journal, task_list, contents, scratch, began = self._begun
        try:
            coordinator.close()
            contents.close()
            when_quiet()
        finally:
            # Not reached twice: a second Ctrl-C in `close` comes here with everything killed.
            self._ended = True
            self.wall = time.monotonic() - began
            try:
                task_list.close()
            except PtcError as error:
                self.problems.append(f"tasks left on the shared list: {error}")
            journal.append(RunEnded(seconds=round(self.wall, 3)))
            if journal.problem:
                self.problems.append(f"journal incomplete: {journal.problem}")
            worktrees.remove_all(self._isolated, scratch)
            shutil.rmtree(scratch, ignore_errors=True)

    def close(self, session: pytest.Session | None = None) -> None:
        """Put down how pytest's session ended, if that is known, and close the journal.

        May be called again.
        """
        if self._parts is None or self._closed:
            return
        self._closed = True
        if session is not None:
            self._parts.journal.append(session_end(session))
        self._parts.journal.close()

    @property
    def _begun(self) -> _Parts:
        assert self._parts is not None, "no task has been submitted"
        return self._parts

    def _begin(self) -> _Parts:
        began = time.monotonic()
        scratch = make_scratch(self.facts.run_id)
        try:
            made = make_coordinator(
                self._config,
                self._settings,
                self.facts,
                scratch,
                resumes=self.earlier.run_id if self.earlier else None,
            )
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        return _Parts(*made, scratch, began)


def _top(spec: TaskSpec) -> str | None:
    top = repository_top(spec.cwd)
    return None if top is None else str(top)


class _Parts(NamedTuple):
    """What a run is made of when it has begun; `began` is on the monotonic clock, in seconds."""

    coordinator: Coordinator
    journal: Journal
    task_list: TaskListStore
    contents: Contents
    scratch: Path
    began: float
