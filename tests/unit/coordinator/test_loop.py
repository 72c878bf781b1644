"""The coordinator's loop and its workers, in orders of events that real processes seldom show."""

from __future__ import annotations

import errno
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.coordinator.coordinator import Coordinator
from pytest_ptc.coordinator.local_crew import LocalCrew
from pytest_ptc.coordinator.schedule import Assign, GiveUp, Limits
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind
from tests.support.hosts import FakeHost
from tests.support.launch import launch_file
from tests.support.simulated_run import NO_ROOM, SimulatedRun, WorkerProcess, simulate_workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from pytest_ptc.model.result import Result

PASS = Verdict(verdict=VerdictKind.PASS, summary="fine")
TROUBLE = Trouble(cause=Cause.AGENT_FAILED, message="it broke")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedRun]:
    """Give a run with one worker."""
    simulate_workers(monkeypatch)
    run = SimulatedRun(tmp_path, Limits(workers=1, max_worker_restart=1))
    yield run
    run.close()


def spec(retries: int = 0) -> TaskSpec:
    """Return a task."""
    return TaskSpec(nodeid="t", prompt="p", timeout=60, cwd="/", retries=retries)


def at_work(run: SimulatedRun) -> WorkerProcess:
    """Return the worker when its agent has begun."""
    for _ in range(3):
        run.go_on(lambda _: None)
    (process,) = run.processes
    assert process.job is not None
    return process


def go_on(run: SimulatedRun) -> None:
    """Let agents pass whatever they get, for as long as a few retries take."""
    for _ in range(9):
        run.go_on(lambda process: process.agent.end(PASS))
        run.time.now += 5


@pytest.mark.parametrize("outcome", [PASS, TROUBLE], ids=["pass", "trouble"])
def test_last_words_heard_after_the_end_was_seen_end_the_attempt_once(
    run: SimulatedRun, outcome: Verdict | Trouble
) -> None:
    """A worker dies as it ends its task: its report counts, and the coordinator lives on."""
    ((_, future),) = run.submit([spec()])
    process = at_work(run)
    process.agent.end(outcome)
    process.move()
    process.kill()
    run.crew.see(process.name)
    run.turn(1)
    while process.line:
        run.crew.hear(process.name)
    run.turn()
    run.crew.dig(process.name)
    run.turn()
    assert future.result(0).reports[0].verdict == (outcome if outcome is PASS else None)
    assert future.result(0).reports[0].trouble == (outcome if outcome is TROUBLE else None)
    assert len(run.events("ended")) == 1


@pytest.mark.fault("held-lock")
def test_a_list_that_does_not_answer_holds_up_no_attempt(run: SimulatedRun) -> None:
    """It waits for its claim for a few seconds; what is done on the list later is in order."""
    run.list_is_slow = True
    ((task, future),) = run.submit([spec(retries=1)])
    for _ in range(3):
        run.go_on(lambda _: None)
    (process,) = run.processes
    assert process.job is None
    run.time.now += 6
    at_work(run).agent.end(TROUBLE)
    go_on(run)
    assert future.result(0).verdict == PASS
    assert len(run.waiting_calls[task]) == 4
    run.answer(task)
    found = run.list.read(task)
    assert found is not None
    assert found.is_done
    assert [event["task"] for event in run.events("list problem")] == [task, task]


@pytest.mark.fault("held-lock")
def test_a_list_that_does_not_answer_holds_up_no_end(run: SimulatedRun) -> None:
    """A run that is stopped while an attempt waits for its claim ends, and the attempt does."""
    run.list_is_slow = True
    ((task, future),) = run.submit([spec()])
    for _ in range(3):
        run.go_on(lambda _: None)
    assert run.waiting_calls[task]
    run.stop()
    for _ in range(3):
        run.go_on(lambda _: None)
    assert run.is_over
    assert future.result(0).trouble is not None
    run.answer(task)


def test_a_worker_that_dies_while_its_task_is_claimed_gets_no_task(run: SimulatedRun) -> None:
    """The next one does, when the list has come to it."""
    run.list_is_slow = True
    ((task, future),) = run.submit([spec(retries=1)])
    for _ in range(3):
        run.go_on(lambda _: None)
    run.processes[0].kill()
    for _ in range(3):
        run.go_on(lambda _: None)
        run.time.now += 1
    run.list_is_slow = False
    run.answer(task)
    go_on(run)
    first, second = future.result(0).reports
    assert first.trouble is not None
    assert first.trouble.cause is Cause.WORKER_LOST
    assert second.verdict == PASS
    assert len(run.events("claimed")) == 1


def test_two_tasks_of_one_node_id_end_both(run: SimulatedRun) -> None:
    """An item that is there twice, as with `--keep-duplicates`, is two tasks."""
    submitted = run.submit([spec(), spec()])
    go_on(run)
    assert [future.result(0).verdict for _, future in submitted] == [PASS, PASS]


def test_a_task_whose_report_finds_no_room_is_tried_again(run: SimulatedRun) -> None:
    """A worker that cannot file its report gives the task back, or nobody could claim it."""
    ((_, future),) = run.submit([spec(retries=1)])
    process = at_work(run)
    process.fate = NO_ROOM
    process.agent.end(TROUBLE)
    go_on(run)
    first, second = future.result(0).reports
    assert first.trouble is not None
    assert "No space left" in first.trouble.message
    assert second.verdict == PASS


def test_a_task_that_has_ended_since_the_look_is_not_begun(run: SimulatedRun) -> None:
    """Where one vote cannot be begun, that may decide its item, and end the next that was ready."""
    ((task_id, future),) = run.submit([spec()])
    go_on(run)
    assert future.done()
    run.supervisor._act(Assign(task_id, "w1"))
    run.supervisor._act(GiveUp(task_id, TROUBLE))
    assert run.board.attempt_of("w1") is None
    assert len(run.board.tasks[task_id].reports) == 1


def test_a_task_submitted_while_the_thread_ends_gets_a_result(
    run: SimulatedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its end, in the instant between its last look and its end, or after: none is open."""
    coordinator = Coordinator(
        limits=Limits(workers=1, max_worker_restart=1),
        crew=partial(
            LocalCrew,
            host=FakeHost(),
            journal=run.journal,
            scratch=tmp_path,
            argv=(),
            launch_file=lambda worker, key: launch_file(worker=worker, key=key),
        ),
        task_list=run.list,
        journal=run.journal,
    )
    futures: list[Future[Result]] = []

    async def no_socket() -> None:
        raise OSError(errno.EADDRINUSE, "no socket")

    close = coordinator._supervisor._loop.close

    def last_look_taken() -> None:
        futures.extend(coordinator.submit([spec(), spec()]))
        close()

    monkeypatch.setattr(coordinator._supervisor._crew, "listen", no_socket)
    monkeypatch.setattr(coordinator._supervisor._loop, "close", last_look_taken)
    futures.extend(coordinator.submit([spec()]))
    coordinator._thread.join(10)
    # Before another submit could take what the thread has left.
    assert [future.done() for future in futures] == [True] * 3
    futures.extend(coordinator.submit([spec()]))
    troubles = [future.result(10).trouble for future in futures]
    assert len(troubles) == 4
    assert all(trouble and "no socket" in trouble.message for trouble in troubles)
