"""The board and the schedule: a whole run without a process, a file or a clock."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.coordinator.board import Board
from pytest_ptc.coordinator.deadlines import BEGIN_TIMEOUT_S, START_TIMEOUT_S, STUCK_AFTER_S
from pytest_ptc.coordinator.schedule import (
    MAX_FAILED_STARTS,
    Action,
    Assign,
    GiveUp,
    GiveUpReady,
    Kill,
    Launch,
    Limits,
    Stop,
    next_look,
    plan,
)
from pytest_ptc.coordinator.tasks import FIRST_BACKOFF_S
from pytest_ptc.coordinator.view import BoardView, ReadyTask
from pytest_ptc.coordinator.workers import FIRST_PAUSE_S, MAX_FREE_REFUSALS, MAX_PAUSE_S
from pytest_ptc.model.errors import IllegalMove
from pytest_ptc.model.lifecycle import WorkerState
from pytest_ptc.model.result import Attempt, AttemptReport, Result, Usage
from pytest_ptc.model.self_test import Expectation, SelfTest
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Finding, Severity, Verdict, VerdictKind

LIMITS = Limits(workers=2, max_worker_restart=3)
PASS = Verdict(verdict=VerdictKind.PASS, summary="fine")
FAIL = Verdict(verdict=VerdictKind.FAIL, summary="broken")
CRASH = Trouble(cause=Cause.WORKER_LOST, message="it died")
STOP = Trouble(cause=Cause.STOPPED, message="-x")


class World:
    """A board and what the loop would do with the schedule's actions."""

    def __init__(self, limits: Limits = LIMITS, *, places: bool = True) -> None:
        self.limits = limits
        #: Whether workers have a place at once.
        self.places = places
        self.board = Board()
        self.now = 0.0
        self.attempts: list[Attempt] = []
        #: Whether workers say at once that they have begun what they were given.
        self.begin = True

    def submit(
        self,
        *names: str,
        retries: int = 0,
        needs: tuple[str, ...] = (),
        budget_usd: float | None = None,
        self_test: SelfTest | None = None,
        timeout: float = 60,
    ) -> None:
        for name in names:
            spec = TaskSpec(
                nodeid=name,
                prompt="p",
                timeout=timeout,
                cwd="/",
                retries=retries,
                budget_usd=budget_usd,
                self_test=self_test,
            )
            self.board.submitted(name, spec, needs)

    def view(self) -> BoardView:
        """Return what the schedule sees, as the supervisor shows it."""
        return self.board.view(priced=self.limits.budget_usd is not None)

    def turn(self) -> list[Action]:
        """Act on one plan as the loop does, and return it."""
        self.board.rested(self.now)
        actions = plan(self.view(), self.limits, self.now)
        for action in actions:
            match action:
                case Launch(worker):
                    self.board.launched(worker, self.now)
                    if self.places:
                        self.board.placed(worker, None, self.now)
                case Assign(task_id, worker):
                    self.attempts.append(self.board.assigned(task_id, worker, self.now))
                    if self.begin:
                        self.board.begun(worker)
                case Kill(worker, _):
                    self.die(worker)
                case GiveUp(task_id, trouble):
                    self.board.gave_up(task_id, trouble)
                case GiveUpReady(trouble):
                    self.board.gave_up_ready(trouble)
        return actions

    def ready(self, *workers: str) -> None:
        for worker in workers:
            self.board.called_in(worker, self.now)

    def end(
        self,
        attempt: Attempt,
        how: Verdict | Trouble,
        usage: Usage | None = None,
        *,
        by_worker: bool = True,
    ) -> None:
        verdict, trouble = (how, None) if isinstance(how, Verdict) else (None, how)
        report = AttemptReport(
            attempt=attempt, seconds=1, verdict=verdict, trouble=trouble, usage=usage
        )
        self.board.ended(report, self.now, by_worker=by_worker)

    def die(self, worker: str) -> None:
        attempt = self.board.died(worker, self.now)
        self.board.buried(worker, "it died", "")
        if attempt is not None:
            self.end(attempt, CRASH, by_worker=False)

    def results(self) -> dict[str, Result]:
        return {result.task_id: result for result in self.board.take_results()}


@pytest.fixture
def world() -> World:
    """A world with nothing in it."""
    return World()


def test_no_task_starts_no_worker(world: World) -> None:
    """A run without tasks launches nothing."""
    assert world.turn() == []


def test_no_more_workers_than_tasks(world: World) -> None:
    """One task needs one worker, whatever the limit is."""
    world.submit("a")
    assert world.turn() == [Launch("w1")]


