"""What every line between a worker and its coordinator must do: a Unix socket, and the fake."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.line import MAX_LINE_BYTES, StreamLine
from pytest_ptc.worker.line import call
from tests.support.lines import line_pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from pytest_ptc.interfaces.line import Line

    Ends = tuple[Line, Line]
    Use = Callable[[Line, Line], Awaitable[None]]
    Between = Callable[[Use], None]

LONG = messages.Assigned("1.1", "c", "t", {"prompt": "line\n\udcff" * 100_000}, 9.5)
MESSAGES: list[messages.Message] = [
    messages.Prepare(None),
    messages.Ready(),
    LONG,
    messages.Recorded("1.1", 1, {"data": "x" * 9_000_000}),
    messages.Begun("1.1"),
]


@asynccontextmanager
async def socket_ends() -> AsyncIterator[Ends]:
    """Give the worker's end, which called over a Unix socket, and the coordinator's."""
    taken: asyncio.Future[Line] = asyncio.get_running_loop().create_future()

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.set_result(StreamLine(reader, writer))

    with tempfile.TemporaryDirectory(prefix="ptc-", dir="/tmp") as folder:
        address = Path(folder, "s")
        server = await asyncio.start_unix_server(take, address, limit=MAX_LINE_BYTES)
        line = await call(address)
        yield line, await taken
        server.close()


@asynccontextmanager
async def fake_ends() -> AsyncIterator[Ends]:
    """Give both ends of the fake."""
    yield line_pair()


@pytest.fixture(params=[socket_ends, fake_ends], ids=["socket", "fake"])
def between(request: pytest.FixtureRequest) -> Between:
    """Give what runs a coroutine function on both ends of a line, each way round."""

    async def whole(use: Use) -> None:
        for turned in (False, True):
            async with request.param() as (one, other):
                ends = (other, one) if turned else (one, other)
                await asyncio.wait_for(use(*ends), 30)
                for end in ends:
                    end.close()
                await asyncio.sleep(0)

    return lambda use: asyncio.run(whole(use))


def test_messages_arrive_whole_and_in_order(between: Between) -> None:
    """In both directions at once, long ones too."""

    async def use(one: Line, other: Line) -> None:
        for message in MESSAGES:
            one.say(message)
            other.say(message)
        assert [await other.hear() for _ in MESSAGES] == MESSAGES
        assert [await one.hear() for _ in MESSAGES] == MESSAGES

    between(use)


def test_the_end_is_heard_by_both_after_what_was_said(between: Between) -> None:
    """Time and again; and what is said from then on is no error."""

    async def use(one: Line, other: Line) -> None:
        one.say(messages.Ready())
        one.close()
        one.close()
        assert [await other.hear() for _ in range(3)] == [messages.Ready(), None, None]
        assert await one.hear() is None
        one.say(messages.Ready())
        other.say(messages.Ready())
        assert await one.hear() is None

    between(use)


def test_what_is_no_json_is_not_said_in_part(between: Between) -> None:
    """Whoever says it is told, and the line is as good as before."""

    async def use(one: Line, other: Line) -> None:
        with pytest.raises(TypeError):
            one.say(messages.Prepare({"a": "b" * 10_000, "c": object()}))
        one.say(messages.Ready())
        assert await other.hear() == messages.Ready()

    between(use)
