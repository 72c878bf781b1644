"""Putting a run together: what it is made of is decided first, and opened when it has a task."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pytest_ptc.agents.registry import launch_of
from pytest_ptc.agents.worker_python import worker_python
from pytest_ptc.coordinator.coordinator import Coordinator
from pytest_ptc.coordinator.local_crew import LocalCrew
from pytest_ptc.coordinator.schedule import Limits
from pytest_ptc.inputs.agent_facts import files_of_agent
from pytest_ptc.inputs.contents import LISTS, Contents
from pytest_ptc.interfaces.agent_kind import AgentRequest
from pytest_ptc.interfaces.launch import LaunchFile, OwnerProcess
from pytest_ptc.interfaces.names import RunNames, ScratchPlaces
from pytest_ptc.journal.attempt_files import journal_errors
from pytest_ptc.journal.events import ContentSeen
from pytest_ptc.runs.places import note_place
from pytest_ptc.session.agents import RunAgents
from pytest_ptc.session.cluster_hosts import is_cluster
from pytest_ptc.session.host_choice import make_host
from pytest_ptc.session.journal_setup import begin_story, key_to_write, make_journal
from pytest_ptc.session.run_facts import run_began
from pytest_ptc.session.run_ids import last_run_id, new_run_id
from pytest_ptc.session.run_lists import NO_LISTS
from pytest_ptc.session.sandboxing import sandbox_line
from pytest_ptc.system.bubblewrap import bubblewrap_problem
from pytest_ptc.system.commands import make_commands
from pytest_ptc.system.machine import processors
from pytest_ptc.system.processes import ProcessIdentity
from pytest_ptc.system.scratch import make_scratch
from pytest_ptc.tasklist.directory import config_dir
from pytest_ptc.tasklist.store import TaskListStore
from pytest_ptc.text.redaction import Redactor
from pytest_ptc.text.secret_names import argument_secrets, secret_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from pytest_ptc.coordinator.crew import CrewMaker
    from pytest_ptc.interfaces.agent_kind import AgentChoice, AgentKind
    from pytest_ptc.interfaces.host import Host
    from pytest_ptc.journal.events import RunBegan
    from pytest_ptc.journal.run_journal import Journal
    from pytest_ptc.model.content import Content
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.session.cluster import Cluster
    from pytest_ptc.session.place import RunPlace
    from pytest_ptc.session.run_lists import RunLists


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlan:
    """What a run is made of; nothing is started, and nothing is on disk.

    Args:
        run_id: The run's id; it sorts by time.
        list_id: The shared list's id.
        host: Where workers live: a host of this machine, or a cluster.
        fallback: Why the host is not the one that `auto` would rather have.
        agents: What does its tasks.
        sandbox: What is to be said of the sandbox; None for nothing.
    """

    run_id: str
    list_id: str
    host: Host | Cluster
    fallback: str | None
    agents: RunAgents
    sandbox: str | None = None

    @property
    def agent(self) -> AgentChoice:
        """Return the run's own agent."""
        return self.agents.own


