"""The crew: a run's workers, their lines, and their ends. It knows nothing of tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_ptc.interfaces import messages
    from pytest_ptc.journal.event import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Remains:
    """What is left of a worker that ended: how it ended, and its last lines."""

    ended: str
    tail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CrewCalls:
    """What a crew tells, in the loop's thread.

    Args:
        heard: Takes each worker's messages, its hello first.
        gone: Takes a worker's name and how its end was noticed; called at least once for each.
        placed: Takes the name of a worker that has a place and is being started there, and the node
            that this is on; None for this machine.
        note: Takes what people are told of where workers live, a sentence: that a node is refused,
            or is lost.
        shut: Takes why no worker will ever have a place again. Those that wait for one are told of
            as gone besides.
        stop_task: Stops a task for the run's user, by its id; returns why it does not, if so.
    """

    heard: Callable[[str, messages.Message], None]
    gone: Callable[[str, str], None]
    placed: Callable[[str, str | None], None] = lambda *_: None
    note: Callable[[str], None] = lambda _: None
    shut: Callable[[str], None] = lambda _: None
    stop_task: Callable[[str], str | None] = lambda _: "nobody stops tasks here"


class CrewJournal(Protocol):
    """What a crew needs of a run's journal."""

    @property
    def run_id(self) -> str:
        """Return the run's id."""

    def worker_folder(self, worker: str) -> Path:
        """Return the folder for a worker's output; it is made.

        Raises:
            JournalError: It cannot be made.
        """

    def append(self, event: Event) -> None:
        """Write an event; never raises."""


class Listening(Protocol):
    """What takes workers' calls, until it is closed."""

    def close(self) -> None:
        """Take no more."""


class Crew(Protocol):
    """Starts workers, talks with them, notices their end, and ends what they leave.

    Its methods are the loop's to call, but for `close`, which is for pytest's thread.
    """

    async def listen(self) -> Listening:
        """Begin to take workers' calls."""

    async def launch(self, worker: str) -> None:
        """Start a worker and wait for its end; a worker that cannot be started has ended, too."""

    def say(self, worker: str, message: messages.Message) -> None:
        """Send a message; one to a gone worker is dropped, since its end is reported separately.

        Raises:
            Exception: The message cannot be encoded; then nothing is sent.
        """

    async def bury(self, worker: str, why: str, cookie: str | None) -> Remains:
        """Kill a worker, whatever of it still lives, and return what is left to look at.

        Args:
            worker: Its name.
            why: How its end was noticed.
            cookie: The cookie of the attempt that it was on.
        """

    async def hang_up(self) -> None:
        """Close every connection."""

    async def end(self) -> None:
        """End all workers by force."""

    def close(self) -> None:
        """End all that the run has started, of workers and of agents; may be called again."""


#: Makes a run's crew, which tells what happens by these calls.
CrewMaker: TypeAlias = "Callable[[CrewCalls], Crew]"
