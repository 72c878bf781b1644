"""What the plugin costs a pytest run that does not use it, and that it imports nothing heavy.

Measured twice: by timing it from within, and by runs with and without it, in turn. The first sees
the import and our own hooks alone, is exact, and is held to the target. The second holds everything
and shows that nothing was forgotten; on a machine that others use, two runs of the same thing
differ by more than we want to know.
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

PARTS = {"cpu": "CPU", "wall": "wall clock"}

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
    for part in ("cpu", "wall"):
        spent = [{name: 1e3 * seconds for name, seconds in run[part].items()} for run in told]
        both = [run["import"] + run["hooks"] for run in spent]
        what = f"import and hooks, from within, {PARTS[part]}"
        yield Figure(what=what, unit="ms", values=both, target=TARGET if part == "cpu" else None)
        yield Figure(what="- import", unit="ms", values=[run["import"] for run in spent])
        yield Figure(what="- hooks", unit="ms", values=[run["hooks"] for run in spent])
    yield from _compared(pairs)
    yield _check_imports(set(told[0]["imported"]), set(_look_within(folder, *_WITHOUT)["imported"]))


def _compared(pairs: list[tuple[Spent, Spent]]) -> Iterator[Row]:
    cpu = [1e3 * (with_us.cpu - without.cpu) for with_us, without in pairs]
    wall = [1e3 * (with_us.wall - without.wall) for with_us, without in pairs]
    what = "run with it less run without, in turn"
    yield Figure(what=f"{what}, CPU", unit="ms", values=cpu)
    yield Figure(what=f"{what}, wall clock", unit="ms", values=wall)
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
