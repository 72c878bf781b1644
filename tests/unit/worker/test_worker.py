"""The worker's conversation: what it hears while it is busy, and what it says of an odd agent."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.interfaces import messages
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.text.redaction import Redactor
from pytest_ptc.verdicts.recording import Record
from pytest_ptc.worker import shared_list
from pytest_ptc.worker.worker import Worker
from tests.support.launch import launch_file
from tests.support.lines import FakeLine, line_pair
from tests.unit.worker.test_shared_list import StuckList

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


class FreeList(StuckList):
    """A list that nobody holds."""

    def __init__(self) -> None:
        super().__init__()
        self.free.set()


def assigned(task_id: str) -> messages.Assigned:
    """Return the first attempt at a task."""
    spec = TaskSpec(nodeid="t", prompt="p", timeout=60, cwd="/")
    return messages.Assigned(f"{task_id}.1", "c", "token", spec.to_json(), 60.0, last=True)


async def said_until(line: FakeLine, kind: type[messages.Message]) -> Any:
    """Return the next message of this kind."""
    while not isinstance(message := await line.hear(), kind):
        assert message is not None
    return message


def worker(tmp_path: Path, agent: Agent, task_list: Any) -> Worker:
    """Return a worker whose folders are all in this one."""
    (tmp_path / "scratch").mkdir()
    launch = launch_file(tmp_path)
    return Worker(launch, task_list=task_list, agent=agent, redactor=Redactor())


@pytest.fixture(autouse=True)
def _pane(tmp_path: Path) -> Iterator[None]:
    """Have what a worker shows in a file."""
    with (tmp_path / "pane").open("w") as pane, contextlib.redirect_stdout(pane):
        yield


@pytest.mark.fault("held-lock")
def test_a_quit_is_heard_while_somebody_holds_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with another attempt assigned while the last one is still to be put on it."""
    monkeypatch.setattr(shared_list, "PATIENCE", 600)
    monkeypatch.setattr(shared_list, "PART", 0.0001)
    stuck = StuckList()

    async def use() -> bool:
        one, other = line_pair()
        working = asyncio.create_task(worker(tmp_path, Agent(), stuck)._work(one))
        other.say(assigned("7"))
        await said_until(other, messages.Ended)
        for message in (assigned("8"), messages.Quit()):
            other.say(message)
        return await asyncio.wait_for(working, 60)

    assert asyncio.run(use()) is False
    stuck.free.set()


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
        working = asyncio.create_task(worker(tmp_path, agent, FreeList())._work(one))
        other.say(assigned("7"))
        ended: messages.Ended = await asyncio.wait_for(said_until(other, messages.Ended), 60)
        other.say(messages.Quit())
        await working
        return ended

    ended = asyncio.run(use())
    assert why in str(ended.problem or (ended.report or {})["trouble"])
    assert (agent.problem is not None) is (agent._verdict is ODD)
