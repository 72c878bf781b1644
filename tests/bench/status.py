"""How long `ptc status` takes on an active run of 1,000 tasks, and on one that has ended.

The journal is one that this process is said to write, so that its run is active. Each value is a
process of its own, from its start to its end.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from pytest_ptc.journal import events
from pytest_ptc.journal.keys import journal_key
from pytest_ptc.model.content import Content
from pytest_ptc.model.result import Usage
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.system.machine import boot_id, process_space
from pytest_ptc.system.processes import ProcessIdentity
from tests.bench.figures import Check, Figure, Row, Target
from tests.support.journals import began, write_story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASKS, WORKERS = 1000, 8
ROUNDS = 20
TARGET = Target(of="median", most=100.0)
_START_AT = 1_800_000_000.0
_CONTENT = Content(tree="t" * 64, named="n" * 64, agent="a" * 64, stat="s" * 64)
_PROMPT = "Review the module. Record what a user would notice. " * 8


def measure(folder: Path) -> Iterator[Row]:
    """Yield what a status of each run costs, and what Python alone does."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    environ = {**os.environ, "XDG_STATE_HOME": str(folder.with_name(f"{folder.name}-state"))}
    key = journal_key(environ)
    for name, done in (("active", TASKS - WORKERS), ("ended", TASKS)):
        run = folder / f".pytest_cache/d/ptc/runs/20270115-080000-{name[:5]:0<5}"
        write_story(run, _story(run.name, done), key)
        for part in (run.parent, run):
            part.chmod(0o700)
        (run / "journal.jsonl").chmod(0o600)
        words = ["status", run.name]
        said = _run(words, folder, environ)
        wanted = f"{done} of {TASKS} done"
        yield Check(
            what=f"status of a run that is {name}",
            problem=None if wanted in said.stdout else f"{said.stdout}{said.stderr}",
        )
        rounds = [_timed(words, folder, environ) for _ in range(ROUNDS)]
        yield Figure(
            what=f"ptc status, {name}, {TASKS:,} tasks, wall clock",
            unit="ms",
            values=[wall for wall, _ in rounds],
            target=TARGET,
        )
        yield Figure(what="- the same, CPU", unit="ms", values=[cpu for _, cpu in rounds])
    record = [_timed(["record", "pass"], folder, environ) for _ in range(ROUNDS)]
    yield Figure(
        what="ptc record outside of a task, CPU", unit="ms", values=[cpu for _, cpu in record]
    )


def _timed(words: list[str], folder: Path, environ: dict[str, str]) -> tuple[float, float]:
    """Return the wall clock and the CPU of a call, in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began_at = time.perf_counter()
    _run(words, folder, environ)
    wall = time.perf_counter() - began_at
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * wall, 1000 * cpu


def _run(
    words: list[str], folder: Path, environ: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "pytest_ptc.cli", *words]
    return subprocess.run(
        line, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60
    )


def _story(run_id: str, done: int) -> Iterator[events.Event]:
    ourselves = ProcessIdentity.of(os.getpid())
    assert ourselves is not None
    yield began(
        run_id=run_id,
        at=_START_AT,
        pid=ourselves.pid,
        created=ourselves.created,
        boot=boot_id(),
        process_space=process_space(),
        workers=WORKERS,
    )
    for number in range(WORKERS):
        yield events.WorkerStarted(at=_START_AT, worker=f"w{number}", pid=None, created=None)
        yield events.WorkerReady(at=_START_AT, worker=f"w{number}")
    nodeids = [f"tests/test_review.py::test_module[module_{n}]" for n in range(TASKS)]
    for number, nodeid in enumerate(nodeids):
        params = {"path": f"src/module_{number}.py"}
        spec = TaskSpec(nodeid=nodeid, prompt=_PROMPT, timeout=600, cwd="/repo", params=params)
        hashes = dict.fromkeys(("prompt", "params", "settings", "agent"), "a" * 64)
        yield events.TaskSubmitted(at=_START_AT, task=str(number), spec=spec, fingerprint=hashes)
    for number, nodeid in enumerate(nodeids[: done + WORKERS]):
        attempt, worker, at = f"{number}.1", f"w{number % WORKERS}", _START_AT + number
        yield events.AttemptAssigned(at=at, attempt=attempt, worker=worker, content=_CONTENT)
        yield events.AttemptClaimed(at=at, attempt=attempt, worker=worker)
        if number < done:
            yield from _end(number, nodeid, worker, at + 1)
    if done == TASKS:
        yield events.RunEnded(at=_START_AT + TASKS, seconds=TASKS)
        yield events.SessionEnded(at=_START_AT + TASKS, exit_status=0, nothing_to_judge=0)


def _end(number: int, nodeid: str, worker: str, at: float) -> Iterator[events.Event]:
    yield events.AttemptEnded(
        at=at,
        task=str(number),
        attempt=1,
        worker=worker,
        seconds=1.0,
        verdict=Verdict(verdict=VerdictKind.PASS, summary="Nothing that a user would notice."),
        trouble=None,
        usage=Usage(cost_usd=0.01),
        about={"session": "x" * 36, "model": "claude", "transcript": "transcript.jsonl"},
        sha256="e" * 64,
    )
    yield events.ContentSeen(at=at, attempt=f"{number}.1", content=_CONTENT)
    for phase in ("setup", "call", "teardown"):
        yield events.ItemReported(
            at=at,
            task=str(number),
            nodeid=nodeid,
            outcome="passed",
            phase=phase,
            message=None,
            path="tests/test_review.py",
            line=3,
            xfail=None,
        )
