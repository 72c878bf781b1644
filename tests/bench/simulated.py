"""A pytest plugin: the run's workers are played, instead of started on this machine.

It notes the memory of the process and the coordinator's CPU, too, in a file of the root directory.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import threading
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.remote.crew import RemoteCrew
from pytest_ptc.remote.frame_kinds import RunSetup
from pytest_ptc.session import assembly
from tests.bench.simulated_crew import SimulatedCrew
from tests.bench.simulated_engine import LEASE_S, SimulatedEngine

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.coordinator.crew import Crew, CrewCalls
    from pytest_ptc.journal.run_journal import Journal

#: The variable that asks for nodes.
ENGINE = "BENCH_ENGINE"
#: The file that it writes.
NOTES = "simulated.json"
#: Megabytes of this process at its most, at moments of the run.
MEGABYTES: dict[str, float] = {}
#: Seconds of CPU that the coordinator's thread had used when each task had ended.
CPU: list[float] = []


def crew(calls: CrewCalls, *, journal: Journal, scratch: Path, **_: Any) -> Crew:
    """Return the crew in place of the local one: workers, or nodes with workers, are played."""
    if ENGINE not in os.environ:
        return SimulatedCrew(calls, journal, journal.folder)
    return RemoteCrew(
        calls,
        engine=SimulatedEngine(),
        journal=journal,
        folder=journal.folder,
        setup=RunSetup(settings={}, root="/", start="/", ships=False),
        directories=lambda _: (),
        lease=LEASE_S,
        scratch=scratch,
    )


def pytest_configure() -> None:
    """Put the played crew into its place."""
    assembly.LocalCrew = crew  # type: ignore[assignment, attr-defined]


def megabytes() -> float:
    """Return the most memory that this process has had so far."""
    # In kilobytes, but on macOS.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def pytest_ptc_result() -> None:
    """Note what the coordinator's thread has used, if it has not ended meanwhile."""
    if (clock := _clock()) is not None:
        with contextlib.suppress(OSError):
            CPU.append(time.clock_gettime(clock))


@cache
def _clock() -> int | None:
    threads = [one for one in threading.enumerate() if one.name == "ptc-coordinator"]
    ident = threads[0].ident if threads else None
    return None if ident is None else time.pthread_getcpuclockid(ident)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logstart() -> None:
    """Note what the process has when all is collected, before the first task."""
    MEGABYTES.setdefault("collected", megabytes())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish() -> Any:
    """Note what the process has before reports are made, and then."""
    MEGABYTES["run"] = megabytes()
    result = yield
    MEGABYTES["reported"] = megabytes()
    return result


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Write down what was noted."""
    (config.rootpath / NOTES).write_text(json.dumps({"megabytes": MEGABYTES, "cpu": CPU}))
