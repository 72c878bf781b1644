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
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.model.item_states import FINE, ItemState, is_submitted
from pytest_ptc.model.verdict import Severity, VerdictKind
from pytest_ptc.reporting.document import blocks, findings_of
from pytest_ptc.reporting.wording import WORST_FIRST, count, cut
from pytest_ptc.text.printable import printable

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

_UP = re.compile(r"^(\.\./)+")
_NOT_IN_RULES = re.compile(r"[^\w./-]+")

_FINE = frozenset(state.value for state in FINE)

#: What stands for the task where an issue is the whole run's.
_RUN: Mapping[str, Any] = MappingProxyType(
    {
        "nodeid": "the run",
        "path": None,
        "line": None,
        "state": ItemState.ERROR.value,
        "verdict": None,
        "xfail": None,
        "cwd": "",
        "isolation": None,
        "ref": None,
    }
)

#: Characters of a commit's name that tell it from others.
_COMMIT = 12


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
        return bool(self.task["state"] == ItemState.XFAILED.value)

    @property
    def of_run(self) -> bool:
        """Tell whether it is about the run as a whole, or about items that it never came to."""
        return self.task is _RUN or is_unfinished(self.task)


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

    Items that the run never came to are one issue: nothing was found out about any of them. A run
    that is no success has at least one issue that fails something: its own, if no item's does.
    """
    seen: Counter[str] = Counter()
    tasks = standing(document)
    found = [_issue(one, task, document["run"], seen) for task in tasks for one in _found(task)]
    undone = [task for task in tasks if is_unfinished(task)]
    if undone:
        one = _undone([task["nodeid"] for task in undone])
        found.append(_issue(one, undone[0], document["run"], seen))
    if not document["run"]["successful"] and not any(issue.fails for issue in found):
        why = document["run"]["why_not_successful"]
        one = _Found(ERROR, Severity.HIGH, "run not successful", why, fails=True)
        found.append(_issue(one, _RUN, document["run"], seen))
    return sorted(found, key=lambda issue: (_RANKS[issue.severity], not issue.fails))


def standing(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the tasks whose word counts: of a test that was run again, the last."""
    return [task for task in document["tasks"] if not task["superseded"]]


def is_unfinished(task: Mapping[str, Any]) -> bool:
    """Tell whether the run was over before the task was done."""
    return bool(task["state"] == ItemState.UNDONE.value)


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
    state = ItemState(task["state"])
    fine = state in FINE
    if kind == VerdictKind.FAIL.value and not task["verdict"]["findings"]:
        # A test whose body alone judges may pass by such a verdict: it is worth a look, and more is
        # said by the test.
        blamed = not fine
        severity = Severity.MEDIUM if fine and not _expected(state) else Severity.HIGH
        yield _Found(VERDICT, severity, "verdict fail", task["verdict"]["summary"], blamed)
    unjudged = kind in (None, VerdictKind.ERROR.value) and not is_unfinished(task)
    if state is ItemState.ERROR or (unjudged and not fine):
        yield _error(task, kind)
    elif state is ItemState.FAILED and not blamed:
        message = task["message"] or "the test failed"
        yield _Found(TEST, Severity.HIGH, "test failed", message, fails=True)
    elif state is ItemState.UNREPORTED and not is_submitted(task["nodeid"]):
        said = "it has a verdict, and the run was over before its test ran"
        yield _Found(ERROR, Severity.HIGH, "test not run", said, fails=True)
    for other in task["also"]:
        if other["outcome"] == "error" and state is not ItemState.ERROR:
            said = f"error in {other['phase']}: {other['message'] or 'the test broke'}"
            yield _Found(ERROR, Severity.HIGH, "error", said, fails=True)


def _expected(state: ItemState) -> bool:
    return state in (ItemState.XFAILED, ItemState.SKIPPED)


def _finding(finding: Mapping[str, Any], *, fails: bool) -> _Found:
    rule = _rule(finding["rule"])
    severity = Severity(finding["severity"])
    label = f"{severity} {rule if rule != FINDING else 'finding'}"
    return _Found(
        rule, severity, label, finding["message"], fails, finding["path"], finding["line"]
    )


def _fails(task: Mapping[str, Any], finding: Mapping[str, Any]) -> bool:
    """Tell whether a finding is why its item did not pass."""
    if task["state"] in _FINE:
        return False
    return task["verdict"]["verdict"] == VerdictKind.FAIL.value or blocks(task, finding)


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
    elsewhere = _elsewhere(task, run)
    path = _place(one.path, task, run) if one.path and not elsewhere else None
    line, at_test = one.line, path is None
    if path is None:
        if one.path:
            where = one.path if one.line is None else f"{one.path}:{one.line}"
            message = f"{message}\n(in {printable(where[:LONGEST])}{elsewhere})"
        elif elsewhere and one.rule not in (TEST, ERROR):
            message = f"{message}\n({elsewhere.strip()})"
        path, line = _test_place(task, run)
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


def _elsewhere(task: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """Return which commit an item is about, in words; empty where it is what is checked out.

    Annotations and alerts are shown beside the files of the checkout: a line of another commit's
    file says nothing there, and that file need not even be there.
    """
    ref = task["ref"]
    if task["isolation"] is None or ref is None or ref == run["commit"]:
        return ""
    return f" of commit {printable(str(ref)[:_COMMIT])}"


def _test_place(task: Mapping[str, Any], run: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """Return the test's file and line; where it lies elsewhere, a file of the repository."""
    path = _place(task["path"] or task["nodeid"].partition("::")[0], task, run)
    if path is not None and task is not _RUN:
        return path, task["line"]
    # Where there is no repository, and no file below the root directory, nothing can be uploaded
    # to anybody who would look for the file: the test's own name says most.
    outside = "" if task is _RUN or run["repository"] else _UP.sub("", task["path"] or "")
    return run["anchor"] or outside.lstrip("/") or None, None


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
    # Never an absolute path: a leading slash may be there twice.
    return (path[len(base) :].lstrip("/") or None) if folder and path.startswith(base) else None
