"""Send a run through a storm of faults, and say whether it kept the law.

    python -m tests.storm                                  the full size, some minutes
    python -m tests.storm --tasks 40 --workers 4 --every 0.4 --seed 7
    python -m tests.storm --folder DIR                     keep what the run has written in DIR
    python -m tests.storm --host dask --every 20 --kind "a node killed, and replaced"

Agents of many kinds pass, fail, skip, hang and break as their scripts say, while workers, agents,
tmux and the files of the shared list are killed, stopped, broken and removed at random. Whatever
befalls it, every item must end as its script says or in an error that names its cause; no verdict
that `ptc record` has acknowledged may be lost, none of these tasks may be done again, and nothing
may be left behind. The law in full is in `law.py`, the faults are in `faults.py`.

The exit status is 1 if the law was broken; then every breach is listed.
"""

# ruff: noqa: T201 - a program that prints its findings

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from pathlib import Path

from tests.storm.nodes import run_cluster_storm
from tests.storm.run import Aftermath, Plan, run_storm


def main() -> int:
    """Run one storm; 1 if the law was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.storm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tasks", type=int, default=1000, help="how many tasks (1000)")
    parser.add_argument("--workers", type=int, default=16, help="how many workers (16)")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two faults (2)")
    parser.add_argument("--seed", type=int, help="the storm to have again (a new one)")
    parser.add_argument("--folder", type=Path, help="an empty folder for the run's files")
    parser.add_argument(
        "--host", choices=("tmux", "dask"), default="tmux", help="where workers run (tmux)"
    )
    parser.add_argument("--nodes", type=int, default=4, help="with dask: how many machines (4)")
    parser.add_argument(
        "--kind", action="append", default=[], help="with dask: do only these faults (all)"
    )
    arguments = parser.parse_args()
    # A job that is stopped leaves nothing either.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    seed = random.randrange(10_000) if arguments.seed is None else arguments.seed  # noqa: S311
    plan = Plan(tasks=arguments.tasks, workers=arguments.workers, every=arguments.every, seed=seed)
    aftermath = _weathered(plan, arguments)
    print(aftermath.report())
    return int(bool(aftermath.violations))


def _weathered(plan: Plan, arguments: argparse.Namespace) -> Aftermath:
    def run(folder: Path) -> Aftermath:
        if arguments.host == "dask":
            return run_cluster_storm(plan, folder, nodes=arguments.nodes, kinds=arguments.kind)
        return run_storm(plan, folder)

    if arguments.folder is not None:
        return run(arguments.folder.absolute())
    with tempfile.TemporaryDirectory(prefix="storm-") as below:
        return run(Path(below) / "suite")


if __name__ == "__main__":
    sys.exit(main())
