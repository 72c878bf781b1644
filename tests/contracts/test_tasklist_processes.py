"""The list under several real processes: ours, killed ones, and ones that act as Claude Code does.

The actors are functions of this module, run by processes of their own; it imports no pytest, which
each of them would pay for.
"""

# ruff: noqa: S311 - which task is next, and when a process is killed, is chance, not a secret

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.interfaces.tasklist import NewTask
from pytest_ptc.tasklist import TaskListStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Where actors import this module from.
ROOT = Path(__file__).parents[2]

#: Seconds after which a test that hangs is ended.
DEADLINE = 60.0


def start(actor: Callable[..., None], config: Path, *args: Any) -> subprocess.Popen[bytes]:
    """Start an actor in a fresh interpreter, as the workers of a run are."""
    call = (
        f"import json, pathlib, sys; from {__name__} import {actor.__name__} as act; "
        "act(pathlib.Path(sys.argv[1]), *json.loads(sys.argv[2]))"
    )
    command = [sys.executable, "-W", "error", "-c", call, str(config), json.dumps(args)]
    return subprocess.Popen(command, cwd=ROOT)


def end_of(process: subprocess.Popen[bytes], deadline: float) -> int | None:
    """Return how a process ended, None if it had to be killed at the deadline."""
    try:
        return process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def finish(processes: list[subprocess.Popen[bytes]]) -> None:
    """Wait for actors, and hold them to a clean end before the deadline."""
    deadline = time.monotonic() + DEADLINE
    assert [end_of(process, deadline) for process in processes] == [0] * len(processes)


def new_store(config: Path) -> TaskListStore:
    """Return an open store on the list that all actors share."""
    store = TaskListStore(config, "shared", run_id="r1")
    store.open()
    return store


def published(store: TaskListStore, count: int) -> list[str]:
    """Publish this many tasks."""
    return store.publish([NewTask(subject=f"{os.getpid()}", description="") for _ in range(count)])


def note(config: Path, *what: Any) -> None:
    """Add a line to the log of all actors; short appends are atomic."""
    with (config / "log").open("a") as log:
        log.write(json.dumps([os.getpid(), *what]) + "\n")


def notes(config: Path) -> list[list[Any]]:
    """Return what all actors noted."""
    return [json.loads(line) for line in (config / "log").read_text().splitlines()]


def tasks_on_disk(store: TaskListStore) -> dict[str, dict[str, Any]]:
    """Return every task file, whole."""
    files = store.path.glob("*.json")
    return {file.stem: json.loads(file.read_bytes()) for file in files}


def make_old(store: TaskListStore) -> list[Path]:
    """Make every lock on the list older than a live one can be."""
    locks = list(store.path.glob("*.lock.lock")) + list(store.path.glob("*.json.lock"))
    for lock in locks:
        os.utime(lock, (1, 1))
    return locks


