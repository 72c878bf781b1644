"""The attempts at one item as all reports tell them: how each ended, and what it cost. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.model.result import Usage
from pytest_ptc.model.verdict import VerdictKind
from pytest_ptc.text.printable import usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_ptc.model.panel import Vote
    from pytest_ptc.model.result import AttemptReport, Result
    from pytest_ptc.model.trouble import Trouble
    from pytest_ptc.model.verdict import Verdict

#: The part of an attempt that verifies a finding.
CHECK_PART = "verification"
#: The state of a vote that was not cast.
NOT_NEEDED = "not needed"


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskAttempt:
    """One attempt at a task.

    Args:
        name: Its name, unique in the run that it was made in.
        number: Its number among those of its task, from 1.
        worker: The worker's name.
        node: The node that the worker was on; None for pytest's own machine, or where that is not
            known.
        seconds: How long it took; None for one that did not end.
        verdict: What the agent recorded; of one that ended there is either this or a trouble.
        trouble: Why nothing recorded counts.
        usage: What it cost; None where nobody accounts for it.
        about: Facts about the agent, plain JSON.
        tool_calls: How often the agent used a tool, besides recording; None if it does not tell.
        assigned: When a worker was given the task, in seconds since the epoch.
        claimed: When the worker took it.
        ended: When it ended.
        sha256: The hash of its report on disk.
        part: What it was for, where an item has several: `vote 2 of 3 (opus)`,
            `verification of src/a.py:3`.
    """

    name: str
    number: int
    worker: str
    node: str | None = None
    seconds: float | None = None
    verdict: Verdict | None = None
    trouble: Trouble | None = None
    usage: Usage | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    tool_calls: int | None = None
    assigned: float | None = None
    claimed: float | None = None
    ended: float | None = None
    sha256: str | None = None
    part: str = ""

    @classmethod
    def of(cls, report: AttemptReport, part: str = "") -> TaskAttempt:
        """Return an attempt that has ended."""
        return cls(
            part=part,
            name=report.attempt.name,
            number=report.attempt.number,
            worker=report.attempt.worker,
            node=report.attempt.node,
            seconds=report.seconds,
            verdict=report.verdict,
            trouble=report.trouble,
            usage=report.usage,
            about=report.about,
            tool_calls=report.tool_calls,
        )

    @property
    def kind(self) -> VerdictKind | None:
        """Return what its verdict is; None where there is none."""
        return self.verdict.verdict if self.verdict else None

    @property
    def is_check(self) -> bool:
        """Tell whether it verified a finding."""
        return self.part.startswith(CHECK_PART)

    @property
    def said(self) -> str:
        """Return its verdict's summary, or the line that a verifier quotes."""
        if self.verdict is None:
            return ""
        data = self.verdict.data
        quote = str(data.get("quote") or "").strip() if isinstance(data, dict) else ""
        return quote if self.is_check and quote else self.verdict.summary

    @property
    def ended_as(self) -> str:
        """Return how it ended in a word or two: the cause of its trouble, else its verdict."""
        if self.trouble is not None:
            return self.trouble.cause.value
        if self.is_check and self.verdict is not None:
            data = self.verdict.data
            return str(data.get("state") if isinstance(data, dict) else self.kind).lower()
        return self.kind.value if self.kind else "did not end"

    @property
    def without_evidence(self) -> bool:
        """Tell whether it passed its item without a tool call: the agent may have guessed."""
        return self.kind is VerdictKind.PASS and self.tool_calls == 0


class VoteReport(NamedTuple):
    """One vote on an item.

    Args:
        number: Its number, from 1.
        voter: The agent and model that the test names for it; empty for the run's own.
        state: `pass`, `fail`, `skip`, `error`, `not needed`, or the cause of its trouble.
        said: Its verdict's summary; empty without one.
    """

    number: int
    voter: str
    state: str
    said: str

    @classmethod
    def of(cls, vote: Vote) -> VoteReport:
        verdict, trouble = vote.verdict, vote.why_missing
        if vote.spared or (verdict is None and trouble is None):
            return cls(vote.number, vote.voter, NOT_NEEDED, "")
        if verdict is None:
            cause = trouble.cause.value if trouble is not None else ""
            return cls(vote.number, vote.voter, cause, "")
        return cls(vote.number, vote.voter, verdict.counts_as.value, verdict.summary)


class Spent(NamedTuple):
    """What several attempts cost together.

    Args:
        usage: The sum of what is known; its cost is a number.
        unknown: How many attempts do not know their cost.
        attempts: How many attempts say what they used.
    """

    usage: Usage
    unknown: int
    attempts: int

    @classmethod
    def of(cls, attempts: Iterable[TaskAttempt]) -> Spent | None:
        """Return what attempts cost; None where no agent accounts for that."""
        bills = [attempt.usage for attempt in attempts if attempt.usage is not None]
        if not bills:
            return None
        costs = [bill.cost_usd for bill in bills if bill.cost_usd is not None]
        numbers = reduce(add, (Usage.of(bill.numbers, 0.0) for bill in bills)).numbers
        return cls(Usage.of(numbers, sum(costs)), len(bills) - len(costs), len(bills))

    @property
    def cost_usd(self) -> float:
        """Return the US dollars that are known."""
        return self.usage.cost_usd or 0.0

    @property
    def cost_text(self) -> str:
        """Return the US dollars that are known: `$0.21`, or `at least $0.24` if not all are.

        Where no attempt knows them, that is `unknown`: nobody says that it was nothing.
        """
        if self.known_cost_usd is None:
            return "unknown"
        return f"at least {usd(self.cost_usd)}" if self.unknown else usd(self.cost_usd)

    @property
    def known_cost_usd(self) -> float | None:
        """Return the US dollars that are known; None where no attempt knows what it cost."""
        return self.cost_usd if self.attempts > self.unknown else None

    @property
    def tokens_read(self) -> int:
        """Return the tokens that were read, from the cache or not."""
        return self.usage.tokens - self.usage.output_tokens


def attempts_of(result: Result) -> Iterator[TaskAttempt]:
    """Yield the attempts at an item, each with its part where there are several."""
    parts = {
        vote.task_id: vote_part(vote.number, len(result.votes), vote.voter) for vote in result.votes
    }
    found = result.verdict.findings if result.verdict is not None else ()
    for check in result.checks:
        place = found[check.finding].location if check.finding < len(found) else ""
        parts[check.task_id] = check_part(place)
    for report in result.reports:
        yield TaskAttempt.of(report, parts.get(report.attempt.task_id, ""))


def vote_part(number: int, votes: int, voter: str) -> str:
    return f"vote {number} of {votes}{f' ({voter})' if voter else ''}"


def check_part(place: str) -> str:
    return f"{CHECK_PART} of {place}" if place else CHECK_PART
