"""The crew at pytest's end: the trouble of one node or worker is its own, and has an end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from pytest_ptc.coordinator.crew import CrewCalls
from pytest_ptc.interfaces import messages
from pytest_ptc.journal import events
from pytest_ptc.remote import frame_kinds as frames
from pytest_ptc.remote import lease, nodes
from pytest_ptc.remote.crew import CLOSE_TIMEOUT_S, RemoteCrew
from pytest_ptc.remote.engine import EngineGoneError
from pytest_ptc.remote.nodes import SentDirectory
from tests.support.scripted_nodes import FACTS, ScriptedEngine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

OPENED = frames.Opened("process", None, None)


class FakeJournal:
    """Implements `CrewJournal` in memory."""

    run_id = "r1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.story: list[events.Event] = []

    def worker_folder(self, worker: str) -> Path:
        return self.folder / worker

    def append(self, event: events.Event) -> None:
        self.story.append(event)


class World:
    """A crew with a worker that has a place on a scripted node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "attempts/1.1").mkdir(parents=True)
        self.engine = ScriptedEngine()
        #: So long that a machine that is busy with other tests loses no node.
        self.lease = 60.0
        self.journal = FakeJournal(folder)
        self.gone: list[tuple[str, str]] = []
        self.heard: list[tuple[str, messages.Message]] = []
        self.placed: list[str] = []
        self.shut: list[str] = []
        self.needed: Callable[[str | None], list[SentDirectory]] = lambda _: []

    def _needed(self, cwd: str | None) -> list[SentDirectory]:
        return self.needed(cwd)

    async def use(self, what: Callable[[RemoteCrew], Awaitable[None]]) -> None:
        """Launch a worker, and hang up at the end."""
        crew = RemoteCrew(
            CrewCalls(
                heard=lambda worker, message: self.heard.append((worker, message)),
                gone=lambda worker, why: self.gone.append((worker, why)),
                placed=lambda worker, _: self.placed.append(worker),
                shut=self.shut.append,
            ),
            engine=self.engine,
            journal=self.journal,
            folder=self.folder,
            setup=frames.RunSetup(settings={}, root="/app", start="/app"),
            directories=self._needed,
            lease=self.lease,
            scratch=self.folder,
        )
        server = await crew.listen()
        launch = asyncio.ensure_future(crew.launch("w1"))
        await asyncio.sleep(0)
        try:
            await asyncio.wait_for(what(crew), 20)
        finally:
            server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await crew.hang_up()
            launch.cancel()

    def run(self, what: Callable[[RemoteCrew], Awaitable[None]]) -> None:
        asyncio.run(self.use(what))


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - it is not told of
        await asyncio.sleep(0.005)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(lease, "ENDING_S", 0.05)
    monkeypatch.setattr(nodes, "ENDING_S", 0.05)
    monkeypatch.setattr(nodes, "PAUSE_S", 0.01)
    return World(tmp_path)


def test_a_node_waits_for_the_directories_as_they_are_when_it_joins(world: World) -> None:
    """What is sent may have changed since the run began: it would wait for ever."""

    async def test(_: RemoteCrew) -> None:
        world.needed = lambda _: [SentDirectory("later", b"x", [("/app", ".")])]
        world.engine.seated(FACTS)
        await until(lambda: len(world.engine.told) >= 4)
        setup, piece, directory, start = world.engine.told[:4]
        assert isinstance(setup, frames.Setup)
        assert b'"directories": ["later"]' in setup.text
        assert isinstance(piece, frames.Piece)
        assert isinstance(directory, frames.Directory)
        assert start == frames.Start("w1")

    world.run(test)


def test_a_node_that_cannot_be_told_what_the_run_is_gets_no_workers(world: World) -> None:
    def fails(_: str | None) -> list[SentDirectory]:
        raise KeyError("/app")

    async def test(_: RemoteCrew) -> None:
        world.needed = fails
        world.engine.seated(FACTS)
        await until(lambda: frames.Dismiss("w1") in world.engine.told)
        assert world.engine.refused == [FACTS.node]

    world.run(test)


@pytest.mark.parametrize("later", [frames.Unfit("no"), OPENED])
def test_a_node_is_fit_or_unfit_once(world: World, later: frames.FromNode) -> None:
    """Its workers would be looked for elsewhere while they live there; so it is heard no more."""
    world.lease = 1.0

    async def test(crew: RemoteCrew) -> None:
        world.engine.seated(FACTS)
        world.engine.tell(OPENED)
        await until(lambda: world.placed)
        world.engine.tell(later)
        await until(lambda: world.gone)
        assert "not expected" in world.gone[0][1]
        assert (await crew.bury("w1", "gone", None)).ended == "gone"
        assert world.placed == ["w1"]

    world.run(test)


def test_an_engine_that_fails_in_its_own_way_is_one_worker_without_a_place(world: World) -> None:
    world.engine.seats = [RuntimeError("odd")]

    async def test(_: RemoteCrew) -> None:
        await until(lambda: world.gone)
        assert world.gone == [("w1", "RuntimeError: odd")]
        assert world.shut == []

    world.run(test)


def test_where_the_engine_is_gone_no_worker_is_asked_a_place_for_again(world: World) -> None:
    world.engine.seats = [EngineGoneError("the scheduler is gone")]

    async def test(_: RemoteCrew) -> None:
        await until(lambda: world.gone)
        assert world.shut == ["the scheduler is gone"]

    world.run(test)


