"""The outcome of an attempt, from its records and its worker's report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.errors import JournalError
from pytest_ptc.model.result import Attempt, AttemptReport
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.verdicts.endings import judge
from pytest_ptc.verdicts.recording import FINDINGS, Record
from pytest_ptc.verdicts.report_json import report_from_json

if TYPE_CHECKING:
    from pytest_ptc.interfaces.ledger import Records
    from pytest_ptc.journal.attempt_writer import AttemptWriter
    from pytest_ptc.model.task import TaskSpec


def recorded_or(trouble: Trouble, records: Records) -> Verdict | Trouble:
    """Return the verdict that was recorded before this trouble; if there is none, the trouble.

    Raises:
        JournalError: The records cannot be read.
    """
    recorded, ended = records.story()
    judged = judge(recorded, ended)
    line = None if any(record.says_fail for record in recorded) else records.failing_line()
    if line is not None:
        # The worker had no time to send it.
        refused = f"printed, but not recorded: {line}"
        judged = judge([*recorded, Record(call="output", refused=refused, fail=True)], ended)
    if judged is None or isinstance(judged, Verdict):
        return judged or trouble
    if judged.cause in (Cause.NO_VERDICT, Cause.AGENT_FAILED):
        # A consequence of the trouble, not a record.
        return trouble
    if judged.final and judged.cause is Cause.MALFORMED:
        return trouble.beside(judged)
    return replace(judged, evidence=judged.evidence or trouble.evidence)


def ended_by(trouble: Trouble, records: Records) -> Verdict | Trouble:
    """Return how an attempt ended that this trouble has met.

    What was recorded before counts; of a task that somebody has stopped, a fail alone does.

    Raises:
        JournalError: The records cannot be read.
    """
    if trouble.cause is Cause.TASK_STOPPED:
        return fail_or(trouble, records)
    return recorded_or(trouble, records)


def fail_or(trouble: Trouble, records: Records) -> Verdict | Trouble:
    """Return a recorded or printed fail, or a trouble that may hide one; else the trouble."""
    ended = recorded_or(trouble, records)
    final = isinstance(ended, Trouble) and ended.final
    return ended if final or _fails(ended) else trouble


def demanded(
    ended: Verdict | Trouble, spec: TaskSpec, records: Records, tool_calls: int | None = None
) -> Verdict | Trouble:
    """Return an error in place of a pass without what its task requires.

    That is evidence, a file of findings, and what the pass is based on.

    Args:
        ended: How it ended.
        spec: The task.
        records: The attempt's.
        tool_calls: The number of tool calls other than recording; None if unknown.

    Raises:
        JournalError: The records cannot be read.
    """
    if not isinstance(ended, Verdict) or ended.verdict not in (VerdictKind.PASS, VerdictKind.SKIP):
        return ended
    if spec.findings is not None and not any(one.call == FINDINGS for one in records.story()[0]):
        message = f"the agent recorded a {ended.verdict}, but {spec.findings} was not read"
        return Trouble(cause=Cause.MALFORMED, message=message)
    if lacks_checked(ended, spec):
        message = f"the agent recorded a pass without saying what it checked: {ended.summary}"
        return Trouble(cause=Cause.MALFORMED, message=message)
    if not spec.require_evidence:
        return ended
    if tool_calls is not None and tool_calls > 0:
        return ended
    evidence = "without a tool call" if tool_calls == 0 else "without a count of its tool calls"
    return Trouble(
        cause=Cause.NO_EVIDENCE,
        message=f"the agent recorded a {ended.verdict} {evidence}: {ended.summary}",
    )


def lacks_checked(verdict: Verdict, spec: TaskSpec) -> bool:
    """Tell whether it is a pass that does not say what it checked, where its task requires that."""
    passes = verdict.verdict is VerdictKind.PASS
    return spec.require_checked and passes and not verdict.checked


class Closed(NamedTuple):
    """How an attempt ended.

    Args:
        report: The report that counts.
        sha256: The hash of its file; None where it could not be written.
    """

    report: AttemptReport
    sha256: str | None


def closed_by_worker(writer: AttemptWriter, report: AttemptReport) -> Closed:
    """File a worker's report, after a check against the attempt's records."""
    records, _ = writer.story()
    refused = None if report.verdict is None else _refusal(report.verdict, records)
    if refused is not None:
        report = replace(report, verdict=None, trouble=refused)
    elif report.trouble is not None and _say_fail(records):
        # The worker did not know of that fail yet; a retry could turn it into a pass.
        outcome = fail_or(report.trouble, writer)
        verdict = outcome if isinstance(outcome, Verdict) else None
        trouble = outcome if isinstance(outcome, Trouble) else None
        report = replace(report, verdict=verdict, trouble=trouble)
    return _file(writer, report)


def _refusal(verdict: Verdict, records: list[Record]) -> Trouble | None:
    """Return why a worker's verdict does not count; None if it does."""
    if verdict.verdict not in (VerdictKind.PASS, VerdictKind.SKIP):
        return None
    if _say_fail(records):
        message = f"its worker reported {verdict.verdict}, but its agent recorded a fail"
        return Trouble(cause=Cause.CONTRADICTED, message=message).after_fail()
    if not _has_kind(records, verdict):
        message = f"its worker reported {verdict.verdict}, but none was recorded"
        return Trouble(cause=Cause.NO_VERDICT, message=message)
    return None


