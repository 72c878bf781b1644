"""A program that does a job: what it gets, how it is read, and what becomes of a defect in that."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.agents.printed import Printed
from pytest_ptc.agents.program import Programs
from pytest_ptc.agents.program_verdict import program_verdict
from pytest_ptc.interfaces.agent import Job
from pytest_ptc.journal.attempt_files import OUTPUT, PROMPT
from pytest_ptc.journal.attempt_writer import AttemptWriter
from pytest_ptc.model.errors import AgentError
from pytest_ptc.model.result import Attempt
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict
from pytest_ptc.text.redaction import Redactor
from tests.support.launch import launch_file
from tests.support.ledgers import WritingLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_ptc.agents.output import LineReader

SAYS_PASS = """printf '%s\\n' '{"verdict": "pass", "summary": "fine"}'"""
SAYS_FAIL = """printf '%s\\n' '{"verdict": "fail", "summary": "bad"}'"""


class Lines:
    """Keeps what it is handed, and breaks at a word."""

    def __init__(self, breaks_at: bytes = b"\0") -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.ended = 0
        self._breaks_at = breaks_at

    def take(self, stream: str, lines: Sequence[bytes]) -> None:
        """Take lines."""
        if self._breaks_at in lines:
            raise RuntimeError("worn out")
        self.taken += [(stream, line) for line in lines if line]

    def end(self) -> None:
        """Count the ends."""
        self.ended += 1


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job in a folder of its own."""
    attempt = Attempt(task_id="7", number=1, worker="w1")
    spec = TaskSpec(
        nodeid="t.py::test_x", prompt="p", timeout=30, cwd=str(tmp_path), params={"n": 1}
    )
    writer = AttemptWriter(tmp_path / "7.1", "seal", Redactor())
    writer.open(attempt, spec)
    (tmp_path / "scratch").mkdir()
    return Job(
        attempt=attempt,
        spec=spec,
        journal=WritingLedger(writer),
        deadline=time.monotonic() + 30,
        cookie="program-test",
        show=lambda _: None,
    )


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """What starts programs."""
    return Programs(launch_file(tmp_path), {"PATH": "/usr/bin:/bin"})


def test_a_program_gets_its_text_and_the_attempts_environment(
    programs: Programs, job: Job, tmp_path: Path
) -> None:
    """It is read line by line, its status is told before it is judged, and its files are kept."""
    script = 'read a; echo "$a $1"; echo "$PTC_TASK_ID ${PATH%%:*}" >&2; cat "$PTC_PARAMS_FILE"'
    lines = Lines()
    told: list[int] = []
    argv = ["/bin/sh", "-c", f"{script}; exit 3", "sh", "{cwd}/x"]
    end = asyncio.run(programs.run(job, argv, "hello\n", lines, exited=told.append))
    assert (end.status, told, lines.ended) == (3, [3], 1)
    assert set(lines.taken) == {
        ("stdout", f"hello {tmp_path}/x".encode()),
        ("stdout", json.dumps({"n": 1}).encode()),
        ("stderr", f"7 {tmp_path}/bin/7.1".encode()),
    }
    assert (job.folder / PROMPT).read_text() == "hello\n"
    assert f"hello {tmp_path}/x\n" in (job.folder / OUTPUT).read_text()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_reader_that_breaks_ends_the_attempt_when_the_program_has_ended(
    programs: Programs, job: Job, tmp_path: Path
) -> None:
    """Nobody takes half of an output for all of it; the program's own end is still seen."""
    argv = ["/bin/sh", "-c", "echo one; sleep 0.1; echo two; sleep 0.1; echo three; touch ended"]
    lines = Lines(breaks_at=b"two")
    with pytest.raises(AgentError) as caught:
        asyncio.run(programs.run(job, argv, "", lines))
    trouble = caught.value.trouble
    assert trouble.cause is Cause.MACHINERY
    assert "reading the program's output failed: RuntimeError('worn out')" in trouble.message
    assert trouble.evidence.splitlines() == ["one", "two", "three"]
    assert (lines.taken, lines.ended) == ([("stdout", b"one"), ("stdout", b"three")], 1)
    assert (tmp_path / "ended").exists()


@pytest.mark.parametrize(
    ("script", "reads", "verdict"),
    [
        pytest.param(SAYS_PASS, lambda printed: printed, "pass", id="pass"),
        pytest.param(SAYS_PASS, lambda _: Lines(breaks_at=b"x"), None, id="other-words"),
        pytest.param(f"{SAYS_PASS}; echo x", lambda _: Lines(breaks_at=b"x"), None, id="broken"),
        pytest.param(f"{SAYS_PASS}; exit 4", lambda printed: printed, None, id="bad-end"),
        pytest.param(f"{SAYS_FAIL}; exit 4", lambda printed: printed, "fail", id="fail"),
    ],
)
def test_a_verdict_is_what_the_reader_hands_on(
    programs: Programs,
    job: Job,
    script: str,
    reads: Callable[[Printed], LineReader],
    verdict: str | None,
) -> None:
    """What of the output are the agent's words, the agent says; a broken one has said nothing."""
    printed = Printed(job.journal, None, "")
    argv = ["/bin/sh", "-c", script]
    ended = asyncio.run(program_verdict(programs, job, argv, "", printed, reader=reads(printed)))
    if verdict is None:
        assert isinstance(ended, Trouble)
    else:
        assert isinstance(ended, Verdict)
        assert ended.verdict.value == verdict


def test_a_fail_stands_though_the_reader_broke_later(programs: Programs, job: Job) -> None:
    """What is on disk is recorded, whatever becomes of the rest."""
    printed = Printed(job.journal, None, "")

    class Breaking:
        def take(self, stream: str, lines: Sequence[bytes]) -> None:
            printed.take(stream, lines)
            raise RuntimeError("worn out")

        def end(self) -> None:
            printed.end()

    argv = ["/bin/sh", "-c", SAYS_FAIL]
    ended = asyncio.run(program_verdict(programs, job, argv, "", printed, reader=Breaking()))
    assert isinstance(ended, Verdict)
    assert ended.verdict.value == "fail"
