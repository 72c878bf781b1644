"""The command `ptc`: how an agent that is any program records its verdict, and runs in sight."""

from __future__ import annotations

import argparse
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.journal.attempt_journal import AttemptJournal
from pytest_ptc.model.errors import ConfigError, JournalError, PtcError, VerdictError
from pytest_ptc.model.variables import ATTEMPT_DEADLINE, ATTEMPT_FOLDER, ATTEMPT_TOKEN
from pytest_ptc.model.verdict import Severity, Verdict, VerdictKind
from pytest_ptc.text.printable import printable, printable_lines
from pytest_ptc.text.redaction import Redactor
from pytest_ptc.verdicts.fail_signs import says_fail
from pytest_ptc.verdicts.recording import Record
from pytest_ptc.verdicts.verdict_json import parse_verdict, read_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_ptc.runs.recorded import RecordedRun, RefusedRun


#: The reports that are files, and what is in them.
REPORTS = {
    "json": "the whole run, as JSON",
    "sarif": "the findings, as SARIF for code scanning",
    "gitlab": "the findings, as GitLab's Code Quality report",
    "html": "the whole run, as a page for a person",
    "summary": "the run in Markdown, as GitHub shows it below a job",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; exit status 2 and one line of reason where something is refused."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = _parser().parse_args(words)
    except SystemExit as ended:
        if ended.code and words[:1] == ["record"] and says_fail(_kind(words), given=True):
            # What is wrong with it is told already; that it says fail must not be lost.
            try:
                _refused(_journal(os.environ), "`ptc record` was called wrongly", _kind(words))
            except (PtcError, OSError):
                _say_unrecorded()
        raise
    try:
        if arguments.command == "record":
            lines = [_record(arguments, os.environ)]
        else:
            # Not for `record`, which agents wait for: this takes five times as long to import.
            lines = _on_runs(arguments)
    except (PtcError, OSError) as error:
        told = printable_lines(f"ptc {arguments.command}: refused: {error}")
        print(told, file=sys.stderr)
        record = arguments.command == "record" and not isinstance(error, _PutDownError)
        if record and says_fail(arguments.verdict, given=True):
            _say_unrecorded()
        return 2
    for line in lines:
        # A report is as its readers want it; names of runs may be anybody's.
        print(line if arguments.command == "report" else printable(line))
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
    for name, text in (
        ("list", "list the runs of this project, oldest first, and how they stand"),
        ("attach", "watch a run that is on"),
        ("audit", "compare a run's journal with the hashes taken of it when its attempts ended"),
        ("report", "make a run's reports again, also those of a run that was killed or is on"),
        ("stop", "end a run that is on, in order, as Ctrl-C does"),
        ("clean", "remove what killed runs have left: processes, sockets, tasks"),
    ):
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name != "list":
            last = {"audit": "the last one", "report": "the last one"}
            default = {"clean": "all of them", **last}.get(name, "the only one")
            command.add_argument(
                "run", nargs="?", help=f"the run's id, or the end of it (default: {default})"
            )
        if name == "clean":
            command.add_argument(
                "--keep",
                type=int,
                metavar="N",
                help="remove journals too, but for those of the last N runs that have ended",
            )
        if name == "report":
            _add_reports(command)
    return parser


def _add_reports(command: argparse.ArgumentParser) -> None:
    for name, text in REPORTS.items():
        command.add_argument(f"--{name}", metavar="PATH", help=f"{text}; - for standard output")
    command.add_argument(
        "--github", action="store_true", help="print commands that annotate files on GitHub"
    )


def _on_runs(arguments: argparse.Namespace) -> list[str]:
    from pytest_ptc.runs.cleaning import PATIENCE, stop_run, watch  # noqa: PLC0415 - see above
    from pytest_ptc.runs.recorded import RefusedRun, RunState  # noqa: PLC0415

    found = _runs_here()
    match arguments.command:
        case "list":
            return [_listed(run) for run in found] or ["no runs here"]
        case "clean":
            return _cleaned(arguments, found) or ["nothing to clean"]
        case "audit" | "report":
            run = _the_one(found if arguments.run else found[-1:], arguments.run, "run")
            return _audited(run) if arguments.command == "audit" else _reported(arguments, run)
    refused = [run for run in found if isinstance(run, RefusedRun)] if arguments.run else []
    live = [run for run in _verified(found) if run.state is RunState.RUNNING]
    run = _the_one([*refused, *live], arguments.run, "run that is on")
    if arguments.command == "attach":
        watch(run)
    over = stop_run(run)
    return [f"{run.run_id}: {'ended' if over else f'still on after {PATIENCE:g} s'}"]


def _runs_here() -> list[RecordedRun | RefusedRun]:
    """Return the runs of the project that the current directory is in, oldest first."""
    from pytest_ptc.journal.keys import existing_key  # noqa: PLC0415 - as above
    from pytest_ptc.runs.places import project_of, root_of, runs_of  # noqa: PLC0415
    from pytest_ptc.runs.recorded import open_runs  # noqa: PLC0415

    project = project_of(Path.cwd(), os.environ)
    key = existing_key(os.environ, [project.top] if project.top is not None else [])
    folders = runs_of(project, os.environ, key)
    found = [run for folder in folders for run in open_runs(folder, root_of(project, folder), key)]
    return sorted(found, key=lambda run: run.run_id)


def _verified(found: Sequence[RecordedRun | RefusedRun]) -> list[RecordedRun]:
    from pytest_ptc.runs.recorded import RecordedRun  # noqa: PLC0415 - as above

    return [run for run in found if isinstance(run, RecordedRun)]


def _cleaned(arguments: argparse.Namespace, found: Sequence[RecordedRun | RefusedRun]) -> list[str]:
    from pytest_ptc.runs.cleaning import clean_run, forget_runs  # noqa: PLC0415 - as above
    from pytest_ptc.runs.recorded import RefusedRun, RunState  # noqa: PLC0415

    refused = [run for run in found if isinstance(run, RefusedRun)]
    killed = [run for run in _verified(found) if run.state is RunState.KILLED]
    if arguments.run:
        killed = [_the_one([*refused, *killed], arguments.run, "killed run")]
        refused = []
    lines = [f"{run.run_id}: {clean_run(run)}" for run in killed]
    if arguments.keep is not None:
        ours = _verified(_runs_here())
        forgotten = forget_runs(ours, max(0, arguments.keep))
        lines += [f"{run_id}: removed its journal" for run_id in forgotten]
    return lines + [_listed(run) for run in refused]


def _audited(run: RecordedRun) -> list[str]:
    """Return what an audit found.

    Raises:
        JournalError: Something is not as it was.
    """
    from pytest_ptc.runs.audit import audit_run  # noqa: PLC0415 - as above

    attempts, problems = audit_run(run)
    if problems:
        raise JournalError(f"run {run.run_id}:\n" + "\n".join(problems))
    return [f"{run.run_id}: {attempts} attempt{'s' * (attempts != 1)}, all as they were"]


def _reported(arguments: argparse.Namespace, run: RecordedRun) -> list[str]:
    """Write the reports that are asked for, and return those that are to be printed.

    Raises:
        ConfigError: None is asked for, or several would be printed.
    """
    from pytest_ptc.reporting.document import document  # noqa: PLC0415 - as above
    from pytest_ptc.reporting.formats.github import annotation_lines  # noqa: PLC0415

    asked = {name: vars(arguments)[name] for name in REPORTS if vars(arguments)[name]}
    printed = list(asked.values()).count("-") + arguments.github
    if not asked and not arguments.github:
        raise ConfigError("say which: see `ptc report --help`")
    if printed > 1:
        raise ConfigError("only one report can go to standard output")
    made = document(run.events)
    lines = annotation_lines(made) if arguments.github else []
    for name, path in asked.items():
        lines += _made(name, path, made, run.folder)
    return lines


def _made(name: str, path: str, made: Mapping[str, Any], journal: Path) -> list[str]:
    """Write a report, or return it if it is to be printed."""
    from pytest_ptc.reporting.formats.github import step_summary  # noqa: PLC0415
    from pytest_ptc.reporting.writing import write_report  # noqa: PLC0415
    from pytest_ptc.session import report_hooks  # noqa: PLC0415 - as above

    base = report_hooks.project_top(Path.cwd())
    if name == "summary" and path == os.environ.get(report_hooks.STEP_SUMMARY):
        report_hooks.add_summary(Path(path), made, base=base)
        return []
    target = report_hooks.Target(journal, None if path == "-" else Path(path))
    text = step_summary(made) if name == "summary" else report_hooks.FORMATS[name](made, target)
    if path == "-":
        return [text.removesuffix("\n")]
    write_report(Path(path), text, base=base)
    return []


def _listed(run: RecordedRun | RefusedRun) -> str:
    from pytest_ptc.runs.recorded import RefusedRun  # noqa: PLC0415 - as above

    if isinstance(run, RefusedRun):
        return printable(f"{run.run_id}  refused: {run.reason}")
    watch = f", watch with: {run.attach}" if run.attach and run.state.value == "running" else ""
    return printable(f"{run.run_id}  {run.state.value:<7}  {run.standing}{watch}")


def _the_one(
    found: Sequence[RecordedRun | RefusedRun], wanted: str | None, what: str
) -> RecordedRun:
    """Return the only run meant.

    Raises:
        ConfigError: There is none, or there are several.
        RunRefusedError: Its journal is not believed.
    """
    from pytest_ptc.runs.recorded import RefusedRun  # noqa: PLC0415 - as above

    matching = [run for run in found if wanted is None or run.run_id.endswith(wanted)]
    if len(matching) != 1:
        ids = ", ".join(run.run_id for run in matching) or "none"
        raise ConfigError(f"there is not one {what}, but {ids}; see `ptc list`")
    if isinstance(matching[0], RefusedRun):
        raise matching[0].error()
    return matching[0]


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


def _record(arguments: argparse.Namespace, environ: Mapping[str, str]) -> str:
    journal = _journal(environ)
    attempt, spec = journal.task()
    given = _given(arguments)
    try:
        verdict = _verdict(given, spec.schema)
    except VerdictError as error:
        _refused(journal, str(error), given)
        raise _PutDownError(str(error)) from error
    call = f"record-{os.urandom(8).hex()}"
    journal.record(Record(call=call, verdict=verdict, answer=call))
    if journal.over:
        raise _PutDownError("the time of this task is over; only a fail counts by now")
    return f"recorded {verdict.verdict} for task {attempt.task_id}"


class _PutDownError(VerdictError):
    """What was refused is on disk, as far as it says fail."""


def _say_unrecorded() -> None:
    """Tell, in words that a worker finds in its program's output, that a fail was refused."""
    print('ptc record: not recorded: {"verdict": "fail"}', file=sys.stderr)


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


def _refused(journal: AttemptJournal, why: str, given: object) -> None:
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


def _verdict(given: bytes | str | dict[str, Any], schema: Mapping[str, Any] | None) -> Verdict:
    if isinstance(given, dict):
        return read_verdict(given, schema)
    return parse_verdict(given, schema)


def _finding(given: str) -> dict[str, str]:
    severity, _, message = given.partition(":")
    return {"severity": severity.strip(), "message": message.strip()}
