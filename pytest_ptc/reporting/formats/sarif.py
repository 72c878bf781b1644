"""A run as SARIF 2.1.0, for code scanning. Pure: a run's document in, JSON out.

What GitHub makes of SARIF has shaped this where the standard leaves a choice: it refuses a whole
file for one result without a place, or for one list that is too long, and it shows nothing but
results. So every result has a place, and an item that nobody judged is a result, too: an upload
must not look clean because the machinery broke.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from datetime import datetime, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_ptc.model.errors import ReportError
from pytest_ptc.model.rule_names import FINDING
from pytest_ptc.model.verdict import Excuse, FindingState, Severity
from pytest_ptc.reporting.compared import compared
from pytest_ptc.reporting.document import judge_json
from pytest_ptc.reporting.issues import (
    ERROR,
    JUDGE,
    LAST_LINE,
    TEST,
    VERDICT,
    cleaned_text,
    issues_of,
)
from pytest_ptc.reporting.wording import count
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_ptc.model.reports import ReportTarget
    from pytest_ptc.reporting.issues import Issue
    from pytest_ptc.reporting.run_report import RunReport

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

#: GitHub refuses a file with more than 25,000 results, and shows 5,000. There are never more rules
#: than results, no rule has a tag, and no result has more than one place, beside few related ones:
#: its other limits are met.
MAX_RESULTS = 5000

#: GitHub's limit of an upload is 10 MB, compressed; other compressors do a little worse.
MAX_BYTES = 9_500_000

#: Most characters of a verdict's summary, which stands with each of its findings.
_MAX_SUMMARY_CHARS = 500

#: Most items that are listed with a finding that they name, and most other places of it.
_MAX_ITEMS, _MAX_PLACES = 100, 20

#: The key of our own fingerprint: another way to make it gets another name.
FINGERPRINT = "pytestPtc/v2"

_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}

#: Scores in the middle of what GitHub calls by these names; it has no name for `info`.
_SCORES = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
}

_OUR_RULES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        FINDING: ("A finding of an agent", "The agent gave it no rule; the message says it all."),
        VERDICT: ("An agent's verdict is fail", "The agent failed its test and named no finding."),
        TEST: ("A test failed after its agent's pass", "The test's own body judged otherwise."),
        JUDGE: (
            "The judge erred in a test of itself",
            "An agent missed a planted defect or refused a clean item, or too many did.",
        ),
        ERROR: ("An item that was not judged", "No verdict counts, or the test itself broke."),
    }
)


def make(run: RunReport, _target: ReportTarget) -> str:
    return sarif_text(run)


def sarif_text(run: RunReport) -> str:
    """Return a run as SARIF, as small as GitHub takes it.

    Raises:
        ReportError: A result has no place in a file of the repository.
    """
    most = MAX_RESULTS
    while True:
        text = json.dumps(sarif(run, most=most), allow_nan=False)
        # Only a file that is too large as it is can be so when it is compressed.
        if most == 1 or len(text) <= MAX_BYTES or len(zlib.compress(text.encode())) <= MAX_BYTES:
            return text
        most //= 2


def sarif(run: RunReport, *, most: int = MAX_RESULTS) -> dict[str, Any]:
    """Return a run as SARIF.

    Args:
        run: The run.
        most: How many results there may be; the worst stay, and how many do not is said.
    """
    issues = issues_of(run)
    kept, left_out = issues[:most], len(issues[most:])
    rules = _rules(kept)
    numbers = {rule: number for number, rule in enumerate(rules)}
    notes = list(_notes(run, issues, left_out))
    causes = list(dict.fromkeys(note["descriptor"]["id"] for note in notes))
    at_place = Counter(map(_place, kept))
    driver = {
        "name": "pytest-ptc",
        "version": run.facts.pytest_ptc,
        "rules": list(rules.values()),
        "notifications": [_cause(cause) for cause in causes],
    }
    made = {
        "tool": {"driver": driver},
        "invocations": [_invocation(run, issues, notes[:most])],
        # No path of this machine: whoever reads this has the repository elsewhere.
        "originalUriBaseIds": {
            "%SRCROOT%": {"description": {"text": "The top of the repository."}}
        },
        "columnKind": "unicodeCodePoints",
        "results": [
            {
                **_result(issue, numbers[issue.rule], alone=at_place[_place(issue)] == 1),
                # If one result of a run has this, all must. What is gone is left out: code
                # scanning closes an alert that is not there any more.
                **({} if run.baseline is None else _state(issue)),
            }
            for issue in kept
        ],
        "properties": {
            "runId": run.run_id,
            "outcomes": run.outcomes,
            "states": {state.value: number for state, number in run.states.items()},
            "successful": run.successful,
            "judge": judge_json(run.judge),
            "resultsLeftOut": left_out,
            **_lists(run),
        },
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [made]}


def _lists(run: RunReport) -> dict[str, Any]:
    """Return what the lists of a run come to by which findings are excused."""
    void = {} if run.known is None else {"voidKnown": [one.text for one in run.void_known]}
    found = compared(run)
    if found is None:
        return void
    return {**void, "baseline": {"source": found.baseline.source, "counts": found.counts}}


def _invocation(
    run: RunReport, issues: Sequence[Issue], notes: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    judged = not any(issue.rule == ERROR for issue in issues)
    status = {} if run.exit_status is None else {"exitCode": run.exit_status}
    return {
        **status,
        "executionSuccessful": judged and run.complete and run.stopped is None,
        "startTimeUtc": _time(run.began),
        "endTimeUtc": _time(run.began + run.seconds),
        "toolExecutionNotifications": list(notes),
    }


def _notes(run: RunReport, issues: Sequence[Issue], left_out: int) -> Iterator[dict[str, Any]]:
    """Yield what kept the run from being whole: of the run first, then of its items."""
    if run.stopped is not None:
        yield _note("run stopped", f"the run was stopped: {run.stopped}")
    elif not run.complete:
        yield _note("run not complete", "the run was killed, or is still active")
    for blind in run.judge.blind:
        yield _note("blind judge", blind.text)
    if left_out:
        text = f"{count(left_out, 'result')} left out, none worse than those that are here"
        yield _note("results left out", text, level="warning")
    for issue in issues:
        if issue.rule == ERROR:
            who = "" if issue.of_run else f"{issue.nodeid}: "
            yield {**_note(issue.label, who + issue.message), "locations": [_location(issue)]}


def _note(cause: str, text: str, *, level: str = "error") -> dict[str, Any]:
    return {
        "descriptor": {"id": cause.lower().replace(" ", "-")},
        "level": level,
        "message": {"text": _plain(cleaned_text(text))},
    }


def _cause(cause: str) -> dict[str, Any]:
    words = cause.replace("-", " ")
    return {
        "id": cause,
        "shortDescription": {"text": words},
        "fullDescription": {"text": f"Why the run is not whole: {words}."},
        "help": {"text": "Read the notification's message, and the table of causes in the docs."},
    }


def _rules(issues: Sequence[Issue]) -> dict[str, dict[str, Any]]:
    """Return our own rules, which are there in every run, and those of the agents."""
    severities: dict[str, set[Severity]] = {rule: set() for rule in _OUR_RULES}
    for issue in issues:
        severities.setdefault(issue.rule, set()).add(issue.severity)
    return {rule: _rule(rule, found) for rule, found in severities.items()}


def _rule(rule: str, found: set[Severity]) -> dict[str, Any]:
    words = rule.replace("-", " ").replace("_", " ")
    short, full = _OUR_RULES.get(rule, (words, f"Agents gave their findings this rule: {words}."))
    made = {
        "id": rule,
        "shortDescription": {"text": short},
        "fullDescription": {"text": full},
        "help": {"text": "See the result's message, and the run's journal for its evidence."},
    }
    # GitHub shows all results of a rule with the rule's score, whatever their own level is: where
    # agents found it bad and less bad, each result's own level says more. What has no rule is no
    # rule's, and our own rules are about the run.
    score = _SCORES.get(next(iter(found))) if len(found) == 1 and rule not in _OUR_RULES else None
    return {**made, "properties": {"security-severity": score}} if score else made


def _result(issue: Issue, rule: int, *, alone: bool) -> dict[str, Any]:
    verdict = issue.task.verdict if issue.task else None
    properties: dict[str, Any] = {"nodeid": issue.nodeid, "severity": issue.severity.value}
    several = len(issue.tasks) > 1
    if several:
        items = [printable(task.nodeid) for task in issue.tasks]
        properties["items"] = items[:_MAX_ITEMS]
        properties["foundBy"] = {"items": len(items), "judged": issue.judged}
    facts = issue.facts
    if facts.state is not None:
        properties["state"] = facts.state.value
    if issue.excuse is not None:
        properties["excuse"] = issue.excuse.value
        properties["why"] = cleaned_text(facts.why, _MAX_SUMMARY_CHARS) if facts.why else ""
    if verdict is not None:
        properties["verdict"] = verdict.verdict.value
        properties["summary"] = cleaned_text(verdict.summary, _MAX_SUMMARY_CHARS)
    if issue.severity in _SCORES:
        properties["security-severity"] = _SCORES[issue.severity]
    fingerprints = {FINGERPRINT: issue.fingerprint}
    if issue.at_test or issue.line is None or not alone:
        # The only one that GitHub looks at. Its upload makes it of the line's text, which outlives
        # another wording of the same finding; but where a line says little of what was found, or
        # holds several findings of one rule, all of them would become one alert.
        fingerprints["primaryLocationLineHash"] = issue.fingerprint
    return {
        "ruleId": issue.rule,
        "ruleIndex": rule,
        # Of kind `fail`, which need not be said, though the item may have passed: a finding is one
        # whatever the gate thinks of it, alerts are for findings, and another kind has no level.
        "level": _LEVELS[issue.severity],
        "message": {
            "text": _plain(f"{issue.message}\n({issue.found_by})" if several else issue.message)
        },
        "locations": [_location(issue)],
        **_related(issue),
        "partialFingerprints": fingerprints,
        # Empty where nothing is: if one result of a run has this, all must.
        "suppressions": _suppressions(issue),
        "properties": properties,
    }


def _state(issue: Issue) -> dict[str, Any]:
    return {"baselineState": _BASELINE_STATES[issue.facts.state]}


def _related(issue: Issue) -> dict[str, Any]:
    """Return what the other items say of a finding, each where it says so."""
    members = issue.found.members[1:] if issue.found is not None else ()
    if not members or issue.path is None:
        return {}
    places = [
        {
            "message": {"text": _plain(cleaned_text(f"{one.task.nodeid}: {one.finding.message}"))},
            "physicalLocation": _file(issue.path, one.finding.line),
        }
        for one in members[:_MAX_PLACES]
    ]
    return {"relatedLocations": places}


#: Excuses by which somebody has turned a finding down. What is old is not: it has a state.
_TURNED_DOWN = (Excuse.KNOWN, Excuse.OUTVOTED, Excuse.REFUTED)

#: What a finding is against the baseline, in SARIF's words; what has regressed is there anew.
_BASELINE_STATES = {
    FindingState.NEW: "new",
    FindingState.OPEN: "unchanged",
    FindingState.REGRESSED: "new",
    # What is no finding, or was turned down, no baseline has.
    None: "new",
}


def _suppressions(issue: Issue) -> list[dict[str, Any]]:
    if issue.excuse in _TURNED_DOWN:
        why = issue.facts.why or str(issue.excuse)
        return [_suppression(why if issue.excuse is Excuse.KNOWN else f"{issue.excuse}: {why}")]
    if not issue.expected:
        return []
    reason = issue.task.final.xfail if issue.task and issue.task.final else None
    why = f"the test is expected to fail: {reason}" if reason else "the test is expected to fail"
    return [_suppression(why)]


def _suppression(why: str) -> dict[str, Any]:
    return {"kind": "external", "status": "accepted", "justification": cleaned_text(why)}


def _location(issue: Issue) -> dict[str, Any]:
    test = {"fullyQualifiedName": issue.nodeid, "kind": "function"}
    if issue.path is None:
        raise ReportError(
            f"SARIF: {issue.nodeid}: neither its finding nor its test is in a file of the "
            "repository, and the repository has no file that could stand for them; code scanning "
            "refuses a file with such a result"
        )
    return {
        "physicalLocation": _file(issue.path, issue.line),
        "logicalLocations": [test],
    }


def _file(path: str, line: int | None) -> dict[str, Any]:
    return {
        # The path may be any text of an agent's.
        "artifactLocation": {"uri": quote(path, errors="replace"), "uriBaseId": "%SRCROOT%"},
        # GitHub wants a line. The first one stands for the whole file, as it does there.
        "region": {"startLine": min(line or 1, LAST_LINE)},
    }


def _place(issue: Issue) -> tuple[str, str | None, int | None]:
    return issue.rule, issue.path, issue.line


def _plain(text: str) -> str:
    """Return a text in which no reader sees a link: `[text](place)` is one in SARIF's messages."""
    return text.replace("](", "] (")


def _time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, tz=timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
