"""A pytest plugin for a measured run: when each item began and was reported, and the CPU used.

It writes one JSON object to the file that `BENCH_PROBE_FILE` names.
"""

from __future__ import annotations

import json
import os
import resource
import time
from pathlib import Path

import pytest

from tests.bench import PROBE_FILE

_began: dict[str, float] = {}
_reported: dict[str, tuple[float, float]] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logstart(nodeid: str) -> None:
    """Note when an item began, by the wall clock."""
    _began[nodeid] = time.time()


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note when an item's outcome was reported: after pytest's own reporter has shown it."""
    if report.when == "call":
        _reported[report.nodeid] = (time.monotonic(), time.time())


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Write down what was noted, when the run with all its workers has ended."""
    hooks = config.pluginmanager.getplugin("ptc-hooks")
    told = {
        "began": _began,
        "reported": _reported,
        "cpu": _cpu(resource.RUSAGE_SELF),
        # Of workers that are pytest's own children, and of the agents that they have waited for.
        "cpu_of_children": _cpu(resource.RUSAGE_CHILDREN),
        "cpu_of_coordinator": hooks._run._opened.coordinator.cpu_seconds if hooks else 0.0,
    }
    Path(os.environ[PROBE_FILE]).write_text(json.dumps(told))


def _cpu(whose: int) -> float:
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime
