"""The worker's conversation: what it hears while it is busy, and what it says of an odd agent."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.interfaces import messages
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.text.redaction import Redactor
from pytest_ptc.verdicts.recording import Record
from pytest_ptc.worker.agents import WorkerAgents
from pytest_ptc.worker.worker import Worker
from tests.support.launch import launch_file
from tests.support.lines import FakeLine, line_pair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_ptc.interfaces.agent import Job

FAIL = Verdict(verdict=VerdictKind.FAIL, summary="bad")
ODD = Verdict(verdict=VerdictKind.PASS, summary="x", data=object())


class Agent:
    """An agent that is done at once.

    Args:
        verdict: What it comes to.
        about: What it says of itself.
    """

    name = "instant"

    def __init__(self, verdict: Verdict = FAIL, about: object = None) -> None:
        self._verdict = verdict
        self._about = about
        self.problem: BaseException | None = None

    async def prepare(self, spec: TaskSpec) -> None:
        """Be ready."""

    async def run(self, job: Job) -> Verdict:
        """Record the verdict and return it."""
        job.about(odd=self._about)
        recorded = job.journal.record(Record(call="1", verdict=self._verdict))
        self.problem = recorded.exception() if recorded.done() else None
        return self._verdict

    async def close(self) -> None:
        """Keep nothing."""


def assigned(task_id: str, seconds: float = 60.0) -> messages.Assigned:
    """Return the first attempt at a task, which may take so long."""
    spec = TaskSpec(nodeid="t", prompt="p", timeout=seconds, cwd="/")
    return messages.Assigned(f"{task_id}.1", "c", "token", spec.to_json(), seconds)


async def said_until(line: FakeLine, kind: type[messages.Message]) -> Any:
    """Return the next message of this kind."""
    while not isinstance(message := await line.hear(), kind):
        assert message is not None
    return message


def worker(tmp_path: Path, agent: Any) -> Worker:
    """Return a worker whose folders are all in this one."""
    (tmp_path / "scratch").mkdir()
    launch = launch_file(tmp_path)
    redactor = Redactor()
    agents = WorkerAgents(launch, own=agent, environ={}, redactor=redactor)
    return Worker(launch, agents=agents, redactor=redactor)


@pytest.fixture(autouse=True)
def _pane(tmp_path: Path) -> Iterator[None]:
    """Have what a worker shows in a file."""
    with (tmp_path / "pane").open("w") as pane, contextlib.redirect_stdout(pane):
        yield


@pytest.mark.parametrize(
    ("agent", "why"),
    [
        pytest.param(Agent(about=object()), "its report cannot be sent as JSON", id="about"),
        pytest.param(Agent(ODD), "it cannot be recorded", id="data"),
    ],
)
def test_an_agent_that_says_what_is_no_json_has_an_end(
    tmp_path: Path, agent: Agent, why: str
) -> None:
    """The coordinator hears of it, and a record that cannot be said is known not to be one."""

    async def use() -> messages.Ended:
        one, other = line_pair()
        working = asyncio.create_task(worker(tmp_path, agent)._work(one))
        other.say(assigned("7"))
        ended: messages.Ended = await asyncio.wait_for(said_until(other, messages.Ended), 60)
        other.say(messages.Quit())
        await working
        return ended

    ended = asyncio.run(use())
    assert why in str(ended.problem or (ended.report or {})["trouble"])
    assert (agent.problem is not None) is (agent._verdict is ODD)


class Hindered(Agent):
    """An agent that something keeps from its work until its time is over."""

    def __init__(self, *hindrances: Trouble | None) -> None:
        super().__init__()
        self._hindrances = hindrances

    async def run(self, job: Job) -> Verdict:
        """Say what it is, and wait for what never comes."""
        for hindrance in self._hindrances:
            job.hindered(hindrance)
        await asyncio.Event().wait()
        raise AssertionError("it is cancelled")


REFUSED = Trouble(cause=Cause.RATE_LIMIT, message="no request was answered")


@pytest.mark.parametrize(
    ("hindrances", "cause", "message"),
    [
        pytest.param([], "timeout", "no verdict within 0.2 s", id="none"),
        pytest.param(
            [REFUSED],
            "rate limit",
            "no verdict within 0.2 s: no request was answered",
            id="to-the-end",
        ),
        pytest.param([REFUSED, None], "timeout", "no verdict within 0.2 s", id="taken-back"),
    ],
)
def test_what_kept_an_agent_from_its_work_is_the_cause_when_its_time_is_over(
    tmp_path: Path, hindrances: list[Trouble | None], cause: str, message: str
) -> None:
    """A provider that refuses every request is no slow agent."""

    async def use() -> messages.Ended:
        one, other = line_pair()
        working = asyncio.create_task(worker(tmp_path, Hindered(*hindrances))._work(one))
        other.say(assigned("7", 0.2))
        ended: messages.Ended = await asyncio.wait_for(said_until(other, messages.Ended), 60)
        other.say(messages.Quit())
        await working
        return ended

    trouble = (asyncio.run(use()).report or {})["trouble"]
    assert trouble["cause"] == cause
    assert trouble["message"] == message


class Looker(Agent):
    """An agent that wants to know whether its task is on the shared list."""

    listed: bool | None = None

    async def run(self, job: Job) -> Verdict:
        """Look, in a thread."""
        self.listed = await asyncio.to_thread(job.listed)
        return await super().run(job)


@pytest.mark.parametrize("listed", [True, False])
def test_an_agent_learns_from_the_coordinator_whether_its_task_is_listed(
    tmp_path: Path,
    listed: bool,
) -> None:
    """An answer to another attempt's question is none to its own."""
    agent = Looker()

    async def use() -> None:
        one, other = line_pair()
        working = asyncio.create_task(worker(tmp_path, agent)._work(one))
        other.say(assigned("7"))
        question = await asyncio.wait_for(said_until(other, messages.Look), 60)
        other.say(messages.Looked("6.1", not listed))
        other.say(messages.Looked(question.attempt, listed))
        await asyncio.wait_for(said_until(other, messages.Ended), 60)
        other.say(messages.Quit())
        await working

    asyncio.run(use())
    assert agent.listed is listed
