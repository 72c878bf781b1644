"""The agents, and the choice of one for a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.agents.acp.setup import ACP_KINDS
from pytest_ptc.agents.claude import setup as claude
from pytest_ptc.agents.command_setup import configure_any, configure_command
from pytest_ptc.interfaces.agent_kind import AgentChoice, AgentKind
from pytest_ptc.interfaces.launch import AgentLaunch
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.text.secret_names import secret_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_ptc.interfaces.agent_kind import AgentRequest
    from pytest_ptc.model.settings import Settings

#: The agents that come with the package.
AGENT_KINDS = (
    AgentKind(
        name="claude",
        make="pytest_ptc.agents.claude.agent:make",
        configure=claude.configure,
        screen="pytest_ptc.agents.claude.interactive:make",
        limits=("max_turns", "budget_usd"),
        sandboxes=True,
    ),
    AgentKind(
        name="command",
        make="pytest_ptc.agents.command:make",
        configure=configure_command,
        tells_costs=False,
        tells_tool_calls=False,
        sandboxes=True,
        needs_network=False,
    ),
    *ACP_KINDS,
)


def choose_agent(request: AgentRequest, added: Iterable[AgentKind] = ()) -> AgentChoice:
    """Return the agent that a run asks for; nothing is started or written.

    Args:
        request: What the run asks.
        added: The kinds that other plugins bring.

    Raises:
        ConfigError: There is no such agent, or it cannot be used with these settings.
    """
    settings = request.settings
    kind = _kind(settings.agent, [*AGENT_KINDS, *added])
    make = _screen(kind, settings) if settings.interactive else kind.make
    plan = kind.configure(request)
    ours = kind in AGENT_KINDS
    if not ours:
        # Checked here: a worker that cannot import its agent could only fail to start.
        request.python.check_maker(make)
    screen = settings.interactive
    return AgentChoice(
        name=kind.name,
        make=make,
        plan=plan,
        python=request.python,
        module=None if ours else make.partition(":")[0],
        # What is somebody's own screen and session has no limits, and is not in a sandbox.
        limits=() if screen else kind.limits,
        tells_costs=kind.tells_costs and not screen,
        tells_tool_calls=kind.tells_tool_calls,
        sandboxes=kind.sandboxes and not screen,
        needs_network=kind.needs_network,
    )


def launch_of(choice: AgentChoice) -> AgentLaunch:
    """Return how a worker makes an agent."""
    return AgentLaunch(
        name=choice.name,
        make=choice.make,
        argv=choice.plan.argv,
        options=dict(choice.plan.options),
        search_path=choice.search_path,
        secrets=secret_arguments(choice.plan.argv),
    )


def _kind(name: str, kinds: Sequence[AgentKind]) -> AgentKind:
    named = [kind for kind in kinds if kind.name == name]
    if len(named) > 1:
        places = " and ".join(kind.make for kind in named)
        raise ConfigError(f"ptc_agent: {name!r} is the name of {places}; rename one of them")
    if named:
        return named[0]
    module, _, function = name.partition(":")
    # `acp:NAME` is no module of the user's.
    if not module or not function or module == "acp":
        known = ", ".join(kind.name for kind in kinds)
        raise ConfigError(f"ptc_agent: {name!r} is not an agent; use {known} or module:function")
    return AgentKind(name=name, make=name, configure=configure_any)


def _screen(kind: AgentKind, settings: Settings) -> str:
    """Return `module:function` of the agent's interactive mode."""
    if kind.screen is None:
        raise ConfigError(
            f"ptc_interactive: agent {kind.name!r} has no interactive mode; use --ptc-agent=claude"
        )
    if settings.host == "process":
        raise ConfigError("ptc_interactive: child processes have no terminal; use --ptc-host=tmux")
    return kind.screen
