"""What a sandbox shows of this machine: most of it is looked up once in each worker."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.agents.sandbox.arguments import Access, Mount
from pytest_ptc.journal.keys import state_folder
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.system.regular_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_ptc.interfaces.launch import LaunchFile

#: Folders of the system, where they are. Neither data of services nor homes are among them.
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix"),
    *("/gnu", "/snap", "/run/current-system", "/run/systemd/resolve", "/run/resolvconf"),
    *("/run/NetworkManager", "/var/lib/ca-certificates"),
)
#: Folders for temporary files: a sandbox has its own.
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - inside
#: The most that is read of a file with one path.
_MAX_LINE_BYTES = 8192
#: Scripts that may import others beside them.
_SCRIPTS = frozenset({".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".php", ".lua"})
_PROGRAM_FOLDERS = frozenset({"bin", "sbin", ".bin"})


class View:
    """What every task of a worker sees, and what none does.

    Args:
        launch: The worker's launch file.
        environ: The environment that agents inherit from.
    """

    def __init__(self, launch: LaunchFile, environ: Mapping[str, str]) -> None:
        self._launch = launch
        self.home = os.path.realpath(environ.get("HOME") or "/nonexistent")
        self._path = environ.get("PATH")
        state = _state(environ)
        #: Of these nothing is shown that is not said by itself.
        self._closed = [
            os.path.realpath(launch.journal.parent),
            os.path.realpath(launch.scratch),
            *state,
        ]
        self._hidden = [*self._closed, os.path.realpath(launch.claude_config)]
        #: What has one of these in it is shown only where it is the task's own directory.
        self._guarded = [self.home, *state]
        self._shown = [*self._base(environ)]
        #: What is shown where a task may not change it anyway: nothing of ours is run from there.
        self._around = [*_unused_search_path(), *([str(launch.root)] if launch.root else [])]

    def mounts(self, cwd: str, read: Sequence[str], write: Sequence[str]) -> list[Mount]:
        """Return what a task sees.

        Args:
            cwd: Its directory.
            read: More places that it may read.
            write: More places that it may change.
        """
        place = os.path.realpath(cwd)
        own = [place, *map(os.path.realpath, write)]
        around = [path for path in self._around if not _is_in_any(os.path.realpath(path), own)]
        mounts: list[Mount] = [*self._shown, *self._readable(around)]
        mounts += [Mount(path, Access.HIDDEN) for path in self._hidden if os.path.isdir(path)]  # noqa: PTH112
        # What is named by itself is shown, whatever it is.
        mounts += [mount for path in read for mount in _both(path, Access.READ)]
        mounts += _both(cwd, Access.WRITE)
        mounts += [Mount(path, Access.READ) for path in git_places(Path(place))]
        return [*mounts, *(mount for path in write for mount in _both(path, Access.WRITE))]

    def program(self, word: str) -> list[Mount]:
        """Return what is needed of an installed program: its own folder, or all of its package."""
        if not os.path.isabs(word) or not os.path.exists(word):  # noqa: PTH110, PTH117
            found = shutil.which(word, path=self._path) if os.sep not in word else None
            if found is None:
                return []
            word = found
        return list(self._readable([_package(os.path.realpath(word)), word]))

    def _base(self, environ: Mapping[str, str]) -> Iterator[Mount]:
        for path in _SYSTEM:
            if os.path.islink(path):  # noqa: PTH114
                yield Mount(path, Access.LINK, os.readlink(path))  # noqa: PTH115
            elif os.path.isdir(path):  # noqa: PTH112
                yield Mount(path, Access.READ)
        # No links to one another: a project, or an environment of Python, may lie below either.
        for path in _TEMPORARY:
            yield Mount(path, Access.SCRATCH)
        if self.home not in ("/", *_TEMPORARY):
            yield Mount(self.home, Access.SCRATCH)
        named = (entry for entry in environ.get("PATH", "").split(os.pathsep) if entry)
        ours = Path(__file__).parents[2]
        unused = _unused_search_path()
        used = (entry for entry in sys.path if entry not in unused)
        yield from self._readable([*named, sys.prefix, sys.base_prefix, str(ours), *used])
        for word in self._launch.agent.argv[:1]:
            yield from self.program(word)
        for word in self._launch.agent.argv[1:]:
            if Path(word).suffix in _SCRIPTS:
                yield from self.program(word)
            yield from self._readable([word])

    def _readable(self, paths: Iterable[str]) -> Iterator[Mount]:
        """Yield the places that are there and show nothing that is guarded."""
        for path in paths:
            real = os.path.realpath(path)
            if os.path.isabs(path) and os.path.exists(real) and not self._shows_guarded(real):  # noqa: PTH110, PTH117
                yield from _both(path, Access.READ)

    def _shows_guarded(self, real: str) -> bool:
        above = any(_is_in(guarded, real) for guarded in self._guarded)
        return above or _is_in_any(real, self._closed)


def _unused_search_path() -> list[str]:
    """Return the directories of Python's search path that no module of this process is from."""
    files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    return [entry for entry in sys.path if entry and not any(_is_in(file, entry) for file in files)]


def _is_in_any(path: str, folders: Sequence[str]) -> bool:
    return any(_is_in(path, folder) for folder in folders)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _both(path: str, access: Access) -> list[Mount]:
    """Return a place as it is, and by the name that leads to it over a link."""
    real, named = os.path.realpath(path), os.path.normpath(path)
    if real == named or any(_is_in(named, system) for system in _SYSTEM):
        return [Mount(real, access)]
    return [Mount(real, access), Mount(named, access, real)]


def _package(program: str) -> str:
    """Return the folder of all that an installed program consists of."""
    parts = Path(program).parts
    if "node_modules" in parts:
        return str(Path(*parts[: parts.index("node_modules") + 1]))
    folder = Path(program).parent
    return str(folder.parent if folder.name in _PROGRAM_FOLDERS else folder)


def _state(environ: Mapping[str, str]) -> list[str]:
    try:
        return [os.path.realpath(state_folder(environ))]
    except ConfigError:
        return []


def git_places(folder: Path) -> list[str]:
    """Return git's own folders for a directory: what is in them would decide what git runs.

    A file `.git` may come from the text under review: where it leads is shown only if that knows of
    it, as the folder of a worktree does, or belongs to a repository around it.
    """
    for top in (folder, *folder.parents):
        git = top / ".git"
        if git.is_dir():
            return [os.path.realpath(git)]
        if git.is_file():
            return [str(git), *_linked(git)]
    return []


def _linked(file: Path) -> list[str]:
    """Return the folders that the file of a worktree, or of a submodule, rightly leads to."""
    try:
        own = (file.parent / _line(file).removeprefix("gitdir:").strip()).resolve()
        if (own / "gitdir").is_file():
            if Path(_line(own / "gitdir")).resolve() != file.resolve():
                return []
            shared = (own / _line(own / "commondir")).resolve()
            return [str(shared), str(own)]
    except (OSError, ValueError):
        return []
    around = (folder / ".git" for folder in file.parent.resolve().parents)
    return [str(own)] if any(own.is_relative_to(git) for git in around if git.is_dir()) else []


def _line(file: Path) -> str:
    return read_regular(file, _MAX_LINE_BYTES).decode("utf-8").strip()
