"""Where the journals of a project are, seen from a directory in it.

Pytest has them in its cache directory, which an ini file, an option or a variable may move. So each
run leaves a note of the place in the user's state directory, sealed as a journal is; `ptc` looks
there, and where the project's ini file says. It looks from the current directory up to the
project's root directory and no further: directories above it may be under somebody else's control.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.journal.keys import state_folder
from pytest_ptc.journal.seals import opened, sealed
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.system.regular_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Below pytest's cache directory.
BELOW_CACHE = Path("d/ptc/runs")
DEFAULT_CACHE = ".pytest_cache"
#: How many cache directories are remembered for one project, the latest first.
MAX_PLACES = 5
#: The longest ini file and the longest note that are read, in bytes.
MAX_FILE_BYTES = 4 * 1024 * 1024

#: The files that make a directory a root directory of pytest, each with a text that it must hold.
_INI_FILES = {
    "pytest.toml": b"",
    ".pytest.toml": b"",
    "pytest.ini": b"",
    ".pytest.ini": b"",
    "pyproject.toml": b"[tool.pytest",
    "tox.ini": b"[pytest]",
    "setup.cfg": b"[tool:pytest]",
}


class Project(NamedTuple):
    """A project as it is seen from a directory in it.

    Args:
        folders: The directory and those above it, up to the project's root directory.
        top: The root directory, where there is something that says so.
    """

    folders: tuple[Path, ...]
    top: Path | None


def project_of(start: Path, environ: Mapping[str, str]) -> Project:
    """Return the project that a directory is in."""
    home = os.path.realpath(environ["HOME"]) if environ.get("HOME") else None
    folders: list[Path] = []
    for folder in (start, *start.parents):
        if folders and _is_writable_by_others(folder):
            break
        folders.append(folder)
        if (folder / ".git").exists() or ini_file(folder) is not None:
            return Project(tuple(folders), folder)
        if os.path.realpath(folder) == home:
            break
    return Project(tuple(folders), None)


def _is_writable_by_others(folder: Path) -> bool:
    try:
        seen = folder.stat()
    except OSError:
        return True
    return seen.st_uid != os.geteuid() or bool(seen.st_mode & stat.S_IWOTH)


def ini_file(folder: Path) -> Path | None:
    """Return the file that makes this directory one of pytest's root directories, if one does."""
    for name, text in _INI_FILES.items():
        with contextlib.suppress(OSError):
            if text in read_regular(folder / name, MAX_FILE_BYTES):
                return folder / name
    return None


def runs_of(project: Project, environ: Mapping[str, str], key: bytes | None) -> list[Path]:
    """Return the folders that hold the runs of the nearest directory that has any.

    Each is below that directory, or where a run of it, or its ini file, says that they are.
    """
    for folder in project.folders:
        places = [*_noted(folder, environ, key), _by_ini(folder), folder / DEFAULT_CACHE]
        runs = [place / BELOW_CACHE for place in places if place is not None]
        # Two names of one folder are one.
        there = {os.path.realpath(place): place for place in runs if place.is_dir()}
        if there:
            return list(there.values())
    return []


def root_of(project: Project, runs: Path) -> Path:
    """Return the directory of a project at which checks of the path to `runs` begin."""
    above = (folder for folder in reversed(project.folders) if runs.is_relative_to(folder))
    return next(above, project.folders[0])


def note_place(root: Path, cache: Path, environ: Mapping[str, str], key: bytes) -> None:
    """Remember where the runs of a root directory are; failing to do so is no error.

    Args:
        root: Pytest's root directory.
        cache: Its cache directory.
        environ: The environment.
        key: The user's key.
    """
    with contextlib.suppress(OSError, ConfigError):
        place = os.path.abspath(cache)  # noqa: PTH100 - as pytest has it, links and all
        known = [str(path) for path in _noted(root, environ, key)]
        if known[:1] == [place]:
            return
        places = list(dict.fromkeys([place, *known]))[:MAX_PLACES]
        note = sealed({"root": os.path.realpath(root), "caches": places}, _token(key))
        file = _note_file(root, environ)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            beside.write_text(json.dumps(note), encoding="ascii")
            beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)


def _noted(folder: Path, environ: Mapping[str, str], key: bytes | None) -> list[Path]:
    if key is None:
        return []
    try:
        text = read_regular(_note_file(folder, environ), MAX_FILE_BYTES)
        note = opened(json.loads(text), _token(key))
    except (OSError, ValueError, RecursionError, ConfigError):
        return []
    if note is None or note["root"] != os.path.realpath(folder):
        return []
    return [Path(place) for place in note["caches"]]


def _note_file(root: Path, environ: Mapping[str, str]) -> Path:
    name = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:32]
    return state_folder(environ) / "projects" / f"{name}.json"


def _token(key: bytes) -> str:
    return hmac.new(key, b"places of journals", "sha256").hexdigest()


def _by_ini(folder: Path) -> Path | None:
    """Return the cache directory that the ini file of a directory names, if it does."""
    file = ini_file(folder)
    if file is None or b"cache_dir" not in read_regular(file, MAX_FILE_BYTES):
        return None
    from pytest_ptc.system.pytest_internals import cache_dir_in  # noqa: PLC0415 - all of pytest

    cache_dir = cache_dir_in(file)
    if not cache_dir:
        return None
    return folder / os.path.expandvars(os.path.expanduser(cache_dir))  # noqa: PTH111 - as pytest does
