"""Measure the shared list: publishing 500 tasks, claims alone, and claims among eight processes.

Run it as a program, below a folder on the file system that matters:
`python -m tests.bench.bench_tasklist [FOLDER]`. It prints figures and judges none: on a shared
machine they vary too much for a test to fail.
"""

# ruff: noqa: T201 - a program that prints its figures

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_ptc.interfaces.tasklist import NewTask
from pytest_ptc.tasklist import TaskListStore

PROCESSES = 8
SHARE = 100


def open_store(config: Path) -> TaskListStore:
    """Return an open store on the list of the measurement."""
    store = TaskListStore(config, "bench", run_id="bench")
    store.open()
    return store


def publish(store: TaskListStore, count: int) -> list[str]:
    """Publish tasks of the size that a short review prompt has."""
    new = NewTask(subject="Review PR #123", description="x" * 500, metadata={"ptc_nodeid": "t.py"})
    return store.publish([new] * count)


def work(store: TaskListStore, ids: list[str]) -> list[float]:
    """Claim and complete these tasks; return the seconds that each took."""
    took = []
    for task in ids:
        start = time.perf_counter()
        assert store.claim(task, "w1")
        store.complete(task, "w1", {"ptc": {"verdict": "pass", "summary": "fine", "findings": []}})
        took.append(time.perf_counter() - start)
    return took


def shown(name: str, took: list[float], cpu: float) -> str:
    """Return one line on what a claim and completion took."""
    ordered = sorted(took)
    median, high = ordered[len(took) // 2], ordered[len(took) * 99 // 100]
    return (
        f"{name}: median {median * 1e3:.2f} ms, p99 {high * 1e3:.2f} ms, "
        f"CPU {cpu / len(took) * 1e3:.2f} ms"
    )


def measure_alone(config: Path) -> None:
    """Measure publishing, claims and closing with nobody else on the list."""
    store = open_store(config)
    publish(store, 1)
    for count in (500, 5000):
        start, cpu = time.perf_counter(), time.process_time()
        ids = publish(store, count)
        took, cpu = time.perf_counter() - start, time.process_time() - cpu
        print(f"publish {count}: {took * 1e3:.0f} ms, CPU {cpu * 1e3:.0f} ms")
        cpu = time.process_time()
        took_each = work(store, ids[:300])
        cpu = time.process_time() - cpu
        print(shown(f"claim and complete, {count} on the list", took_each, cpu))
    start = time.perf_counter()
    store.close()
    print(f"close with 5501 tasks: {(time.perf_counter() - start) * 1e3:.0f} ms")


def measure_together(config: Path) -> None:
    """Measure claims while eight processes make them, each on its own tasks of one list."""
    store = open_store(config)
    ids = publish(store, PROCESSES * SHARE)
    command = [sys.executable, "-m", "tests.bench.bench_tasklist", str(config)]
    workers = [
        subprocess.Popen(
            [*command, json.dumps(ids[n::PROCESSES])], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for n in range(PROCESSES)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    # All are ready: closing their input starts them together.
    start = time.perf_counter()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.close()
    answers = [json.loads(worker.stdout.read()) for worker in workers if worker.stdout]
    wall = time.perf_counter() - start
    took = [seconds for answer in answers for seconds in answer["took"]]
    cpu = sum(answer["cpu"] for answer in answers)
    print(shown(f"claim and complete, {PROCESSES} processes", took, cpu))
    print(f"all {len(ids)} in {wall:.2f} s: {len(ids) / wall:.0f} a second")
    store.close()


def be_worker(config: Path, ids: list[str]) -> None:
    """Act as one of the eight."""
    store = open_store(config)
    assert not store.claim("none", "w1")
    print("ready", flush=True)
    sys.stdin.read()
    cpu = time.process_time()
    took = work(store, ids)
    print(json.dumps({"took": took, "cpu": time.process_time() - cpu}))


def main(folder: str | None = None, ids: str | None = None) -> None:
    """Measure in a new folder below this one, or act as a worker on these ids."""
    if folder is not None and ids is not None:
        be_worker(Path(folder), json.loads(ids))
        return
    with tempfile.TemporaryDirectory(dir=folder) as config:
        print(f"in {config}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
        measure_alone(Path(config))
        measure_together(Path(config))


if __name__ == "__main__":
    main(*sys.argv[1:])
