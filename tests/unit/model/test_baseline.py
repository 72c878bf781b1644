"""What a run is compared with: which findings are the same, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.model.baseline import (
    Baseline,
    Claim,
    Comparer,
    PastFinding,
    PastRun,
    PastStatus,
    baseline_of,
    difference,
    is_refused,
)
from pytest_ptc.model.excuses import Excuses
from pytest_ptc.model.known import KnownEntry, KnownFindings
from pytest_ptc.model.sightings import Roots, Sighting
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.verdict import (
    Excuse,
    Finding,
    FindingFacts,
    FindingState,
    Severity,
    Verdict,
    VerdictKind,
)
from pytest_ptc.model.weighing import weighed

if TYPE_CHECKING:
    from collections.abc import Sequence

NEW, OPEN, REGRESSED = FindingState


def recognised(past: Sequence[PastFinding], claims: Sequence[Claim]) -> list[int | None]:
    """Return which earlier finding each is, by its place among them."""
    baseline = Baseline(source="it", run_id="r", findings=tuple(past))
    return Comparer(baseline).recognised(claims)


def past(
    line: int | None = 10,
    anchor: str | None = "a1",
    rule: str | None = "xss",
    path: str | None = "src/a.py",
    *,
    status: PastStatus = PastStatus.OPEN,
    severity: Severity = Severity.MEDIUM,
) -> PastFinding:
    return PastFinding(
        status=status,
        severity=severity,
        message="m",
        path=path,
        line=line,
        rule=rule,
        anchor=anchor,
        items=("t",),
    )


def claim(
    line: int | None = 10,
    anchor: str | None = "a1",
    rule: str | None = "xss",
    path: str | None = "src/a.py",
    *,
    excuse: Excuse | None = None,
    severity: Severity = Severity.MEDIUM,
) -> Claim:
    return Claim(Sighting(path, line, rule, anchor), severity, "m", excuse)


@pytest.mark.parametrize(
    ("now", "same"),
    [
        # The text of the line is the same, wherever it stands.
        (claim(500), True),
        (claim(500, rule="XSS"), True),
        # It has changed: the rule is the same, and the line is near.
        (claim(13, "a2"), True),
        (claim(7, None), True),
        (claim(14, "a2"), False),
        (claim(None, None), False),
        (claim(13, "a2", rule="sql"), False),
        (claim(13, "a2", rule=None), False),
        (claim(None, "a2", rule=None), False),
        (claim(13, "a2", path="src/b.py"), False),
        # Another rule at the line; no rule, and no worse; no rule, and worse.
        (claim(10, rule="sql"), False),
        (claim(10, rule=None), True),
        (claim(10, rule=None, severity=Severity.HIGH), False),
        # The same rule is the same, however bad it is taken for.
        (claim(10, severity=Severity.CRITICAL), True),
        # None at all.
        (claim(excuse=Excuse.REFUTED), False),
        (claim(excuse=Excuse.OUTVOTED), False),
    ],
)
def test_what_could_be_another_finding_is_new(now: Claim, same: bool) -> None:
    assert recognised([past()], [now]) == [0 if same else None]


def test_what_has_no_file_is_recognised_by_its_words() -> None:
    before = past(None, None, None, None)
    other = Claim(Sighting(None), Severity.MEDIUM, "other")
    assert recognised([before], [claim(None, None, None, None), other]) == [0, None]


def test_without_a_rule_a_finding_is_its_words_near_its_line() -> None:
    before = past(10, None, None)
    assert recognised([before], [claim(12, None, None)]) == [0]
    assert recognised([before], [claim(14, None, None)]) == [None]
    other = Claim(Sighting("src/a.py", 10), Severity.MEDIUM, "other")
    assert recognised([before], [other]) == [None]


def test_what_is_about_a_whole_file_is_recognised_by_its_rule() -> None:
    assert recognised([past(None, None)], [claim(None, None)]) == [0]
    assert recognised([past(None, None)], [claim(1, None)]) == [None]


def test_each_earlier_finding_is_one_now_and_the_best_pairs_are_made_first() -> None:
    """A line's twin is new, and so is a defect beside one that has moved."""
    assert recognised([past()], [claim(90), claim(11)]) == [None, 0]
    assert recognised([past()], [claim(9, "a2"), claim(60)]) == [None, 0]
    assert recognised([past(), past(90)], [claim(92), claim(12)]) == [1, 0]
    # At one place it is there once, whoever says so.
    assert recognised([past()], [claim(), claim()]) == [0, 0]
    # Of twins one of which was gone, the one that is there is the other.
    gone = past(status=PastStatus.GONE)
    assert recognised([gone, past(90)], [claim(10)]) == [1]