def test_tasks_are_assigned_in_order_and_once(world: World) -> None:
    """Idle workers get the ready tasks first come first served, each once."""
    world.submit("a", "b", "c")
    world.turn()
    world.ready("w1", "w2")
    assert world.turn() == [Assign("a", "w1"), Assign("b", "w2")]
    assert world.turn() == []
    world.end(world.attempts[0], PASS)
    assert world.turn() == [Assign("c", "w1")]
    assert world.results()["a"].verdict == PASS


def test_a_dead_workers_task_is_tried_again_on_another(world: World) -> None:
    """With retries, a crash costs an attempt, a pause and a new worker, not the task."""
    world.submit("a", retries=1)
    world.turn()
    world.ready("w1")
    world.turn()
    world.die("w1")
    assert world.turn() == [Launch("w2")]
    world.ready("w2")
    assert world.turn() == []
    assert next_look(world.view(), world.limits) == FIRST_BACKOFF_S
    world.now += FIRST_BACKOFF_S
    assert world.turn() == [Assign("a", "w2")]
    world.end(world.attempts[1], PASS)
    result = world.results()["a"]
    assert result.verdict == PASS
    assert [report.attempt.name for report in result.reports] == ["a.1", "a.2"]


def test_a_crash_without_retries_is_trouble(world: World) -> None:
    """Without retries, the crash is how the task ends."""
    world.submit("a")
    world.turn()
    world.ready("w1")
    world.turn()
    world.die("w1")
    assert world.results()["a"].trouble == CRASH


def test_a_recorded_fail_is_never_retried(world: World) -> None:
    """Retries are for the machinery: a fail is a verdict."""
    world.submit("a", retries=5)
    world.turn()
    world.ready("w1")
    world.turn()
    world.end(world.attempts[0], FAIL)
    assert world.results()["a"].verdict == FAIL


def test_trouble_that_cannot_help_is_not_retried(world: World) -> None:
    """A program that is missing stays missing."""
    world.submit("a", retries=5)
    world.turn()
    world.ready("w1")
    world.turn()
    world.end(world.attempts[0], Trouble(cause=Cause.AGENT_MISSING, message="no"))
    assert world.results()["a"].trouble is not None


@pytest.mark.parametrize(
    "cause", [cause for cause in Cause if Trouble(cause=cause, message="x").retryable], ids=str
)
def test_whoever_said_fail_is_not_asked_again(world: World, cause: Cause) -> None:
    """Whatever ended the attempt besides."""
    world.submit("a", retries=5)
    world.turn()
    world.ready("w1")
    world.turn()
    world.end(world.attempts[0], Trouble(cause=cause, message="x").after_fail())
    trouble = world.results()["a"].trouble
    assert trouble is not None
    assert trouble.message == "x; it said fail: not tried again"


def test_a_stale_report_changes_nothing(world: World) -> None:
    """A report for an attempt that is over, or of another worker, is not an outcome."""
    world.submit("a", retries=1)
    world.turn()
    world.ready("w1")
    world.turn()
    first = world.attempts[0]
    world.die("w1")
    world.end(first, PASS)
    assert world.results() == {}


def test_a_task_waits_for_what_it_needs(world: World) -> None:
    """A task is ready only when every task that it needs has passed."""
    world.submit("a", "b")
    world.submit("c", needs=("a", "b"))
    world.turn()
    world.ready("w1", "w2")
    world.turn()
    world.end(world.attempts[0], PASS)
    assert world.turn() == []
    world.end(world.attempts[1], PASS)
    assert world.turn() == [Assign("c", "w1")]


def test_an_unmet_need_ends_all_that_hang_on_it(world: World) -> None:
    """When a needed task does not pass, its dependents end in trouble, down the chain."""
    world.submit("a")
    world.submit("b", needs=("a",))
    world.submit("c", needs=("b",))
    world.turn()
    world.ready("w1")
    world.turn()
    world.end(world.attempts[0], FAIL)
    results = world.results()
    for name in ("b", "c"):
        trouble = results[name].trouble
        assert trouble is not None
        assert trouble.cause is Cause.NEEDS


@pytest.mark.parametrize("missed", [False, True])
def test_what_needs_a_canary_waits_until_its_planted_defect_is_found(
    world: World, missed: bool
) -> None:
    """Its verdict is a fail, as it must be; a pass has missed it."""
    expect = Expectation(path="a.py", rules=("eval",))
    world.submit("a", self_test=SelfTest(kind="canary", expect=expect))
    world.submit("b", needs=("a",))
    world.turn()
    world.ready("w1")
    world.turn()
    found = Finding(severity=Severity.HIGH, message="m", path="a.py", rule="eval")
    world.end(world.attempts[0], PASS if missed else replace(FAIL, findings=(found,)))
    assert ("b" in world.results()) is missed
    assert world.turn() == ([] if missed else [Assign("b", "w1")])


