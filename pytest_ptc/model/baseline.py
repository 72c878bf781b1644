"""An earlier run that others are compared with, and which findings it had already. Pure.

Words differ between two judges, so a finding is recognised by its place: by the text of its line
wherever that stands, else by file, rule and a line nearby; without a rule, by its words there. What
could be another one is new.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from dataclasses import dataclass, replace
from enum import Enum
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.choices import asks_for_new, severity_of
from pytest_ptc.model.rule_names import is_same_rule, rule_key
from pytest_ptc.model.same_findings import NEARBY_LINES
from pytest_ptc.model.verdict import Excuse, FindingState, Severity, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_ptc.model.sightings import Sighting
    from pytest_ptc.model.verdict import FindingFacts

#: Most earlier findings before and behind a line that one is compared with.
_MOST_NEAR = 20

#: Findings that were found to be none: no baseline has them.
_NONE_AT_ALL = (Excuse.OUTVOTED, Excuse.REFUTED)


class PastStatus(str, Enum):
    """What became of a finding up to now."""

    #: The baseline has it, and every later run that looked found it again.
    OPEN = "open"
    #: The baseline has it, as a known one.
    KNOWN = "known"
    #: The baseline has it, and a later run that looked did not find it.
    GONE = "gone"
    #: An earlier run had it, and it was gone by the baseline.
    FORMER = "former"

    @property
    def is_over(self) -> bool:
        """Tell whether a run that looked did not find it any more."""
        return self in (PastStatus.GONE, PastStatus.FORMER)


@dataclass(frozen=True, kw_only=True, slots=True)
class PastFinding:
    """A finding of the baseline, or of a run before it, as the last run saw it that found it.

    Args:
        status: What became of it.
        severity: How bad it was.
        message: What it was, the beginning of it.
        path: Its file, from the top of the repository.
        line: Its line.
        rule: Its rule.
        anchor: The hash of its path and of the text of its line.
        items: The node ids of the items that found it.
    """

    status: PastStatus
    severity: Severity
    message: str
    path: str | None = None
    line: int | None = None
    rule: str | None = None
    anchor: str | None = None
    items: tuple[str, ...] = ()

    @property
    def location(self) -> str:
        """Return `path:line`, `path`, or the empty string."""
        if self.path is None:
            return ""
        return self.path if self.line is None else f"{self.path}:{self.line}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """What a run is compared with.

    Args:
        source: What it is, in words, such as `run 20270131-120000-0f1e2`.
        run_id: The run.
        commit: The commit that was checked out then.
        findings: Its findings, and those that were gone by then or have gone since.
    """

    source: str
    run_id: str
    commit: str | None = None
    findings: tuple[PastFinding, ...] = ()


class Claim(NamedTuple):
    """A finding of a verdict, as far as it is compared.

    Args:
        seen: What it is recognised by.
        severity: How bad it is.
        message: What it is, the beginning of it.
        excuse: Why it does not block.
        refused: Whether its item failed by it because it was new: nobody has taken it for old.
    """

    seen: Sighting
    severity: Severity
    message: str
    excuse: Excuse | None = None
    refused: bool = False

    @property
    def counts(self) -> bool:
        """Tell whether it is a finding at all: neither outvoted nor refuted."""
        return self.excuse not in _NONE_AT_ALL


def is_refused(severity: Severity, facts: FindingFacts, *, kind: VerdictKind, fail_on: str) -> bool:
    """Tell whether an item failed by a finding because it was new.

    Args:
        severity: The finding's.
        facts: What is known of it.
        kind: The verdict that it is of.
        fail_on: The item's threshold.
    """
    if not asks_for_new(fail_on) or facts.excuse is not None:
        return False
    if facts.state not in (FindingState.NEW, FindingState.REGRESSED):
        return False
    return kind is VerdictKind.FAIL or severity.rank >= Severity(severity_of(fail_on)).rank


class PastRun(NamedTuple):
    """A run that has ended, as far as later ones are compared with it.

    Args:
        run_id: Its id.
        began: When it began, in seconds since the epoch.
        commit: The commit that was checked out.
        found: What was found, by the node ids of all items that were judged.
    """

    run_id: str
    began: float
    commit: str | None
    found: Mapping[str, Sequence[Claim]]


def baseline_of(
    at: PastRun, others: Iterable[PastRun], source: str, *, excuses: bool = True
) -> Baseline:
    """Return the baseline that a run makes.

    Args:
        at: The run.
        others: Other runs that have ended, in any order: what was gone by one of them, and is there
            again, has regressed.
        source: What the baseline is, in words.
        excuses: Whether what it has is excused: then it has nothing that a run failed by as new, or
            running twice would be enough.
    """
    if excuses:
        at, *others = (_without_refused(run) for run in (at, *others))
    runs = sorted((run for run in others if run.run_id != at.run_id), key=lambda run: run.began)
    findings: list[PastFinding] = []
    for run in runs:
        if run.began < at.began:
            findings = _after(findings, run, growing=True).findings
    findings, seen = _after(findings, at, growing=True)
    # What it did not look for is no part of it.
    findings = [
        replace(one, status=PastStatus.FORMER) if one.status.is_over else one
        for number, one in enumerate(findings)
        if number in seen or one.status.is_over
    ]
    for run in runs:
        if run.began >= at.began:
            findings = _after(findings, run, growing=False).findings
    return Baseline(source=source, run_id=at.run_id, commit=at.commit, findings=tuple(findings))


def _without_refused(run: PastRun) -> PastRun:
    found = {
        item: [claim for claim in claims if not claim.refused] for item, claims in run.found.items()
    }
    return run._replace(found=found)


class FoundAgain(NamedTuple):
    """A finding of a run, what it is against the baseline, and the node id of its item."""

    state: FindingState
    item: str
    claim: Claim


class Difference(NamedTuple):
    """A run against a baseline.

    Args:
        baseline: The baseline.
        run_id: The run.
        found: What the run found.
        gone: What the baseline has, and the run looked for and did not find.
        not_looked_for: What the baseline has, and none of whose items the run judged.
    """

    baseline: Baseline
    run_id: str
    found: Sequence[FoundAgain]
    gone: Sequence[PastFinding]
    not_looked_for: Sequence[PastFinding]

    def of(self, state: FindingState) -> list[FoundAgain]:
        """Return the findings of a state."""
        return [one for one in self.found if one.state is state]

    @property
    def counts(self) -> dict[str, int]:
        """Return how many there are of each."""
        return {
            **{state.value: len(self.of(state)) for state in FindingState},
            "gone": len(self.gone),
            "not looked for": len(self.not_looked_for),
        }


def difference(baseline: Baseline, run: PastRun) -> Difference:
    """Return a run against a baseline."""
    found: list[FoundAgain] = []
    again: set[int | None] = set()
    comparer = Comparer(baseline)
    for item, claims in run.found.items():
        again.update(comparer.recognised(claims))
        for claim, state in zip(claims, comparer.states(claims), strict=True):
            if state is not None:
                found.append(FoundAgain(state, item, claim))
    gone: list[PastFinding] = []
    not_looked_for: list[PastFinding] = []
    for at, one in enumerate(baseline.findings):
        if at in again or one.status is PastStatus.FORMER:
            continue
        looked_for = any(item in run.found for item in one.items)
        (gone if looked_for else not_looked_for).append(one)
    return Difference(baseline, run.run_id, found, gone, not_looked_for)


class Comparer:
    """Compares verdicts with one baseline, whose findings are looked through once.

    Args:
        baseline: The baseline.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._past = baseline.findings
        self._index = _Index(baseline.findings)

    def states(self, claims: Sequence[Claim]) -> list[FindingState | None]:
        """Return what each finding of one verdict is; None for none at all."""
        return [
            _state(claim, None if at is None else self._past[at])
            for claim, at in zip(claims, self.recognised(claims), strict=True)
        ]

    def recognised(self, claims: Sequence[Claim]) -> list[int | None]:
        """Return which earlier finding each of one verdict is, by its place in the baseline.

        An earlier finding is at one place: another line with the same text is a new one. The best
        pairs are made first.
        """
        return self._index.recognised(claims)


