"""A run as all reports tell it: typed, and with every decision about it made here. Pure.

The terminal's summary, the text of a failure, JSON, SARIF, GitLab, GitHub and the page show what
these records say: none of them can look better than another. What became of an item, and whether a
run is a success, is decided by `model.item_states`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.model.choices import asks_for_new, severity_of
from pytest_ptc.model.greenness import came_to_its_end, why_no_success
from pytest_ptc.model.item_states import (
    FINE,
    ItemState,
    PhaseReport,
    final_report,
    is_submitted,
    item_state,
)
from pytest_ptc.model.known import void_entries
from pytest_ptc.model.result import Usage, test_outcome
from pytest_ptc.model.self_test import JudgedTest, JudgeOutcome, JudgeReport, Minimums, outcome_text
from pytest_ptc.model.sightings import Roots, sighting
from pytest_ptc.model.trouble import Cause
from pytest_ptc.model.verdict import Finding, Severity, VerdictKind
from pytest_ptc.text.printable import usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_ptc.model.baseline import Baseline
    from pytest_ptc.model.known import KnownFindings, VoidEntry
    from pytest_ptc.model.panel import Vote
    from pytest_ptc.model.result import AttemptReport, Result
    from pytest_ptc.model.sightings import Sighting
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.trouble import Trouble
    from pytest_ptc.model.verdict import Excuse, Verdict

WORST_FIRST = tuple(reversed(Severity))
_BADNESS: Mapping[Severity, int] = {severity: rank for rank, severity in enumerate(WORST_FIRST)}
_STATES = tuple(ItemState)
_FAIL = VerdictKind.FAIL
#: The part of an attempt that verifies a finding.
CHECK_PART = "verification"
#: The state of a vote that was not cast.
NOT_NEEDED = "not needed"


class ItemReason(NamedTuple):
    """Why an item ended as it did.

    Args:
        kind: What it comes to.
        label: The cause in a few words, such as `timeout`; empty where a verdict is the reason.
        said: What was said of it: the agent's summary, the trouble's message, or pytest's.
    """

    kind: VerdictKind
    label: str
    said: str

    @property
    def text(self) -> str:
        return f"{self.label}: {self.said}" if self.label and self.said else self.label or self.said


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskAttempt:
    """One attempt at a task.

    Args:
        name: Its name, unique in the run that it was made in.
        number: Its number among those of its task, from 1.
        worker: The worker's name.
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
        """Return the US dollars that are known: `$0.21`, or `at least $0.24` if not all are."""
        return f"at least {usd(self.cost_usd)}" if self.unknown else usd(self.cost_usd)

    @property
    def known_cost_usd(self) -> float | None:
        """Return the US dollars that are known; None where no attempt knows what it cost."""
        return self.cost_usd if self.attempts > self.unknown else None

    @property
    def tokens_read(self) -> int:
        """Return the tokens that were read, from the cache or not."""
        return self.usage.tokens - self.usage.output_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskReport:
    """One task, its attempts, and what became of its item.

    Args:
        number: Its place in the run, from 1, in the order of submission.
        task_id: Its id on the shared list; None for one that was on none.
        spec: What was asked.
        attempts: Its attempts, in order; of a kept verdict, the one that it is from.
        verdict: The verdict that counts, if one does.
        trouble: Why none counts, if that is known.
        kept_from: The earlier run whose verdict it is.
        phases: What pytest reported of its item, in order.
        submitted: When it was submitted, in seconds since the epoch.
        path: The file of its item, relative to the root directory.
        line: A line of that file, from 1.
        overtaken: Whether another task stands for its item, or it has none in this run.
        votes: The votes on it, where there are several.
        state: What became of the item.
        final: The report of pytest's that decides that; None where there is none.
    """

    spec: TaskSpec
    number: int = 1
    task_id: str | None = None
    attempts: tuple[TaskAttempt, ...] = ()
    verdict: Verdict | None = None
    trouble: Trouble | None = None
    kept_from: str | None = None
    phases: tuple[PhaseReport, ...] = ()
    submitted: float | None = None
    path: str | None = None
    line: int | None = None
    overtaken: bool = False
    votes: tuple[VoteReport, ...] = ()
    final: PhaseReport | None = field(init=False)
    state: ItemState = field(init=False)

    def __post_init__(self) -> None:
        final = final_report(self.phases)
        state = item_state(
            final.outcome if final else None,
            verdict=self.kind.value if self.verdict else None,
            cause=self.trouble.cause.value if self.trouble else None,
            gate=self.spec.gate,
            blocked=bool(self.blocking),
            test=self.test_outcome,
            tolerated=self.spec.self_test is not None and self.spec.self_test.tolerated,
        )
        object.__setattr__(self, "final", final)
        object.__setattr__(self, "state", state)

    @classmethod
    def of(
        cls, result: Result, phases: Iterable[PhaseReport] = (), *, overtaken: bool = False
    ) -> TaskReport:
        """Return the report of a task whose result is known.

        Args:
            result: How it ended.
            phases: What pytest reported of its item.
            overtaken: Whether another task stands for its item, or it has none in this run.
        """
        return cls(
            spec=result.spec,
            task_id=result.task_id,
            attempts=tuple(attempts_of(result)),
            votes=tuple(map(VoteReport.of, result.votes)),
            verdict=result.verdict,
            trouble=result.trouble,
            kept_from=result.resumed,
            phases=tuple(phases),
            overtaken=overtaken,
        )

    @property
    def nodeid(self) -> str:
        """Return the item's node id, as pytest has it."""
        return self.spec.nodeid

    # What it comes to.

    @property
    def kind(self) -> VerdictKind:
        """Return what its verdict counts as; a task without one is an error."""
        return self.verdict.counts_as if self.verdict else VerdictKind.ERROR

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return what its verdict holds, in the order recorded."""
        return self.verdict.findings if self.verdict else ()

    @property
    def blocking(self) -> list[Finding]:
        """Return the findings for which the item fails though its verdict is a pass or a skip."""
        if self.verdict is None or not self.spec.gate:
            return []
        # By the task: in a journal, a verdict is without what its task takes for a failure.
        return replace(self.verdict, fail_on=self.spec.fail_on).blocking

    @property
    def tests_judge(self) -> bool:
        return self.spec.self_test is not None

    @property
    def test_outcome(self) -> JudgeOutcome | None:
        """Return what it came to as a test of the judge; None if it is none."""
        return test_outcome(self.spec, self.verdict)

    def is_failed_by(self, finding: Finding) -> bool:
        """Tell whether a finding of its verdict is why the item did not pass."""
        if self.spec.self_test is not None:
            # What fails it is the judge: its findings are about a planted defect, or none.
            return False
        if self.state in FINE or finding.facts.excuse is not None:
            return False
        return self.kind is VerdictKind.FAIL or finding in self.blocking

    @property
    def reason(self) -> ItemReason:
        """Return why the item ended as it did: one answer, for every report."""
        agents, tests = self._agents_reason, self.tests_reason
        if agents is None:
            return tests or ItemReason(VerdictKind.ERROR, "not judged", "")
        if agents.kind is VerdictKind.ERROR or (agents.kind is _FAIL and self.spec.gate):
            return agents
        # A verdict of skip says as much as pytest does of it.
        same = tests is None or tests.kind is agents.kind is VerdictKind.SKIP
        return agents if same or tests is None else tests

    @property
    def tests_reason(self) -> ItemReason | None:
        """Return what pytest says of why its item did not pass; None where it says nothing."""
        final = self.final
        said = (final.message if final else None) or ""
        match self.state:
            case ItemState.FAILED:
                return ItemReason(_FAIL, "the test failed", said)
            case ItemState.ERROR:
                label = f"error in {final.phase}" if final and final.phase else "error"
                return ItemReason(VerdictKind.ERROR, label, said)
            case ItemState.SKIPPED:
                return ItemReason(VerdictKind.SKIP, "skipped by the test", said)
            case ItemState.UNDONE:
                return ItemReason(VerdictKind.ERROR, "not judged", "the run was over first")
        return None

    @property
    def _agents_reason(self) -> ItemReason | None:
        """Return what its agent's work comes to; None where that is nothing."""
        verdict, trouble = self.verdict, self.trouble
        if trouble is not None:
            return ItemReason(VerdictKind.ERROR, trouble.cause.value, trouble.message)
        if verdict is None:
            return None
        test, outcome = self.spec.self_test, self.test_outcome
        if test is not None and outcome is not None:
            kind = VerdictKind.PASS if outcome.good else _FAIL
            kind = VerdictKind.ERROR if outcome is JudgeOutcome.UNJUDGED else kind
            label = outcome_text(test, verdict, outcome, cwd=self.spec.cwd)
            return ItemReason(kind, label, f"verdict {verdict.verdict}: {verdict.summary}")
        if many := len(self.blocking):
            fail_on = self.spec.fail_on
            new = "new " if asks_for_new(fail_on) else ""
            findings = f"1 {new}finding" if many == 1 else f"{many} {new}findings"
            beside = f"{findings} of {severity_of(fail_on)} or worse beside a {verdict.verdict}"
            return ItemReason(_FAIL, "", f"{beside}: {verdict.summary}")
        if verdict.set_aside:
            excuses = Counter(finding.facts.excuse for finding in verdict.findings)
            why = ", ".join(f"{number} {excuse}" for excuse, number in excuses.items())
            return ItemReason(VerdictKind.PASS, f"fail set aside ({why})", verdict.summary)
        label = "verdict error" if verdict.verdict is VerdictKind.ERROR else ""
        return ItemReason(verdict.verdict, label, verdict.summary)

    @property
    def also(self) -> list[PhaseReport]:
        """Return what else went wrong with its item, beside what decides its state."""
        bad = ("failed", "error")
        return [one for one in self.phases if one is not self.final and one.outcome in bad]

    @property
    def is_submitted(self) -> bool:
        """Tell whether a test submitted it, which judges by it as it likes."""
        return is_submitted(self.nodeid)

    @property
    def has_no_item(self) -> bool:
        """Tell whether no item is to have its outcome: its verdict is all there is."""
        return self.is_submitted or self.superseded

    @property
    def superseded(self) -> bool:
        """Tell whether another task stands for its item, and pytest counted nothing by this one."""
        return self.overtaken and self.final is None

    @property
    def undone(self) -> bool:
        """Tell whether the run was over before anybody judged it."""
        return self.state is ItemState.UNDONE

    @property
    def unfinished(self) -> bool:
        """Tell whether the run was over before its item was: no news about the item."""
        if self.undone or (self.trouble is not None and self.trouble.cause is Cause.STOPPED):
            return True
        return self.state is ItemState.UNREPORTED and not self.has_no_item

    @property
    def bad(self) -> bool:
        """Tell whether somebody must look at it."""
        return self.reason.kind in (_FAIL, VerdictKind.ERROR) and not self.unfinished

    @property
    def expected(self) -> bool:
        """Tell whether it failed as `xfail` expects."""
        return self.state is ItemState.XFAILED

    @property
    def without_evidence(self) -> bool:
        """Tell whether it passed by an agent that made no tool call: it may be a guess."""
        if self.kind is not VerdictKind.PASS or not self.attempts:
            return False
        decisive = self.attempts if self.votes else self.attempts[-1:]
        return any(attempt.without_evidence for attempt in decisive)

    # Figures.

    @property
    def severities(self) -> dict[Severity, int]:
        """Return how many findings there are of each severity, worst first."""
        numbers = Counter(finding.severity for finding in self.findings)
        return {severity: numbers[severity] for severity in WORST_FIRST if numbers[severity]}

    @property
    def seconds(self) -> float:
        """Return the time that all its attempts took together."""
        return sum(attempt.seconds or 0.0 for attempt in self.attempts)

    @property
    def spent(self) -> Spent | None:
        """Return what all its attempts cost; None where nobody accounts for that."""
        return Spent.of(self.attempts)

    @property
    def cost_usd(self) -> float | None:
        """Return what its attempts cost, as far as that is known; None where nothing is."""
        known = [a.usage.cost_usd for a in self.attempts if a.usage is not None]
        costs = [cost for cost in known if cost is not None]
        return sum(costs) if costs else None

    def only_said_by(self, attempt: TaskAttempt) -> list[Finding]:
        """Return the findings of a vote that are nowhere else: its panel came to no verdict."""
        if self.verdict is not None or not self.votes or attempt.verdict is None:
            return []
        return [] if attempt.is_check else worst_first(attempt.verdict.findings)

    @property
    def retried(self) -> bool:
        """Tell whether a task took more than one attempt; a kept verdict brings its last alone."""
        return any(attempt.number > 1 for attempt in self.attempts)


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


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings, those that nothing excuses before the others."""
    return sorted(findings, key=_finding_badness)


def places_worst_first(findings: Sequence[Finding]) -> dict[int, int]:
    """Return at which place `worst_first` has each of the findings, by its own."""
    ordered = sorted(range(len(findings)), key=lambda at: _finding_badness(findings[at]))
    return {at: place for place, at in enumerate(ordered)}


def _finding_badness(finding: Finding) -> tuple[bool, int]:
    return finding.facts.excuse is not None, _BADNESS[finding.severity]


def worst_tasks_first(tasks: Iterable[TaskReport]) -> list[TaskReport]:
    """Return tasks, the worst first, else in their order."""
    return sorted(tasks, key=_badness)


def _badness(task: TaskReport) -> tuple[int, ...]:
    found = task.severities
    # Of passes that are alike otherwise, one that may be a guess is looked at first.
    return (
        _STATES.index(task.state),
        *(-found.get(severity, 0) for severity in WORST_FIRST),
        not task.without_evidence,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerReport:
    """One worker: when it was started, was ready and was lost, in seconds since the epoch.

    Args:
        name: `w1`, `w2`, ...
        started: When its host started it.
        ready: When it called; None if it never did.
        lost: When it ended too early; None if it did not.
        why: How it ended then.
    """

    name: str
    started: float
    ready: float | None = None
    lost: float | None = None
    why: str | None = None


class Hold(NamedTuple):
    """A time in which no attempt was begun: from when on, for how many seconds, and why."""

    at: float
    seconds: float
    why: str


class Session(NamedTuple):
    """How pytest's session ended: its exit status, and how many items had nothing to judge."""

    exit_status: int
    nothing_to_judge: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RunReport:
    """One run.

    Args:
        run_id: Its id.
        began: When it began, in seconds since the epoch.
        seconds: How long it took, as far as that is known.
        ended: Whether it ended in order: it was not killed, and is not on.
        session: How pytest's session ended; None where that is not known.
        stopped: Why it began nothing more before all was done.
        facts: What else is known of it as a whole, by the names in the JSON document.
        changed_suite: Files of suite, configuration and reviewer that the change brings.
        known: The known findings, as its session has read them; None without a file of them.
        baseline: What it is compared with; None without that.
        tasks: Its tasks, in the order in which they were submitted.
        collected: The node ids of marked items, in the order in which pytest collected them.
        workers: Its workers, in the order in which they were started.
        holds: When nothing was begun.
        why_not_successful: Why it is no success; None if it is one.
    """

    run_id: str
    began: float
    seconds: float
    ended: bool
    session: Session | None
    stopped: str | None
    facts: RunFacts
    changed_suite: tuple[str, ...] = ()
    known: KnownFindings | None = None
    baseline: Baseline | None = None
    tasks: tuple[TaskReport, ...] = ()
    collected: tuple[str, ...] = ()
    workers: tuple[WorkerReport, ...] = ()
    holds: tuple[Hold, ...] = ()
    why_not_successful: str | None = field(init=False)

    def __post_init__(self) -> None:
        why_not = why_no_success(
            exit_status=self.exit_status,
            ended=self.ended,
            stopped=self.stopped,
            states=[task.state for task in self.standing if not task.is_submitted],
            judged=sum(task.kind is not VerdictKind.ERROR for task in self.tasks)
            + (self.session.nothing_to_judge if self.session else 0),
            blind=[blind.text for blind in self.judge.blind],
        )
        object.__setattr__(self, "why_not_successful", why_not)

    @property
    def exit_status(self) -> int | None:
        """Return pytest's exit status; None where it is not known."""
        return self.session.exit_status if self.session else None

    @property
    def complete(self) -> bool:
        """Tell whether pytest and the run came to their own end."""
        return self.ended and came_to_its_end(self.exit_status)

    @property
    def successful(self) -> bool:
        return self.why_not_successful is None

    @property
    def standing(self) -> list[TaskReport]:
        """Return the tasks whose word counts: of a test that was run again, the last."""
        return [task for task in self.tasks if not task.superseded]

    @property
    def judge(self) -> JudgeReport:
        """Return how the judge did in its tests."""
        items = [task for task in self.standing if not task.is_submitted]
        tested = [
            JudgedTest(task.nodeid, test, outcome)
            for task in items
            if (test := task.spec.self_test) and (outcome := task.test_outcome)
        ]
        minimums = Minimums(self.facts.min_catch, self.facts.max_false_alarm)
        # Of a run that is active or was killed, nothing is known of its judge as a whole.
        return JudgeReport.of(tested, minimums, judges=bool(items) and self.complete)

    @property
    def as_collected(self) -> list[TaskReport]:
        """Return the tasks that stand as their items were collected, then those without an item."""
        places = {nodeid: place for place, nodeid in enumerate(self.collected)}
        return sorted(self.standing, key=lambda task: places.get(task.nodeid, len(places)))

    @property
    def worst_first(self) -> list[TaskReport]:
        return worst_tasks_first(self.tasks)

    @property
    def states(self) -> Counter[ItemState]:
        """Return how many tasks that stand came to each state."""
        return Counter(task.state for task in self.standing)

    @property
    def outcomes(self) -> Counter[str]:
        """Return how many items pytest gave each outcome."""
        finals = (task.final for task in self.tasks)
        return Counter(final.outcome for final in finals if final and final.outcome)

    @property
    def findings(self) -> Counter[Severity]:
        """Return how many findings of each severity there are, of all tasks."""
        return Counter(finding.severity for task in self.tasks for finding in task.findings)

    @property
    def reviewing(self) -> list[TaskReport]:
        """Return the tasks that stand, but for tests of the judge: planted defects are no news."""
        return [task for task in self.standing if not task.tests_judge]

    @property
    def excused(self) -> Counter[Excuse]:
        """Return how many findings of tasks that stand each excuse keeps from blocking."""
        excuses = (one.facts.excuse for task in self.reviewing for one in task.findings)
        return Counter(excuse for excuse in excuses if excuse is not None)

    @property
    def void_known(self) -> list[VoidEntry]:
        """Return which of the known findings are void, and why."""
        if self.known is None:
            return []
        seen = (self.sighting(one, task) for task in self.reviewing for one in task.findings)
        return void_entries(self.known, seen)

    def sighting(self, finding: Finding, task: TaskReport) -> Sighting:
        """Return what a finding is recognised by in another run."""
        roots = Roots(self.facts.rootdir, self.facts.repository)
        return sighting(finding, task.spec.cwd, roots, start=self.facts.rootdir)

    @property
    def attempts(self) -> list[TaskAttempt]:
        """Return the attempts of this run itself, without those of earlier ones."""
        own = (task for task in self.tasks if task.kept_from is None)
        return [attempt for task in own for attempt in task.attempts]

    @property
    def spent(self) -> Spent | None:
        """Return what the run cost; None where no agent accounts for that."""
        return Spent.of(self.attempts)


class RunFacts(NamedTuple):
    """What is known of a run from its beginning; the names are those of the JSON document."""

    host: str
    agent: str
    workers: int
    task_list_id: str
    rootdir: str
    repository: str | None
    commit: str | None
    anchor: str | None
    arguments: Sequence[str]
    python: str
    resumes: str | None
    fail_on: str
    pytest_ptc: str
    min_catch: str = ""
    max_false_alarm: str = ""
