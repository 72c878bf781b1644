"""What somebody must look at in a run: findings, and whatever else kept an item from passing.

Pure. SARIF, GitHub and GitLab show the same issues, worst first, each in a file of the repository.
An item that did not pass has at least one of them: none of these reports may look better than the
run. An agent's words are untrusted: what they become here is printable, but still text and no
markup of any kind.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.item_states import FINE, ItemState
from pytest_ptc.model.rule_names import FINDING
from pytest_ptc.model.verdict import NO_FACTS, Severity, VerdictKind
from pytest_ptc.reporting.merged import (
    merged_findings,
    named_items,
    other_commit,
    repository_path,
)
from pytest_ptc.reporting.task_report import WORST_FIRST
from pytest_ptc.reporting.wording import count, cut, finding_marks
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_ptc.model.verdict import Excuse, FindingFacts
    from pytest_ptc.reporting.merged import MergedFinding
    from pytest_ptc.reporting.run_report import RunReport
    from pytest_ptc.reporting.task_report import TaskReport

#: The other rules that are ours, beside `FINDING`: no finding of an agent's has one of these names.
VERDICT = "ptc/verdict"
TEST = "ptc/test"
ERROR = "ptc/error"
JUDGE = "ptc/judge"

#: An item has at most one of each of these.
OURS = (VERDICT, TEST, ERROR, JUDGE)

#: Most characters of one message.
MAX_MESSAGE_CHARS = 4000

#: Readers count lines in 32 bits; an agent may name any number.
LAST_LINE = 2**31 - 1

_RANKS = {severity: rank for rank, severity in enumerate(WORST_FIRST)}

#: Items that are named of those that the run never came to.
_MAX_NAMED = 3

_UP = re.compile(r"^(\.\./)+")

#: Characters of a commit's name that tell it from others.
_COMMIT_CHARS = 12


class Source(NamedTuple):
    """Where a finding is in the repository.

    Args:
        path: The file, from the top of the repository.
        line: The line, from 1.
        commit: The commit whose file it is; None where it is not known.
    """

    path: str
    line: int | None
    commit: str | None


class Issue(NamedTuple):
    """One thing to look at.

    Args:
        rule: A finding's own rule, in small letters and without blanks, or one of ours.
        severity: How bad it is.
        label: What it is, in a few words.
        message: What there is to say, in one line or several.
        path: A file, from the top of the repository: the finding's, else the test's, else one that
            stands for the whole repository; None where no file of it is known.
        line: A line of that file.
        task: The task that it belongs to; None for the run itself. Of a finding that several
            items name, the one whose words these are.
        fails: Whether it is why the item, or one of several, did not pass.
        at_test: Whether the place is the test's, because there is no other in the repository.
        source: Where the finding is, also in a commit that is not checked out; None where it is in
            no file of the repository.
        fingerprint: The same in every run that finds the same, wherever in its file that is, and
            whichever items find it.
        found: The finding, with all items that name it; None for what is no finding.
        judged: How many items have a verdict.
    """

    rule: str
    severity: Severity
    label: str
    message: str
    path: str | None
    line: int | None
    task: TaskReport | None
    fails: bool
    at_test: bool
    source: Source | None
    fingerprint: str
    found: MergedFinding | None = None
    judged: int = 0

    @property
    def nodeid(self) -> str:
        """Return the test's node id, printable."""
        return "the run" if self.task is None else printable(self.task.nodeid)

    @property
    def expected(self) -> bool:
        """Tell whether the item was expected to fail, and did; of several items, each of them."""
        return bool(self.tasks) and all(task.expected for task in self.tasks)

    @property
    def tasks(self) -> list[TaskReport]:
        """Return the tasks that it belongs to."""
        if self.found is not None:
            return [one.task for one in self.found.members]
        return [] if self.task is None else [self.task]

    @property
    def failed_tasks(self) -> list[TaskReport]:
        """Return those of its tasks whose items it fails."""
        if self.found is not None:
            return [one.task for one in self.found.members if one.fails]
        return self.tasks if self.fails else []

    @property
    def found_by(self) -> str:
        """Return the test's node id, or `found by 3 of 5 items: ...`, printable."""
        number = len(self.tasks)
        if number < 2:  # noqa: PLR2004 - several
            return self.nodeid
        names = named_items([printable(task.nodeid) for task in self.tasks])
        return f"found by {number} of {count(self.judged, 'item')}: {names}"

    @property
    def excuse(self) -> Excuse | None:
        """Return why it blocks nothing; None for what is no finding, or is not excused."""
        return None if self.found is None else self.found.excuse

    @property
    def facts(self) -> FindingFacts:
        """Return what is known of the finding; nothing for what is none."""
        return NO_FACTS if self.found is None else self.found.speaker.finding.facts

    @property
    def marks(self) -> str:
        """Return what is known of the finding, in words, printable; empty for nothing."""
        if self.found is None:
            return ""
        return printable(finding_marks(self.found.speaker.finding))

    @property
    def marked_message(self) -> str:
        """Return the message, behind what is known of the finding."""
        return f"({self.marks}) {self.message}" if self.marks else self.message

    @property
    def of_run(self) -> bool:
        """Tell whether it is about the run as a whole, or about items that it never came to."""
        return self.task is None or self.task.undone


