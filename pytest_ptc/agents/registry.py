"""What does a task."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from pytest_ptc.interfaces.agent import Agent
    from pytest_ptc.interfaces.launch import LaunchFile

#: The agents that come with the package, and where each is made. An agent of somebody else's is
#: named by its place, `package.module:function`, and made in the same way.
AGENTS: Mapping[str, str] = {
    "claude": "pytest_ptc.agents.claude.agent:make",
    "command": "pytest_ptc.agents.command:make",
}


#: Agent `claude` on its own screen.
INTERACTIVE = "pytest_ptc.agents.claude.interactive:make"


def agent_maker(name: str) -> Callable[[LaunchFile, MutableMapping[str, str]], Agent]:
    """Return the function that makes an agent from a worker's launch file and environment.

    The environment is the worker's own, `os.environ`: what an agent takes out of it is gone for all
    that the worker starts.

    Raises:
        ConfigError: There is no such agent.
    """
    place = AGENTS.get(name, name)
    module, _, function = place.partition(":")
    if not module or not function:
        known = ", ".join(AGENTS)
        raise ConfigError(f"ptc_agent: {name!r} is not an agent; use {known} or module:function")
    try:
        return cast("Callable[..., Agent]", getattr(import_module(module), function))
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"ptc_agent: {name!r} cannot be used: {error}") from error
