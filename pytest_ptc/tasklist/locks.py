"""Locks on a task list: Claude Code's own protocol, made exclusive among our processes.

On disk, as `proper-lockfile` inside Claude Code does it (read in 2.1.197 and 2.1.330):

- The lock of file F is the directory `F.lock`. Who makes it holds it, and removes it at the end.
- A holder touches it every 5 s. One that was not touched for 10 s belongs to a process that died:
  anyone may remove it and try again. Ours is held for milliseconds, and touched in long work.
- The list's lock is that of the empty file `.lock`: the directory `.lock.lock`. A task's lock is
  `<id>.json.lock`.

Taking over a dead lock is two steps, so two processes that find the same dead lock at once can both
end up holding it. Ours look again, and do both steps, under a `flock` on the list's `.lock`, a file
that Claude Code makes anyway; the kernel drops it when its process dies. With Claude Code itself
the race remains, for the microseconds between looking at a dead lock and removing it.

The list's lock is held together with that `flock`. A task's is not: making a directory excludes by
itself, and claims of different tasks must not wait for each other. The price is that a process of
ours that is stopped for 10 s while it holds a task is taken for dead, as it is by Claude Code; it
finds that out before it writes.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import TaskListError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from filelock import FileLock

#: The file whose lock is the lock of the whole list.
LIST_LOCK = ".lock"

#: Seconds without a touch after which a lock's holder is dead.
STALE_AFTER_S = 10.0

#: Seconds we look at a lock that seems dead before we believe it: a wall clock that has just jumped
#: ahead makes every lock look old, and a live holder is done in far less time.
CONFIRM_AFTER_S = 0.1

#: Seconds we wait for a lock; longer than a dead one takes to become stale.
LOCK_TIMEOUT_S = 15.0

_TOUCH_AFTER_S = 2.0
_MIN_PAUSE_S = 0.005
_MAX_PAUSE_S = 0.1

#: Seconds between two tries of the flock; each try costs a quarter of a millisecond.
_FLOCK_PAUSE_S = 0.004


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """Time, as locks need it.

    Args:
        wall: Seconds since the epoch; what modification times are compared with.
        monotonic: Seconds that never jump; what waiting is measured with.
        sleep: Waits this many seconds.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


SYSTEM_CLOCK = Clock()


class LockHeldError(TaskListError):
    """A lock was not to be had in time; the message names it and says how old it is."""


@dataclass(slots=True)
class HeldLock:
    """A lock that we hold, until the context that gave it ends."""

    path: Path
    _clock: Clock
    _mark: tuple[int, int] | None = field(init=False)
    _touched: float = field(init=False)

    def __post_init__(self) -> None:
        self._note()

    def confirm(self) -> None:
        """Check that the lock is still ours; to be called before a write.

        Raises:
            LockHeldError: We were stopped for so long that another process took it.
        """
        if not self._is_ours():
            raise LockHeldError(
                f"{self.path}: this process was stopped while it held the lock, and lost it"
            )

    def refresh(self) -> None:
        """Show that we live, if it is time to; for work that may take seconds.

        Raises:
            LockHeldError: We were stopped for so long that another process took it.
        """
        if self._clock.monotonic() - self._touched > _TOUCH_AFTER_S:
            self.confirm()
            os.utime(self.path)
            self._note()

    def drop(self) -> None:
        """Remove the lock, unless it was taken from us."""
        if self._is_ours():
            remove_lock(self.path)

    def _is_ours(self) -> bool:
        return self._mark is not None and _mark_of(self.path) == self._mark

    def _note(self) -> None:
        self._mark = _mark_of(self.path)
        self._touched = self._clock.monotonic()


