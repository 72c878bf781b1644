"""What nodes have left behind: what is removed, and what is left alone."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.remote.stale import OWNER, Owner, note_owner, remove_stale
from pytest_ptc.system.machine import boot_id, process_space
from pytest_ptc.system.processes import ProcessIdentity
from pytest_ptc.system.scratch import make_scratch, remove_scratch

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the test a temporary folder of its own, with a short path."""
    place = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    shutil.rmtree(place, ignore_errors=True)


def ended_process() -> ProcessIdentity:
    """Return a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        identity = ProcessIdentity.of(process.pid)
        assert identity is not None
        process.communicate(b"\n")
    return identity


def node(run_id: str, process: ProcessIdentity, lists: Path, **changes: object) -> Path:
    """Return the folder of a node, with a list of its own."""
    folder = make_scratch(run_id)
    task_list = lists / f"ptc-{run_id}"
    task_list.mkdir(parents=True)
    fields = {
        "run_id": run_id,
        "pid": process.pid,
        "created": process.created,
        "host": platform.node(),
        "boot": boot_id(),
        "space": process_space(),
        "task_list": str(task_list),
    }
    note_owner(folder, Owner(**{**fields, **changes}))  # type: ignore[arg-type]
    return folder


def test_what_a_killed_node_has_left_is_removed(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ourselves = ProcessIdentity.of(os.getpid())
    assert ourselves is not None
    gone = node("gone", ended_process(), tmp_path)
    rebooted = node("rebooted", ourselves, tmp_path, boot="another")
    left = [
        node("alive", ourselves, tmp_path),
        node("in-another-container", ended_process(), tmp_path, space="another"),
        node("on-another-machine", ended_process(), tmp_path, host="another", boot="another"),
    ]
    sockets = {name: temporary / f"tmux-{os.getuid()}/ptc-{name}" for name in ("gone", "alive")}
    sockets["gone"].parent.mkdir(mode=0o700)
    for place in sockets.values():
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(place))
    monkeypatch.setenv("TMUX_TMPDIR", str(temporary))
    assert set(remove_stale()) == {gone, rebooted}
    assert {name for name, place in sockets.items() if place.exists()} == {"alive"}
    shutil.rmtree(sockets["alive"].parent)
    assert {path.name for path in temporary.iterdir()} == {path.name for path in left}
    assert len(list(tmp_path.iterdir())) == len(left)


def test_a_removal_that_was_cut_short_is_taken_up(temporary: Path, tmp_path: Path) -> None:
    """A machine may lose its power while it tidies: whose the folder was is known until the end."""
    folder = node("gone", ended_process(), tmp_path)
    for name in ("a", "z"):
        (folder / name / "deep").mkdir(parents=True)

    def cut_short(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "rmtree", cut_short)
        with pytest.raises(KeyboardInterrupt):
            remove_scratch(folder, "gone")
    assert remove_stale() == [folder]
    assert not list(temporary.iterdir())


def test_what_is_not_a_nodes_own_is_left(temporary: Path, tmp_path: Path) -> None:
    """A note may be forged, or be none: nothing else is removed for it."""
    ended = ended_process()
    other = tmp_path / "precious"
    other.mkdir()
    named = node("named", ended, tmp_path, task_list=str(other))
    foreign = node("foreign", ended, tmp_path)
    (foreign / "run-id").write_text("of another run")
    broken = node("broken", ended, tmp_path)
    (broken / OWNER).write_text("{")
    assert remove_stale() == [named]
    assert other.is_dir()
    assert {path.name for path in temporary.iterdir()} == {foreign.name, broken.name}


@pytest.mark.usefixtures("temporary")
def test_a_list_that_a_folder_of_others_names_stays(tmp_path: Path) -> None:
    """Whoever could have written there could name any directory."""
    folder = node("r1", ended_process(), tmp_path)
    folder.chmod(0o755)
    assert remove_stale() == []
    assert (tmp_path / "ptc-r1").is_dir()
