"""A worker's lease: when it is over, and that nothing outlives it."""

from __future__ import annotations

import asyncio
import os
import queue
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.launch import AgentLaunch, OwnerProcess
from pytest_ptc.interfaces.line import MAX_LINE_BYTES, StreamLine
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.variables import ATTEMPT_COOKIE
from pytest_ptc.system.processes import end_marked, marked
from pytest_ptc.system.scratch import make_scratch
from pytest_ptc.worker import lease as leases
from pytest_ptc.worker.lease import END_TIMEOUT_S, STATUS, Lease
from tests.support.host_world import DEADLINE, until
from tests.support.launch import launch_file

if TYPE_CHECKING:
    from pathlib import Path

#: Longer than any of these tests.
FOREVER_S = 10_000.0
#: The term of a lease that is waited for, in seconds.
TERM_S = 0.5


class Told:
    """A lease that tells what it does to its worker."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(leases, "END_TIMEOUT_S", 0.01)
        self.events: queue.Queue[object] = queue.Queue()
        self.lease = Lease(
            over=lambda: self.events.put("over"),
            end=lambda: self.events.put("end"),
            leave=self.events.put,
        )

    def all(self) -> list[object]:
        """Return all that it does, once its term is over."""
        return [self.events.get(timeout=60) for _ in range(4)]


def in_s(seconds: float) -> float:
    """Return a moment of the machine's clock."""
    return time.monotonic() + seconds


def test_a_worker_whose_term_is_over_ends_what_it_has_and_then_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its work is cancelled first; what it has started is killed again before it is left."""
    told = Told(monkeypatch)
    told.lease.renew(in_s(0.01))
    assert told.all() == ["over", "end", "end", STATUS]


def test_the_last_word_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A term is put off, and made shorter, while it is waited for."""
    told = Told(monkeypatch)
    told.lease.renew(in_s(0.05))
    told.lease.renew(in_s(FOREVER_S))
    with pytest.raises(queue.Empty):
        told.events.get(timeout=0.2)
    told.lease.renew(in_s(-1))
    assert told.all()[0] == "over"


def test_a_worker_that_has_ended_its_work_may_tidy_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no agents any more, and nobody waits for it."""
    told = Told(monkeypatch)
    told.lease.renew(in_s(0.05))
    told.lease.close()
    with pytest.raises(queue.Empty):
        told.events.get(timeout=0.2)


#: An agent that starts a program and waits for it; or holds up its worker's loop meanwhile.
AGENT = """
import asyncio, os, subprocess, sys, time

class Sleeper:
    name = "sleeper"
    def __init__(self, blocked):
        self.blocked = blocked
    async def prepare(self, spec):
        pass
    async def run(self, job):
        environ = {**os.environ, "PTC_COOKIE": job.cookie}
        words = [sys.executable, "-c", "import time; time.sleep(10000)"]
        subprocess.Popen(words, env=environ, start_new_session=True)
        # One that has left the tree of its worker, but for the worker's adoption.
        subprocess.run(["/bin/sh", "-c", "sleep 10000 & "], env=environ, start_new_session=True)
        while not os.path.exists(os.path.dirname(__file__) + "/told"):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        if self.blocked:
            time.sleep(10000)
        await asyncio.sleep(10000)
    async def close(self):
        pass

def make(launch, environ):
    return Sleeper(launch.agent.options["blocked"])
