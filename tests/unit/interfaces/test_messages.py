"""What workers say, and who is one: garbage is a ValueError, and costs its caller the line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.coordinator import door as doors
from pytest_ptc.coordinator.door import Door
from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.line import StreamLine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


@pytest.mark.parametrize(
    "message",
    [
        messages.Hello("w1", "key"),
        messages.Ready(),
        messages.Begun("1.1"),
        messages.Waits("1.1", 2, "rate limit"),
        messages.Ended("1.1"),
        messages.Ended("1.1", problem="full"),
        messages.Ended("1.1", {"task": "1"}),
        messages.Recorded("1.1", 1, {"call": "c"}),
        messages.Acknowledged("1.1", 1),
        messages.Acknowledged("1.1", 1, "full"),
        messages.Prepare(None),
        messages.Assigned("1.1", "c", "t", {"a": [1]}, 2.5),
        messages.Live(12.5),
        messages.Quit(),
    ],
)
def test_a_message_comes_back_as_it_was(message: messages.Message) -> None:
    """One line each."""
    line = messages.encode(message)
    assert line.count(b"\n") == 1
    assert messages.decode(line) == message


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\n",
        b"{}",
        b"[]",
        b"null",
        b"1e400",
        b"[" * 100_000,
        b'{"kind":' * 50_000,
        b'{"kind": []}',
        b'{"kind": "ready", "more": 1}',
        b'{"kind": "hello", "worker": "w1"}',
        b'{"kind": "hello", "worker": [], "key": "k"}',
        b'{"kind": "hello", "worker": "w1", "key": null}',
        b'{"kind": "waits", "attempt": "1.1", "seconds": "2", "why": ""}',
        b'{"kind": "waits", "attempt": "1.1", "seconds": true, "why": ""}',
        b'{"kind": "waits", "attempt": "1.1", "seconds": 1e400, "why": ""}',
        b'{"kind": "waits", "attempt": "1.1", "seconds": NaN, "why": ""}',
        b'{"kind": "live", "until": NaN}',
        b'{"kind": "ended", "attempt": 1}',
        b'{"kind": "recorded", "attempt": "1.1", "number": "1", "entry": {}}',
        b'{"kind": "recorded", "attempt": "1.1", "number": 1.5, "entry": {}}',
        b'{"kind": "recorded", "attempt": "1.1", "number": 1, "entry": []}',
        b'{"kind": "ended", "attempt": "1.1", "report": []}',
    ],
)
def test_what_is_no_message_is_a_value_error(line: bytes) -> None:
    """Whatever it is, and nothing else is raised."""
    with pytest.raises(ValueError, match=r"|"):
        messages.decode(line)


async def call(address: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection on which anything can be said."""
    return await asyncio.open_unix_connection(address)


class Heard:
    """What came through a door."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, messages.Message]] = []
        self.gone: list[str] = []
        self.notes: list[str | None] = []
        self.changed = asyncio.Event()

    def heard(self, worker: str, message: messages.Message) -> None:
        self.messages.append((worker, message))
        self.changed.set()
        if isinstance(message, messages.Begun):
            raise RuntimeError("a defect of whoever hears it")  # noqa: TRY004

    def lost(self, worker: str, _: str) -> None:
        self.gone.append(worker)
        self.changed.set()

    def note(self, worker: str | None, _: str) -> None:
        self.notes.append(worker)

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait until it is so."""
        while not done():
            await asyncio.wait_for(self.changed.wait(), 10)
            self.changed.clear()


