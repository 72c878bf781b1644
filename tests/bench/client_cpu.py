"""What a task costs the Claude Code process alone, which is most of what a task costs.

The clients of our workers are watched from outside while a scripted model records at once. What one
more task costs is the difference of two runs: starting a client is not in it. It falls with the
tasks that a client has done, whose code the engine has compiled by then, and rises with what else
the machine does: one worker's client has done 24 to 96 tasks here, each of four has done 6 to 24.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import psutil

from tests.bench.client import client_command, client_environment
from tests.bench.figures import Check, Figure, Row, Target
from tests.bench.processes import ProcessTree, Sampler, adopting, stand_in
from tests.bench.suite import BenchError, Suite, others_blocked, start_pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUNDS = 3
SMALL, LARGE = 24, 96
WORKERS = (1, 2, 4)
#: Seconds between two looks at a client, so much of its last work is not seen.
INTERVAL = 0.02
#: The most seconds of a client's CPU for one more task.
MOST_S = 0.10


def measure(folder: Path) -> Iterator[Row]:
    """Yield what one more task costs clients, and the size of its request."""
    sizes: list[int] = []
    costs: dict[int, list[tuple[float, float]]] = {workers: [] for workers in WORKERS}
    with adopting():
        for number in range(ROUNDS):
            for workers in WORKERS:
                few, more = (
                    _clients(folder / f"{number}-{workers}-{tasks}", tasks, workers, sizes)
                    for tasks in (SMALL, LARGE)
                )
                costs[workers].append(((more - few) / (LARGE - SMALL), more / LARGE))
    wanted = ROUNDS * len(WORKERS) * (SMALL + LARGE)
    problem = None if len(sizes) == wanted else f"{len(sizes)} requests for {wanted} tasks"
    yield Check(what="a task needs one request", problem=problem)
    for workers, values in costs.items():
        one_more, each_of_all = ([pair[place] for pair in values] for place in (0, 1))
        what = f"clients of {workers} workers, one more task, from {SMALL} to {LARGE}: CPU"
        yield Figure(what=what, unit="s", values=one_more, target=Target(of="median", most=MOST_S))
        yield Figure(what=f"- {LARGE} tasks and the start, a task", unit="s", values=each_of_all)
    yield Figure(what="request of a task", unit="kB", values=[size / 1e3 for size in sizes])


def _clients(folder: Path, tasks: int, workers: int, sizes: list[int]) -> float:
    """Run a suite of so many tasks; return the seconds of CPU that its clients took.

    Raises:
        BenchError: A test did not pass, or no client was seen.
    """
    Suite(
        folder,
        ["record pass fine"] * tasks,
        prompt="Look at it.\n> {value}",
        ini="ptc_agent = claude\n",
    )
    args = (*others_blocked(), f"--ptc-workers={workers}", "--ptc-host=process")
    log, seen = folder / "pytest.log", dict[int, float]()
    with stand_in(folder / "api.log") as server, log.open("w") as output:
        process = start_pytest(
            folder,
            *args,
            probe=folder / "unused.json",
            output=output,
            more=client_environment(folder, server.url),
        )
        with (
            ProcessTree(process, beside=server.pid) as tree,
            Sampler(lambda: _look(seen), INTERVAL),
        ):
            tree.wait_for_root()
            tree.wait_for_rest()
    if process.returncode:
        raise BenchError(f"pytest ended with {process.returncode}:\n{log.read_text()[-4000:]}")
    if len(seen) < workers:
        raise BenchError(f"{len(seen)} clients of {workers} workers were seen")
    sizes += server.sizes
    return sum(seen.values())


def _look(seen: dict[int, float]) -> list[float]:
    """Note what each client has taken so far."""
    program = client_command()[0]
    for process in psutil.Process().children(recursive=True):
        # One that ends meanwhile keeps what was seen of it.
        with contextlib.suppress(psutil.Error, IndexError):
            if process.pid in seen or process.cmdline()[0] == program:
                times = process.cpu_times()
                seen[process.pid] = times.user + times.system
    return []
