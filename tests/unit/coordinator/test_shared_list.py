"""The shared list as the coordinator uses it: what others do to it holds up nobody."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.coordinator import shared_list
from pytest_ptc.coordinator.shared_list import SharedList
from pytest_ptc.journal.run_journal import Journal
from pytest_ptc.model.errors import TaskListError
from pytest_ptc.model.result import Attempt, AttemptReport
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.text.redaction import Redactor
from tests.support.journals import KEY
from tests.support.tasklists import by_claude, new_store, on_disk, tasks
from tests.support.vandal import FILES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_ptc.tasklist import TaskListStore

PASS = Verdict(verdict=VerdictKind.PASS, summary="fine with S3CRET")
BROKE = Trouble(cause=Cause.AGENT_FAILED, message="it broke")
LOST = Trouble(cause=Cause.WORKER_LOST, message="it is gone")


class StuckList:
    """A list of which somebody holds the locks of some tasks, until they are let go.

    Args:
        locked: The tasks.
    """

    def __init__(self, *locked: str) -> None:
        self._locked = locked
        self.free = threading.Event()
        self.done: list[tuple[str, str]] = []

    def __getattr__(self, name: str) -> Any:
        def call(task_id: str, *_: object) -> bool:
            if task_id in self._locked:
                assert self.free.wait(60)
            self.done.append((name, task_id))
            return True

        return call


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Give an empty journal."""
    made = Journal(tmp_path / "runs", "r1", key=KEY)
    yield made
    made.close()


def ended(task_id: str, how: Verdict | Trouble, number: int = 1) -> AttemptReport:
    """Return the report of an attempt of worker `w1`."""
    attempt = Attempt(task_id=task_id, number=number, worker="w1")
    if isinstance(how, Verdict):
        return AttemptReport(attempt=attempt, seconds=1, verdict=how)
    return AttemptReport(attempt=attempt, seconds=1, trouble=how)


