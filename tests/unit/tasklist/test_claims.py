from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.model.errors import TaskListError
from pytest_ptc.tasklist import store as store_module
from pytest_ptc.tasklist import task_files
from pytest_ptc.tasklist.locks import Clock
from pytest_ptc.tasklist.store import RUN_KEY
from tests.support.tasklists import by_claude, names, new_store, on_disk, ours_by_claude, tasks

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.tasklist import TaskListStore


def test_a_claim_takes_a_pending_task(store: TaskListStore) -> None:
    """The task is in progress under its owner's name, and nobody else can claim it."""
    (task,) = store.publish(tasks(1))
    assert store.claim(task, "w1")
    assert on_disk(store, task)["status"] == "in_progress"
    assert on_disk(store, task)["owner"] == "w1"
    assert not store.claim(task, "w2")
    assert not store.claim(task, "w1")


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "completed"},
        {"status": "in_progress", "owner": "w2"},
        {"status": "blocked"},
        {"owner": "w2"},
    ],
)
def test_what_is_not_free_is_not_claimed(store: TaskListStore, fields: dict[str, Any]) -> None:
    """A task that is done, taken, set aside or in a state we do not know stays byte for byte."""
    file = ours_by_claude(store, "5", **fields)
    before = file.read_bytes()
    assert not store.claim("5", "w1")
    assert file.read_bytes() == before


def test_a_task_of_others_in_the_place_of_ours_is_theirs(store: TaskListStore) -> None:
    """A list that was deleted and filled again gives ids once more, whose tasks are not ours."""
    ids = store.publish(tasks(2))
    for file in store.path.glob("*.json"):
        file.unlink()
    theirs = by_claude(store, ids[0])
    another_runs = by_claude(store, ids[1], metadata={RUN_KEY: "r2"})
    before = theirs.read_bytes(), another_runs.read_bytes()
    for task in ids:
        assert not store.claim(task, "w1")
        assert not store.has(task)
        assert store.is_gone(task)
    store.withdraw(ids)
    store.close()
    assert (theirs.read_bytes(), another_runs.read_bytes()) == before


def test_one_task_that_is_gone_is_told_from_a_list_that_is(store: TaskListStore) -> None:
    """Deleted alone it is somebody's wish; with all the others, or the directory, it is not."""
    first, second = store.publish(tasks(2))
    assert not store.is_gone(first)
    (store.path / f"{first}.json").unlink()
    assert not store.is_gone(first)
    for file in store.path.glob("*.json"):
        file.unlink()
    assert store.is_gone(second)
    shutil.rmtree(store.path)
    assert store.is_gone(second)


def test_a_task_that_is_gone_is_no_error(store: TaskListStore) -> None:
    """A claim of it fails, and everything else on it does nothing."""
    for task_id in ("99", "", "..", "x" * 200):
        assert not store.claim(task_id, "w1")
        store.release(task_id, "w1")
        store.complete(task_id, "w1", {"k": 1})
        assert store.read(task_id) is None
    store.withdraw(["99"])
    assert names(store.path) <= {".lock", ".highwatermark"}


def test_a_list_that_is_gone_is_no_error(tmp_path: Path) -> None:
    """On a list that was removed everything but publishing does nothing, and makes nothing."""
    store = new_store(tmp_path)
    assert not store.claim("1", "w1")
    store.release("1", "w1")
    store.complete("1", "w1", {})
    store.withdraw(["1"])
    store.close()
    assert not names(tmp_path)


def test_a_blocked_task_is_claimed_when_its_blockers_are_done_or_gone(
    store: TaskListStore,
) -> None:
    """Pending, running and unknown blockers block; completed and deleted ones do not."""
    blockers = [by_claude(store, str(n)) for n in (11, 12, 13)]
    ours_by_claude(store, "20", blockedBy=["11", "12", "13", "99", ""])
    assert not store.claim("20", "w1")
    by_claude(store, "11", status="completed")
    by_claude(store, "12", status="in_progress")
    blockers[2].unlink()
    assert not store.claim("20", "w1")
    by_claude(store, "12", status="cancelled")
    assert not store.claim("20", "w1")
    by_claude(store, "12", status="completed")
    assert store.claim("20", "w1")


def test_a_broken_task_fails_its_claim(store: TaskListStore) -> None:
    """The error names the file and the fault, and the file stays as it is."""
    file = store.path / "5.json"
    file.write_text('{"id": "5"')
    with pytest.raises(TaskListError, match=r"5\.json: not JSON"):
        store.claim("5", "w1")
    ours_by_claude(store, "6", status=None)
    with pytest.raises(TaskListError, match=r'6\.json: "status" must be a text'):
        store.claim("6", "w1")
    assert file.read_text() == '{"id": "5"'


def test_a_broken_blocker_fails_the_claim(store: TaskListStore) -> None:
    """Whether a blocker that cannot be read is done is not guessed."""
    (store.path / "5.json").write_text("")
    ours_by_claude(store, "6", blockedBy=["5"])
    with pytest.raises(TaskListError, match=r"5\.json: the file is empty"):
        store.claim("6", "w1")
    assert on_disk(store, "6")["status"] == "pending"


@pytest.mark.parametrize("torn", ["", '{\n  "id": "5",\n  "subj'])
def test_a_torn_read_is_repeated(store: TaskListStore, tmp_path: Path, torn: str) -> None:
    """A file that Claude Code is just writing in place is read again until it is whole."""
    file = ours_by_claude(store, "5")
    whole = file.read_text()
    file.write_text(torn)

    def sleep(_: float) -> None:
        file.write_text(whole)

    assert new_store(tmp_path, clock=Clock(sleep=sleep)).claim("5", "w1")


