"""What an agent's work comes to: a verdict with its findings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing an agent found."""

    severity: Severity
    message: str
    path: str | None = None
    line: int | None = None
    rule: str | None = None

    @property
    def location(self) -> str:
        """Return `path:line`, `path`, or the empty string."""
        if self.path is None:
            return ""
        return self.path if self.line is None else f"{self.path}:{self.line}"

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON, without the fields that it does not have."""
        fields = {"path": self.path, "line": self.line, "rule": self.rule}
        present = {name: value for name, value in fields.items() if value is not None}
        return {"severity": self.severity.value, "message": self.message, **present}


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What an agent recorded about its task: what a test reads through the fixture `ptc`."""

    verdict: VerdictKind
    summary: str
    findings: tuple[Finding, ...] = ()
    data: Any = None
    #: Its task's threshold: a finding of this severity or worse makes it no pass; `verdict`: none.
    fail_on: str = "verdict"

    @property
    def passed(self) -> bool:
        """Tell whether the verdict is `pass`, without a finding as bad as its task's `fail_on`."""
        return self.verdict is VerdictKind.PASS and not self.blocking

    @property
    def blocking(self) -> list[Finding]:
        """Return the findings, beside a pass or a skip, that are as bad as its task's `fail_on`."""
        if self.fail_on == "verdict" or self.verdict not in (VerdictKind.PASS, VerdictKind.SKIP):
            return []
        return self.findings_at_least(self.fail_on)

    def findings_at_least(self, severity: Severity | str) -> list[Finding]:
        """Return the findings of this severity or worse, in the order recorded.

        Raises:
            ValueError: The severity is not one of info, low, medium, high, critical.
        """
        floor = Severity(severity).rank
        return [finding for finding in self.findings if finding.severity.rank >= floor]

    def to_json(self) -> dict[str, Any]:
        """Return the verdict in the form an agent records it."""
        return {
            "verdict": self.verdict.value,
            "summary": self.summary,
            "findings": [finding.to_json() for finding in self.findings],
            "data": self.data,
        }
