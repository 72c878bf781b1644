"""Files that grow on a node, carried part by part: the copy comes to what the worker wrote."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.remote import carried
from pytest_ptc.remote.carried import CarriedFiles, write_part
from pytest_ptc.remote.frame_kinds import File

if TYPE_CHECKING:
    from pathlib import Path


class World:
    """A folder on a node, and its copy here."""

    def __init__(self, folder: Path) -> None:
        self.there, self.here = folder / "there", folder / "here"
        self.there.mkdir()
        self.here.mkdir()
        self.files = CarriedFiles("1.1", self.there, "w1")

    def carry(self, most: int | None = None) -> int:
        """Carry what is new, so many parts at most; return how many there were."""
        parts = list(islice(self.files.new_parts(), most))
        for part in parts:
            write_part(self.here, part)
        return len(parts)

    @property
    def output(self) -> bytes:
        return (self.here / "output.log").read_bytes()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(carried, "PART_BYTES", 4)
    return World(tmp_path)


def test_what_is_taken_part_by_part_is_carried_once(world: World) -> None:
    """An agent that prints faster than is carried costs no memory: the rest comes later."""
    (world.there / "output.log").write_bytes(b"0123456789")
    assert [world.carry(2) for _ in range(4)] == [2, 2, 0, 0]
    assert world.output == b"0123456789"
    with (world.there / "output.log").open("ab") as file:
        file.write(b"ab")
    assert world.carry() == 1
    assert world.output == b"0123456789ab"


@pytest.mark.parametrize("content", [b"", b"new"])
def test_a_file_that_was_replaced_is_carried_anew(world: World, content: bytes) -> None:
    output = world.there / "output.log"
    output.write_bytes(b"0123456789")
    world.carry()
    (world.there / "other").write_bytes(content)
    (world.there / "other").rename(output)
    world.carry()
    assert world.output == content


def test_an_empty_file_is_one(world: World) -> None:
    (world.there / "output.log").touch()
    world.carry()
    assert world.output == b""


@pytest.mark.parametrize(
    ("name", "at"),
    [("report.json", 0), ("../output.log", 0), ("output.log", -1), ("output.log", 2**40)],
)
def test_no_other_file_is_written_and_no_other_place(world: World, name: str, at: int) -> None:
    with pytest.raises(ValueError, match="is not carried"):
        write_part(world.here, File("1.1", name, at, b"x"))


def test_what_lies_where_a_part_belongs_is_not_followed(world: World, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"mine")
    (world.here / "output.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"symbolic links|Too many"):
        write_part(world.here, File("1.1", "output.log", 0, b"x"))
    assert (tmp_path / "elsewhere").read_bytes() == b"mine"