def plan_run(
    place: RunPlace,
    settings: Settings,
    *,
    other_host: Callable[[str], Host | Cluster | None] = lambda _: None,
    more_agents: Iterable[AgentKind] = (),
) -> RunPlan:
    """Decide what a run is made of.

    Args:
        place: Where it takes place.
        settings: What the user asked.
        other_host: Returns a host from elsewhere for a run of this id, if there is one.
        more_agents: Kinds of agents from elsewhere.

    Raises:
        ConfigError: Something that the settings name is missing.
    """
    request = AgentRequest(
        settings=settings,
        rootpath=place.root,
        start=place.start,
        environ=os.environ,
        claude_config=config_dir(os.environ),
        python=worker_python(settings.worker_python, place.root, place.start, os.environ),
    )
    agents = RunAgents(request, tuple(more_agents))
    sandbox = sandbox_line(settings, agents.own, bubblewrap_problem)
    run_id = new_run_id(time.time(), last_run_id(place.runs))
    host, fallback = other_host(run_id), None
    if host is None and settings.host == "dask":
        # Only where it is used: it needs as much as all the rest of a run.
        from pytest_ptc.session.cluster import dask_cluster  # noqa: PLC0415

        host = dask_cluster(place, settings, run_id, os.environ, agents)
    elif host is None:
        host, fallback = make_host(settings, run_id)
    return RunPlan(
        run_id=run_id,
        list_id=settings.task_list_id or RunNames(run_id).task_list,
        host=host,
        fallback=fallback,
        agents=agents,
        sandbox=sandbox,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenRun:
    """What a run holds from its first task to its end.

    Args:
        coordinator: Supervises workers; it starts with the first task.
        journal: The run's journal, with its first event.
        task_list: The shared list, open.
        contents: Looks at the files that agents can see.
        scratch: A private folder with a short path.
        began: When the run began, in seconds of the monotonic clock.
    """

    coordinator: Coordinator
    journal: Journal
    task_list: TaskListStore
    contents: Contents
    scratch: Path
    began: float


def open_run(
    place: RunPlace,
    settings: Settings,
    plan: RunPlan,
    *,
    resumes: str | None = None,
    lists: RunLists = NO_LISTS,
) -> OpenRun:
    """Make what a run holds; of what cannot be made, nothing is left.

    Args:
        place: Where it takes place.
        settings: What the user asked.
        plan: What it is made of.
        resumes: The earlier run that it takes up.
        lists: What excuses its findings.

    Raises:
        PtcError: The journal or the list cannot be made.
    """
    began = time.monotonic()
    if is_cluster(plan.host):
        plan.host.engine.check()
    with contextlib.ExitStack() as undo:
        scratch = make_scratch(plan.run_id)
        undo.callback(shutil.rmtree, scratch, ignore_errors=True)
        key = key_to_write(place.root)
        task_list = _task_list(settings, plan)
        task_list.open()
        undo.callback(task_list.close)
        journal = make_journal(place, plan.run_id, key, known_secrets(place, settings, plan))
        with journal_errors(journal.folder):
            commands = journal.folder / "bin"
            make_commands(commands, sys.executable)
        event = replace(
            began_without_task(place, settings, plan, resumes),
            attach=plan.host.attach,
            tmux_socket=plan.host.tmux_socket,
            scratch=str(scratch),
            own_list=not settings.task_list_id,
            command=tuple(plan.agent.plan.argv),
            task_list=str(task_list.path),
        )
        begin_story(journal, event)
        for told in lists.events:
            journal.append(told)
        note_place(place.root, place.cache, os.environ, key)
        ours = [scratch, task_list.path, *lists.files]
        contents = _contents(place, settings, plan, journal, ours)
        coordinator = Coordinator(
            limits=limits_of(settings, processors=_starting(plan)),
            crew=_crew_maker(
                place, settings, plan, journal=journal, scratch=scratch, commands=commands
            ),
            task_list=task_list,
            journal=journal,
            contents=contents,
            agent_of=plan.agents.launch,
            excuse_of=lists.excuse_of(place.root),
        )
        undo.pop_all()
    return OpenRun(
        coordinator=coordinator,
        journal=journal,
        task_list=task_list,
        contents=contents,
        scratch=scratch,
        began=began,
    )


def look_before(
    place: RunPlace, settings: Settings, plan: RunPlan, specs: Sequence[TaskSpec]
) -> dict[str, Content]:
    """Return what the agents of tasks could see now, by their node ids, where nodes get that.

    They have what is sent, or a copy that is compared: what is edited later is not what they see.
    """
    if not is_cluster(plan.host):
        return {}
    contents = Contents(
        agent=files_of_agent(settings, plan.agent, place.root, os.environ),
        rootpath=str(place.root),
        more_words=plan.agent.plan.words,
        ours=place.is_ours([place.runs]),
    )
    # As `Run.submit` adds them to the run's own look, which this one is compared with.
    for agent in plan.agents.added:
        contents.add_agent(plan.agents.files(agent), agent.plan.words)
    return contents.take(specs)


def _starting(plan: RunPlan) -> int | None:
    """Return how many workers start at once: on this machine, a start is bound by a processor."""
    return None if is_cluster(plan.host) else processors()


def _crew_maker(
    place: RunPlace,
    settings: Settings,
    plan: RunPlan,
    *,
    journal: Journal,
    scratch: Path,
    commands: Path,
) -> CrewMaker:
    if is_cluster(plan.host):
        return plan.host.crew(
            place=place, settings=settings, agents=plan.agents, journal=journal, scratch=scratch
        )
    return partial(
        LocalCrew,
        host=plan.host,
        journal=journal,
        scratch=scratch,
        argv=(plan.agent.python.program, "-m", "pytest_ptc.worker"),
        launch_file=_launch_files(
            place,
            settings,
            plan,
            journal=journal.folder,
            scratch=scratch,
            commands=commands,
            farewell=plan.host.farewell,
        ),
        proof=journal.key.control,
    )


def _contents(
    place: RunPlace, settings: Settings, plan: RunPlan, journal: Journal, more: Iterable[Path]
) -> Contents:
    """Return what looks at the files that agents can see, and puts that into the journal."""
    return Contents(
        agent=files_of_agent(settings, plan.agent, place.root, os.environ),
        rootpath=str(place.root),
        more_words=plan.agent.plan.words,
        ours=place.is_ours([place.runs, *more]),
        tell=lambda attempt, content: journal.append(ContentSeen(attempt=attempt, content=content)),
        folder=journal.folder / LISTS,
        snapshot=is_cluster(plan.host),
    )


def began_without_task(
    place: RunPlace, settings: Settings, plan: RunPlan, resumes: str | None
) -> RunBegan:
    """Return the first event of a run that has workers, and no task yet."""
    return run_began(
        place,
        settings,
        run_id=plan.run_id,
        host=plan.host.name,
        list_id=plan.list_id,
        resumes=resumes,
    )


def limits_of(settings: Settings, *, processors: int | None) -> Limits:
    """Return the limits of a run. Pure.

    Args:
        settings: What the user asked.
        processors: How many this machine has for us: so many workers start at once. None for no
            limit.
    """
    restarts = settings.max_worker_restart
    return Limits(
        workers=settings.workers,
        max_worker_restart=4 * settings.workers if restarts is None else restarts,
        starting=processors,
        budget_usd=settings.budget_usd,
        run_timeout=settings.run_timeout,
    )


def known_secrets(place: RunPlace, settings: Settings, plan: RunPlan) -> Redactor:
    """Return what redacts all secrets that a run is started with, those of commands too."""
    redactor = Redactor(os.environ)
    redactor.learn(settings.variables)
    redactor.learn(argument_secrets(place.arguments))
    if place.inline is not None:
        redactor.learn(argument_secrets(place.inline.words))
        redactor.learn(place.inline.keywords.get("env", {}))
    redactor.learn(secret_arguments(plan.agent.plan.argv))
    return redactor


def _task_list(settings: Settings, plan: RunPlan) -> TaskListStore:
    own = not settings.task_list_id
    return TaskListStore(config_dir(os.environ), plan.list_id, run_id=plan.run_id, own=own)


def _launch_files(
    place: RunPlace,
    settings: Settings,
    plan: RunPlan,
    *,
    journal: Path,
    scratch: Path,
    commands: Path,
    farewell: tuple[str, ...],
) -> Callable[[str, str], LaunchFile]:
    """Return what makes a worker's launch file from its name and key."""
    ourselves = ProcessIdentity.of(os.getpid())
    agent = launch_of(plan.agent)
    clean_list = (
        *(plan.agent.python.program, "-m", "pytest_ptc.tasklist"),
        *(str(_task_list(settings, plan).path), plan.run_id),
        *([] if settings.task_list_id else ["own"]),
    )

    def launch_file(worker: str, key: str) -> LaunchFile:
        return LaunchFile(
            worker=worker,
            run_id=plan.run_id,
            agent=agent,
            journal=journal,
            scratch=scratch,
            commands=commands,
            start=place.start,
            task_list_id=plan.list_id,
            claude_config=config_dir(os.environ),
            address=ScratchPlaces(scratch).coordinator_socket,
            key=key,
            clean_list=clean_list,
            farewell=farewell,
            root=place.root,
            task_list=_task_list(settings, plan).path,
            owner=OwnerProcess(
                pid=os.getpid(), created=ourselves.created if ourselves is not None else 0.0
            ),
        )

    return launch_file
