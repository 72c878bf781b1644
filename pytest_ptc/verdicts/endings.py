"""The outcome of an attempt, from its records and the end of its program. Pure."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.verdicts.recording import settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.verdicts.recording import Record


class Ended(NamedTuple):
    """How an agent's program ended by itself, with all of its output read.

    Args:
        status: Its exit status, negative for the signal that ended it.
        last: The call of the record that is the last line of its output; None if that is none.
    """

    status: int
    last: str | None = None


def judge(records: Sequence[Record], ended: Ended | None) -> Verdict | Trouble | None:
    """Return the outcome of records and the program's end; None if nothing was recorded yet.

    A recorded fail counts with any status: many linters end with 1. A recorded pass or skip does
    not count if the program then ended with an error. A printed pass or skip counts only as the
    last line of a program that has ended; a printed fail always counts; earlier lines must not
    disagree.

    Args:
        records: What was recorded, in order.
        ended: How the program ended; None where it has not, nobody knows, or there is none.
    """
    last = ended.last if ended is not None else None
    counted = [
        record
        for record in records
        if not record.printed or record.says_fail or record.call == last
    ]
    beside = [record for record in records if record.printed and record not in counted]
    if not counted and ended is None:
        return None
    if not counted and ended is not None and ended.status != 0:
        message = f"the program ended with {describe_status(ended.status)}"
        return Trouble(cause=Cause.AGENT_FAILED, message=message)
    if not counted and any(record.verdict is not None for record in beside):
        message = (
            "a verdict was printed, but not on the last line of standard output; print nothing "
            "behind it, or print what follows on standard error"
        )
        return Trouble(cause=Cause.NO_VERDICT, message=message)
    settled = settle(counted, beside)
    if isinstance(settled, Trouble) or settled.verdict in (VerdictKind.FAIL, VerdictKind.ERROR):
        return settled
    if ended is not None and ended.status != 0:
        status = describe_status(ended.status)
        message = f"the program recorded {settled.verdict}, then ended with {status}"
        return Trouble(cause=Cause.CONTRADICTED, message=message)
    return settled


def status_verdict(status: int, last_lines: str) -> Verdict | None:
    """Return the verdict of an exit status, for `--ptc-verdict-from-exit`.

    Args:
        status: 0 means pass, 1 means fail; any other gives None.
        last_lines: The last lines of the output, for the summary of a fail.
    """
    if status not in (0, 1):
        return None
    summary = f"the program ended with {describe_status(status)}"
    if status == 0:
        return Verdict(verdict=VerdictKind.PASS, summary=summary)
    reason = f"{summary}: {last_lines}" if last_lines else summary
    return Verdict(verdict=VerdictKind.FAIL, summary=reason)


def describe_status(status: int) -> str:
    """Return `exit status 3` or `SIGKILL` for a status as `subprocess` has it."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
