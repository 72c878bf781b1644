"""The events of tasks and their attempts, see `events.py`. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from pytest_ptc.journal.event import Event
from pytest_ptc.model.content import Content
from pytest_ptc.model.result import Attempt, AttemptReport, Usage
from pytest_ptc.model.self_test import SelfTest
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Trouble
from pytest_ptc.model.verdict import Verdict

# --- tasks


class TaskSubmitted(Event, frozen=True, kw_only=True, tag="submitted"):
    """The coordinator has published a task on the shared list; attempts follow.

    Args:
        task: Its id on the shared list.
        spec: What is asked.
        fingerprint: Hashes of what its verdict depends on besides files, by name.
    """

    task: str
    spec: TaskSpec
    fingerprint: dict[str, str]


class _AttemptReportFields:
    """What an attempt's report is in its form on disk: its name, and the report itself."""

    __slots__ = ()

    task: str
    attempt: int
    worker: str
    seconds: float
    verdict: Verdict | None
    trouble: Trouble | None
    usage: Usage | None
    about: dict[str, Any]

    def __post_init__(self) -> None:
        if (self.verdict is None) == (self.trouble is None):
            raise ValueError("it has either a verdict or a trouble")

    @property
    def name(self) -> str:
        """Return the attempt's name."""
        return f"{self.task}.{self.attempt}"

    @property
    def report(self) -> AttemptReport:
        """Return the report."""
        return AttemptReport.with_facts(
            self.about,
            attempt=Attempt(task_id=self.task, number=self.attempt, worker=self.worker),
            seconds=self.seconds,
            verdict=self.verdict,
            trouble=self.trouble,
            usage=self.usage,
        )


