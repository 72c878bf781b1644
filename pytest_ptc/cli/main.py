"""The command `ptc`: its words, and which module does what they ask for.

An agent waits for `ptc record`, so what the other commands need is not imported before they run.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import ConfigError, PtcError
from pytest_ptc.model.reports import REPORTS, ReportKind, with_added
from pytest_ptc.model.verdict import Severity, VerdictKind
from pytest_ptc.text.printable import printable_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The commands that are about runs: what each does, and which run it takes by default, where one
#: may be named.
_ON_RUNS = (
    ("list", "list the runs of this project, oldest first, and how they stand", None),
    ("attach", "watch a run that is on", "the only one"),
    (
        "audit",
        "compare a run's journal with the hashes taken of it when its attempts ended",
        "the last one",
    ),
    (
        "report",
        "make a run's reports again, also those of a run that was killed or is on",
        "the last one",
    ),
    ("stop", "end a run that is on, in order, as Ctrl-C does", "the only one"),
    ("clean", "remove what killed runs have left: processes, sockets, tasks", "all of them"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; exit status 2 and one line of reason where something is refused."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        kinds = _report_kinds(words)
    except ConfigError as error:
        print(printable_lines(f"ptc report: refused: {error}"), file=sys.stderr)
        return 2
    try:
        arguments = _parser(kinds).parse_args(words)
    except SystemExit as ended:
        if ended.code and words[:1] == ["record"]:
            _keep_fail_of_wrong_call(words)
        raise
    try:
        lines: list[str] = arguments.run_command(arguments)
    except (PtcError, OSError) as error:
        refusal = printable_lines(f"ptc {arguments.command}: refused: {error}")
        print(refusal, file=sys.stderr)
        return 2
    for line in lines:
        print(line)
    return 0


def _parser(kinds: Sequence[ReportKind]) -> argparse.ArgumentParser:
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
    _add_verdict(record)
    record.set_defaults(run_command=_record)
    for name, text, default_run in _ON_RUNS:
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        command.set_defaults(run_command=_report if name == "report" else _on_runs)
        if default_run is not None:
            command.add_argument(
                "run", nargs="?", help=f"the run's id, or the end of it (default: {default_run})"
            )
        if name == "clean":
            command.add_argument(
                "--keep",
                type=int,
                metavar="N",
                help="remove journals too, but for those of the last N runs that have ended",
            )
        if name == "report":
            _add_reports(command, kinds)
    return parser


def _add_verdict(command: argparse.ArgumentParser) -> None:
    kinds = ", ".join(kind.value for kind in VerdictKind)
    command.add_argument(
        "verdict",
        help=f"one of {kinds}, with --summary; or the whole verdict as a JSON object; or - to "
        "read that from standard input",
    )
    command.add_argument("--summary", help="one or two sentences")
    command.add_argument(
        "--finding",
        action="append",
        default=[],
        metavar="SEVERITY:MESSAGE",
        help=f"a finding, severity one of {', '.join(Severity)}; may be given again",
    )


def _add_reports(command: argparse.ArgumentParser, kinds: Sequence[ReportKind]) -> None:
    for kind in kinds:
        help_text = f"{kind.help.rstrip(',')}; - for standard output"
        command.add_argument(f"--{kind.name}", metavar="PATH", help=help_text)
    command.add_argument(
        "--summary",
        metavar="PATH",
        help="the run in Markdown, as GitHub shows it below a job; - for standard output",
    )
    command.add_argument(
        "--github", action="store_true", help="print commands that annotate files on GitHub"
    )
    command.add_argument(
        "-p",
        action="append",
        metavar="MODULE",
        help="a plugin that adds reports, named as for pytest; may be given again",
    )
    command.set_defaults(kinds=kinds)


def _report_kinds(words: Sequence[str]) -> tuple[ReportKind, ...]:
    """Return the reports that there are, those of the plugins that a command line names included.

    Raises:
        ConfigError: A plugin cannot be used, or its report.
    """
    kinds: tuple[ReportKind, ...] = REPORTS
    if words[:1] != ["report"]:
        return kinds
    for before, word in zip(words, [*words[1:], ""], strict=True):
        module = word if before == "-p" else before[2:] if before.startswith("-p") else ""
        for kind in _added_by(module) if module else ():
            kinds = with_added(kinds, kind)
    return kinds


def _added_by(module: str) -> Sequence[ReportKind]:
    # Behind what is installed, as modules of a suite are for pytest.
    if os.getcwd() not in sys.path:  # noqa: PTH109
        sys.path.append(os.getcwd())  # noqa: PTH109
    try:
        return import_module(module).pytest_ptc_reports() or ()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"-p {module}: cannot be used: {error}") from error


def _record(arguments: argparse.Namespace) -> list[str]:
    from pytest_ptc.cli.record import record  # noqa: PLC0415 - each command imports its own

    return record(arguments, os.environ)


def _keep_fail_of_wrong_call(words: Sequence[str]) -> None:
    from pytest_ptc.cli.record import keep_fail_of_wrong_call  # noqa: PLC0415 - as above

    keep_fail_of_wrong_call(words, os.environ)


def _on_runs(arguments: argparse.Namespace) -> list[str]:
    from pytest_ptc.cli.runs import COMMANDS  # noqa: PLC0415 - as above

    return COMMANDS[arguments.command](arguments)


def _report(arguments: argparse.Namespace) -> list[str]:
    from pytest_ptc.cli.report import report  # noqa: PLC0415 - as above

    return report(arguments)