def test_lost_workers_are_replaced_only_so_often(world: World) -> None:
    """When the restarts are used up, what is left ends as `no workers`, and nothing hangs."""
    world.submit("a", retries=99)
    launches = 0
    for _ in range(50):
        actions = world.turn()
        launched = [action.worker for action in actions if isinstance(action, Launch)]
        launches += len(launched)
        world.ready(*launched)
        world.turn()
        for worker in launched:
            world.die(worker)
        world.now += 60
    assert launches == LIMITS.workers + LIMITS.max_worker_restart
    trouble = world.results()["a"].trouble
    assert trouble is not None
    assert trouble.cause is Cause.NO_WORKERS


def test_without_workers_the_reason_has_the_last_line_of_the_last_one() -> None:
    """What it printed before it ended says most; all of its lines are the evidence."""
    world = World(Limits(workers=1, max_worker_restart=0))
    world.submit("a")
    world.turn()
    world.board.died("w1", world.now)
    world.board.buried("w1", "exit status 2", f"first\n{'x' * 1000}")
    world.turn()
    trouble = world.results()["a"].trouble
    assert trouble is not None
    assert f"w1: exit status 2, with the last line: {'x' * 300}; see" in trouble.message
    assert trouble.evidence == f"first\n{'x' * 1000}"


def test_workers_that_never_call_in_are_given_up_early(world: World) -> None:
    """A worker that cannot start will not start the next time either."""
    world.submit("a", "b", "c")
    launches = 0
    for _ in range(20):
        for action in world.turn():
            if isinstance(action, Launch):
                launches += 1
                world.die(action.worker)
    assert launches <= MAX_FAILED_STARTS + LIMITS.workers
    assert {r.trouble.cause for r in world.results().values() if r.trouble} == {Cause.NO_WORKERS}


def test_workers_that_die_together_before_they_call_in_count_once() -> None:
    """The end of one tmux server, with many workers starting in it, does not give up the run."""
    world = World(Limits(workers=8, max_worker_restart=32))
    world.submit(*"abcdefgh")
    starting = [action.worker for action in world.turn() if isinstance(action, Launch)]
    assert len(starting) == 8 > MAX_FAILED_STARTS
    for worker in starting:
        world.now += 0.1
        world.die(worker)
    assert [type(action) for action in world.turn()] == [Launch] * 8


def test_when_nobody_is_left_a_task_that_waits_ends_with_the_one_it_waits_for() -> None:
    """Giving up ends every task once, also those that need another one."""
    world = World(Limits(workers=1, max_worker_restart=0))
    world.submit("a")
    world.submit("b", needs=("a",))
    world.submit("c", needs=("b",))
    world.turn()
    world.die("w1")
    assert [type(action) for action in world.turn()] == [GiveUpReady]
    causes = [r.trouble.cause for r in world.results().values() if r.trouble]
    assert causes == [Cause.NO_WORKERS, Cause.NEEDS, Cause.NEEDS]
    assert world.turn() == []


def test_workers_that_die_as_they_start_are_replaced_once_one_has_called_in() -> None:
    """Where one worker could start, another can: then only the limit of restarts ends the run."""
    world = World(Limits(workers=2, max_worker_restart=20))
    world.submit("a", "b", "c")
    world.turn()
    world.ready("w1")
    world.die("w1")
    world.die("w2")
    launches = 2
    for _ in range(30):
        for action in world.turn():
            if isinstance(action, Launch):
                launches += 1
                world.now += 1.0
                world.die(action.worker)
    assert launches == 2 + 20
    assert {r.trouble.cause for r in world.results().values() if r.trouble} == {Cause.NO_WORKERS}


def test_a_worker_that_does_not_call_in_is_killed(world: World) -> None:
    """A started worker has its time to call in, and the schedule asks to be woken then."""
    world.submit("a")
    world.turn()
    assert next_look(world.view(), world.limits) == START_TIMEOUT_S
    world.now = START_TIMEOUT_S
    assert isinstance(world.turn()[0], Kill)


# --- places


def test_a_worker_may_wait_for_a_place_as_long_as_it_takes() -> None:
    """Its time to call in begins when it has one; on the board it counts as a worker before."""
    world = World(places=False)
    world.submit("a")
    assert world.turn() == [Launch("w1")]
    assert next_look(world.view(), world.limits) is None
    world.now = 10_000.0
    assert world.turn() == []
    assert world.board.snapshot().without_place == 1
    world.board.placed("w1", "n1", world.now)
    snapshot = world.board.snapshot()
    assert (snapshot.without_place, snapshot.nodes, snapshot.workers[0].node) == (0, 1, "n1")
    assert next_look(world.view(), world.limits) == world.now + START_TIMEOUT_S
    world.ready("w1")
    assert world.turn() == [Assign("a", "w1")]