@pytest.mark.fault("held-lock")
def test_a_lock_that_somebody_holds_holds_up_no_attempt(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on; what it gave up waiting for is done in order, once that can be."""
    monkeypatch.setattr(shared_list, "CLAIM_TIMEOUT_S", 0.05)
    stuck = StuckList("7")
    held = SharedList(stuck, journal)

    async def use() -> None:
        assert await held.claim("7", "w1", 600) is None
        held.ended(ended("7", BROKE), "w1", done=False, redactor=Redactor())
        assert await held.claim("7", "w2", 0.1) is None
        held.ended(ended("7", PASS, 2), "w2", done=True, redactor=Redactor())
        # Nor another task, of which the others hold nothing.
        monkeypatch.setattr(shared_list, "CLAIM_TIMEOUT_S", 60)
        assert await held.claim("8", "w1", 600) is None
        assert stuck.done == [("claim", "8")]

    asyncio.run(use())
    stuck.free.set()
    monkeypatch.setattr(shared_list, "LAST_CALLS_S", 60)
    held.close()
    late = ["claim", "release", "claim", "complete"]
    assert stuck.done == [("claim", "8"), *((name, "7") for name in late)]
    assert [problem.split(":")[0] for problem in held.problems] == ["task 7", "task 7"]


@pytest.mark.fault("held-lock")
def test_the_end_of_a_run_names_what_stays(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits a moment, and a call that comes to its end after that notes nothing more."""
    monkeypatch.setattr(shared_list, "LAST_CALLS_S", 0.05)
    stuck = StuckList("7", "9")
    held = SharedList(stuck, journal)
    for task_id in ("7", "8", "9"):
        held.release(task_id, "w1")
        held.complete(task_id, "w1", dict)
    held.close()
    held.close()
    assert [problem.split(":")[0] for problem in held.problems] == ["task 7", "task 9"]
    assert ("complete", "8") in stuck.done
    stuck.free.set()


@pytest.mark.parametrize("kind", ["fifo", "directory", "device", "link", "huge", "deep", "cut"])
def test_garbage_in_the_place_of_a_task_holds_up_nobody(
    tmp_path: Path,
    store: TaskListStore,
    journal: Journal,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its claim fails at once; the attempt goes on, and the task is withdrawn with the others."""
    monkeypatch.chdir(tmp_path)
    (task,) = store.publish(tasks(1))
    FILES[kind](store.path / f"{task}.json")
    with pytest.raises(TaskListError):
        store.claim(task, "w1")
    assert not store.has(task)
    held = SharedList(store, journal)
    assert asyncio.run(held.claim(task, "w1", 600)) is None
    assert len(held.problems) == 1
    if kind != "directory":
        store.withdraw([task])
    else:
        (store.path / f"{task}.json").rmdir()
    assert not (store.path / f"{task}.json").exists()


def test_a_task_that_somebody_took_is_theirs(store: TaskListStore, journal: Journal) -> None:
    """The attempt is useless, and says why; what it comes to changes nothing of theirs."""
    (task,) = store.publish(tasks(1))
    store.claim(task, "somebody")
    held = SharedList(store, journal)
    trouble = asyncio.run(held.claim(task, "w1", 600))
    assert trouble is not None
    assert trouble.cause is Cause.CLAIM_LOST
    held.ended(ended(task, trouble), "w1", done=True, redactor=Redactor())
    held.close()
    assert on_disk(store, task)["owner"] == "somebody"
    assert held.problems == []


@pytest.mark.parametrize(
    ("how", "status", "verdict"),
    [
        pytest.param(PASS, "completed", "pass", id="verdict"),
        pytest.param(BROKE, "completed", "error", id="last trouble"),
        pytest.param(LOST, "pending", None, id="worker lost"),
    ],
)
def test_a_task_is_shown_as_its_attempt_ended(
    store: TaskListStore,
    journal: Journal,
    how: Verdict | Trouble,
    status: str,
    verdict: str | None,
) -> None:
    """In progress while it lasts, then completed or pending again; without secrets."""
    (task,) = store.publish(tasks(1))
    held = SharedList(store, journal)
    assert asyncio.run(held.claim(task, "w1", 600)) is None
    assert (on_disk(store, task)["status"], on_disk(store, task)["owner"]) == ("in_progress", "w1")
    redactor = Redactor({"MY_TOKEN": "S3CRET"})
    held.ended(ended(task, how), "w1", done=True, redactor=redactor)
    held.close()
    found = on_disk(store, task)
    assert found["status"] == status
    assert found["metadata"].get("ptc", {}).get("verdict") == verdict
    assert "S3CRET" not in str(found)


def test_a_task_that_could_not_be_released_is_not_lost_to_ourselves(
    store: TaskListStore, journal: Journal
) -> None:
    """The next attempt's claim puts it back first."""
    (task,) = store.publish(tasks(1))
    held = SharedList(store, journal)
    assert asyncio.run(held.claim(task, "w1", 600)) is None
    whole = (store.path / f"{task}.json").read_bytes()
    (store.path / f"{task}.json").write_bytes(b"{")
    held.release(task, "w1")

    async def again() -> Trouble | None:
        # In turn: the look comes after the release.
        await asyncio.wrap_future(held._calls.submit(task, lambda: None))
        (store.path / f"{task}.json").write_bytes(whole)
        return await held.claim(task, "w2", 600)

    assert asyncio.run(again()) is None
    assert on_disk(store, task)["owner"] == "w2"
    assert len(held.problems) == 1


def test_a_task_that_others_deleted_is_lost_and_a_list_that_is_gone_is_not(
    store: TaskListStore, journal: Journal
) -> None:
    """A task off the list is somebody's will; a list that is purged says nothing of its tasks."""
    one, other = store.publish(tasks(2))
    (store.path / f"{one}.json").unlink()
    held = SharedList(store, journal)
    trouble = asyncio.run(held.claim(one, "w1", 600))
    assert trouble is not None
    assert "deleted" in trouble.message
    assert not asyncio.run(held.has(one))
    assert asyncio.run(held.has(other))
    for file in store.path.glob("*.json"):
        file.unlink()
    assert asyncio.run(held.claim(other, "w1", 600)) is None
    assert held.problems == [f"task {other}: the list is gone"]
    by_claude(store, other)
    held.close()


def test_what_is_left_of_a_run_is_withdrawn_and_nothing_else(tmp_path: Path) -> None:
    """By the run's id in each task; the directory goes if nothing of anybody else's is in it."""
    for foreign in (True, False):
        killed = new_store(tmp_path, own=True)
        killed.open()
        killed.publish(tasks(3))
        (killed.path / "2.json.lock").mkdir(exist_ok=True)
        theirs = killed.path / "900.json"
        if foreign:
            other = new_store(tmp_path, run_id="other")
            other.publish(tasks(1))
            theirs.write_text('{"id": "900"}')
            FILES["fifo"](killed.path / "901.json")
        tidy = new_store(tmp_path, own=True)
        assert tidy.withdraw_run() == 4
        assert tidy.withdraw_run() == 0
        assert killed.path.exists() == foreign
        if foreign:
            assert theirs.exists()
            assert (killed.path / "901.json").is_fifo()
            other.close()
            theirs.unlink()
            (killed.path / "901.json").unlink()
