"""What the plugin costs a pytest run that does not use it, and that it imports nothing heavy.

Measured twice: by runs with and without it, in turn, and by timing it from within. The first holds
everything and is noisy; the second is exact and sees the import and our own hooks alone.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.bench.figures import Check, Figure, Row, Target
from tests.bench.suite import BenchError, others_blocked, start_pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAIRS = 60
TARGET = Target(of="median", most=10.0)

#: What a run without workers must not import because of us.
HEAVY = ("libtmux", "filelock", "psutil", "asyncio", "jsonschema", "watchfiles")

_WITHOUT = ("-p", "no:ptc")


class Spent(NamedTuple):
    """What one run took, in seconds."""

    wall: float
    cpu: float


def measure(folder: Path) -> Iterator[Row]:
    """Yield the figures of both measurements, and the check of what was imported."""
    folder = folder / "plain"
    folder.mkdir()
    (folder / "test_plain.py").write_text("def test_plain():\n    pass\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    _run(folder)  # the first run writes caches that all later ones find
    pairs = [(_run(folder), _run(folder, *_WITHOUT)) for _ in range(PAIRS)]
    told = [_look_within(folder) for _ in range(PAIRS)]
    spent = [1e3 * (run["import"] + run["hooks"]) for run in told]
    yield Figure(what="import and hooks, from within", unit="ms", values=spent, target=TARGET)
    for part in ("import", "hooks"):
        yield Figure(what=f"- {part}", unit="ms", values=[1e3 * run[part] for run in told])
    yield from _compared(pairs)
    yield _check_imports(set(told[0]["imported"]), set(_look_within(folder, *_WITHOUT)["imported"]))


def _compared(pairs: list[tuple[Spent, Spent]]) -> Iterator[Row]:
    cpu = [1e3 * (with_us.cpu - without.cpu) for with_us, without in pairs]
    wall = [1e3 * (with_us.wall - without.wall) for with_us, without in pairs]
    # On a machine that others use, what a run costs at its best is the steadiest: the rest of any
    # run's CPU is what the others did to its caches and its core.
    best = 1e3 * (min(run.cpu for run, _ in pairs) - min(run.cpu for _, run in pairs))
    what = "run with it less run without"
    yield Figure(what=f"{what}, CPU, best of each", unit="ms", values=[best], target=TARGET)
    yield Figure(what=f"{what}, CPU, in turn", unit="ms", values=cpu)
    yield Figure(what=f"{what}, wall clock, in turn", unit="ms", values=wall)
    alone = [1e3 * without.cpu for _, without in pairs]
    yield Figure(what="run without it, CPU", unit="ms", values=alone)


def _check_imports(with_us: set[str], without: set[str]) -> Check:
    if "pytest_ptc.plugin" not in with_us or "pytest_ptc.plugin" in without:
        raise BenchError("the run with the plugin, or the one without, is not what it should be")
    roots = {name.partition(".")[0] for name in with_us - without}
    # A module that pytest imports itself is in both, and no proof of anything.
    heavy = sorted(roots.intersection(HEAVY))
    return Check(
        what=f"imports none of {', '.join(HEAVY)}",
        problem=f"imports {', '.join(heavy)}" if heavy else None,
    )


def _run(folder: Path, *args: str) -> Spent:
    """Run pytest on one plain test, and return what that took."""
    start = time.monotonic()
    process = start_pytest(folder, *others_blocked(), *args, probe=folder / "unused.json")
    # Not through `process`: only this call tells what this one child used.
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchError(f"pytest ended with {process.returncode}")
    return Spent(wall, usage.ru_utime + usage.ru_stime)


def _look_within(folder: Path, *args: str) -> dict[str, Any]:
    probe = folder / "probe.json"
    process = start_pytest(
        folder, "-p", "tests.bench.import_probe", *others_blocked(), *args, probe=probe
    )
    if process.wait():
        raise BenchError(f"pytest ended with {process.returncode}")
    told: dict[str, Any] = json.loads(probe.read_text())
    return told