def _state(claim: Claim, past: PastFinding | None) -> FindingState | None:
    if not claim.counts:
        return None
    if past is None:
        return FindingState.NEW
    known = past.status is PastStatus.KNOWN and claim.excuse is not Excuse.KNOWN
    if known or past.status.is_over:
        return FindingState.REGRESSED
    return FindingState.OPEN


class _After(NamedTuple):
    """Findings after one more run, and the places in the list of those that it found."""

    findings: list[PastFinding]
    seen: set[int]


def _after(findings: Sequence[PastFinding], run: PastRun, *, growing: bool) -> _After:
    """Return findings after one more run.

    Args:
        findings: The findings before it.
        run: The run.
        growing: Whether what it found belongs to the baseline; else it tells only what is gone.
    """
    index = _Index(findings)
    told: dict[int, list[tuple[str, Claim]]] = defaultdict(list)
    made = list(findings)
    for item, claims in run.found.items():
        for at, claim in zip(index.recognised(claims), claims, strict=True):
            if at is not None:
                told[at].append((item, claim))
            elif claim.counts and growing:
                told[len(made)].append((item, claim))
                made.append(_first_seen(claim))
                index.add(made[-1])
    for at, one in enumerate(made):
        if at in told:
            made[at] = _seen_again(one, told[at], growing=growing)
        elif not one.status.is_over and any(item in run.found for item in one.items):
            made[at] = replace(one, status=PastStatus.GONE)
    return _After(made, set(told))


