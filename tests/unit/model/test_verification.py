"""What verifiers take back, and what they do not."""

from __future__ import annotations

import pytest

from pytest_ptc.model.panel import Decision, Vote, panel_verdict
from pytest_ptc.model.result import Attempt, AttemptReport
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Excuse, Finding, Severity, Verdict, VerdictKind
from pytest_ptc.model.verification import (
    Check,
    checked,
    findings_to_check,
    recast,
    recounted,
)

DIED = Trouble(cause=Cause.WORKER_LOST, message="it died")


def finding(line: int, severity: Severity = Severity.HIGH) -> Finding:
    return Finding(severity=severity, message=f"at {line}", path="a.py", line=line)


def verdict(kind: str, *findings: Finding, data: object = None) -> Verdict:
    return Verdict(verdict=VerdictKind(kind), summary=kind, findings=findings, data=data)


def report(ended: Verdict | Trouble) -> AttemptReport:
    said, trouble = (ended, None) if isinstance(ended, Verdict) else (None, ended)
    attempt = Attempt(task_id="1", number=1, worker="w1")
    return AttemptReport(attempt=attempt, seconds=1.0, verdict=said, trouble=trouble)


def check(index: int, ended: str | Verdict | Trouble) -> Check:
    if isinstance(ended, str):
        ended = verdict("pass", data={"state": ended, "quote": "x = 1"})
    return Check(finding=index, report=report(ended))


def votes(*said: Verdict | None) -> list[Vote]:
    return [
        Vote(number=number, report=None if one is None else report(one))
        for number, one in enumerate(said, 1)
    ]


def after(cast: list[Vote], checks: list[Check], needed: int) -> Verdict | Trouble | None:
    """Return what a panel that failed comes to after these checks."""
    failed = panel_verdict(cast, Decision.FAIL, "verdict")
    assert isinstance(failed, Verdict)
    marked = checked(failed, checks, 20)
    return recounted(marked, recast(cast, marked), needed, "verdict")


def test_another_verifier_is_asked_only_where_the_first_refutes_what_several_votes_name() -> None:
    shared, single = finding(10).with_facts(named_by=2), finding(50).with_facts(named_by=1)
    failed = verdict("fail", shared, single)
    wanted = {
        (): [0, 1],
        ("REFUTED",): [0],
        ("CONFIRMED",): [],
        ("PLAUSIBLE",): [],
        ("REFUTED", "REFUTED"): [],
    }
    for said, indexes in wanted.items():
        asked = [check(0, one) for one in said] + ([check(1, "REFUTED")] if said else [])
        assert findings_to_check(failed, asked, 20) == indexes
    assert findings_to_check(failed, [check(0, DIED), check(1, DIED)], 20) == []


def test_the_worst_findings_are_verified_and_no_more_than_the_limit() -> None:
    failed = verdict("fail", finding(10, Severity.LOW), finding(50), finding(90, Severity.CRITICAL))
    assert findings_to_check(failed, [], 2) == [2, 1]
    assert findings_to_check(failed, [check(0, "CONFIRMED")], 2) == [2]
    marked = checked(failed, [check(1, "CONFIRMED"), check(2, "REFUTED")], 2)
    assert [one.facts.check for one in marked.findings] == [
        "not verified: over the limit of 2",
        "confirmed",
        "refuted",
    ]


@pytest.mark.parametrize(
    ("said", "marked"),
    [
        (["REFUTED", "REFUTED"], "refuted"),
        (["REFUTED", "PLAUSIBLE"], "plausible"),
        (["REFUTED", DIED], "not verified: worker lost"),
        (["REFUTED"], "not verified: refuted once"),
        ([verdict("fail", data={"state": "REFUTED", "quote": "x"})], "not verified: its answer"),
    ],
)
def test_what_several_votes_name_must_be_refuted_twice(
    said: list[str | Verdict | Trouble], marked: str
) -> None:
    cast = votes(verdict("fail", finding(10)), verdict("fail", finding(11)), None)
    failed = panel_verdict(cast, Decision.FAIL, "verdict")
    assert isinstance(failed, Verdict)
    (one,) = checked(failed, [check(0, answer) for answer in said], 20).findings
    assert str(one.facts.check).startswith(marked)
    assert (one.facts.excuse is Excuse.REFUTED) == (marked == "refuted")


def test_votes_that_were_not_needed_count_when_a_fail_is_refuted() -> None:
    """The first of three that must all pass fails: refuted, it decides nothing any more."""
    refuted = [check(0, "REFUTED")]
    assert after(votes(verdict("fail", finding(10)), None, None), refuted, 3) is None
    passed = after(
        votes(verdict("fail", finding(10)), verdict("pass"), verdict("pass")), refuted, 3
    )
    assert isinstance(passed, Verdict)
    assert passed.passed


def test_a_fail_without_findings_stands_whatever_is_refuted() -> None:
    cast = votes(verdict("fail", finding(10)), verdict("fail"), None)
    assert after(cast, [check(0, "REFUTED")], 2) is None
    cast = votes(verdict("fail", finding(10)), verdict("fail"), verdict("fail"))
    failed = after(cast, [check(0, "REFUTED")], 2)
    assert isinstance(failed, Verdict)
    assert failed.counts_as is VerdictKind.FAIL


def test_votes_that_do_not_agree_after_refutations_fail_if_one_of_them_does() -> None:
    late = Vote(number=3, report=report(DIED))
    cast = [*votes(verdict("fail", finding(10)), verdict("fail", finding(50))), late]
    failed = after(cast, [check(0, "REFUTED"), check(1, "CONFIRMED")], 2)
    assert isinstance(failed, Verdict)
    assert failed.counts_as is VerdictKind.FAIL
    assert [one.facts.check for one in failed.findings] == ["refuted", "confirmed"]
    cast = [Vote(number=1, report=report(verdict("fail", finding(10)))), *[late] * 2]
    cast[1] = Vote(number=2, report=report(DIED))
    trouble = after(cast, [check(0, "REFUTED")], 3)
    assert isinstance(trouble, Trouble)
    assert trouble.message == "vote 1: pass, vote 2: worker lost, vote 3: worker lost"


def test_a_finding_is_taken_back_in_the_group_that_was_checked() -> None:
    """Three votes name lines of which each is near the next: the first two are one thing."""
    cast = votes(
        verdict("fail", finding(10)), verdict("fail", finding(13)), verdict("fail", finding(16))
    )
    failed = after(cast, [check(0, "REFUTED"), check(0, "REFUTED"), check(1, "CONFIRMED")], 3)
    assert isinstance(failed, Verdict)
    assert [(one.line, one.facts.excuse) for one in failed.findings] == [
        (10, Excuse.REFUTED),
        (16, None),
    ]
