"""Runs that were brought together in folders and archives."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.journal.events import RunEnded
from pytest_ptc.journal.lines import STORY
from pytest_ptc.model.errors import JournalError
from pytest_ptc.runs.gathered import gathered_runs
from pytest_ptc.runs.state import RunRefusedError, RunState
from tests.support.journals import KEY, began, write_story

if TYPE_CHECKING:
    from pathlib import Path

#: Where a run is in what a job uploads.
RUNS = "job/.pytest_cache/d/ptc/runs"


def run_in(folder: Path, run_id: str = "r1", key: bytes = KEY, seconds: float = 1.0) -> Path:
    """Write the journal of a run, and return its folder."""
    story = [began(at=1.0, run_id=run_id), RunEnded(at=2.0, seconds=seconds)]
    write_story(folder / run_id, story, key)
    return folder / run_id


def scratch_in(path: Path) -> Path:
    """Return an empty folder."""
    made = path / "scratch"
    made.mkdir()
    return made


def test_runs_are_found_wherever_they_are_below_folders_and_in_archives(tmp_path: Path) -> None:
    """Each once; the folders of those of archives are the caller's to remove."""
    one = run_in(tmp_path / "up" / RUNS, "r1")
    two = run_in(tmp_path / "up" / RUNS, "r2")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(f"{RUNS}/", b"")
        packed.write(two / STORY, f"{RUNS}/r2/{STORY}")
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as tape:
        tape.add(run_in(tmp_path / "b" / RUNS, "r3"), f"./{RUNS}/r3")
    places = [one, tmp_path / "up", tmp_path / "a.zip", tmp_path / "b.tar.gz"]
    found = gathered_runs(places, KEY, scratch_in(tmp_path))
    assert [(each.run.run_id, each.unpacked) for each in found] == [
        ("r1", False),
        ("r2", False),
        ("r3", True),
    ]


def test_a_journal_that_is_not_proved_is_refused(tmp_path: Path) -> None:
    """Another user's, with the way to share a key; one that was changed; a copy that differs."""
    alien = run_in(tmp_path / "alien", key=bytes(32))
    scratch = scratch_in(tmp_path)
    with pytest.raises(RunRefusedError, match="set the same PTC_JOURNAL_KEY for both"):
        gathered_runs([alien], KEY, scratch)
    with pytest.raises(RunRefusedError, match="this user has no key yet; see PTC_JOURNAL_KEY"):
        gathered_runs([alien], None, scratch)
    changed = run_in(tmp_path / "changed")
    story = changed / STORY
    story.write_bytes(story.read_bytes().replace(b'"seconds": 1.0', b'"seconds": 9.0'))
    with pytest.raises(RunRefusedError, match="has been changed: event 2 does not verify"):
        gathered_runs([changed], KEY, scratch)
    copies = [run_in(tmp_path / "one"), run_in(tmp_path / "other", seconds=3.0)]
    with pytest.raises(JournalError, match="run r1 is there twice, and not the same"):
        gathered_runs(copies, KEY, scratch)
    cut = run_in(tmp_path / "cut")
    with (cut / STORY).open("ab") as file:
        file.write(b'{"event": "sess')
    with pytest.raises(JournalError, match="its last line was cut short"):
        gathered_runs([cut], KEY, scratch)
    write_story(killed := tmp_path / "killed" / "r1", [began(at=1.0, run_id="r1")])
    with (killed / STORY).open("ab") as file:
        file.write(b'{"event": "sess')
    (found,) = gathered_runs([killed], KEY, scratch)
    assert found.run.state is RunState.KILLED


@pytest.mark.parametrize("name", ["../r1/x", "/r1/x", "a/../../x", "..\\x"])
def test_nothing_is_unpacked_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    """Whatever an archive names."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(zipfile.ZipInfo(name), b"x")
    with tarfile.open(tmp_path / "a.tar", "w") as tape:
        tape.addfile(tarfile.TarInfo(name), io.BytesIO())
    scratch = scratch_in(tmp_path)
    for number, archive in enumerate(("a.zip", "a.tar")):
        (scratch / str(number)).mkdir()
        with pytest.raises(JournalError, match="leads out of it"):
            gathered_runs([tmp_path / archive], KEY, scratch / str(number))
    assert not list(tmp_path.rglob("x"))


def test_what_is_no_journal_is_named(tmp_path: Path) -> None:
    """A folder without one, a file, nothing at all, an archive with a link, one cut short."""
    scratch = scratch_in(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no archive")
    with tarfile.open(tmp_path / "link.tar", "w") as tape:
        link = tarfile.TarInfo("r1")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        tape.addfile(link)
    with zipfile.ZipFile(tmp_path / "whole.zip", "w") as packed:
        packed.write(run_in(tmp_path / "a") / STORY, f"r1/{STORY}")
    whole = (tmp_path / "whole.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:40] + bytes(40) + whole[80:])
    expected = {
        "empty": "there is no journal of a run in it",
        "text": "is neither a folder nor an archive",
        "nothing": "nothing: is not there",
        "link.tar": "r1 is not a regular file",
        "cut.zip": "cannot be unpacked",
    }
    for number, (name, problem) in enumerate(expected.items()):
        (scratch / str(number)).mkdir()
        with pytest.raises(JournalError, match=problem):
            gathered_runs([tmp_path / name], KEY, scratch / str(number))
