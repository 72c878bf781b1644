"""Tasks that tests have submitted, and whether their results were used."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import PtcError
from pytest_ptc.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_ptc.model.result import Result
    from pytest_ptc.model.trouble import Trouble


class TaskError(PtcError):
    """A submitted task ended without a verdict; `trouble` says why."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble


class Promise(Future[Verdict]):
    """The future of a submitted task's verdict; `awaited` tells whether it was read.

    Args:
        name: The task's node id.
        owner: The test that submitted it; None for a fixture that outlives its test.
    """

    def __init__(self, name: str, owner: object | None) -> None:
        super().__init__()
        self.name = name
        self.owner = owner
        self.awaited = False
        self.set_running_or_notify_cancel()

    def result(self, timeout: float | None = None) -> Verdict:
        """Return the verdict, or raise TaskError; both count as read, a timeout does not."""
        verdict = super().result(timeout) if super().exception(timeout) is None else None
        self.awaited = True
        return super().result() if verdict is None else verdict

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what `result` raises; a task without a verdict is looked at by that."""
        error = super().exception(timeout)
        self.awaited |= error is not None
        return error

    def fulfil(self, result: Result) -> None:
        """Set the verdict, or the error if there is none."""
        verdict, trouble = result.shown_verdict, result.trouble
        if verdict is not None:
            self.set_result(verdict)
        else:
            nothing = PtcError("the task has neither a verdict nor a trouble")
            self.set_exception(nothing if trouble is None else TaskError(trouble))


class Promises:
    """All that was submitted in a run."""

    def __init__(self) -> None:
        self._promises: list[Promise] = []

    def __repr__(self) -> str:
        return f"<Promises {len(self._promises)}, {len(self.unawaited())} not awaited>"

    def add(self, promise: Promise) -> None:
        self._promises.append(promise)

    def unawaited(self) -> list[str]:
        """Return the names of the tasks whose results nobody has read."""
        return [promise.name for promise in self._promises if not promise.awaited]

    def unawaited_of(self, owner: object) -> list[str]:
        """Return those of them that `owner` submitted."""
        mine: Iterable[Promise] = (one for one in self._promises if one.owner is owner)
        return [promise.name for promise in mine if not promise.awaited]