def _first_seen(claim: Claim) -> PastFinding:
    seen = claim.seen
    return PastFinding(
        status=PastStatus.OPEN,
        severity=claim.severity,
        message=claim.message,
        path=seen.path,
        line=seen.line,
        rule=seen.rule,
        anchor=seen.anchor,
    )


def _seen_again(
    past: PastFinding, told: Sequence[tuple[str, Claim]], *, growing: bool
) -> PastFinding:
    """Return a finding as the last run saw it."""
    last = _first_seen(told[-1][1])
    items = dict.fromkeys(chain(past.items, (item for item, _ in told)))
    known = all(claim.excuse is Excuse.KNOWN for _, claim in told)
    status = PastStatus.KNOWN if known else PastStatus.OPEN
    return replace(last, status=status if growing else past.status, items=tuple(items))


class _Pair(NamedTuple):
    """That a finding may be an earlier one; the best pair is the least."""

    by: int
    is_over: bool
    apart: int
    claim: int
    past: int


class _Index:
    """Earlier findings by what they may be recognised by."""

    def __init__(self, findings: Iterable[PastFinding]) -> None:
        self._all: list[PastFinding] = []
        #: For each key their lines and numbers, sorted.
        self._by: dict[object, list[tuple[int, int]]] = defaultdict(list)
        for one in findings:
            self.add(one)

    def add(self, past: PastFinding) -> None:
        number = len(self._all)
        self._all.append(past)
        rule = rule_key(past.rule)
        keys: list[object] = [("words", past.path, rule, past.message)]
        if past.anchor is not None:
            keys.append(past.anchor)
        if rule is not None:
            keys.append((past.path, rule))
        for key in keys:
            insort(self._by[key], (past.line or 0, number))

    def _near(self, key: object, line: int | None) -> list[int]:
        """Return the earlier findings of a key that are nearest to a line, a few of them.

        An agent may find the same thing ten thousand times: not every two of them are compared.
        """
        some = self._by.get(key, [])
        middle = bisect_left(some, (line or 0, 0))
        return [number for _, number in some[max(0, middle - _MOST_NEAR) : middle + _MOST_NEAR]]

    def recognised(self, claims: Sequence[Claim]) -> list[int | None]:
        found: list[int | None] = [None] * len(claims)
        taken: dict[int, object] = {}
        counted = ((at, claim) for at, claim in enumerate(claims) if claim.counts)
        for pair in sorted(pair for at, claim in counted for pair in self._pairs(at, claim)):
            place = claims[pair.claim].seen.place
            if found[pair.claim] is None and taken.setdefault(pair.past, place) == place:
                found[pair.claim] = pair.past
        return found

    def _pairs(self, at: int, claim: Claim) -> Iterator[_Pair]:
        seen = claim.seen
        if seen.anchor is not None:
            for number in self._near(seen.anchor, seen.line):
                if _may_be(self._all[number], claim):
                    yield self._pair(0, number, at, claim)
        rule = rule_key(seen.rule)
        by_rule = self._near((seen.path, rule), seen.line) if seen.path and rule else ()
        by_words = self._near(("words", seen.path, rule, claim.message), seen.line)
        for by, numbers in enumerate((by_rule, by_words), 1):
            for number in numbers:
                if _are_near(self._all[number].line, seen.line):
                    yield self._pair(by, number, at, claim)

    def _pair(self, by: int, number: int, at: int, claim: Claim) -> _Pair:
        past = self._all[number]
        apart = abs((past.line or 0) - (claim.seen.line or 0))
        return _Pair(by, past.status.is_over, apart, at, number)


def _may_be(past: PastFinding, claim: Claim) -> bool:
    """Tell whether a finding at the line of an earlier one may be that.

    Where one of them has no rule, a worse one is another: a line may have more than one defect.
    """
    if past.rule and claim.seen.rule:
        return is_same_rule(past.rule, claim.seen.rule)
    return claim.severity.rank <= past.severity.rank


def _are_near(one: int | None, other: int | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= NEARBY_LINES
