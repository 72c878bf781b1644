"""A running attempt: its records and its report are written to disk, in threads and in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_ptc.journal.closing import Closed, closed_by_worker, closed_without_worker
from pytest_ptc.model.errors import JournalError, VerdictError
from pytest_ptc.model.result import AttemptReport
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.system.threads import in_thread
from pytest_ptc.verdicts.entries import entry_from_json
from pytest_ptc.verdicts.report_json import report_from_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_ptc.interfaces import messages
    from pytest_ptc.journal.attempt_writer import AttemptWriter
    from pytest_ptc.model.result import Attempt
    from pytest_ptc.model.task import TaskSpec

#: Seconds that one record or one report may take to be on disk; more than any disk needs.
MAX_WRITE_S = 20.0


@dataclass(kw_only=True, eq=False)
class Running:
    """A running attempt.

    Args:
        cookie: The mark of all of its processes.
        began: When it was assigned, on the coordinator's clock.
        writer: What writes it down.
        turn: A lock: records are written in the order in which they came.
        stuck: Why nothing more is written, if that is so: the disk did not answer in time.
    """

    cookie: str
    began: float
    writer: AttemptWriter
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    stuck: str | None = None

    async def put(self, value: Mapping[str, Any]) -> str | None:
        """Write a record, given as JSON; return why it is not on disk, or None."""
        entry = entry_from_json(value)
        if entry is None:
            return "it is not a valid record"
        async with self.turn:
            if self.stuck is None:
                try:
                    await in_thread(self.writer.put, entry, seconds=MAX_WRITE_S)
                except asyncio.TimeoutError:
                    self.stuck = f"journal {self.writer.folder}: {_no_answer()}"
                except JournalError as error:
                    return str(error)
            return self.stuck

    async def close(
        self,
        attempt: Attempt,
        spec: TaskSpec,
        seconds: float,
        otherwise: Trouble,
        report: AttemptReport | None,
    ) -> Closed:
        """File how the attempt ended, after all that was recorded, and return that.

        Args:
            attempt: Which attempt it is.
            spec: Its task.
            seconds: How long it took, for one that its worker does not report.
            otherwise: How it ended if its worker reports nothing and nothing was recorded.
            report: What its worker reports.
        """

        def close() -> Closed:
            if report is not None:
                return closed_by_worker(self.writer, report)
            return closed_without_worker(self.writer, attempt, spec, seconds, otherwise)

        async with self.turn:
            try:
                return await in_thread(close, seconds=MAX_WRITE_S)
            except Exception as error:  # noqa: BLE001 - one attempt's trouble is its own
                return Closed(self._unfiled_report(attempt, seconds, error), None)

    def _unfiled_report(self, attempt: Attempt, seconds: float, error: Exception) -> AttemptReport:
        """Return a report in place of one that cannot be filed; a recorded fail still counts."""
        why = _no_answer() if isinstance(error, asyncio.TimeoutError) else f"{error!r:.300}"
        trouble = Trouble(cause=Cause.MACHINERY, message=f"journal {self.writer.folder}: {why}")
        records, _ = self.writer.story()
        if any(record.says_fail for record in records):
            trouble = trouble.after_fail()
        return AttemptReport(attempt=attempt, seconds=seconds, trouble=trouble)


def stopped_report(report: AttemptReport | None, stopped: Trouble) -> AttemptReport | None:
    """Return the report of an attempt whose task somebody has stopped: a fail alone counts still.

    Args:
        report: What its worker reports, if it does.
        stopped: Why it ended.
    """
    if report is None or report.said_fail:
        return report
    evidence = report.trouble.evidence if report.trouble is not None else ""
    return replace(report, verdict=None, trouble=replace(stopped, evidence=evidence))


def _no_answer() -> str:
    return f"the disk does not answer within {MAX_WRITE_S:g} s"


def end_of(attempt: Attempt, message: messages.Ended) -> tuple[Trouble, AttemptReport | None]:
    """Return how an attempt ended by its worker: the trouble if it has no report, and its report.

    Raises:
        ValueError: It is no report of this attempt.
    """
    why = message.problem or "its worker made no report"
    otherwise = Trouble(cause=Cause.MACHINERY, message=why)
    if message.report is None:
        return otherwise, None
    try:
        report = report_from_json(message.report)
    except (KeyError, TypeError, VerdictError) as error:
        raise ValueError(f"not a report: {error!r:.300}") from error
    if report.attempt != attempt:
        raise ValueError(f"a report of {report.attempt}")
    return otherwise, report