def test_what_a_worker_on_a_node_has_done_names_that_node() -> None:
    """It is no part of what an attempt is: a report from the worker, which knows none, is of it."""
    world = World(places=False)
    world.submit("a")
    world.turn()
    world.board.placed("w1", "n1", world.now)
    world.ready("w1")
    world.turn()
    world.end(Attempt(task_id="a", number=1, worker="w1"), PASS)
    (report,) = world.results()["a"].reports
    assert report.attempt.node == "n1"


def test_a_place_that_comes_too_late_is_none() -> None:
    """Its worker is gone, and has been ended."""
    world = World(places=False)
    world.submit("a")
    world.turn()
    world.board.died("w1", world.now)
    world.board.placed("w1", "n1", world.now)
    assert world.board.workers["w1"].state is WorkerState.GONE


def test_waiting_for_a_place_counts_for_the_runs_timeout() -> None:
    """It is the only limit that does."""
    world = World(replace(LIMITS, run_timeout=3600.0), places=False)
    world.submit("a")
    world.turn()
    assert next_look(world.view(), world.limits) == 3600.0
    world.now = 3600.0
    assert isinstance(world.turn()[0], Stop)


def refuse(world: World, *workers: str) -> list[Action]:
    """Lose workers before they have a place, and return what is done when the pause is over."""
    world.now += 0.5
    for worker in workers:
        world.die(worker)
    assert world.turn() == []
    world.now = world.view().launch_at
    assert next_look(world.view(), world.limits) == world.now
    return world.turn()


