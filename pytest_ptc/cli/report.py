"""`ptc report`: a run's reports, made again from its journal, or from those of several jobs."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.cli.named_runs import add_run, named_run
from pytest_ptc.cli.printing import print_lines
from pytest_ptc.cli.results import MAX_BYTES
from pytest_ptc.journal.keys import existing_key
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.reports import REPORTS, ReportKind, ReportTarget, with_added
from pytest_ptc.reporting.formats.github import annotation_lines
from pytest_ptc.reporting.result_lines import result_lines
from pytest_ptc.reporting.shards import merged_report, merged_status
from pytest_ptc.reporting.story import run_report
from pytest_ptc.reporting.writing import real_place, remove_stale, write_report
from pytest_ptc.runs.gathered import gathered_runs
from pytest_ptc.runs.places import project_of
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
    parser.add_argument(
        "--merge",
        nargs="+",
        metavar="JOURNAL",
        help="one report of the runs of several jobs, each of a shard (--ptc-shard): folders that "
        "have their journals, or archives of such folders; ends with the status of a run, 0, 1 or "
        "10, or with 2 where they cannot be merged",
    )
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
    """Write the requested reports, and return 0, or the status of a merged run; raises as they do.

    What is printed is read to its end, or the status is 1.
    """
    if arguments.merge:
        return _merge(arguments)
    run = named_run(arguments.run)
    requested = _requested(arguments)
    if not requested and not arguments.github:
        raise ConfigError("no report is requested; name one, see `ptc report --help`")
    lines = _written(arguments, run_report(run.events), ReportTarget(run.folder))
    return 0 if print_lines(lines) else 1


def _merge(arguments: argparse.Namespace) -> int:
    """Write the requested reports of several jobs' runs, and return the status of all of them.

    Raises:
        ConfigError: A run is named besides.
        JournalError: A journal is missing, or not as it was written.
        ReportError: They do not belong together, or are not all.
        RunRefusedError: A journal is not proved to be one of this user's.
    """
    if arguments.run is not None:
        raise ConfigError(f"{arguments.run}: name journals behind --merge, or a run without it")
    given = [Path(place) for place in arguments.merge]
    _remove_stale(arguments, given)
    top = project_of(Path.cwd(), os.environ).top
    key = existing_key(os.environ, [top] if top is not None else [])
    with tempfile.TemporaryDirectory(prefix="ptc-merge-") as scratch:
        found = gathered_runs(given, key, Path(scratch))
        data = merged_report([one.run.events for one in found])
        target = ReportTarget(
            journals={one.run.run_id: one.run.folder for one in found},
            gone=frozenset(one.run.run_id for one in found if one.unpacked),
        )
        printed = _written(arguments, data, target)
    rest = "ptc report --merge JOURNAL... --json PATH"
    lines = printed or result_lines(data, max_bytes=MAX_BYTES, rest=rest)
    return merged_status(data) if print_lines(lines) else 1


def _remove_stale(arguments: argparse.Namespace, inputs: Sequence[Path]) -> None:
    """Remove the requested reports: where nothing can be merged, none looks like one of it.

    Raises:
        ConfigError: One is in the place of a journal.
    """
    read = {real_place(path) for path in inputs}
    for name, path in _requested(arguments).items():
        if path == "-" or path == os.environ.get(report_hooks.STEP_SUMMARY):
            continue
        if real_place(Path(path)) in read:
            raise ConfigError(f"--{name}: {path} is one of the journals; name another file")
        remove_stale(Path(path), base=report_hooks.project_top(Path.cwd()))


def _requested(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the paths of the requested reports, by their names."""
    named = {kind.name: vars(arguments)[kind.name] for kind in arguments.kinds}
    return {name: path for name, path in named.items() if path}


def _written(arguments: argparse.Namespace, data: RunReport, target: ReportTarget) -> list[str]:
    """Write the requested reports, and return the lines of the one for standard output.

    Raises:
        ConfigError: Several go to standard output.
    """
    kinds: dict[str, ReportKind] = {kind.name: kind for kind in arguments.kinds}
    requested = _requested(arguments)
    if list(requested.values()).count("-") + arguments.github > 1:
        raise ConfigError("only one report can go to standard output")
    lines = annotation_lines(data) if arguments.github else []
    for name, path in requested.items():
        lines += _write(kinds[name], path, data, target)
    return lines


def _write(kind: ReportKind, path: str, data: RunReport, target: ReportTarget) -> list[str]:
    """Write a report, or return it if it is to be printed."""
    base = report_hooks.project_top(Path.cwd())
    if kind.name == "summary" and path == os.environ.get(report_hooks.STEP_SUMMARY):
        report_hooks.add_summary(Path(path), data, base=base)
        return []
    text = kind.text(data, target._replace(path=None if path == "-" else Path(path)))
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
