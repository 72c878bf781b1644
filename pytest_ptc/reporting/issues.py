"""What somebody must look at in a run: findings, and whatever else kept an item from passing.

Pure. SARIF, GitHub and GitLab show the same issues, worst first, each in a file of the repository.
An item that did not pass has at least one of them: none of these reports may look better than the
run. An agent's words are untrusted: what they become here is printable, but still text and no
markup of any kind.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.model import Cause, Severity, VerdictKind
from pytest_ptc.reporting.document import findings_of
from pytest_ptc.reporting.wording import WORST_FIRST, count, cut
from pytest_ptc.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: The rules that are ours: no finding of an agent's has one of these names but the first.
FINDING = "ptc/finding"
VERDICT = "ptc/verdict"
TEST = "ptc/test"
ERROR = "ptc/error"

#: An item has at most one of each of these.
OURS = (VERDICT, TEST, ERROR)

#: Most characters of one message.
LONGEST = 4000

#: Readers count lines in 32 bits; an agent may name any number.
_LAST_LINE = 2**31 - 1

_RANKS = {severity: rank for rank, severity in enumerate(WORST_FIRST)}

#: Items that are named of those that the run never came to.
_NAMED = 3

_LONGEST_RULE = 100
_NOT_IN_RULES = re.compile(r"[^\w./-]+")

#: Outcomes of an item that passed, or that need not pass.
_FINE = ("passed", "xpassed", "skipped", "xfailed")


class Issue(NamedTuple):
    """One thing to look at.

    Args:
        rule: A finding's own rule, in small letters and without blanks, or one of ours.
        severity: How bad it is.
        label: What it is, in a few words.
        message: What there is to say, in one line or several.
        path: A file, from the top of the repository; None where even the test is outside of it.
        line: A line of that file.
        task: The task of the run's document that it belongs to.
        fails: Whether it is why the item did not pass.
        at_test: Whether the place is the test's, because there is no other in the repository.
        fingerprint: The same in every run that finds the same, wherever in its file that is.
    """

    rule: str
    severity: Severity
    label: str
    message: str
    path: str | None
    line: int | None
    task: Mapping[str, Any]
    fails: bool
    at_test: bool
    fingerprint: str

    @property
    def nodeid(self) -> str:
        """Return the test's node id, printable."""
        return printable(self.task["nodeid"])

    @property
    def expected(self) -> bool:
        """Tell whether the item was expected to fail, and did."""
        return bool(self.task["outcome"] == "xfailed")

    @property
    def unfinished(self) -> bool:
        """Tell whether it says no more than that the run was over before items were judged."""
        return is_unfinished(self.task)


class _Found(NamedTuple):
    """An issue before it has a place and a fingerprint."""

    rule: str
    severity: Severity
    label: str
    message: str
    fails: bool
    path: str | None = None
    line: int | None = None


def issues_of(document: Mapping[str, Any]) -> list[Issue]:
    """Return the issues of a run's document, worst first, else in the order of the tasks.

    Items that the run never came to are one issue: nothing was found out about any of them.
    """
    seen: Counter[str] = Counter()
    tasks = standing(document)
    found = [_issue(one, task, document["run"], seen) for task in tasks for one in _found(task)]
    undone = [task for task in tasks if is_unfinished(task)]
    if undone:
        one = _undone([task["nodeid"] for task in undone])
        found.append(_issue(one, undone[0], document["run"], seen))
    return sorted(found, key=lambda issue: (_RANKS[issue.severity], not issue.fails))


