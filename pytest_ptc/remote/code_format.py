"""What is sent of a directory, as bytes. Pure.

Names of files, of refs and of directories are bytes: on a disk they may be any.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from pytest_ptc.model.errors import PtcError


class CodeError(PtcError):
    """A directory that cannot be laid down on a node, or that is another one there; it says why."""


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """A git repository around files, so that git says the same of them there.

    Args:
        objects: The hash that it names objects by: `sha1` or `sha256`.
        head: What is checked out: the full name of a branch, or a commit.
        refs: Full names, and the objects that they are at.
        symrefs: Full names, and the refs that they stand for.
        pack: The objects; empty before the first commit.
        shallow: Commits whose parents are not in the pack.
        index: What `git update-index -z --index-info` takes.
        intended: Files that are to be added, and are not yet.
        skipped: Files of the index that are not in the working tree by intention.
        assumed: Files of the index that git is told not to look at.
        settings: What a checkout's files depend on, such as line ends: keys and values.
        exclude: Patterns of files to ignore, besides those of the tree.
        attributes: Attributes of files, besides those of the tree.
    """

    objects: str
    head: bytes
    refs: list[tuple[bytes, str]]
    symrefs: list[tuple[bytes, bytes]]
    pack: bytes
    shallow: list[str]
    index: bytes
    intended: list[bytes]
    skipped: list[bytes]
    assumed: list[bytes]
    settings: list[tuple[str, str]]
    exclude: bytes
    attributes: bytes

    @property
    def marks(self) -> list[Any]:
        """Return what tells it from another one: not the pack's bytes, which differ each time."""
        return [getattr(self, name) for name in self.__struct_fields__ if name != "pack"]


class PackedDirectory(msgspec.Struct, frozen=True, kw_only=True):
    """A directory with its files.

    Args:
        name: Its own name.
        files: Its files, directories and links, as a tar in gzip.
        tar_hash: The SHA-256 of that tar.
        repository: The repository whose top it is; None where git has no part in it.
        inner: Repositories in it, by their paths from here.
    """

    name: bytes
    files: bytes
    tar_hash: str
    repository: Repository | None = None
    inner: dict[bytes, PackedDirectory] = {}

    @property
    def key(self) -> str:
        """Return what is the same for the same content, wherever it is packed."""
        return hashlib.sha256(msgspec.msgpack.encode(self._marks)).hexdigest()[:32]

    @property
    def _marks(self) -> list[Any]:
        own = self.repository.marks if self.repository is not None else None
        inner = sorted((place, one._marks) for place, one in self.inner.items())  # noqa: SLF001
        return [self.name, self.tar_hash, own, inner]

    def to_bytes(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, blob: bytes) -> PackedDirectory:
        """Return what `to_bytes` made.

        Raises:
            CodeError: These are other bytes.
        """
        try:
            return msgspec.msgpack.decode(blob, type=PackedDirectory)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise CodeError(f"what has come is no directory: {error}") from error
