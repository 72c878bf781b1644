"""What a task costs that costs nothing: 500 tasks of a shell that ends at once, on 8 workers.

The cost of a task is what runs of different sizes differ by, so that the start of pytest and of the
workers is no part of it; it is flat if the later tasks of a run cost no more than the earlier ones.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.figures import Check, Figure, Row, Target, quantile
from tests.bench.suite import Run, Suite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WORKERS = 8
#: Sizes of the runs: the first half of the tasks between them against the second.
SMALL, MIDDLE, LARGE = SIZES = (50, 275, 500)
ROUNDS = 5
#: Milliseconds of the coordinator's own CPU.
COORDINATOR = Target(of="median", most=2.0)
#: How much more a task of the second half may cost. One whose cost grows with the number of tasks
#: before it would cost 2.4 times as much; the rest is for the noise of a machine that others use.
FLAT = Target(of="median", most=1.25)

#: The file to which every agent appends the id of its task: one small write, which nobody tears.
DONE = "done"


class Cost(NamedTuple):
    """What one run cost, in seconds.

    `late_to_early` compares what its late tasks took on the clock with its early ones: within one
    run, because from one run to the next the load of the machine differs more.
    """

    wall: float
    coordinator: float
    pytest: float
    workers: float
    late_to_early: float = math.nan


def measure(folder: Path) -> Iterator[Row]:
    """Yield the checks and the figures of all rounds."""
    costs: dict[int, list[Cost]] = {size: [] for size in SIZES}
    plain: dict[int, list[Cost]] = {size: [] for size in SIZES}
    problems = []
    _run_tasks(folder / "first", 10)  # compiles what all later runs find compiled
    for number in range(ROUNDS):
        # Interleaved, so that whatever else the machine does falls on all sizes alike.
        for size in SIZES:
            place = folder / f"{number}-{size}"
            tasks, problem = _run_tasks(place, size)
            costs[size].append(tasks)
            plain[size].append(_run_plain(folder / f"{number}-{size}-plain", size))
            problems += [f"{size} tasks: {problem}"] if problem else []
    runs = ROUNDS * len(SIZES)
    yield Check(
        what=f"every task done exactly once, in {runs} runs",
        problem=problems[0] if problems else None,
    )
    yield from _figures(costs, plain)


def _figures(costs: dict[int, list[Cost]], plain: dict[int, list[Cost]]) -> Iterator[Row]:
    coordinator = [cost.coordinator / LARGE * 1e3 for cost in costs[LARGE]]
    yield _a_task(f"coordinator's thread, CPU, {LARGE} tasks", coordinator, COORDINATOR)
    pairs = zip(costs[LARGE], plain[LARGE], strict=True)
    more = [(tasks.pytest - items.pytest) / LARGE * 1e3 for tasks, items in pairs]
    yield _a_task("pytest's process, CPU beyond a plain test's, all included", more)
    cpu: dict[str, Callable[[Cost], float]] = {
        "pytest's process, CPU": _pytest,
        "coordinator's thread, CPU": lambda cost: cost.coordinator,
        "workers and agents, CPU": lambda cost: cost.workers,
    }
    of_tests = _between(plain, SMALL, LARGE, _pytest)
    of_tasks = _between(costs, SMALL, LARGE, _pytest)
    more = [task - test for task, test in zip(of_tasks, of_tests, strict=True)]
    yield _a_task(f"pytest's process, CPU beyond a plain test's, {SMALL} to {LARGE}", more)
    yield _a_task("plain test, CPU, without ptc", of_tests)
    for what, of in cpu.items():
        yield _a_task(f"{what}, {SMALL} to {LARGE}", _between(costs, SMALL, LARGE, of))
    wall = _between(costs, SMALL, LARGE, lambda cost: cost.wall)
    yield _a_task(f"wall clock, {SMALL} to {LARGE}", wall)
    for what, of in cpu.items():
        late = _between(costs, MIDDLE, LARGE, of)
        early = _between(costs, SMALL, MIDDLE, of)
        # Medians first: a ratio of two differences of single runs is mostly noise.
        ratio = quantile(late, 0.5) / quantile(early, 0.5)
        yield Figure(what=f"{what}: late to early tasks", unit="", values=[ratio], target=FLAT)
    clock = [cost.late_to_early for cost in costs[LARGE]]
    yield Figure(what="wall clock: late to early tasks", unit="", values=clock, target=FLAT)


def _pytest(cost: Cost) -> float:
    return cost.pytest


def _between(
    costs: dict[int, list[Cost]], small: int, large: int, of: Callable[[Cost], float]
) -> list[float]:
    """Return what each task beyond `small` cost in each round, in milliseconds."""
    pairs = zip(costs[small], costs[large], strict=True)
    return [(of(more) - of(less)) / (large - small) * 1e3 for less, more in pairs]


def _a_task(what: str, values: list[float], target: Target | None = None) -> Figure:
    return Figure(what=f"{what}, a task", unit="ms", values=values, target=target)


def _run_tasks(folder: Path, size: int) -> tuple[Cost, str | None]:
    folder.mkdir()
    agent = folder / "agent.sh"
    agent.write_text(f'echo "$PTC_TASK_ID" >> {DONE}\n')
    suite = Suite(
        folder,
        list(range(size)),
        prompt="Do {value}.",
        ini=f'ptc_agent = command\nptc_command = /bin/sh "{agent}"\nptc_verdict_from_exit = true\n',
    )
    start = time.monotonic()
    # The process host: its workers' CPU comes to be known when they are reaped.
    run = suite.run(f"--ptc-workers={WORKERS}", "--ptc-host=process")
    return _cost(run, time.monotonic() - start), _problem(run, folder, size)


def _run_plain(folder: Path, size: int) -> Cost:
    suite = Suite(folder, list(range(size)))
    start = time.monotonic()
    return _cost(suite.run("-p", "no:ptc"), time.monotonic() - start)


def _cost(run: Run, wall: float) -> Cost:
    told = run.probe
    cpu = (told["cpu_of_coordinator"], told["cpu"], told["cpu_of_children"])
    ended = sorted(event["at"] for event in run.named("ended")) if run.journal else []
    if len(ended) < LARGE:
        return Cost(wall, *cpu)
    # The first ones are left out, as above: while they are done, workers are still starting.
    late = (ended[LARGE - 1] - ended[MIDDLE - 1]) / (LARGE - MIDDLE)
    early = (ended[MIDDLE - 1] - ended[SMALL - 1]) / (MIDDLE - SMALL)
    return Cost(wall, *cpu, late_to_early=late / early)


def _problem(run: Run, folder: Path, size: int) -> str | None:
    """Return which task was not done exactly once, by the journal or by the agents' own file."""
    tasks = {event["task"] for event in run.named("submitted")}
    if len(tasks) != size:
        return f"{len(tasks)} were submitted"
    done = Counter((folder / DONE).read_text().split())
    passed = [
        event for event in run.named("ended") if (event["verdict"] or {})["verdict"] == "pass"
    ]
    told = {
        "assigned": Counter(event["attempt"].split(".")[0] for event in run.named("assigned")),
        "passed": Counter(event["task"] for event in passed),
        "run by an agent": done,
    }
    for what, counts in told.items():
        wrong = sorted({task for task in tasks | counts.keys() if counts[task] != 1})
        if wrong:
            return f"task {wrong[0]} was {what} {counts[wrong[0]]} times"
    reported = len(run.probe["reported"])
    return None if reported == size else f"{reported} items were reported"
