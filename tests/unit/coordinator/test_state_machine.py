"""No task is lost and none is doubled, whatever happens to workers and to the shared list.

A run is driven step by step in an order that nobody would have thought of: tasks are submitted,
workers wait for a place, start, claim, die between any two of their steps, or say nothing any more,
messages are heard late, people and their sessions take, break and delete what is on the list, the
provider refuses work, money runs out, the run is stopped. `simulated_run.py` says what of it is
real.

A task is lost if
  - it has no result when the run has been brought to its end without further trouble,
  - an agent's record that is on disk is not what the attempt that was running comes to, though the
    worker has reported nothing else, or
  - nobody but the run touched it on the list, and a worker of the run cannot claim it.

A task is doubled if
  - it has two results, or its id is given to another one,
  - two agents are at it at once, or two workers hold it, on the board or on the list,
  - an attempt of it begins after one that came to a verdict, or more attempts than are allowed, or
  - the journal ends one attempt twice.

Beside that: a pass is one that the agent of the very last attempt recorded, needed tasks passed
before, no two agents are at tasks of one group, the board's counters are true, no more workers are
started and no more money is spent than is allowed, and the list is left as others have it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pytest_ptc.coordinator.schedule import Limits
from pytest_ptc.model.lifecycle import TaskState, WorkerState
from pytest_ptc.model.result import Attempt, AttemptReport, Usage
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.verdicts.endings import Ended, judge
from pytest_ptc.verdicts.entries import Recording
from tests.support.simulated_run import (
    ALL,
    MOMENTS,
    NO_ROOM,
    WAYS,
    SimulatedRun,
    WorkerProcess,
    filed,
    record,
    recorded,
    simulate_workers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from pytest_ptc.interfaces.agent import Job
    from pytest_ptc.model.result import Result
    from pytest_ptc.verdicts.entries import Entry

T = TypeVar("T")

#: Where files cost no disk's time, if there is such a place.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

#: How many steps the machine has to take in all, and in the slow tests.
STEPS = 2_000
MANY_STEPS = 5_000

#: Times that all goes on without trouble, five seconds each, in which every task must have ended:
#: several times what backoffs, holds, starts and timeouts can take together.
ROUNDS = 300

#: No more tasks are submitted while so many wait or run.
MOST_OPEN = 6

#: Seconds that an attempt may take.
TIMEOUT = 45.0

#: US dollars that sums of binary fractions may be off by.
ROUNDING = 1e-9

#: Which of several; see `nth`.
PLACES = st.integers(0, 11)

#: How many rounds the coordinator's loop goes before something else happens.
rounds = st.sampled_from([1, 2, ALL])
kinds = st.sampled_from(VerdictKind)
fates = st.one_of(st.sampled_from(MOMENTS), st.sampled_from(MOMENTS), st.just(NO_ROOM))


@dataclass(frozen=True)
class Batch:
    """Tasks to submit: how many, and what each of them is like."""

    count: int
    retries: int
    #: How far back the tasks are that it needs.
    needs: tuple[int, ...]
    limit: float | None
    group: str | None


batches = st.builds(
    Batch,
    count=st.integers(1, 3),
    retries=st.integers(0, 2),
    needs=st.sampled_from([(), (), (), (1,), (2, 3)]),
    limit=st.sampled_from([None, None, 0.25, 0.5, 2.0]),
    group=st.sampled_from([None, None, "users", "orders"]),
)


@dataclass
class Course:
    """What the test knows of an attempt."""

    attempt: Attempt
    reserved: float
    claimed: bool = False
    job: Job | None = None
    records: list[Verdict] = field(default_factory=list)
    #: What the agent came to by itself.
    said: Verdict | Trouble | None = None
    #: What the coordinator heard from its worker.
    report: AttemptReport | None = None
    #: Whether there was no room for its report.
    unfiled: bool = False
    #: Whether its end has been looked at.
    judged: bool = False

    @property
    def outcome(self) -> Verdict | Trouble | None:
        """Return what the attempt has to come to; None for a trouble that is not told here."""
        if self.report is None:
            return settled(self.records)
        if self.report.trouble is not None:
            # A fail that the worker had not heard of yet is one all the same.
            fails = [verdict for verdict in self.records if verdict.verdict is VerdictKind.FAIL]
            return fails[-1] if fails else self.report.trouble
        return self.report.verdict or self.report.trouble

    @property
    def passed(self) -> bool:
        """Tell whether it has to come to a pass."""
        return isinstance(self.outcome, Verdict) and self.outcome.passed


@dataclass
class Asked:
    """A task as it was submitted."""

    spec: TaskSpec
    future: Future[Result]
    #: The ids of the tasks that must pass before.
    needs: list[str]
    courses: list[Course] = field(default_factory=list)


def settled(records: Sequence[Verdict]) -> Verdict | Trouble | None:
    """Return what records come to: a fail beats everything, others must agree."""
    if not records:
        return None
    fails = [verdict for verdict in records if verdict.verdict is VerdictKind.FAIL]
    if not fails and len({verdict.verdict for verdict in records}) > 1:
        return Trouble(cause=Cause.CONTRADICTED, message="")
    return (fails or records)[-1]


def nth(items: Sequence[T], place: int) -> T:
    """Return one of several, of which there may be fewer than the place says."""
    return items[place % len(items)]


def job_of(process: WorkerProcess) -> Job:
    """Return what a process is on that is on something."""
    assert process.job is not None
    return process.job


def assert_same(report: AttemptReport, wanted: Verdict | Trouble | None) -> None:
    """Hold a report to this verdict, or to this trouble's cause; to any trouble if none is told."""
    if isinstance(wanted, Verdict):
        assert report.verdict == wanted
    else:
        assert report.trouble is not None
        assert wanted is None or report.trouble.cause is wanted.cause


