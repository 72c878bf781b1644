"""What a sandbox costs a task: the same program with and without one, in turn.

One worker does the tasks one after the other; the first are left out, while caches are cold.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from tests.bench.figures import Figure, Row, Target
from tests.bench.suite import BenchError, Suite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAIRS, TASKS, COLD = 10, 12, 2
TARGET = Target(of="median", most=50.0)


def measure(folder: Path) -> Iterator[Row]:
    """Yield what a task costs more in a sandbox, and what it costs without."""
    pairs = [
        tuple(_seconds(folder / f"{number}-{what}", what) for what in ("bwrap", "off"))
        for number in range(PAIRS)
    ]
    more = [1e3 * (inside - outside) for inside, outside in pairs]
    yield Figure(what="a task in a sandbox less one without", unit="ms", values=more, target=TARGET)
    alone = [1e3 * outside for _, outside in pairs]
    yield Figure(what="- a task without, from its start to its end", unit="ms", values=alone)


def _seconds(folder: Path, sandbox: str) -> float:
    """Return the median of the seconds that a task takes."""
    ini = "ptc_agent = command\nptc_command = /bin/sh -c :\nptc_verdict_from_exit = true\n"
    suite = Suite(folder, list(range(TASKS)), prompt="Do {value}.", ini=ini)
    run = suite.run("--ptc-workers=1", "--ptc-host=process", f"--ptc-sandbox={sandbox}")
    ended = [event["seconds"] for event in run.named("ended")]
    if len(ended) != TASKS:
        raise BenchError(f"{len(ended)} of {TASKS} tasks ended")
    return float(median(ended[COLD:]))
