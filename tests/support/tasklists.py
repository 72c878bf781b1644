"""A task list on disk, and what Claude Code writes there, for the tests of the store."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from pytest_ptc.interfaces.tasklist import NewTask
from pytest_ptc.tasklist import TaskListStore
from pytest_ptc.tasklist.locks import Clock
from pytest_ptc.tasklist.store import RUN_KEY

if TYPE_CHECKING:
    from pathlib import Path

#: Time ten times as fast, for tests in which locks are waited for.
TIME_LAPSE = Clock(
    monotonic=lambda: time.monotonic() * 10, sleep=lambda seconds: time.sleep(seconds / 10)
)


def new_store(config: Path, **options: Any) -> TaskListStore:
    """Return a store on the list `shared`, as each process of a run makes one."""
    return TaskListStore(config, "shared", **{"run_id": "r1", "patience": 0.5, **options})


def tasks(count: int) -> list[NewTask]:
    """Return tasks to publish."""
    return [NewTask(subject=f"task {i}", description="do it") for i in range(count)]


def by_claude(store: TaskListStore, task_id: str, **fields: Any) -> Path:
    """Write a task as Claude Code does, in place."""
    file = store.path / f"{task_id}.json"
    required = {"id": task_id, "subject": "theirs", "description": "", "status": "pending"}
    file.write_text(json.dumps({**required, "blocks": [], "blockedBy": [], **fields}, indent=2))
    return file


def ours_by_claude(store: TaskListStore, task_id: str, **fields: Any) -> Path:
    """Write a task of the run as Claude Code does when it changes it, which keeps what it has."""
    metadata = {RUN_KEY: "r1", **fields.pop("metadata", {})}
    return by_claude(store, task_id, metadata=metadata, **fields)


def on_disk(store: TaskListStore, task_id: str) -> dict[str, Any]:
    """Return what a task's file holds."""
    found: dict[str, Any] = json.loads((store.path / f"{task_id}.json").read_bytes())
    return found


def names(folder: Path) -> set[str]:
    """Return the names in a folder."""
    return {path.name for path in folder.iterdir()}
