"""Agent `acp` with a client that misbehaves on demand."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_ptc.agents.acp.agent import AcpAgent, make
from pytest_ptc.interfaces.agent import Job
from pytest_ptc.interfaces.launch import AgentLaunch
from pytest_ptc.journal.run_journal import Journal
from pytest_ptc.model.result import Attempt
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict
from tests.support.journals import KEY
from tests.support.launch import launch_file
from tests.support.ledgers import WritingLedger

#: Unique to this process: another one's tests may end what is marked as theirs.
RUN = f"acp-{os.getpid()}"
CLIENT = Path(__file__).parents[3] / "support" / "acp_client.py"


class Bench:
    """An agent with a client, and what it has shown.

    Args:
        folder: Where it works.
        how: How its client misbehaves.
    """

    def __init__(self, folder: Path, *how: str) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self.facts: dict[str, Any] = {}
        self.sessions: list[str] = []
        self.journal = Journal(folder / "runs", "r", key=KEY)
        argv = (sys.executable, "-u", str(CLIENT), *how)
        options = {"client": "", "setting_sources": []}
        launch = launch_file(
            folder,
            run_id=RUN,
            agent=AgentLaunch(make="m:f", argv=argv, options=options),
            scratch=folder,
        )
        self.agent: AcpAgent = make(launch, {**os.environ, "HOME": str(folder)})

    def note(self, **facts: Any) -> None:
        """Keep what the agent says of an attempt."""
        self.facts |= facts
        if "session" in facts:
            self.sessions.append(facts["session"])

    def job(self, number: int, script: str, seconds: float = 20, **options: Any) -> Job:
        """Return a job whose client does what the script says."""
        attempt = Attempt(task_id=str(number), number=1, worker="w1")
        prompt = "Look.\n" + "\n".join(f"> {line}" for line in script.splitlines())
        spec = TaskSpec(
            nodeid="t.py::t", prompt=prompt, timeout=seconds, cwd=str(self.folder), **options
        )
        return Job(
            attempt=attempt,
            spec=spec,
            journal=WritingLedger(self.journal.open_attempt(attempt, spec)),
            deadline=time.monotonic() + seconds,
            cookie="cookie",
            show=self.lines.append,
            about=self.note,
        )

    def run(self, *scripts: str, **options: Any) -> list[Verdict | Trouble]:
        """Have the agent do jobs one after the other, and return how they ended."""

        async def work() -> list[Verdict | Trouble]:
            jobs = [self.job(n, script, **options) for n, script in enumerate(scripts, 1)]
            try:
                return [await asyncio.wait_for(self.agent.run(job), 20) for job in jobs]
            finally:
                await self.agent.close()

        try:
            return asyncio.run(work())
        finally:
            self.journal.close()
            assert self.left() == []

    def left(self) -> list[list[str]]:
        """Return the clients that still run."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if str(CLIENT) in process.cmdline() and process.ppid() == os.getpid():
                    found.append(process.cmdline())
        return found


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for clients that will not do what we ask."""
    monkeypatch.setattr("pytest_ptc.agents.acp.agent.CANCEL_TIMEOUT_S", 1.0)
    monkeypatch.setattr("pytest_ptc.agents.acp.recorder.HOLD_S", 0.05)


TROUBLES = {
    "say I am done": Cause.NO_VERDICT,
    "end refusal": Cause.REFUSAL,
    "end cancelled": Cause.CANCELLED,
    "end max_turn_requests": Cause.MAX_TURNS,
    "end whatever": Cause.PROTOCOL,
    "die": Cause.AGENT_FAILED,
    "fail 1 status 429": Cause.RATE_LIMIT,
    "fail -32000 log in": Cause.LOGIN,
    "call {}": Cause.MALFORMED,
}


def test_every_trouble_of_a_turn_has_its_cause(tmp_path: Path) -> None:
    """Whatever the client does, the attempt ends and says why, and the next one begins."""
    ends = Bench(tmp_path).run(*TROUBLES)
    causes = [end.cause for end in ends if isinstance(end, Trouble)]
    assert dict(zip(TROUBLES, causes, strict=True)) == TROUBLES


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("unconnected", Cause.RECORDER),
        ("no-mcp", Cause.RECORDER),
        ("version-9", Cause.PROTOCOL),
        ("no-id", Cause.PROTOCOL),
        ("no-session", Cause.SESSION),
        ("login", Cause.LOGIN),
    ],
)
def test_a_client_that_cannot_begin_has_that_cause(how: str, cause: Cause, tmp_path: Path) -> None:
    """It is known before a model is asked, but for one that never asks for our tool."""
    (ended,) = Bench(tmp_path, how).run("say I am done")
    assert isinstance(ended, Trouble)
    assert ended.cause is cause, ended


RECORDED = {
    "record pass fine": "pass",
    "garbage\nrecord pass fine": "pass",
    "record pass fine\nhang": "pass",
    "record pass fine\nfail 1 Operation cancelled": "pass",
    "record pass fine\ndie": "pass",
    "record fail bad\nrecord pass fine": "fail",
    "record pass fine\nrecord fail bad": "fail",
    "call {}\nrecord skip none": "skip",
}


def test_a_recorded_verdict_counts_whatever_comes_then(tmp_path: Path) -> None:
    """Its client may hang, break, or answer with an error; the next attempt goes on."""
    ends = Bench(tmp_path).run(*RECORDED)
    kinds = [end.verdict.value for end in ends if isinstance(end, Verdict)]
    assert dict(zip(RECORDED, kinds, strict=True)) == RECORDED


def test_what_a_client_shows_of_a_fail_counts(tmp_path: Path) -> None:
    """It was never carried out, since the turn ended with the pass before it."""
    (ended,) = Bench(tmp_path).run(
        'show 1 {"verdict": "pass"}\nshow 2 {"verdict": "fail", "summary": "x"}\nrecord pass fine'
    )
    assert isinstance(ended, Trouble)
    assert ended.cause is Cause.CONTRADICTED
    assert ended.final


@pytest.mark.parametrize(
    ("tools", "chosen"), [(None, "reject_once"), (("Bash(make lint)",), "allow_once")]
)
def test_permission_is_given_by_the_tasks_rules(
    tools: tuple[str, ...] | None, chosen: str, tmp_path: Path
) -> None:
    """What was denied is in the report."""
    bench = Bench(tmp_path)
    (ended,) = bench.run("ask execute make lint\nrecord pass fine", tools=tools)
    assert isinstance(ended, Verdict)
    assert any(f'"optionId": "{chosen}"' in line for line in bench.lines)
    assert bench.facts["denied"] == ([] if chosen == "allow_once" else ["make lint"])


def test_a_client_is_started_once_for_many_tasks_and_again_when_it_ended(tmp_path: Path) -> None:
    """The pane shows a client's name with each task; its sessions are numbered."""
    bench = Bench(tmp_path)
    ends = bench.run("record pass a", "record pass b", "die", "record pass c")
    assert [isinstance(end, Verdict) for end in ends] == [True, True, False, True]
    assert bench.sessions == ["s0", "s1", "s2", "s0"]


