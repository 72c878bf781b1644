"""A storm over several machines: a suite whose workers are on nodes, and what befalls these."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil

from pytest_ptc.model.trouble import Cause
from pytest_ptc.model.variables import RUN_COOKIE
from tests.bench.suite import others_blocked
from tests.storm.faults import Fault, Hit, NoVictimError, Scene, Storm
from tests.storm.run import Aftermath, strike_on, weather
from tests.storm.story import Story
from tests.storm.suite import Phase, Suite, read_lines
from tests.support.dask_machines import DaskCluster
from tests.support.machines import GOOD_CABLES, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.storm.run import Plan
    from tests.storm.scripts import Script
    from tests.support.machines import Cables, Machine

#: Seconds that a node is waited for before it is lost, in these runs.
LEASE = 6.0
#: Seconds that a node has for its end beyond that.
_GRACE = 5.0
#: How many runs may pass until each node was in one.
_NEXT_RUNS = 3
#: Seconds between two looks at a run that is waited for.
_LOOK = 0.2

NODE_REPLACED = "a node killed, and replaced"
SCHEDULER = "the scheduler killed"
_ENDING = frozenset({Cause.WORKER_LOST, Cause.NO_WORKERS})


class NodeSuite(Suite):
    """A suite whose pytest is on one machine, and whose workers are on others.

    Args:
        client: The machine of pytest.
        cluster: The cluster that brings the workers to their nodes.
        scripts: The scripts.
    """

    def __init__(self, client: Machine, cluster: DaskCluster, scripts: Sequence[Script]) -> None:
        self.client = client
        self.cluster = cluster
        self._outcomes = client.folder / "outcomes.jsonl"
        super().__init__(
            client.folder / "suite", scripts, notes="/tmp/notes", outcomes="/tmp/outcomes.jsonl"
        )
        (self.folder / ".gitignore").write_text(".pytest_cache\n__pycache__\n")
        who = ("-c", "user.name=n", "-c", "user.email=n@example.org")
        for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=x")):
            subprocess.run(["git", *who, *words], cwd=self.folder, check=True)

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start pytest."""
        return self.client.start(
            *(sys.executable, "-m", "pytest", "-q", "-W", "error", *others_blocked()),
            *("--ptc-host=dask", f"--ptc-dask-scheduler={self.cluster.address}"),
            *("--ptc-dask-insecure", "-o", f"ptc_dask_lease={LEASE:g}", *args),
            log="pytest.log",
            cwd="/tmp/suite",
        )

    def pytest(self) -> psutil.Process:
        """Return pytest's process."""
        return self.client.processes("-m pytest")[0]

    def abort(self, run: subprocess.Popen[bytes]) -> None:
        """Have pytest show where each of its threads is, and be ended by it."""
        del run  # outside of pytest's machine
        self.pytest().send_signal(6)

    def said(self) -> str:
        """Return what pytest has printed."""
        return (self.client.folder / "pytest.log").read_text()

    def phases(self) -> list[Phase]:
        """Return what pytest reported, in order."""
        return [Phase(*told) for told in read_lines(self._outcomes)]

    def forget_outcomes(self) -> None:
        """Have `phases` return what is reported from now on."""
        self._outcomes.unlink()

    def processes(self) -> list[psutil.Process]:
        """Return the processes of workers and agents that are alive on any machine."""
        return [process for machine in self._machines() for process in _processes_on(machine)]

    def left(self, machines: Sequence[Machine] = ()) -> Iterator[str]:
        """Name whatever a run has left behind, also once every node has had its time to end.

        What a machine has on its disk that has lost its power, the next run there removes.

        Args:
            machines: Where; on all if there are none.
        """
        where = [machine for machine in machines or self._machines() if machine.is_up]
        left = self._left_in_time(where)
        if any(node.boots > 1 for node in where):
            # A node that has just been booted may be there too late for the first of them.
            for _ in range(_NEXT_RUNS):
                if left:
                    self._next_run()
                    left = self._left_in_time(where)
        yield from left

    def _left_in_time(self, machines: Sequence[Machine]) -> list[str]:
        deadline = time.monotonic() + LEASE + _GRACE
        while (left := list(_left_on(machines))) and time.monotonic() < deadline:
            time.sleep(_LOOK)
        return left

    def _next_run(self) -> None:
        places = len(self.cluster.nodes) * self.cluster.threads
        chosen = " or ".join(script.name for script in self.scripts[:places])
        self.start(f"--ptc-workers={places}", "--ptc-timeout=5", "-k", chosen).wait()

    def _machines(self) -> list[Machine]:
        return [machine for machine in (self.client, *self.cluster.nodes) if machine.is_up]

    def _note_folders(self) -> list[Path]:
        return [node.folder / "notes" for node in self.cluster.nodes]


def _processes_on(machine: Machine) -> list[psutil.Process]:
    return [process for process in machine.processes() if _is_of_a_run(process)]


