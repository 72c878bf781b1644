"""What every agent must do for its worker, whatever it is made of."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pytest_ptc.agents import agent_maker
from pytest_ptc.environment import ATTEMPT_COOKIE
from pytest_ptc.interfaces import Job
from pytest_ptc.journal import OUTPUT, Journal
from pytest_ptc.model import Attempt, Cause, TaskSpec, Trouble, Verdict, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_ptc.interfaces import Agent

#: How each agent is brought to behave: the program of agent `command` is this.
PROGRAM = """
import json, os, subprocess, sys, time
what = sys.stdin.read().split()[0]
print("at work on", what, flush=True)
if what == "hang":
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    subprocess.Popen(sleeper)
    open("hanging", "w").close()
    time.sleep(600)
if what == "die":
    os.kill(os.getpid(), 9)
if what != "nothing":
    print(json.dumps({"verdict": what, "summary": "as asked"}))
"""
COOKIE = "contract-cookie"


class Bench:
    """An agent, and jobs for it.

    Args:
        agent: The agent.
        journal: Where its attempts are.
    """

    def __init__(self, agent: Agent, journal: Journal, cwd: Path) -> None:
        self.agent = agent
        self.cwd = cwd
        self.lines: list[str] = []
        self._journal = journal
        self._count = 0

    def job(self, prompt: str, **options: Any) -> Job:
        """Return a job with a folder of its own."""
        self._count += 1
        attempt = Attempt(task_id=str(self._count), number=1, worker="w1")
        spec = TaskSpec(
            nodeid="t.py::test_x", prompt=prompt, timeout=20, cwd=str(self.cwd), **options
        )
        return Job(
            attempt=attempt,
            spec=spec,
            folder=self._journal.open_attempt(attempt, spec, COOKIE),
            deadline=time.monotonic() + 20,
            cookie=COOKIE,
            show=self.lines.append,
        )

    def run(self, prompt: str, **options: Any) -> Verdict | Trouble:
        """Have the agent do one job and return how it ended."""

        async def work() -> Verdict | Trouble:
            return await asyncio.wait_for(self.agent.run(self.job(prompt, **options)), 30)

        return asyncio.run(work())


def started_by_jobs() -> list[int]:
    """Return the processes alive that carry the cookie of these tests' jobs."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(ATTEMPT_COOKIE) == COOKIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def command_config(tmp_path: Path) -> dict[str, Any]:
    """Return what a worker is told of agent `command`."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    return {"command": [sys.executable, str(program)], "verdict_from_exit": False}


AGENTS: dict[str, Callable[[Path], dict[str, Any]]] = {"command": command_config}


@pytest.fixture(params=AGENTS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """An agent of each kind, which may leave nothing running."""
    config = {
        **AGENTS[request.param](tmp_path),
        "run_id": "contract",
        "task_list_id": "contract",
        "path": str(tmp_path),
    }
    journal = Journal(tmp_path / "runs", "contract")
    bench = Bench(agent_maker(request.param)(config, os.environ), journal, tmp_path)
    yield bench
    asyncio.run(bench.agent.close())
    journal.close()
    assert started_by_jobs() == []


@pytest.mark.parametrize("kind", list(VerdictKind), ids=str)
def test_a_recorded_verdict_is_returned(bench: Bench, kind: VerdictKind) -> None:
    """Each verdict arrives as it was recorded."""
    ended = bench.run(kind.value)
    assert isinstance(ended, Verdict)
    assert (ended.verdict, ended.summary) == (kind, "as asked")


@pytest.mark.parametrize(
    ("prompt", "cause"), [("nothing", Cause.NO_VERDICT), ("die", Cause.AGENT_FAILED)]
)
def test_what_is_not_recorded_is_trouble_with_evidence(
    bench: Bench, prompt: str, cause: Cause
) -> None:
    """An end without a verdict is trouble that shows what was seen last."""
    ended = bench.run(prompt)
    assert isinstance(ended, Trouble)
    assert ended.cause is cause
    assert f"at work on {prompt}" in ended.evidence


def test_one_agent_does_many_jobs(bench: Bench) -> None:
    """An agent lives as long as its worker and keeps nothing from one job to the next."""
    for kind in ("pass", "fail", "pass"):
        ended = bench.run(kind)
        assert isinstance(ended, Verdict)
        assert ended.verdict.value == kind


def test_a_long_prompt_after_short_ones_arrives(bench: Bench) -> None:
    """What a pipe cannot hold at once is fed as it is read, in the agent's tenth job too."""

    async def work() -> list[Verdict | Trouble]:
        prompts = ["pass"] * 4 + [f"pass {'x' * 500_000}"]
        return [await asyncio.wait_for(bench.agent.run(bench.job(p)), 30) for p in prompts * 2]

    ended = asyncio.run(work())
    assert [isinstance(end, Verdict) for end in ended] == [True] * 10


def test_what_an_agent_says_is_shown_and_kept(bench: Bench) -> None:
    """The pane and the journal have what the agent printed."""
    bench.run("pass")
    assert "at work on pass" in bench.lines
    log = next(iter(bench.cwd.glob(f"runs/contract/attempts/*/{OUTPUT}")))
    assert log.read_text().startswith("at work on pass\n")


def test_the_schema_holds_for_every_way_to_record(bench: Bench) -> None:
    """Data that does not meet the task's schema is a malformed verdict."""
    ended = bench.run("pass", schema={"type": "object"})
    assert isinstance(ended, Trouble)
    assert ended.cause is Cause.MALFORMED


def test_a_cancelled_job_leaves_nothing_running(bench: Bench) -> None:
    """When the run stops, or time is up, all that the job started ends with it."""

    async def work() -> None:
        job = asyncio.create_task(bench.agent.run(bench.job("hang")))
        deadline = time.monotonic() + 20
        while not (bench.cwd / "hanging").exists():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job

    asyncio.run(work())
    assert started_by_jobs() == []


def test_a_directory_that_is_gone_is_named(bench: Bench) -> None:
    """An agent that cannot start where it should says where that is."""
    gone = bench.cwd / "gone"
    gone.mkdir()
    bench.cwd = gone
    gone.rmdir()
    ended = bench.run("pass")
    assert isinstance(ended, Trouble)
    assert str(gone) in json.dumps(ended.to_json())
