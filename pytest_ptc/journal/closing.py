"""What an attempt came to, by what is on disk of it, and whether that is enough."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import JournalError
from pytest_ptc.model.result import Attempt, AttemptReport
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.verdicts.endings import judge
from pytest_ptc.verdicts.recording import Record

if TYPE_CHECKING:
    from pytest_ptc.interfaces.ledger import Ledger
    from pytest_ptc.journal.attempt_journal import AttemptJournal
    from pytest_ptc.model.task import TaskSpec


def recorded_or(trouble: Trouble, journal: Ledger, spec: TaskSpec) -> Verdict | Trouble:
    """Return what an agent recorded before this trouble met it; if nothing, the trouble.

    Records that cannot be read may hold a fail: then the trouble is final.
    """
    try:
        records, ended = journal.story(spec.schema)
    except JournalError as error:
        return unreadable(error, trouble)
    judged = judge(records, ended)
    line = None if any(record.says_fail for record in records) else journal.failing_line()
    if line is not None:
        # Whoever had read it had no time to put it among the records.
        refused = f"in its output, and not among its records: {line}"
        judged = judge([*records, Record(call="output", refused=refused, fail=True)], ended)
    if judged is None or isinstance(judged, Verdict):
        return judged or trouble
    if judged.cause in (Cause.NO_VERDICT, Cause.AGENT_FAILED):
        # Seen while it was judged, and nothing that was recorded.
        return trouble
    if judged.final and judged.cause is Cause.MALFORMED:
        return trouble.beside(judged)
    return replace(judged, evidence=judged.evidence or trouble.evidence)


def fail_or(trouble: Trouble, journal: Ledger, spec: TaskSpec) -> Verdict | Trouble:
    """Return the fail that an agent recorded or said, or may have; else the trouble."""
    ended = recorded_or(trouble, journal, spec)
    said = isinstance(ended, Trouble) and (ended.final or ended.cause is Cause.UNREADABLE)
    return ended if said or _fails(ended) else trouble


def unreadable(error: JournalError, trouble: Trouble | None = None) -> Trouble:
    """Return that nobody can say what an agent recorded: it may have been a fail.

    Args:
        error: What is wrong with the records.
        trouble: What else befell the attempt.
    """
    message = str(error) if trouble is None else _and(trouble.message, error)
    evidence = "" if trouble is None else trouble.evidence
    return Trouble(cause=Cause.UNREADABLE, message=message, evidence=evidence)


def demanded(
    ended: Verdict | Trouble, spec: TaskSpec, tool_calls: object = None
) -> Verdict | Trouble:
    """Return how an attempt ended, held to the evidence that its task demands.

    Args:
        ended: How it ended.
        spec: The task.
        tool_calls: How often the agent used a tool besides recording; None where it does not say.
    """
    if not spec.require_evidence or not isinstance(ended, Verdict):
        return ended
    if ended.verdict not in (VerdictKind.PASS, VerdictKind.SKIP):
        return ended
    if isinstance(tool_calls, int) and tool_calls > 0:
        return ended
    looked = "without a single tool call" if tool_calls == 0 else "and nobody can say how it looked"
    return Trouble(
        cause=Cause.NO_EVIDENCE,
        message=f"the agent recorded a {ended.verdict} {looked}: {ended.summary}",
    )


def closing_report(
    journal: AttemptJournal,
    attempt: Attempt,
    spec: TaskSpec,
    seconds: float,
    otherwise: Trouble,
    *,
    was_filed: bool = False,
) -> tuple[AttemptReport, bool]:
    """Return the report that the worker filed; else what its agent recorded; else `otherwise`.

    Beside it is said whether the worker filed it.

    What the worker did not file is filed now, so that the journal has an end for every attempt. A
    recorded verdict counts though its report cannot be filed: the record is on disk.

    Args:
        journal: The attempt's journal.
        attempt: Which attempt it is.
        spec: Its task.
        seconds: How long it took, for a report that the worker did not file.
        otherwise: How it ended if nothing was filed or recorded.
        was_filed: Whether the worker says that it filed a report.
    """
    broken = None
    try:
        filed = journal.report()
    except JournalError as error:
        filed, broken = None, error
    if filed is not None:
        return filed, True
    if was_filed and broken is None:
        broken = JournalError(f"journal {journal.folder}: the report that was filed is gone")
    seen = otherwise
    if not otherwise.evidence:
        seen = replace(otherwise, evidence=journal.tail())
    ended = demanded(recorded_or(seen, journal, spec), spec)
    if broken is not None and not _fails(ended):
        # The worker may have filed why what its agent recorded does not count.
        ended = unreadable(broken, seen)
    report = AttemptReport(
        attempt=attempt,
        seconds=seconds,
        verdict=ended if isinstance(ended, Verdict) else None,
        trouble=ended if isinstance(ended, Trouble) else None,
    )
    try:
        return journal.file(report), False
    except JournalError as error:
        if ended is not seen or report.trouble is None:
            return report, False
        trouble = replace(
            report.trouble, cause=Cause.MACHINERY, message=_and(report.trouble.message, error)
        )
        return AttemptReport(attempt=attempt, seconds=seconds, trouble=trouble), False


def _fails(ended: Verdict | Trouble) -> bool:
    return isinstance(ended, Verdict) and ended.verdict is VerdictKind.FAIL


def _and(message: str, error: JournalError) -> str:
    """Return the message with what is wrong with the journal too, once."""
    return message if str(error) in message else f"{message}; {error}"