class ClaudeCode:
    """What Claude Code 2.1.197 does on disk: directory locks, no flock, writes in place.

    It retries longer than Claude Code does, so that a test does not depend on luck.
    """

    def __init__(self, store: TaskListStore) -> None:
        self.folder = store.path

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a lock as `proper-lockfile` does."""
        path = self.folder / f"{name}.lock"
        deadline = time.monotonic() + DEADLINE
        while not self.taken(path):
            assert time.monotonic() < deadline, f"{path} was never free"
            time.sleep(random.uniform(0.001, 0.01))
        try:
            yield
        finally:
            path.rmdir()

    def taken(self, path: Path) -> bool:
        """Make the lock's directory, removing it first if it is stale."""
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return True
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - 10:
                path.rmdir()
                return self.taken(path)
        return False

    def write(self, file: Path, task: dict[str, Any]) -> None:
        """Write in place, so that readers can see an empty file and half a file."""
        text = json.dumps(task, indent=2).encode()
        with file.open("wb", buffering=0) as out:
            out.write(text[: len(text) // 2])
            time.sleep(0)
            out.write(text[len(text) // 2 :])

    def create(self, subject: str) -> str:
        """TaskCreate: the next id under the list's lock."""
        with contextlib.suppress(FileExistsError):
            (self.folder / ".lock").touch(exist_ok=False)
        with self.lock(".lock"):
            numbers = [int(file.stem) for file in self.folder.glob("*.json")]
            mark = self.folder / ".highwatermark"
            floor = int(mark.read_text()) if mark.exists() else 0
            task_id = str(max([*numbers, floor]) + 1)
            task = {"id": task_id, "subject": subject, "description": "", "status": "pending"}
            self.write(self.folder / f"{task_id}.json", {**task, "blocks": [], "blockedBy": []})
        return task_id

    def count(self, task_id: str, counter: str) -> None:
        """TaskUpdate: read under the task's lock, change, write."""
        file = self.folder / f"{task_id}.json"
        with self.lock(file.name):
            task = json.loads(file.read_bytes())
            metadata = task.setdefault("metadata", {})
            metadata[counter] = metadata.get(counter, 0) + 1
            self.write(file, task)


def publish_often(config: Path, rounds: int, count: int) -> None:
    """Act as several coordinators would: publish again and again."""
    store = new_store(config)
    for _ in range(rounds):
        note(config, "published", published(store, count))


def create_often(config: Path, count: int) -> None:
    """Act as a session that creates task after task."""
    claude = ClaudeCode(new_store(config))
    for _ in range(count):
        note(config, "published", [claude.create(f"{os.getpid()}")])


def test_no_id_is_given_twice(tmp_path: Path) -> None:
    """Runs and sessions that create tasks at once get ids of their own and lose no task."""
    finish(
        [
            *(start(publish_often, tmp_path, 12, 15) for _ in range(2)),
            *(start(create_often, tmp_path, 60) for _ in range(2)),
        ]
    )
    creators = {task: pid for pid, _, ids in notes(tmp_path) for task in ids}
    assert sum(len(ids) for _, _, ids in notes(tmp_path)) == len(creators) == 2 * 180 + 2 * 60
    found = tasks_on_disk(new_store(tmp_path))
    assert {task: int(found[task]["subject"]) for task in creators} == creators
    assert len(found) == len(creators) + 2  # the sentinels


def claim_all(config: Path, ids: list[str]) -> None:
    """Act as a worker: claim what is free, in an order of one's own, and complete it."""
    store = new_store(config)
    owner = f"w{os.getpid()}"
    for task in random.sample(ids, len(ids)):
        if store.claim(task, owner):
            note(config, "claimed", task)
            store.complete(task, owner, {"by": owner})


def test_every_task_is_claimed_once(tmp_path: Path) -> None:
    """Of five workers that want every one of 200 tasks, exactly one gets each and completes it."""
    store = new_store(tmp_path)
    ids = published(store, 200)
    finish([start(claim_all, tmp_path, ids) for _ in range(5)])
    claims = {task: f"w{pid}" for pid, _, task in notes(tmp_path)}
    assert Counter(task for _, _, task in notes(tmp_path)) == Counter(ids)
    found = tasks_on_disk(store)
    for task in ids:
        assert found[task]["status"] == "completed"
        assert found[task]["owner"] == found[task]["metadata"]["by"] == claims[task]
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def hold_in_turn(config: Path, ids: list[str], turns: int) -> None:
    """Claim and release tasks; while one is held, nobody else may hold it."""
    store = new_store(config)
    owner = f"w{os.getpid()}"
    won = 0
    while won < turns:
        task = random.choice(ids)
        if store.claim(task, owner):
            won += 1
            held = config / f"held-{task}"
            held.touch(exist_ok=False)
            held.unlink()
            store.release(task, owner)
    note(config, "won", won)


def update_often(config: Path, ids: list[str], updates: int) -> None:
    """Act as a session whose updates to our tasks are counted in them."""
    claude = ClaudeCode(new_store(config))
    for _ in range(updates):
        claude.count(random.choice(ids), f"c{os.getpid()}")
    note(config, "updated", updates)


def add_metadata(config: Path, task: str, keys: int) -> None:
    """Complete a task, and go on adding to its metadata."""
    store = new_store(config)
    owner = f"w{os.getpid()}"
    assert store.claim(task, owner)
    for key in range(keys):
        store.complete(task, owner, {f"k{key}": key})


def read_often(config: Path, ids: list[str], reads: int) -> None:
    """Read tasks without a lock, while others write them in place."""
    store = new_store(config)
    for _ in range(reads):
        assert store.read(random.choice(ids)) is not None


def test_no_update_is_lost_beside_claude_code(tmp_path: Path) -> None:
    """Sessions that write in place and workers of ours change the same tasks; all changes count."""
    store = new_store(tmp_path)
    contended, finished = published(store, 3), published(store, 2)
    finish(
        [
            *(start(hold_in_turn, tmp_path, contended, 80) for _ in range(2)),
            *(start(update_often, tmp_path, contended + finished, 120) for _ in range(2)),
            *(start(add_metadata, tmp_path, task, 80) for task in finished),
            start(read_often, tmp_path, contended + finished, 500),
        ]
    )
    found = tasks_on_disk(store)
    counts: Counter[str] = Counter()
    for task in (*contended, *finished):
        counts.update({k: n for k, n in found[task]["metadata"].items() if k.startswith("c")})
    assert counts == {f"c{pid}": n for pid, what, n in notes(tmp_path) if what == "updated"}
    for task in finished:
        assert {f"k{n}": n for n in range(80)}.items() <= found[task]["metadata"].items()
    for task in contended:
        assert found[task]["status"] == "pending"
        assert "owner" not in found[task]


def die_holding(config: Path, file: str) -> None:
    """Take a task's lock, or the list's, and be killed with it."""
    store = new_store(config)
    held = store._locks.hold_task(file) if file else store._locks.hold_list()
    with held:
        os.kill(os.getpid(), signal.SIGKILL)


def claim_one(config: Path, task: str) -> None:
    """Claim one task, and note who got it."""
    store = new_store(config)
    if store.claim(task, f"w{os.getpid()}"):
        note(config, "claimed", task)


@pytest.mark.fault("dead-locks")
def test_locks_of_the_killed_are_taken_over_by_one(tmp_path: Path) -> None:
    """When the holder of a lock was killed, many find its old lock and one of them claims."""
    store = new_store(tmp_path)
    tasks = published(store, 2)
    for file in ["", *(f"{task}.json" for task in tasks)]:
        victim = start(die_holding, tmp_path, file)
        assert end_of(victim, time.monotonic() + DEADLINE) == -signal.SIGKILL
        assert len(make_old(store)) >= 1
    assert len(make_old(store)) == 3
    finish([start(claim_one, tmp_path, task) for task in tasks for _ in range(3)])
    assert sorted(task for _, _, task in notes(tmp_path)) == sorted(tasks)
    assert published(store, 1) == ["4"]
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def work_until_killed(config: Path, ids: list[str]) -> None:
    """Change tasks without an end."""
    store = new_store(config)
    owner = f"w{os.getpid()}"
    note(config, "ready")
    while True:
        task = random.choice(ids)
        if store.claim(task, owner):
            store.release(task, owner)
        published(store, 2)


def test_killing_at_any_moment_breaks_nothing(tmp_path: Path) -> None:
    """Workers killed in the middle of anything leave whole files and a list that can be used."""
    store = new_store(tmp_path)
    ids = published(store, 5)
    for _ in range(2):
        (tmp_path / "log").write_text("")
        victims = [start(work_until_killed, tmp_path, ids) for _ in range(3)]
        deadline = time.monotonic() + DEADLINE
        while len(notes(tmp_path)) < len(victims):
            assert time.monotonic() < deadline, "the victims did not start"
            time.sleep(0.01)
        for victim in victims:
            # How long each lives is meant to be random: the kill must hit any line.
            time.sleep(random.uniform(0.0, 0.1))
            victim.kill()
            assert victim.wait(DEADLINE) == -signal.SIGKILL
        make_old(store)
    found = tasks_on_disk(store)
    for task, fields in found.items():
        assert fields["id"] == task
    for task in ids:
        if found[task]["status"] == "in_progress":
            store.release(task, found[task]["owner"])
        assert store.claim(task, "after")
    store.withdraw([task for task in found if task not in ids])
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def whole_runs(config: Path, runs: int) -> None:
    """Act as run after run on one list, each of which leaves it as it found it."""
    for number in range(runs):
        store = TaskListStore(config, "shared", run_id=f"{os.getpid()}-{number}")
        store.open()
        ids = published(store, 3)
        for task in ids:
            assert store.claim(task, "w1"), task
            store.complete(task, "w1", {"k": number})
            record = store.read(task)
            assert record is not None
            assert record.subject == f"{os.getpid()}"
            assert record.metadata is not None
            assert record.metadata["k"] == number
        store.close()


def test_runs_that_come_and_go_do_not_disturb_each_other(tmp_path: Path) -> None:
    """One run may remove the list it made while others open it: none loses a task or fails."""
    finish([start(whole_runs, tmp_path, 12) for _ in range(3)])
    left = list(tmp_path.rglob("*.json")) + list(tmp_path.rglob("*.tmp"))
    assert not left