def test_ten_thousand_findings_that_are_alike_are_compared_in_time() -> None:
    """Not every two of them."""
    many = [claim(line) for line in range(1, 10_001)]
    assert recognised([past(line) for line in range(1, 10_001)], many) == list(range(10_000))


def run(number: int, *claims: Claim, item: str = "t", judged: bool = True) -> PastRun:
    return PastRun(f"r{number}", float(number), None, {item: claims} if judged else {})


def statuses(at: PastRun, *others: PastRun) -> list[tuple[int | None, str]]:
    return [(one.line, one.status.value) for one in baseline_of(at, others, "it").findings]


KNOWN = claim(excuse=Excuse.KNOWN)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([run(5, claim())], ["open"]),
        ([run(5, KNOWN)], ["known"]),
        ([run(5, claim(excuse=Excuse.REFUTED))], []),
        ([run(5, claim(excuse=Excuse.PRE_EXISTING))], ["open"]),
        # Gone in between; nobody looked in between; only what is new has come since.
        ([run(5, claim()), run(6)], ["gone"]),
        ([run(5, claim()), run(6), run(7, claim())], ["gone"]),
        ([run(5, claim()), run(6, judged=False)], ["open"]),
        ([run(5, claim()), run(6, claim(), claim(90, "a2"))], ["open"]),
        ([run(5), run(6, claim())], []),
        # Found before, and gone by then; found before, and not looked for then.
        ([run(1, claim()), run(5)], ["former"]),
        ([run(1, claim()), run(5), run(6, claim())], ["former"]),
        ([run(1, claim()), run(5, judged=False)], []),
        ([run(1, claim()), run(2), run(5, claim())], ["open"]),
        # Refuted in between is gone: nobody has found it.
        ([run(5, claim()), run(6, claim(excuse=Excuse.REFUTED))], ["gone"]),
    ],
)  # fmt: skip
def test_what_became_of_a_finding(runs: list[PastRun], expected: list[str]) -> None:
    at = next(one for one in runs if one.run_id == "r5")
    assert [status for _, status in statuses(at, *reversed(runs))] == expected


def test_a_finding_is_followed_as_its_line_moves_and_changes() -> None:
    """It is known by where it was last seen."""
    at = run(5, claim(10, "a1"))
    assert statuses(at, run(6, claim(12, "a2")), run(7, claim(14, "a3"))) == [(14, "open")]


def test_the_same_finding_of_two_items_is_one() -> None:
    at = PastRun("r5", 5.0, None, {"t": [claim()], "u": [claim(), claim(90, "a2")]})
    (first, second) = baseline_of(at, [], "it").findings
    assert (first.items, second.items) == (("t", "u"), ("u",))


@pytest.mark.parametrize(
    ("status", "gone"),
    [
        (PastStatus.OPEN, True),
        (PastStatus.KNOWN, True),
        (PastStatus.GONE, True),
        # The baseline did not have it.
        (PastStatus.FORMER, False),
    ],
)
def test_what_the_baseline_has_and_is_not_found_is_gone(status: PastStatus, gone: bool) -> None:
    baseline = Baseline(source="it", run_id="r", findings=(past(status=status),))
    assert bool(difference(baseline, run(9)).gone) is gone
    assert not difference(baseline, run(9, claim())).gone
    assert not difference(baseline, run(9, judged=False)).gone
    assert bool(difference(baseline, run(9, judged=False)).not_looked_for) is gone


@pytest.mark.parametrize(
    ("status", "excuse", "expected"),
    [
        (PastStatus.OPEN, None, OPEN),
        (PastStatus.GONE, None, REGRESSED),
        (PastStatus.FORMER, None, REGRESSED),
        (PastStatus.KNOWN, Excuse.KNOWN, OPEN),
        # It was known, and is not any more.
        (PastStatus.KNOWN, None, REGRESSED),
        (PastStatus.OPEN, Excuse.REFUTED, None),
    ],
)
def test_what_a_finding_is_against_the_baseline(
    status: PastStatus, excuse: Excuse | None, expected: FindingState | None
) -> None:
    baseline = Baseline(source="it", run_id="r", findings=(past(status=status),))
    assert Comparer(baseline).states([claim(excuse=excuse), claim(90, "a2")]) == [expected, NEW]


