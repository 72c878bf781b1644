"""The agents of one worker: that of its launch file, and those that tasks name besides."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pytest_ptc.agents.maker import load_maker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_ptc.interfaces.agent import Agent
    from pytest_ptc.interfaces.launch import AgentLaunch, LaunchFile
    from pytest_ptc.text.redaction import Redactor


class WorkerAgents:
    """Makes agents, and keeps each as long as its worker lives.

    Args:
        launch: The worker's launch file.
        own: The agent of the launch file.
        environ: The worker's environment, as it was before that agent took its secrets out.
        redactor: Learns the secrets of further agents' programs.
    """

    def __init__(
        self, launch: LaunchFile, *, own: Agent, environ: Mapping[str, str], redactor: Redactor
    ) -> None:
        self.own = own
        self._launch = launch
        self._environ = environ
        self._redactor = redactor
        self._made: dict[str, Agent] = {}

    def __repr__(self) -> str:
        return f"<WorkerAgents {self.own.name}, {sorted(self._made)}>"

    @classmethod
    def of_process(cls, launch: LaunchFile, redactor: Redactor) -> WorkerAgents:
        """Return the agents of this process, which is a worker."""
        environ = dict(os.environ)
        redactor.learn(launch.agent.secrets)
        maker = load_maker(launch.agent.make, launch.agent.search_path)
        own = maker(launch, os.environ)
        return cls(launch, own=own, environ=environ, redactor=redactor)

    def agent(self, named: AgentLaunch | None) -> Agent:
        """Return an agent; None for that of the launch file.

        Raises:
            PtcError: It cannot be made.
        """
        if named is None:
            return self.own
        if named.name not in self._made:
            self._redactor.learn(named.secrets)
            maker = load_maker(named.make, named.search_path)
            launch = replace(self._launch, agent=named)
            self._made[named.name] = maker(launch, dict(self._environ))
        return self._made[named.name]

    async def close(self) -> None:
        """End what they keep between tasks."""
        for agent in (self.own, *self._made.values()):
            await agent.close()
