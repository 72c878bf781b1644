"""The configuration of agent `command` and of agents in Python, from options and ini keys."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pytest_ptc.agents.claude.setup import claude_code
from pytest_ptc.agents.command_line import anchored_command, relative_names, split_command
from pytest_ptc.interfaces.agent_kind import AgentPlan
from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    from pytest_ptc.interfaces.agent_kind import AgentRequest

#: What names the program of agent `command`, for messages.
COMMAND_OPTION = "ptc_command"


def configure_command(request: AgentRequest) -> AgentPlan:
    """Return the plan of agent `command`.

    Raises:
        ConfigError: There is no program.
    """
    if not request.settings.command.strip():
        raise ConfigError(
            "agent 'command' has no program: give one with --ptc-command='PROGRAM ARGUMENTS' or "
            "the ini key ptc_command"
        )
    return configure_any(request)


def configure_any(request: AgentRequest) -> AgentPlan:
    """Return the plan of an agent that may run the program of `--ptc-command`.

    Raises:
        ConfigError: The program's quotes are open, or it is not on PATH.
    """
    argv = _command_argv(request) if request.settings.command.strip() else ()
    return AgentPlan(
        argv=argv,
        source=COMMAND_OPTION,
        unclear=relative_names(argv, request.rootpath),
        options={"verdict_from_exit": request.settings.verdict_from_exit},
        words=argv[1:],
    )


def _command_argv(request: AgentRequest) -> tuple[str, ...]:
    argv: list[str] = []
    for word in split_command(COMMAND_OPTION, request.settings.command):
        # Filled in after splitting, so that a path with spaces stays one argument.
        if word == "{claude_code}":
            argv += claude_code(request.settings.claude_code or "claude", request.start)
        else:
            argv.append(
                word.replace("{python}", sys.executable).replace(
                    "{rootpath}", str(request.rootpath)
                )
            )
    return anchored_command(argv, request.rootpath, COMMAND_OPTION)
