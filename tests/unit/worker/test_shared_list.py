"""The shared list as a worker uses it: what others do to it holds up nobody."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.model.errors import TaskListError
from pytest_ptc.model.trouble import Cause
from pytest_ptc.worker import shared_list
from pytest_ptc.worker.shared_list import WorkersList
from tests.support.tasklists import new_store, tasks
from tests.support.vandal import FILES

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.tasklist import TaskListStore


class StuckList:
    """A list whose lock somebody holds, until it is let go."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.done: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(*_: object) -> bool:
            assert self.free.wait(10)
            self.done.append(name)
            return True

        return call


@pytest.mark.fault("held-lock")
def test_a_lock_that_somebody_holds_holds_up_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker goes on; what it gave up waiting for is done in order, once that can be."""
    monkeypatch.setattr(shared_list, "PATIENCE", 0.05)
    stuck, shown = StuckList(), list[str]()

    async def use() -> None:
        held = WorkersList(stuck, shown.append)
        assert await held.claim("7", "w1", 600) is None
        assert await held.claim("8", "w1", 0.1) is None
        await held.complete("7", "w1", {})
        assert stuck.done == []
        stuck.free.set()
        await held.close()

    asyncio.run(use())
    assert stuck.done == ["claim", "claim", "complete"]
    assert len(shown) == 3
    assert all("locked" in line for line in shown)


@pytest.mark.parametrize("kind", ["fifo", "directory", "device", "link", "huge", "deep", "cut"])
def test_garbage_in_the_place_of_a_task_holds_up_nobody(
    tmp_path: Path, store: TaskListStore, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its claim fails at once; the attempt goes on, and the task is withdrawn with the others."""
    monkeypatch.chdir(tmp_path)
    (task,) = store.publish(tasks(1))
    FILES[kind](store.path / f"{task}.json")
    with pytest.raises(TaskListError):
        store.claim(task, "w1")
    assert not store.has(task)
    held = WorkersList(store, lambda _: None)
    assert asyncio.run(held.claim(task, "w1", 600)) is None
    if kind != "directory":
        store.withdraw([task])
    else:
        (store.path / f"{task}.json").rmdir()
    assert not (store.path / f"{task}.json").exists()


def test_a_task_that_somebody_took_is_theirs(store: TaskListStore) -> None:
    """The attempt is useless, and says why."""
    (task,) = store.publish(tasks(1))
    store.claim(task, "somebody")
    trouble = asyncio.run(WorkersList(store, lambda _: None).claim(task, "w1", 600))
    assert trouble is not None
    assert trouble.cause is Cause.CLAIM_LOST


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
