"""The key of the journals, and the user's state directory that holds it.

Whoever has the key can write a journal that this user's pytest accepts. It is outside of every tree
under test, and no agent gets it. A run's seals and its attempts' tokens are made with keys that are
derived from it (`seals.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.variables import JOURNAL_KEY
from pytest_ptc.system.regular_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Size of the key file.
KEY_BYTES = 32
#: The shortest value of the variable, in characters: 16 bytes as hexadecimal digits.
MIN_VARIABLE_CHARACTERS = 32
KEY_FILE = "journal.key"

_VARIABLE_FIX = f"or set {JOURNAL_KEY} to at least {MIN_VARIABLE_CHARACTERS} random characters"


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return pytest-ptc's folder in the user's state directory; nothing is made.

    Raises:
        ConfigError: The environment names no state directory and no home.
    """
    # The XDG specification: ignore a relative path.
    for name, below in (("XDG_STATE_HOME", "pytest-ptc"), ("HOME", ".local/state/pytest-ptc")):
        if os.path.isabs(environ.get(name, "")):  # noqa: PTH117 - an empty text is no path
            return Path(environ[name], below)
    raise ConfigError(
        "there is no directory for the key of the journals: neither XDG_STATE_HOME nor HOME is an "
        f"absolute path; set HOME, {_VARIABLE_FIX}"
    )


def journal_key(environ: Mapping[str, str], trees: Iterable[Path] = ()) -> bytes:
    """Return the key of this user's journals; make it if there is none.

    Args:
        environ: The environment.
        trees: Directories under test, which must not contain the key.

    Raises:
        ConfigError: It cannot be made, or others can read or replace it; the message has the path
            and the fix.
    """
    return _key_from_variable(environ) or _from_file(environ, trees, make=True)


def existing_key(environ: Mapping[str, str], trees: Iterable[Path] = ()) -> bytes | None:
    """Return the key of this user's journals; None if there is none yet.

    Raises:
        ConfigError: Others can read or replace it; the message has the path and the fix.
    """
    if key := _key_from_variable(environ):
        return key
    if not state_folder(environ).exists():
        return None
    try:
        return _from_file(environ, trees, make=False)
    except FileNotFoundError:
        return None


def _key_from_variable(environ: Mapping[str, str]) -> bytes | None:
    value = environ.get(JOURNAL_KEY)
    if value is None:
        return None
    text = value.strip()
    if len(text) < MIN_VARIABLE_CHARACTERS:
        raise ConfigError(
            f"{JOURNAL_KEY}: has {len(text)} characters, but needs {MIN_VARIABLE_CHARACTERS} or "
            "more: set it to the output of `openssl rand -hex 32`, or unset it"
        )
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _from_file(environ: Mapping[str, str], trees: Iterable[Path], *, make: bool) -> bytes:
    file = state_folder(environ) / KEY_FILE
    place = Path(os.path.realpath(file.parent))
    for tree in trees:
        if place.is_relative_to(os.path.realpath(tree)):
            raise ConfigError(
                f"the key of the journals, {file}, would be in the tree under test, "
                f"{tree}; set XDG_STATE_HOME to a directory outside of it, {_VARIABLE_FIX}"
            )
    try:
        if make:
            _make_folder(file.parent)
            _make_key(file)
        _check_folder(file.parent)
        return _read_key(file)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not make:
            raise
        problem = error.strerror or str(error)
    raise ConfigError(f"the key of the journals, {file}: {problem}; fix that, {_VARIABLE_FIX}")


def _make_folder(folder: Path) -> None:
    for missing in reversed([folder, *folder.parents]):
        with contextlib.suppress(FileExistsError):
            missing.mkdir(mode=0o700)


def _make_key(file: Path) -> None:
    if os.path.lexists(file):
        return
    beside = file.with_name(f".{KEY_FILE}.{os.getpid()}.{os.urandom(4).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(beside, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(os.urandom(KEY_BYTES))
            stream.flush()
            os.fsync(descriptor)
        # A link, not a rename: two runs that make it at the same time both use the first one.
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(beside)
    finally:
        beside.unlink(missing_ok=True)


def _check_folder(folder: Path) -> None:
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode):
        raise OSError(None, f"{folder} is not a directory")
    if seen.st_uid != os.geteuid():
        raise OSError(None, f"{folder} belongs to another user")
    if seen.st_mode & 0o022:
        raise OSError(None, f"{folder} can be written by others: chmod 700 {folder}")


def _read_key(file: Path) -> bytes:
    seen = file.lstat()
    if stat.S_ISLNK(seen.st_mode):
        raise OSError(None, "is a link")
    if seen.st_uid != os.geteuid():
        raise OSError(None, "belongs to another user")
    if stat.S_ISREG(seen.st_mode) and seen.st_mode & 0o077:
        raise OSError(None, "can be read by others: remove it, and a new one is made")
    key = read_regular(file, KEY_BYTES)
    if len(key) != KEY_BYTES:
        raise OSError(None, f"has {len(key)} bytes, not {KEY_BYTES}: remove it, a new one is made")
    return key
