"""The directory of a task list: where it is, making it, and leaving it as it was found."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import ConfigError, TaskListError
from pytest_ptc.tasklist.locks import LIST_LOCK, remove_if_stale
from pytest_ptc.tasklist.task_files import MARK_FILE, written_by
from pytest_ptc.tasklist.task_format import file_name, sanitise

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: How often something starts anew because another run removed the directory under it.
MAX_TRIES = 10


def config_dir(environ: Mapping[str, str], home: str | None = None) -> Path:
    """Return Claude Code's configuration directory, as Claude Code finds it.

    Args:
        environ: Environment variables; `CLAUDE_CONFIG_DIR` and `HOME` are read.
        home: The user's home directory where `HOME` does not say it.

    Raises:
        ConfigError: `CLAUDE_CONFIG_DIR` is empty, or there is no home directory.
    """
    chosen = environ.get("CLAUDE_CONFIG_DIR")
    if chosen == "":
        raise ConfigError(
            "CLAUDE_CONFIG_DIR is set but empty, which Claude Code takes for its working "
            "directory; unset it, or set it to a path"
        )
    if chosen is not None:
        return Path(chosen)
    found = environ.get("HOME") or home
    if not found:
        raise ConfigError(
            "CLAUDE_CONFIG_DIR: there is no home directory to find ~/.claude in; "
            "set HOME or CLAUDE_CONFIG_DIR"
        )
    return Path(found) / ".claude"


class ListDirectory:
    """`<config dir>/tasks/<list>/`; knows what of it was made here."""

    def __init__(self, config: Path, list_id: str) -> None:
        # Absolute now: a test may change the working directory while the run is on.
        self.path = Path(os.path.abspath(config)) / "tasks" / sanitise(list_id)  # noqa: PTH100
        self._created: list[Path] = []

    @property
    def made_here(self) -> bool:
        """Tell whether the list's directory was not there before."""
        return self.path in self._created

    def open(self) -> bool:
        """Make the directory if it is missing, private to its user, and check that it can be used.

        Returns:
            Whether it was missing.

        Raises:
            TaskListError: It cannot be made, or not be read and written.
        """
        for _ in range(MAX_TRIES):
            # Another run that made one of the directories may remove it at its end, right here.
            with suppress(FileNotFoundError):
                missing = [f for f in (*reversed(self.path.parents), self.path) if not f.is_dir()]
                for folder in missing:
                    self._make(folder)
                self._check_access()
                return bool(missing)
        raise TaskListError(
            f"{self.path}: cannot be made: a directory above it is removed repeatedly"
        )

    def names(self) -> list[str]:
        """Return the names of everything in the directory."""
        with os.scandir(self.path) as entries:
            return [entry.name for entry in entries]

    def clear(self, task_ids: Collection[str], now: float) -> None:
        """Remove what was left behind; to be called with the list locked.

        That is half-written files of tasks that are not there, and stale locks of these tasks. If
        the directory was made here and holds nothing of anybody else's, what Claude Code's protocol
        put into it goes as well, so that `remove` finds it empty.

        Args:
            task_ids: Tasks that are no longer on the list.
            now: The wall clock, in seconds since the epoch.
        """
        files = {file_name(task_id) for task_id in task_ids}
        names = set(self.names())
        for name in names:
            target = written_by(name)
            # Who makes a task, or writes the mark, has the list locked, and now that is us: such a
            # writer is dead. One that changes a task is only late if the task is gone.
            if target is not None and (target == MARK_FILE or target not in names):
                (self.path / name).unlink(missing_ok=True)
            elif name.removesuffix(".lock") in files and name.endswith(".lock"):
                remove_if_stale(self.path / name, now)
        protocol = {LIST_LOCK, f"{LIST_LOCK}.lock", MARK_FILE}
        if self.made_here and protocol.issuperset(self.names()):
            (self.path / MARK_FILE).unlink(missing_ok=True)
            (self.path / LIST_LOCK).unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the list's directory, if nothing but what the list's protocol makes is in it."""
        with suppress(OSError):
            names = self.names()
            if any(not _is_protocol(name) for name in names):
                return
            for name in names:
                path = self.path / name
                if path.is_dir() and not path.is_symlink():
                    path.rmdir()
                else:
                    path.unlink()
            self.path.rmdir()

    def remove(self) -> None:
        """Remove the directories that were made here, those that are empty."""
        # `rmdir` removes only what is empty, so whoever came to use the list meanwhile keeps it.
        for folder in reversed(self._created.copy()):
            with suppress(OSError):
                folder.rmdir()
                self._created.remove(folder)

    def _check_access(self) -> None:
        usable = os.R_OK | os.W_OK | os.X_OK
        # Looked at again once it is known to be there: `access` says no to what was just removed.
        if not os.access(self.path, usable) and not (
            self.path.stat() and os.access(self.path, usable)
        ):
            raise TaskListError(
                f"{self.path}: this task list cannot be read and written; change its permissions, "
                "or point CLAUDE_CONFIG_DIR to a directory of your own"
            )

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700)
        except FileNotFoundError:
            raise
        except FileExistsError:
            # Another process of ours may have made it since we looked, and removed it again.
            if not stat.S_ISDIR(folder.stat().st_mode):
                raise TaskListError(
                    f"{folder}: is a file, where the task list needs a directory; move it away, "
                    "or choose another CLAUDE_CONFIG_DIR or task list id"
                ) from None
        except OSError as error:
            raise TaskListError(
                f"{folder}: cannot be made for the task list: {error.strerror}; point "
                "CLAUDE_CONFIG_DIR to a directory that can be written"
            ) from None
        else:
            if folder not in self._created:
                self._created.append(folder)


def _is_protocol(name: str) -> bool:
    """Tell whether a name in a list's directory is none that holds anything of anybody's."""
    return name == MARK_FILE or name.endswith(".lock") or written_by(name) is not None