class Machine(RuleBasedStateMachine):
    """One run; see the module."""

    #: Steps of all runs that were brought to their end.
    steps: ClassVar[int] = 0

    run: SimulatedRun

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ptc-", dir=MEMORY))
        self.limits = Limits(workers=1, max_worker_restart=0)
        self.asked: dict[str, Asked] = {}
        #: Those of them whose end has not been looked at.
        self.open: dict[str, Asked] = {}
        self.specs: list[TaskSpec] = []
        self.ids: dict[str, str] = {}
        self.records = 0
        self.begun = False
        self.may_stop = False
        self.bad_starts = 0
        # The first look is at the beginning, before any step.
        self.looks = -1

    @initialize(
        workers=st.integers(1, 3),
        restarts=st.sampled_from([2, 30, 30, 30, 30]),
        starting=st.sampled_from([None, 1, 2]),
        budget=st.sampled_from([None, None, None, 2.0, 8.0]),
        may_stop=st.sampled_from([False, False, True]),
        # After three a run gives up.
        bad_starts=st.sampled_from([1, 1, 1, 1, 9]),
    )
    def begin(
        self,
        workers: int,
        restarts: int,
        starting: int | None,
        budget: float | None,
        *,
        may_stop: bool,
        bad_starts: int,
    ) -> None:
        """Begin a run; it may be stopped, and so many workers in a row may not start."""
        self.may_stop, self.bad_starts = may_stop, bad_starts
        self.limits = Limits(
            workers=workers, max_worker_restart=restarts, starting=starting, budget_usd=budget
        )
        self.run = SimulatedRun(self.folder, self.limits, self)
        self.begun = True

    # Submitting.

    @precondition(lambda self: self._may_submit)
    @rule(batch=batches, much=rounds)
    def submit(self, batch: Batch, much: int) -> None:
        """Submit tasks, which may need those before them."""
        self._submit(self._specs(batch), much)

    @precondition(lambda self: self._may_submit and self.specs)
    @rule(places=st.lists(PLACES, min_size=1, max_size=2), much=rounds)
    def submit_again(self, places: list[int], much: int) -> None:
        """Submit tasks once more, as a rerun does; one node id may be there twice at once."""
        self._submit([nth(self.specs, place) for place in places], much)

    # Everybody does something.

    @precondition(lambda self: self._alive)
    @rule(place=PLACES)
    def worker_moves(self, place: int) -> None:
        """A worker does what there is to do."""
        nth(self._alive, place).move()

    @precondition(lambda self: self.run.crew.talking)
    @rule(place=PLACES, much=rounds)
    def coordinator_hears(self, place: int, much: int) -> None:
        """The coordinator hears one message, or the end of a line."""
        self.run.crew.hear(nth(self.run.crew.talking, place))
        self.run.turn(much)

    @precondition(lambda self: self.run.crew.unseen)
    @rule(place=PLACES, much=rounds)
    def coordinator_sees_an_end(self, place: int, much: int) -> None:
        """The coordinator sees that a process has ended, be all it said heard or not."""
        self.run.crew.see(nth(self.run.crew.unseen, place))
        self.run.turn(much)

    @precondition(lambda self: self.run.crew.graves)
    @rule(place=PLACES, much=rounds)
    def host_kills(self, place: int, much: int) -> None:
        """The host kills a worker that was given up."""
        self.run.crew.dig(nth(list(self.run.crew.graves), place))
        self.run.turn(much)

    @precondition(lambda self: self.asked)
    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 20.0, 50.0, 70.0]), much=rounds)
    def time_passes(self, seconds: float, much: int) -> None:
        """Time passes, and only the coordinator moves; a worker may be stuck."""
        self.run.time.now += seconds
        self.run.turn(much)

    @rule(batch=batches)
    def everybody_moves(self, batch: Batch) -> None:
        """For a moment all goes well, agents work on, and if there is no work there is more."""
        if not self.open and self._may_submit:
            self._submit(self._specs(batch), ALL)
        self.run.go_on(lambda _: None)

    @precondition(lambda self: self._obeying)
    @rule(kind=st.sampled_from([VerdictKind.PASS, VerdictKind.PASS, VerdictKind.FAIL, None]))
    def agents_finish(self, kind: VerdictKind | None) -> None:
        """For a moment all goes well, and agents record this, or nothing, and end."""
        self._go_on(kind)

    # Agents.

    @precondition(lambda self: self._at_work)
    @rule(place=PLACES, kind=kinds)
    def agent_records(self, place: int, kind: VerdictKind) -> None:
        """An agent records a verdict; one whose worker has died may still do so."""
        self._record(job_of(nth(self._at_work, place)), kind)

    @precondition(lambda self: self._obeying)
    @rule(
        place=PLACES,
        status=st.sampled_from([0, 0, 0, 1]),
        cost=st.sampled_from([Usage(cost_usd=0.25), Usage(cost_usd=1.0), Usage(), None]),
    )
    def agent_ends(self, place: int, status: int, cost: Usage | None) -> None:
        """An agent ends by itself, with this exit status."""
        self._end_agent(nth(self._obeying, place), status, cost)

    @precondition(lambda self: self._obeying)
    @rule(
        place=PLACES,
        cause=st.sampled_from([Cause.LOGIN, Cause.RATE_LIMIT, Cause.AGENT_FAILED, None]),
    )
    def agent_breaks(self, place: int, cause: Cause | None) -> None:
        """An agent ends in a trouble of its own, or has a defect."""
        process = nth(self._obeying, place)
        if cause is None:
            process.agent.end(RuntimeError("a defect"))
        else:
            course = self._course(job_of(process).attempt)

            def said() -> Trouble:
                course.said = Trouble(cause=cause, message="so it is")
                return course.said

            process.agent.end(said)
        process.move()

    @precondition(lambda self: self._obeying)
    @rule(place=PLACES, seconds=st.sampled_from([1.0, 10.0, 1000.0]))
    def agent_waits(self, place: int, seconds: float) -> None:
        """An agent's provider refuses work."""
        job_of(nth(self._obeying, place)).waits(seconds, "rate limit")

    @precondition(lambda self: self._over and self._at_work)
    @rule(place=PLACES, kind=kinds)
    def leftover_records(self, place: int, kind: VerdictKind) -> None:
        """What an attempt has left running records when the attempt is over: that is too late."""
        job = nth(self._over, place).job
        assert job is not None
        record(job, Verdict(verdict=kind, summary="too late"))

    # Trouble.

    @precondition(lambda self: self._called_in)
    @rule(place=PLACES)
    def worker_is_killed(self, place: int) -> None:
        """A worker is killed in whatever it does."""
        nth(self._called_in, place).kill()

    @precondition(lambda self: self._alive)
    @rule(place=PLACES, fate=fates)
    def worker_will_fail(self, place: int, fate: str) -> None:
        """A worker will be killed beside some step of its attempt, or find no room for a report."""
        nth(self._alive, place).fate = fate

    @precondition(lambda self: self._may_fail_to_start)
    @rule()
    def worker_does_not_start(self) -> None:
        """A worker is killed before it is ready, or the host will not start the next one."""
        starting = [process for process in self._alive if process not in self._called_in]
        if starting:
            starting[0].kill()
        else:
            self.run.crew.refuses = True

    @precondition(lambda self: self.asked)
    @rule(full=st.booleans())
    def places_have_to_be_waited_for(self, *, full: bool) -> None:
        """There is no place for the workers that are launched from now on, or there is."""
        self.run.crew.full = full

    @precondition(lambda self: self.run.crew.queue)
    @rule(place=PLACES, much=rounds)
    def worker_gets_a_place(self, place: int, much: int) -> None:
        """A worker that waits for a place has one."""
        self.run.crew.seat(nth(list(self.run.crew.queue), place), placed=True)
        self.run.turn(much)

    @precondition(lambda self: self.run.crew.queue and self._may_fail_to_start)
    @rule(place=PLACES, much=rounds)
    def worker_is_refused_a_place(self, place: int, much: int) -> None:
        """A node is not fit for the worker that it is offered."""
        self.run.crew.seat(nth(list(self.run.crew.queue), place), placed=False)
        self.run.turn(much)

    @precondition(lambda self: self.asked)
    @rule(place=PLACES, how=st.sampled_from(WAYS))
    def others_touch_the_list(self, place: int, how: str) -> None:
        """Somebody else does something on the list, well or badly."""
        self.run.session.act(nth(list(self.asked), place), how)

    @rule(slow=st.booleans())
    def list_answers(self, *, slow: bool) -> None:
        """All that waits on the list is done; from now on it answers at once, or not."""
        self._answer()
        self.run.list_is_slow = slow

    @precondition(lambda self: self.may_stop and len(self.asked) >= MOST_OPEN)
    @rule(much=rounds)
    def pytest_stops(self, much: int) -> None:
        """The run is stopped in the middle."""
        self.may_stop = False
        self.run.stop()
        self.run.turn(much)

    # What is seen as it happens.

    def assigned(self, attempt: Attempt) -> None:
        """See an attempt begin: it may, and it is the only one."""
        asked, board = self.asked[attempt.task_id], self.run.board
        assert attempt.number == len(asked.courses) + 1
        assert attempt.number <= asked.spec.retries + 1
        assert not [c for c in asked.courses if isinstance(c.outcome, Verdict)], "done already"
        assert all(self._passed(need) for need in asked.needs)
        assert self.run.time.now >= board.held_until
        if asked.spec.group is not None:
            others = self._at_work_in(asked.spec.group)
            assert others <= {attempt.task_id}, "another of its group is at work"
        costs, limit = self._costs, asked.spec.budget_usd
        reserved = max(costs, default=0.0) if limit is None else limit
        assert board.money.reserved[attempt.name] == reserved
        if self.limits.budget_usd is not None:
            assert (
                sum(costs) + sum(board.money.reserved.values()) <= self.limits.budget_usd + ROUNDING
            )
        asked.courses.append(Course(attempt=attempt, reserved=reserved))

    def claimed(self, task_id: str) -> None:
        """See a claim succeed: no session has the task, or is in the middle of a claim."""
        assert task_id not in self.run.session.taken
        assert not self.run.session.is_claiming(task_id)
        # A late one may be of an attempt that is over; then a release follows.
        self.asked[task_id].courses[-1].claimed = True

    def started(self, job: Job) -> None:
        """See an agent begin: its worker has the task, and no other agent is at it.

        A worker may go on without a claim where the list is gone, the task on it is broken, or the
        list has not answered.
        """
        course = self.asked[job.attempt.task_id].courses[-1]
        assert job.attempt == course.attempt
        task_id = job.attempt.task_id
        waits = task_id in self.run.waiting_calls
        assert course.claimed or waits or task_id in self.run.session.touched
        course.job = job
        at_work = [job_of(process).attempt.task_id for process in self._at_work]
        assert at_work.count(job.attempt.task_id) == 1

    def put_down(self, attempt: str, entry: Entry) -> None:
        """See a record on disk: from now on it counts, unless it came late."""
        assert isinstance(entry, Recording)
        task_id, _, number = attempt.rpartition(".")
        course = self.asked[task_id].courses[int(number) - 1]
        assert not course.judged, "it is over"
        verdict = entry.record.verdict
        assert verdict is not None
        if not entry.late or verdict.verdict is VerdictKind.FAIL:
            course.records.append(verdict)

    def reported(self, report: AttemptReport) -> None:
        """See a report: it is what the agent said, or else what it recorded."""
        course = self._course(report.attempt)
        assert report.attempt == course.attempt
        assert_same(report, course.said or settled(course.records))
        course.report = report

    def unfiled(self, attempt: Attempt) -> None:
        """See that a report finds no room: a verdict counts, for it is on disk."""
        self._course(attempt).unfiled = True

    # What holds after every step.

    @invariant()
    def all_is_well(self) -> None:
        """Look at everything."""
        self.looks += 1
        self._look()

    def _look(self) -> None:
        self.nobody_holds_what_another_holds()
        self.no_task_is_forgotten()
        self.counters_are_true()
        self.limits_are_kept()
        self.reports_are_true()
        self.results_are_true()

    def nobody_holds_what_another_holds(self) -> None:
        """A task has one agent and one worker, on the board and on the list."""
        running = [w.attempt for w in self.run.board.workers if w.attempt is not None]
        tasks = self.run.board.tasks
        ids = sorted(attempt.task_id for attempt in running)
        assert ids == sorted(task.id for task in tasks if task.state is TaskState.RUNNING)
        for process in self._at_work:
            attempt = job_of(process).attempt
            task_id = attempt.task_id
            assert attempt in running
            if task_id not in self.run.session.touched | self.run.waiting_calls.keys():
                found = self.run.list.read(task_id)
                assert found is not None
                assert found.is_held_by(process.owner)

    def no_task_is_forgotten(self) -> None:
        """Every task that waits is where the schedule will find it, once."""
        board = self.run.board
        waiting = {task.id for task in board.tasks if task.state is TaskState.READY}
        resting = [task_id for _, task_id in board.tasks.resting if task_id in waiting]
        assert sorted(waiting) == sorted([*board.tasks.ready, *resting])
        for task in board.tasks:
            if task.state is TaskState.BLOCKED:
                assert task.unmet
                assert all(board.tasks[need].state is not TaskState.DONE for need in task.unmet)

    def counters_are_true(self) -> None:
        """What the board counts is what there is."""
        if self.run.is_over:
            return
        board, snapshot = self.run.board, self.run.board.snapshot()
        done = [asked.future.result() for asked in self.asked.values() if asked.future.done()]
        results = [*done, *board.tasks.results]
        states = Counter(task.state for task in board.tasks)
        assert states[TaskState.DONE] == len(results)
        assert snapshot.verdicts == Counter(
            result.verdict.verdict if result.verdict else VerdictKind.ERROR for result in results
        )
        assert board.tasks.open == len(board.tasks) - len(results)
        assert snapshot.running == states[TaskState.RUNNING]
        assert snapshot.queued == states[TaskState.READY] + states[TaskState.BLOCKED]
        assert snapshot.retries == sum(
            max(0, len(asked.courses) - 1) for asked in self.asked.values()
        )

    def limits_are_kept(self) -> None:
        """No more workers and no more money than is allowed, and none is put aside for nothing."""
        board, limits = self.run.board, self.limits
        placed = board.workers.launches - board.workers.unplaced
        assert placed <= limits.workers + limits.max_worker_restart
        assert len(board.workers.live) <= limits.workers
        for worker in board.workers:
            if worker.state is WorkerState.GONE:
                assert worker.attempt is not None or not worker.buried, "it has left the board"
        states = Counter(worker.state for worker in board.workers)
        starting = states[WorkerState.WAITING] + states[WorkerState.STARTING]
        assert limits.starting is None or starting <= limits.starting
        running = {w.attempt.name for w in board.workers if w.attempt is not None}
        assert board.money.reserved.keys() == running
        assert abs(board.money.spent - sum(self._costs)) < ROUNDING

    def reports_are_true(self) -> None:
        """Every attempt comes to what its worker filed, or else to what its agent recorded."""
        for task_id in self.open.keys() & {task.id for task in self.run.board.tasks}:
            task, courses = self.run.board.tasks[task_id], self.open[task_id].courses
            assert len(courses) - len(task.reports) == (task.state is TaskState.RUNNING)
            for report, course in zip(task.reports, courses, strict=False):
                if not course.judged:
                    course.judged = True
                    self._judge(report, course)

    def results_are_true(self) -> None:
        """A task ends after its last attempt, and passes only by what that recorded."""
        for task_id in [task_id for task_id, asked in self.open.items() if asked.future.done()]:
            asked = self.open.pop(task_id)
            self._judge_result(asked.future.result(), task_id, asked)

    def _judge(self, report: AttemptReport, course: Course) -> None:
        assert report.attempt == course.attempt
        on_disk = filed(self.run.journal, report.attempt)
        if course.unfiled:
            assert on_disk is None
            wanted = course.outcome
            assert_same(report, wanted if isinstance(wanted, Verdict) else None)
        else:
            assert_same(report, course.outcome)
            assert on_disk is not None
            assert_same(on_disk, report.verdict or report.trouble)
        if report.trouble is not None and report.trouble.cause is Cause.CLAIM_LOST:
            assert report.attempt.task_id in self.run.session.touched

    def _judge_result(self, result: Result, task_id: str, asked: Asked) -> None:
        assert (result.task_id, result.spec) == (task_id, asked.spec)
        attempts = [report.attempt for report in result.reports]
        assert attempts == [course.attempt for course in asked.courses]
        outside, spec = result.trouble_outside, asked.spec
        tried = result.reports[:-1] if outside is None else result.reports
        assert all(report.trouble is not None and report.trouble.retryable for report in tried)
        if outside is not None:
            assert self._may_end_without_attempt(outside.cause, asked)
        elif result.trouble is not None and result.trouble.retryable:
            assert len(attempts) == spec.retries + 1 or self.run.board.stopping is not None
        if result.verdict is not None and result.verdict.passed:
            assert result.verdict in asked.courses[-1].records
            assert all(self._passed(need) for need in asked.needs)

    def _may_end_without_attempt(self, cause: Cause, asked: Asked) -> bool:
        board = self.run.board
        may_be = {
            Cause.NEEDS: not all(self._passed(need) for need in asked.needs),
            Cause.BUDGET: self.limits.budget_usd is not None,
            Cause.NO_WORKERS: not board.workers.live,
            Cause.STOPPED: board.stopping is not None,
            Cause.MACHINERY: self.run.is_over,
        }
        return may_be[cause]

    # The end.

    def teardown(self) -> None:
        """Bring the run to its end, unless something has failed, and leave nothing behind."""
        try:
            if sys.exc_info()[0] is None:
                self._bring_to_end()
                Machine.steps += self.looks
        finally:
            if self.begun:
                self.run.close()
            shutil.rmtree(self.folder)

    def _bring_to_end(self) -> None:
        for process in self.run.processes:
            process.fate = None
        self.run.crew.refuses = self.run.crew.full = False
        self.run.list_is_slow = False
        self._answer()
        self.run.session.finish_claim()
        self._go_on_until(lambda: all(asked.future.done() for asked in self.open.values()))
        self._look()
        assert not self.open
        assert self.run.board.money.reserved == {}
        if not self.run.is_over:
            self.run.stop()
        self._go_on_until(lambda: self.run.is_over)
        ended = Counter((event["task"], event["attempt"]) for event in self.run.events("ended"))
        attempts = [course.attempt for asked in self.asked.values() for course in asked.courses]
        assert ended == {(attempt.task_id, attempt.number): 1 for attempt in attempts}
        self._leave_the_list()

    def _leave_the_list(self) -> None:
        run = self.run
        run.list.close()
        for file, content in run.session.own.items():
            assert file.read_bytes() == content
        if run.list.path.exists():
            protocol = (".lock", ".highwatermark")
            left = {path for path in run.list.path.iterdir() if not path.name.endswith(protocol)}
            assert left == run.session.own.keys()

    def _go_on_until(self, condition: Callable[[], bool]) -> None:
        for _ in range(ROUNDS):
            if condition():
                return
            self._go_on(VerdictKind.PASS)
            self.run.time.now += 5.0
        raise AssertionError(f"it does not come to its end: {self.run.board}")

    # Small things.

    def _answer(self) -> None:
        for task_id in list(self.run.waiting_calls):
            self.run.answer(task_id)

    @property
    def _may_submit(self) -> bool:
        return len(self.open) < MOST_OPEN and not self.run.is_over

    @property
    def _may_fail_to_start(self) -> bool:
        board, crew = self.run.board, self.run.crew
        return (
            bool(self.open) and board.workers.unready_deaths < self.bad_starts and not crew.refuses
        )

    @property
    def _alive(self) -> list[WorkerProcess]:
        return [process for process in self.run.processes if process.alive]

    @property
    def _called_in(self) -> list[WorkerProcess]:
        workers = self.run.board.workers
        return [p for p in self._alive if workers[p.name].state is not WorkerState.STARTING]

    @property
    def _at_work(self) -> list[WorkerProcess]:
        return [process for process in self.run.processes if process.job is not None]

    @property
    def _obeying(self) -> list[WorkerProcess]:
        return [process for process in self._at_work if process.alive]

    @property
    def _over(self) -> list[Course]:
        courses = [course for asked in self.asked.values() for course in asked.courses]
        return [c for c in courses if c.job is not None and c.judged]

    @property
    def _costs(self) -> list[float]:
        return [
            cost_of(report, course)
            for task in self.run.board.tasks
            for report, course in zip(task.reports, self.asked[task.id].courses, strict=False)
        ]

    def _specs(self, batch: Batch) -> list[TaskSpec]:
        before = len(self.specs)
        for number in range(before, before + batch.count):
            spec = TaskSpec(
                nodeid=f"t{number}",
                prompt="Do it.",
                timeout=TIMEOUT,
                cwd="/",
                retries=batch.retries,
                needs=tuple(f"t{number - back}" for back in batch.needs if back <= number),
                budget_usd=batch.limit,
                group=batch.group,
            )
            self.specs.append(spec)
        return self.specs[before:]

    def _submit(self, batch: list[TaskSpec], much: int) -> None:
        submitted = self.run.submit(batch)
        self.ids.update((spec.nodeid, task[0]) for spec, task in zip(batch, submitted, strict=True))
        for spec, (task_id, future) in zip(batch, submitted, strict=True):
            assert task_id not in self.asked, "an id is given twice"
            needs = [self.ids[need] for need in spec.needs]
            self.asked[task_id] = self.open[task_id] = Asked(spec, future, needs)
        self.run.turn(much)

    def _at_work_in(self, group: str) -> set[str]:
        """Return the tasks of a group that a worker has, or at which an agent still is."""
        running = {task.id for task in self.run.board.tasks if task.state is TaskState.RUNNING}
        at_work = {job_of(process).attempt.task_id for process in self._at_work}
        return {id_ for id_ in running | at_work if self.asked[id_].spec.group == group}

    def _passed(self, task_id: str) -> bool:
        courses = self.asked[task_id].courses
        return bool(courses) and courses[-1].passed

    def _course(self, attempt: Attempt) -> Course:
        return self.asked[attempt.task_id].courses[attempt.number - 1]

    def _record(self, job: Job, kind: VerdictKind) -> None:
        self.records += 1
        record(job, Verdict(verdict=kind, summary=f"record {self.records}"))

    def _end_agent(self, process: WorkerProcess, status: int, cost: Usage | None) -> None:
        job = job_of(process)
        if cost is not None:
            job.spent(cost)

        def said() -> Verdict | Trouble:
            judged = judge(recorded(job), Ended(status))
            assert judged is not None
            self._course(job.attempt).said = judged
            return judged

        process.agent.end(said)
        process.move()

    def _go_on(self, kind: VerdictKind | None) -> None:
        def end(process: WorkerProcess) -> None:
            if kind is not None:
                self._record(job_of(process), kind)
            self._end_agent(process, 0, Usage(cost_usd=0.25))

        self.run.go_on(end)


def cost_of(report: AttemptReport, course: Course) -> float:
    """Return what an attempt has cost: what nobody can tell is all that was put aside for it."""
    if report.usage is not None:
        told = report.usage.cost_usd
        return course.reserved if told is None else told
    return course.reserved if course.report is None else 0.0


@pytest.mark.fault("storm")
@pytest.mark.parametrize("steps", [STEPS, pytest.param(MANY_STEPS, marks=pytest.mark.slow)])
def test_no_task_is_lost_or_doubled(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """In thousands of steps of many runs, every task ends exactly once, as it was recorded."""
    simulate_workers(monkeypatch)
    monkeypatch.setattr(Machine, "steps", 0)
    while Machine.steps < steps:  # once round, unless many of the runs were short
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=steps // 50,
                stateful_step_count=70,
                # How long a step takes says something about the machine's load only.
            ),
        )