class _Observation(NamedTuple):
    """An issue before it has a place and a fingerprint."""

    rule: str
    severity: Severity
    label: str
    message: str
    fails: bool
    path: str | None = None
    line: int | None = None


def issues_of(run: RunReport) -> list[Issue]:
    """Return the issues of a run, worst first, else in the order of the tasks; excused ones last.

    Items that the run never came to are one issue: nothing was found out about any of them. A run
    that is no success has at least one issue that fails something: its own, if no item's does. What
    an item that tests the judge has found is none: it is about a planted defect, or a false alarm.
    """
    if "issues" not in run.derived:
        run.derived["issues"] = _made_issues(run)
    issues: list[Issue] = run.derived["issues"]
    return issues


def _made_issues(run: RunReport) -> list[Issue]:
    seen: Counter[str] = Counter()
    tasks = run.standing
    judged = sum(task.verdict is not None for task in tasks)
    of_findings = {}
    for merged in merged_findings(run):
        issue = _of_finding(merged, run, seen)._replace(judged=judged)
        of_findings.update({(id(one.task), one.number): issue for one in merged.members})
    found: list[Issue] = []
    for task in tasks:
        if not task.tests_judge:
            found += (of_findings[id(task), number] for number in range(len(task.findings)))
        found += (_issue(one, task, run, seen) for one in _observations(task))
    # Of one that several items name, the first of them has it.
    found = list({id(issue): issue for issue in found}.values())
    undone = [task for task in tasks if task.undone]
    if undone:
        one = _undone([task.nodeid for task in undone])
        found.append(_issue(one, undone[0], run, seen))
    for blind in run.judge.blind:
        one = _Observation(JUDGE, Severity.HIGH, "blind judge", blind.text, fails=True)
        found.append(_issue(one, None, run, seen))
    if run.why_not_successful is not None and not any(issue.fails for issue in found):
        why = run.why_not_successful
        one = _Observation(ERROR, Severity.HIGH, "run not successful", why, fails=True)
        found.append(_issue(one, None, run, seen))
    return sorted(found, key=_badness)


def _badness(issue: Issue) -> tuple[bool, int, bool]:
    # What is excused is the last that anybody must look at, however bad it is.
    return issue.excuse is not None, _RANKS[issue.severity], not issue.fails


def cleaned_text(text: str, most: int = MAX_MESSAGE_CHARS) -> str:
    """Return a text of unknown origin with its lines, but with nothing in them that is not seen."""
    lines = [printable(line).strip() for line in text[: most + 1].splitlines()]
    return cut("\n".join(lines).strip() or "(no words)", most)


def _observations(task: TaskReport) -> Iterator[_Observation]:
    """Yield what there is to say of a task beside its findings."""
    blamed = any(task.is_failed_by(finding) for finding in task.findings)
    state = task.state
    fine = state in FINE
    if (tested := task.test_outcome) is not None and tested.wrong:
        if not fine:
            label, text = task.reason.label, task.reason.text
            yield _Observation(JUDGE, Severity.HIGH, label, text, fails=True)
        return
    unexplained = all(finding.facts.excuse is not None for finding in task.findings)
    if task.verdict and task.kind is VerdictKind.FAIL and unexplained:
        # A test whose body alone judges may pass by such a verdict: it is worth a look, and more is
        # said by the test.
        blamed = not fine
        expected = state in (ItemState.XFAILED, ItemState.SKIPPED)
        severity = Severity.MEDIUM if fine and not expected else Severity.HIGH
        yield _Observation(VERDICT, severity, "verdict fail", task.verdict.summary, blamed)
    unjudged = task.kind is VerdictKind.ERROR and not task.undone
    if state is ItemState.ERROR or (unjudged and not fine):
        yield _error(task)
    elif state is ItemState.FAILED and not blamed:
        reason = task.tests_reason
        message = (reason.said if reason else "") or "the test failed"
        yield _Observation(TEST, Severity.HIGH, "test failed", message, fails=True)
    elif task.unfinished and not task.undone:
        message = "it has a verdict, and the run was over before its test ran"
        yield _Observation(ERROR, Severity.HIGH, "test not run", message, fails=True)
    for other in task.also:
        if other.outcome == "error" and state is not ItemState.ERROR:
            message = f"error in {other.phase}: {other.message or 'the test broke'}"
            yield _Observation(ERROR, Severity.HIGH, "error", message, fails=True)