def test_who_is_refused_a_place_costs_no_restart_and_waits_ever_longer() -> None:
    """A node that is not fit is free for the next one sooner than one that works."""
    world = World(Limits(workers=2, max_worker_restart=0), places=False)
    world.submit("a", "b", "c", timeout=10_000)
    world.turn()
    world.board.placed("w1", "n1", world.now)
    world.ready("w1")
    world.turn()
    pauses, lost = [], 2
    while world.view().unplaced < MAX_FREE_REFUSALS:
        before = world.now
        assert refuse(world, f"w{lost}") == [Launch(f"w{lost + 1}")]
        pauses.append(world.now - before - 0.5)
        lost += 1
    assert pauses[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert set(pauses[5:]) == {MAX_PAUSE_S}
    # From then on it is a worker as any, and there are no restarts.
    world.die(f"w{lost}")
    world.now += MAX_PAUSE_S
    assert world.turn() == []
    assert world.board.workers.live, "the one that has a place goes on"


def test_a_worker_that_works_ends_the_pauses() -> None:
    """There is a node that is fit, and has room."""
    world = World(Limits(workers=2, max_worker_restart=0), places=False)
    world.submit("a", "b", "c")
    world.turn()
    assert refuse(world, "w1") == [Launch("w3")]
    world.board.placed("w2", "n1", world.now)
    world.ready("w2")
    world.turn()
    world.die("w3")
    assert world.view().launch_at == world.now + FIRST_PAUSE_S


def test_who_was_refused_together_waits_together() -> None:
    """As when the engine has lost all that waited."""
    world = World(Limits(workers=3, max_worker_restart=0), places=False)
    world.submit("a", "b", "c")
    world.turn()
    assert refuse(world, "w1", "w2", "w3") == [Launch("w4"), Launch("w5"), Launch("w6")]
    assert world.now == 0.5 + FIRST_PAUSE_S
    assert world.view().unplaced == 3


def test_where_no_node_is_fit_the_run_ends_and_says_why() -> None:
    """A few times are enough, if no worker has ever called in."""
    world = World(Limits(workers=2, max_worker_restart=30), places=False)
    world.submit("a")
    world.turn()
    for number in range(1, MAX_FAILED_STARTS):
        assert refuse(world, f"w{number}") == [Launch(f"w{number + 1}")]
    last = f"w{MAX_FAILED_STARTS}"
    world.now += 0.5
    world.board.died(last, world.now)
    world.board.buried(last, "node nb has no pytest-ptc", "")
    assert [type(action) for action in world.turn()] == [GiveUpReady]
    trouble = world.results()["a"].trouble
    assert trouble is not None
    assert f"{last}: node nb has no pytest-ptc" in trouble.message


def test_where_there_will_be_no_place_any_more_the_run_ends_with_its_last_worker() -> None:
    """None is launched, and the reason is that, not how the last one ended."""
    world = World(Limits(workers=2, max_worker_restart=30), places=False)
    world.submit("a", "b")
    world.turn()
    world.board.placed("w1", "n1", world.now)
    world.ready("w1")
    world.turn()
    world.board.shut("the scheduler is gone")
    world.die("w2")
    assert world.turn() == []
    assert next_look(world.view(), world.limits) == 60 + STUCK_AFTER_S
    world.die("w1")
    world.turn()
    trouble = world.results()["b"].trouble
    assert trouble is not None
    assert trouble.cause is Cause.NO_WORKERS
    assert "no more are started: the scheduler is gone; see" in trouble.message


@pytest.mark.fault("worker-hit")
def test_a_worker_stuck_past_its_deadline_is_killed(world: World) -> None:
    """A worker that does not end its attempt in time is ended, and its task with it."""
    world.submit("a")
    world.turn()
    world.ready("w1")
    world.turn()
    world.now = 60 + STUCK_AFTER_S
    assert isinstance(world.turn()[0], Kill)
    assert world.results()["a"].trouble == CRASH


def test_stop_settles_what_has_not_begun_and_begins_nothing(world: World) -> None:
    """After a stop, waiting tasks have ended, running ones end as their workers do."""
    world.submit("a", "b", "c")
    world.submit("d", needs=("a",))
    world.turn()
    world.ready("w1")
    world.turn()
    world.board.stopped(STOP)
    assert set(world.results()) == {"b", "c", "d"}
    assert world.turn() == []
    world.submit("e")
    assert world.results()["e"].trouble == STOP
    world.end(world.attempts[0], PASS)
    assert world.results()["a"].verdict == PASS
    assert world.board.tasks.open == 0


def test_a_run_that_stops_looks_at_no_deadline(world: World) -> None:
    """A worker that is late by then is ended by the stop itself: nobody asks for it in a circle."""
    world.submit("a")
    world.turn()
    world.ready("w1")
    world.turn()
    world.now = 60 + STUCK_AFTER_S
    world.board.stopped(STOP)
    assert plan(world.view(), world.limits, world.now) == []
    assert next_look(world.view(), world.limits) is None


def test_a_busy_worker_is_not_given_a_second_task(world: World) -> None:
    """The board refuses moves that its tables do not allow."""
    world.submit("a", "b")
    world.turn()
    world.ready("w1")
    world.turn()
    with pytest.raises(IllegalMove):
        world.board.assigned("b", "w1", 0.0)


def test_snapshot_counts_every_task_once(world: World) -> None:
    """Queued, running and done add up to all tasks at every moment."""
    world.submit("a", "b", "c")
    world.turn()
    world.ready("w1", "w2")
    world.turn()
    world.end(world.attempts[0], FAIL)
    snapshot = world.board.snapshot()
    assert (snapshot.queued, snapshot.running, snapshot.done) == (1, 1, 1)
    assert snapshot.verdicts == {VerdictKind.FAIL: 1}
    assert {w.name: w.nodeid for w in snapshot.workers} == {"w1": None, "w2": "b"}


# --- money


def spending(budget: float | None, *, workers: int = 2) -> World:
    """Return a world that may spend so many US dollars."""
    return World(Limits(workers=workers, max_worker_restart=3, budget_usd=budget))


def cost(usd: float | None) -> Usage:
    """Return the account of an attempt."""
    return Usage(input_tokens=1, cost_usd=usd)


def begun(world: World, *workers: str) -> list[Action]:
    """Launch the workers, take them as ready, and return what is then assigned."""
    world.turn()
    world.ready(*workers)
    return world.turn()


@pytest.mark.parametrize(
    ("costs", "limit", "reserved"),
    [
        pytest.param([], None, 0.0, id="nothing-known"),
        pytest.param([], 2.0, 2.0, id="own-limit"),
        pytest.param([cost(3.0), cost(1.0)], None, 3.0, id="dearest"),
        pytest.param([cost(1.0), cost(3.0)], None, 3.0, id="dearest-last"),
        pytest.param([cost(3.0)], 2.0, 2.0, id="own-limit-below-the-dearest"),
        pytest.param([cost(3.0)], 4.0, 4.0, id="own-limit-above-the-dearest"),
        pytest.param([None], None, 0.0, id="no-account"),
    ],
)
def test_a_task_has_put_aside_its_limit_or_the_dearest_so_far(
    costs: list[Usage | None], limit: float | None, reserved: float
) -> None:
    """What a task may cost is its own limit; without one, as much as any has cost."""
    world = spending(100.0, workers=1)
    names = [f"t{number}" for number in range(len(costs))]
    world.submit(*names)
    world.submit("last", budget_usd=limit)
    begun(world, "w1")
    for usage in costs:
        world.end(world.attempts[-1], PASS, usage)
        world.turn()
    assert world.board.money.reserved == {"last.1": reserved}
    assert world.board.snapshot().cost_usd == sum(u.cost_usd or 0 for u in costs if u is not None)


@pytest.mark.parametrize(
    ("first", "spent", "fits"),
    [
        pytest.param(cost(0.25), 0.25, True, id="cheaper-than-put-aside"),
        pytest.param(cost(0.5), 0.5, True, id="exactly-enough"),
        pytest.param(cost(0.75), 0.75, False, id="dearer"),
        pytest.param(cost(1.5), 1.5, False, id="beyond-the-budget"),
        pytest.param(cost(None), 0.75, False, id="unknown-is-all-that-was-put-aside"),
        pytest.param(None, 0.0, True, id="no-account"),
    ],
)
def test_a_task_that_does_not_fit_waits_and_then_ends(
    first: Usage | None, spent: float, *, fits: bool
) -> None:
    """While something runs the others wait for what it will cost; then they run or end unspent."""
    world = spending(1.0)
    world.submit("a", budget_usd=0.75)
    world.submit("b", "c", budget_usd=0.5)
    assert begun(world, "w1", "w2") == [Assign("a", "w1")]
    assert world.turn() == []
    world.end(world.attempts[0], PASS, first)
    assert world.board.money.spent == spent
    actions = world.turn()
    if fits:
        # Whoever waits longest comes first.
        assert Assign("b", "w2") in actions
        assert not [action for action in actions if isinstance(action, GiveUp)]
        return
    assert [action.task_id for action in actions if isinstance(action, GiveUp)] == ["b", "c"]
    assert len(actions) == 2
    trouble = world.results()["b"].trouble
    assert trouble is not None
    assert trouble.cause is Cause.BUDGET
    assert (
        f"budget is $1.00, ${spent:.2f} of it is spent, and this task may cost $0.50"
        in trouble.message
    )
    assert world.board.tasks.open == 0


def test_what_fits_together_runs_together() -> None:
    """A budget that is used up to the last cent is not exceeded."""
    world = spending(1.0)
    world.submit("a", "b", budget_usd=0.5)
    assert begun(world, "w1", "w2") == [Assign("a", "w1"), Assign("b", "w2")]


@pytest.mark.parametrize("together", [True, False], ids=["at-once", "one-by-one"])
def test_ten_cents_go_three_times_into_thirty(*, together: bool) -> None:
    """A budget that is a multiple of the tasks' limits is enough for so many of them."""
    world = spending(0.3, workers=3 if together else 1)
    world.submit("a", "b", "c", budget_usd=0.1)
    begun(world, "w1", *(["w2", "w3"] if together else []))
    while not together and len(world.attempts) < 3:
        world.end(world.attempts[-1], PASS, cost(0.1))
        assert not [action for action in world.turn() if isinstance(action, GiveUp)]
    assert len(world.attempts) == 3


def test_a_task_beyond_the_whole_budget_is_never_begun() -> None:
    """A limit of a task's that is above the run's ends it before anything is spent."""
    world = spending(1.0)
    world.submit("a", budget_usd=1.25)
    world.turn()
    world.ready("w1")
    world.turn()
    assert world.attempts == []
    trouble = world.results()["a"].trouble
    assert trouble is not None
    assert trouble.cause is Cause.BUDGET


def test_nothing_ends_for_want_of_money_while_something_runs() -> None:
    """A task that cannot fit ends only when what runs has ended and said what it cost."""
    world = spending(1.0)
    world.submit("a", budget_usd=0.5)
    world.submit("b", budget_usd=1.25)
    assert begun(world, "w1", "w2") == [Assign("a", "w1")]
    assert world.turn() == []
    world.end(world.attempts[0], PASS, cost(0.0))
    assert [type(action) for action in world.turn()] == [GiveUp]


@pytest.mark.parametrize(("budget", "again"), [(None, True), (2.0, True), (1.75, False)])
def test_every_attempt_is_paid_for(budget: float | None, *, again: bool) -> None:
    """A second attempt costs as a first does, and is not made where that is too much."""
    world = spending(budget)
    world.submit("a", retries=1)
    begun(world, "w1")
    world.end(world.attempts[0], CRASH, cost(1.0))
    world.now += FIRST_BACKOFF_S
    world.turn()
    assert (len(world.attempts) == 2) is again
    if again:
        world.end(world.attempts[1], PASS, cost(1.0))
        assert world.results()["a"].verdict == PASS
        assert world.board.snapshot().cost_usd == 2.0
    else:
        result = world.results()["a"]
        assert result.trouble is not None
        assert result.trouble.cause is Cause.BUDGET
        assert len(result.reports) == 1


@pytest.mark.parametrize("left", [CRASH, PASS], ids=["nothing", "a-recorded-verdict"])
def test_an_attempt_whose_worker_filed_nothing_has_cost_what_was_put_aside(
    left: Verdict | Trouble,
) -> None:
    """Nobody can say what its client has spent, whatever had been recorded."""
    world = spending(10.0)
    world.submit("a", budget_usd=2.0)
    begun(world, "w1")
    world.board.died("w1", world.now)
    world.end(world.attempts[0], left, by_worker=False)
    assert (world.board.money.reserved, world.board.money.spent) == ({}, 2.0)


def test_a_report_is_paid_once() -> None:
    """A stale report costs nothing, and what was put aside is free when its attempt ends."""
    world = spending(10.0)
    world.submit("a", retries=1, budget_usd=2.0)
    begun(world, "w1")
    assert world.board.money.reserved == {"a.1": 2.0}
    world.end(world.attempts[0], CRASH, cost(0.5))
    world.end(world.attempts[0], PASS, cost(0.5))
    assert (world.board.money.reserved, world.board.money.spent) == ({}, 0.5)


def test_while_a_task_waits_for_money_stuck_workers_are_still_looked_for() -> None:
    """Idle workers beside ready tasks may wait for money: the running one's deadline is named."""
    world = spending(1.0)
    world.submit("a", "b", budget_usd=0.75)
    begun(world, "w1", "w2")
    assert world.board.tasks.ready
    assert world.board.workers.idle
    world.now = 60 + STUCK_AFTER_S
    assert isinstance(world.turn()[0], Kill)


@pytest.mark.parametrize("held", [0.0, 5.0], ids=["never-held", "held-before"])
def test_a_task_that_waits_for_money_is_not_looked_at_all_the_time(held: float) -> None:
    """Only the running task's end brings money: the next look is at its deadline, not at once."""
    world = spending(1.0)
    world.submit("a", "b", budget_usd=0.75)
    world.board.waits("rate limit", held)
    world.now = held
    begun(world, "w1", "w2")
    assert next_look(world.view(), world.limits) == held + 60 + STUCK_AFTER_S


@given(
    tasks=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6), st.booleans()), max_size=9),
    budget=st.integers(1, 12),
    workers=st.integers(1, 4),
)
def test_limits_that_are_kept_keep_the_budget(
    tasks: list[tuple[int, int, bool]], budget: int, workers: int
) -> None:
    """Where no attempt costs more than its limit the run does not either, and every task ends."""
    world = spending(float(budget), workers=workers)
    for number, (limit, _, _) in enumerate(tasks):
        world.submit(str(number), budget_usd=float(limit))
    launched = [action.worker for action in world.turn() if isinstance(action, Launch)]
    world.ready(*(name for name in launched))
    world.turn()
    while running := [w.attempt for w in world.board.workers.live if w.attempt is not None]:
        limit, wanted, known = tasks[int(running[0].task_id)]
        world.end(running[0], PASS, cost(min(limit, wanted) if known else None))
        world.turn()
        assert world.board.money.spent + sum(world.board.money.reserved.values()) <= budget
    while world.turn():  # what is too dear is given up a few at a time
        pass
    assert world.board.tasks.open == 0


