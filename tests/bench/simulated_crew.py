"""A crew whose workers are played: what the coordinator costs by itself."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_ptc.coordinator.crew import Crew, CrewCalls, CrewJournal, Listening, Remains
from pytest_ptc.interfaces import messages
from pytest_ptc.journal.events import WorkerStarted
from tests.bench.simulated_workers import Players, Stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(eq=False)
class SimulatedCrew(Crew):
    """Implements `Crew`, and is where its workers are heard.

    Args:
        calls: What is told of workers.
        journal: The run's journal.
        folder: The run's folder in it.
    """

    calls: CrewCalls
    journal: CrewJournal
    folder: Path

    def __post_init__(self) -> None:
        self.stage = Stage()
        self.players = Players(self.stage, self)
        self.ends: dict[str, asyncio.Future[str]] = {}

    async def listen(self) -> Listening:
        """Take the loop that workers talk to."""
        self.loop = asyncio.get_running_loop()
        return Nobody()

    async def launch(self, worker: str) -> None:
        """Have a worker played until it ends."""
        self.calls.placed(worker, None)
        self.ends[worker] = self.loop.create_future()
        self.journal.append(WorkerStarted(worker=worker, pid=None, created=None))
        self.stage.later(0.0, partial(self.players.start, worker))
        self.calls.gone(worker, await self.ends[worker])

    def say(self, worker: str, message: messages.Message) -> None:
        """Send a message: encoded here, and read by the worker."""
        self.stage.later(0.0, partial(self.players.hear, worker, messages.encode(message)))

    async def bury(self, worker: str, why: str, cookie: str | None) -> Remains:
        """Take a worker off the stage."""
        del cookie
        self.stage.later(0.0, partial(self.players.kill, worker))
        return Remains(ended=f"{why}: killed by signal 9", tail="Killed")

    async def hang_up(self) -> None:
        """There are no connections."""

    async def end(self) -> None:
        """End all workers."""
        self.stage.later(0.0, partial(self.players.end, "ended by force"))

    def close(self) -> None:
        """Close the stage."""
        self.stage.close()

    # In the thread of the stage.

    def tell(self, worker: str, line: bytes) -> None:
        """Take a line of a worker."""
        self._to_loop(lambda: self.calls.heard(worker, messages.decode(line)))

    def gone(self, worker: str, why: str) -> None:
        """Take the end of a worker."""
        self._to_loop(partial(self._ended, worker, why))

    def leave(self, worker: str, attempt: str, name: str, text: bytes) -> None:
        """Write a file that a worker leaves for people, as it does itself."""
        del worker
        with contextlib.suppress(OSError):
            (self.folder / "attempts" / attempt / name).write_bytes(text)

    def _ended(self, worker: str, why: str) -> None:
        if not self.ends[worker].done():
            self.ends[worker].set_result(why)

    def _to_loop(self, act: Callable[[], Any]) -> None:
        # The loop may have ended.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(act)


class Nobody:
    """Implements `Listening` where nobody calls."""

    def close(self) -> None:
        """There is nothing to close."""
