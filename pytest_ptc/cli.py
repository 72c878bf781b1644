"""The command `ptc`: how an agent that is any program records its verdict."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.environment import ATTEMPT_FOLDER
from pytest_ptc.errors import PtcError, VerdictError
from pytest_ptc.journal import append_record, open_task
from pytest_ptc.model import Severity, Verdict, VerdictKind
from pytest_ptc.verdicts import parse_verdict, read_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; exit status 2 and one line of reason where something is refused."""
    arguments = _parser().parse_args(argv)
    try:
        message = _record(arguments, os.environ)
    except (PtcError, OSError) as error:
        print(f"ptc record: refused: {error}", file=sys.stderr)
        return 2
    print(message)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ptc", description="parallel task coordination for pytest"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    record = commands.add_parser(
        "record",
        help="record the verdict of the task this is run in",
        description="Record the verdict of the task this is run in. Recording again is allowed; "
        "a fail stands against any pass.",
    )
    kinds = ", ".join(kind.value for kind in VerdictKind)
    record.add_argument(
        "verdict",
        help=f"one of {kinds}, with --summary; or the whole verdict as a JSON object; or - to "
        "read that from standard input",
    )
    record.add_argument("--summary", help="one or two sentences")
    record.add_argument(
        "--finding",
        action="append",
        default=[],
        metavar="SEVERITY:MESSAGE",
        help=f"a finding, severity one of {', '.join(Severity)}; may be given again",
    )
    return parser


def _record(arguments: argparse.Namespace, environ: Mapping[str, str]) -> str:
    folder = environ.get(ATTEMPT_FOLDER)
    if not folder:
        raise VerdictError(f"not inside a task: {ATTEMPT_FOLDER} is not set")
    attempt, spec, _ = open_task(Path(folder))
    verdict = _verdict(arguments, spec.schema)
    append_record(Path(folder), verdict)
    return f"recorded {verdict.verdict} for task {attempt.task_id}"


def _verdict(arguments: argparse.Namespace, schema: Mapping[str, Any] | None) -> Verdict:
    text: str = arguments.verdict
    if text == "-":
        return parse_verdict(sys.stdin.buffer.read(), schema)
    if text.lstrip().startswith("{"):
        return parse_verdict(text, schema)
    value = {
        "verdict": text,
        "summary": arguments.summary,
        "findings": [_finding(given) for given in arguments.finding],
    }
    return read_verdict(value, schema)


def _finding(given: str) -> dict[str, str]:
    severity, _, message = given.partition(":")
    return {"severity": severity.strip(), "message": message.strip()}


if __name__ == "__main__":
    sys.exit(main())
