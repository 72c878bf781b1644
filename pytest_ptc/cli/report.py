"""`ptc report`: a run's reports, made again from its journal."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.cli.named_runs import add_run, named_run
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.reports import REPORTS, ReportKind, ReportTarget, with_added
from pytest_ptc.reporting.formats.github import annotation_lines
from pytest_ptc.reporting.story import run_report
from pytest_ptc.reporting.writing import write_report
from pytest_ptc.session import report_hooks

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_ptc.reporting.run_report import RunReport


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Declare the arguments of `ptc report`: a report of a plugin is one of them.

    Raises:
        ConfigError: A plugin that the words name cannot be used, or its report.
    """
    add_run(parser, "the last one")
    kinds = _report_kinds(words)
    for kind in kinds:
        help_text = f"{kind.help.rstrip(',')}; - for standard output"
        parser.add_argument(f"--{kind.name}", metavar="PATH", help=help_text)
    parser.add_argument(
        "--github", action="store_true", help="print commands that annotate files on GitHub"
    )
    parser.add_argument(
        "-p",
        action="append",
        metavar="MODULE",
        help="a plugin that adds reports, named as for pytest; may be given again",
    )
    parser.set_defaults(kinds=kinds)


def run(arguments: argparse.Namespace) -> int:
    """Write the requested reports; raises as `report`."""
    for line in report(arguments):
        print(line)
    return 0


def report(arguments: argparse.Namespace) -> list[str]:
    """Write the requested reports, and return the lines of the one for standard output.

    Raises:
        ConfigError: No report is requested, several go to standard output, or no run or several
            match.
    """
    run = named_run(arguments.run)
    kinds: dict[str, ReportKind] = {kind.name: kind for kind in arguments.kinds}
    named = {name: vars(arguments)[name] for name in kinds}
    requested = {name: path for name, path in named.items() if path}
    printed = list(requested.values()).count("-") + arguments.github
    if not requested and not arguments.github:
        raise ConfigError("no report is requested; name one, see `ptc report --help`")
    if printed > 1:
        raise ConfigError("only one report can go to standard output")
    data = run_report(run.events)
    lines = annotation_lines(data) if arguments.github else []
    for name, path in requested.items():
        lines += _write(kinds[name], path, data, run.folder)
    return lines


def _write(kind: ReportKind, path: str, data: RunReport, journal: Path) -> list[str]:
    """Write a report, or return it if it is to be printed."""
    base = report_hooks.project_top(Path.cwd())
    if kind.name == "summary" and path == os.environ.get(report_hooks.STEP_SUMMARY):
        report_hooks.add_summary(Path(path), data, base=base)
        return []
    target = ReportTarget(journal, None if path == "-" else Path(path))
    text = kind.text(data, target)
    if path == "-":
        return [text.removesuffix("\n")]
    write_report(Path(path), text, base=base)
    return []


def _report_kinds(words: Sequence[str]) -> tuple[ReportKind, ...]:
    """Return the reports that there are, those of the plugins that a command line names included.

    Raises:
        ConfigError: A plugin cannot be used, or its report.
    """
    kinds: tuple[ReportKind, ...] = REPORTS
    for before, word in pairwise([*words, ""]):
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
