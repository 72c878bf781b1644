"""Which findings block an item, and when a fail is set aside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.model.result import Attempt, AttemptReport, Result
from pytest_ptc.model.ruling import Ruling, ruling_on
from pytest_ptc.model.self_test import SelfTest
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.verdict import Excuse, Finding, Severity, Verdict, VerdictKind
from pytest_ptc.model.weighing import Excused, weighed, weighed_report

if TYPE_CHECKING:
    from collections.abc import Sequence

SPEC = TaskSpec(nodeid="t.py::t", prompt="p", timeout=1.0, cwd="/w")
NEW = Finding(severity=Severity.HIGH, message="new", path="a.py", line=3).with_facts(touched=True)
OLD = Finding(severity=Severity.HIGH, message="old", path="a.py", line=9).with_facts(touched=False)
ELSEWHERE = Finding(severity=Severity.LOW, message="nobody looked", path="b.py")


def verdict(kind: VerdictKind, *findings: Finding, fail_on: str = "verdict") -> Verdict:
    return Verdict(verdict=kind, summary="s", findings=findings, fail_on=fail_on)


def known(findings: Sequence[Finding], _: TaskSpec) -> list[Excused | None]:
    excused = Excused(Excuse.KNOWN, "since spring")
    return [excused if finding.path == "b.py" else None for finding in findings]


def test_a_finding_outside_the_change_is_pre_existing_and_stays() -> None:
    new, old, elsewhere = weighed(verdict(VerdictKind.FAIL, NEW, OLD, ELSEWHERE), SPEC).findings
    assert (new.facts.excuse, elsewhere.facts.excuse) == (None, None)
    assert old.facts.excuse is Excuse.PRE_EXISTING


def test_a_known_finding_is_excused_with_its_reason() -> None:
    (finding,) = weighed(verdict(VerdictKind.FAIL, ELSEWHERE), SPEC, known).findings
    assert (finding.facts.excuse, finding.facts.why) == (Excuse.KNOWN, "since spring")


@pytest.mark.parametrize("excuse", list(Excuse))
def test_no_verdict_brings_its_own_excuse(excuse: Excuse) -> None:
    """As one of an agent in Python could: then its fail would set itself aside."""
    excused = NEW.with_facts(excuse=excuse, why="because I say so")
    assert weighed(verdict(VerdictKind.FAIL, excused), SPEC).findings == (NEW,)


@pytest.mark.parametrize("excuse", [Excuse.KNOWN, Excuse.BASELINE])
def test_a_list_of_an_earlier_run_excuses_nothing_in_a_later_one(excuse: Excuse) -> None:
    """A kept verdict is weighed by the lists of the run that keeps it."""
    kept = NEW.with_facts(excuse=excuse, why="once")
    (finding,) = weighed(verdict(VerdictKind.FAIL, kept), SPEC, known).findings
    assert finding == NEW


@pytest.mark.parametrize(
    ("findings", "set_aside"),
    [((), False), ((OLD,), True), ((OLD, NEW), False), ((NEW,), False), ((ELSEWHERE,), False)],
)
def test_a_fail_is_set_aside_only_if_each_of_its_findings_is_excused(
    findings: tuple[Finding, ...], set_aside: bool
) -> None:
    ended = weighed(verdict(VerdictKind.FAIL, *findings), SPEC)
    assert ended.set_aside is set_aside
    assert ended.counts_as is (VerdictKind.PASS if set_aside else VerdictKind.FAIL)
    assert ended.passed is set_aside
    report = AttemptReport(
        attempt=Attempt(task_id="1", number=1, worker="w1"), seconds=1.0, verdict=ended
    )
    ruling = ruling_on(Result(task_id="1", spec=SPEC, reports=(report,)))
    assert ruling is (Ruling.BODY if set_aside else Ruling.FAILED)


@pytest.mark.parametrize("kind", [VerdictKind.PASS, VerdictKind.SKIP, VerdictKind.ERROR])
def test_no_other_verdict_is_set_aside(kind: VerdictKind) -> None:
    ended = weighed(verdict(kind, OLD), SPEC)
    assert not ended.set_aside
    assert ended.counts_as is kind


def test_an_excused_finding_does_not_block_beside_a_pass() -> None:
    ended = weighed(verdict(VerdictKind.PASS, NEW, OLD, fail_on="high"), SPEC)
    assert ended.blocking == [NEW]


NAMELESS = Finding(severity=Severity.HIGH, message="of no file")
NAME = Finding(severity=Severity.HIGH, message="an endpoint", path="GET /users").with_facts(
    misplaced="the path names no file of what was reviewed"
)


@pytest.mark.parametrize("kind", [VerdictKind.PASS, VerdictKind.SKIP])
def test_a_finding_without_a_place_is_advisory_where_the_task_says_so(kind: VerdictKind) -> None:
    """Beside a pass or a skip, and where `fail_on` would block; a place nobody looked at blocks."""
    low = replace(NAMELESS, severity=Severity.LOW)
    unlooked = replace(ELSEWHERE, severity=Severity.HIGH)
    given = verdict(kind, NAMELESS, NAME, unlooked, low, NEW)
    blocking = replace(SPEC, fail_on="high")
    assert not any(one.facts.excuse for one in weighed(given, blocking).findings)
    ended = weighed(given, replace(blocking, unplaced="advisory"))
    excused = [one.facts.excuse is Excuse.UNPLACED for one in ended.findings]
    assert excused == [True, True, False, False, False]
    assert replace(ended, fail_on="high").blocking == [unlooked, NEW]


def test_a_fail_needs_no_place() -> None:
    """What its agent failed the item for stands, wherever it is."""
    spec = replace(SPEC, fail_on="low", unplaced="advisory")
    ended = weighed(verdict(VerdictKind.FAIL, NAMELESS, NAME), spec)
    assert not ended.set_aside
    assert not any(one.facts.excuse for one in ended.findings)


def test_a_report_without_a_verdict_stays_as_it_is() -> None:
    ended = weighed(verdict(VerdictKind.FAIL, OLD), SPEC)
    report = AttemptReport(
        attempt=Attempt(task_id="1", number=1, worker="w1"), seconds=1.0, verdict=ended
    )
    raw = replace(report, verdict=verdict(VerdictKind.FAIL, OLD))
    assert weighed_report(raw, SPEC) == report


def test_nothing_but_the_judge_excuses_a_finding_of_a_test_of_the_judge() -> None:
    """Else a known finding would turn a vote for a planted defect into a pass."""
    spec = replace(SPEC, self_test=SelfTest(kind="control"))
    made = weighed(verdict(VerdictKind.FAIL, OLD, ELSEWHERE), spec, known)
    assert [one.facts.excuse for one in made.findings] == [None, None]
