"""Whether the shared list has an attempt's task: a question to the coordinator."""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from typing import TYPE_CHECKING

from pytest_ptc.interfaces import messages

if TYPE_CHECKING:
    import asyncio

    from pytest_ptc.interfaces.line import Line

#: Seconds that an answer may take; the coordinator has a limit of its own.
ANSWER_TIMEOUT_S = 10.0


class Look:
    """The question whether the shared list has an attempt's task, and its answer.

    Args:
        attempt: The attempt's name.
        line: The line to the coordinator.
        loop: The loop that the line belongs to.
    """

    def __init__(self, attempt: str, line: Line, loop: asyncio.AbstractEventLoop) -> None:
        self._attempt = attempt
        self._line = line
        self._loop = loop
        self._answer: Future[bool] = Future()

    def listed(self) -> bool:
        """Tell whether the list has the task; False without an answer. Called in a thread."""
        self._loop.call_soon_threadsafe(self._line.say, messages.Look(self._attempt))
        try:
            return self._answer.result(ANSWER_TIMEOUT_S)
        except NoAnswer:
            return False

    def answer(self, attempt: str, *, listed: bool) -> None:
        """Take the coordinator's answer; one to another attempt's question is left alone."""
        if attempt == self._attempt and not self._answer.done():
            self._answer.set_result(listed)