def through(tmp_path: Path, use: Callable[[Door, Heard, Path], Awaitable[None]]) -> Heard:
    """Open a door, use it, and return what came through."""

    async def whole() -> Heard:
        heard = Heard()
        door = Door(heard=heard.heard, gone=heard.lost, note=heard.note)
        server = await door.open(tmp_path / "s")
        try:
            await asyncio.wait_for(use(door, heard, tmp_path / "s"), 30)
        finally:
            server.close()
            await door.close()
        return heard

    return asyncio.run(whole())


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"[" * 60_000 + b"\n", id="deep"),
        pytest.param(b"x" * 200_000, id="no-newline"),
        pytest.param(b'{"kind": "quit"}\n', id="another-message"),
        pytest.param(messages.encode(messages.Hello("w1", "")), id="no-key"),
        pytest.param(messages.encode(messages.Hello("w1", "0" * 32)), id="wrong-key"),
        pytest.param(messages.encode(messages.Hello("w9", "")), id="unknown-worker"),
        pytest.param(messages.encode(messages.Hello("w1", "\ud800")), id="half-a-pair"),
    ],
)
def test_a_stranger_is_hung_up_on_and_locks_no_worker_out(tmp_path: Path, said: bytes) -> None:
    """Whatever he says; the worker that he claimed to be is heard after him."""

    async def use(door: Door, heard: Heard, address: Path) -> None:
        key = door.key_for("w1")
        reader, writer = await call(address)
        writer.write(said)
        assert await reader.read() == b""
        writer.close()
        _, writer = await call(address)
        writer.write(messages.encode(messages.Hello("w1", key)) + messages.encode(messages.Ready()))
        await heard.until(lambda: len(heard.messages) == 2)
        writer.close()
        await heard.until(lambda: heard.gone == ["w1"])

    heard = through(tmp_path, use)
    assert heard.notes == [None]


def test_a_verdict_of_any_length_is_heard_whole_and_in_its_turn(tmp_path: Path) -> None:
    """Also where it is longer than a line may be."""
    said: list[messages.Message] = [
        messages.Ready(),
        *(messages.Recorded("1.1", n, {"call": "x" * n}) for n in (1, 200_000, 9_000_000)),
        messages.Ended("1.1"),
    ]

    async def use(door: Door, heard: Heard, address: Path) -> None:
        line = StreamLine(*await call(address))
        line.say(messages.Hello("w1", door.key_for("w1")))
        for message in said:
            line.say(message)
        # All that a worker said which has ended is heard before it is taken as gone.
        line.close()
        await heard.until(lambda: heard.gone == ["w1"])

    heard = through(tmp_path, use)
    assert [message for _, message in heard.messages[1:]] == said
    assert heard.notes == []


@pytest.mark.parametrize(
    "said",
    [
        b"[" * 60_000 + b"\n",
        b"999999999\n",
        b"2\n{}",
        messages.encode(messages.Begun("1.1")),
    ],
)
def test_a_workers_broken_line_ends_that_worker_alone(tmp_path: Path, said: bytes) -> None:
    """Broken by what it says, or by what is made of it."""

    async def use(door: Door, heard: Heard, address: Path) -> None:
        lines = []
        for worker in ("w1", "w2"):
            lines.append(await call(address))
            lines[-1][1].write(messages.encode(messages.Hello(worker, door.key_for(worker))))
        await heard.until(lambda: len(heard.messages) == 2)
        lines[0][1].write(said)
        await heard.until(lambda: heard.gone == ["w1"])
        lines[1][1].write(messages.encode(messages.Ready()))
        await heard.until(lambda: heard.messages[-1] == ("w2", messages.Ready()))
        for _, writer in lines:
            writer.close()

    heard = through(tmp_path, use)
    assert heard.notes == ["w1"]


def test_strangers_who_say_nothing_are_only_so_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that came first has to go, and a worker is heard among them."""
    monkeypatch.setattr(doors, "MAX_STRANGERS", 3)

    async def use(door: Door, heard: Heard, address: Path) -> None:
        strangers = [await call(address) for _ in range(4)]
        assert await strangers[0][0].read() == b""
        _, writer = await call(address)
        writer.write(messages.encode(messages.Hello("w1", door.key_for("w1"))))
        await heard.until(lambda: len(heard.messages) == 1)
        for _, stranger in (*strangers, (None, writer)):
            stranger.close()

    through(tmp_path, use)


def test_a_stranger_who_says_nothing_has_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then he is hung up on."""
    monkeypatch.setattr(doors, "HELLO_TIMEOUT_S", 0.05)

    async def use(_: Door, __: Heard, address: Path) -> None:
        reader, writer = await call(address)
        assert await reader.read() == b""
        writer.close()

    through(tmp_path, use)


def test_many_strangers_fill_no_journal(tmp_path: Path) -> None:
    """The first of them are noted."""

    async def use(_: Door, __: Heard, address: Path) -> None:
        for _i in range(2 * doors.MAX_NOTES):
            reader, writer = await call(address)
            writer.write(b"x\n")
            assert await reader.read() == b""
            writer.close()

    assert len(through(tmp_path, use).notes) == doors.MAX_NOTES
