"""A run whose workers are on a cluster: what its nodes are told, and its crew."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import msgspec

from pytest_ptc.remote.code import Code
from pytest_ptc.remote.crew import RemoteCrew
from pytest_ptc.remote.foreign_paths import refuse_foreign_paths
from pytest_ptc.remote.frame_kinds import KindPlace, RunSetup
from pytest_ptc.remote.loopback import this_machine
from pytest_ptc.remote.node_agents import kind_place, settings_to_json
from pytest_ptc.remote.nodes import SentDirectory
from pytest_ptc.remote.own_code import source_digest
from pytest_ptc.remote.shared_code import described
from pytest_ptc.session.dask_choice import (
    carried_variables,
    cluster_address,
    node_needs,
    refuse_secrets,
    secrets_of_run,
)
from pytest_ptc.system.git.repositories import repository_top

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_ptc.coordinator.crew import CrewMaker
    from pytest_ptc.journal.run_journal import Journal
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.remote.engine import Engine
    from pytest_ptc.session.agents import RunAgents
    from pytest_ptc.session.place import RunPlace

#: Stands for the place of a directory on a node, which that node alone knows.
_PLACE = "/place"
#: Seconds that a call may take beyond a lease, within which it is to be answered.
_CALL_MARGIN_S = 15.0


def dask_cluster(
    place: RunPlace,
    settings: Settings,
    run_id: str,
    environ: Mapping[str, str],
    agents: RunAgents,
) -> Cluster:
    """Return the Dask cluster that was asked for; nothing is connected.

    Raises:
        ConfigError: It cannot be used with these settings, or Dask is not installed.
    """
    commands = {agents.own.plan.source: agents.own.plan.argv}
    address = cluster_address(settings, environ, commands)
    from pytest_ptc.remote.dask.connection import import_dask  # noqa: PLC0415 - only where used

    import_dask()
    from pytest_ptc.remote.dask.engine import DaskEngine, DaskPlan  # noqa: PLC0415 - as above

    engine = DaskEngine(
        DaskPlan(
            address=address,
            run_id=run_id,
            needs=node_needs(settings, version("pytest-ptc"), source_digest()),
            workers=settings.workers,
            resource=settings.dask_resource,
            insecure=settings.dask_insecure,
            secrets=secrets_of_run(settings, environ, commands),
            call_s=settings.dask_lease + _CALL_MARGIN_S,
        )
    )
    ours = place.is_ours([place.runs])
    ships = settings.dask_code == "ship"
    return Cluster(
        engine=engine,
        where=str(address or "local"),
        code=Code(place.root, max_mb=settings.dask_max_code, ours=ours) if ships else None,
        ours=ours,
        carried=carried_variables(settings, environ),
        in_clear=settings.dask_insecure,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """Where the workers of a run are that has them on a cluster.

    Args:
        engine: The engine that has it.
        where: Its address, for people.
        code: What is sent of this machine; None where nodes share its disk.
        shared: Directories that nodes share with this machine.
        ours: Tells whether a path is one that this run writes itself.
        carried: Variables of this machine that workers get.
        in_clear: Whether it may be sent without TLS.
    """

    engine: Engine
    where: str
    code: Code | None = None
    shared: dict[str, SentDirectory] = field(default_factory=dict)
    ours: Callable[[str], bool] = lambda _: False
    carried: Mapping[str, str] = field(default_factory=dict)
    in_clear: bool = False

    @property
    def name(self) -> str:
        """Return the host's name, as `--ptc-host` has it."""
        return self.engine.name

    @property
    def attach(self) -> None:
        """Return that there is no one command to watch: each node has its own."""

    @property
    def tmux_socket(self) -> None:
        """Return that there is no tmux server on this machine."""

    def take(self, specs: Sequence[TaskSpec]) -> list[str]:
        """Pack what tasks need of this machine; return lines about each directory that is new.

        Raises:
            PtcError: It cannot be sent; the message has the fix.
        """
        if self.in_clear:
            refuse_secrets(specs)
        if self.code is None:
            for top in {_shared_top(spec.cwd) for spec in specs} - set(self.shared):
                self.shared[top] = SentDirectory(
                    key=top, data=described(top, self.ours), names=[(top, ".")]
                )
            return []
        new = self.code.take(specs)
        more = {"ptc_dask_env": self.carried.values()}
        refuse_foreign_paths(specs, self.code, more=more, ours=self.ours)
        return [line for sent in new for line in sent.lines]

    def crew(
        self,
        *,
        place: RunPlace,
        settings: Settings,
        agents: RunAgents,
        journal: Journal,
        scratch: Path,
    ) -> CrewMaker:
        """Return what makes the run's crew.

        Args:
            place: Where the run takes place.
            settings: What the user asked.
            agents: What does its tasks.
            journal: Its journal.
            scratch: Its private folder.
        """
        needed = self._needed_shared if self.code is None else partial(_needed, self.code)
        here = this_machine()
        setup = RunSetup(
            settings=settings_to_json(settings),
            root=str(place.root),
            start=str(place.start),
            search_path=tuple(agents.own.python.search_path),
            kinds=tuple(
                msgspec.convert(kind_place(kind), KindPlace) for kind in agents.kinds_of_plugins
            ),
            ships=self.code is not None,
            environ=dict(self.carried),
            host=settings.dask_node_host,
            home=(here.boot, here.network),
        )
        return partial(
            RemoteCrew,
            engine=self.engine,
            journal=journal,
            folder=journal.folder,
            setup=setup,
            directories=needed,
            lease=settings.dask_lease,
            scratch=scratch,
            proof=journal.key.control,
        )

    def _needed_shared(self, cwd: str | None) -> Sequence[SentDirectory]:
        """Return what a node must share for a task in a directory; nothing for what none needs."""
        return () if cwd is None else (self.shared[_shared_top(cwd)],)


def _shared_top(cwd: str) -> str:
    """Return what a node must have at the same path for a directory of a task."""
    return str(repository_top(cwd) or os.path.realpath(cwd))


def _needed(code: Code, cwd: str | None) -> Sequence[SentDirectory]:
    """Return what a task in a directory needs, or what every node does."""
    sent = code.at_root() if cwd is None else code.of(cwd)
    names = [
        (name, os.path.relpath(place, _PLACE)) for name, place in code.pairs({sent.key: _PLACE})
    ]
    return [SentDirectory(key=sent.key, data=sent.blob, names=names)]
