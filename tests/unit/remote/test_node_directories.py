"""The directories that a node has been sent: when they are there, and which of two counts."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.remote.frame_kinds import Directory, Piece
from pytest_ptc.remote.node_directories import NodeDirectories


def unpack(data: bytes, folder: Path) -> str:
    """Lay down one file, unless its content says no."""
    if data == b"no":
        raise OSError(28, "No space left on device")
    folder.mkdir()
    (folder / "file").write_bytes(data)
    return str(folder)


def names(*pairs: tuple[str, str]) -> bytes:
    """Return names as a frame has them."""
    return json.dumps(pairs).encode()


def test_of_two_contents_the_latest_counts_and_both_are_known(tmp_path: Path) -> None:
    """An agent that began with the first is still at work in its place."""

    async def test() -> None:
        made = NodeDirectories(tmp_path / "code", unpack)
        places = []
        for key, data in (("one", b"1"), ("two", b"2")):
            made.take(Piece(key, data))
            made.take(Directory(key, names(("/app", "."), ("/link", "pkg"))))
            await made.wait_for([key])
            places.append(made.paths.to_node("/app/x"))
        assert places[0] != places[1]
        assert [made.paths.from_node(place) for place in places] == ["/app/x", "/app/x"]
        assert made.paths.place("/link/y") == places[1].replace("/x", "/pkg/y")

    asyncio.run(test())


def test_what_cannot_be_unpacked_is_an_error_of_whoever_needs_it(tmp_path: Path) -> None:
    """It says why."""

    async def test() -> None:
        made = NodeDirectories(tmp_path / "code", unpack)
        made.take(Piece("one", b"no"))
        made.take(Directory("one", names(("/app", "."))))
        with pytest.raises(ConfigError, match="No space left"):
            await made.wait_for(["one"])
        assert made.paths.place("/app") is None

    asyncio.run(test())


def test_a_directory_that_cannot_be_unpacked_is_no_trouble_of_the_others(tmp_path: Path) -> None:
    """Until it is sent again, and can."""

    async def test() -> None:
        made = NodeDirectories(tmp_path / "code", unpack)
        for key, data, top in (("one", b"no", "/app"), ("two", b"2", "/lib")):
            made.take(Piece(key, data))
            made.take(Directory(key, names((top, "."))))
        await made.arrived("/lib/x")
        await made.arrived("/application")
        with pytest.raises(ConfigError, match="No space left"):
            await made.arrived("/app/x")
        made.take(Piece("three", b"3"))
        made.take(Directory("three", names(("/app", "."))))
        await made.arrived("/app/x")

    asyncio.run(test())


def test_nothing_is_unpacked_behind_the_end(tmp_path: Path) -> None:
    """The node removes the folder next: what came later would stay."""
    go_on, asked = threading.Event(), threading.Event()

    def slowly(data: bytes, folder: Path) -> str:
        asked.set()
        go_on.wait(60)
        return unpack(data, folder)

    async def test() -> None:
        made = NodeDirectories(tmp_path / "code", slowly)
        made.take(Piece("one", b"1"))
        made.take(Directory("one", names(("/app", "."))))
        await asyncio.to_thread(asked.wait)
        closing = asyncio.create_task(made.close())
        await asyncio.sleep(0)
        assert not closing.done()
        go_on.set()
        await closing
        assert (tmp_path / "code/0/file").exists()

    asyncio.run(test())


def test_a_content_that_is_sent_again_is_the_one_that_counts(tmp_path: Path) -> None:
    """A directory may be changed and changed back; each has a place of its own."""
    places: list[str] = []
    keys = ["one", "two", "one", "three", "one"]

    async def test() -> None:
        made = NodeDirectories(tmp_path / "code", unpack)
        for key in keys:
            made.take(Piece(key, key.encode()))
            made.take(Directory(key, names(("/app", "."))))
            await made.arrived("/app")
            places.append(made.paths.place("/app/file") or "")

    asyncio.run(test())
    assert [Path(place).read_text() for place in places] == keys
    assert len(set(places)) == len(keys)


def test_the_content_that_was_sent_later_counts_though_it_is_unpacked_sooner(
    tmp_path: Path,
) -> None:
    """They are unpacked one after the other."""
    go_on = threading.Event()

    def first_slowly(data: bytes, folder: Path) -> str:
        if data == b"one":
            go_on.wait(30)
        return unpack(data, folder)

    async def test() -> str | None:
        made = NodeDirectories(tmp_path / "code", first_slowly)
        for key in ("one", "two"):
            made.take(Piece(key, key.encode()))
            made.take(Directory(key, names(("/app", "."))))
        asyncio.get_running_loop().call_later(0.1, go_on.set)
        await made.arrived("/app")
        return made.paths.place("/app/file")

    assert Path(asyncio.run(test()) or "").read_text() == "two"
