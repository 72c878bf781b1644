"""The nouns of a run: tasks, verdicts, troubles, attempts and results.

Pure: no input or output, no clock. Everything here is frozen and travels as plain JSON through
`to_json`; a verdict comes back from JSON only through `verdicts`, the trust boundary.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.content import Content
from pytest_ptc.model.self_test import JudgeOutcome, outcome_of
from pytest_ptc.model.verdict import Finding, Verdict, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_ptc.model.panel import Vote
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.trouble import Trouble
    from pytest_ptc.model.verification import Check


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One go at a task by one worker; its name is `<task id>.<number>`.

    Args:
        task_id: The task's id.
        number: Its number among those of the task, from 1.
        worker: The worker's name.
        node: The node that the worker is on, for people: it is in the journal with the worker.
    """

    task_id: str
    number: int
    worker: str
    node: str | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """Return the attempt's name, unique in its run."""
        return f"{self.task_id}.{self.number}"

    @classmethod
    def parse(cls, name: str, *, worker: str) -> Attempt:
        """Return the attempt of this name.

        Raises:
            ValueError: It is no name of an attempt.
        """
        task_id, dot, number = name.rpartition(".")
        if not (dot and task_id and number.isascii() and number.isdigit()):
            raise ValueError(f"not the name of an attempt: {name!r:.100}")
        return cls(task_id=task_id, number=int(number), worker=worker)


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
        return Usage.of(
            _add_counts(self.numbers, other.numbers), _add_costs(self.cost_usd, other.cost_usd)
        )

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


def _add_counts(ours: Sequence[int], theirs: Sequence[int]) -> list[int]:
    return [one + other for one, other in zip(ours, theirs, strict=True)]


def _add_costs(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def told_facts(about: Mapping[str, Any], tool_calls: int | None) -> dict[str, Any]:
    """Return facts about an agent as journals and reports have them: tool calls are one of them."""
    return {**about, **({} if tool_calls is None else {"tool_calls": tool_calls})}


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptReport:
    """How an attempt ended: exactly one of `verdict` and `trouble` is there.

    Args:
        attempt: The attempt.
        verdict: What the agent recorded.
        trouble: Why nothing recorded counts.
        seconds: How long it took, on the worker's monotonic clock.
        usage: What it cost; None for an agent that does not account for it.
        about: Facts about the agent: the client's version, the model, the session, the
            transcript's file name; plain JSON.
        tool_calls: The number of tool calls other than recording; None if unknown.
    """

    attempt: Attempt
    seconds: float
    verdict: Verdict | None = None
    trouble: Trouble | None = None
    usage: Usage | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    tool_calls: int | None = None

    def __post_init__(self) -> None:
        if (self.verdict is None) == (self.trouble is None):
            raise ValueError("a report has either a verdict or a trouble")
        if "tool_calls" in self.about:
            raise ValueError("tool_calls is a field, not one of the other facts")

    @classmethod
    def with_facts(cls, facts: Mapping[str, Any], **fields: Any) -> AttemptReport:
        """Return the report of these fields that has these `facts`."""
        about = {**facts}
        calls = about.pop("tool_calls", None)
        known = isinstance(calls, int) and not isinstance(calls, bool)
        return cls(**fields, about=about, tool_calls=calls if known else None)

    @property
    def facts(self) -> dict[str, Any]:
        """Return all that is known about the agent, as journals and reports have it."""
        return told_facts(self.about, self.tool_calls)

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
            "about": self.facts,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A verdict of an earlier run that is kept in this one.

    Args:
        run_id: The run that recorded it.
        report: Its attempt's report.
        content: What the agent could see, and what this run sees.
    """

    run_id: str
    report: AttemptReport
    content: Content = field(default_factory=Content)


def test_outcome(spec: TaskSpec, verdict: Verdict | None) -> JudgeOutcome | None:
    """Return what a task came to as a test of the judge; None if it is none."""
    if spec.self_test is None:
        return None
    return outcome_of(spec.self_test, verdict, cwd=spec.cwd, fail_on=spec.fail_on)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How a task ended, after its last attempt: what an item's outcome is made of.

    Args:
        task_id: The task's id on the shared list.
        spec: What was asked.
        reports: Every attempt's report, in order; empty where none was made.
        trouble_outside: Set where it ended outside an attempt (stopped, needs unmet, no workers).
        resumed: The earlier run whose verdict this is; None if the task was run in this one.
        outcome: What its votes and verifiers came to; None where one attempt decides.
        votes: Its votes, where there are several.
        checks: What verifiers said of its findings.
    """

    task_id: str
    spec: TaskSpec
    reports: tuple[AttemptReport, ...] = ()
    trouble_outside: Trouble | None = None
    resumed: str | None = None
    outcome: Verdict | Trouble | None = None
    votes: tuple[Vote, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        """Return the verdict that counts, if there is one."""
        if self.outcome is not None and self.trouble_outside is None:
            return self.outcome if isinstance(self.outcome, Verdict) else None
        return None if self.trouble_outside or not self.reports else self.reports[-1].verdict

    @property
    def trouble(self) -> Trouble | None:
        """Return why there is no verdict, if there is none."""
        if self.outcome is not None and self.trouble_outside is None:
            return None if isinstance(self.outcome, Verdict) else self.outcome
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
    def kind(self) -> VerdictKind:
        """Return what it comes to: of a test of the judge, whether the judge was right."""
        if (outcome := self.test_outcome) is not None and outcome is not JudgeOutcome.UNJUDGED:
            return VerdictKind.PASS if outcome.good else VerdictKind.FAIL
        return self.verdict.counts_as if self.verdict else VerdictKind.ERROR

    @property
    def test_outcome(self) -> JudgeOutcome | None:
        """Return what it came to as a test of the judge; None if it is none."""
        return test_outcome(self.spec, self.verdict)

    @property
    def refused(self) -> bool:
        """Tell whether its verdict, or a finding in it, fails the test."""
        if (outcome := self.test_outcome) is not None:
            return outcome.wrong
        verdict = self.verdict
        failed = verdict is not None and verdict.counts_as is VerdictKind.FAIL and self.spec.gate
        return failed or bool(self.blocking)

    @property
    def judged(self) -> bool:
        """Tell whether an agent has judged the item: a verdict of error or skip is no judgement."""
        verdict = self.verdict
        return verdict is not None and verdict.verdict in (VerdictKind.PASS, VerdictKind.FAIL)

    @property
    def seconds(self) -> float:
        """Return the time all attempts took together."""
        return sum(report.seconds for report in self.reports)

    @property
    def usage(self) -> Usage | None:
        """Return what all attempts cost together; None if no agent accounted for any."""
        usages = [report.usage for report in self.reports if report.usage is not None]
        return sum(usages[1:], usages[0]) if usages else None
