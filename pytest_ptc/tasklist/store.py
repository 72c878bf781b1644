"""The shared task list as one process of a run uses it.

Every process (pytest and each worker) has a store of its own on the same directory, beside other
runs and live Claude Code sessions. Each change of a task is made with its lock held, on what the
file holds at that moment, and no change reads the directory: a claim costs the same on a list of
ten tasks and of ten thousand.

The first publish also puts a sentinel on the list. Claude Code's screen deletes a list 5 s after
the last of its tasks was completed (read in 2.1.197, measured on it and on 2.1.330); one task that
stays pending prevents that. It is the first of ours on the list and the last off it.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.errors import TaskListError
from pytest_ptc.tasklist.directory import MAX_TRIES, ListDirectory
from pytest_ptc.tasklist.locks import (
    LOCK_TIMEOUT_S,
    SYSTEM_CLOCK,
    Clock,
    ListLocks,
    LockHeldError,
    remove_if_stale,
    remove_lock,
)
from pytest_ptc.tasklist.task_files import raise_mark, read_mark, read_task, write_task
from pytest_ptc.tasklist.task_format import TaskRecord, file_name, first_free_number, leading_number

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_ptc.interfaces.tasklist import NewTask
    from pytest_ptc.tasklist.locks import HeldLock

#: Who owns the sentinel, so that no session takes it for work.
SENTINEL_OWNER = "pytest-ptc"

#: The key of the sentinel's metadata.
SENTINEL_KEY = "ptc_sentinel"

#: The key, in the metadata of all that a run publishes, of the run's id. A list may be deleted and
#: filled again by others while a run is on: an id alone does not make a task ours.
RUN_KEY = "ptc_run"

#: Seconds for which one withdrawal waits for locks, all tasks together, before it deletes without
#: them. Claude Code's own delete takes no lock; with it, an update cannot bring the file back.
_WITHDRAW_TIMEOUT_S = 1.0

#: Seconds after which a task that is not there is deleted, and not being replaced.
_REPLACED_WITHIN_S = 0.25

#: What a full disk is called.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})

#: Seconds for each lock once the grace is used up: enough for one that is held by the living.
_SHORT_TIMEOUT_S = 0.05


class TaskListStore:
    """The shared list in `<config dir>/tasks/<list>/`; implements `TaskList`.

    Making the object touches nothing on disk.

    Args:
        config: Claude Code's configuration directory; see `config_dir`.
        list_id: The list's id, as in `CLAUDE_CODE_TASK_LIST_ID`.
        run_id: The run's id. Only its own tasks are claimed and withdrawn.
        own: Whether the list was made for this run, named after it, and goes with it.
        clock: The time.
        patience: Seconds to wait for a lock.

    Raises:
        ConfigError: The list id names no directory.
    """

    def __init__(
        self,
        config: Path,
        list_id: str,
        *,
        run_id: str,
        own: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        patience: float = LOCK_TIMEOUT_S,
    ) -> None:
        self._directory = ListDirectory(config, list_id)
        self._locks = ListLocks(self._directory.path, clock)
        self._run_id = run_id
        self._own = own
        self._clock = clock
        self._patience = patience
        # Insertion order is the order of publication.
        self._published: dict[str, None] = {}
        self._withdrawn: set[str] = set()
        self._sentinel: str | None = None
        # The largest number given here. A list that was removed does not know it any more, and who
        # knows tasks by their ids must not get one twice.
        self._last_id = 0

    def __repr__(self) -> str:
        return f"<TaskListStore {self.path} {len(self._published)} published>"

    @property
    def path(self) -> Path:
        return self._directory.path

    def open(self) -> None:
        """Make the list's directory if it is missing, and check that it can be used.

        Raises:
            TaskListError: It cannot be made, read or written; the message has the fix.
        """
        with self._errors("open"):
            self._directory.open()

    def read(self, task_id: str) -> TaskRecord | None:
        """Return a task as it is on disk, or None if it is gone.

        Raises:
            TaskListError: Its file is no task.
        """
        with self._errors("read"):
            return read_task(self._file(task_id), self._clock)

    def has(self, task_id: str) -> bool:
        """Tell whether the list has this task of the run's.

        A file that is none is none to Claude Code, too.
        """
        try:
            record = self.read(task_id)
        except TaskListError:
            return False
        return record is not None and self._is_ours(record)

    def is_gone(self, task_id: str) -> bool:
        """Tell whether the list was deleted as a whole, this task with it.

        Then no task at all is on it, or one of others has this task's place: while the list is
        there, no id is given twice.

        Raises:
            TaskListError: The task's file is no task.
        """
        record = self.read(task_id)
        if record is not None:
            return not self._is_ours(record)
        with self._errors("read"):
            try:
                return not any(name.endswith(".json") for name in self._directory.names())
            except FileNotFoundError:
                return True

    def publish(self, tasks: Sequence[NewTask]) -> list[str]:
        """Put tasks on the list, and the sentinel before the first of them; return their ids.

        Raises:
            TaskListError: The list cannot be locked or written.
        """
        if not tasks:
            return []
        with self._errors("publish"):
            return self._publish_all(tasks)

    def claim(self, task_id: str, owner: str) -> bool:
        """Take a pending task of the run's; False if it is taken, blocked, completed or gone.

        A task is taken if it has another owner than `owner` or is not pending. A blocker that is
        completed or gone does not block.

        Raises:
            TaskListError: Its file, or that of a task that may block it, is no task.
        """

        def claimed(record: TaskRecord) -> TaskRecord | None:
            return record.claimed(owner) if free(record) and not self._is_blocked(record) else None

        def free(record: TaskRecord) -> bool:
            return self._is_ours(record) and record.is_free_for(owner)

        # Most claims that fail, fail here, without a lock that the others have to wait for.
        seen = self.read(task_id)
        if seen is None:
            # Whoever puts something else in its place may have been between two steps of that.
            self._clock.sleep(_REPLACED_WITHIN_S)
            seen = self.read(task_id)
        if seen is None or not free(seen):
            return False
        return self._change(task_id, claimed, self._patience)

    def release(self, task_id: str, owner: str) -> None:
        """Put a task that `owner` holds back to pending, without an owner."""

        def released(record: TaskRecord) -> TaskRecord | None:
            return record.released() if record.is_held_by(owner) else None

        self._change(task_id, released, self._patience)

    def complete(self, task_id: str, owner: str, metadata: Mapping[str, Any]) -> None:
        """Mark a task that `owner` holds completed, adding to its metadata.

        A task that its agent completed with TaskUpdate, still the owner's, gets the metadata too.
        """

        def completed(record: TaskRecord) -> TaskRecord | None:
            finished_by_agent = record.is_done and record.owner == owner
            ours = record.is_held_by(owner) or finished_by_agent
            return record.completed(metadata) if ours else None

        self._change(task_id, completed, self._patience)

    def withdraw(self, task_ids: Iterable[str]) -> None:
        """Remove these tasks of the run's, whoever holds them, and every mention of them.

        Mentions are found from the tasks' own `blocks` and `blockedBy`: Claude Code writes such a
        link on both sides.
        """
        ids = dict.fromkeys(task_ids)
        if not ids:
            return
        give_up = self._clock.monotonic() + _WITHDRAW_TIMEOUT_S
        with self._errors("withdraw from"), suppress(FileNotFoundError):
            # Before the files go, as Claude Code does it: their ids must not be given again even
            # if this process dies now. A full disk has room for the mark only when they are gone.
            number = max(leading_number(task_id) for task_id in ids)
            marked = self._found_room(lambda: self._raise_mark(number, give_up))
            others = self._delete_all(ids, give_up) - ids.keys()
            if not marked:
                self._raise_mark(number, give_up)
            for other in others:
                self._forget(other, ids.keys(), give_up)
        self._withdrawn.update(ids)
        for task_id in ids:
            self._published.pop(task_id, None)

    def withdraw_run(self) -> int:
        """Remove all tasks of the run's from the list, for a run that cannot do that any more.

        The list goes with them if it was the run's own, and nobody else has something on it.

        Returns:
            How many there were.
        """
        with self._errors("withdraw from"), suppress(FileNotFoundError):
            stems = [name[: -len(".json")] for name in self._directory.names() if _is_task(name)]
            ours = [task_id for task_id in stems if self.has(task_id)]
            self.withdraw(ours)
            self._remove_locks(ours)
            if self._own:
                self._directory.discard()
            return len(ours)
        return 0

    def _remove_locks(self, ours: Collection[str]) -> None:
        """Remove locks of tasks that are gone: of the run's own ones at once, of others if stale.

        The run's processes have ended: a lock that outlasted the wait is of one of them. One of
        another task may be of a process that was killed between deleting it and letting go.
        """
        names = set(self._directory.names())
        for name in names:
            file = name.removesuffix(".lock")
            if file == name or not _is_task(file) or file in names:
                continue
            with suppress(OSError):  # something else of that name stays
                if file.removesuffix(".json") in ours:
                    remove_lock(self.path / name)
                else:
                    remove_if_stale(self.path / name, self._clock.wall())

    def close(self) -> None:
        """Withdraw what this store published, the sentinel last; may be called again.

        The list's directory goes as well if this store made it and nothing of anybody else's is in
        it, and so do the directories above that were made for it, if they are empty. Tasks and
        files of others stay as they are, but for what is on the run's own list beside tasks: locks
        of workers that were killed while they held them.
        """
        try:
            self.withdraw(tuple(self._published))
        finally:
            if self._sentinel is not None:
                self.withdraw([self._sentinel])
                self._sentinel = None
        if self._withdrawn or self._directory.made_here:
            self._tidy()

    def _publish_all(self, tasks: Sequence[NewTask]) -> list[str]:
        for _ in range(MAX_TRIES):
            if self._directory.open():
                # What we published on a list that is gone is gone; its ids may be others' now.
                self._published.clear()
                self._withdrawn.clear()
                self._sentinel = None
            # A run that made the directory removes it at its end, if it finds nothing in it.
            with suppress(FileNotFoundError), self._locks.hold_list(self._patience) as lock:
                return self._write_all(tasks, lock)
        raise TaskListError(
            f"{self.path}: the task list was removed repeatedly while tasks were published"
        )

    def _write_all(self, tasks: Sequence[NewTask], lock: HeldLock) -> list[str]:
        names = self._directory.names()
        mark = max(read_mark(self.path, self._clock), self._last_id)
        free = self._free_ids(first_free_number(names, mark))
        if self._sentinel is None or not self.has(self._sentinel):
            self._sentinel = next(free)
            write_task(self._file(self._sentinel), _sentinel(self._sentinel, self._run_id))
        ids = []
        for task, task_id in zip(tasks, free, strict=False):
            lock.refresh()
            write_task(self._file(task_id), self._record(task_id, task))
            self._published[task_id] = None
            ids.append(task_id)
        return ids

    def _record(self, task_id: str, task: NewTask) -> TaskRecord:
        return TaskRecord(
            id=task_id,
            subject=task.subject,
            description=task.description,
            metadata={**task.metadata, RUN_KEY: self._run_id},
        )

    def _free_ids(self, number: int) -> Iterator[str]:
        """Yield ids from this number on, each given as it is taken."""
        # Who creates tasks holds the list's lock, so the look at each name catches only programs
        # that do not. A hard link would be exclusive, but Claude Code 2.1.330 refuses to read a
        # file with two names.
        for id_ in count(number):
            if not os.path.lexists(self._file(str(id_))):
                self._last_id = id_
                yield str(id_)

    def _is_blocked(self, record: TaskRecord) -> bool:
        # One read a blocker: the directory is never listed for a claim.
        blockers = (read_task(self._file(id_), self._clock) for id_ in record.blocked_by)
        return any(blocker is not None and not blocker.is_done for blocker in blockers)

    def _change(
        self, task_id: str, change: Callable[[TaskRecord], TaskRecord | None], patience: float
    ) -> bool:
        """Apply `change` to a task with its lock held; False if it is gone or declined."""
        file = self._file(task_id)
        with self._errors("update"), suppress(FileNotFoundError):
            file.stat()
            with self._locks.hold_task(file.name, patience) as lock:
                record = read_task(file, self._clock)
                changed = None if record is None else change(record)
                if changed is not None and changed != record:
                    lock.confirm()
                    write_task(file, changed)
                return changed is not None
        return False

    def _raise_mark(self, number: int, give_up: float) -> None:
        with suppress(LockHeldError), self._locks.hold_list(self._left(give_up)):
            raise_mark(self.path, number, self._clock)
            return
        raise_mark(self.path, number, self._clock)

    def _found_room(self, act: Callable[[], None]) -> bool:
        """Do something, and tell whether the disk had room for it."""
        try:
            act()
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            return False
        return True

    def _delete_all(self, task_ids: Iterable[str], give_up: float) -> set[str]:
        """Delete tasks; return the ids of the tasks that mention them."""
        failures: list[OSError] = []
        mentions = {
            other
            for task_id in task_ids
            for other in self._delete(self._file(task_id), give_up, failures)
        }
        # One that cannot be deleted is reported after the others are gone.
        if failures:
            raise failures[0]
        return mentions

    def _delete(self, file: Path, give_up: float, failures: list[OSError]) -> set[str]:
        try:
            return self._delete_locked(file, give_up)
        except FileNotFoundError:
            raise
        except OSError as error:
            failures.append(error)
            return set()

    def _delete_locked(self, file: Path, give_up: float) -> set[str]:
        try:
            with self._locks.hold_task(file.name, self._left(give_up)):
                return self._unlink(file)
        except LockHeldError:
            return self._unlink(file)
        except OSError as error:
            # There may be no room for a lock, which is a directory.
            if error.errno not in _NO_ROOM:
                raise
            return self._unlink(file)

    def _unlink(self, file: Path) -> set[str]:
        record = None
        with suppress(TaskListError, OSError):  # a broken file goes as well
            record = read_task(file, self._clock)
        if record is not None and not self._is_ours(record):
            return set()
        file.unlink(missing_ok=True)
        return set() if record is None else {*record.blocks, *record.blocked_by}

    def _is_ours(self, record: TaskRecord) -> bool:
        return (record.metadata or {}).get(RUN_KEY) == self._run_id

    def _forget(self, task_id: str, gone: Collection[str], give_up: float) -> None:
        # Somebody else's file that is broken or locked for long is left to them: a blocker that is
        # gone does not block anyway.
        with suppress(TaskListError):
            self._change(task_id, lambda record: record.without_links_to(gone), self._left(give_up))

    def _tidy(self) -> None:
        with self._errors("tidy"):
            with (
                suppress(FileNotFoundError, LockHeldError),
                self._locks.hold_list(_WITHDRAW_TIMEOUT_S),
            ):
                self._directory.clear(self._withdrawn, self._clock.wall())
            if self._own:
                self._directory.discard()
            self._directory.remove()

    def _left(self, give_up: float) -> float:
        return max(_SHORT_TIMEOUT_S, give_up - self._clock.monotonic())

    def _file(self, task_id: str) -> Path:
        return self.path / file_name(task_id)

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (OSError, NotImplementedError) as error:
            # NotImplementedError: older versions of filelock, on a file system without flock.
            raise TaskListError(f"{self.path}: cannot {doing} the task list: {error}") from error


def _is_task(name: str) -> bool:
    return name.endswith(".json")


def _sentinel(task_id: str, run_id: str) -> TaskRecord:
    return TaskRecord(
        id=task_id,
        subject=f"pytest-ptc run {run_id}: keeps this list while the run is active",
        description=(
            f"This is no work. It keeps Claude Code from deleting this list while run {run_id} of "
            "pytest-ptc is active, and is removed at its end. Leave it pending."
        ),
        owner=SENTINEL_OWNER,
        metadata={RUN_KEY: run_id, SENTINEL_KEY: {"pid": os.getpid()}},
    )
