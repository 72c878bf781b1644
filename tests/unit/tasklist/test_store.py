from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_ptc.interfaces.tasklist import NewTask, TaskList
from pytest_ptc.model.errors import ConfigError, TaskListError
from pytest_ptc.tasklist import TaskListStore, config_dir
from pytest_ptc.tasklist.locks import ListLocks
from pytest_ptc.tasklist.store import RUN_KEY, SENTINEL_KEY, SENTINEL_OWNER
from tests.support.tasklists import by_claude, names, new_store, on_disk, tasks


def test_the_store_is_a_task_list(store: TaskListStore) -> None:
    """The store has the methods that the coordinator and the workers ask of a task list."""
    seam: TaskList = store
    assert seam.publish([]) == []


def test_making_a_store_touches_nothing(tmp_path: Path) -> None:
    """Before `open` there is nothing on disk, whatever the config directory is."""
    new_store(tmp_path / "config")
    assert not names(tmp_path)


def test_the_config_directory_is_claude_codes() -> None:
    """`CLAUDE_CONFIG_DIR` wins; else it is `.claude` in the home directory."""
    assert config_dir({"CLAUDE_CONFIG_DIR": "/c", "HOME": "/h"}) == Path("/c")
    assert config_dir({"HOME": "/h"}, "/passwd") == Path("/h/.claude")
    assert config_dir({}, "/passwd") == Path("/passwd/.claude")


@pytest.mark.parametrize(
    ("environ", "fix"),
    [({}, "set HOME or CLAUDE_CONFIG_DIR"), ({"CLAUDE_CONFIG_DIR": "", "HOME": "/h"}, "unset it")],
)
def test_a_config_directory_that_cannot_be_known_is_an_error(
    environ: dict[str, str], fix: str
) -> None:
    """Without a home, or with an empty setting that Claude Code reads oddly, the fix is named."""
    with pytest.raises(ConfigError, match=fix):
        config_dir(environ)


def test_the_list_is_below_tasks_under_its_sanitised_name(tmp_path: Path) -> None:
    """The list `a.b` is where Claude Code has it, and no id leads elsewhere."""
    assert TaskListStore(tmp_path, "a.b", run_id="r").path == tmp_path / "tasks" / "a-b"
    assert TaskListStore(tmp_path, "../..", run_id="r").path == tmp_path / "tasks" / "-----"
    with pytest.raises(ConfigError, match="empty"):
        TaskListStore(tmp_path, "", run_id="r")


