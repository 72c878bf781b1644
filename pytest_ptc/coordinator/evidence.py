"""How an attempt ended, by what is on disk of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.errors import JournalError, VerdictError
from pytest_ptc.journal import open_task, read_records, read_report, write_report
from pytest_ptc.model import Attempt, AttemptReport, Cause, Trouble
from pytest_ptc.verdicts import settle

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.model import Verdict


def closing_report(
    folder: Path, attempt: Attempt, seconds: float, otherwise: Trouble
) -> AttemptReport:
    """Return the report that the worker filed; else what its agent recorded; else `otherwise`.

    What the worker did not file is filed now, so that the journal has an end for every attempt. An
    attempt whose folder cannot be read or written ends in trouble, whatever was recorded there.

    Args:
        folder: The attempt's folder.
        attempt: Which attempt it is.
        seconds: How long it took, for a report that the worker did not file.
        otherwise: How it ended if nothing was filed or recorded.
    """
    try:
        filed = read_report(folder)
        if filed is not None:
            return _own(filed, attempt, otherwise)
        _, spec, _ = open_task(folder)
        records = read_records(folder, spec.schema)
        ended = settle(records) if records else otherwise
        report = _report(attempt, seconds, ended)
        write_report(folder, report)
    except (JournalError, VerdictError) as error:
        trouble = Trouble(cause=Cause.MACHINERY, message=f"{otherwise.message}; {error}")
        return _report(attempt, seconds, trouble)
    return report


def _own(filed: AttemptReport, attempt: Attempt, otherwise: Trouble) -> AttemptReport:
    if filed.attempt == attempt:
        return filed
    message = f"{otherwise.message}; its report is that of {filed.attempt.name}"
    return _report(attempt, filed.seconds, Trouble(cause=Cause.MACHINERY, message=message))


def _report(attempt: Attempt, seconds: float, ended: Verdict | Trouble) -> AttemptReport:
    if isinstance(ended, Trouble):
        return AttemptReport(attempt=attempt, seconds=seconds, trouble=ended)
    return AttemptReport(attempt=attempt, seconds=seconds, verdict=ended)
