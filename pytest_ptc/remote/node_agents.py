"""The agents of a run on one node: chosen again there, with that machine's programs.

Pytest's machine has chosen them already, with its own: here only what is missing comes to light.
The Python that has the node's process may be another one's, which imports nothing of the project:
modules are tried in a process of their own.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.registry import choose_agent, launch_of
from pytest_ptc.interfaces.agent_kind import AgentKind
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_ptc.interfaces.agent_kind import AgentChoice, AgentRequest
    from pytest_ptc.interfaces.launch import AgentLaunch
    from pytest_ptc.remote.frame_kinds import KindPlace


class NodeAgents:
    """Chooses the agents that tasks name.

    Args:
        request: What the run asks, with the node's paths and Python.
        kinds: The kinds that plugins have added on pytest's machine.

    Raises:
        ConfigError: The run's own agent cannot be used here; the message says why.
    """

    def __init__(self, request: AgentRequest, kinds: Sequence[KindPlace]) -> None:
        self._request = request
        self._kinds = [_kind(kind) for kind in kinds]
        self._chosen: dict[str, AgentChoice] = {}
        self.own = self.choice(request.settings.agent)

    def __repr__(self) -> str:
        return f"<NodeAgents {sorted(self._chosen)}>"

    def choice(self, name: str) -> AgentChoice:
        """Return an agent by its name; it may run programs to find that out.

        Raises:
            ConfigError: It cannot be used here.
        """
        if name not in self._chosen:
            settings = self._request.settings._replace(agent=name)
            request = replace(self._request, settings=settings)
            self._chosen[name] = choose_agent(request, self._kinds)
        return self._chosen[name]

    def launch(self, named: AgentLaunch | None) -> AgentLaunch | None:
        """Return how a worker of this node makes an agent that pytest's machine names.

        Raises:
            ConfigError: It cannot be used here.
        """
        return None if named is None else launch_of(self.choice(named.name))


def kind_place(kind: AgentKind) -> dict[str, Any]:
    """Return a kind that a plugin has added as the fields of a `KindPlace`."""
    configure = kind.configure
    return {
        "name": kind.name,
        "make": kind.make,
        "configure": f"{configure.__module__}:{configure.__qualname__}",
        "tells_tool_calls": kind.tells_tool_calls,
        "sandboxes": kind.sandboxes,
        "needs_network": kind.needs_network,
    }


def _kind(place: KindPlace) -> AgentKind:
    module, _, function = place.configure.partition(":")
    try:
        configure = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"agent {place.name!r}: its plugin is not installed here ({error}); install what "
            "pytest has"
        ) from error
    return AgentKind(
        name=place.name,
        make=place.make,
        configure=configure,
        tells_tool_calls=place.tells_tool_calls,
        sandboxes=place.sandboxes,
        needs_network=place.needs_network,
    )


def settings_to_json(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain JSON."""
    return {
        name: dict(value) if name == "reports" else value
        for name, value in settings._asdict().items()
    }


def settings_from_json(value: Mapping[str, Any]) -> Settings:
    """Return the settings of pytest's machine.

    Raises:
        TypeError: They are those of another release.
    """
    fields: dict[str, Any] = {
        name: tuple(one) if isinstance(one, list) else one for name, one in value.items()
    }
    return Settings(**fields)
