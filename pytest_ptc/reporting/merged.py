"""The findings of a run, each once, with the items that name it. Pure.

Every report that lists the findings of a whole run lists these. Nothing is dropped: each finding of
an item is a member of one of them. The worst severity counts, and what any item fails by, fails.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.rule_names import FINDING, rule_name
from pytest_ptc.model.same_across_items import ItemFinding, same_across_items
from pytest_ptc.model.sightings import Roots, path_in_repository
from pytest_ptc.reporting.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_ptc.model.verdict import Excuse, Finding, Severity
    from pytest_ptc.reporting.run_report import RunReport
    from pytest_ptc.reporting.task_report import TaskReport

#: Items that are named of those that name one finding.
MAX_NAMED = 3


class Member(NamedTuple):
    """A finding, as one item names it.

    Args:
        task: The item's task.
        number: Its place among the findings of the item's verdict, from 0.
        finding: The finding.
        fails: Whether it is why the item did not pass.
    """

    task: TaskReport
    number: int
    finding: Finding
    fails: bool

    @property
    def stands(self) -> bool:
        """Tell whether nothing excuses it."""
        return self.finding.facts.excuse is None


@dataclass(frozen=True, kw_only=True)
class MergedFinding:
    """A finding, with all items that name it.

    Args:
        members: The finding as each item names it; the first one's words and severity count.
        place: The one whose line is named most often.
    """

    members: tuple[Member, ...]
    place: Member

    @classmethod
    def of(cls, members: Iterable[Member]) -> MergedFinding:
        """Return the finding of members that are the same."""
        members = tuple(members)
        if len(members) == 1:
            return cls(members=members, place=members[0])
        lines = Counter(one.finding.line for one in members if one.stands)
        lines = lines or Counter(one.finding.line for one in members)

        def first(one: Member) -> tuple[object, ...]:
            finding = one.finding
            line = finding.line or 0
            words = finding.message, one.task.nodeid
            return not one.stands, -finding.severity.rank, not one.fails, -lines[line], line, words

        ordered = sorted(members, key=first)
        most = max(lines.values())
        line = min((line or 0 for line, number in lines.items() if number == most), default=0)
        place = next(one for one in ordered if (one.finding.line or 0) == line)
        return cls(members=tuple(ordered), place=place)

    @property
    def speaker(self) -> Member:
        """Return the member whose words and severity count: the worst that nothing excuses."""
        return self.members[0]

    @property
    def severity(self) -> Severity:
        return self.speaker.finding.severity

    @property
    def rule(self) -> str:
        """Return its rule as a name: one that any member gives it, else `FINDING`."""
        names = (rule_name(one.finding.rule) for one in self.members)
        return next((name for name in names if name != FINDING), FINDING)

    @property
    def fails(self) -> bool:
        """Tell whether any item did not pass because of it."""
        return any(one.fails for one in self.members)

    @property
    def excuse(self) -> Excuse | None:
        """Return why it blocks nothing; None where it is excused not everywhere."""
        excuses = [one.finding.facts.excuse for one in self.members]
        return None if None in excuses else self.speaker.finding.facts.excuse

    @property
    def nodeids(self) -> list[str]:
        """Return the items that name it, the one that speaks first."""
        return [one.task.nodeid for one in self.members]

    @property
    def in_items(self) -> str:
        """Return `in 3 items`; empty for one item."""
        return f"in {count(len(self.members), 'item')}" if len(self.members) > 1 else ""


def merged_findings(
    run: RunReport, tasks: Iterable[TaskReport] | None = None
) -> list[MergedFinding]:
    """Return the findings of tasks, each once, by file and line.

    Args:
        run: The run.
        tasks: The tasks; those that stand if not given.
    """
    if tasks is None:
        if "merged" not in run.derived:
            run.derived["merged"] = merged_findings(run, run.standing)
        found: list[MergedFinding] = run.derived["merged"]
        return found
    members = [
        Member(task, number, finding, task.is_failed_by(finding))
        for task in tasks
        for number, finding in enumerate(task.findings)
    ]
    named = [_named(one, run) for one in members]
    return [
        MergedFinding.of(members[index] for index in group) for group in same_across_items(named)
    ]


def named_items(nodeids: Sequence[str]) -> str:
    """Return the names of items, as many as fit."""
    more = f", +{len(nodeids) - MAX_NAMED} more" if len(nodeids) > MAX_NAMED else ""
    return f"{', '.join(nodeids[:MAX_NAMED])}{more}"


def repository_path(path: str, task: TaskReport, run: RunReport) -> str | None:
    """Return a path of a report from the top of the repository; None for one outside of it."""
    roots = Roots(run.facts.rootdir, run.facts.repository)
    return path_in_repository(path, task.spec.cwd, roots)


def other_commit(task: TaskReport, run: RunReport) -> str | None:
    """Return the commit that a task is about; None where it is what is checked out."""
    if task.spec.isolation is None or task.spec.ref in (None, run.facts.commit):
        return None
    return str(task.spec.ref)


def _named(one: Member, run: RunReport) -> ItemFinding:
    task, finding = one.task, one.finding
    # What tests the judge is about a defect that was planted: nothing else is the same.
    path = (
        repository_path(finding.path, task, run) if finding.path and not task.tests_judge else None
    )
    file = None if path is None else (path, other_commit(task, run) or "")
    rule = rule_name(finding.rule)
    return ItemFinding(
        item=f"{task.nodeid} {task.number}",
        file=file,
        line=finding.line,
        rule=None if rule == FINDING else rule,
        message=finding.message,
    )
