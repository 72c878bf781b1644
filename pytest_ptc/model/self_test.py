"""Tests of the judge: planted defects that it must name, and clean items that it must pass. Pure.

A canary is an item with a planted defect: its agent must refuse it, and name that defect in one
finding. A control is a clean item: its agent must pass it. Both are decided by the verdict as it
was recorded. That a finding is known, in the baseline, or older than the change says nothing of the
judge, and hides no planted defect. Votes and verification are a part of the judge: a finding that
they have taken back (outvoted, refuted) finds nothing, because they would take back a real one too.

Whoever could not be asked, and whoever skips, has found nothing and cleared nothing.
"""

from __future__ import annotations

import math
import posixpath
import re
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pytest_ptc.model.choices import severity_of
from pytest_ptc.model.verdict import Excuse, Severity, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_ptc.model.verdict import Finding, Verdict

#: A finding this many lines from the planted defect is still at it: agents count differently.
NEAR_LINES = 3
#: Characters of a finding's message that a pattern is looked for in.
MAX_MESSAGE_CHARS = 8000
#: Items that are named beside a rate.
MAX_NAMES = 3

#: Excuses by which the judge itself takes a finding back.
_TAKEN_BACK = frozenset({Excuse.OUTVOTED, Excuse.REFUTED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """The finding that must be there; rules and message are alternatives, one of them is enough.

    Args:
        path: The file of the planted defect, from the agent's directory.
        rules: Rules that a finding may give it, whatever their case and separators.
        message: A pattern that is looked for in a finding's message.
        line: Its line, from 1; None for any line of the file.
    """

    path: str
    rules: tuple[str, ...] = ()
    message: str | None = None
    line: int | None = None

    @property
    def text(self) -> str:
        """Return what is expected, in a few words."""
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        names = [*self.rules, *([] if self.message is None else [f"/{self.message}/"])]
        return f"{place} {' or '.join(names)}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "path": self.path,
            "rules": list(self.rules),
            "message": self.message,
            "line": self.line,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class SelfTest:
    """What an item tests of the judge.

    Args:
        kind: Whether it has a planted defect, or is clean.
        expect: The finding that must be there; None for a control.
        tolerated: Whether a miss alone is no failure, because the run has a minimum rate.
    """

    kind: Literal["canary", "control"]
    expect: Expectation | None = None
    tolerated: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        expect = None if self.expect is None else self.expect.to_json()
        return {"kind": self.kind, "expect": expect, "tolerated": self.tolerated}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SelfTest:
        """Return what `to_json` wrote."""
        expect = value["expect"]
        if expect is not None:
            expect = Expectation(**{**expect, "rules": tuple(expect["rules"])})
        return cls(kind=value["kind"], expect=expect, tolerated=value["tolerated"])


class JudgeOutcome(str, Enum):
    """What a test of the judge came to."""

    #: The planted defect is named.
    FOUND = "found"
    #: It is not.
    MISSED = "missed"
    #: The clean item passed.
    CLEARED = "cleared"
    #: It did not.
    REFUSED = "refused"
    #: No verdict of pass or fail: nothing was tested.
    UNJUDGED = "not judged"

    @property
    def good(self) -> bool:
        return self in (JudgeOutcome.FOUND, JudgeOutcome.CLEARED)

    @property
    def wrong(self) -> bool:
        """Tell whether the judge has judged, and erred."""
        return self in (JudgeOutcome.MISSED, JudgeOutcome.REFUSED)


def outcome_of(test: SelfTest, verdict: Verdict | None, *, cwd: str, fail_on: str) -> JudgeOutcome:
    """Return what a test of the judge came to.

    Args:
        test: The test.
        verdict: What was recorded; None where nothing counts.
        cwd: The agent's directory, which paths count from.
        fail_on: The severity from which on a finding refuses an item; `verdict` for none.
    """
    if verdict is None or verdict.verdict not in (VerdictKind.PASS, VerdictKind.FAIL):
        return JudgeOutcome.UNJUDGED
    refuses = _refuses(verdict, fail_on)
    if test.expect is None:
        return JudgeOutcome.REFUSED if refuses else JudgeOutcome.CLEARED
    expect = test.expect
    named = any(names(finding, expect, cwd) for finding in _own(verdict))
    return JudgeOutcome.FOUND if refuses and named else JudgeOutcome.MISSED


def _own(verdict: Verdict) -> list[Finding]:
    """Return the findings that the judge stands by, excused by others or not."""
    return [one for one in verdict.findings if one.facts.excuse not in _TAKEN_BACK]


def _refuses(verdict: Verdict, fail_on: str) -> bool:
    own = _own(verdict)
    if verdict.verdict is VerdictKind.FAIL:
        return bool(own) or not verdict.findings or verdict.stands
    if fail_on == "verdict":
        return False
    # That a finding is not new says nothing of the judge.
    floor = Severity(severity_of(fail_on)).rank
    return any(finding.severity.rank >= floor for finding in own)


def names(finding: Finding, expect: Expectation, cwd: str) -> bool:
    """Tell whether one finding names the planted defect: its place, and what it is."""
    if finding.path is None or _full(finding.path, cwd) != _full(expect.path, cwd):
        return False
    if expect.line is not None and (
        finding.line is None or abs(finding.line - expect.line) > NEAR_LINES
    ):
        return False
    if finding.rule is not None and _rule(finding.rule) in map(_rule, expect.rules):
        return True
    if expect.message is None:
        return False
    return re.search(expect.message, finding.message[:MAX_MESSAGE_CHARS]) is not None


def _full(path: str, cwd: str) -> str:
    return posixpath.normpath(posixpath.join(cwd, path))


def _rule(name: str) -> str:
    """Return a rule as agents mean it: they write the same one in several ways."""
    return re.sub(r"[\W_]+", "-", name.casefold()).strip("-")


def outcome_text(
    test: SelfTest, verdict: Verdict | None, outcome: JudgeOutcome, *, cwd: str
) -> str:
    """Return in words what a test of the judge came to."""
    match outcome:
        case JudgeOutcome.FOUND:
            return "planted defect found"
        case JudgeOutcome.CLEARED:
            return "control passed"
        case JudgeOutcome.REFUSED:
            return "control refused"
        case JudgeOutcome.UNJUDGED:
            return f"the {test.kind} was not judged"
    assert test.expect is not None, "only a canary can be missed"
    text = f"planted defect missed: no finding names {test.expect.text}"
    taken = [
        finding.facts.excuse
        for finding in (verdict.findings if verdict is not None else ())
        if finding.facts.excuse in _TAKEN_BACK and names(finding, test.expect, cwd)
    ]
    if taken:
        return f"planted defect missed: its finding was {taken[0]}"
    named = verdict is not None and any(names(one, test.expect, cwd) for one in verdict.findings)
    return "planted defect missed: it is named, and the verdict is a pass" if named else text


# --- rates


class JudgedTest(NamedTuple):
    """A test of the judge, and what it came to."""

    nodeid: str
    test: SelfTest
    outcome: JudgeOutcome


class Minimums(NamedTuple):
    """What a judge must reach, as written: `0.8`; empty for no minimum.

    Args:
        catch: The least part of the planted defects that is found: `--ptc-min-catch`.
        false_alarm: The largest part of the controls that is refused: `--ptc-max-false-alarm`.
    """

    catch: str = ""
    false_alarm: str = ""


NO_MINIMUMS = Minimums()


class Rate(NamedTuple):
    """How often the judge was right about items of one kind, and about which it was not.

    Args:
        total: How many there are.
        wrong: The node ids of those that it judged wrongly.
        unjudged: The node ids of those that it did not judge; they count as wrong.
    """

    total: int
    wrong: tuple[str, ...]
    unjudged: tuple[str, ...]

    @property
    def bad(self) -> int:
        return len(self.wrong) + len(self.unjudged)

    @property
    def good(self) -> int:
        return self.total - self.bad

    @property
    def names(self) -> str:
        """Return which were judged wrongly, or not at all, as many as are named; else nothing."""
        return _some([*self.wrong, *(f"{one} (not judged)" for one in self.unjudged)])


def _some(names: Sequence[str]) -> str:
    more = f", +{len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more


class Blind(NamedTuple):
    """Why a judge is blind.

    Args:
        text: In words for a person.
        judged: Whether its verdicts are the reason; else some are missing.
    """

    text: str
    judged: bool


class JudgeReport(NamedTuple):
    """How the judge of a run did in its tests."""

    canaries: Rate
    controls: Rate
    minimums: Minimums = NO_MINIMUMS
    #: Whether the run meant to judge anything.
    judges: bool = True

    @classmethod
    def of(
        cls, tested: Iterable[JudgedTest], minimums: Minimums = NO_MINIMUMS, *, judges: bool = True
    ) -> JudgeReport:
        """Return how the judge did.

        Args:
            tested: All tests of it.
            minimums: What it must reach.
            judges: Whether the run meant to judge anything, be it another item.
        """
        every = list(tested)
        return cls(_rate(every, "canary"), _rate(every, "control"), minimums, judges)

    @property
    def tested(self) -> bool:
        return bool(self.canaries.total or self.controls.total)

    @property
    def text(self) -> str:
        """Return how it did in a line: the numbers, then what it got wrong; empty without tests."""
        canaries, controls = self.canaries, self.controls
        counts = []
        if total := canaries.total:
            counts.append(f"{canaries.good} of {total} planted defect{'s' * (total != 1)} found")
        if total := controls.total:
            counts.append(f"{controls.bad} of {total} control{'s' * (total != 1)} failed")
        named = {
            "missed": canaries.wrong,
            "failed": controls.wrong,
            "not judged": (*canaries.unjudged, *controls.unjudged),
        }
        names = [f"{word}: {_some(nodeids)}" for word, nodeids in named.items() if nodeids]
        return "; ".join([f"judge: {', '.join(counts)}", *names]) if counts else ""

    @property
    def blind(self) -> list[Blind]:
        """Return why the judge is below its minimums; empty if it is not."""
        if not self.judges:
            return []
        found = [
            _too_few_found(self.canaries, self.minimums.catch),
            _too_many_refused(self.controls, self.minimums.false_alarm),
        ]
        return [one for one in found if one is not None]


def _rate(tested: Sequence[JudgedTest], kind: str) -> Rate:
    ours = [one for one in tested if one.test.kind == kind]
    return Rate(
        len(ours),
        tuple(one.nodeid for one in ours if one.outcome.wrong),
        tuple(one.nodeid for one in ours if one.outcome is JudgeOutcome.UNJUDGED),
    )


def least_found(total: int, minimum: str) -> int:
    """Return how many of so many planted defects must be found."""
    return math.ceil(Fraction(minimum) * total)


def most_refused(total: int, maximum: str) -> int:
    """Return how many of so many controls may be refused."""
    return math.floor(Fraction(maximum) * total)


_SELECT = "select one with the tests: -k, --lf and node ids may leave it out"


def _too_few_found(rate: Rate, minimum: str) -> Blind | None:
    if not minimum:
        return None
    option = f"--ptc-min-catch={minimum}"
    if not rate.total:
        text = f"blind judge: {option}, and no planted defect (ptc_canary) is selected; {_SELECT}"
        return Blind(text, judged=False)
    least = least_found(rate.total, minimum)
    if rate.good >= least:
        return None
    text = (
        f"blind judge: {rate.good} of {rate.total} planted defects found, {option} asks for "
        f"{least}; missed: {rate.names}"
    )
    return Blind(text, judged=rate.good + len(rate.unjudged) < least)


def _too_many_refused(rate: Rate, maximum: str) -> Blind | None:
    if not maximum:
        return None
    option = f"--ptc-max-false-alarm={maximum}"
    if not rate.total:
        text = f"blind judge: {option}, and no control (ptc_control) is selected; {_SELECT}"
        return Blind(text, judged=False)
    most = most_refused(rate.total, maximum)
    if rate.bad <= most:
        return None
    text = (
        f"blind judge: {rate.bad} of {rate.total} controls failed, {option} allows {most}: "
        f"{rate.names}"
    )
    return Blind(text, judged=len(rate.wrong) > most)