def standing(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the tasks whose word counts: of a test that was run again, the last."""
    last = {task["nodeid"]: task for task in document["tasks"]}
    return [task for task in document["tasks"] if last[task["nodeid"]] is task]


def is_unfinished(task: Mapping[str, Any]) -> bool:
    """Tell whether the run was over before the task was done."""
    trouble = task["trouble"]
    stopped = trouble is None or trouble["cause"] == Cause.STOPPED.value
    return task["verdict"] is None and task["outcome"] is None and stopped


def told(text: str, most: int = LONGEST) -> str:
    """Return a text of unknown origin with its lines, but with nothing in them that is not seen."""
    lines = [printable(line).strip() for line in text[: most + 1].splitlines()]
    return cut("\n".join(lines).strip() or "(no words)", most)


def _found(task: Mapping[str, Any]) -> Iterator[_Found]:
    """Yield what there is to say of a task."""
    blamed = False
    for finding in findings_of(task):
        fails = _fails(task, finding)
        blamed |= fails
        yield _finding(finding, fails=fails)
    kind = task["verdict"]["verdict"] if task["verdict"] else None
    outcome = task["outcome"]
    if kind == VerdictKind.FAIL.value and not task["verdict"]["findings"]:
        # A test whose body alone judges may pass by such a verdict: it is worth a look, and more is
        # said by the test.
        blamed = outcome not in _FINE
        severity = Severity.MEDIUM if outcome in ("passed", "xpassed") else Severity.HIGH
        yield _Found(VERDICT, severity, "verdict fail", task["verdict"]["summary"], blamed)
    unjudged = kind in (None, VerdictKind.ERROR.value) and not is_unfinished(task)
    if outcome == "error" or (unjudged and outcome not in _FINE):
        yield _error(task, kind)
    elif outcome == "failed" and not blamed:
        message = task["message"] or "the test failed"
        yield _Found(TEST, Severity.HIGH, "test failed", message, fails=True)


def _finding(finding: Mapping[str, Any], *, fails: bool) -> _Found:
    rule = _rule(finding["rule"])
    severity = Severity(finding["severity"])
    label = f"{severity} {rule if rule != FINDING else 'finding'}"
    return _Found(
        rule, severity, label, finding["message"], fails, finding["path"], finding["line"]
    )


def _fails(task: Mapping[str, Any], finding: Mapping[str, Any]) -> bool:
    """Tell whether a finding is why its item did not pass."""
    if task["outcome"] in _FINE:
        return False
    if task["verdict"]["verdict"] not in (VerdictKind.PASS.value, VerdictKind.SKIP.value):
        return bool(task["verdict"]["verdict"] == VerdictKind.FAIL.value)
    if not task["gate"] or task["fail_on"] == "verdict":
        return False
    return Severity(finding["severity"]).rank >= Severity(task["fail_on"]).rank


def _error(task: Mapping[str, Any], kind: str | None) -> _Found:
    trouble = task["trouble"]
    if kind == VerdictKind.ERROR.value:
        label, said = "verdict error", task["verdict"]["summary"]
    elif trouble is not None:
        label, said = trouble["cause"], trouble["message"]
    else:
        label, said = "error", task["message"] or "the test broke"
    return _Found(ERROR, Severity.HIGH, label, f"{label}: {said}", fails=True)


def _undone(nodeids: Sequence[str]) -> _Found:
    names = ", ".join(nodeids[:_NAMED])
    more = f", +{len(nodeids) - _NAMED} more" if len(nodeids) > _NAMED else ""
    message = f"{count(len(nodeids), 'item')} not judged when the run was over: {names}{more}"
    return _Found(ERROR, Severity.HIGH, "not judged", message, fails=True)


def _rule(said: str | None) -> str:
    """Return a finding's rule as a name: an agent writes the same one in several ways."""
    plain = printable((said or "")[:_LONGEST_RULE]).lower()
    rule = _NOT_IN_RULES.sub("-", plain).strip("-./")[:_LONGEST_RULE]
    # Nothing an agent says may pass for one of ours.
    return re.sub(r"^ptc/", "ptc-", rule) or FINDING


def _issue(
    one: _Found, task: Mapping[str, Any], run: Mapping[str, Any], seen: Counter[str]
) -> Issue:
    message = told(one.message)
    path = _place(one.path, task, run) if one.path else None
    line, at_test = one.line, path is None
    if path is None:
        if one.path:
            where = one.path if one.line is None else f"{one.path}:{one.line}"
            message = f"{message}\n(in {printable(where[:LONGEST])})"
        path = _place(task["path"] or task["nodeid"].partition("::")[0], task, run)
        line = task["line"]
    # No line: it moves with every change above it. And no words where rule and test say it all: a
    # model puts the same verdict in other words each time. What is alike in all of this is told
    # apart by its number, which stays as long as the agent finds things in the same order.
    about = json.dumps([one.rule, path, "" if one.rule in OURS else message, task["nodeid"]])
    seen[about] += 1
    return Issue(
        rule=one.rule,
        severity=one.severity,
        label=printable(one.label),
        message=message,
        path=path,
        line=line if line is None or line <= _LAST_LINE else None,
        task=task,
        fails=one.fails,
        at_test=at_test,
        fingerprint=hashlib.sha256(f"{about} {seen[about]}".encode()).hexdigest(),
    )


def _place(path: str, task: Mapping[str, Any], run: Mapping[str, Any]) -> str | None:
    """Return a path of the document from the top of the repository; None for one outside of it.

    An agent that works elsewhere works on another checkout: its paths are the repository's there.
    """
    top = run["repository"] or run["rootdir"]
    full = posixpath.normpath(posixpath.join(run["rootdir"], path))
    inside = _below(full, top)
    if inside is None and _below(top, task["cwd"]) is None:
        inside = _below(full, task["cwd"])
    return inside


def _below(path: str, folder: str) -> str | None:
    base = folder.rstrip("/") + "/"
    return path[len(base) :] if folder and path.startswith(base) else None
