"""The configuration of agent `acp`, made in pytest's process."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING

from pytest_ptc.agents.acp.clients import CLIENTS, OTHER
from pytest_ptc.agents.acp.node import node_problem
from pytest_ptc.agents.command_line import anchored_command, relative_names, split_command
from pytest_ptc.interfaces.agent_kind import AgentKind, AgentPlan
from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    from pytest_ptc.agents.acp.clients import Client
    from pytest_ptc.interfaces.agent_kind import AgentRequest

#: What names the program of an agent `acp`, for messages.
ACP_OPTION = "ptc_acp_command"


def configure(client: Client, request: AgentRequest) -> AgentPlan:
    """Return the plan of an agent `acp`.

    Args:
        client: The client.
        request: What the run asks.

    Raises:
        ConfigError: The client is not installed, or cannot run here.
    """
    settings = request.settings
    for name in client.json_environ:
        _check_json(name, request.environ.get(name))
    argv = _argv(client, request)
    return AgentPlan(
        argv=argv,
        source=ACP_OPTION,
        # The words of the table name no files.
        unclear=relative_names(argv, request.rootpath) if settings.acp_command.strip() else (),
        options={
            "client": client.name,
            "setting_sources": list(settings.setting_sources),
            # They choose models and providers; a key may be among them.
            "configured": {
                name: hashlib.sha256(request.environ.get(name, "").encode()).hexdigest()[:16]
                for name in client.json_environ
            },
        },
        words=client.project_files,
    )


def _argv(client: Client, request: AgentRequest) -> tuple[str, ...]:
    argv = _found(client, request)
    problem = node_problem(argv[0], client.node, request.environ)
    if problem is not None:
        raise ConfigError(
            f"agent {request.settings.agent!r}: {argv[0]} {problem}: put one that is new "
            "enough first on PATH, or name the client with "
            "--ptc-acp-command='/path/to/node /path/to/client ...'"
        )
    return argv


def _found(client: Client, request: AgentRequest) -> tuple[str, ...]:
    own = request.settings.acp_command
    if own.strip():
        return anchored_command(split_command(ACP_OPTION, own), request.rootpath, ACP_OPTION)
    if not client.argv:
        known = ", ".join(f"acp:{known.name}" for known in CLIENTS)
        raise ConfigError(
            "agent 'acp' has no program: name a known client with --ptc-agent "
            f"({known}), or give one with --ptc-acp-command='PROGRAM ARGUMENTS'"
        )
    try:
        return anchored_command(list(client.argv), request.rootpath, ACP_OPTION)
    except ConfigError:
        raise ConfigError(
            f"agent 'acp:{client.name}' needs {client.argv[0]}, which is not on PATH: install it "
            f"with `{client.install}`, or name it with --ptc-acp-command"
        ) from None


def _check_json(name: str, text: str | None) -> None:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ConfigError(f"{name}: not a JSON object; correct the variable")


#: The kinds of agent `acp`: any client, and each known one.
ACP_KINDS = tuple(
    AgentKind(
        name=f"acp:{client.name}" if client.name else "acp",
        make="pytest_ptc.agents.acp.agent:make",
        configure=partial(configure, client),
        # The protocol has no limits, and what one client tells of money, another does not.
        tells_costs=False,
        sandboxes=True,
    )
    for client in (OTHER, *CLIENTS)
)
