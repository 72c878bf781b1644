"""What several votes come to: for every set of votes, and in every order."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.model.panel import (
    ALL,
    MAJORITY,
    Decision,
    Vote,
    VoteState,
    decide,
    needed_passes,
    panel_verdict,
    votes_to_open,
)
from pytest_ptc.model.result import Attempt, AttemptReport
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Excuse, Finding, Severity, Verdict, VerdictKind
from pytest_ptc.verdicts.verdict_json import read_verdict

P, F, S, M, O = (  # noqa: E741 - one letter a vote
    *(VoteState.PASS, VoteState.FAIL, VoteState.SKIP, VoteState.MISSING, VoteState.OPEN),
)
ENDED = st.sampled_from([P, F, S, M])
QUORUMS = st.one_of(st.sampled_from([MAJORITY, ALL]), st.integers(1, 7).map(str))


def vote(number: int, kind: str | Trouble, *findings: Finding, voter: str = "") -> Vote:
    verdict = trouble = None
    if isinstance(kind, Trouble):
        trouble = kind
    else:
        summary = f"vote {number} says {kind}"
        verdict = Verdict(
            verdict=VerdictKind(kind), summary=summary, findings=findings, data=number
        )
    attempt = Attempt(task_id=str(number), number=1, worker="w1")
    report = AttemptReport(attempt=attempt, seconds=1.0, verdict=verdict, trouble=trouble)
    return Vote(number=number, voter=voter, report=report)


def finding(line: int = 3, severity: Severity = Severity.HIGH, message: str = "m") -> Finding:
    return Finding(severity=severity, message=message, path="a.py", line=line)


@pytest.mark.parametrize(
    ("quorum", "votes", "needed"),
    [
        (MAJORITY, 1, 1),
        (MAJORITY, 2, 2),
        (MAJORITY, 3, 2),
        (MAJORITY, 4, 3),
        (ALL, 3, 3),
        ("2", 5, 2),
    ],
)
def test_a_quorum_is_of_all_votes(quorum: str, votes: int, needed: int) -> None:
    assert needed_passes(quorum, votes) == needed


@pytest.mark.parametrize("quorum", ["0", "4", "-1", "", "most"])
def test_what_is_no_quorum_is_refused(quorum: str) -> None:
    with pytest.raises(ValueError, match="1 to 3"):
        needed_passes(quorum, 3)


@pytest.mark.parametrize(
    ("states", "needed", "decision"),
    [
        ([P, P, O], 2, Decision.PASS),
        ([P, F, P], 2, Decision.PASS),
        ([P, M, P], 2, Decision.PASS),
        ([F, F, O], 2, Decision.FAIL),
        ([P, F, O], 2, None),
        ([P, F, M], 2, Decision.NO_AGREEMENT),
        ([P, M, M], 2, Decision.NO_AGREEMENT),
        ([M, M, O], 2, Decision.NO_AGREEMENT),
        ([P, F, S], 2, Decision.NO_AGREEMENT),
        ([S, S, P], 2, Decision.SKIP),
        ([S, S, F], 2, Decision.SKIP),
        ([S, S, O], 2, Decision.SKIP),
        ([F, O, O], 3, Decision.FAIL),
        ([S, P, P], 3, Decision.SKIP),
        ([S, O, O], 3, None),
        ([S, M, P], 3, Decision.NO_AGREEMENT),
        ([M, P, O], 3, None),
        ([M, P, P], 3, Decision.NO_AGREEMENT),
        ([P, F, F], 1, Decision.PASS),
        ([F, F, F], 1, Decision.FAIL),
        ([F, F, M], 1, Decision.NO_AGREEMENT),
        ([P], 1, Decision.PASS),
        ([F], 1, Decision.FAIL),
        ([M], 1, Decision.NO_AGREEMENT),
    ],
)
def test_what_votes_decide(states: list[VoteState], needed: int, decision: Decision | None) -> None:
    assert decide(states, needed) is decision


@given(st.lists(ENDED, min_size=1, max_size=7), QUORUMS)
def test_no_votes_without_the_quorum_pass(states: list[VoteState], quorum: str) -> None:
    if quorum.isdigit() and int(quorum) > len(states):
        return
    needed = needed_passes(quorum, len(states))
    passed = decide(states, needed) is Decision.PASS
    assert passed == (states.count(P) >= needed)


@given(st.lists(ENDED, min_size=1, max_size=6), QUORUMS, st.sampled_from([F, S, M, O]))
def test_one_more_vote_that_is_no_pass_makes_nothing_green(
    states: list[VoteState], quorum: str, more: VoteState
) -> None:
    if quorum.isdigit() and int(quorum) > len(states):
        return
    before = decide(states, needed_passes(quorum, len(states)))
    after = decide([*states, more], needed_passes(quorum, len(states) + 1))
    assert after is not Decision.PASS or before is Decision.PASS


@given(st.lists(ENDED, min_size=1, max_size=5), QUORUMS, st.data())
def test_a_vote_made_worse_makes_nothing_green(
    states: list[VoteState], quorum: str, data: st.DataObject
) -> None:
    if quorum.isdigit() and int(quorum) > len(states):
        return
    needed = needed_passes(quorum, len(states))
    place = data.draw(st.integers(0, len(states) - 1))
    worse = [*states]
    worse[place] = data.draw(st.sampled_from([F, M]))
    if decide(worse, needed) is Decision.PASS:
        assert decide(states, needed) is Decision.PASS


@given(st.lists(ENDED, min_size=1, max_size=5), QUORUMS)
def test_the_order_in_which_votes_come_in_does_not_matter(
    states: list[VoteState], quorum: str
) -> None:
    """Whoever comes first: as soon as something is decided, it is what all votes decide."""
    if quorum.isdigit() and int(quorum) > len(states):
        return
    needed = needed_passes(quorum, len(states))
    whole = decide(states, needed)
    assert whole is not None
    for order in permutations(range(len(states))):
        seen = [O] * len(states)
        for place in order:
            seen[place] = states[place]
            early = decide(seen, needed)
            if early is not None:
                assert early is whole
                break


@given(st.lists(st.sampled_from([P, F, S, M, O]), min_size=1, max_size=7), QUORUMS)
def test_votes_are_opened_until_it_is_decided(states: list[VoteState], quorum: str) -> None:
    if quorum.isdigit() and int(quorum) > len(states):
        return
    needed = needed_passes(quorum, len(states))
    more = votes_to_open(states, needed)
    assert 0 <= more <= states.count(O)
    assert (more == 0) == (decide(states, needed) is not None)


@pytest.mark.parametrize(
    ("states", "needed", "more"),
    [([O, O, O], 2, 2), ([P, F, O], 2, 1), ([P, P, O], 2, 0), ([O, O, O], 3, 3), ([O] * 3, 1, 1)],
)
def test_no_more_votes_are_opened_than_could_pass_the_item(
    states: list[VoteState], needed: int, more: int
) -> None:
    assert votes_to_open(states, needed) == more


def test_a_finding_beside_a_pass_from_the_threshold_on_is_a_vote_of_fail() -> None:
    one = vote(1, "pass", finding())
    assert (one.state("verdict"), one.state("high"), one.state("critical")) == (P, F, P)


def test_a_fail_all_of_whose_findings_are_excused_is_a_vote_of_pass() -> None:
    assert vote(1, "fail", finding().with_facts(excuse=Excuse.KNOWN)).state("verdict") is P
    assert vote(1, "fail").state("verdict") is F


def test_what_is_no_verdict_is_missing() -> None:
    late = Trouble(cause=Cause.TIMEOUT, message="late")
    given_up = Vote(number=1, trouble=late)
    assert [one.state("verdict") for one in (vote(1, late), vote(2, "error"), given_up)] == [M] * 3
    assert Vote(number=1).state("verdict") is O
    assert Vote(number=1, spared=True).state("verdict") is VoteState.SPARED


def test_a_panel_that_passes_names_what_was_outvoted() -> None:
    votes = [
        vote(1, "pass", finding(30, Severity.LOW)),
        vote(2, "fail", finding(3)),
        vote(3, "pass"),
    ]
    merged = panel_verdict(votes, Decision.PASS, "high")
    assert isinstance(merged, Verdict)
    assert (merged.verdict, merged.data) == (VerdictKind.PASS, 1)
    assert merged.summary == "2 of 3 votes pass: vote 1 says pass"
    facts = {one.line: one.facts for one in merged.findings}
    assert (facts[30].excuse, facts[30].named_by, facts[30].votes) == (None, 1, 3)
    assert facts[3].excuse is Excuse.OUTVOTED
    assert merged.passed


def test_a_panel_has_looked_at_what_its_deciding_votes_have() -> None:
    said = [(("a",), ("x",)), (("c",), ()), (("a", "b"), ("x",))]
    votes = [
        replace(one, report=replace(one.report, verdict=replace(one.verdict, checked=c, open=o)))
        for one, (c, o) in zip(
            (vote(1, "pass"), vote(2, "fail"), vote(3, "pass")), said, strict=True
        )
        if one.report is not None and one.verdict is not None
    ]
    merged = panel_verdict(votes, Decision.PASS, "verdict")
    assert isinstance(merged, Verdict)
    assert (merged.checked, merged.open) == (("a", "b"), ("x",))


def test_a_panel_that_fails_has_each_finding_once() -> None:
    votes = [
        vote(1, "fail", finding(3, Severity.MEDIUM), finding(3)),
        vote(2, "pass", finding(5, Severity.INFO), finding(40)),
        vote(3, "fail", finding(4, Severity.CRITICAL)),
    ]
    merged = panel_verdict(votes[::-1], Decision.FAIL, "verdict")
    assert isinstance(merged, Verdict)
    assert merged.counts_as is VerdictKind.FAIL
    assert [
        (one.line, one.severity, one.facts.named_by, one.facts.excuse) for one in merged.findings
    ] == [
        (4, Severity.CRITICAL, 3, None),
        (40, Severity.HIGH, 1, Excuse.OUTVOTED),
    ]


def test_without_agreement_each_vote_is_told() -> None:
    late = Trouble(cause=Cause.TIMEOUT, message="late", evidence="last line")
    votes = [vote(1, "pass"), vote(2, "fail", voter="claude:opus"), vote(3, late)]
    trouble = panel_verdict(votes, Decision.NO_AGREEMENT, "verdict")
    assert isinstance(trouble, Trouble)
    assert trouble.cause is Cause.NO_AGREEMENT
    assert trouble.message == "vote 1: pass, vote 2 (claude:opus): fail, vote 3: timeout"
    assert trouble.evidence == "last line"


def test_where_nobody_votes_for_one_reason_that_is_the_reason() -> None:
    gone = Trouble(cause=Cause.AGENT_MISSING, message="no program")
    assert panel_verdict([vote(1, gone), vote(2, gone)], Decision.NO_AGREEMENT, "verdict") == gone


def test_where_the_votes_that_were_cast_are_missing_for_one_reason_that_is_the_reason() -> None:
    """The third was not cast: two that are missing had decided."""
    gone = Trouble(cause=Cause.AGENT_MISSING, message="no program")
    votes = [vote(1, gone), vote(2, gone), Vote(number=3)]
    assert panel_verdict(votes, Decision.NO_AGREEMENT, "verdict") == gone
    votes[1] = vote(2, "skip")
    said = panel_verdict(votes, Decision.NO_AGREEMENT, "verdict")
    assert isinstance(said, Trouble)
    assert said.message == "vote 1: agent not found, vote 2: skip, vote 3: not needed"


def test_fails_without_findings_stand_whatever_another_vote_found() -> None:
    """All findings were outvoted: they set no fail aside in which they have no part."""
    votes = [vote(1, "fail"), vote(2, "pass", finding(3, Severity.INFO)), vote(3, "fail")]
    merged = panel_verdict(votes, Decision.FAIL, "verdict")
    assert isinstance(merged, Verdict)
    assert [one.facts.excuse for one in merged.findings] == [Excuse.OUTVOTED]
    assert merged.counts_as is VerdictKind.FAIL
    assert read_verdict(merged.to_json(), ours=True) == merged
    votes = [vote(1, "fail"), vote(2, "fail", finding(3)), vote(3, "pass")]
    merged = panel_verdict(votes, Decision.FAIL, "verdict")
    assert isinstance(merged, Verdict)
    excused = tuple(one.with_facts(excuse=Excuse.BASELINE) for one in merged.findings)
    assert replace(merged, findings=excused).counts_as is VerdictKind.FAIL