class KeptReport(_AttemptReportFields, msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt of an earlier run ended, as `AttemptReport.to_json` has it.

    Args:
        task: The task's id in that run.
        attempt: The attempt's number among those of its task, from 1.
        worker: The worker's name.
        seconds: How long it took.
        verdict: What the agent recorded; there is either this or a trouble.
        trouble: Why nothing recorded counts.
        usage: What it cost; None for an agent that does not account for it.
        about: Facts about the agent, plain JSON.
    """

    task: str
    attempt: int
    worker: str
    seconds: float
    verdict: Verdict | None
    trouble: Trouble | None
    usage: Usage | None
    about: dict[str, Any]

    @classmethod
    def of(cls, report: AttemptReport) -> KeptReport:
        """Return the report in its form on disk."""
        return cls(**_fields_of(report))


class VerdictKept(Event, frozen=True, kw_only=True, tag="kept"):
    """The coordinator has taken a verdict of an earlier run for a task, which is not run again.

    Args:
        task: The task's id in this run, which is on no list.
        nodeid: Its node id.
        spec: What is asked.
        fingerprint: As of a submitted task.
        content: What this run sees of its files.
        run: The run that recorded the verdict.
        report: How that attempt ended.
    """

    task: str
    nodeid: str
    spec: TaskSpec
    fingerprint: dict[str, str]
    content: Content
    run: str
    report: KeptReport


class VoteSubmitted(Event, frozen=True, kw_only=True, tag="vote"):
    """The coordinator has published the task of another vote on an item; its first is the item's.

    Args:
        task: Its id on the shared list.
        item: The id of the item: of the task that was submitted for it.
        number: The vote's number, from 2.
        fingerprint: As of a submitted task.
    """

    task: str
    item: str
    number: int
    fingerprint: dict[str, str]


class VoteKept(Event, frozen=True, kw_only=True, tag="vote kept"):
    """The coordinator has taken a vote of an earlier run, which is not cast again.

    Args:
        task: The vote's id in this run, which is on no list.
        item: As of another vote.
        number: The vote's number, from 1.
        fingerprint: As of a submitted task.
        content: What this run sees of its files.
        run: The run that recorded it.
        report: How that attempt ended.
    """

    task: str
    item: str
    number: int
    fingerprint: dict[str, str]
    content: Content
    run: str
    report: KeptReport


class CheckSubmitted(Event, frozen=True, kw_only=True, tag="check"):
    """The coordinator has published a task for a verifier of one finding.

    Args:
        task: Its id on the shared list.
        item: As of another vote.
        finding: The finding's index in the verdict that the votes came to.
        spec: What is asked.
        fingerprint: As of a submitted task.
    """

    task: str
    item: str
    finding: int
    spec: TaskSpec
    fingerprint: dict[str, str]


class CheckKept(Event, frozen=True, kw_only=True, tag="check kept"):
    """The coordinator has taken what a verifier of an earlier run said, who is not asked again.

    The fields are those of a submitted check and of a kept vote.
    """

    task: str
    item: str
    finding: int
    spec: TaskSpec
    fingerprint: dict[str, str]
    content: Content
    run: str
    report: KeptReport


class ItemDecided(Event, frozen=True, kw_only=True, tag="decided"):
    """The votes and the verifiers of an item have come to this; it is its verdict.

    Args:
        item: As of another vote.
        verdict: What they came to; there is either this or a trouble.
        trouble: Why they came to nothing.
        spared: The tasks of votes that were not needed.
    """

    item: str
    verdict: Verdict | None
    trouble: Trouble | None
    spared: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.verdict is None) == (self.trouble is None):
            raise ValueError("it has either a verdict or a trouble")


class TaskGivenUp(Event, frozen=True, kw_only=True, tag="given up"):
    """The coordinator has ended a task without an attempt, or after the last one, by this trouble.

    As for a need that did not pass, a run that was stopped, and no workers being left.
    """

    task: str
    trouble: Trouble


class ItemReported(Event, frozen=True, kw_only=True, tag="item"):
    """The session tells what pytest made of one phase of a marked item.

    Args:
        task: The id of its task; None where nobody was asked.
        nodeid: The item's node id.
        outcome: `passed`, `failed`, `error`, `skipped`, `xfailed` or `xpassed`.
        phase: `setup`, `call` or `teardown`.
        message: What pytest says of it.
        path: The file of the item, relative to the root directory.
        line: Its line, from 1.
        xfail: The reason of its `xfail` mark.
        self_test: What it tests of the judge; None for nothing.
    """

    task: str | None
    nodeid: str
    outcome: str
    phase: str | None
    message: str | None
    path: str | None
    line: int | None
    xfail: str | None
    self_test: SelfTest | None = None


# --- attempts


class AttemptAssigned(Event, frozen=True, kw_only=True, tag="assigned"):
    """The coordinator has given a task to a worker; the worker claims it next.

    Args:
        attempt: The attempt's name.
        worker: The worker's name.
        content: What the agent can see when it begins; None where nobody looks.
    """

    attempt: str
    worker: str
    content: Content | None

    def __post_init__(self) -> None:
        Attempt.parse(self.attempt, worker=self.worker)

    @property
    def given(self) -> Attempt:
        """Return the attempt."""
        return Attempt.parse(self.attempt, worker=self.worker)


class AttemptClaimed(Event, frozen=True, kw_only=True, tag="claimed"):
    """The task is claimed on the shared list, or the run goes on without; its worker gets it."""

    attempt: str
    worker: str


class AttemptsHeld(Event, frozen=True, kw_only=True, tag="held"):
    """A provider refuses work, says this attempt's worker: for so long no attempt is begun.

    Args:
        attempt: The attempt's name.
        seconds: For how long, from `at` on.
        why: What the provider says, such as `rate limit`.
    """

    attempt: str
    seconds: float
    why: str


class AttemptEnded(_AttemptReportFields, Event, frozen=True, kw_only=True, tag="ended"):
    """The coordinator has read how an attempt ended; its task is done, or is tried again.

    Args:
        task: The task's id.
        attempt: The attempt's number among those of its task, from 1.
        worker: The worker's name.
        seconds: How long it took.
        verdict: What the agent recorded; there is either this or a trouble.
        trouble: Why nothing recorded counts.
        usage: What it cost; None for an agent that does not account for it.
        about: Facts about the agent, plain JSON.
        sha256: The hash of the report on disk; None where there is none.
    """

    task: str
    attempt: int
    worker: str
    seconds: float
    verdict: Verdict | None
    trouble: Trouble | None
    usage: Usage | None
    about: dict[str, Any]
    sha256: str | None

    @classmethod
    def of(cls, report: AttemptReport, *, sha256: str | None) -> AttemptEnded:
        """Return the event of this report."""
        return cls(**_fields_of(report), sha256=sha256)


class ContentSeen(Event, frozen=True, kw_only=True, tag="content"):
    """The session has looked at what an attempt's agent could see, after the attempt had ended.

    A later run that takes up this one compares it with what it sees.
    """

    attempt: str
    content: Content


def _fields_of(report: AttemptReport) -> dict[str, Any]:
    return {
        "task": report.attempt.task_id,
        "attempt": report.attempt.number,
        "worker": report.attempt.worker,
        "seconds": round(report.seconds, 6),
        "verdict": report.verdict,
        "trouble": report.trouble,
        "usage": report.usage,
        "about": report.facts,
    }
