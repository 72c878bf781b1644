"""Run the benchmarks and say which targets are met.

    python -m tests.bench                        all parts, some minutes
    python -m tests.bench latency                from a recorded verdict to a reported outcome
    python -m tests.bench throughput             what a task costs that costs nothing
    python -m tests.bench import                 what the plugin costs a run that does not use it
    python -m tests.bench reports                what reports of 10,000 findings cost
    python -m tests.bench run-command            what `ptc run` adds to a suite file
    python -m tests.bench sandbox                what a sandbox costs a task
    python -m tests.bench status                 what a status of a large run costs
    python -m tests.bench agents                 what a one-step task costs with each agent
    python -m tests.bench cluster                workers on a Dask cluster against our own
    python -m tests.bench judges                 what votes, verification and canaries are worth
    python -m tests.bench scale                  10,000 tasks on 500 workers that are played
    python -m tests.bench resuming               what it costs to know what attempts could see
    python -m tests.bench claude                 Claude Code: ours, one client a test, `Workflow`
    python -m tests.bench client                 what a task costs the Claude Code process alone
    python -m tests.bench main-session           what a fan-out costs the session that wants it
    python -m tests.bench --folder DIR ...       on the file system that matters

It runs from the checkout's root, with the package installed, and measures the package of the
checkout. The exit status is 1 if a target is missed. Figures depend on the machine and on what else
it does: the line above each table says what that was. What a claim on the shared list costs is
measured by `python -m tests.bench.bench_tasklist`.
"""

# ruff: noqa: T201 - a program that prints its figures

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.bench import (
    agents,
    claude,
    client_cpu,
    cluster,
    importing,
    judges,
    latency,
    main_session,
    reports,
    resuming,
    run_command,
    sandbox,
    scale,
    status,
    throughput,
)
from tests.bench.figures import HEADINGS, table

PARTS = {
    "latency": latency,
    "throughput": throughput,
    "import": importing,
    "reports": reports,
    "judges": judges,
    "resuming": resuming,
    "run-command": run_command,
    "sandbox": sandbox,
    "scale": scale,
    "status": status,
    "agents": agents,
    "cluster": cluster,
    "claude": claude,
    "client": client_cpu,
    "main-session": main_session,
}


def main() -> int:
    """Measure what was asked for; 1 if a target was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", nargs="*", help=f"what to measure: {', '.join(PARTS)}")
    parser.add_argument("--folder", help="where the measured suites are made")
    arguments = parser.parse_args()
    if unknown := set(arguments.part) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    missed = [_measure(part, arguments.folder) for part in arguments.part or PARTS]
    return int(any(missed))


def _measure(part: str, below: str | None) -> bool:
    """Measure one part, print its table, and tell whether it missed a target."""
    print(f"## {part}\n")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=below) as folder:
        load = f"load {os.getloadavg()[0]:.1f} before"
        print(f"{_machine()}, on {_file_system(folder)}; {load}", end="", flush=True)
        rows = list(PARTS[part].measure(Path(folder)))
    headings = getattr(PARTS[part], "HEADINGS", HEADINGS)
    print(f", {os.getloadavg()[0]:.1f} after\n\n{table(rows, headings)}\n", flush=True)
    return any(row.missed for row in rows)


def _machine() -> str:
    versions = f"Python {platform.python_version()}, pytest {pytest.__version__}"
    return f"{os.cpu_count()} cores, {platform.system()}, {versions}"


def _file_system(folder: str) -> str:
    """Return the type of the file system: what a new file costs differs by a factor of fifty."""
    real = Path(folder).resolve()
    mounted = psutil.disk_partitions(all=True)
    around = [part for part in mounted if real.is_relative_to(part.mountpoint)]
    return max(around, key=lambda part: len(part.mountpoint)).fstype if around else "?"


if __name__ == "__main__":
    sys.exit(main())