@pytest.mark.parametrize(
    ("fail_on", "kind", "state", "excuse", "refused"),
    [
        ("new:high", VerdictKind.PASS, NEW, None, True),
        ("new:high", VerdictKind.PASS, REGRESSED, None, True),
        ("new:critical", VerdictKind.PASS, NEW, None, False),
        ("new:critical", VerdictKind.FAIL, NEW, None, True),
        ("new:high", VerdictKind.PASS, OPEN, Excuse.BASELINE, False),
        ("new:high", VerdictKind.PASS, NEW, Excuse.KNOWN, False),
        ("high", VerdictKind.FAIL, NEW, None, False),
        ("new:high", VerdictKind.PASS, None, None, False),
    ],
)
def test_a_finding_that_its_item_failed_by_as_new_is_refused(
    fail_on: str,
    kind: VerdictKind,
    state: FindingState | None,
    excuse: Excuse | None,
    *,
    refused: bool,
) -> None:
    facts = FindingFacts(state=state, excuse=excuse)
    assert is_refused(Severity.HIGH, facts, kind=kind, fail_on=fail_on) is refused


def test_running_twice_does_not_make_a_new_finding_old() -> None:
    """What a run failed by as new stays new, until it is gone or known; a difference shows it."""
    refused = claim()._replace(refused=True)
    assert statuses(run(5, refused)) == []
    assert statuses(run(5, refused, claim(90, "a2"))) == [(90, "open")]
    # One that had been gone has regressed again.
    assert statuses(run(5, refused), run(3, claim()), run(4)) == [(10, "former")]
    assert len(baseline_of(run(5, refused), [], "it", excuses=False).findings) == 1


ROOTS = Roots("/repo", "/repo")
FOUND = Finding(
    severity=Severity.HIGH, message="m", path="src/a.py", line=10, rule="xss"
).with_facts(anchor="a1")


def judged_by(
    status: PastStatus, fail_on: str, known: KnownFindings | None = None, *findings: Finding
) -> Verdict:
    """Return a verdict of pass with a finding of the baseline, weighed."""
    spec = TaskSpec(nodeid="t", prompt="p", timeout=1.0, cwd="/repo", fail_on=fail_on)  # type: ignore[arg-type]
    baseline = Baseline(source="it", run_id="r", findings=(past(status=status),))
    verdict = Verdict(
        verdict=VerdictKind.PASS, summary="s", findings=(FOUND, *findings), fail_on=fail_on
    )
    return weighed(verdict, spec, Excuses(ROOTS, known, baseline))


@pytest.mark.parametrize(
    ("status", "fail_on", "blocks"),
    [
        (PastStatus.OPEN, "new:high", False),
        (PastStatus.OPEN, "high", True),
        (PastStatus.GONE, "new:high", True),
        (PastStatus.KNOWN, "new:high", True),
        (PastStatus.KNOWN, "new:critical", False),
    ],
)
def test_what_is_in_the_baseline_blocks_nothing_where_new_findings_are_asked_for(
    status: PastStatus, fail_on: str, blocks: bool
) -> None:
    verdict = judged_by(status, fail_on)
    assert bool(verdict.blocking) is blocks
    excused = verdict.findings[0].facts.excuse is Excuse.BASELINE
    assert excused is (status is PastStatus.OPEN and fail_on.startswith("new:"))


def test_a_new_finding_beside_one_of_the_baseline_blocks() -> None:
    twin = Finding(severity=Severity.HIGH, message="m", path="src/a.py", line=90, rule="xss")
    new = twin.with_facts(anchor="a1")
    assert judged_by(PastStatus.OPEN, "new:high", None, new).blocking == [new]


@pytest.mark.parametrize(("until", "blocks"), [("2027-01-31", False), ("2027-01-30", True)])
def test_the_baseline_does_not_excuse_what_was_known_until_a_day(until: str, blocks: bool) -> None:
    entry = KnownEntry(number=1, line=1, reason="r", fingerprint="a1", until=until)
    known = KnownFindings(file="known.yaml", today="2027-01-31", entries=(entry,))
    verdict = judged_by(PastStatus.OPEN, "new:high", known)
    assert bool(verdict.blocking) is blocks


CLAIMS = st.builds(
    claim,
    line=st.none() | st.integers(1, 12),
    anchor=st.none() | st.sampled_from(["a1", "a2"]),
    rule=st.sampled_from([None, "xss", "sql"]),
    path=st.sampled_from([None, "src/a.py", "src/b.py"]),
    severity=st.sampled_from(list(Severity)),
)


@given(before=st.lists(CLAIMS, max_size=6), now=st.lists(CLAIMS, max_size=6))
def test_more_findings_never_make_more_of_them_old(before: list[Claim], now: list[Claim]) -> None:
    """No place of an earlier finding excuses two places now; and a run has all of its own."""
    baseline = baseline_of(run(1, *before), [], "it")
    found = recognised(baseline.findings, now)
    places: dict[int, object] = {}
    for at, one in zip(found, now, strict=True):
        if at is not None:
            assert places.setdefault(at, one.seen.place) == one.seen.place
    assert NEW not in Comparer(baseline).states(before)