def test_a_relative_config_directory_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that changes the working directory does not move the list of the run."""
    monkeypatch.chdir(tmp_path)
    store = new_store(Path("config"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert store.path == tmp_path / "config" / "tasks" / "shared"


def test_open_makes_private_directories(tmp_path: Path) -> None:
    """What is made is for its user alone, and opening again changes nothing."""
    store = new_store(tmp_path / "config")
    store.open()
    store.open()
    for folder in (store.path, store.path.parent, tmp_path / "config"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_directory_removed_while_the_list_is_made_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run that removes the directories it made, between our steps, fails nothing."""
    store = new_store(tmp_path)
    mkdir, access = Path.mkdir, os.access
    lost_parent, lost_list = [store.path.parent], [store.path]

    def mkdir_late(self: Path, **options: Any) -> None:
        if self == store.path and lost_parent:
            lost_parent.pop().rmdir()
        mkdir(self, **options)

    def access_late(path: Path, mode: int) -> bool:
        if lost_list:
            lost_list.pop().rmdir()
        return access(path, mode)

    monkeypatch.setattr(Path, "mkdir", mkdir_late)
    monkeypatch.setattr(os, "access", access_late)
    store.open()
    assert store.path.is_dir()
    assert not lost_parent
    assert not lost_list
    store.close()
    assert not names(tmp_path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_a_place_where_nothing_stays_is_named() -> None:
    """Where the system denies that the parent exists, the attempts end with an error."""
    with pytest.raises(TaskListError, match=r"/proc/tasks/shared: cannot be made"):
        new_store(Path("/proc")).open()


@pytest.mark.parametrize("at", ["config", "config/tasks", "config/tasks/shared"])
def test_a_file_in_the_way_is_named(tmp_path: Path, at: str) -> None:
    """Where a directory is needed and a file is, the error names it and says the fix."""
    file = tmp_path / at
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("mine")
    with pytest.raises(TaskListError, match="move it away") as caught:
        new_store(tmp_path / "config").open()
    assert str(file) in str(caught.value)
    assert file.read_text() == "mine"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/sys is Linux's")
def test_a_place_that_cannot_be_written_is_named() -> None:
    """Where no directory can be made, not even by root, the error names it and says the fix."""
    with pytest.raises(TaskListError, match=r"/sys/tasks: cannot be made .* CLAUDE_CONFIG_DIR"):
        new_store(Path("/sys")).open()


def test_a_list_without_permission_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that may not be used is an error (a stand-in says so, for root may use all)."""
    store = new_store(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(TaskListError, match="change its permissions") as caught:
        store.open()
    assert str(store.path) in str(caught.value)


def test_errors_of_the_system_name_the_list(
    store: TaskListStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is reported with the path, and leaves no temporary file behind."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(TaskListError, match=r"cannot publish the task list: .*No sp") as caught:
            store.publish(tasks(1))
    assert str(store.path) in str(caught.value)
    assert names(store.path) == {".lock"}


def test_published_tasks_are_what_claude_code_reads(store: TaskListStore) -> None:
    """Ids come in order, and every file has what Claude Code requires of a task."""
    new = NewTask(subject="Review", description="Task", metadata={"k": [1]})
    ids = store.publish([*tasks(2), new])
    assert ids == ["2", "3", "4"]
    assert on_disk(store, "4") == {
        "id": "4",
        "subject": "Review",
        "description": "Task",
        "status": "pending",
        "blocks": [],
        "blockedBy": [],
        "metadata": {"k": [1], RUN_KEY: "r1"},
    }
    assert stat.S_IMODE((store.path / "2.json").stat().st_mode) == 0o600


def test_the_first_publish_puts_up_the_sentinel(store: TaskListStore) -> None:
    """One task that is never completed, explains itself and has an owner, is on the list once."""
    store.publish(tasks(1))
    store.publish(tasks(1))
    assert names(store.path) == {".lock", "1.json", "2.json", "3.json"}
    sentinel = on_disk(store, "1")
    assert sentinel["status"] == "pending"
    assert sentinel["owner"] == SENTINEL_OWNER
    assert sentinel["subject"].startswith("pytest-ptc run r1")
    assert "is removed at its end" in sentinel["description"]
    assert sentinel["metadata"] == {RUN_KEY: "r1", SENTINEL_KEY: {"pid": os.getpid()}}
    assert not store.claim("1", "w1")


def test_publishing_nothing_touches_nothing(store: TaskListStore) -> None:
    """Without tasks there is no sentinel either."""
    assert store.publish([]) == []
    assert not names(store.path)


def test_a_sentinel_that_somebody_deleted_is_put_up_again(store: TaskListStore) -> None:
    """The next publish replaces it, so that the list is safe again."""
    store.publish(tasks(1))
    (store.path / "1.json").unlink()
    store.publish(tasks(1))
    assert on_disk(store, "3")["owner"] == SENTINEL_OWNER


def test_ids_go_on_after_every_number_seen(store: TaskListStore) -> None:
    """Neither a number on the list nor one that was deleted is given again."""
    theirs = by_claude(store, "7")
    before = theirs.read_bytes()
    (store.path / ".highwatermark").write_text("41")
    assert store.publish(tasks(1)) == ["43"]
    assert theirs.read_bytes() == before
    by_claude(store, "100")
    assert store.publish(tasks(1)) == ["101"]


def test_an_existing_file_is_never_overwritten(
    store: TaskListStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task put on the list by a program that takes no lock keeps its id and its bytes."""
    monkeypatch.setattr(
        "pytest_ptc.tasklist.store.read_mark", lambda *_: by_claude(store, "2") and 0
    )
    assert store.publish(tasks(2)) == ["3", "4"]
    assert on_disk(store, "2")["subject"] == "theirs"


def test_a_list_that_vanished_is_made_again(store: TaskListStore) -> None:
    """Publishing after somebody removed the list starts a new one; what was lost is forgotten."""
    store.publish(tasks(3))
    shutil.rmtree(store.path)
    assert store.publish(tasks(1)) == ["6"]
    assert on_disk(store, "5")["owner"] == SENTINEL_OWNER
    theirs = by_claude(store, "3")
    store.close()
    assert theirs.exists()
    theirs.unlink()


@pytest.mark.parametrize("lost", ["list", "last"])
def test_an_id_is_given_once_whatever_the_list_remembers(store: TaskListStore, lost: str) -> None:
    """Who has a task by its id never gets another one by it, though somebody removed the first."""
    ids = store.publish(tasks(2))
    if lost == "list":
        shutil.rmtree(store.path)
    else:
        (store.path / f"{ids[-1]}.json").unlink()
    assert not {*store.publish(tasks(2))} & {*ids}


def test_a_list_removed_while_publishing_is_made_again(
    store: TaskListStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run that removes its empty list between our look and our lock costs one more try."""
    lost = [store.path]
    opened = type(store._directory).open

    def open_and_lose(self: Any) -> None:
        opened(self)
        if lost:
            lost.pop().rmdir()

    monkeypatch.setattr(type(store._directory), "open", open_and_lose)
    assert store.publish(tasks(1)) == ["2"]


def test_publish_reports_a_list_that_is_locked(store: TaskListStore) -> None:
    """While Claude Code holds the list's lock nothing is published, and the lock is named."""
    (store.path / ".lock.lock").mkdir()
    with pytest.raises(TaskListError, match=r"\.lock\.lock: still locked"):
        store.publish(tasks(1))
    assert names(store.path) == {".lock", ".lock.lock"}
    (store.path / ".lock.lock").rmdir()


def test_publishing_holds_the_lists_lock(
    store: TaskListStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that creates a task meanwhile waits for all of ours to be there."""
    seen: list[bool] = []
    monkeypatch.setattr(
        "pytest_ptc.tasklist.store.write_task",
        lambda *_: seen.append((store.path / ".lock.lock").is_dir()),
    )
    store.publish(tasks(2))
    assert seen == [True, True, True]


def test_one_lock_serves_many_tasks(store: TaskListStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishing locks once and lists the directory once, however many tasks there are."""
    calls: list[str] = []

    def counted(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def call(*args: Any) -> Any:
            calls.append(name)
            return original(*args)

        monkeypatch.setattr(owner, name, call)

    counted(ListLocks, "hold_list")
    counted(ListLocks, "hold_task")
    counted(os, "scandir")
    store.publish(tasks(50))
    monkeypatch.undo()
    assert calls == ["hold_list", "scandir"]


def test_a_store_says_what_it_is(store: TaskListStore) -> None:
    """A failing test of a user shows the list and how much is on it."""
    store.publish(tasks(2))
    assert repr(store) == f"<TaskListStore {store.path} 2 published>"
