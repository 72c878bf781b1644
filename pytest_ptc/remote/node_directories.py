"""The directories that pytest's machine has sent to a node, and where they lie there."""

from __future__ import annotations

import asyncio
import json
import posixpath
from itertools import count
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import ConfigError, PtcError
from pytest_ptc.remote.frame_kinds import Piece
from pytest_ptc.remote.paths import PathMap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pytest_ptc.remote.frame_kinds import Directory


class NodeDirectories:
    """Takes directories piece by piece, and unpacks each in a thread.

    Args:
        folder: Where they are put; made with the first.
        unpack: Unpacks a directory, given its pieces as one, in a folder that is not there yet;
            returns the path at which it lies.
    """

    def __init__(self, folder: Path, unpack: Callable[[bytes, Path], str]) -> None:
        self._folder = folder
        self._unpack = unpack
        self._pieces: dict[str, bytearray] = {}
        #: Paths of pytest's machine that could not be unpacked, and why.
        self._failed: list[tuple[str, PtcError]] = []
        self._came = asyncio.Event()
        self._turn = asyncio.Lock()
        #: The latest of each key: an earlier content may be sent again.
        self._unpacked: dict[str, asyncio.Task[None]] = {}
        self._numbers = count()
        #: Paths of pytest's machine and their places. The latest content of a directory comes
        #: first, and counts; agents may still be at work in the place of an earlier one.
        self._places: list[tuple[str, str]] = []
        #: The paths of pytest's machine, and what stands for them here.
        self.paths = PathMap(())

    def __repr__(self) -> str:
        return f"<NodeDirectories {self._places}>"

    def take(self, frame: Piece | Directory) -> None:
        """Take a part of a directory, or that it is complete: then it is unpacked."""
        if isinstance(frame, Piece):
            self._pieces.setdefault(frame.key, bytearray()).extend(frame.data)
            return
        data = bytes(self._pieces.pop(frame.key, b""))
        place = self._folder / str(next(self._numbers))
        unpacking = self._put(data, frame.names, place)
        self._unpacked[frame.key] = asyncio.get_running_loop().create_task(unpacking)
        self._came.set()

    async def wait_for(self, keys: Iterable[str]) -> None:
        """Wait until directories are unpacked that may still be on their way.

        Raises:
            ConfigError: A directory cannot be unpacked here.
        """
        for key in keys:
            while key not in self._unpacked:
                self._came.clear()
                await self._came.wait()
            await asyncio.shield(self._unpacked[key])

    async def arrived(self, path: str) -> None:
        """Wait until all that has been sent so far is unpacked, or could not be.

        Args:
            path: The directory on pytest's machine that is asked for.

        Raises:
            ConfigError: It cannot be unpacked here.
        """
        waiting = [asyncio.shield(unpacking) for unpacking in self._unpacked.values()]
        await asyncio.gather(*waiting, return_exceptions=True)
        for top, error in self._failed:
            if path == top or path.startswith(f"{top}/"):
                raise error

    async def close(self) -> None:
        """Return when nothing is being unpacked any more: it would be left behind."""
        # What one has failed with, those who needed it have been told.
        await asyncio.gather(*self._unpacked.values(), return_exceptions=True)

    async def _put(self, data: bytes, names: bytes, folder: Path) -> None:
        # One after the other: of two contents of a directory, the one that was sent later counts.
        async with self._turn:
            paths = [path for path, _ in json.loads(names)]
            self._failed = [(path, error) for path, error in self._failed if path not in paths]
            try:
                await self._put_next(data, names, folder)
            except PtcError as error:
                self._failed += [(path, error) for path in paths]
                raise

    async def _put_next(self, data: bytes, names: bytes, folder: Path) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            place = await asyncio.to_thread(self._unpack, data, folder)
        except OSError as error:
            raise ConfigError(f"what was sent cannot be unpacked: {error}") from error
        self._places[:0] = [
            (path, posixpath.normpath(posixpath.join(place, within)))
            for path, within in json.loads(names)
        ]
        self.paths = PathMap(self._places)
