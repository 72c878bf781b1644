"""`ptc known`: the file of known findings: add one of a run's to it, list it, check it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.cli.named_runs import named_run, runs_here
from pytest_ptc.cli.printing import print_lines
from pytest_ptc.collection.known_file import Given, day_of, known_entries, with_entry
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.known import KnownEntry, covers, is_expired, void_entries
from pytest_ptc.reporting.finding_names import finding_of
from pytest_ptc.reporting.story import run_report
from pytest_ptc.reporting.writing import write_report
from pytest_ptc.runs.recorded import RecordedRun
from pytest_ptc.session.lines_in_tree import lines_in_tree
from pytest_ptc.session.report_hooks import project_top
from pytest_ptc.session.run_lists import read_known, text_of, today
from pytest_ptc.text.printable import clip, printable
from pytest_ptc.verdicts.places import anchor

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from pytest_ptc.model.known import KnownFindings
    from pytest_ptc.reporting.finding_names import FoundFinding
    from pytest_ptc.reporting.run_report import RunReport

#: The file where no run has used one.
DEFAULT_FILE = "known.yaml"
#: Most columns and lines of a list; `--json` has all.
_WIDTH, _MAX_LINES = 200, 90
_PATTERN_SIGNS = {"*", "?"}
#: The status of a check that has found something.
_VOID = 1


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    """Declare the arguments of `ptc known`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="add a finding of a run to the file")
    add.add_argument("run", help="the run's id, or the end of it")
    add.add_argument(
        "finding",
        help="its name in `ptc results -v` and `ptc show`, such as f3; its place, such as "
        "src/a.py:12; or the beginning of its fingerprint",
    )
    add.add_argument("--reason", required=True, help="why it may stay")
    add.add_argument(
        "--until",
        metavar="DATE",
        help="the last day on which it is known, such as 2027-01-31 (default: until its line "
        "changes; one whose line nobody has read must have a date)",
    )
    listing = actions.add_parser("list", help="print the entries of the file, and which are void")
    listing.add_argument("--json", action="store_true", help="print the entries as a JSON list")
    check = actions.add_parser(
        "check",
        help="print what is void by its date, by its line in the working tree, or by the last run; "
        "status 1 if anything is",
    )
    for action in (add, listing, check):
        action.add_argument(
            "--file",
            metavar="FILE",
            help="the file (default: that of the run, or of the last one, else known.yaml in its "
            "root directory)",
        )


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked for, and return the status.

    Raises:
        PtcError: The call is refused.
    """
    if arguments.action == "add":
        return _add(arguments)
    file, report = _file_and_run(arguments.file)
    known = read_known(file, _shown(file))
    void = {} if report is None else _void_in(known, report)
    void |= dict(_void_in_tree(known, project_top(Path.cwd())))
    void |= {one.entry.number: one.why for one in void_entries(known, ())}
    if arguments.action == "check":
        lines = [_line(entry, void) for entry in known.entries if entry.number in void]
        return _printed([*lines, _total(known, void)]) or (_VOID if void else 0)
    if arguments.json:
        entries = [_json(entry, void) for entry in known.entries]
        return _printed([json.dumps(entries, indent=1)])
    return _printed([*_bounded([_line(one, void) for one in known.entries]), _total(known, void)])


def _add(arguments: argparse.Namespace) -> int:
    found = named_run(arguments.run)
    report = run_report(found.events)
    named = finding_of(report, arguments.finding)
    file = _file(arguments.file, found)
    text = text_of(file) if file.exists() else ""
    shown = _shown(file)
    given = given_entry(named, arguments.reason, arguments.until)
    entries = known_entries(shown, text)
    _refuse_known(shown, entries, named)
    made = with_entry(shown, text, given)
    write_report(file, made, base=project_top(Path.cwd()))
    entry = known_entries(shown, made)[-1]
    until = f", until {entry.until}" if entry.until else ", until its line changes"
    lines = [f"{shown}: entry {entry.number}: {entry.about}{until}"]
    if report.known is None:
        lines.append(f"runs read it with ptc_known = {shown} in the ini file, or --ptc-known")
    return _printed([printable(line) for line in lines])


def given_entry(named: FoundFinding, reason: str, until: str | None) -> Given:
    """Return the entry that makes a finding a known one.

    Raises:
        ConfigError: It cannot be recognised, the date is none or over, or there is no reason.
    """
    if not reason.strip():
        raise ConfigError("--reason: say why the finding may stay")
    seen = named.seen
    if until is not None:
        try:
            until = day_of(until)
        except ConfigError as error:
            raise ConfigError(f"--until: {error}") from None
        if until < today():
            raise ConfigError(f"--until: {until} is over; name the last day on which it is known")
    if seen.anchor is None:
        if seen.path is None or seen.rule is None:
            lacking = "file of the repository" if seen.path is None else "rule"
            raise ConfigError(
                f"{named.name} has no fingerprint, as nobody has read its line, and no {lacking}: "
                "it cannot be recognised in another run"
            )
        if until is None:
            raise ConfigError(
                f"--until: is missing; {named.name} has no fingerprint, as nobody has read its "
                f"line: the entry would be about every {seen.rule} in {seen.path} to come"
            )
    return Given(seen.anchor, seen.path, seen.rule, reason.strip(), until)


def _refuse_known(file: str, entries: Sequence[KnownEntry], named: FoundFinding) -> None:
    for entry in entries:
        if entry.fingerprint == named.seen.anchor and covers(entry, named.seen):
            over = is_expired(entry, today())
            what = f"was one until {entry.until}; change its date" if over else "is one already"
            raise ConfigError(f"{file}:{entry.line}: entry {entry.number}: {named.name} {what}")


def _file_and_run(given: str | None) -> tuple[Path, RunReport | None]:
    """Return the file, and the report of the last run that can be believed, if it read that."""
    runs = [run for run in runs_here() if isinstance(run, RecordedRun)]
    last = runs[-1] if runs else None
    file = _file(given, last)
    if last is None:
        return file, None
    report = run_report(last.events)
    return file, report if _file(None, last) == file else None


def _file(given: str | None, run: RecordedRun | None) -> Path:
    if given is not None:
        return Path.cwd() / given
    if run is None:
        return Path.cwd() / DEFAULT_FILE
    known = run_report(run.events).known
    if known is None:
        return Path(run.began.rootdir) / DEFAULT_FILE
    return Path(run.began.start or run.began.rootdir) / known.file


def _shown(file: Path) -> str:
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)


def _void_in(known: KnownFindings, report: RunReport) -> dict[int, str]:
    seen = [report.sighting(one, task) for task in report.reviewing for one in task.findings]
    return {one.entry.number: one.why for one in void_entries(known, seen)}


def _void_in_tree(known: KnownFindings, top: Path) -> Iterator[tuple[int, str]]:
    """Yield which entries mean a line that is not in the working tree, and why."""
    for entry in known.entries:
        if entry.fingerprint is None or entry.path is None or _PATTERN_SIGNS & {*entry.path}:
            continue
        try:
            lines = lines_in_tree(top / entry.path)
        except FileNotFoundError:
            yield entry.number, "its file is not there any more"
            continue
        if lines is not None and entry.fingerprint not in (
            anchor(entry.path, line) for line in lines
        ):
            yield entry.number, "its line changed"


def _line(entry: KnownEntry, void: dict[int, str]) -> str:
    until = f" until {entry.until}" if entry.until else ""
    state = f"void, {void[entry.number]}: " if entry.number in void else ""
    return clip(printable(f"{entry.number} {entry.about}{until}: {state}{entry.reason}"), _WIDTH)


def _json(entry: KnownEntry, void: dict[int, str]) -> dict[str, object]:
    fields = {name: getattr(entry, name) for name in entry.__slots__}
    return {**fields, "void": void.get(entry.number)}


def _total(known: KnownFindings, void: dict[int, str]) -> str:
    return printable(f"{known.file}: {len(known.entries)} known, {len(void)} void")


def _bounded(lines: list[str]) -> list[str]:
    if len(lines) <= _MAX_LINES:
        return lines
    more = f"{len(lines) - _MAX_LINES} more; `ptc known list --json` prints all"
    return [*lines[:_MAX_LINES], more]


def _printed(lines: Sequence[str]) -> int:
    return 0 if print_lines(lines) else 1
