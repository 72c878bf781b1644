from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.interfaces.tasklist import NewTask
from pytest_ptc.model.errors import TaskListError
from pytest_ptc.tasklist import locks, task_files
from pytest_ptc.tasklist.leftovers import clean_list
from pytest_ptc.tasklist.locks import Clock
from pytest_ptc.tasklist.store import SENTINEL_KEY
from tests.support.tasklists import (
    TIME_LAPSE,
    by_claude,
    names,
    new_store,
    on_disk,
    ours_by_claude,
    tasks,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_ptc.tasklist import TaskListStore


def test_withdrawn_tasks_are_gone_and_their_ids_with_them(store: TaskListStore) -> None:
    """Whoever holds them, they go, and the high-water mark keeps their numbers from coming back."""
    ids = store.publish(tasks(3))
    store.claim(ids[2], "w1")
    store.withdraw(ids[1:])
    assert names(store.path) == {".lock", ".highwatermark", "1.json", f"{ids[0]}.json"}
    assert (store.path / ".highwatermark").read_text() == ids[2]
    assert store.publish(tasks(1)) == ["5"]


@pytest.mark.parametrize(("before", "after"), [("1000", "1000"), ("1", "2"), ("junk", "2")])
def test_the_mark_is_never_lowered(store: TaskListStore, before: str, after: str) -> None:
    """Withdrawing raises the mark if need be, and leaves a higher one as it is."""
    ids = store.publish(tasks(1))
    (store.path / ".highwatermark").write_text(before)
    store.withdraw(ids)
    assert (store.path / ".highwatermark").read_text() == after


def test_a_torn_mark_is_read_again(store: TaskListStore, tmp_path: Path) -> None:
    """A mark that Claude Code is just writing in place is not taken for none."""
    mark = store.path / ".highwatermark"
    mark.write_text("")

    def sleep(_: float) -> None:
        mark.write_text("500")

    other = new_store(tmp_path, clock=Clock(sleep=sleep))
    assert other.publish(tasks(1)) == ["502"]
    other.close()


def test_a_broken_task_can_be_withdrawn(store: TaskListStore) -> None:
    """A file that is no task any more is removed as any other."""
    ids = store.publish(tasks(2))
    (store.path / f"{ids[0]}.json").write_text("{")
    store.withdraw(ids)
    assert names(store.path) == {".lock", ".highwatermark", "1.json"}


def test_one_that_cannot_be_withdrawn_does_not_keep_the_others(store: TaskListStore) -> None:
    """The others go, the error is raised after them, and a second try is possible."""
    ids = store.publish(tasks(3))
    odd = store.path / f"{ids[0]}.json"
    odd.unlink()
    odd.mkdir()
    with pytest.raises(TaskListError, match="cannot withdraw from"):
        store.withdraw(ids)
    assert names(store.path) == {".lock", ".highwatermark", "1.json", odd.name}
    odd.rmdir()
    store.withdraw(ids)


def test_tasks_of_others_forget_the_withdrawn(store: TaskListStore) -> None:
    """A task that waited for ours no longer does, as after Claude Code's own delete."""
    ids = store.publish(tasks(1))
    theirs = by_claude(store, "50", blockedBy=[ids[0], "51"], note="kept")
    ours_by_claude(store, ids[0], blocks=["50", "60"])
    (store.path / "60.json").write_text("broken")
    untouched = by_claude(store, "51", blocks=["50"])
    before = untouched.read_bytes()
    store.withdraw(ids)
    after = json.loads(theirs.read_bytes())
    assert after["blockedBy"] == ["51"]
    assert after["note"] == "kept"
    assert untouched.read_bytes() == before
    assert (store.path / "60.json").read_text() == "broken"


def test_a_withdrawal_waits_only_a_moment_for_locks(tmp_path: Path) -> None:
    """Tasks that dead sessions hold go all the same, as Claude Code's delete takes no lock."""
    clock = TIME_LAPSE
    store = new_store(tmp_path, clock=clock)
    ids = store.publish(tasks(20))
    for name in (".lock", *(f"{task}.json" for task in ids)):
        (store.path / f"{name}.lock").mkdir()
    start = clock.monotonic()
    store.withdraw(ids)
    assert clock.monotonic() - start < 10
    assert not names(store.path) & {f"{task}.json" for task in ids}
    assert (store.path / ".highwatermark").read_text() == ids[-1]


def test_closing_leaves_nothing_of_ours(tmp_path: Path) -> None:
    """Directories made for the run are gone after it, and closing again does nothing."""
    store = new_store(tmp_path / "config")
    store.open()
    ids = store.publish(tasks(5))
    store.claim(ids[0], "w1")
    store.complete(ids[0], "w1", {"k": 1})
    store.close()
    store.close()
    assert not names(tmp_path)


def test_closing_leaves_a_list_that_was_there(tmp_path: Path) -> None:
    """A list made by somebody else stays, even empty, with the mark that protects its ids."""
    store = new_store(tmp_path)
    store.path.mkdir(parents=True)
    store.open()
    ids = store.publish(tasks(2))
    store.close()
    assert names(store.path) == {".lock", ".highwatermark"}
    assert (store.path / ".highwatermark").read_text() == ids[-1]


def test_closing_leaves_the_tasks_of_others_byte_for_byte(tmp_path: Path) -> None:
    """Tasks, odd files and folders of others are neither removed nor rewritten."""
    store = new_store(tmp_path)
    store.open()
    by_claude(store, "1", status="completed")
    by_claude(store, "2", blockedBy=["1"])
    for name in (
        "3.json",
        "notes.txt",
        ".session-list",
        "2.json.tmp.ab12",
        ".ptc-2.json-0123.tmp",
        "a.tmp.txt",
    ):
        (store.path / name).write_text("whatever")
    (store.path / "2.json.lock").mkdir()
    os.utime(store.path / "2.json.lock", (1, 1))
    before = {
        path.name: (path.read_bytes() if path.is_file() else None, path.stat().st_mtime_ns)
        for path in store.path.iterdir()
    }
    store.publish(tasks(3))
    store.close()
    after = {
        path.name: (path.read_bytes() if path.is_file() else None, path.stat().st_mtime_ns)
        for path in store.path.iterdir()
        if path.name not in {".lock", ".highwatermark"}
    }
    assert after == before


def test_closing_clears_what_the_dead_left_of_our_tasks(tmp_path: Path) -> None:
    """Half-written files of tasks that are not there, and our stale locks, keep no directory."""
    store = new_store(tmp_path / "config", clock=TIME_LAPSE)
    store.open()
    ids = store.publish(tasks(2))
    for name in (f"{ids[0]}.json", "77.json", ".highwatermark"):
        (store.path / f".ptc-{name}-0123.tmp").write_text("half")
    (store.path / f"{ids[0]}.json.tmp.ab12").write_text("half")
    (store.path / "78.json.tmp.ab12").write_text("half")
    for task in ids:
        lock = store.path / f"{task}.json.lock"
        lock.mkdir()
        os.utime(lock, (1, 1))
    store.close()
    assert not names(tmp_path)


def test_a_stale_lock_of_a_task_that_is_gone_goes_at_the_end(tmp_path: Path) -> None:
    """When the grace for locks was used up by others, closing still sweeps the stale ones."""
    store = new_store(tmp_path / "config", clock=TIME_LAPSE)
    store.open()
    ids = store.publish(tasks(12))
    for task in ids:
        lock = store.path / f"{task}.json.lock"
        lock.mkdir()
        os.utime(lock, (1, 1))
    store.close()
    assert not names(tmp_path)


def test_a_young_lock_of_our_task_is_left(tmp_path: Path) -> None:
    """A lock whose holder may live is not ours to remove: the directory stays for it."""
    store = new_store(tmp_path, clock=TIME_LAPSE)
    store.open()
    (task,) = store.publish(tasks(1))
    lock = store.path / f"{task}.json.lock"
    lock.mkdir()
    store.close()
    assert names(store.path) == {".lock", ".highwatermark", lock.name}
    lock.rmdir()
    store.close()
    assert not names(tmp_path)


def test_a_young_lock_on_a_list_of_the_runs_own_goes_with_it(tmp_path: Path) -> None:
    """Nobody who could hold a lock of such a list is left: a killed worker's goes at once."""
    store = new_store(tmp_path / "config", own=True, clock=TIME_LAPSE)
    store.open()
    (task,) = store.publish(tasks(1))
    for name in (".lock.lock", f"{task}.json.lock"):
        (store.path / name).mkdir()
    store.close()
    assert not names(tmp_path)


def test_what_a_killed_run_had_locked_goes_with_its_tasks(tmp_path: Path) -> None:
    """Its coordinator was killed while it held a task: nobody is left who could let go."""
    killed = new_store(tmp_path, clock=TIME_LAPSE)
    killed.open()
    (task,) = killed.publish(tasks(1))
    by_claude(killed, "900")
    locked = [f"{number}.json.lock" for number in (task, "900", "901", "902")]
    for name in locked:
        (killed.path / name).mkdir()
    # Of a task that is gone: the holder is dead only if nothing was touched for long.
    os.utime(killed.path / "902.json.lock", (1, 1))
    (killed.path / "903.json.lock").write_text("no lock")
    os.utime(killed.path / "903.json.lock", (1, 1))
    cleaned = clean_list(killed.path, "r1", own=False)
    assert cleaned.removed == ("2 tasks",)
    left = {name for name in names(killed.path) if not name.startswith(".")}
    assert left == {"900.json", "900.json.lock", "901.json.lock", "903.json.lock"}


def test_a_task_that_somebody_put_on_the_runs_own_list_stays(tmp_path: Path) -> None:
    """A session that a person pointed at the run's list keeps its task, and the list."""
    store = new_store(tmp_path, own=True)
    store.open()
    store.publish(tasks(1))
    theirs = by_claude(store, "50")
    store.close()
    assert theirs.name in names(store.path)


def test_a_worker_that_closes_takes_nothing_away(tmp_path: Path) -> None:
    """Only the store that published withdraws, and only the one that made the list removes it."""
    coordinator, worker = new_store(tmp_path), new_store(tmp_path)
    coordinator.open()
    ids = coordinator.publish(tasks(1))
    worker.open()
    assert worker.claim(ids[0], "w1")
    worker.close()
    assert names(coordinator.path) == {".lock", "1.json", "2.json"}
    coordinator.close()
    assert not names(tmp_path)


def test_two_runs_share_a_list(tmp_path: Path) -> None:
    """Each run has its own sentinel and takes only its own tasks away."""
    first, second = new_store(tmp_path), new_store(tmp_path, run_id="r2")
    for store in (first, second):
        store.open()
    a, b = first.publish(tasks(2)), second.publish(tasks(2))
    assert not set(a) & set(b)
    first.close()
    assert {on_disk(second, task)["subject"] for task in b} == {"task 0", "task 1"}
    assert sum(SENTINEL_KEY in on_disk(second, task)["metadata"] for task in ("4",)) == 1
    second.close()
    assert names(second.path) == {".lock", ".highwatermark"}


def test_the_sentinel_goes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At no moment of a run is there a task of ours without the sentinel."""
    store = new_store(tmp_path)
    store.open()
    store.publish(tasks(3))
    gone: list[str] = []
    unlink = Path.unlink

    def watched(self: Path, *, missing_ok: bool = False) -> None:
        gone.append(self.name)
        unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", watched)
    store.close()
    deleted = [name for name in gone if name.endswith(".json")]
    assert deleted[-1] == "1.json"
    assert len(deleted) == 4


def test_a_failed_publish_is_cleaned_up_by_close(tmp_path: Path) -> None:
    """Tasks written before one that cannot be are withdrawn at the end."""
    store = new_store(tmp_path)
    store.open()
    bad = NewTask(subject="bad", description="", metadata={"x": object()})
    with pytest.raises(TaskListError, match="bad"):
        store.publish([*tasks(2), bad])
    assert names(store.path) == {".lock", "1.json", "2.json", "3.json"}
    store.close()
    assert not names(tmp_path)


@pytest.mark.parametrize("full", ["mark", "locks"])
def test_tasks_go_from_a_full_disk(
    store: TaskListStore, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    """Without room for the mark, or for any lock, they go first, and the mark is raised then."""
    ids = store.publish(tasks(2))
    real: Callable[..., Any] = task_files._write_whole if full == "mark" else locks._make

    def only_with_room(*args: Any) -> Any:
        if list(store.path.glob("*.json")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*args)

    module, name = (task_files, "_write_whole") if full == "mark" else (locks, "_make")
    monkeypatch.setattr(module, name, only_with_room)
    store.withdraw(["1", *ids])
    assert names(store.path) == {".lock", ".highwatermark"}
    assert (store.path / ".highwatermark").read_text() == ids[-1]
