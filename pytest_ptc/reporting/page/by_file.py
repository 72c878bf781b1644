"""The findings of a run by file and rule, worst first, each once with the items that name it. Pure.

`by_file.html.jinja` shows it. Each finding is cut here; the section of its item has it in full.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.rule_names import FINDING
from pytest_ptc.reporting.merged import merged_findings
from pytest_ptc.reporting.page.titles import anchor, is_new
from pytest_ptc.reporting.task_report import WORST_FIRST, places_worst_first
from pytest_ptc.reporting.wording import cut, finding_marks, grouped, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_ptc.model.verdict import Finding, Severity
    from pytest_ptc.reporting.merged import MergedFinding
    from pytest_ptc.reporting.run_report import RunReport
    from pytest_ptc.reporting.task_report import TaskReport

#: Most findings, of all files together; the worst of a larger run.
MAX_FINDINGS = 5_000
#: Most characters of a finding's message, of an item's name, and of a path.
_MAX_MESSAGE_CHARS, _MAX_NAME_CHARS, _MAX_PATH_CHARS = 120, 80, 300
#: Most characters of what is known of a finding.
_MAX_STATE_CHARS = 160

# Numbers and plain texts: an enum's hash and value cost more than all else here.
_SEVERITIES = tuple(severity.value for severity in WORST_FIRST)
_RANKS: Mapping[Severity, int] = {severity: rank for rank, severity in enumerate(WORST_FIRST)}


class ItemLink(NamedTuple):
    """An item that names a finding.

    Args:
        anchor: Its section in the page.
        name: Its name.
        place: The finding's place among those of the item, from 0, as the item's section has them.
    """

    anchor: str
    name: str
    place: str


class FoundRow(NamedTuple):
    """A finding, as the view shows it.

    Args:
        severity: How bad it is.
        line: A line of its file; empty where none is known.
        href: The address of that line; empty where none is known.
        message: The beginning of what it says, in one line.
        state: Why it blocks nothing, or what a verifier or several votes say of it.
        excused: Whether it blocks nothing because of that.
        new: Whether the baseline does not have it, or it has regressed.
        blocks: Whether an item does not pass because of it.
        items: The items that name it.
    """

    severity: str
    line: str
    href: str
    message: str
    state: str
    excused: bool
    new: bool
    blocks: bool
    items: Sequence[ItemLink]


class RuleFindings(NamedTuple):
    """The findings of one rule in one file; the name is empty for those without a rule."""

    name: str
    rows: Sequence[FoundRow]


class FileFindings(NamedTuple):
    """The findings in one file; the path is empty for those without one.

    Args:
        path: The file, from the root directory or the task's copy of it; absolute elsewhere.
        severities: How many there are of each severity, worst first; empty for a single finding,
            which shows its own.
        rules: The findings, by rule.
    """

    path: str
    severities: Sequence[tuple[str, str]]
    rules: Sequence[RuleFindings]


class ByFile(NamedTuple):
    """The view: how much there is in words, the files, and what is not here."""

    many: str
    files: Sequence[FileFindings]
    left_out: str


#: At which place a task's section has each of its findings, by the task's number.
_Shown = dict[int, dict[int, int]]


class _Found(NamedTuple):
    """A finding, its severity as a place in `_SEVERITIES`, and the place of its worst task."""

    merged: MergedFinding
    rank: int
    task: int


def by_file(run: RunReport, href: Callable[[Finding, TaskReport], str]) -> ByFile | None:
    """Return the findings of a run by file and rule; None where there is none.

    Args:
        run: The run.
        href: What returns the address of a finding's line; empty where none is known.
    """
    tasks = [task for task in run.worst_first if not task.tests_judge]
    if not any(task.findings for task in tasks):
        return None
    at = {task.number: place for place, task in enumerate(tasks)}
    found = [
        _Found(one, _RANKS[one.severity], min(at[member.task.number] for member in one.members))
        for one in merged_findings(run, tasks)
    ]
    found.sort(key=lambda one: (one.rank, one.task))
    kept = found[:MAX_FINDINGS]
    shown = {task.number: places_worst_first(task.findings) for task in tasks}
    files: dict[str, list[_Found]] = defaultdict(list)
    for one in kept:
        files[_path(one)].append(one)
    # Of all findings, as their number is.
    named, rest = len({*map(_path, found)} - {""}), len(found) - len(kept)
    in_files = f" in {grouped(named)} {plural(named, 'file')}" if named else ""
    worst = _SEVERITIES[kept[-1].rank]
    of_items = sum(len(one.merged.members) for one in found)
    again = f", {grouped(of_items)} in the items" if of_items > len(found) else ""
    return ByFile(
        many=f"{grouped(len(found))} {plural(len(found), 'finding')}{in_files}{again}",
        files=[
            FileFindings(path[:_MAX_PATH_CHARS], _severities(held), _rules(held, href, shown))
            for path, held in _worst_groups_first(files)
        ],
        left_out=f"{grouped(rest)} more, none worse than {worst}, are with their items."
        if rest
        else "",
    )


def _path(one: _Found) -> str:
    place = one.merged.place
    return _file(place.finding.path or "", place.task.spec.cwd)


def _rules(
    found: Iterable[_Found], href: Callable[[Finding, TaskReport], str], shown: _Shown
) -> list[RuleFindings]:
    rules: dict[str, list[_Found]] = defaultdict(list)
    for one in found:
        name = one.merged.rule
        rules["" if name == FINDING else name].append(one)
    return [
        RuleFindings(name, [_row(one, href, shown) for one in held])
        for name, held in _worst_groups_first(rules)
    ]


def _row(one: _Found, href: Callable[[Finding, TaskReport], str], shown: _Shown) -> FoundRow:
    merged = one.merged
    place, finding = merged.place, merged.speaker.finding
    # Twice as much as is shown, for blanks and line breaks become one blank each.
    message = " ".join(finding.message[: 2 * _MAX_MESSAGE_CHARS].split())
    more = "..." if len(finding.message) > 2 * _MAX_MESSAGE_CHARS else ""
    line = place.finding.line
    return FoundRow(
        severity=_SEVERITIES[one.rank],
        line="" if line is None else f"line {line}",
        href=href(place.finding, place.task),
        message=cut(f"{message}{more}", _MAX_MESSAGE_CHARS),
        state=cut(finding_marks(finding), _MAX_STATE_CHARS),
        excused=merged.excuse is not None,
        new=any(is_new(member.finding) for member in merged.members),
        blocks=merged.fails,
        items=[
            ItemLink(
                anchor(member.task),
                _name(member.task.nodeid),
                str(shown[member.task.number][member.number]),
            )
            for member in sorted(merged.members, key=lambda member: member.task.number)
        ],
    )


@lru_cache
def _name(nodeid: str) -> str:
    """Return an item's own name; of a long one the end, in which its parameters are."""
    plain, bracket, params = nodeid.partition("[")
    name = plain.rpartition("::")[2] + bracket + params
    return name if len(name) <= _MAX_NAME_CHARS else f"...{name[-_MAX_NAME_CHARS + 3 :]}"


def _severities(found: Sequence[_Found]) -> list[tuple[str, str]]:
    if len(found) == 1:
        return []
    numbers = zip(_SEVERITIES, _numbers(found), strict=True)
    return [(severity, grouped(number)) for severity, number in numbers if number]


def _numbers(found: Iterable[_Found]) -> list[int]:
    """Return how many findings there are of each severity, worst first."""
    numbers = [0] * len(_SEVERITIES)
    for one in found:
        numbers[one.rank] += 1
    return numbers


def _worst_groups_first(groups: Mapping[str, list[_Found]]) -> list[tuple[str, list[_Found]]]:
    """Return groups by how many findings of the worst severities they have, then by name."""
    if len(groups) == 1:
        return list(groups.items())
    return sorted(
        groups.items(), key=lambda group: ([-number for number in _numbers(group[1])], group[0])
    )


def _file(path: str, cwd: str) -> str:
    """Return a file's path, from the root directory or from the task's copy of the repository.

    A path of a report is absolute if it is not below the root directory.
    """
    base = f"{cwd.rstrip('/')}/"
    return path[len(base) :] if base != "/" and path.startswith(base) else path
