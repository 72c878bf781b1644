"""A pytest plugin for a measured run with one worker: what it and its client took, task by task.

Looked at when a task has ended; a constant delay cancels where two of these are compared. It writes
a JSON list to the file that `BENCH_PROBE_FILE` names.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

import psutil

from tests.bench import PROBE_FILE

_WORKER = "pytest_ptc.worker"
_MEGABYTE = 2**20
_seen: list[dict[str, float]] = []


def pytest_ptc_result(config: Any, result: Any) -> None:  # noqa: ARG001 - the hook's signature
    """Look at the worker, and at all that it has started."""
    (worker,) = [one for one in psutil.Process().children() if _WORKER in one.cmdline()]
    own, clients = worker.cpu_times(), worker.children(recursive=True)
    cpu = own.children_user + own.children_system
    memory = 0.0
    for client in clients:
        # One of them may end meanwhile.
        with contextlib.suppress(psutil.Error):
            times = client.cpu_times()
            cpu += times.user + times.system + times.children_user + times.children_system
            memory += client.memory_full_info().pss / _MEGABYTE
    _seen.append(
        {
            "at": time.time(),
            "worker cpu": own.user + own.system,
            "worker memory": worker.memory_full_info().pss / _MEGABYTE,
            "client cpu": cpu,
            "client memory": memory,
        }
    )


def pytest_unconfigure() -> None:
    """Write down what was seen."""
    Path(os.environ[PROBE_FILE]).write_text(json.dumps(_seen))
