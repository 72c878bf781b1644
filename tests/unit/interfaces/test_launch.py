"""What a worker is told when it starts: it arrives as it was written, or is refused by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_ptc.interfaces.launch import AgentLaunch, LaunchFile
from pytest_ptc.interfaces.names import RunNames, ScratchPlaces
from pytest_ptc.model.errors import LaunchFileError
from tests.support.launch import launch_file

#: A worker with all that can be said, its paths of bytes that are no UTF-8.
FULL = launch_file(
    Path("/a b/\udcff"),
    agent=AgentLaunch(
        make="oracles:make",
        argv=("/bin/sh", "-c", "\udcff"),
        options={"sources": ["user"], "exit": True},
        search_path=("/a b/\udcff",),
        name="oracles",
        secrets={"TOKEN": "s\ud800"},
    ),
    farewell=("/bin/true",),
    lease=15.0,
    environ={"PATH": "/bin", "OMP_NUM_THREADS": None},
)


@pytest.mark.parametrize("launch", [launch_file(), FULL], ids=["least", "full"])
def test_a_launch_file_comes_back_as_it_was(tmp_path: Path, launch: LaunchFile) -> None:
    """With every path as a path."""
    path = tmp_path / "launch.json"
    path.write_bytes(launch.encode())
    assert LaunchFile.read(path) == launch


def changed(**fields: object) -> bytes:
    """Return a launch file with these fields in it; one that is `...` is left out."""
    known = {**json.loads(FULL.encode()), **fields}
    return json.dumps({name: value for name, value in known.items() if value != ...}).encode()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Expecting value"),
        (b"\xff", "codec"),
        (b"[]", "Expected `object`"),
        (b"[" * 100_000, "nested too deeply"),
        (changed(worker=...), "missing required field `worker`"),
        (changed(worker=7), r"Expected `str`, got `int` - at `\$.worker`"),
        (changed(journal=7), r"expected a path, got int - at `\$.journal`"),
        (changed(agent={"make": "m:f", "argv": "sh"}), r"at `\$.agent.argv`"),
        (changed(lease=float("inf")), r"at `\$.lease`"),
        (changed(environ={"A": 1}), r"at `\$.environ"),
        (changed(wroker="w1"), "unknown field `wroker`"),
    ],
)
def test_what_is_no_launch_file_is_one_error_that_names_it(
    tmp_path: Path, content: bytes, why: str
) -> None:
    """Whatever is wrong with it."""
    path = tmp_path / "launch.json"
    path.write_bytes(content)
    with pytest.raises(LaunchFileError, match=f"launch file {path}: not valid: .*{why}"):
        LaunchFile.read(path)


def test_a_launch_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """As one that cannot be read."""
    with pytest.raises(LaunchFileError, match=f"launch file {tmp_path}/x: No such file"):
        LaunchFile.read(tmp_path / "x")


def test_a_worker_without_a_launch_file_says_so_in_one_line(tmp_path: Path) -> None:
    """On the log that the coordinator shows the end of, and with no traceback."""
    path = tmp_path / "launch.json"
    path.write_bytes(changed(run_id=...))
    worker = [sys.executable, "-m", "pytest_ptc.worker", str(path)]
    result = subprocess.run(worker, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"pytest-ptc worker: launch file {path}: not valid: "
        "Object missing required field `run_id`\n"
    )


def test_a_runs_names_are_its_own() -> None:
    """No two runs, and no two workers, have one in common."""
    ours, theirs = RunNames("r1"), RunNames("r2")
    assert (ours.task_list, ours.tmux_socket) == ("ptc-r1", "ptc-r1")
    assert ours.owner("w1") == "ptc-r1-w1"
    assert len({names.owner(worker) for names in (ours, theirs) for worker in ("w1", "w2")}) == 4


def test_nothing_in_a_scratch_folder_is_in_two_places() -> None:
    """What is a worker's own has the worker's name in it."""
    places = ScratchPlaces(Path("/tmp/ptc-x"))
    found = [places.coordinator_socket]
    found += [
        place(worker)
        for place in (places.client_words, places.launch_file, places.hook_socket)
        for worker in "ab"
    ]
    assert len(set(found)) == len(found)
    assert all(path.is_relative_to(places.folder) for path in found)