"""


@pytest.mark.parametrize("on_node", [False, True], ids=["pytest", "node"])
def test_a_worker_whose_owner_was_killed_removes_what_that_had(
    tmp_path: Path, on_node: bool
) -> None:
    """On a node, all that was made and sent there; the owner is gone, so its line has ended."""
    base = make_scratch("r1")
    scratch = base / "s" if on_node else base
    gone = subprocess.Popen(["true"])
    gone.wait()
    (tmp_path / "leases_agent.py").write_text(AGENT)
    launch = launch_file(
        tmp_path,
        agent=AgentLaunch(
            make="leases_agent:make", options={"blocked": False}, search_path=(str(tmp_path),)
        ),
        scratch=scratch,
        address=scratch / "coordinator",
        owner=OwnerProcess(pid=gone.pid, created=1.0),
        left_behind=base if on_node else None,
    )
    scratch.mkdir(exist_ok=True)
    (base / "code").mkdir()
    path = tmp_path / "launch.json"
    path.write_bytes(launch.encode())

    async def supervise() -> int:
        called: asyncio.Queue[StreamLine] = asyncio.Queue()
        server = await asyncio.start_unix_server(
            lambda *streams: called.put_nowait(StreamLine(*streams)), launch.address
        )
        words = ["-m", "pytest_ptc.worker", str(path)]
        worker = await asyncio.create_subprocess_exec(
            sys.executable, *words, stdin=subprocess.DEVNULL
        )
        line = await called.get()
        line.say(messages.Prepare(None))
        while not isinstance(await line.hear(), messages.Ready):
            pass
        line.close()
        server.close()
        return await worker.wait()

    assert asyncio.run(asyncio.wait_for(supervise(), 60)) == 0
    assert not base.exists()


@pytest.mark.parametrize("blocked", [False, True], ids=["listens", "blocked"])
def test_nothing_of_a_worker_outlives_its_lease_where_its_supervisor_is_stopped(
    tmp_path: Path, blocked: bool
) -> None:
    """Its line is open, nothing is said on it, and its loop may be blocked."""
    (tmp_path / "leases_agent.py").write_text(AGENT)
    cookie = f"cookie-{time.monotonic_ns()}"
    launch = launch_file(
        tmp_path,
        agent=AgentLaunch(
            make="leases_agent:make", options={"blocked": blocked}, search_path=(str(tmp_path),)
        ),
        lease=FOREVER_S,
        environ={"LEASED": "yes", "HOME": None},
    )
    launch.scratch.mkdir()
    (launch.journal / "attempts" / "7.1").mkdir(parents=True)
    path = tmp_path / "launch.json"
    path.write_bytes(launch.encode())

    async def supervise() -> tuple[float, int]:
        called: asyncio.Queue[StreamLine] = asyncio.Queue()
        server = await asyncio.start_unix_server(
            lambda *streams: called.put_nowait(StreamLine(*streams)),
            launch.address,
            limit=MAX_LINE_BYTES,
        )
        words = ["-m", "pytest_ptc.worker", str(path)]
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            *words,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "HOME": "/nowhere"},
        )
        line = await called.get()
        line.say(messages.Prepare(None))
        spec = TaskSpec(nodeid="t", prompt="p", timeout=FOREVER_S, cwd=str(tmp_path))
        line.say(messages.Assigned("7.1", cookie, "token", spec.to_json(), FOREVER_S))
        while not isinstance(await line.hear(), messages.Begun):
            pass
        await asyncio.to_thread(
            until, lambda: len(marked(ATTEMPT_COOKIE, cookie)) == 2, "both programs"
        )
        assert marked("LEASED", "yes") >= marked(ATTEMPT_COOKIE, cookie)
        assert not marked("HOME", "/nowhere") & marked(ATTEMPT_COOKIE, cookie)
        over = in_s(TERM_S)
        line.say(messages.Live(over))
        (tmp_path / "told").touch()
        status = await worker.wait()
        took = time.monotonic() - over
        server.close()
        line.close()
        return took, status

    try:
        took, status = asyncio.run(asyncio.wait_for(supervise(), 60))
        assert not marked(ATTEMPT_COOKIE, cookie)
    finally:
        end_marked(ATTEMPT_COOKIE, cookie, grace=0.0)
    # On a machine that others keep busy, the one that listens may not come to its end in time.
    assert status in ({STATUS} if blocked else {0, STATUS})
    assert took < END_TIMEOUT_S + DEADLINE
