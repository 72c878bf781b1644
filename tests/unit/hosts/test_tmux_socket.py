"""Where tmux has its socket, and what is told before it fails to make it there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.hosts.tmux_socket import MAX_PATH_BYTES, socket_place, socket_problem
from pytest_ptc.interfaces.environment import worker_environment

if TYPE_CHECKING:
    from pathlib import Path

UID = os.getuid()


def test_the_socket_is_where_tmux_puts_it(tmp_path: Path) -> None:
    """Below TMUX_TMPDIR, links resolved; a directory that does not exist is passed over."""
    (tmp_path / "link").symlink_to(tmp_path)
    assert socket_place("s", {"TMUX_TMPDIR": f"{tmp_path}/link"}, 7) == f"{tmp_path}/tmux-7/s"
    for environ in ({}, {"TMUX_TMPDIR": ""}, {"TMUX_TMPDIR": f"{tmp_path}/none"}):
        assert socket_place("s", environ, 7) == f"{os.path.realpath('/tmp')}/tmux-7/s"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("nothing", None),
        ("long", "bytes of at most"),
        ("file", "is not a directory; set TMUX_TMPDIR"),
        ("folder-file", "is not a directory; move it away"),
        ("folder-link", "is not a directory; move it away"),
        ("open", "chmod 700"),
    ],
)
def test_what_tmux_would_refuse_is_told_with_the_fix(
    tmp_path: Path, spoil: str, told: str | None
) -> None:
    """The message names the socket."""
    top, folder = tmp_path / "t", tmp_path / "t" / f"tmux-{UID}"
    if spoil == "file":
        top.write_text("")
    elif spoil == "long":
        top = tmp_path / ("x" * MAX_PATH_BYTES)
        top.mkdir()
    else:
        top.mkdir()
    if spoil == "folder-file":
        folder.write_text("")
    elif spoil == "folder-link":
        folder.symlink_to(tmp_path)
    elif spoil == "open":
        folder.mkdir()
        folder.chmod(0o755)
    problem = socket_problem("s", {"TMUX_TMPDIR": str(top)}, UID)
    if told is None:
        assert problem is None
    else:
        assert problem is not None
        assert told in problem
        assert f"{top}/tmux-{UID}/s" in problem


def test_workers_are_measured_by_nobody() -> None:
    """What has every Python measured stays with pytest; the rest is the worker's."""
    measures = {
        "COVERAGE_PROCESS_START": ".coveragerc",
        "COVERAGE_PROCESS_CONFIG": "{}",
        "COV_CORE_SOURCE": "x",
        "COV_CORE_DATAFILE": "y",
    }
    kept = {"PATH": "/bin", "COVERAGE_FILE": "z"}
    assert worker_environment(measures | kept) == kept
