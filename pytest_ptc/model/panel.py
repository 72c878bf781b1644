"""The verdict of a panel: several votes on one item, and a quorum. Pure.

A pass needs the quorum of all votes: one that is missing counts against it. A fail needs so many
votes that no pass is possible any more. Whatever is neither, the votes do not agree: an error.

What is decided does not depend on the order in which votes come in, and nothing that is still to
come can change it: so the votes that are left need not be cast.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.same_findings import groups_of_same
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Excuse, Finding, Verdict, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from pytest_ptc.model.result import AttemptReport

#: The quorum of more than half of all votes, and of all of them.
MAJORITY = "majority"
ALL = "all"


def needed_passes(quorum: str, votes: int) -> int:
    """Return how many of so many votes must pass.

    Raises:
        ValueError: The quorum is no number from 1 to `votes`.
    """
    if quorum == MAJORITY:
        return votes // 2 + 1
    if quorum == ALL:
        return votes
    number = int(quorum) if quorum.isascii() and quorum.isdigit() else 0
    if not 1 <= number <= votes:
        raise ValueError(f"a quorum of {votes} votes is {MAJORITY}, {ALL} or 1 to {votes}")
    return number


class VoteState(Enum):
    """What one vote comes to."""

    PASS = "pass"  # noqa: S105 - a vote, not a password
    FAIL = "fail"
    SKIP = "skip"
    #: It ended without a verdict, or with a verdict of error.
    MISSING = "missing"
    #: It has not ended; it may not have begun.
    OPEN = "open"
    #: It was not cast, since the others had decided.
    SPARED = "spared"


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """One vote of a panel.

    Args:
        number: Its number, from 1.
        voter: The agent and model that cast it, as the test names them; empty for the run's own.
        task_id: Its task on the shared list.
        report: How its last attempt ended; None where it has none.
        trouble: Why it ended without an attempt, or after the last one.
        spared: Whether it was not cast, since the others had decided.
    """

    number: int
    voter: str = ""
    task_id: str = ""
    report: AttemptReport | None = None
    trouble: Trouble | None = None
    spared: bool = False

    @property
    def verdict(self) -> Verdict | None:
        """Return its verdict, if it has one that counts."""
        if self.trouble is not None or self.report is None or self.spared:
            return None
        return self.report.verdict

    @property
    def why_missing(self) -> Trouble | None:
        """Return why it has no verdict, where that is known."""
        return self.trouble or (self.report.trouble if self.report is not None else None)

    def state(self, fail_on: str) -> VoteState:
        """Return what it comes to, with the item's `fail_on`."""
        if self.spared:
            return VoteState.SPARED
        if self.report is None and self.trouble is None:
            return VoteState.OPEN
        if (verdict := self.verdict) is None:
            return VoteState.MISSING
        verdict = replace(verdict, fail_on=fail_on)
        if verdict.blocking or verdict.counts_as is VerdictKind.FAIL:
            return VoteState.FAIL
        if verdict.counts_as is VerdictKind.ERROR:
            return VoteState.MISSING
        return VoteState(verdict.counts_as.value)


class Decision(Enum):
    """What the votes of a panel have decided."""

    PASS = "pass"  # noqa: S105 - a decision, not a password
    FAIL = "fail"
    SKIP = "skip"
    NO_AGREEMENT = "no agreement"


def decide(states: Sequence[VoteState], needed: int) -> Decision | None:
    """Return what the votes have decided, whatever the open ones will be; None for nothing yet.

    Args:
        states: What each of all votes comes to; one that was spared is as good as open.
        needed: How many must pass.
    """
    count = Counter(states)
    passes, fails, skips = count[VoteState.PASS], count[VoteState.FAIL], count[VoteState.SKIP]
    left = count[VoteState.OPEN] + count[VoteState.SPARED]
    #: Votes that may be no pass though the item passes.
    spare = len(states) - needed
    if passes >= needed:
        return Decision.PASS
    if fails > spare:
        return Decision.FAIL
    if fails + left > spare or passes + left >= needed:
        return None
    # Neither a pass nor a fail is possible any more.
    if skips > spare and skips + passes >= needed:
        return Decision.SKIP
    if skips + left > spare and skips + passes + left >= needed:
        return None
    return Decision.NO_AGREEMENT


