"""A run as all reports tell it: typed, and with every decision about it made here. Pure.

The terminal's summary, the text of a failure, JSON, SARIF, GitLab, GitHub and the page show what
these records say: none of them can look better than another. What became of an item, and whether a
run is a success, is decided by `model.item_states`. Items are in `task_report.py`, their attempts
in `attempts.py`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.model.greenness import came_to_its_end, why_no_success
from pytest_ptc.model.known import void_entries
from pytest_ptc.model.self_test import JudgedTest, JudgeReport, Minimums
from pytest_ptc.model.sightings import Roots, sighting
from pytest_ptc.model.verdict import Finding, Severity, VerdictKind
from pytest_ptc.reporting.attempts import Spent, TaskAttempt
from pytest_ptc.reporting.task_report import TaskReport, worst_tasks_first

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.model.baseline import Baseline
    from pytest_ptc.model.item_states import (
        ItemState,
    )
    from pytest_ptc.model.known import KnownFindings, VoidEntry
    from pytest_ptc.model.shards import ShardFacts
    from pytest_ptc.model.sightings import Sighting
    from pytest_ptc.model.verdict import Excuse
    from pytest_ptc.reporting.nodes import NodeReport


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerReport:
    """One worker: when it was started, was ready and was lost, in seconds since the epoch.

    Args:
        name: `w1`, `w2`, ...
        started: When its host started it.
        ready: When it called; None if it never did.
        lost: When it ended too early; None if it did not.
        why: How it ended then.
        node: The node that it was on; None for pytest's own machine.
    """

    name: str
    started: float
    ready: float | None = None
    lost: float | None = None
    why: str | None = None
    node: str | None = None


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
        nodes: The nodes of a cluster that had workers or were refused, in the order in which they
            were heard of.
        holds: When nothing was begun.
        shards: The runs that it is merged from; empty for one run.
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
    nodes: tuple[NodeReport, ...] = ()
    holds: tuple[Hold, ...] = ()
    shards: tuple[ShardFacts, ...] = ()
    why_not_successful: str | None = field(init=False)
    #: What several reports derive from it: with thousands of findings, that is most of their cost.
    derived: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

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
