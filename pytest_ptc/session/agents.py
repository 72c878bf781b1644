"""The agents of one run: its own, and those that tests and votes name besides."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.registry import choose_agent, launch_of
from pytest_ptc.inputs.agent_facts import agent_facts, files_of_agent
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.voters import vote_spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_ptc.inputs.agent_files import AgentFiles
    from pytest_ptc.interfaces.agent_kind import AgentChoice, AgentKind, AgentRequest
    from pytest_ptc.interfaces.launch import AgentLaunch
    from pytest_ptc.model.task import TaskSpec


class RunAgents:
    """The agents of one run, each decided before anything of it is started.

    Args:
        request: What the run asks.
        more: The kinds that other plugins bring.

    Raises:
        ConfigError: The run's own agent is none, or cannot be used.
    """

    def __init__(self, request: AgentRequest, more: Sequence[AgentKind] = ()) -> None:
        self._request = request
        #: The kinds that other plugins bring.
        self.kinds_of_plugins = tuple(more)
        #: The run's own.
        self.own = choose_agent(request, self.kinds_of_plugins)
        self._named = {request.settings.agent: self.own}
        self._facts: dict[str, dict[str, Any]] = {}

    def __repr__(self) -> str:
        return f"<RunAgents {sorted(self._named)}>"

    @property
    def added(self) -> list[AgentChoice]:
        """Return those that tasks have named besides, in that order."""
        return [choice for choice in self._named.values() if choice is not self.own]

    def take(self, specs: Sequence[TaskSpec]) -> list[AgentChoice]:
        """Decide on the agents that tasks name, and return those that are new.

        Raises:
            ConfigError: One is none, or cannot be used; the message names the test.
        """
        new = []
        for spec in specs:
            for vote in votes_of(spec):
                name = vote.agent
                if name is None or name in self._named:
                    continue
                settings = self._request.settings._replace(agent=name)
                try:
                    choice = choose_agent(
                        replace(self._request, settings=settings), self.kinds_of_plugins
                    )
                except ConfigError as error:
                    raise ConfigError(f"{spec.nodeid}: agent {name!r}: {error}") from error
                self._named[name] = choice
                new.append(choice)
        return new

    def of(self, spec: TaskSpec) -> AgentChoice:
        """Return the agent of a task, or of one vote."""
        return self.own if spec.agent is None else self._named[spec.agent]

    def all_of(self, spec: TaskSpec) -> list[AgentChoice]:
        """Return the agents of an item's votes, each once."""
        choices = {id(choice): choice for choice in map(self.of, votes_of(spec))}
        return list(choices.values())

    def launch(self, spec: TaskSpec) -> AgentLaunch | None:
        """Return how a worker makes a task's agent; None for the run's own."""
        choice = self.of(spec)
        return None if choice is self.own else launch_of(choice)

    def facts(self, spec: TaskSpec) -> dict[str, Any]:
        """Return what a task's agent is, part by part: what its verdict depends on."""
        choice = self.of(spec)
        if choice.name not in self._facts:
            request = self._request
            self._facts[choice.name] = agent_facts(
                request.settings, choice, request.rootpath, os.environ
            )
        return self._facts[choice.name]

    def files(self, choice: AgentChoice) -> AgentFiles:
        """Return where the files of an agent are."""
        request = self._request
        return files_of_agent(request.settings, choice, request.rootpath, os.environ)


def votes_of(spec: TaskSpec) -> Iterator[TaskSpec]:
    """Yield the task of each vote on an item, and the item's own, which verifiers have."""
    yield spec
    for number in range(1, len(spec.voters) + 1):
        yield vote_spec(spec, number)
