"""What is in a group ends with it, whatever it has done to be forgotten."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.system import control_groups
from pytest_ptc.system.control_groups import end_group, join_group, make_group

if TYPE_CHECKING:
    from pathlib import Path

RUN = "20261127-000000-abcdef0"
#: Joins a group, and leaves a process without parent, session and environment, which holds a lock.
HIDES = f"""
import fcntl, os, sys
from pathlib import Path
from {control_groups.__name__} import join_group
assert join_group(Path(sys.argv[1]))
if os.fork() or os.setsid() or os.fork():
    os._exit(0)
held = os.open(sys.argv[2], os.O_CREAT | os.O_WRONLY)
fcntl.flock(held, fcntl.LOCK_EX)
os.set_inheritable(held, True)
Path(sys.argv[3]).touch()
os.execve("/bin/sleep", ["sleep", "600"], {{}})
"""


@pytest.fixture
def group() -> Path:
    """A group of a run that there was not."""
    made = make_group(RUN, "w1")
    if made is None:
        pytest.skip("this user may make no cgroups here")
    return made


def test_what_hides_in_a_group_ends_with_it(group: Path, tmp_path: Path) -> None:
    """And the group is gone."""
    held, holding = tmp_path / "held", tmp_path / "holding"
    words = [sys.executable, "-c", HIDES, str(group), str(held), str(holding)]
    subprocess.run(words, check=True)
    give_up = time.monotonic() + 30
    while not holding.exists() and time.monotonic() < give_up:
        time.sleep(0.01)
    with held.open() as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert end_group(group)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not group.exists()
    assert end_group(group)


def test_an_empty_group_of_a_killed_run_is_removed_with_the_next(group: Path) -> None:
    """One with a process in it stays."""
    other = make_group(RUN, "w2")
    assert other is not None
    assert not group.exists()
    end_group(other)


def test_where_there_is_no_group_nothing_is_done(tmp_path: Path) -> None:
    """A worker without one works as well."""
    assert not join_group(tmp_path / "none")
    assert end_group(tmp_path / "none")