# --- providers that refuse work


def test_nothing_is_assigned_while_the_provider_refuses_work(world: World) -> None:
    """Until the hold is over no attempt begins, and the schedule asks to be woken then."""
    world.submit("a", "b", "c")
    begun(world, "w1", "w2")
    world.board.waits("rate limit", 30.0)
    world.end(world.attempts[0], PASS)
    world.now = 29.9
    assert world.turn() == []
    assert next_look(world.view(), world.limits) == 30.0
    assert (world.board.snapshot().held, world.board.snapshot().held_until) == ("rate limit", 30.0)
    world.now = 30.0
    assert world.turn() == [Assign("c", "w1")]


@pytest.mark.parametrize(
    ("second", "until", "why"),
    [
        pytest.param(20.0, 30.0, "rate limit", id="shorter"),
        pytest.param(30.0, 30.0, "rate limit", id="as-long"),
        pytest.param(40.0, 40.0, "overloaded", id="longer"),
    ],
)
def test_the_longest_hold_counts(world: World, second: float, until: float, why: str) -> None:
    """A worker that waits for less does not let the others begin earlier."""
    world.board.waits("rate limit", 30.0)
    world.board.waits("overloaded", second)
    assert (world.board.held, world.board.held_until) == (why, until)


def test_a_hold_holds_nothing_else(world: World) -> None:
    """Workers are started and stuck ones ended all the same; without a ready task nobody wakes."""
    world.submit("a")
    world.board.waits("overloaded", 500.0)
    assert world.turn() == [Launch("w1")]
    assert next_look(world.view(), world.limits) == START_TIMEOUT_S
    world.ready("w1")
    assert world.turn() == []
    assert next_look(world.view(), world.limits) == 500.0
    world.now = 500.0
    assert world.turn() == [Assign("a", "w1")]
    world.board.waits("overloaded", 1000.0)
    assert next_look(world.view(), world.limits) == 560 + STUCK_AFTER_S
    world.now = 560 + STUCK_AFTER_S
    assert isinstance(world.turn()[0], Kill)


