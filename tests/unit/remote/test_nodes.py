"""A node as pytest's machine has it: whatever it or the engine does, it comes to an end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.remote import frame_kinds as frames
from pytest_ptc.remote import lease, nodes
from pytest_ptc.remote.engine import EngineError
from pytest_ptc.remote.frames import FrameError
from pytest_ptc.remote.nodes import Node, NodeState, SentDirectory
from pytest_ptc.system.machine import lease_clock
from tests.support.scripted_nodes import FACTS, ScriptedEngine

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds of a lease, and that a node has then to end what it has: short ones.
LEASE, ENDING = 0.3, 0.1


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a lost node be over soon."""
    monkeypatch.setattr(lease, "ENDING_S", ENDING)
    monkeypatch.setattr(nodes, "ENDING_S", ENDING)
    monkeypatch.setattr(nodes, "PAUSE_S", 0.01)


class World:
    """One node, what it tells, and why it is over."""

    def __init__(self, engine: ScriptedEngine, lease: float = LEASE) -> None:
        self.engine = engine
        self.taken: list[frames.FromNode] = []
        self.over: list[str] = []
        self.take: Callable[[Node, frames.FromNode], None] = lambda *_: None
        self.node = Node(
            engine=engine,
            run_id="r1",
            facts=FACTS,
            lease=lease,
            clock=lease_clock,
            take=self._take,
            over=lambda _, why: self.over.append(why),
        )

    def _take(self, node: Node, frame: frames.FromNode) -> None:
        self.taken.append(frame)
        self.take(node, frame)

    async def until_over(self) -> None:
        """Talk with it until it is over."""
        talk = asyncio.ensure_future(self.node.talk())
        await asyncio.wait_for(self.node.listen(), 10)
        await asyncio.wait_for(talk, 10)


def _raising(error: BaseException) -> Callable[[Any], bytes]:
    def answer(_: object) -> bytes:
        raise error

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda _: b"\xc1 nonsense", id="no answer"),
        pytest.param(lambda _: frames.encode(frames.Said(0)), id="the answer to another call"),
        pytest.param(lambda _: frames.encode(frames.Heard(7, [])), id="frames are missing"),
        pytest.param(lambda _: frames.encode(frames.Heard(1, [b"\xc1"])), id="no frame"),
        pytest.param(_raising(EngineError("cut")), id="an error of the engine"),
        pytest.param(_raising(ValueError("odd")), id="another error of the engine"),
        pytest.param(_raising(asyncio.CancelledError()), id="the engine cancels the call"),
    ],
)
def test_a_node_that_cannot_be_heard_is_over_when_its_lease_is(
    answer: Callable[[Any], bytes],
) -> None:
    """Also a burial then ends: nothing waits for it for ever."""

    async def test() -> None:
        engine = ScriptedEngine()
        engine.answer["hear"] = answer
        began = lease_clock()
        world = World(engine)
        burial = asyncio.ensure_future(world.node.bury("w1", "gone", None))
        await world.until_over()
        assert await burial is None
        # The node may take so long to end what it has.
        assert lease_clock() - began >= LEASE + ENDING
        assert len(world.over) == 1

    asyncio.run(test())


def test_a_node_that_has_ended_all_is_over_at_once() -> None:
    """Its last word may have been lost; its process knows that it has ended."""

    async def test() -> None:
        engine = ScriptedEngine()
        engine.answer["hear"] = lambda _: frames.encode(frames.Refused("it ended", ended=True))
        world = World(engine, lease=60.0)
        await world.until_over()
        assert world.over == ["it ended"]

    asyncio.run(test())


def test_a_node_whose_frames_are_not_expected_is_over_when_its_lease_is() -> None:
    async def test() -> None:
        engine = ScriptedEngine()
        world = World(engine)
        world.take = lambda *_: (_ for _ in ()).throw(FrameError("not expected: Opened"))
        engine.tell(frames.Opened("process", None, None))
        await world.until_over()
        assert "not expected: Opened" in world.over[0]

    asyncio.run(test())


def test_a_node_that_is_heard_and_cannot_be_told_anything_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever waits for what it was to do would wait for ever."""
    monkeypatch.setattr(nodes, "MUTE_LEASES", 1)

    async def test() -> None:
        engine = ScriptedEngine()
        engine.answer["say"] = _raising(EngineError("too large"))
        world = World(engine)
        burial = asyncio.ensure_future(world.node.bury("w1", "gone", None))
        await world.until_over()
        assert await burial is None
        assert len(world.over) == 1

    asyncio.run(test())


def test_a_node_that_does_not_take_what_it_is_told_is_not_asked_without_a_pause() -> None:
    async def test() -> None:
        engine = ScriptedEngine()
        engine.answer["say"] = lambda _: frames.encode(frames.Said(0))
        world = World(engine)
        world.node.say(frames.Start("w1"))
        talk = asyncio.ensure_future(world.node.talk())
        await asyncio.sleep(0.1)
        assert engine.calls["say"] < 12
        world.node.end("enough")
        await asyncio.wait_for(talk, 10)

    asyncio.run(test())


def test_the_last_word_of_a_node_is_acknowledged_and_nothing_behind_it_is_taken() -> None:
    """The node waits for that; what comes behind is not of a node that has ended."""

    async def test() -> None:
        engine = ScriptedEngine()
        world = World(engine)
        opened = frames.Opened("process", None, None)

        def take(node: Node, frame: frames.FromNode) -> None:
            if isinstance(frame, frames.Closed):
                node.end("it has ended")

        world.take = take
        engine.tell(opened, frames.Closed(), frames.Gone("w1", "late"))
        await world.until_over()
        assert world.taken == [opened, frames.Closed()]
        assert world.node.state is NodeState.OVER
        assert engine.arrived == 3

    asyncio.run(test())


def test_a_directory_whose_content_is_back_is_sent_again() -> None:
    """What was sent last of a directory is what counts on the node."""

    async def test() -> None:
        world = World(ScriptedEngine())
        names = [("/app", ".")]
        first, second = (SentDirectory(key, b"x", names) for key in ("one", "two"))
        linked = first._replace(names=[*names, ("/link", "pkg")])
        sent = [world.node.send([one]) for one in (first, first, second, first, linked)]
        assert sent == [[first], [], [second], [first], [linked]]

    asyncio.run(test())
