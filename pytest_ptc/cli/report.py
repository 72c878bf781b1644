"""`ptc report`: a run's reports, made again from its journal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.cli.runs import named_run
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.reports import ReportTarget
from pytest_ptc.reporting.formats.github import annotation_lines, step_summary
from pytest_ptc.reporting.story import run_report
from pytest_ptc.reporting.writing import write_report
from pytest_ptc.session import report_hooks

if TYPE_CHECKING:
    import argparse

    from pytest_ptc.model.reports import ReportKind
    from pytest_ptc.reporting.run_report import RunReport


def report(arguments: argparse.Namespace) -> list[str]:
    """Write the reports that are asked for, and return those that are to be printed.

    Raises:
        ConfigError: None is asked for, several would be printed, or there is not one such run.
    """
    run = named_run(arguments.run)
    kinds: dict[str, ReportKind] = {kind.name: kind for kind in arguments.kinds}
    named = {name: vars(arguments)[name] for name in (*kinds, "summary")}
    asked = {name: path for name, path in named.items() if path}
    printed = list(asked.values()).count("-") + arguments.github
    if not asked and not arguments.github:
        raise ConfigError("say which: see `ptc report --help`")
    if printed > 1:
        raise ConfigError("only one report can go to standard output")
    made = run_report(run.events)
    lines = annotation_lines(made) if arguments.github else []
    for name, path in asked.items():
        lines += _written(kinds.get(name), path, made, run.folder)
    return lines


def _written(kind: ReportKind | None, path: str, made: RunReport, journal: Path) -> list[str]:
    """Write a report, or return it if it is to be printed; without a kind, it is the summary."""
    base = report_hooks.project_top(Path.cwd())
    if kind is None and path == os.environ.get(report_hooks.STEP_SUMMARY):
        report_hooks.add_summary(Path(path), made, base=base)
        return []
    target = ReportTarget(journal, None if path == "-" else Path(path))
    text = step_summary(made) if kind is None else kind.text(made, target)
    if path == "-":
        return [text.removesuffix("\n")]
    write_report(Path(path), text, base=base)
    return []
