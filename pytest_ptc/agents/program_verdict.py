"""From a program's run to its verdict: what it recorded, printed, and ended with."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_ptc.agents.findings_file import FindingsFile
from pytest_ptc.journal.closing import fail_or
from pytest_ptc.model.errors import AgentError, JournalError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.system.threads import in_thread
from pytest_ptc.verdicts.endings import Ended, describe_status, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from pytest_ptc.agents.output import LineReader
    from pytest_ptc.agents.printed import Printed
    from pytest_ptc.agents.program import ProgramEnd, Programs
    from pytest_ptc.interfaces.agent import Job
    from pytest_ptc.verdicts.recording import Record


def no_verdict(_: int, __: str) -> None:
    """Take an exit status for no verdict."""


async def program_verdict(
    programs: Programs,
    job: Job,
    argv: Sequence[str],
    text: str,
    printed: Printed,
    *,
    reader: LineReader | None = None,
    show: Callable[[str], None] | None = None,
    status_verdict: Callable[[int, str], Verdict | None] = no_verdict,
) -> Verdict | Trouble:
    """Run a program on a job and return what it recorded, or why that does not count.

    Args:
        programs: What starts it.
        job: The job.
        argv: The program and its arguments.
        text: What it gets on standard input.
        printed: Finds records in its output; they count when they are on disk.
        reader: Takes its lines, and passes on to `printed` those that may be records; None if all
            of its output may.
        show: Shows a line of its output to whoever watches; None for the job's own.
        status_verdict: Returns the verdict for an exit status and the last lines; None for none.
    """
    # Before the program starts: a file of findings that is there is not its own.
    spec = job.spec
    file = None if spec.findings is None else await in_thread(FindingsFile, spec)

    def put_status(status: int) -> Future[bool]:
        """Send how the program ended, and the verdict of its exit status."""
        verdict = status_verdict(status, printed.reason())
        return job.journal.ended(Ended(status, printed.last), verdict)

    def exited(status: int) -> None:
        if status != 0:
            # At once: from here on no pass that it recorded counts.
            put_status(status)

    try:
        end = await programs.run(job, argv, text, reader or printed, show=show, exited=exited)
        # After all output was read: a fail in it must come first.
        await asyncio.wrap_future(put_status(end.status))
        if file is not None:
            ended = Ended(end.status, printed.last)
            record = await in_thread(_findings_record, file, job, ended)
            if record is not None:
                await asyncio.wrap_future(job.journal.record(record))
    except AgentError as error:
        await job.journal.settled()
        return await in_thread(fail_or, error.trouble, job.journal)
    except JournalError as error:
        return await in_thread(_unwritten, error, job)
    job.about(status=describe_status(end.status), settings={"command": list(argv)})
    judged = await in_thread(_judge_end, job, end)
    if isinstance(judged, Trouble) and judged.cause in (Cause.NO_VERDICT, Cause.MALFORMED):
        judged = replace(judged, message=judged.message + printed.hint())
    failed = isinstance(judged, Verdict) and judged.verdict is VerdictKind.FAIL
    if failed and status_verdict(end.status, "") is not None:
        job.about(last_lines=end.tail)
    return judged


def _findings_record(file: FindingsFile, job: Job, ended: Ended) -> Record | None:
    records, _ = job.journal.story()
    return file.record(records, ended)


def _judge_end(job: Job, end: ProgramEnd) -> Verdict | Trouble:
    records, ended = job.journal.story()
    judged = judge(records, ended or Ended(end.status))
    problem = job.journal.problem
    if problem is not None and (judged is None or isinstance(judged, Trouble)):
        return _unwritten(problem, job)
    assert judged is not None
    return replace(judged, evidence=end.tail) if isinstance(judged, Trouble) else judged


def _unwritten(error: JournalError, job: Job) -> Verdict | Trouble:
    """Return the outcome when records cannot be written: a fail still counts."""
    return fail_or(Trouble(cause=Cause.MACHINERY, message=str(error)), job.journal)
