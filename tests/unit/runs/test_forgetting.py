from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.journal.events import Event, RunCleaned, RunEnded, SessionEnded
from pytest_ptc.runs.forgetting import forget_runs
from pytest_ptc.runs.recorded import RecordedRun, open_runs
from pytest_ptc.system.machine import boot_id, process_space
from pytest_ptc.system.processes import ProcessIdentity
from tests.support.journals import KEY, began, write_story

if TYPE_CHECKING:
    from pathlib import Path

ENDED = (RunEnded(seconds=1.0), SessionEnded(exit_status=0, nothing_to_judge=0))


def alive() -> dict[str, Any]:
    """Return what makes a run one of this process."""
    me = ProcessIdentity.of(os.getpid())
    assert me is not None
    here = {"boot": boot_id(), "process_space": process_space()}
    return {"pid": me.pid, "created": me.created, **here}


def write(root: Path, number: int, *events: Event, **more: Any) -> str:
    """Write a run's journal, and return the run's id."""
    run_id = f"20270115-08000{number}-000aa"
    write_story(root / "runs" / run_id, [began(run_id=run_id, **more), *events])
    return run_id


def runs(root: Path) -> list[RecordedRun]:
    """Return the runs, each verified."""
    found = open_runs(root / "runs", root, KEY)
    return [run for run in found if isinstance(run, RecordedRun)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project's root directory that is the user's own."""
    tmp_path.chmod(0o700)
    (tmp_path / "runs").mkdir(mode=0o700)
    return tmp_path


def test_the_last_ended_runs_stay(root: Path) -> None:
    """Older ones go, as a whole; fewer than that are all kept."""
    ids = [write(root, number, *ENDED) for number in range(4)]
    assert forget_runs(runs(root), 2) == ids[:2]
    assert sorted(path.name for path in root.rglob("2027*")) == ids[2:]
    assert [path.name for path in root.iterdir()] == ["runs"]
    assert forget_runs(runs(root), 2) == []
    assert forget_runs(runs(root), 9) == []


def test_a_run_that_somebody_may_need_stays_and_is_not_counted(root: Path) -> None:
    """Active, killed and not cleaned, resumed by an active one, or still making its reports."""
    resumed = write(root, 0, *ENDED)
    active = write(root, 1, resumes=resumed, **alive())
    killed = write(root, 2)
    reporting = write(root, 3, RunEnded(seconds=1.0), **alive())
    cleaned = write(root, 4, RunCleaned(removed=(), left=()))
    broken = write(root, 5, RunEnded(seconds=1.0))
    last = write(root, 6, *ENDED)
    assert forget_runs(runs(root), 1) == [cleaned, broken]
    left = sorted(path.name for path in (root / "runs").iterdir())
    assert left == [resumed, active, killed, reporting, last]


def test_several_processes_may_forget_at_once(root: Path) -> None:
    """Each journal is deleted by one of them, and none of them fails."""
    ids = [write(root, number, *ENDED) for number in range(9)]
    found = runs(root)
    begin = threading.Barrier(4)
    forgotten: list[str] = []

    def forget() -> None:
        begin.wait()
        forgotten.extend(forget_runs(found, 1))

    threads = [threading.Thread(target=forget) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(forgotten) == ids[:-1]
    assert os.listdir(root / "runs") == ids[-1:]  # noqa: PTH208
