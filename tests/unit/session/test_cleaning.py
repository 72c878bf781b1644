"""What a killed run has left is removed; what is not its own stays, whatever its journal says."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.journal.events import (
    NodeJoined,
    NodeLeft,
    NodeLost,
    RunCleaned,
    WorkerStarted,
)
from pytest_ptc.model.errors import JournalError
from pytest_ptc.runs.recorded import open_run
from pytest_ptc.runs.state import RunState
from pytest_ptc.session.cleaning import clean_run
from pytest_ptc.system.machine import boot_id, process_space
from pytest_ptc.system.processes import ProcessIdentity
from tests.support.documents import events_of
from tests.support.journals import KEY, read_events, write_story

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_ptc.journal.events import Event
    from pytest_ptc.runs.recorded import RecordedRun

RUN = "20270115-080000-000aa"


def killed_run(root: Path, *more: Event, **began: Any) -> RecordedRun:
    """Return a killed run, whose journal verifies and says this."""
    folder = root / ".pytest_cache/d/ptc/runs" / RUN
    named = {
        "boot": boot_id(),
        "process_space": process_space(),
        "scratch": str(root / "none"),
        "task_list": str(root / "none"),
    }
    write_story(folder, [*events_of(over=False, **{**named, **began}), *more])
    run = open_run(folder, root, KEY)
    assert run.state is RunState.KILLED
    return run


def task(path: Path, run_id: str | None) -> None:
    """Put a task on a list."""
    value = {"id": path.stem, "subject": "s", "description": "", "status": "pending"}
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {} if run_id is None else {"metadata": {"ptc_run": run_id}}
    path.write_text(json.dumps({**value, "blocks": [], "blockedBy": [], **metadata}))


def test_what_may_be_left_on_nodes_is_said(tmp_path: Path) -> None:
    """None of them is reached: each ends what it has when nobody is heard any more."""
    told = (
        *(
            NodeJoined(node=name, host=name[:2], python="3.11.7", version="0.1.0")
            for name in ("na-1", "nb-2", "nc-3")
        ),
        NodeLost(node="nb-2", why="not heard"),
        NodeLeft(node="nc-3"),
    )
    done = clean_run(killed_run(tmp_path, *told))
    lease = "it ends what it has by itself when its lease is over"
    assert done.left == (f"node na-1 (na): {lease}",)


@pytest.mark.parametrize(
    ("foreign", "own", "stays"),
    [
        ((), True, False),
        (("900.json",), True, True),
        (("notes.txt",), True, True),
        ((".lock",), True, False),
        ((), False, True),
    ],
)
def test_the_runs_tasks_go_and_the_list_only_if_nothing_else_is_on_it(
    tmp_path: Path, foreign: tuple[str, ...], own: bool, stays: bool
) -> None:
    """Also a list that was made for the run: somebody may have come to use it."""
    path = tmp_path / f"tasks/ptc-{RUN}"
    for number in (1, 2):
        task(path / f"{number}.json", RUN)
    for name in foreign:
        task(path / name, None)
    done = clean_run(killed_run(tmp_path, task_list=str(path), own_list=own))
    assert done.removed == ("2 tasks",)
    assert path.exists() is stays
    assert not (path / "1.json").exists()
    assert all((path / name).exists() for name in foreign if stays)


def test_a_list_reached_through_a_link_is_left(tmp_path: Path) -> None:
    """Nothing is removed behind it."""
    task(tmp_path / "elsewhere/1.json", RUN)
    (tmp_path / "tasks").mkdir()
    path = tmp_path / f"tasks/ptc-{RUN}"
    path.symlink_to(tmp_path / "elsewhere")
    done = clean_run(killed_run(tmp_path, task_list=str(path), own_list=True))
    assert done.removed == ()
    assert done.left == (f"{path}: is not a task list",)
    assert (tmp_path / "elsewhere/1.json").exists()


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.parametrize("kind", ["socket", "file", "link", "open-folder", "other-name"])
def test_a_socket_is_removed_only_if_it_is_the_runs(tmp_path: Path, short: Path, kind: str) -> None:
    """By its name, its kind, and the folder that it is in."""
    path = short / ("other" if kind == "other-name" else f"ptc-{RUN}")
    if kind == "file":
        path.write_text("mine")
    elif kind == "link":
        path.symlink_to(tmp_path)
    else:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
    short.chmod(0o777 if kind == "open-folder" else 0o700)
    done = clean_run(killed_run(tmp_path, tmux_socket=str(path)))
    assert done.removed == (("tmux server",) if kind == "socket" else ())
    assert os.path.lexists(path) is (kind != "socket")
    assert len(done.left) == (kind != "socket")


@pytest.mark.parametrize(
    ("named", "boot", "ends"),
    [
        ("ptc-ours/workers/w1/launch.json", None, True),
        ("ptc-another/workers/w1/launch.json", None, False),
        ("ptc-ours/workers/w2/launch.json", None, False),
        ("ptc-ours/workers/w1/launch.json", "of another machine", False),
    ],
)
def test_a_process_is_ended_only_if_it_is_a_worker_of_the_run(
    tmp_path: Path, named: str, boot: str | None, ends: bool
) -> None:
    """By its identity, on this boot of this machine, and by what it was started with."""
    line = [sys.executable, "-c", "print(flush=True); input()", str(tmp_path / named)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        # Until a program has begun, it has no command line.
        process.stdout.readline()
        identity = ProcessIdentity.of(process.pid)
        assert identity is not None
        started = WorkerStarted(worker="w1", pid=process.pid, created=identity.created)
        began: dict[str, Any] = {"scratch": str(tmp_path / "ptc-ours")}
        began |= {} if boot is None else {"boot": boot}
        clean_run(killed_run(tmp_path, started, **began))
        if not ends:
            assert process.poll() is None
            process.communicate(b"\n")
        assert process.wait(30) == (-9 if ends else 0)


def test_a_run_of_another_container_is_not_taken_for_killed(tmp_path: Path) -> None:
    """Its processes cannot be seen from here, so it may be on."""
    run = killed_run(tmp_path, process_space="pid:[1]")
    with pytest.raises(JournalError, match="another container"):
        clean_run(run)
    assert [event["event"] for event in read_events(run.folder)] == ["run"]


def test_a_cleaned_run_has_ended(tmp_path: Path) -> None:
    """Its journal verifies, and says what was removed."""
    run = killed_run(tmp_path)
    clean_run(run)
    again = open_run(run.folder, tmp_path, KEY)
    assert again.state is RunState.ENDED
    last = again.events[-1]
    assert isinstance(last, RunCleaned)
    assert (last.removed, last.left) == ((), ())