def test_where_the_engine_is_gone_the_end_of_a_run_waits_for_no_node(world: World) -> None:
    """No word reaches it: its lease ends it."""

    def gone(_: object) -> bytes:
        raise EngineGoneError("the scheduler is gone")

    async def test(_: RemoteCrew) -> None:
        world.engine.seated(FACTS)
        world.engine.tell(OPENED)
        await until(lambda: world.placed)
        world.engine.answer = {"hear": gone, "say": gone}

    async def timed() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await world.use(test)
        return loop.time() - began

    assert asyncio.run(timed()) < CLOSE_TIMEOUT_S / 2
    assert not [one for one in world.journal.story if isinstance(one, events.NodeLost)]


def test_a_run_that_ends_tells_its_nodes_and_hears_their_end(world: World) -> None:
    """So each has ended what it had before the engine lets it go."""

    async def test(_: RemoteCrew) -> None:
        world.engine.seated(FACTS)
        world.engine.tell(OPENED)
        await until(lambda: world.placed)

    world.run(test)
    left = [one for one in world.journal.story if isinstance(one, events.NodeLeft)]
    assert [one.node for one in left] == [FACTS.supervisor]
    assert world.engine.arrived == 2


def test_what_a_node_says_of_a_worker_of_another_one_is_not_heard(world: World) -> None:
    """The worker may have been started again elsewhere since."""

    async def test(crew: RemoteCrew) -> None:
        world.engine.seated(FACTS)
        world.engine.tell(OPENED)
        await until(lambda: world.placed)
        launch = asyncio.ensure_future(crew.launch("w2"))
        begun = messages.encode(messages.Begun("2.1"))
        mine = messages.encode(messages.Begun("1.1"))
        world.engine.tell(frames.Gone("w2", "x"), frames.Line("w2", begun))
        world.engine.tell(frames.Line("w1", b"nonsense\n"), frames.Line("w1", mine))
        await until(lambda: world.heard)
        assert world.heard == [("w1", messages.Begun("1.1"))]
        assert world.gone == [("w1", "its connection ended")]
        launch.cancel()

    world.run(test)


def test_files_are_those_of_an_attempt_of_that_very_worker(world: World) -> None:
    """Another one's end, and names that lead elsewhere, change nothing."""
    assigned = messages.Assigned(
        "1.1",
        "cookie",
        "token",
        {"cwd": "/app", "prompt": "", "params": {}, "env": {}},
        seconds=9.0,
    )

    async def test(crew: RemoteCrew) -> None:
        world.engine.seated(FACTS)
        world.engine.tell(OPENED)
        await until(lambda: world.placed)
        crew.say("w1", assigned)
        ended = messages.encode(messages.Ended("1.1", problem="not mine"))
        part = frames.File("1.1", "output.log", 0, b"what it printed")
        world.engine.tell(
            frames.Line("w2", ended),
            frames.File("2.1", "output.log", 0, b"x"),
            frames.File("../attempts/1.1", "output.log", 0, b"x"),
            frames.File("1.1", "../out", 0, b"x"),
            frames.File("1.1", "report.json", 0, b"x"),
            part,
        )
        output = world.folder / "attempts/1.1/output.log"
        await until(output.exists)
        assert output.read_bytes() == part.data
        assert {path.name for path in world.folder.rglob("*") if path.is_file()} == {"output.log"}
        world.engine.tell(frames.Line("w1", ended))
        world.engine.tell(frames.File("1.1", "output.log", 0, b"after the end"), frames.Closed())
        await until(lambda: world.gone)
        assert output.read_bytes() == part.data

    world.run(test)


def test_a_seat_that_is_found_after_its_worker_was_buried_is_given_back(world: World) -> None:
    async def test(crew: RemoteCrew) -> None:
        await crew.bury("w1", "the run ends", None)
        assert world.engine.given_up == {"w1"}
        world.engine.seated(FACTS)
        await until(lambda: frames.Dismiss("w1") in world.engine.told)
        world.engine.tell(OPENED)
        await until(lambda: any(isinstance(one, events.NodeJoined) for one in world.journal.story))
        assert frames.Start("w1") not in world.engine.told
        assert world.placed == []

    world.run(test)


def test_a_seat_on_a_node_that_is_over_is_no_place(world: World) -> None:
    """Nobody is there any more who would start its worker: it is gone when the seat is."""

    async def test(crew: RemoteCrew) -> None:
        world.engine.seated(FACTS)
        world.engine.tell(OPENED, frames.Closed())
        await until(lambda: world.gone)
        await crew.bury("w1", "gone", None)
        launch = asyncio.ensure_future(crew.launch("w2"))
        await until(lambda: world.engine.waiting > 1)
        world.engine.seated(msgspec.structs.replace(FACTS, worker="w2"))
        world.engine.free.set()
        await launch
        assert ("w2", "free") in world.gone
        assert world.placed == ["w1"]

    world.run(test)


def test_a_worker_is_placed_where_it_was_started_and_nowhere_else(world: World) -> None:
    """A second seat of it, which the engine has made by itself, is given back."""

    async def test(_: RemoteCrew) -> None:
        world.engine.seated(FACTS)
        world.engine.tell(OPENED)
        await until(lambda: world.placed)
        world.engine.seated(FACTS)
        await asyncio.sleep(0.05)
        assert world.engine.told.count(frames.Start("w1")) == 1
        assert world.placed == ["w1"]

    world.run(test)
