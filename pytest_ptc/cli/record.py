"""`ptc record`: how an agent that is any program records its verdict."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.journal.attempt_journal import AttemptJournal
from pytest_ptc.model.errors import PtcError, VerdictError
from pytest_ptc.model.variables import ATTEMPT_DEADLINE, ATTEMPT_FOLDER, ATTEMPT_TOKEN
from pytest_ptc.text.printable import printable
from pytest_ptc.text.redaction import Redactor
from pytest_ptc.verdicts.fail_signs import says_fail
from pytest_ptc.verdicts.recording import Record
from pytest_ptc.verdicts.verdict_json import parse_verdict, read_verdict

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from pytest_ptc.model.verdict import Verdict

#: What a worker finds in its program's output where a fail could not be recorded.
_UNRECORDED_FAIL = 'ptc record: not recorded: {"verdict": "fail"}'


class _KeptRefusalError(VerdictError):
    """What was refused is on disk, as far as it says fail."""


def record(arguments: argparse.Namespace, environ: Mapping[str, str]) -> list[str]:
    """Record the verdict that is given; return what to print.

    Raises:
        PtcError: It was refused. A fail that could not even be put down as refused is named in the
            message.
        OSError: As above, of a verdict that does not say fail.
    """
    try:
        return [printable(_recorded(arguments, environ))]
    except _KeptRefusalError:
        raise
    except (PtcError, OSError) as error:
        if not says_fail(arguments.verdict, given=True):
            raise
        raise VerdictError(f"{error}\n{_UNRECORDED_FAIL}") from error


def keep_fail_of_wrong_call(words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Put down a fail whose call argparse has refused: what is wrong with it is told already.

    Args:
        words: The words of the call, `record` first.
        environ: The environment, which names the attempt.
    """
    kind = _kind(words)
    if not says_fail(kind, given=True):
        return
    try:
        _keep_refusal(_journal(environ), "`ptc record` was called wrongly", kind)
    except (PtcError, OSError):
        print(_UNRECORDED_FAIL, file=sys.stderr)


def _recorded(arguments: argparse.Namespace, environ: Mapping[str, str]) -> str:
    journal = _journal(environ)
    attempt, spec = journal.task()
    given = _given(arguments)
    try:
        verdict = _verdict(given, spec.schema)
    except VerdictError as error:
        _keep_refusal(journal, str(error), given)
        raise _KeptRefusalError(str(error)) from error
    call = f"record-{os.urandom(8).hex()}"
    journal.record(Record(call=call, verdict=verdict, answer=call))
    if journal.over:
        raise _KeptRefusalError("the time of this task is over; only a fail counts by now")
    return f"recorded {verdict.verdict} for task {attempt.task_id}"


def _journal(environ: Mapping[str, str]) -> AttemptJournal:
    """Return the journal of the attempt that this is run in.

    Raises:
        VerdictError: There is none, or it takes nothing from us.
    """
    folder = environ.get(ATTEMPT_FOLDER)
    if not folder:
        raise VerdictError(f"not inside a task: {ATTEMPT_FOLDER} is not set")
    journal = AttemptJournal(
        Path(folder),
        environ.get(ATTEMPT_TOKEN, ""),
        Redactor(environ),
        deadline=float(environ.get(ATTEMPT_DEADLINE, "inf")),
    )
    attempt, _ = journal.task()
    if not journal.is_ours():
        raise VerdictError(f"task {attempt.task_id} is another worker's: record for your own")
    if journal.report() is not None:
        raise VerdictError(f"attempt {attempt.number} at task {attempt.task_id} is over")
    # The variable may be gone, and is not the agent's to set.
    journal.learn_deadline()
    return journal


def _kind(words: Sequence[str]) -> str:
    """Return what stands for the verdict's kind among the words of a call that was wrong."""
    known = ("--summary", "--finding")
    for before, word in pairwise(words):
        if before in known or word.startswith(known):
            continue
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            return word
        if equals and name.startswith("--"):
            return value
    return ""


def _keep_refusal(journal: AttemptJournal, why: str, given: object) -> None:
    """Put down that a fail was refused: whoever said it is not asked until it says otherwise."""
    if says_fail(given, given=True):
        call = f"record-{os.urandom(8).hex()}"
        journal.record(Record(call=call, refused=why, answer=call, fail=True))


def _given(arguments: argparse.Namespace) -> bytes | str | dict[str, Any]:
    """Return the verdict that is given: a text of JSON, or an object."""
    text: str = arguments.verdict
    if text == "-":
        return sys.stdin.buffer.read()
    if text.lstrip().startswith("{"):
        return text
    return {
        "verdict": text,
        "summary": arguments.summary,
        "findings": [_finding(given) for given in arguments.finding],
    }


def _finding(given: str) -> dict[str, str]:
    severity, _, message = given.partition(":")
    return {"severity": severity.strip(), "message": message.strip()}


def _verdict(given: bytes | str | dict[str, Any], schema: Mapping[str, Any] | None) -> Verdict:
    if isinstance(given, dict):
        return read_verdict(given, schema)
    return parse_verdict(given, schema)
