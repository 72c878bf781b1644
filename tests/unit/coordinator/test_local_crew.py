"""The crew with a host that is nothing but names: who is told of which end, and when."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.coordinator import local_crew as crews
from pytest_ptc.coordinator.crew import CrewCalls, Remains
from pytest_ptc.coordinator.local_crew import LocalCrew
from pytest_ptc.interfaces.launch import LaunchFile
from pytest_ptc.journal.run_journal import Journal
from pytest_ptc.model.errors import HostError
from tests.support.hosts import FakeHost
from tests.support.journals import KEY
from tests.support.launch import launch_file

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from typing import Any

    from pytest_ptc.interfaces.host import Host


class World:
    """A crew, and what it tells."""

    def __init__(self, folder: Path, host: Host) -> None:
        self.folder = folder
        # Its close ends what has the mark of its run: not what other tests have started.
        self.journal = Journal(folder / "runs", f"crew-{os.getpid()}", key=KEY)
        self.gone: list[tuple[str, str]] = []
        self.crew = LocalCrew(
            CrewCalls(
                heard=lambda *_: None,
                gone=lambda worker, why: self.gone.append((worker, why)),
            ),
            host=host,
            journal=self.journal,
            scratch=folder,
            argv=("worker",),
            launch_file=lambda worker, key: launch_file(folder, worker=worker, key=key),
        )

    def use(self, what: Callable[[], Awaitable[None]]) -> None:
        """Run this in a loop, then end all."""

        async def bounded() -> None:
            await asyncio.wait_for(what(), 30)

        try:
            asyncio.run(bounded())
        finally:
            self.crew.close()
            self.journal.close()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the journal's events of this name."""
        lines = (self.journal.folder / "journal.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == name]


async def until(done: Callable[[], object]) -> None:
    """Go round the loop until it is so."""
    while not done():  # noqa: ASYNC110 - threads and the journal have no event for it
        await asyncio.sleep(0.001)


def test_an_end_that_the_host_sees_is_told(tmp_path: Path) -> None:
    """And what is left is how the host says that it ended, with the last lines."""
    host = FakeHost()
    world = World(tmp_path, host)

    async def use() -> None:
        launching = asyncio.ensure_future(world.crew.launch("w1"))
        await until(lambda: "w1" in host.workers)
        assert world.gone == []
        host.workers["w1"].end("exit status 3")
        await launching
        assert world.gone == [("w1", "its process ended")]
        remains = await world.crew.bury("w1", "its process ended", None)
        assert remains == Remains(
            ended="its process ended: exit status 3", tail="the last line of w1"
        )
        # Buried once: a second time nothing of it is left.
        assert await world.crew.bury("w1", "again", None) == Remains(ended="again")
        assert host.workers["w1"].kills == 1

    world.use(use)
    (started,) = world.events("worker started")
    assert (started["worker"], started["pid"], started["created"]) == ("w1", None, None)


def test_a_worker_gets_a_launch_file_of_its_own(tmp_path: Path) -> None:
    """Nobody else may read it, and the key in it is the worker's alone."""
    host = FakeHost()
    world = World(tmp_path, host)

    async def use() -> None:
        launching = [asyncio.ensure_future(world.crew.launch(name)) for name in ("w1", "w2")]
        await until(lambda: len(host.workers) == 2)
        for worker in host.workers.values():
            worker.end("exit status 0")
        await asyncio.gather(*launching)

    world.use(use)
    found = []
    for name, worker in host.workers.items():
        program, path = worker.plan.argv
        assert program == "worker"
        file = tmp_path / "workers" / name / "launch.json"
        assert path == str(file)
        assert file.stat().st_mode & 0o077 == 0
        found.append(LaunchFile.read(file))
    assert [launch.worker for launch in found] == ["w1", "w2"]
    assert len({launch.key for launch in found}) == 2


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (HostError("no room", host="fake", worker="w1"), "fake/w1: no room"),
        (RuntimeError("a defect"), "it cannot be started: RuntimeError('a defect')"),
    ],
)
def test_a_worker_that_cannot_be_started_is_gone(
    tmp_path: Path, error: Exception, why: str
) -> None:
    """Whatever the host raises; and there is nothing to kill."""

    def refuse() -> None:
        raise error

    world = World(tmp_path, FakeHost(before_start=refuse))

    async def use() -> None:
        await world.crew.launch("w1")
        assert world.gone == [("w1", why)]
        assert await world.crew.bury("w1", why, None) == Remains(ended=why)

    world.use(use)
    assert world.events("worker started") == []


def test_a_worker_that_is_killed_while_it_is_started_does_not_live_on(tmp_path: Path) -> None:
    """It is killed as soon as the host has started it."""
    go_on = threading.Event()
    host = FakeHost(before_start=lambda: go_on.wait(30))
    world = World(tmp_path, host)

    async def use() -> None:
        launching = asyncio.ensure_future(world.crew.launch("w1"))
        burying = asyncio.ensure_future(world.crew.bury("w1", "too late", None))
        await asyncio.sleep(0)
        assert host.workers == {}
        go_on.set()
        assert (await burying).ended == "too late: killed by SIGKILL"
        await until(lambda: world.events("worker started"))
        host.workers["w1"].end("")
        await launching

    world.use(use)


def test_a_host_that_does_not_end_a_worker_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on after so long; and the worker is ended when the host comes to that."""
    monkeypatch.setattr(crews, "KILL_PATIENCE_S", 0.05)
    go_on = threading.Event()
    host = FakeHost(before_kill=lambda: go_on.wait(30))
    world = World(tmp_path, host)

    async def use() -> None:
        launching = asyncio.ensure_future(world.crew.launch("w1"))
        await until(lambda: "w1" in host.workers)
        remains = await world.crew.bury("w1", "stuck", None)
        assert remains.ended == "stuck; fake has not ended it within 0.05 s"
        assert host.workers["w1"].kills == 0
        go_on.set()
        await until(lambda: host.workers["w1"].kills)
        host.workers["w1"].end("")
        await launching

    world.use(use)