def _is_of_a_run(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return RUN_COOKIE in process.environ() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _left_on(machines: Sequence[Machine]) -> Iterator[str]:
    for machine in machines:
        for process in _processes_on(machine):
            with suppress(psutil.Error):
                yield f"{machine.name}: process {process.pid}: {' '.join(process.cmdline())}"
        for pattern in ("ptc-*", "tmux-*/*", "home/.claude/tasks/*/*"):
            yield from (f"{machine.name}: {path}" for path in machine.folder.glob(pattern))


# What befalls nodes: each returns when it is done, and harms the workers that were there.


def kill_worker(cluster: DaskCluster, node: Machine) -> None:
    """Kill the process of Dask's that tasks run in; its nanny starts another."""
    cluster.worker_of(node).kill()


def kill_machine(cluster: DaskCluster, node: Machine) -> None:
    """Take a node's power."""
    del cluster
    node.kill()


def replace_machine(cluster: DaskCluster, node: Machine) -> None:
    """Take a node's power, and have it again, with the same disk."""
    node.kill()
    node.boot()
    cluster.start_node(node)


def pull_cable(seconds: float) -> Callable[[DaskCluster, Machine], None]:
    """Take a node's cable out for so long."""

    def pull(cluster: DaskCluster, node: Machine) -> None:
        node.pull()
        cluster.later(seconds, node.plug)

    return pull


def stop_supervisor(seconds: float) -> Callable[[DaskCluster, Machine], None]:
    """Stop the process of Dask's that tasks run in for so long; workers and agents go on."""

    def stop(cluster: DaskCluster, node: Machine) -> None:
        process = cluster.worker_of(node)
        process.suspend()
        cluster.later(seconds, process.resume)

    return stop


def kill_scheduler(cluster: DaskCluster, node: Machine) -> None:
    """Kill the scheduler's process."""
    del node
    cluster.scheduler.processes("scheduler")[0].kill()


def _done_to(
    cluster: DaskCluster, fault: Callable[[DaskCluster, Machine], object]
) -> Callable[[Scene], Hit]:
    def act(scene: Scene) -> Hit:
        busy = [node for node in cluster.nodes if scene.story.workers_on(node.name)]
        if not busy:
            raise NoVictimError
        node = scene.chance.choice(busy)
        workers = scene.story.workers_on(node.name)
        fault(cluster, node)
        return Hit(workers=workers)

    return act


def _done_to_all(
    cluster: DaskCluster, fault: Callable[[DaskCluster, Machine], object]
) -> Callable[[Scene], Hit]:
    def act(scene: Scene) -> Hit:
        fault(cluster, cluster.scheduler)
        return Hit(workers=tuple(scene.story.nodes))

    return act


def node_faults(cluster: DaskCluster) -> Mapping[str, Fault]:
    """Return what may be done to a cluster; the last two leave no storm much to do."""

    def fault(act: Callable[[DaskCluster, Machine], object], *causes: Cause) -> Fault:
        return Fault(1, _done_to(cluster, act), frozenset(causes))

    return {
        NODE_REPLACED: fault(replace_machine, Cause.WORKER_LOST),
        "SIGKILL of a Dask worker": fault(kill_worker, Cause.WORKER_LOST),
        "a cable out for 3 s": fault(pull_cable(3.0)),
        "a cable out for 20 s": fault(pull_cable(20.0), Cause.WORKER_LOST),
        "a supervisor stopped for 20 s": fault(stop_supervisor(20.0), Cause.WORKER_LOST),
        "a node killed": fault(kill_machine, Cause.WORKER_LOST),
        SCHEDULER: Fault(1, _done_to_all(cluster, kill_scheduler), _ENDING),
    }


@contextmanager
def cluster_storm(
    plan: Plan,
    folder: Path,
    *,
    nodes: int,
    kinds: Sequence[str] = (),
    cables: Cables = GOOD_CABLES,
) -> Iterator[Storm]:
    """Have machines with a cluster that brings a suite's workers to its nodes.

    Args:
        plan: How large the storm is.
        folder: Where the machines have their disks.
        nodes: How many nodes there are; they share the workers' places.
        kinds: The faults that it does; all if there are none.
        cables: What their cables are like.
    """
    names = ["pc", "scheduler", *(f"node{number}" for number in range(1, nodes + 1))]
    with World(folder, cables).there(*names) as world:
        client, scheduler, *machines = world
        cluster = DaskCluster(scheduler, machines, threads=-(-plan.workers // nodes))
        cluster.start()
        suite = NodeSuite(client, cluster, plan.scripts())
        faults = node_faults(cluster)
        chosen = {kind: faults[kind] for kind in kinds or list(faults)[:-2]}
        try:
            yield Storm(Scene(suite=suite, story=Story(), chance=plan.chance()), chosen)
        finally:
            cluster.settled()


def run_cluster_storm(plan: Plan, folder: Path, *, nodes: int, kinds: Sequence[str]) -> Aftermath:
    """Run a suite on nodes through a storm, and judge what came of it."""
    with cluster_storm(plan, folder, nodes=nodes, kinds=kinds) as storm:
        return weather(plan, storm, strike_on)


def strike_once(
    after: int,
) -> Callable[[subprocess.Popen[bytes], Storm, Plan], None]:
    """Return what does one fault, once so many attempts have ended, and looks until all have."""

    def rage(run: subprocess.Popen[bytes], storm: Storm, plan: Plan) -> None:
        deadline = time.monotonic() + plan.patience
        while run.poll() is None and time.monotonic() < deadline:
            time.sleep(_LOOK)
            storm.scene.look()
            storm.look()
            if ended(storm) >= after and not storm.strikes:
                storm.strike()
        suite = storm.scene.suite
        assert isinstance(suite, NodeSuite)
        suite.cluster.settled()

    return rage


def ended(storm: Storm) -> int:
    """Return how many attempts have ended, as far as was looked."""
    return sum(told.ended is not None for told in storm.scene.story.attempts.values())