class ListLocks:
    """The locks of one list.

    Each is held against Claude Code and against our other processes. A lock that is not to be had
    in time raises LockHeldError, and a list whose directory is gone raises FileNotFoundError.
    """

    def __init__(self, directory: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        self._directory = directory
        self._clock = clock
        self._flock: tuple[int, FileLock] | None = None

    @contextmanager
    def hold_list(self, patience: float = LOCK_TIMEOUT_S) -> Iterator[HeldLock]:
        """Hold the lock of the whole list, waiting this many seconds for it."""
        watch = _Watch(self._directory / f"{LIST_LOCK}.lock", self._clock)
        for deadline in self._tries(watch, patience):
            # Let go between tries: for a dead lock we wait 10 s, which is no reason for the locks
            # of tasks not to be taken over meanwhile.
            with self._alone(deadline):
                if _make(watch.path) or (watch.sees_dead_lock() and _take_over(watch.path)):
                    with self._holding(watch.path) as lock:
                        yield lock
                    return

    @contextmanager
    def hold_task(self, file: str, patience: float = LOCK_TIMEOUT_S) -> Iterator[HeldLock]:
        """Hold the lock of a task's file, waiting this many seconds for it."""
        watch = _Watch(self._directory / f"{file}.lock", self._clock)
        for deadline in self._tries(watch, patience):
            if _make(watch.path) or self._take_over_alone(watch, deadline):
                with self._holding(watch.path) as lock:
                    yield lock
                return

    def _tries(self, watch: _Watch, patience: float) -> Iterator[float]:
        """Yield the deadline for each try, with pauses between them."""
        deadline = self._clock.monotonic() + patience
        pause = _MIN_PAUSE_S
        while True:
            yield deadline
            if self._clock.monotonic() >= deadline:
                raise LockHeldError(watch.complaint(patience))
            self._clock.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE_S)

    def _take_over_alone(self, watch: _Watch, deadline: float) -> bool:
        if not watch.sees_dead_lock():
            return False
        with self._alone(deadline):
            # Looked at again, because another of our processes may have been here before us.
            return watch.sees_dead_lock() and _take_over(watch.path)

    @contextmanager
    def _holding(self, path: Path) -> Iterator[HeldLock]:
        lock = HeldLock(path, self._clock)
        try:
            yield lock
        finally:
            lock.drop()

    @contextmanager
    def _alone(self, deadline: float) -> Iterator[None]:
        """Be the only one of our processes here."""
        # Imported here: 70 ms, which a run without marked tests must not pay.
        from filelock import Timeout  # noqa: PLC0415

        # filelock would make the directory anew, for a list that is gone.
        self._directory.stat()
        flock = self._file_lock()
        wait = max(0.0, deadline - self._clock.monotonic())
        try:
            flock.acquire(timeout=wait, poll_interval=_FLOCK_PAUSE_S)
        except Timeout:
            raise LockHeldError(
                f"{self._directory / LIST_LOCK}: another process of pytest-ptc has held this lock "
                f"for {wait:.1f} s; is one stopped?"
            ) from None
        try:
            yield
        finally:
            flock.release()

    def _file_lock(self) -> FileLock:
        # Kept, because making one costs as much as locking it; but not across a fork, which
        # filelock forbids.
        if self._flock is None or self._flock[0] != os.getpid():
            from filelock import FileLock  # noqa: PLC0415 - see `_alone`

            # fallback_to_soft: on a file system without flock, newer versions of filelock would
            # take the mere presence of `.lock` for a lock, and `.lock` is always present.
            lock = FileLock(self._directory / LIST_LOCK, fallback_to_soft=False)
            self._flock = os.getpid(), lock
        return self._flock[1]


def is_dead(*, age: float, unchanged: float) -> bool:
    """Tell whether a lock's holder is dead.

    Modification times are another process's wall clock and can lie: in the future, they would make
    a dead lock live for good, so a lock that we saw unchanged for long enough is dead as well.

    Args:
        age: Seconds since the lock was touched, by its modification time.
        unchanged: Seconds that we have seen the same lock untouched, on our monotonic clock.
    """
    return unchanged >= STALE_AFTER_S or (age > STALE_AFTER_S and unchanged >= CONFIRM_AFTER_S)


def remove_if_stale(path: Path, now: float) -> None:
    """Remove the lock of a task that is gone, if its holder died.

    Args:
        path: The lock.
        now: The wall clock, in seconds since the epoch.
    """
    mark = _mark_of(path)
    if mark is not None and _age(mark, now) > STALE_AFTER_S:
        remove_lock(path)


def remove_lock(path: Path) -> None:
    """Remove a lock, whoever held it; one that is gone already is no error."""
    # Gone already: somebody took the lock for dead, or removed the whole list.
    with suppress(FileNotFoundError):
        path.rmdir()


class _Watch:
    """What one waiting process has seen of a lock."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._mark: tuple[int, int] | None = None
        self._since = clock.monotonic()

    def sees_dead_lock(self) -> bool:
        mark = _mark_of(self.path)
        now = self._clock.monotonic()
        if mark is None or mark != self._mark:
            self._mark, self._since = mark, now
            return False
        return is_dead(age=_age(mark, self._clock.wall()), unchanged=now - self._since)

    def complaint(self, patience: float) -> str:
        age = 0.0 if self._mark is None else _age(self._mark, self._clock.wall())
        return (
            f"{self.path}: still locked after {patience:.1f} s, by a lock last touched "
            f"{age:.1f} s ago; if no Claude Code session uses this list, remove that directory"
        )


def _make(path: Path) -> bool:
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def _take_over(path: Path) -> bool:
    remove_lock(path)
    return _make(path)


def _mark_of(path: Path) -> tuple[int, int] | None:
    # Tells one lock from the next of the same name.
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _age(mark: tuple[int, int], now: float) -> float:
    return now - mark[1] / 1e9