def test_unknown_keys_and_metadata_survive_our_changes(store: TaskListStore) -> None:
    """What other programs and newer versions keep in a task is there after a whole life."""
    ours_by_claude(store, "5", priority={"level": 1}, metadata={"theirs": [1, {"x": None}]})
    assert store.claim("5", "w1")
    store.complete("5", "w1", {"ptc": {"verdict": "pass"}})
    after = on_disk(store, "5")
    assert after["priority"] == {"level": 1}
    added = {"theirs": [1, {"x": None}], "ptc": {"verdict": "pass"}}
    assert after["metadata"] == {RUN_KEY: "r1", **added}
    assert after["status"] == "completed"


def test_only_the_holder_releases(store: TaskListStore) -> None:
    """A release by somebody else does nothing; the holder's makes the task free for anybody."""
    (task,) = store.publish(tasks(1))
    store.claim(task, "w1")
    store.release(task, "w2")
    assert on_disk(store, task)["owner"] == "w1"
    store.release(task, "w1")
    assert on_disk(store, task)["status"] == "pending"
    assert "owner" not in on_disk(store, task)
    assert store.claim(task, "w2")


def test_only_the_holder_completes(store: TaskListStore) -> None:
    """A completion by somebody else, or after a release, does nothing."""
    (task,) = store.publish(tasks(1))
    store.complete(task, "w1", {"k": 1})
    store.claim(task, "w1")
    store.complete(task, "w2", {"k": 2})
    assert on_disk(store, task)["status"] == "in_progress"
    assert on_disk(store, task)["metadata"] == {RUN_KEY: "r1"}
    store.complete(task, "w1", {"k": 3})
    store.release(task, "w1")
    assert on_disk(store, task)["status"] == "completed"
    assert on_disk(store, task)["metadata"] == {RUN_KEY: "r1", "k": 3}


def test_a_task_its_agent_completed_still_gets_our_metadata(store: TaskListStore) -> None:
    """After the agent's own TaskUpdate the worker's completion adds to it, and only its owner's."""
    ours_by_claude(
        store, "5", status="completed", owner="w1", metadata={"ptc": {"verdict": "pass"}}
    )
    store.complete("5", "w2", {"seconds": 1})
    assert on_disk(store, "5")["metadata"] == {RUN_KEY: "r1", "ptc": {"verdict": "pass"}}
    store.complete("5", "w1", {"seconds": 2})
    after = on_disk(store, "5")["metadata"]
    assert after == {RUN_KEY: "r1", "ptc": {"verdict": "pass"}, "seconds": 2}


def test_a_lock_of_claude_codes_is_respected(store: TaskListStore) -> None:
    """While a session holds a task's lock we change nothing, and say which lock it is."""
    (task,) = store.publish(tasks(1))
    lock = store.path / f"{task}.json.lock"
    lock.mkdir()
    with pytest.raises(TaskListError, match=rf"{task}\.json\.lock: still locked"):
        store.claim(task, "w1")
    assert on_disk(store, task)["status"] == "pending"
    lock.rmdir()
    assert store.claim(task, "w1")


def test_a_claim_that_must_fail_waits_for_no_lock(store: TaskListStore) -> None:
    """A task that is taken is seen to be so while its holder, or anybody, has it locked."""
    ours_by_claude(store, "5", status="in_progress", owner="w2")
    (store.path / "5.json.lock").mkdir()
    assert not store.claim("5", "w1")
    (store.path / "5.json.lock").rmdir()


def test_a_task_that_is_gone_is_not_locked(store: TaskListStore) -> None:
    """A worker that is late with a withdrawn task waits for nothing and leaves nothing."""
    store.publish(tasks(1))
    (store.path / "99.json.lock").mkdir()
    store.complete("99", "w1", {})
    store.release("99", "w1")
    (store.path / "99.json.lock").rmdir()
    assert names(store.path) == {".lock", "1.json", "2.json"}


def test_a_lock_lost_before_the_write_stops_it(
    store: TaskListStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker stopped for so long that its task was changed meanwhile does not undo the change."""
    file = ours_by_claude(store, "5", status="in_progress", owner="w1")
    read = task_files.read_task

    def read_and_be_stopped(*args: Any) -> Any:
        record = read(*args)
        (store.path / "5.json.lock").rmdir()
        ours_by_claude(store, "5", status="in_progress", owner="w2")
        return record

    monkeypatch.setattr(store_module, "read_task", read_and_be_stopped)
    with pytest.raises(TaskListError, match="was stopped while it held the lock"):
        store.complete("5", "w1", {})
    assert json.loads(file.read_bytes())["owner"] == "w2"


def test_claiming_reads_no_directory(store: TaskListStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of a claim and a completion does not grow with the list."""
    (task,) = store.publish(tasks(1))

    def listed(*_: object) -> None:
        pytest.fail("the directory was listed")

    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, listed)
    assert store.claim(task, "w1")
    store.complete(task, "w1", {})
    monkeypatch.undo()


@pytest.mark.parametrize(
    "data", [b"", b'{"id": "2", "sub', b"broken"], ids=["empty", "cut", "text"]
)
def test_a_file_that_is_no_task_is_not_on_the_list(store: TaskListStore, data: bytes) -> None:
    """Claude Code cannot find such a task, which must not be taken for another list."""
    (task,) = store.publish(tasks(1))
    assert store.has(task)
    (store.path / f"{task}.json").write_bytes(data)
    assert not store.has(task)
    (store.path / f"{task}.json").unlink()
    assert not store.has(task)