def votes_to_open(states: Sequence[VoteState], needed: int) -> int:
    """Return how many of the open votes must be at work now.

    So many that they could pass the item together: what is more than that may never be needed.
    """
    if decide(states, needed) is not None:
        return 0
    count = Counter(states)
    return min(count[VoteState.OPEN], max(1, needed - count[VoteState.PASS]))


def panel_verdict(votes: Sequence[Vote], decision: Decision, fail_on: str) -> Verdict | Trouble:
    """Return what an item's panel comes to.

    Args:
        votes: All of its votes.
        decision: What they have decided.
        fail_on: The item's threshold.
    """
    votes = sorted(votes, key=lambda vote: vote.number)
    states = [vote.state(fail_on) for vote in votes]
    if decision is Decision.NO_AGREEMENT:
        return _no_agreement(votes, states)
    side = VoteState(decision.value)
    deciding = [vote for vote, state in zip(votes, states, strict=True) if state is side]
    # Where all that pass are fails that were set aside, so is what they come to.
    kinds = [vote.verdict.verdict.value for vote in deciding if vote.verdict is not None]
    speaker = deciding[kinds.index(side.value) if side.value in kinds else 0].verdict
    assert speaker is not None, "a vote that decides has a verdict"
    kind = VerdictKind.FAIL if side is VoteState.FAIL else speaker.verdict
    winners = {vote.number for vote in deciding}
    findings = tuple(_merged(group, winners, len(votes)) for group in same_named(votes))
    fails = side is VoteState.FAIL
    return Verdict(
        verdict=kind,
        summary=f"{len(deciding)} of {len(votes)} votes {side.value}: {speaker.summary}",
        findings=findings,
        data=speaker.data,
        fail_on=fail_on,
        checked=_united(vote.verdict.checked for vote in deciding if vote.verdict is not None),
        open=_united(vote.verdict.open for vote in deciding if vote.verdict is not None),
        stands=fails and any(vote.verdict and not vote.verdict.findings for vote in deciding),
    )


def _united(texts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for of_one in texts for text in of_one))


class Named(NamedTuple):
    """A finding, and the number of the vote that names it."""

    vote: int
    finding: Finding


def same_named(votes: Sequence[Vote]) -> list[list[Named]]:
    """Return the findings of all votes, those of one thing together.

    A panel's verdict has each group as one finding, in this order.
    """
    named = [
        Named(vote.number, finding)
        for vote in sorted(votes, key=lambda vote: vote.number)
        if vote.verdict is not None
        for finding in vote.verdict.findings
    ]
    groups = groups_of_same([one.finding for one in named])
    return [[named[index] for index in group] for group in groups]


def _merged(group: Sequence[Named], winners: Collection[int], votes: int) -> Finding:
    """Return the findings of one thing as one, with how many votes name it.

    What a vote of the winning side found stands. All else was outvoted: it stays listed.
    """
    standing = [
        one.finding for one in group if one.vote in winners and one.finding.facts.excuse is None
    ]
    first = max(standing or [one.finding for one in group], key=lambda one: one.severity.rank)
    excuse = None if standing else first.facts.excuse or Excuse.OUTVOTED
    named_by = len({one.vote for one in group})
    return first.with_facts(named_by=named_by, votes=votes, excuse=excuse)


def _no_agreement(votes: Sequence[Vote], states: Sequence[VoteState]) -> Trouble:
    missing = [vote.why_missing for vote, s in zip(votes, states, strict=True) if s is _MISSING]
    troubles = [trouble for trouble in missing if trouble is not None]
    causes = {trouble.cause for trouble in troubles}
    if all(vote.verdict is None for vote in votes) and len(causes) == 1:
        # Nobody has voted, for one reason: that is what is to be fixed.
        return troubles[0]
    said = ", ".join(
        f"vote {vote.number}{f' ({vote.voter})' if vote.voter else ''}: {_vote_text(vote, state)}"
        for vote, state in zip(votes, states, strict=True)
    )
    evidence = next((trouble.evidence for trouble in troubles if trouble.evidence), "")
    return Trouble(cause=Cause.NO_AGREEMENT, message=said, evidence=evidence)


_MISSING = VoteState.MISSING


def _vote_text(vote: Vote, state: VoteState) -> str:
    trouble = vote.why_missing
    if state is VoteState.MISSING and trouble is not None:
        return trouble.cause.value
    if state is VoteState.OPEN:
        return "not needed"
    return "verdict error" if state is VoteState.MISSING else state.value
