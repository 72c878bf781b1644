"""What `sandbox` comes to on this machine, before anything is started."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_ptc.interfaces.agent_kind import AgentChoice
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.task import TaskSpec


def with_sandboxes(
    specs: Sequence[TaskSpec],
    agents_of: Callable[[TaskSpec], Iterable[AgentChoice]],
    machine_problem: Callable[[], str | None],
) -> list[TaskSpec]:
    """Return tasks with `auto` decided.

    Args:
        specs: The tasks.
        agents_of: Returns the agents of a task.
        machine_problem: Returns why there can be no sandbox on this machine, if so.

    Raises:
        ConfigError: A task cannot have the sandbox that it asks for.
    """
    return [_decided(spec, list(agents_of(spec)), machine_problem) for spec in specs]


def _decided(
    spec: TaskSpec, agents: Sequence[AgentChoice], machine_problem: Callable[[], str | None]
) -> TaskSpec:
    if spec.sandbox == "off":
        return spec
    problem = _agent_problem(agents) or machine_problem()
    if problem is None:
        _refuse_without_network(spec, agents)
        return replace(spec, sandbox="bwrap")
    if spec.sandbox == "bwrap":
        raise ConfigError(f"{spec.nodeid}: sandbox='bwrap': {problem}")
    return replace(spec, sandbox="off")


def _agent_problem(agents: Sequence[AgentChoice]) -> str | None:
    for agent in agents:
        if not agent.sandboxes:
            return (
                f"agent {agent.name!r} cannot be put into a sandbox by pytest-ptc; choose command, "
                "claude without --ptc-interactive, or an acp agent, or leave the sandbox out"
            )
    return None


def _refuse_without_network(spec: TaskSpec, agents: Sequence[AgentChoice]) -> None:
    for agent in agents:
        if agent.needs_network and spec.sandbox_network == "off":
            raise ConfigError(
                f"{spec.nodeid}: sandbox_network='off': agent {agent.name!r} reaches its model by "
                "the network; leave it out, or use agent 'command'"
            )


def sandbox_line(
    settings: Settings, agent: AgentChoice, machine_problem: Callable[[], str | None]
) -> str | None:
    """Return what pytest's header says of the sandbox; None for nothing.

    Raises:
        ConfigError: All tests are to have one, and none can be made here.
    """
    if settings.sandbox == "off":
        return None
    problem = machine_problem()
    if settings.sandbox == "bwrap" and problem is not None:
        raise ConfigError(f"--ptc-sandbox=bwrap: {problem}; or choose --ptc-sandbox=auto")
    if problem is None and not agent.sandboxes:
        problem = f"agent {agent.name!r} has none"
    return "sandbox on (bubblewrap)" if problem is None else f"sandbox off: {problem}"
