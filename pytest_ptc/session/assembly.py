"""Putting a run together: which host, which journal, which list, which program is a worker."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pytest_ptc.agents.registry import choose_agent
from pytest_ptc.coordinator.loop import Coordinator
from pytest_ptc.coordinator.schedule import Limits
from pytest_ptc.inputs.agent_facts import agent_facts, files_of_agent
from pytest_ptc.inputs.contents import LISTS, Contents
from pytest_ptc.interfaces.agent_kind import AgentRequest
from pytest_ptc.interfaces.launch import AgentLaunch, LaunchFile, PytestProcess
from pytest_ptc.interfaces.names import RunNames, ScratchPlaces
from pytest_ptc.journal.attempt_journal import journal_errors
from pytest_ptc.journal.events import ContentSeen
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.runs.places import note_place
from pytest_ptc.session.journal_setup import begin_story, key_to_write, make_journal
from pytest_ptc.session.our_places import our_places, resolved_cache_dir
from pytest_ptc.session.run_facts import run_began
from pytest_ptc.system.processes import ProcessIdentity
from pytest_ptc.tasklist.directory import config_dir
from pytest_ptc.tasklist.store import TaskListStore
from pytest_ptc.text.redaction import Redactor
from pytest_ptc.text.secret_names import argument_secrets, secret_arguments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from pytest_ptc.interfaces.agent_kind import AgentChoice
    from pytest_ptc.interfaces.host import Host
    from pytest_ptc.journal.events import RunBegan
    from pytest_ptc.journal.run_journal import Journal
    from pytest_ptc.model.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run's parts, made but not started.

    Args:
        run_id: The run's id; it sorts by time.
        list_id: The shared list's id.
        host: Where workers live.
        fallback: Why the host is not the one that `auto` would rather have.
        agent: What does its tasks.
    """

    run_id: str
    list_id: str
    host: Host
    fallback: str | None
    agent: AgentChoice


def make_run(config: pytest.Config, settings: Settings) -> Run:
    """Decide what a run is made of; nothing is started or written.

    Raises:
        ConfigError: Something that the settings name is missing.
    """
    request = AgentRequest(
        settings=settings,
        rootpath=config.rootpath,
        start=config.invocation_params.dir,
        environ=os.environ,
        claude_config=config_dir(os.environ),
    )
    added = [kind for kinds in config.hook.pytest_ptc_agents(config=config) for kind in kinds]
    agent = choose_agent(request, added)
    run_id = new_run_id(time.time(), _last_run_id(config))
    host, fallback = _host(config, settings, run_id)
    return Run(
        run_id=run_id,
        list_id=settings.task_list_id or RunNames(run_id).task_list,
        host=host,
        fallback=fallback,
        agent=agent,
    )


def new_run_id(now: float, after: str = "") -> str:
    """Return an id such as `20261122-093012-417a3c1`, which sorts by time, to the millisecond.

    It is in UTC, so that runs sort alike wherever and in whatever zone they were made.

    Args:
        now: Seconds since the epoch.
        after: The id of the last run: the new one sorts behind it, also when the clock has gone
            back.
    """
    stamp = _stamp(round(now * 1000))
    if stamp <= after[: len(stamp)]:
        with contextlib.suppress(ValueError, OverflowError):
            last = datetime.strptime(after[:19] + "000Z", "%Y%m%d-%H%M%S-%f%z")
            stamp = _stamp(round(last.timestamp() * 1000) + 1)
    return f"{stamp}{secrets.token_hex(2)}"


def _stamp(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(seconds))}-{rest:03}"


def _last_run_id(config: pytest.Config) -> str:
    """Return the id of the last run whose journal is there; empty where there is none."""
    place = resolved_cache_dir(config) / "d" / "ptc" / "runs"
    try:
        return max((entry.name for entry in place.iterdir()), default="")
    except OSError:
        return ""


