"""A generated suite, run by pytest in a process of its own, and what such a run left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from tests.bench import PROBE_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

#: The checkout's root: what is measured is the package beside these benchmarks, installed or not.
ROOT = Path(__file__).resolve().parents[2]

#: Plugins that stay: ours, and the one that it requires. The others on this machine cost what they
#: cost in every item, and would make the figures of two machines differ.
_KEPT = ("ptc", "timeout")

_SUITE = """
import pytest

{mark}
@pytest.mark.parametrize("value", {values})
def test_task(value):
    {prompt!r}
"""


class BenchError(Exception):
    """A run that was to be measured did not do what it should."""


@dataclass(frozen=True)
class Run:
    """One pytest run, ended.

    Args:
        probe: What the probe wrote; see `probe.py`.
        journal: The run's folder in the journal; None for a run without workers.
    """

    probe: dict[str, Any]
    journal: Path | None

    @classmethod
    def of_probe(cls, probe: Path, journal: Path | None) -> Self:
        """Return the run whose probe wrote this file."""
        return cls(json.loads(probe.read_text()), journal)

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """Return the journal's events."""
        assert self.journal is not None
        lines = (self.journal / "journal.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the events of one name."""
        return [event for event in self.events if event["event"] == name]


class Suite:
    """A folder with one parametrized test, marked or plain.

    Args:
        folder: Where it is made; empty or not there yet.
        values: The parameter's values, one test each.
        prompt: The marked tests' prompt; without one they are plain tests that pass.
        ini: Lines of the ini file.
    """

    def __init__(
        self, folder: Path, values: Sequence[object], *, prompt: str | None = None, ini: str = ""
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        mark = "" if prompt is None else "@pytest.mark.ptc"
        text = _SUITE.format(mark=mark, values=values, prompt=prompt or "Nothing to do.")
        (folder / "test_suite.py").write_text(text)
        (folder / "pytest.ini").write_text(f"[pytest]\n{ini}")

    def run(self, *args: str) -> Run:
        """Run the suite with the probe.

        Raises:
            BenchError: A test did not pass.
        """
        probe, log = self.folder / "probe.json", self.folder / "pytest.log"
        args = ("-p", "tests.bench.probe", *others_blocked(), *args)
        with log.open("w") as output:
            status = start_pytest(self.folder, *args, probe=probe, output=output).wait()
        if status:
            raise BenchError(f"pytest ended with {status}:\n{log.read_text()[-4000:]}")
        return Run.of_probe(probe, journal_of(self.folder))


def journal_of(folder: Path) -> Path | None:
    """Return the journal of this folder's last run; None if no run there had workers."""
    runs = sorted((folder / ".pytest_cache/d/ptc/runs").glob("*"))
    return runs[-1] if runs else None


def clean_environment(folder: Path) -> dict[str, str]:
    """Return the environment without what is of this session, and with a client's own folder."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(
            ("PTC_", "PYTEST_", "PYTHON", "CLAUDE", "ANTHROPIC", "TMUX", "GITHUB_")
        )
        # Where these are set, pytest cuts no line.
        and name not in ("CI", "BUILD_NUMBER")
    }
    return {**kept, "CLAUDE_CONFIG_DIR": str(folder / ".claude")}


def start_pytest(
    folder: Path,
    *args: str,
    probe: Path,
    output: TextIO | int = subprocess.DEVNULL,
    more: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `pytest -q` in this folder; its environment has `more`, and nothing of this session."""
    environ = {
        **clean_environment(folder),
        "PYTHONPATH": str(ROOT),
        # Compiled once, as on a user's machine, and not into the checkout. Without the cache, which
        # CI systems like to switch off, imports take three times as long.
        "PYTHONPYCACHEPREFIX": str(folder.parent / "pycache"),
        # Out of the tree that is under test.
        "XDG_STATE_HOME": str(folder.parent / "state"),
        PROBE_FILE: str(probe),
        **(more or {}),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", *args],
        cwd=folder,
        env=environ,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


@cache
def others_blocked(*kept: str) -> tuple[str, ...]:
    """Return the arguments that keep all other plugins out of a run; without names, but ours."""
    names = sorted({point.name for point in entry_points(group="pytest11")} - {*(kept or _KEPT)})
    return tuple(argument for name in names for argument in ("-p", f"no:{name}"))
