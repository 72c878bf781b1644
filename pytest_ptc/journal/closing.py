"""What an attempt came to, by what is known of it, and whether that is enough."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.errors import JournalError
from pytest_ptc.model.result import Attempt, AttemptReport
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.verdicts.endings import judge
from pytest_ptc.verdicts.recording import Record
from pytest_ptc.verdicts.report_json import report_from_json

if TYPE_CHECKING:
    from pytest_ptc.interfaces.ledger import Records
    from pytest_ptc.journal.attempt_writer import AttemptWriter
    from pytest_ptc.model.task import TaskSpec


def recorded_or(trouble: Trouble, records: Records) -> Verdict | Trouble:
    """Return what an agent recorded before this trouble met it; if nothing, the trouble.

    Raises:
        JournalError: The records cannot be read.
    """
    found, ended = records.story()
    judged = judge(found, ended)
    line = None if any(record.says_fail for record in found) else records.failing_line()
    if line is not None:
        # Whoever had read it had no time to hand it over.
        refused = f"in its output, and not among its records: {line}"
        judged = judge([*found, Record(call="output", refused=refused, fail=True)], ended)
    if judged is None or isinstance(judged, Verdict):
        return judged or trouble
    if judged.cause in (Cause.NO_VERDICT, Cause.AGENT_FAILED):
        # Seen while it was judged, and nothing that was recorded.
        return trouble
    if judged.final and judged.cause is Cause.MALFORMED:
        return trouble.beside(judged)
    return replace(judged, evidence=judged.evidence or trouble.evidence)


def fail_or(trouble: Trouble, records: Records) -> Verdict | Trouble:
    """Return the fail that an agent recorded or said, or may have; else the trouble."""
    ended = recorded_or(trouble, records)
    said = isinstance(ended, Trouble) and ended.final
    return ended if said or _fails(ended) else trouble


def demanded(
    ended: Verdict | Trouble, spec: TaskSpec, tool_calls: int | None = None
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
    if tool_calls is not None and tool_calls > 0:
        return ended
    looked = "without a single tool call" if tool_calls == 0 else "and nobody can say how it looked"
    return Trouble(
        cause=Cause.NO_EVIDENCE,
        message=f"the agent recorded a {ended.verdict} {looked}: {ended.summary}",
    )


class Closed(NamedTuple):
    """How an attempt ended.

    Args:
        report: The report that counts.
        sha256: The hash of its file; None where it could not be written.
    """

    report: AttemptReport
    sha256: str | None


def closed_by_worker(writer: AttemptWriter, report: AttemptReport) -> Closed:
    """File what a worker reports of its attempt, held to what was put down of it."""
    records, _ = writer.story()
    refused = None if report.verdict is None else _refusal(report.verdict, records)
    if refused is not None:
        report = replace(report, verdict=None, trouble=refused)
    elif report.trouble is not None and _say_fail(records):
        # Its worker did not know of it yet; tried again, it could become a pass.
        stands = fail_or(report.trouble, writer)
        verdict = stands if isinstance(stands, Verdict) else None
        left = stands if isinstance(stands, Trouble) else None
        report = replace(report, verdict=verdict, trouble=left)
    return _filed(writer, report)


def _refusal(verdict: Verdict, records: list[Record]) -> Trouble | None:
    """Return why a verdict that a worker reports is not believed; None if it is."""
    if verdict.verdict not in (VerdictKind.PASS, VerdictKind.SKIP):
        return None
    if _say_fail(records):
        message = f"its worker reports {verdict.verdict}, and its agent recorded a fail"
        return Trouble(cause=Cause.CONTRADICTED, message=message).after_fail()
    if not _has(records, verdict):
        message = f"its worker reports {verdict.verdict}, and none was recorded"
        return Trouble(cause=Cause.NO_VERDICT, message=message)
    return None


def closed_without_worker(
    writer: AttemptWriter, attempt: Attempt, spec: TaskSpec, seconds: float, otherwise: Trouble
) -> Closed:
    """File what an attempt came to whose worker did not report: what was recorded, or the trouble.

    Args:
        writer: The attempt's writer.
        attempt: Which attempt it is.
        spec: Its task.
        seconds: How long it took.
        otherwise: How it ended if nothing was recorded.
    """
    seen = otherwise
    if not otherwise.evidence:
        seen = replace(otherwise, evidence=writer.tail())
    ended = demanded(recorded_or(seen, writer), spec)
    report = AttemptReport(
        attempt=attempt,
        seconds=seconds,
        verdict=ended if isinstance(ended, Verdict) else None,
        trouble=ended if isinstance(ended, Trouble) else None,
    )
    return _filed(writer, report)


def _filed(writer: AttemptWriter, report: AttemptReport) -> Closed:
    """File a report; what was recorded counts though its report cannot be filed."""
    try:
        filed = writer.file(report)
    except JournalError as error:
        if report.verdict is not None and (
            _fails(report.verdict) or _has(writer.story()[0], report.verdict)
        ):
            return Closed(report, None)
        if report.trouble is None:
            trouble = Trouble(cause=Cause.MACHINERY, message=str(error))
        elif report.trouble.retryable and report.trouble.cause is not Cause.MACHINERY:
            message = _and(report.trouble.message, error)
            trouble = replace(report.trouble, cause=Cause.MACHINERY, message=message)
        else:
            trouble = report.trouble
        return Closed(replace(report, verdict=None, trouble=trouble), None)
    return Closed(report_from_json(filed.value), filed.sha256)


def _has(records: list[Record], verdict: Verdict) -> bool:
    """Tell whether a verdict of this kind was put down."""
    return any(record.verdict and record.verdict.verdict is verdict.verdict for record in records)


def _say_fail(records: list[Record]) -> bool:
    return any(record.says_fail for record in records)


def _fails(ended: Verdict | Trouble) -> bool:
    return isinstance(ended, Verdict) and ended.verdict is VerdictKind.FAIL


def _and(message: str, error: JournalError) -> str:
    """Return the message with what is wrong with the journal too, once."""
    return message if str(error) in message else f"{message}; {error}"
