"""What an agent's work comes to: a verdict with its findings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from pytest_ptc.model.choices import severity_of


class VerdictKind(str, Enum):
    """What an agent may record about its task."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    SKIP = "skip"
    ERROR = "error"

    def __str__(self) -> str:
        return self.value


class Severity(str, Enum):
    """How bad a finding is; ordered from `INFO` to `CRITICAL`."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    def __str__(self) -> str:
        return self.value

    @property
    def rank(self) -> int:
        """Return 0 for `INFO` up to 4 for `CRITICAL`."""
        return list(Severity).index(self)


class Excuse(str, Enum):
    """Why a finding does not block its item; it stays listed everywhere."""

    OUTVOTED = "outvoted"
    REFUTED = "refuted"
    PRE_EXISTING = "pre-existing"
    KNOWN = "known"
    BASELINE = "in the baseline"
    UNPLACED = "unplaced"

    def __str__(self) -> str:
        return self.value


class FindingState(str, Enum):
    """What a finding is against a baseline, which is an earlier run."""

    NEW = "new"
    OPEN = "open"
    #: It was gone since, or was a known one.
    REGRESSED = "regressed"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingFacts:
    """What we know of a finding beside what its agent says.

    Args:
        anchor: Hash of its path from the top of the repository, and of the text of its line with
            white space normalised: the same wherever in the file that line is. None where it has
            no line, or nobody could look.
        touched: Whether the change under review touches its place, as `gate_on` has it; None where
            nobody looked.
        misplaced: Why its path is no place in what was reviewed; empty where it is one, where it
            has none, and where nobody looked.
        named_by: How many votes name it; None for a task without votes.
        votes: How many votes there are.
        check: What a verifier says of it: `confirmed`, `plausible`, `refuted`; or why none did.
        state: What it is against the baseline; None without one.
        excuse: Why it does not block; None if nothing excuses it.
        why: What there is to say of the excuse: the reason of a known finding, the line that a
            verifier quotes.
    """

    anchor: str | None = None
    touched: bool | None = None
    misplaced: str = ""
    named_by: int | None = None
    votes: int | None = None
    check: str | None = None
    state: FindingState | None = None
    excuse: Excuse | None = None
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the facts that are known, as JSON."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        known = {name: value for name, value in fields.items() if value not in (None, "")}
        return {
            name: value.value if isinstance(value, Enum) else value for name, value in known.items()
        }


#: The facts of a finding of which nothing is known.
NO_FACTS = FindingFacts()


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing an agent found.

    Args:
        severity: How bad it is.
        message: What it is.
        path: The file, from the agent's directory.
        line: The line, from 1.
        rule: What it violates, in a word or two.
        quote: The text of that line, as the agent read it.
        facts: What we know of it.
    """

    severity: Severity
    message: str
    path: str | None = None
    line: int | None = None
    rule: str | None = None
    quote: str | None = None
    facts: FindingFacts = NO_FACTS

    @property
    def has_place(self) -> bool:
        """Tell whether it stands in a file, as far as anybody knows."""
        return self.path is not None and not self.facts.misplaced

    @property
    def location(self) -> str:
        """Return `path:line`, `path`, or the empty string."""
        if self.path is None:
            return ""
        return self.path if self.line is None else f"{self.path}:{self.line}"

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON, without the fields that it does not have."""
        fields = {"path": self.path, "line": self.line, "rule": self.rule, "quote": self.quote}
        present = {name: value for name, value in fields.items() if value is not None}
        facts = {} if self.facts == NO_FACTS else {"facts": self.facts.to_json()}
        return {"severity": self.severity.value, "message": self.message, **present, **facts}

    def with_facts(self, **facts: Any) -> Finding:
        """Return the finding with some of its facts changed."""
        return replace(self, facts=replace(self.facts, **facts))


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What an agent recorded about its task: what a test reads through the fixture `ptc`.

    Args:
        verdict: What it comes to.
        summary: It in one or two sentences.
        findings: What was found.
        data: What the task's `schema` asks for.
        fail_on: Its task's threshold: a finding of this severity or worse makes it no pass;
            `verdict`: none.
        checked: What it is based on: each a file, a request, a claim that was looked at.
        open: What its agent could not look at.
        stands: Whether votes without findings make it a fail: then no excuse of a finding sets it
            aside.
    """

    verdict: VerdictKind
    summary: str
    findings: tuple[Finding, ...] = ()
    data: Any = None
    fail_on: str = "verdict"
    checked: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    stands: bool = False

    @property
    def set_aside(self) -> bool:
        """Tell whether it is a fail that does not count: each of its findings is excused.

        A fail without findings always counts: nothing can be checked of it.
        """
        excused = bool(self.findings) and not self._standing and not self.stands
        return self.verdict is VerdictKind.FAIL and excused

    @property
    def counts_as(self) -> VerdictKind:
        """Return what its item's outcome is made of: a fail that is set aside counts as a pass."""
        return VerdictKind.PASS if self.set_aside else self.verdict

    @property
    def passed(self) -> bool:
        """Tell whether it counts as a pass, without a finding as bad as its task's `fail_on`."""
        return self.counts_as is VerdictKind.PASS and not self.blocking

    @property
    def blocking(self) -> list[Finding]:
        """Return the findings, beside a pass or a skip, that are as bad as its task's `fail_on`.

        What is not new is excused, where `fail_on` asks for what is.
        """
        if self.fail_on == "verdict" or self.verdict not in (VerdictKind.PASS, VerdictKind.SKIP):
            return []
        floor = Severity(severity_of(self.fail_on)).rank
        return [finding for finding in self._standing if finding.severity.rank >= floor]

    @property
    def _standing(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.facts.excuse is None]

    def findings_at_least(self, severity: Severity | str) -> list[Finding]:
        """Return the findings of this severity or worse, in the order recorded.

        Raises:
            ValueError: The severity is not one of info, low, medium, high, critical.
        """
        floor = Severity(severity).rank
        return [finding for finding in self.findings if finding.severity.rank >= floor]

    def to_json(self) -> dict[str, Any]:
        """Return the verdict in the form an agent records it."""
        looked = {"checked": list(self.checked), "open": list(self.open)}
        return {
            "verdict": self.verdict.value,
            "summary": self.summary,
            "findings": [finding.to_json() for finding in self.findings],
            "data": self.data,
            **{name: texts for name, texts in looked.items() if texts},
            **({"stands": True} if self.stands else {}),
        }
