"""A world for hosts: real workers, real tmux, and a teardown that proves nothing is left."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.host_world import COOKIE, HostWorld, until

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def host_world(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostWorld]:
    """Yield a world, and prove when it ends that closing its hosts has left nothing of it."""
    world = HostWorld(kind, folder)
    monkeypatch.setenv(COOKIE, world.cookie)
    try:
        yield world
        for host in world.hosts:
            host.close()
            host.close()
        assert [host.problems for host in world.hosts] == [[] for _ in world.hosts]
        # The server's own helpers, such as a hook's shell, end a moment after it.
        until(lambda: world.running() == [], "everything has ended")
        assert world.sockets() == []
        assert world.zombies() == []
    finally:
        # A test that fails should not leave behind what made it fail.
        while running := world.running():
            for process in running:
                process.kill()


@pytest.fixture(params=["tmux", "process"])
def world(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[HostWorld]:
    """Give the test each kind of host in turn; without tmux its half fails, and is not skipped."""
    with host_world(request.param, tmp_path, monkeypatch) as world:
        yield world


@pytest.fixture
def tmux_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostWorld]:
    """Give the test a world of tmux hosts."""
    with host_world("tmux", tmp_path, monkeypatch) as world:
        yield world


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Give the test a folder with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="ptc ", dir="/tmp") as folder:
        yield Path(folder)