def test_few_workers_start_at_once() -> None:
    """A further one is launched when one has called in, or has died; in the end there are all."""
    world = World(Limits(workers=4, max_worker_restart=3, starting=2))
    world.submit(*"abcd")
    assert world.turn() == [Launch("w1"), Launch("w2")]
    assert world.turn() == []
    world.ready("w1")
    assert world.turn() == [Assign("a", "w1"), Launch("w3")]
    world.die("w2")
    assert world.turn() == [Launch("w4")]
    world.ready("w3", "w4")
    assert Launch("w5") in world.turn()


def test_a_worker_gets_ready_for_the_task_that_will_be_its_own(world: World) -> None:
    """Those that start before it, and those that are idle, get the tasks before."""
    seen = []
    for worker in ("w1", "w2", "w3"):
        world.board.launched(worker, 0.0)
        world.board.placed(worker, None, 0.0)
    assert world.board.next_spec("w1") is None
    world.submit("a", "b")
    for worker in ("w3", "w1", "w2"):
        spec = world.board.next_spec(worker)
        assert spec is not None
        seen.append(spec.nodeid)
    assert seen == ["b", "a", "b"]
    world.ready("w1")
    again = world.board.next_spec("w2")
    assert again is not None
    assert again.nodeid == "b"


@pytest.mark.fault("worker-stopped-idle")
def test_a_worker_that_does_not_begin_its_task_is_ended(world: World) -> None:
    """One that was stopped while it was idle is not waited for as long as its task might take."""
    world.begin = False
    world.submit("a", retries=1)
    world.turn()
    world.ready("w1")
    world.turn()
    assert next_look(world.view(), world.limits) == BEGIN_TIMEOUT_S
    world.now = BEGIN_TIMEOUT_S
    assert world.turn()[0] == Kill("w1", "did not begin its task")


