"""The supervisor of a node, asked as pytest's machine asks it; its workers are but names."""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from pytest_ptc.interfaces.plain_json import to_json
from pytest_ptc.remote import frame_kinds as frames
from pytest_ptc.remote import node_supervisor
from pytest_ptc.remote.frames import Inbox
from pytest_ptc.remote.node_agents import settings_to_json
from pytest_ptc.remote.node_supervisor import NodeSupervisor
from pytest_ptc.remote.tunnels import NodeTunnels
from pytest_ptc.system.machine import lease_clock
from tests.support.hosts import FakeHost
from tests.support.settings import settings_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LEASE = 20.0


class World:
    """A supervisor, and pytest's machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = FakeHost()
        #: Set when what was sent may be unpacked.
        self.go_on = threading.Event()
        self.name = f"here-{secrets.token_hex(4)}"  # several tests may run on one machine
        self.supervisor = NodeSupervisor(
            name=self.name,
            run_id="r1",
            lease=LEASE,
            make_host=lambda *_: self.host,
            unpack=self._unpack,
        )
        self.heard: list[frames.FromNode] = []
        self._said = 0
        self._inbox = Inbox()
        self.beat = 0

    def _unpack(self, data: bytes, folder: Path) -> str:
        assert self.go_on.wait(30)
        folder.mkdir()
        (folder / "file").write_bytes(data)
        return str(folder)

    def setup(self) -> list[frames.ToNode]:
        """Return what a node is told first."""
        agent = f"{sys.executable} -c pass"
        setup = frames.RunSetup(
            settings=settings_to_json(settings_with(agent="command", command=agent)),
            root="/app",
            start="/app",
            directories=("k",),
        )
        names = json.dumps([["/app", "."]]).encode()
        return [
            frames.Setup(to_json(setup)),
            frames.Piece("k", b"x"),
            frames.Directory("k", names),
        ]

    def ask(self, call: frames.Call) -> frames.Answer:
        return frames.decode_answer(self.supervisor.answer(call).result(30))

    def say(self, *told: frames.ToNode | bytes) -> None:
        load = [one if isinstance(one, bytes) else frames.encode(one) for one in told]
        first, self._said = self._said + 1, self._said + len(load)
        assert self.ask(frames.Say("r1", self.name, first, load)) == frames.Said(self._said)

    def hear_until(self, kind: type[frames.FromNode]) -> None:
        """Hear it out until it says something of a kind."""
        while not any(isinstance(one, kind) for one in self.heard):
            self.beat += 1
            answer = self.ask(frames.Hear("r1", self.name, self.beat, self._inbox.last))
            assert isinstance(answer, frames.Heard)
            new = self._inbox.take(answer.first, answer.frames)
            self.heard += [frames.decode_from_node(one) for one in new]

    def acknowledge(self) -> None:
        """Say that all that was heard has come; the answer may take a while."""
        self.beat += 1
        self.supervisor.answer(frames.Hear("r1", self.name, self.beat, self._inbox.last))

    def left_behind(self) -> list[Path]:
        marks = Path(tempfile.gettempdir()).glob("ptc-*/run-id")
        scratch = [one.parent for one in marks if one.read_text() == f"r1-{self.name}"]
        return [*scratch, *(self.folder / "claude").glob("tasks/*")]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    made = World(tmp_path)
    yield made
    made.go_on.set()
    made.supervisor.close()
    with contextlib.suppress(RuntimeError):  # it has ended
        made.hear_until(frames.Closed)
        made.acknowledge()
    made.supervisor.join(30)
    assert made.left_behind() == []


def test_a_worker_that_is_buried_before_its_node_is_ready_is_not_started(world: World) -> None:
    """The burial waits for nothing: its place is free at once."""
    seat = world.supervisor.hold("w1")
    world.say(*world.setup(), frames.Start("w1"), frames.Start("w2"), frames.Bury(1, "w1", "", ""))
    assert seat.wait(10)
    world.hear_until(frames.Buried)
    assert not [one for one in world.heard if isinstance(one, frames.Opened)]
    world.go_on.set()
    world.hear_until(frames.Opened)
    deadline = time.monotonic() + 20
    while "w2" not in world.host.workers:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert list(world.host.workers) == ["w2"]


def test_it_lives_as_long_as_it_is_heard_and_then_ends_by_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the answers that have come, for one lease; then its seats are free, and new ones too."""
    now = [lease_clock()]
    monkeypatch.setattr(node_supervisor, "LEASE_LOOK_S", 0.01)
    monkeypatch.setattr(node_supervisor, "lease_clock", lambda: now[0])
    began = now[0]
    seat = world.supervisor.hold("w1")
    world.go_on.set()
    world.say(*world.setup())
    world.hear_until(frames.Opened)
    for beat in range(world.beat + 1, world.beat + 5):
        now[0] += LEASE / 2
        # `Opened` has not come, for all that is said: so each is answered at once.
        world.ask(frames.Hear("r1", world.name, beat, 0))
    # The last answer may not have come.
    now[0] = began + 2.4 * LEASE
    time.sleep(0.2)
    assert world.supervisor.is_open
    now[0] = began + 2.5 * LEASE
    assert seat.wait(20)
    assert world.supervisor.hold("w2").wait(20)
    world.hear_until(frames.Closed)
    assert world.host.closed
    assert world.left_behind() == []