def make_coordinator(
    config: pytest.Config,
    settings: Settings,
    run: Run,
    scratch: Path,
    *,
    resumes: str | None = None,
) -> tuple[Coordinator, Journal, TaskListStore, Contents]:
    """Make the journal, open the shared list, and return the coordinator, not yet started.

    Args:
        config: Pytest's.
        settings: What the user asked.
        run: The run's parts.
        scratch: A private folder with a short path, for the socket.
        resumes: The earlier run that this one takes up.

    Raises:
        PtcError: The journal or the list cannot be made.
    """
    key = key_to_write(config)
    places = ScratchPlaces(scratch)
    claude = config_dir(os.environ)
    own_list = not settings.task_list_id
    task_list = TaskListStore(claude, run.list_id, run_id=run.run_id, own=own_list)
    task_list.open()
    try:
        journal = make_journal(config, run.run_id, key, known_secrets(config, settings, run))
        with journal_errors(journal.folder):
            commands = _commands_folder(journal)
        begin_story(
            journal,
            replace(
                facts_for_reports(config, settings, run, resumes),
                attach=run.host.attach,
                tmux_socket=getattr(run.host, "socket_path", None),
                scratch=str(scratch),
                own_list=own_list,
                command=tuple(run.agent.plan.argv),
                task_list=str(task_list.path),
            ),
        )
    except BaseException:
        task_list.close()
        raise
    note_place(config.rootpath, resolved_cache_dir(config), os.environ, key)
    contents = _contents(config, settings, run, journal, [scratch, task_list.path])
    restarts = settings.max_worker_restart
    ourselves = ProcessIdentity.of(os.getpid())

    def launch_file(worker: str, key: str) -> LaunchFile:
        return LaunchFile(
            worker=worker,
            run_id=run.run_id,
            agent=AgentLaunch(
                make=run.agent.make,
                argv=run.agent.plan.argv,
                options=dict(run.agent.plan.options),
                search_path=run.agent.search_path,
            ),
            journal=journal.folder,
            scratch=scratch,
            commands=commands,
            start=config.invocation_params.dir,
            task_list_id=run.list_id,
            own_list=own_list,
            claude_config=claude,
            secrets=secret_arguments(run.agent.plan.argv),
            address=places.coordinator_socket,
            key=key,
            farewell=run.host.farewell,
            pytest=PytestProcess(
                pid=os.getpid(), created=ourselves.created if ourselves is not None else 0.0
            ),
        )

    coordinator = Coordinator(
        limits=Limits(
            workers=settings.workers,
            max_worker_restart=4 * settings.workers if restarts is None else restarts,
            starting=_processors(),
            budget_usd=settings.budget_usd,
            run_timeout=settings.run_timeout,
        ),
        host=run.host,
        task_list=task_list,
        journal=journal,
        scratch=scratch,
        worker_argv=(sys.executable, "-m", "pytest_ptc.worker"),
        launch_file=launch_file,
        contents=contents,
    )
    return coordinator, journal, task_list, contents


def facts_of(settings: Settings, run: Run, rootpath: Path) -> dict[str, Any]:
    """Return what a verdict depends on besides its task and files: what the agent is, in parts."""
    return agent_facts(settings, run.agent, rootpath, os.environ)


def _contents(
    config: pytest.Config, settings: Settings, run: Run, journal: Journal, places: Sequence[Path]
) -> Contents:
    """Return what looks at the files that agents can see, and puts that into the journal."""
    return Contents(
        agent=files_of_agent(settings, run.agent, config.rootpath, os.environ),
        rootpath=str(config.rootpath),
        more_words=run.agent.plan.words,
        ours=our_places(config, settings, [journal.folder.parent, *places]),
        tell=lambda attempt, content: journal.append(ContentSeen(attempt=attempt, content=content)),
        folder=journal.folder / LISTS,
    )


def facts_for_reports(
    config: pytest.Config, settings: Settings, run: Run, resumes: str | None
) -> RunBegan:
    """Return what reports tell of a run that has workers."""
    return run_began(
        config,
        settings,
        run_id=run.run_id,
        host=run.host.name,
        list_id=run.list_id,
        resumes=resumes,
    )


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def _host(config: pytest.Config, settings: Settings, run_id: str) -> tuple[Host, str | None]:
    made = config.hook.pytest_ptc_make_host(config=config, settings=settings, run_id=run_id)
    if made is not None:
        return made, None
    if settings.host != "process":
        from pytest_ptc.hosts.tmux import TmuxHost, tmux_problem, unfit_tmux  # noqa: PLC0415
        from pytest_ptc.hosts.tmux_socket import socket_problem  # noqa: PLC0415

        unfit = unfit_tmux()
        if settings.interactive and unfit is not None:
            raise ConfigError(f"--ptc-interactive needs tmux, which {unfit}")
        # Asked before anything starts: a worker could only tell it by not being there.
        no_socket = socket_problem(RunNames(run_id).tmux_socket, os.environ, os.getuid())
        if settings.interactive and no_socket is not None:
            raise ConfigError(f"--ptc-interactive: {no_socket}")
        if no_socket is not None:
            no_socket += ", or choose --ptc-host=process"
        problem = tmux_problem() if unfit is not None else no_socket
        if problem is None:
            return TmuxHost(run_id), None
        if settings.host == "tmux":
            raise ConfigError(f"ptc_host: {problem}")
    else:
        problem = None
    from pytest_ptc.hosts.process import ProcessHost  # noqa: PLC0415 - only where it is used

    return ProcessHost(), problem


def known_secrets(config: pytest.Config, settings: Settings, run: Run) -> Redactor:
    """Return what redacts all secrets that a run is started with, those of commands too."""
    redactor = Redactor(os.environ)
    redactor.learn(settings.variables)
    redactor.learn(argument_secrets(config.invocation_params.args))
    redactor.learn(secret_arguments(run.agent.plan.argv))
    return redactor


def _commands_folder(journal: Journal) -> Path:
    """Make the folder, put before PATH for agents, in which `ptc` is the one of this run."""
    folder = journal.folder / "bin"
    folder.mkdir(mode=0o700, exist_ok=True)
    # A script's own folder is what Python puts first on its path: with `-m` that would be the
    # agent's directory, where the code under review could stand in for a standard module.
    script = folder / "ptc.py"
    script.write_text("import sys\nfrom pytest_ptc.cli.main import main\nsys.exit(main())\n")
    command = folder / "ptc"
    python, path = shlex.quote(sys.executable), shlex.quote(str(script))
    command.write_text(f'#!/bin/sh\nexec {python} {path} "$@"\n')
    command.chmod(0o700)
    return folder