def _of_finding(merged: MergedFinding, run: RunReport, seen: Counter[str]) -> Issue:
    rule, severity, speaker = merged.rule, merged.severity, merged.speaker
    label = f"{severity} {rule if rule != FINDING else 'finding'}"
    place = merged.place.finding
    message = speaker.finding.message
    one = _Observation(rule, severity, label, message, merged.fails, place.path, place.line)
    issue = _issue(one, merged.place.task, run, seen, merged)
    return issue._replace(task=speaker.task, found=merged)


def _error(task: TaskReport) -> _Observation:
    # A verdict of fail stands by itself: what is said here is what broke besides.
    reason = task.reason if task.reason.kind is VerdictKind.ERROR else task.tests_reason
    assert reason is not None, "its state is no fine one"
    return _Observation(ERROR, Severity.HIGH, reason.label, reason.text, fails=True)


def _undone(nodeids: Sequence[str]) -> _Observation:
    names = ", ".join(nodeids[:_MAX_NAMED])
    more = f", +{len(nodeids) - _MAX_NAMED} more" if len(nodeids) > _MAX_NAMED else ""
    message = f"{count(len(nodeids), 'item')} not judged when the run was over: {names}{more}"
    return _Observation(ERROR, Severity.HIGH, "not judged", message, fails=True)


def _issue(
    one: _Observation,
    task: TaskReport | None,
    run: RunReport,
    seen: Counter[str],
    merged: MergedFinding | None = None,
) -> Issue:
    message = cleaned_text(one.message)
    elsewhere = _elsewhere(task, run)
    path = repository_path(one.path, task, run) if task and one.path and not elsewhere else None
    line, at_test = one.line, path is None
    if path is None:
        if one.path:
            where = one.path if one.line is None else f"{one.path}:{one.line}"
            message = f"{message}\n(in {printable(where[:MAX_MESSAGE_CHARS])}{elsewhere})"
        elif elsewhere and one.rule not in (TEST, ERROR):
            message = f"{message}\n({elsewhere.strip()})"
        path, line = _test_place(task, run)
    nodeid = "the run" if task is None else task.nodeid
    if merged is not None and not at_test:
        # Whichever items name it: the next run's may be others.
        about = json.dumps([one.rule, path, _mark_of(merged, message)])
    else:
        # No words where rule and test say it all: a model puts the same in other words each time.
        about = json.dumps([one.rule, path, "" if one.rule in OURS else message, nodeid])
    # What is alike in all of this is told apart by its number, which stays as long as the agent
    # finds things in the same order.
    seen[about] += 1
    return Issue(
        rule=one.rule,
        severity=one.severity,
        label=printable(one.label),
        message=message,
        path=path,
        line=line if line is None or line <= LAST_LINE else None,
        task=task,
        fails=one.fails,
        at_test=at_test,
        source=_source(one, task, run),
        fingerprint=hashlib.sha256(f"{about} {seen[about]}".encode()).hexdigest(),
    )


def _mark_of(merged: MergedFinding, message: str) -> str:
    """Return by what a finding is told from others of its rule in its file.

    Not by the number of its line, which moves with every change above it. The line's text outlives
    other words, too; words tell only where nobody has looked at that line, or there is no rule.
    """
    finding = merged.place.finding
    if finding.line is not None and finding.facts.anchor is not None:
        return finding.facts.anchor
    return "" if finding.line is None and merged.rule != FINDING else message


def _source(one: _Observation, task: TaskReport | None, run: RunReport) -> Source | None:
    path = repository_path(one.path, task, run) if task and one.path else None
    if task is None or path is None:
        return None
    commit = task.spec.ref if _elsewhere(task, run) else run.facts.commit
    return Source(path, one.line, commit)


def _elsewhere(task: TaskReport | None, run: RunReport) -> str:
    """Return which commit an item is about, in words; empty where it is what is checked out.

    Annotations and alerts are shown beside the files of the checkout: a line of another commit's
    file says nothing there, and that file need not even be there.
    """
    commit = other_commit(task, run) if task is not None else None
    return "" if commit is None else f" of commit {printable(commit[:_COMMIT_CHARS])}"


def _test_place(task: TaskReport | None, run: RunReport) -> tuple[str | None, int | None]:
    """Return the test's file and line; where it lies elsewhere, a file of the repository."""
    if task is None:
        return run.facts.anchor or None, None
    path = repository_path(task.path or task.nodeid.partition("::")[0], task, run)
    if path is not None:
        return path, task.line
    # Where there is no repository, and no file below the root directory, nothing can be uploaded
    # to anybody who would look for the file: the test's own name says most.
    outside = "" if run.facts.repository else _UP.sub("", task.path or "")
    return run.facts.anchor or outside.lstrip("/") or None, None