def test_a_client_that_will_not_end_is_ended(tmp_path: Path) -> None:
    """Neither closed input nor SIGTERM ends it; a hanging turn is cancelled from outside."""
    bench = Bench(tmp_path, "stubborn")

    async def work() -> None:
        job = asyncio.create_task(bench.agent.run(bench.job(1, "say I hang\nhang")))
        while not bench.lines:  # noqa: ASYNC110 - the agent tells of its lines, and of no event
            await asyncio.sleep(0.01)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert bench.left() == []
        assert isinstance(await bench.agent.run(bench.job(2, "record pass fine")), Verdict)
        await bench.agent.close()

    asyncio.run(asyncio.wait_for(work(), 20))
    bench.journal.close()
    assert bench.left() == []


def test_a_client_that_never_answers_ends_with_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did not start in the time that it has for that."""
    monkeypatch.setattr("pytest_ptc.agents.acp.process.START_TIMEOUT_S", 0.5)
    (ended,) = Bench(tmp_path, "mute").run("record pass fine")
    assert isinstance(ended, Trouble)
    assert ended.cause is Cause.AGENT_FAILED
    assert "did not start" in ended.message


def test_a_line_without_an_end_is_an_error_of_the_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client cannot fill our memory."""
    monkeypatch.setattr("pytest_ptc.agents.acp.process.MAX_LINE_BYTES", 100_000)
    ended, after = Bench(tmp_path).run("long 1000000", "record pass fine")
    assert isinstance(ended, Trouble)
    assert ended.cause is Cause.PROTOCOL
    assert isinstance(after, Verdict)


def test_a_client_that_says_too_much_fills_no_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its verdict counts all the same."""
    monkeypatch.setattr("pytest_ptc.agents.acp.agent.MAX_LOG_CHARS", 50_000)
    bench = Bench(tmp_path)
    (ended,) = bench.run("flood 1000\nrecord fail too much")
    assert isinstance(ended, Verdict)
    kept = sum(path.stat().st_size for path in (tmp_path / "runs").rglob("*.jsonl"))
    assert kept < 200_000
    assert sum("not kept" in line for line in bench.lines) == 1