def test_the_end_is_told_once_all_has_ended_and_its_acknowledgement_is_waited_for(
    world: World,
) -> None:
    """Not for the rest of a lease: the engine may have to end its process."""
    world.go_on.set()
    world.say(*world.setup())
    world.hear_until(frames.Opened)
    assert world.left_behind()
    world.say(frames.Close())
    world.hear_until(frames.Closed)
    assert world.host.closed
    assert world.left_behind() == []
    world.say(*world.setup())  # too late
    assert world.left_behind() == []
    assert not world.supervisor.is_over
    world.acknowledge()
    world.supervisor.join(LEASE / 2)
    assert world.supervisor.is_over


def test_whatever_cannot_be_ended_the_rest_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left would be beside the successor of this node."""

    async def fails(_: NodeTunnels) -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr(NodeTunnels, "close", fails)
    world.go_on.set()
    world.say(*world.setup())
    world.hear_until(frames.Opened)
    world.say(frames.Close())
    world.hear_until(frames.Closed)
    assert world.host.closed
    assert world.left_behind() == []


def test_what_is_not_understood_is_told_without_what_it_was(world: World) -> None:
    """It may hold a token, and is written down."""
    line = {"type": "Line", "worker": "w1", "text": b"canary-4711", "odd": "canary-4711"}
    world.say(msgspec.msgpack.encode(line), b"\xc1canary-4711")
    world.hear_until(frames.Broken)
    assert "canary" not in repr(world.heard)


def test_an_unfit_node_takes_what_was_on_its_way_to_it(world: World) -> None:
    """And says nothing of it: its reason is told once."""

    def no_host(*_: str) -> FakeHost:
        raise RuntimeError("no host")

    world.supervisor._make_host = no_host
    world.say(*world.setup(), frames.Start("w1"), frames.Forward("1.1", [80]))
    world.say(frames.Line("w1", b"x"), frames.Bury(1, "w1", "gone", None))
    world.hear_until(frames.Buried)
    kinds = [type(one) for one in world.heard]
    assert kinds == [frames.Unfit, frames.Buried]


def test_a_machine_that_does_not_hear_costs_a_node_no_memory(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What agents print is on its disk, and is carried later."""
    glances: list[None] = []
    monkeypatch.setattr(node_supervisor, "GLANCE_S", 0.01)
    monkeypatch.setattr(node_supervisor, "MAX_WAITING_BYTES", 1)
    world.go_on.set()
    world.say(*world.setup())
    world.hear_until(frames.Opened)
    workers = world.supervisor._workers
    assert workers is not None
    look: Callable[[], None] = lambda: glances.append(None)  # noqa: E731 - one line
    monkeypatch.setattr(workers, "glance", look)
    # `Opened` is heard, and not acknowledged.
    time.sleep(0.1)
    assert glances == []
    world.acknowledge()
    deadline = time.monotonic() + 20
    while not glances:
        assert time.monotonic() < deadline
        time.sleep(0.01)
