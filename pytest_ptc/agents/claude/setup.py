"""The configuration of agent `claude`, made in pytest's process."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.agents.claude.profile import Surroundings
from pytest_ptc.agents.command_line import anchored_command, relative_names, split_command
from pytest_ptc.interfaces.agent_kind import AgentPlan
from pytest_ptc.interfaces.names import ScratchPlaces
from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_ptc.interfaces.agent_kind import AgentRequest
    from pytest_ptc.interfaces.launch import LaunchFile
    from pytest_ptc.interfaces.worker_python import WorkerPython
    from pytest_ptc.model.settings import Settings

#: Files of a project that Claude Code reads by itself, and git may ignore.
_PROJECT_FILES = (".claude/settings.json", ".claude/settings.local.json", "CLAUDE.local.md")
#: Files of its configuration directory that it reads.
_USER_FILES = ("settings.json", "CLAUDE.md")


def configure(request: AgentRequest) -> AgentPlan:
    """Return the plan of agent `claude`.

    Raises:
        ConfigError: Claude Code or claude-agent-sdk is missing, or its interactive mode does not
            support a setting.
    """
    settings = request.settings
    if settings.interactive and settings.budget_usd is not None:
        raise ConfigError(
            "ptc_interactive: Claude Code's interactive mode reports no costs; leave out "
            "--ptc-budget-usd or --ptc-interactive"
        )
    argv = client_argv(settings, request.start, request.python)
    of_user = _USER_FILES if "user" in settings.setting_sources else ()
    return AgentPlan(
        argv=argv,
        source="CLAUDE_CODE",
        unclear=relative_names(argv, request.start),
        options={"setting_sources": list(settings.setting_sources)},
        files=tuple(os.path.realpath(request.claude_config / name) for name in of_user),
        words=_PROJECT_FILES,
        distributions=("claude-agent-sdk",),
    )


def client_argv(settings: Settings, start: Path, python: WorkerPython) -> tuple[str, ...]:
    """Return the Claude Code program and its arguments.

    Args:
        settings: The run's settings.
        start: The base of a relative path.
        python: The Python that runs workers.

    Raises:
        ConfigError: Claude Code or claude-agent-sdk is missing.
    """
    # Found without importing the SDK, which takes longer than all of pytest.
    sdk = python.file_of("claude_agent_sdk")
    if sdk is None:
        where = f", which {python.program} does not have" if settings.worker_python else ""
        raise ConfigError(
            f"agent 'claude' needs claude-agent-sdk{where}: {python.install}; or choose another "
            "agent with --ptc-agent"
        )
    if settings.claude_code:
        return claude_code(settings.claude_code, start)
    bundled = Path(sdk).parent / "_bundled" / "claude"
    return (str(bundled),) if bundled.is_file() else claude_code("claude", start)


def claude_code(command: str, start: Path) -> tuple[str, ...]:
    """Return the program and arguments of a command that is Claude Code.

    Raises:
        ConfigError: There is no such program.
    """
    return anchored_command(split_command("CLAUDE_CODE", command), start, "CLAUDE_CODE")


def surroundings_of(launch: LaunchFile, environ: Mapping[str, str]) -> Surroundings:
    """Return the common settings of a worker's clients, from its launch file."""
    client = _one_program(launch) if launch.agent.argv else None
    return Surroundings.of(launch, environ, os.geteuid(), client)


def _one_program(launch: LaunchFile) -> Path:
    """Return Claude Code as one program: a script where it is a command with arguments."""
    argv = launch.agent.argv
    program = Path(argv[0])
    if len(argv) == 1 and program.is_absolute():
        return program
    script = launch.commands / f"claude-{launch.worker}"
    # The arguments are kept out of the journal: there may be a key among them. They are not a
    # script themselves: a temporary folder may be mounted `noexec`.
    words = ScratchPlaces(launch.scratch).client_words(launch.worker)
    words.touch(mode=0o600)
    words.write_text(f'exec {shlex.join(argv)} "$@"\n')
    script.write_text(f"#!/bin/sh\n. {shlex.quote(str(words))}\n")
    script.chmod(0o700)
    return script
