"""Workers on a Dask cluster of this machine against workers that are its own child processes.

Both run the same suite in turn. Latency is measured as in `latency.py`. The CPU of a task is that
of all processes of a run (pytest, scheduler, nodes, workers, agents), by which a large run differs
from a small one: the start of the cluster is no part of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.bench import latency
from tests.bench.figures import Figure, Row, Target
from tests.bench.processes import ProcessTree, adopting
from tests.bench.suite import BenchError, Run, journal_of, others_blocked, start_pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

WORKERS = 4
SMALL, LARGE = 20, 220
ROUNDS = 3
#: Milliseconds, from recorded to reported.
LATENCY = Target(of="p99", most=150.0)
#: Milliseconds of CPU that a task may cost beyond host `process`.
CPU = Target(of="median", most=30.0)
_HOSTS = {
    "process": ("--ptc-host=process",),
    "dask": ("--ptc-host=dask", "--ptc-dask-scheduler=local"),
}


class Cost(NamedTuple):
    """What one round of a host came to.

    Args:
        cpu: Milliseconds of CPU that a task costs.
        whole: Milliseconds from recorded to reported, of each task of the large run.
    """

    cpu: float
    whole: list[float]


def measure(folder: Path) -> Iterator[Row]:
    """Yield the figures of both hosts."""
    costs: dict[str, list[Cost]] = {host: [] for host in _HOSTS}
    with adopting():
        for number in range(ROUNDS):
            # In turn, so that whatever else the machine does falls on both alike.
            for host, args in _HOSTS.items():
                costs[host].append(_cost(folder, f"{number}-{host}", args))
    for host in _HOSTS:
        whole = [each for cost in costs[host] for each in cost.whole]
        target = LATENCY if host == "dask" else None
        yield Figure(what=f"{host}: recorded to reported", unit="ms", values=whole, target=target)
    for host in _HOSTS:
        values = [cost.cpu for cost in costs[host]]
        yield Figure(what=f"{host}: a task, CPU of all processes", unit="ms", values=values)
    pairs = zip(costs["dask"], costs["process"], strict=True)
    more = [dask.cpu - process.cpu for dask, process in pairs]
    yield Figure(what="- dask beyond process", unit="ms", values=more, target=CPU)


def _cost(folder: Path, name: str, args: Sequence[str]) -> Cost:
    small, _ = _run(folder / f"{name}-small", SMALL, args)
    large, run = _run(folder / f"{name}-large", LARGE, args)
    whole = [passage.whole for passage in latency.passages_of(run)]
    return Cost((large - small) / (LARGE - SMALL) * 1e3, whole)


def _run(folder: Path, tasks: int, args: Sequence[str]) -> tuple[float, Run]:
    """Return the seconds of CPU of a run, and the run.

    Raises:
        BenchError: A test did not pass, or processes are left.
    """
    suite = latency.suite(folder, "print", tasks)
    probe, log = folder / "probe.json", folder / "pytest.log"
    words = ("-p", "tests.bench.probe", *others_blocked(), f"--ptc-workers={WORKERS}", *args)
    with log.open("w") as output:
        process = start_pytest(suite.folder, *words, probe=probe, output=output)
        with ProcessTree(process) as tree:
            tree.wait_for_root()
            tree.wait_for_rest()
    if process.returncode:
        raise BenchError(f"pytest ended with {process.returncode}:\n{log.read_text()[-4000:]}")
    return tree.cpu, Run.of_probe(probe, journal_of(folder))
