"""What `ptc run` adds to the same items in a suite file: five, and an agent that costs nothing.

Runs of both, in turn. The CPU is that of the command and of its workers, which are alike, and is
held to the target: on a machine that others use, the wall clocks of two runs of the same thing
differ by more than we want to know.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.figures import Figure, Row, Target
from tests.bench.suite import ROOT, BenchError, others_blocked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PAIRS = 15
TARGET = Target(of="median", most=150.0)
ITEMS = ("a", "b", "c", "d", "e")

_AGENT = 'print(\'{"verdict": "pass", "summary": "so it is"}\')\n'
_INI = "[pytest]\nptc_agent = command\nptc_command = {python} agent.py\nptc_host = process\n"
_SUITE = "---\neach: [a, b, c, d, e]\n---\nDo {each}.\n"


def measure(folder: Path) -> Iterator[Row]:
    """Yield what the command costs more than the file, and what the file costs."""
    folder = folder / "command"
    folder.mkdir()
    (folder / "agent.py").write_text(_AGENT)
    (folder / "pytest.ini").write_text(_INI)
    (folder / "suite.ptc.md").write_text(_SUITE)
    command = ("pytest_ptc.cli", "run", "Do {each}.", *ITEMS, "--", *others_blocked())
    file = ("pytest", "-q", "--ptc-workers=5", "--ptc-exit-codes", *others_blocked())
    # The first runs write caches that all later ones find.
    for words in (command, file):
        _run(folder, words)
    pairs = [(_run(folder, command), _run(folder, file)) for _ in range(PAIRS)]
    for place, name in enumerate(("CPU", "wall clock")):
        more = [1e3 * (one[place] - other[place]) for one, other in pairs]
        what = f"`ptc run` less the same items in a file, in turn, {name}"
        yield Figure(what=what, unit="ms", values=more, target=None if place else TARGET)
        alone = [1e3 * other[place] for _, other in pairs]
        yield Figure(what=f"- the file alone, {name}", unit="ms", values=alone)
        ratio = median(one[place] for one, _ in pairs) / median(other[place] for _, other in pairs)
        yield Figure(what=f"- ratio of the medians, {name}", unit="", values=[ratio])


def _run(folder: Path, words: Sequence[str]) -> tuple[float, float]:
    """Run a module of Python, and return the seconds of CPU and of wall clock that it took."""
    strange = ("PTC_", "PYTEST_", "PYTHON", "CLAUDE", "ANTHROPIC", "TMUX", "GITHUB_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    environ |= {
        "CLAUDE_CONFIG_DIR": str(folder / ".claude"),
        "PYTHONPATH": str(ROOT),
        "PYTHONPYCACHEPREFIX": str(folder.parent / "pycache"),
        "XDG_STATE_HOME": str(folder.parent / "state"),
    }
    start = time.monotonic()
    with (folder / "output.log").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=folder,
            env=environ,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        # Not through `process`: only this call tells what this one child used.
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        text = (folder / "output.log").read_text()[-2000:]
        raise BenchError(f"{words[0]} ended with {process.returncode}:\n{text}")
    return usage.ru_utime + usage.ru_stime, wall
