"""The nouns of a run: tasks, verdicts, troubles, attempts and results.

Pure: no input or output, no clock. Everything here is frozen and travels as plain JSON through
`to_json`; a verdict comes back from JSON only through `verdicts.py`, the trust boundary.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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


class Cause(str, Enum):
    """Why a task ended without a verdict that counts; the value is what a reader sees."""

    NO_VERDICT = "no verdict"
    MALFORMED = "malformed verdict"
    UNREADABLE = "records unreadable"
    CONTRADICTED = "contradicted verdict"
    AGENT_MISSING = "agent not found"
    AGENT_FAILED = "agent failed"
    CLIENT_VERSION = "client version"
    NO_TASK_TOOLS = "task tools missing"
    WRONG_LIST = "wrong task list"
    PERMISSION_MODE = "permission mode refused"
    DIALOG = "dialog open"
    LOGIN = "login"
    QUOTA = "quota"
    RATE_LIMIT = "rate limit"
    OVERLOADED = "overloaded"
    API = "API error"
    MODEL = "model not found"
    CONTEXT = "context overflow"
    REFUSAL = "refusal"
    MAX_TURNS = "max turns"
    BUDGET = "budget spent"
    NO_EVIDENCE = "no evidence"
    TIMEOUT = "timeout"
    RUN_TIMEOUT = "run timeout"
    WORKER_LOST = "worker lost"
    NO_WORKERS = "no workers"
    CLAIM_LOST = "claim lost"
    WORKTREE = "worktree"
    NEEDS = "needs unmet"
    STOPPED = "run stopped"
    MACHINERY = "machinery"

    def __str__(self) -> str:
        return self.value


#: Causes that another attempt may mend. The others would only spend again: the command stays
#: missing, the needed task stays failed, the run stays stopped; and records that cannot be read may
#: hold a fail, which no later pass outweighs.
RETRYABLE = frozenset(
    {
        Cause.NO_VERDICT,
        Cause.MALFORMED,
        Cause.CONTRADICTED,
        Cause.NO_EVIDENCE,
        Cause.AGENT_FAILED,
        Cause.RATE_LIMIT,
        Cause.OVERLOADED,
        Cause.API,
        Cause.TIMEOUT,
        Cause.WORKER_LOST,
        Cause.CLAIM_LOST,
        Cause.WORKTREE,
        Cause.MACHINERY,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """Why a task has no verdict that counts, with what was last seen of it.

    Args:
        cause: The kind of trouble.
        message: One sentence for a person, with the mend where we know one.
        evidence: The last lines of the agent's output or of the worker's pane.
        final: No other attempt is made, whatever the cause: the agent said fail, though not in a
            valid verdict.
    """

    cause: Cause
    message: str
    evidence: str = ""
    final: bool = False

    @property
    def retryable(self) -> bool:
        """Tell whether another attempt may mend it."""
        return self.cause in RETRYABLE and not self.final

    def after_fail(self) -> Trouble:
        """Return the same trouble of an agent that said fail: it is not tried again."""
        if self.final:
            return self
        message = f"{self.message}; it said fail: not tried again"
        return replace(self, message=message, final=True)

    def beside(self, settled: Trouble) -> Trouble:
        """Return this trouble as that of an agent whose records came to the other one."""
        if not settled.final:
            return self
        return replace(self, message=f"{self.message}; {settled.message}", final=True)

    def to_json(self) -> dict[str, Any]:
        """Return the trouble as JSON."""
        return {
            "cause": self.cause.value,
            "message": self.message,
            "evidence": self.evidence,
            "final": self.final,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Trouble:
        """Return the trouble that `to_json` wrote."""
        return cls(
            cause=Cause(value["cause"]),
            message=value["message"],
            evidence=value["evidence"],
            # Journals of before it was there say nothing of it.
            final=bool(value.get("final", False)),
        )

    def __str__(self) -> str:
        return f"{self.cause}: {self.message}"


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSpec:
    """What one test asks of an agent; every default is already applied.

    Args:
        nodeid: The test's node id, or `<nodeid>::submit[n]` for work a test submits itself.
        source: The file that the test comes from, relative to the top of its repository, else
            absolute: two tests of one node id are told apart by it in a later run.
        prompt: The text for the agent, filled.
        params: The parameters and the session fixtures the prompt names, as plain JSON.
        timeout: Seconds that one attempt may take.
        retries: How many more attempts a retryable trouble gets.
        cwd: The agent's working directory, absolute.
        env: Variables added to the agent's environment.
        needs: Node ids of the tasks that must pass first.
        gate: Whether a verdict of fail fails the test.
        require_evidence: Whether a pass or skip of an agent that used no tool is an error.
        isolation: `worktree` for an own copy of the repository; None for `cwd` itself.
        ref: The commit that the copy is at, in full.
        base: The commit whose difference to `ref` is put behind the prompt, in full.
        fail_on: A severity from which on a finding fails the test, though its verdict is a pass or
            a skip; `verdict` for none.
        on_skip: What a verdict of skip makes of the test: `skip` or `error`.
        schema: JSON Schema that the verdict's `data` must meet.
        model: The model asked for, in the agent's own words.
        tools: The tools the agent may use; None for the agent's default.
        permission_mode: Claude Code's permission mode.
        max_turns: The most turns an agent may take.
        budget_usd: The most an attempt may cost, in US dollars.
    """

    nodeid: str
    prompt: str
    timeout: float
    cwd: str
    source: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    retries: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    gate: bool = True
    require_evidence: bool = False
    fail_on: str = "verdict"
    on_skip: str = "skip"
    isolation: str | None = None
    ref: str | None = None
    base: str | None = None
    schema: Mapping[str, Any] | None = None
    model: str | None = None
    tools: tuple[str, ...] | None = None
    permission_mode: str | None = None
    max_turns: int | None = None
    budget_usd: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the spec as JSON, one key a field."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name in self.__slots__
            for value in [getattr(self, name)]
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TaskSpec:
        """Return the spec that `to_json` wrote."""
        fields = dict(value)
        fields["needs"] = tuple(fields["needs"])
        if fields["tools"] is not None:
            fields["tools"] = tuple(fields["tools"])
        return cls(**fields)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One go at a task by one worker; its name is `<task id>.<number>`."""

    task_id: str
    number: int
    worker: str

    @property
    def name(self) -> str:
        """Return the attempt's name, unique in its run."""
        return f"{self.task_id}.{self.number}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What an attempt cost, by the agent's own accounting.

    Args:
        input_tokens: Tokens read without the cache.
        output_tokens: Tokens written.
        cache_read_tokens: Tokens read from the cache.
        cache_write_tokens: Tokens written to the cache.
        cost_usd: US dollars, an estimate of the agent's; None where it could not say, as after a
            crash.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None

    def __post_init__(self) -> None:
        if not all(isinstance(number, int) and number >= 0 for number in self.numbers):
            raise ValueError("tokens are counted in whole numbers from 0")
        if self.cost_usd is not None and not (
            isinstance(self.cost_usd, float | int) and self.cost_usd >= 0
        ):
            raise ValueError("a cost is a number of US dollars from 0")

    def __add__(self, other: Usage) -> Usage:
        return Usage.of(_added(self.numbers, other.numbers), _summed(self.cost_usd, other.cost_usd))

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        """Return the four counts, in the order of the fields."""
        return (
            self.input_tokens,
            self.output_tokens,
            self.cache_read_tokens,
            self.cache_write_tokens,
        )

    @property
    def tokens(self) -> int:
        """Return all tokens together."""
        return sum(self.numbers)

    @classmethod
    def of(cls, numbers: Sequence[int], cost_usd: float | None = None) -> Usage:
        """Return the usage of these four counts, in the order of the fields."""
        return cls(
            input_tokens=numbers[0],
            output_tokens=numbers[1],
            cache_read_tokens=numbers[2],
            cache_write_tokens=numbers[3],
            cost_usd=cost_usd,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the usage as JSON, one key a field."""
        return {name: getattr(self, name) for name in self.__slots__}


def _added(ours: Sequence[int], theirs: Sequence[int]) -> list[int]:
    return [one + other for one, other in zip(ours, theirs, strict=True)]


def _summed(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptReport:
    """How an attempt ended: exactly one of `verdict` and `trouble` is there.

    Args:
        attempt: The attempt.
        verdict: What the agent recorded.
        trouble: Why nothing recorded counts.
        seconds: How long it took, on the worker's monotonic clock.
        usage: What it cost; None for an agent that does not account for it.
        about: Facts for whoever looks back: the client's version, the model, the session, the
            transcript's file name; plain JSON.
    """

    attempt: Attempt
    seconds: float
    verdict: Verdict | None = None
    trouble: Trouble | None = None
    usage: Usage | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.verdict is None) == (self.trouble is None):
            raise ValueError("a report has either a verdict or a trouble")

    @property
    def said_fail(self) -> bool:
        """Tell whether the agent said fail: then there is no other attempt."""
        if self.verdict is not None:
            return self.verdict.verdict is VerdictKind.FAIL
        return self.trouble is not None and self.trouble.final

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "task": self.attempt.task_id,
            "attempt": self.attempt.number,
            "worker": self.attempt.worker,
            "seconds": round(self.seconds, 6),
            "verdict": self.verdict.to_json() if self.verdict else None,
            "trouble": self.trouble.to_json() if self.trouble else None,
            "usage": self.usage.to_json() if self.usage else None,
            "about": dict(self.about),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A verdict of an earlier run that stands in this one.

    Args:
        run_id: The run that recorded it.
        report: Its attempt's report.
        content: What the agent could see, and what this run sees, as JSON (`contents.py`).
    """

    run_id: str
    report: AttemptReport
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How a task ended, after its last attempt: what an item's outcome is made of.

    Args:
        task_id: The task's id on the shared list.
        spec: What was asked.
        reports: Every attempt's report, in order; empty where none was made.
        trouble_outside: Set where it ended outside an attempt (stopped, needs unmet, no workers).
        resumed: The earlier run whose verdict this is; None if the task was run in this one.
    """

    task_id: str
    spec: TaskSpec
    reports: tuple[AttemptReport, ...] = ()
    trouble_outside: Trouble | None = None
    resumed: str | None = None

    @property
    def verdict(self) -> Verdict | None:
        """Return the verdict that counts, if there is one."""
        return None if self.trouble_outside or not self.reports else self.reports[-1].verdict

    @property
    def trouble(self) -> Trouble | None:
        """Return why there is no verdict, if there is none."""
        if self.trouble_outside or not self.reports:
            return self.trouble_outside
        return self.reports[-1].trouble

    @property
    def worker(self) -> str | None:
        """Return the worker of the last attempt."""
        return self.reports[-1].attempt.worker if self.reports else None

    @property
    def shown_verdict(self) -> Verdict | None:
        """Return the verdict as tests see it: it knows its task's `fail_on`."""
        verdict = self.verdict
        return None if verdict is None else replace(verdict, fail_on=self.spec.fail_on)

    @property
    def blocking(self) -> list[Finding]:
        """Return the findings for which the test fails though its verdict is a pass or a skip."""
        verdict = self.shown_verdict
        return verdict.blocking if verdict is not None and self.spec.gate else []

    @property
    def refused(self) -> bool:
        """Tell whether its verdict, or a finding in it, fails the test."""
        verdict = self.verdict
        failed = verdict is not None and verdict.verdict is VerdictKind.FAIL and self.spec.gate
        return failed or bool(self.blocking)

    @property
    def judged(self) -> bool:
        """Tell whether an agent has judged the item: a verdict of error or skip is no judgement."""
        verdict = self.verdict
        return verdict is not None and verdict.verdict in (VerdictKind.PASS, VerdictKind.FAIL)

    @property
    def unlooked(self) -> bool:
        """Tell whether its verdict is a pass for which the agent used no tool."""
        passed = self.verdict is not None and self.verdict.passed
        return passed and self.reports[-1].about.get("tool_calls") == 0

    @property
    def seconds(self) -> float:
        """Return the time all attempts took together."""
        return sum(report.seconds for report in self.reports)

    @property
    def usage(self) -> Usage | None:
        """Return what all attempts cost together; None if no agent accounted for any."""
        usages = [report.usage for report in self.reports if report.usage is not None]
        return sum(usages[1:], usages[0]) if usages else None
