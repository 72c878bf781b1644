"""The files of a directory as a tar: raw, as they lie there, and the same bytes for the same files.

Of a mode only the owner's right to execute counts, as for git; times and owners are not sent.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_ptc.inputs.disk import kind_of
from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Bytes that are read of a directory, however small they may become.
MAX_READ_BYTES = 2 * 1024**3
_CHUNK_BYTES = 1024 * 1024


class TooLargeError(ConfigError):
    """What is to be sent does not fit.

    Args:
        sizes: The sizes of all files, by their names from the directory.
    """

    def __init__(self, problem: str, sizes: dict[str, int] | None = None) -> None:
        super().__init__(problem)
        self.sizes = sizes or {}


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedFiles:
    """Files that are packed.

    Args:
        tar: The tar, in gzip.
        tar_hash: Its SHA-256 before gzip.
        names: What is in it.
        sizes: The sizes of its files.
        left_out: Names that are not in it, and why: a line each.
    """

    tar: bytes
    tar_hash: str
    names: frozenset[str]
    sizes: dict[str, int]
    left_out: tuple[str, ...]


class _Sink(io.RawIOBase):
    """Takes a tar, and has its hash and its bytes in gzip; refuses to have too many."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._gzip = zlib.compressobj(6, wbits=31)
        self._made: list[bytes] = []
        self._hash = hashlib.sha256()
        self._written = 0

    def tell(self) -> int:
        return self._written

    def write(self, content: bytes) -> int:  # type: ignore[override] # a tar writes bytes
        self._hash.update(content)
        self._written += len(content)
        self._keep(self._gzip.compress(content))
        return len(content)

    def _keep(self, made: bytes) -> None:
        self._left -= len(made)
        if self._left < 0:
            raise TooLargeError("too large")
        self._made.append(made)

    def end(self) -> tuple[bytes, str]:
        self._keep(self._gzip.flush())
        return b"".join(self._made), self._hash.hexdigest()


def pack_files(
    top: str, names: Iterable[str], most: int, folders: Iterable[str] = ()
) -> PackedFiles:
    """Pack files and links of a directory.

    Args:
        top: The directory; a real path.
        names: The files' names from there; those that are not there are left away.
        most: Bytes that they may come to.
        folders: Names of directories that are there, whatever is in them.

    Raises:
        TooLargeError: There are more.
        ConfigError: A file cannot be read.
    """
    sink, packed, left_out = _Sink(most), set[str](), []
    sizes = _sizes(top, names)
    if sum(sizes.values()) > MAX_READ_BYTES:
        raise TooLargeError("too large", sizes)
    try:
        with tarfile.open(
            fileobj=sink,
            mode="w",
            format=tarfile.GNU_FORMAT,
            encoding="utf-8",
            errors="surrogateescape",
        ) as tar:
            for name in sorted(set(folders)):
                tar.addfile(_entry(name, tarfile.DIRTYPE, 0o755))
                packed.add(name)
            for name in sorted(sizes):
                problem = _add(tar, top, name)
                if problem is None:
                    packed.add(name)
                elif problem:
                    left_out.append(f"{name!r}: {problem}")
    except TooLargeError as error:
        raise TooLargeError("too large", sizes) from error
    made, tar_hash = sink.end()
    return PackedFiles(
        tar=made,
        tar_hash=tar_hash,
        names=frozenset(packed),
        sizes=sizes,
        left_out=tuple(left_out),
    )


def _sizes(top: str, names: Iterable[str]) -> dict[str, int]:
    found = {}
    for name in names:
        try:
            seen = os.lstat(f"{top}/{name}")
        except OSError:
            continue
        if not stat.S_ISDIR(seen.st_mode):
            found[name] = seen.st_size if stat.S_ISREG(seen.st_mode) else 0
    return found


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = kind, mode
    return entry


def _add(tar: tarfile.TarFile, top: str, name: str) -> str | None:
    """Add a file; return why it is left out, and nothing of a file that is gone by now."""
    path = f"{top}/{name}"
    try:
        if os.path.islink(path):
            return _add_link(tar, top, name)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            seen = os.fstat(descriptor)
            if not stat.S_ISREG(seen.st_mode):
                return f"a {kind_of(seen.st_mode)}"
            content = file.read(MAX_READ_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            return "a socket"
        raise ConfigError(f"{path!r} cannot be read to be sent: {error.strerror}") from error
    entry = _entry(name, tarfile.REGTYPE, 0o755 if seen.st_mode & stat.S_IXUSR else 0o644)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
    return None


def _add_link(tar: tarfile.TarFile, top: str, name: str) -> str | None:
    path = f"{top}/{name}"
    target = os.readlink(path)
    real = os.path.realpath(path)
    if real != top and not real.startswith(f"{top}/"):
        return f"a link to {target!r}, out of the directory"
    if any(part.lower() == ".git" for part in os.path.relpath(real, top).split("/")):
        return f"a link to {target!r}, into git's own files"
    entry = _entry(name, tarfile.SYMTYPE, 0o777)
    # The directory lies in another place there.
    own = os.path.realpath(os.path.dirname(path))
    entry.linkname = os.path.relpath(real, own) if os.path.isabs(target) else target
    tar.addfile(entry)
    return None