def test_a_worker_that_has_begun_has_its_tasks_time(world: World) -> None:
    """What it said when it claimed the task is enough until the timeout."""
    world.submit("a")
    world.turn()
    world.ready("w1")
    world.turn()
    assert next_look(world.view(), world.limits) == 60 + STUCK_AFTER_S


def test_a_run_may_take_so_long_and_no_longer() -> None:
    """Open tasks end by the run's limit, running ones by what is on disk; then nothing begins."""
    world = World(Limits(workers=1, max_worker_restart=1, run_timeout=5))
    world.submit("a", "b")
    world.turn()
    world.ready("w1")
    world.turn()
    assert next_look(world.view(), world.limits) == 5
    world.now = 5
    (stop,) = plan(world.view(), world.limits, world.now)
    assert isinstance(stop, Stop)
    assert stop.trouble.cause is Cause.RUN_TIMEOUT
    world.board.stopped(stop.trouble)
    world.end(world.attempts[0], PASS)
    results = world.results()
    assert results["a"].verdict == PASS
    assert results["b"].trouble == stop.trouble
    assert plan(world.view(), world.limits, world.now) == []


def test_a_worker_leaves_the_board_when_it_is_buried_and_its_attempt_has_ended() -> None:
    """In either order; what is heard of it later is of nobody, and a run of any length is small."""
    for buried_first in (True, False):
        world = World()
        world.submit("a", "b", retries=1)
        world.turn()
        world.ready("w1", "w2")
        world.turn()
        attempt = world.board.died("w1", world.now)
        assert attempt == world.attempts[0] == world.board.attempt_of("w1")
        assert world.view().awaits_burial
        steps = [
            lambda world=world: world.board.buried("w1", "it died", "last words"),
            lambda world=world: world.end(world.attempts[0], CRASH, by_worker=False),
        ]
        first, second = steps if buried_first else reversed(steps)
        first()
        assert [worker.name for worker in world.board.workers] == ["w1", "w2"]
        second()
        assert [worker.name for worker in world.board.workers] == ["w2"]
        assert world.board.attempt_of("w1") is None
        assert not world.view().awaits_burial
        assert world.board.snapshot().running == 1


@pytest.mark.parametrize(
    ("view", "actions"),
    [
        (BoardView(), []),
        (BoardView(open_tasks=1, waiting=1), [Launch("w1")]),
        (BoardView(open_tasks=1, waiting=1, stopping=True), []),
        (BoardView(open_tasks=1, waiting=1, launches=9, awaits_burial=True), []),
        (BoardView(open_tasks=1, waiting=0, launches=9), []),
        (
            BoardView(
                open_tasks=2,
                waiting=2,
                launches=1,
                ready=(ReadyTask("7", 0.0), ReadyTask("8", 0.0)),
                live=1,
                idle=("w1",),
            ),
            [Assign("7", "w1"), Launch("w2")],
        ),
    ],
)
def test_the_schedule_decides_on_the_view_alone(view: BoardView, actions: list[Action]) -> None:
    """What it is shown is all that it knows, and it changes nothing of that."""
    assert plan(view, LIMITS, now=0.0) == actions