def closed_without_worker(
    writer: AttemptWriter, attempt: Attempt, spec: TaskSpec, seconds: float, otherwise: Trouble
) -> Closed:
    """File an attempt without a worker's report: its recorded verdict, or the trouble.

    Args:
        writer: The attempt's writer.
        attempt: Which attempt it is.
        spec: Its task.
        seconds: How long it took.
        otherwise: How it ended if nothing was recorded.
    """
    trouble = otherwise
    if not otherwise.evidence:
        trouble = replace(otherwise, evidence=writer.tail())
    ended = demanded(ended_by(trouble, writer), spec, writer)
    report = AttemptReport(
        attempt=attempt,
        seconds=seconds,
        verdict=ended if isinstance(ended, Verdict) else None,
        trouble=ended if isinstance(ended, Trouble) else None,
    )
    return _file(writer, report)


def _file(writer: AttemptWriter, report: AttemptReport) -> Closed:
    """File a report; a recorded verdict counts even if its report cannot be filed."""
    try:
        filed = writer.file(report)
    except JournalError as error:
        if report.verdict is not None and (
            _fails(report.verdict) or _has_kind(writer.story()[0], report.verdict)
        ):
            return Closed(report, None)
        if report.trouble is None:
            trouble = Trouble(cause=Cause.MACHINERY, message=str(error))
        elif report.trouble.retryable and report.trouble.cause is not Cause.MACHINERY:
            message = _with_error(report.trouble.message, error)
            trouble = replace(report.trouble, cause=Cause.MACHINERY, message=message)
        else:
            trouble = report.trouble
        return Closed(replace(report, verdict=None, trouble=trouble), None)
    return Closed(report_from_json(filed.value), filed.sha256)


def _has_kind(records: list[Record], verdict: Verdict) -> bool:
    """Tell whether a verdict of this kind was recorded."""
    return any(record.verdict and record.verdict.verdict is verdict.verdict for record in records)


def _say_fail(records: list[Record]) -> bool:
    return any(record.says_fail for record in records)


def _fails(ended: Verdict | Trouble) -> bool:
    return isinstance(ended, Verdict) and ended.verdict is VerdictKind.FAIL


def _with_error(message: str, error: JournalError) -> str:
    """Return the message with the journal's error added, if it is not in it."""
    return message if str(error) in message else f"{message}; {error}"
