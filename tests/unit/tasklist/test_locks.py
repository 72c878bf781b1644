from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import filelock
import pytest

from pytest_ptc.model.errors import TaskListError
from pytest_ptc.tasklist import locks
from pytest_ptc.tasklist.locks import (
    CONFIRM_AFTER_S,
    LIST_LOCK,
    LOCK_TIMEOUT_S,
    STALE_AFTER_S,
    Clock,
    ListLocks,
    LockHeldError,
    is_dead,
    remove_if_stale,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class FakeTime:
    """A clock that only sleeping moves, and that can do something while it sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.wall_offset = time.time()
        self.while_asleep: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.while_asleep()

    @property
    def clock(self) -> Clock:
        return Clock(
            wall=lambda: self.wall_offset + self.now, monotonic=lambda: self.now, sleep=self.sleep
        )


@pytest.fixture
def fake() -> FakeTime:
    """Give a clock that stands still."""
    return FakeTime()


def lock_of_another(folder: Path, *, age: float = 0.0) -> Path:
    """Make the lock of `1.json` as Claude Code does, this many seconds ago."""
    path = folder / "1.json.lock"
    path.mkdir()
    made = time.time() - age
    os.utime(path, (made, made))
    return path


def test_holding_makes_the_directory_and_leaves_nothing(tmp_path: Path) -> None:
    """While held, `1.json.lock` is there for Claude Code to see; after, nothing is."""
    with ListLocks(tmp_path).hold_task("1.json") as lock:
        assert lock.path == tmp_path / "1.json.lock"
        assert lock.path.is_dir()
    assert not list(tmp_path.iterdir())


def test_the_list_lock_is_where_claude_code_has_it(tmp_path: Path) -> None:
    """The list's lock is the directory `.lock.lock` beside the empty file `.lock`."""
    with ListLocks(tmp_path).hold_list():
        assert (tmp_path / ".lock.lock").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == [LIST_LOCK]
    assert (tmp_path / LIST_LOCK).read_bytes() == b""


def test_the_lock_is_dropped_when_the_work_fails(tmp_path: Path) -> None:
    """An exception under the lock goes through, and the next holder gets the lock."""
    ours = ListLocks(tmp_path)
    with pytest.raises(ZeroDivisionError), ours.hold_task("1.json"):
        raise ZeroDivisionError
    with ours.hold_task("1.json", patience=0):
        pass


def test_a_live_lock_is_waited_for(tmp_path: Path, fake: FakeTime) -> None:
    """A lock that its holder gives back while we wait is ours then."""
    theirs = lock_of_another(tmp_path)
    fake.while_asleep = lambda: theirs.rmdir() if fake.now > 1 and theirs.exists() else None
    with ListLocks(tmp_path, fake.clock).hold_task("1.json"):
        assert 1 < fake.now < 2


def test_other_tasks_can_be_locked_while_one_is_waited_for(tmp_path: Path, fake: FakeTime) -> None:
    """Waiting for one task's lock does not keep our other processes from the other tasks."""
    theirs = lock_of_another(tmp_path)
    taken: list[str] = []

    def take_another() -> None:
        with ListLocks(tmp_path).hold_task("2.json", patience=0) as lock:
            taken.append(lock.path.name)
        theirs.rmdir()

    fake.while_asleep = take_another
    with ListLocks(tmp_path, fake.clock).hold_task("1.json"):
        assert taken == ["2.json.lock"]


def test_a_lock_that_stays_held_is_reported(tmp_path: Path, fake: FakeTime) -> None:
    """When patience ends, the error names the lock, its age and the fix; the lock stays."""
    theirs = lock_of_another(tmp_path, age=3)
    with (
        pytest.raises(LockHeldError, match=r"last touched [45]\.\d s ago; if no Claude") as caught,
        ListLocks(tmp_path, fake.clock).hold_task("1.json", patience=1),
    ):
        pytest.fail("the lock was held by somebody else")
    assert str(theirs) in str(caught.value)
    assert isinstance(caught.value, TaskListError)
    assert theirs.is_dir()


def test_a_dead_lock_is_taken_over_soon(tmp_path: Path, fake: FakeTime) -> None:
    """A lock older than 10 s is ours after a moment's look, without waiting for anything."""
    lock_of_another(tmp_path, age=STALE_AFTER_S + 1)
    with ListLocks(tmp_path, fake.clock).hold_task("1.json"):
        assert CONFIRM_AFTER_S <= fake.now < 0.3


def test_only_one_of_ours_takes_over(
    tmp_path: Path, fake: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one of our processes takes a dead lock over, no other that found it dead can."""
    lock_of_another(tmp_path, age=STALE_AFTER_S + 1)
    take_over = locks._take_over
    takers: list[Path] = []

    def take_over_in_company(path: Path) -> bool:
        takers.append(path)
        with (
            pytest.raises(LockHeldError, match="another process of pytest-ptc"),
            ListLocks(tmp_path, FakeTime().clock).hold_task("1.json", patience=0.2),
        ):
            pytest.fail("two processes at once")
        return take_over(path)

    monkeypatch.setattr(locks, "_take_over", take_over_in_company)
    with ListLocks(tmp_path, fake.clock).hold_task("1.json"):
        assert len(takers) == 1


def test_a_dead_lock_that_was_taken_over_meanwhile_is_not_dead(
    tmp_path: Path, fake: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one of ours found dead, and another took over before its turn, is looked at again."""
    theirs = lock_of_another(tmp_path, age=STALE_AFTER_S + 1)
    acquire = filelock.FileLock.acquire

    def acquire_late(*args: Any, **options: Any) -> Any:
        theirs.rmdir()
        theirs.mkdir()
        return acquire(*args, **options)

    monkeypatch.setattr(filelock.FileLock, "acquire", acquire_late)
    with (
        pytest.raises(LockHeldError),
        ListLocks(tmp_path, fake.clock).hold_task("1.json", patience=1),
    ):
        pytest.fail("a live holder lost its lock")
    assert theirs.is_dir()


def test_a_lock_made_now_is_dead_ten_seconds_later(tmp_path: Path, fake: FakeTime) -> None:
    """Patience outlasts staleness: the lock of a process killed just now does not end a run."""
    lock_of_another(tmp_path)
    with ListLocks(tmp_path, fake.clock).hold_task("1.json"):
        assert STALE_AFTER_S <= fake.now < LOCK_TIMEOUT_S


def test_a_lock_from_the_future_is_dead_once_watched_long_enough(
    tmp_path: Path, fake: FakeTime
) -> None:
    """A clock that was set back cannot make a dead lock live for good."""
    lock_of_another(tmp_path, age=-3600)
    with ListLocks(tmp_path, fake.clock).hold_task("1.json"):
        assert STALE_AFTER_S <= fake.now < LOCK_TIMEOUT_S


def test_a_lock_that_is_touched_is_not_dead(tmp_path: Path, fake: FakeTime) -> None:
    """A holder that touches its lock keeps it, whatever our wall clock says of its age."""
    theirs = lock_of_another(tmp_path, age=3600)
    touches: list[float] = []

    def touch() -> None:
        touches.append(fake.now)
        made = time.time() - 3600 + fake.now
        os.utime(theirs, (made, made))

    fake.while_asleep = touch
    with pytest.raises(LockHeldError), ListLocks(tmp_path, fake.clock).hold_task("1.json"):
        pytest.fail("a live holder lost its lock")
    assert len(touches) > 10


@pytest.mark.fault("clock-jumps")
def test_a_jump_of_the_wall_clock_kills_no_live_lock(tmp_path: Path, fake: FakeTime) -> None:
    """When the clock jumps ahead, a holder that works for milliseconds keeps its lock."""
    theirs = lock_of_another(tmp_path)
    fake.wall_offset += 3600
    fake.while_asleep = lambda: theirs.rmdir() if fake.now > 0.05 and theirs.exists() else None
    with ListLocks(tmp_path, fake.clock).hold_task("1.json"):
        assert 0.05 < fake.now < CONFIRM_AFTER_S


@pytest.mark.parametrize(
    ("age", "unchanged", "dead"),
    [
        (0, 0, False),
        (STALE_AFTER_S, 1, False),
        (STALE_AFTER_S + 0.01, 0, False),
        (STALE_AFTER_S + 0.01, CONFIRM_AFTER_S, True),
        (-3600, STALE_AFTER_S - 0.01, False),
        (-3600, STALE_AFTER_S, True),
    ],
)
def test_what_counts_as_dead(age: float, unchanged: float, *, dead: bool) -> None:
    """Old and seen still for a moment, or seen still for as long as old means."""
    assert is_dead(age=age, unchanged=unchanged) is dead


def test_a_lock_that_was_taken_from_us_is_left_alone(tmp_path: Path) -> None:
    """If we were suspended and another process took over, its lock is not ours to remove."""
    with ListLocks(tmp_path).hold_task("1.json") as lock:
        lock.path.rmdir()
        theirs = lock_of_another(tmp_path, age=-5)
    assert theirs.is_dir()


def test_who_lost_its_lock_is_told_before_it_writes(tmp_path: Path, fake: FakeTime) -> None:
    """After being stopped for long, neither a check nor a touch passes for holding the lock."""
    with ListLocks(tmp_path, fake.clock).hold_task("1.json") as lock:
        lock.confirm()
        lock.path.rmdir()
        lock_of_another(tmp_path, age=-5)
        with pytest.raises(LockHeldError, match="was stopped while it held the lock"):
            lock.confirm()
        fake.now += 60
        with pytest.raises(LockHeldError, match="was stopped while it held the lock"):
            lock.refresh()


def test_a_lock_that_vanished_is_no_error(tmp_path: Path) -> None:
    """Somebody who removes our lock, or the whole list, does not fail what we did under it."""
    with ListLocks(tmp_path).hold_task("1.json") as lock:
        lock.path.rmdir()
    assert not lock.path.exists()


def test_long_work_touches_its_lock(
    tmp_path: Path, fake: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every few seconds of work the lock is made young again, and is still ours to drop."""
    touched: list[Path] = []
    utime = os.utime

    def counted(path: Path) -> None:
        touched.append(path)
        utime(path)

    monkeypatch.setattr(os, "utime", counted)
    with ListLocks(tmp_path, fake.clock).hold_list() as lock:
        for _ in range(10):
            lock.refresh()
        assert not touched
        fake.now += 3
        for _ in range(10):
            lock.refresh()
        assert touched == [lock.path]
    assert not lock.path.exists()


def test_a_list_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    """Locking in a directory that was removed raises, rather than putting a stray list there."""
    with pytest.raises(FileNotFoundError), ListLocks(tmp_path / "gone").hold_task("1.json"):
        pytest.fail("there is nothing to lock")
    with pytest.raises(FileNotFoundError), ListLocks(tmp_path / "gone").hold_list():
        pytest.fail("there is nothing to lock")
    assert not (tmp_path / "gone").exists()


def test_a_stopped_process_of_ours_is_reported(tmp_path: Path) -> None:
    """When another process of ours keeps the flock, the error names it and does not take over."""
    with (
        filelock.FileLock(tmp_path / LIST_LOCK),
        pytest.raises(LockHeldError, match=r"another process of pytest-ptc .* is one stopped"),
        ListLocks(tmp_path).hold_list(patience=0.05),
    ):
        pytest.fail("the flock was held by somebody else")


def test_a_file_system_without_flock_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel has no flock we fail at once, rather than take `.lock` itself for a lock."""

    def missing(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", missing)
    # Older versions of filelock say it their own way; the store translates both.
    with (
        pytest.raises((OSError, NotImplementedError)),
        ListLocks(tmp_path).hold_list(patience=5),
    ):
        pytest.fail("nothing was locked")


def test_only_a_stale_lock_is_swept(tmp_path: Path) -> None:
    """Of the locks of tasks that are gone, those that are young may still have a holder."""
    theirs = lock_of_another(tmp_path)
    remove_if_stale(theirs, time.time())
    assert theirs.is_dir()
    remove_if_stale(theirs, time.time() + STALE_AFTER_S + 1)
    remove_if_stale(theirs, time.time() + STALE_AFTER_S + 1)
    assert not theirs.exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_locks_work_on_in_a_forked_child(tmp_path: Path) -> None:
    """A child forked after a lock was used can lock, which filelock forbids for one object."""
    ours = ListLocks(tmp_path)
    with ours.hold_list():
        pass
    child = os.fork()
    if child == 0:
        try:
            with ours.hold_list(patience=1):
                os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_importing_the_store_does_not_import_filelock() -> None:
    """A session without marked tests pays nothing for locks it never takes."""
    code = "import sys, pytest_ptc.tasklist; print('filelock' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
