"""The board and the schedule: a whole run without a process, a file or a clock."""

from __future__ import annotations

import pytest

from pytest_ptc.coordinator.board import BACKOFF, Board
from pytest_ptc.coordinator.schedule import (
    HOPELESS_STARTS,
    START_TIMEOUT,
    STUCK_AFTER,
    Action,
    Assign,
    Kill,
    Launch,
    Limits,
    Settle,
    next_look,
    plan,
)
from pytest_ptc.errors import IllegalMove
from pytest_ptc.model import (
    Attempt,
    AttemptReport,
    Cause,
    Result,
    TaskSpec,
    Trouble,
    Verdict,
    VerdictKind,
)

LIMITS = Limits(workers=2, max_worker_restart=3)
PASS = Verdict(verdict=VerdictKind.PASS, summary="fine")
FAIL = Verdict(verdict=VerdictKind.FAIL, summary="broken")
CRASH = Trouble(cause=Cause.WORKER_LOST, message="it died")
STOP = Trouble(cause=Cause.STOPPED, message="-x")


class World:
    """A board and what the loop would do with the schedule's actions."""

    def __init__(self) -> None:
        self.board = Board()
        self.now = 0.0
        self.attempts: list[Attempt] = []

    def submit(self, *names: str, retries: int = 0, needs: tuple[str, ...] = ()) -> None:
        for name in names:
            spec = TaskSpec(nodeid=name, prompt="p", timeout=60, cwd="/", retries=retries)
            self.board.submitted(name, spec, needs)

    def turn(self) -> list[Action]:
        """Act on one plan as the loop does, and return it."""
        self.board.rested(self.now)
        actions = plan(self.board, LIMITS, self.now)
        for action in actions:
            match action:
                case Launch(worker):
                    self.board.launched(worker, self.now)
                case Assign(task_id, worker):
                    self.attempts.append(self.board.assigned(task_id, worker, self.now))
                case Kill(worker, _):
                    self.die(worker)
                case Settle(task_id, trouble):
                    self.board.settled(task_id, trouble)
        return actions

    def ready(self, *workers: str) -> None:
        for worker in workers:
            self.board.called_in(worker, self.now)

    def end(self, attempt: Attempt, how: Verdict | Trouble) -> None:
        verdict, trouble = (how, None) if isinstance(how, Verdict) else (None, how)
        report = AttemptReport(attempt=attempt, seconds=1, verdict=verdict, trouble=trouble)
        self.board.ended(report, self.now)

    def die(self, worker: str) -> None:
        attempt = self.board.died(worker, self.now)
        if attempt is not None:
            self.end(attempt, CRASH)

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
    assert next_look(world.board) == BACKOFF
    world.now += BACKOFF
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


def test_trouble_that_cannot_mend_is_not_retried(world: World) -> None:
    """A program that is missing stays missing."""
    world.submit("a", retries=5)
    world.turn()
    world.ready("w1")
    world.turn()
    world.end(world.attempts[0], Trouble(cause=Cause.AGENT_MISSING, message="no"))
    assert world.results()["a"].trouble is not None


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


def test_workers_that_never_call_in_are_given_up_early(world: World) -> None:
    """A worker that cannot start will not start the next time either."""
    world.submit("a", "b", "c")
    launches = 0
    for _ in range(20):
        for action in world.turn():
            if isinstance(action, Launch):
                launches += 1
                world.die(action.worker)
    assert launches <= HOPELESS_STARTS + LIMITS.workers
    assert {r.trouble.cause for r in world.results().values() if r.trouble} == {Cause.NO_WORKERS}


def test_a_worker_that_does_not_call_in_is_killed(world: World) -> None:
    """A started worker has its time to call in, and the schedule asks to be woken then."""
    world.submit("a")
    world.turn()
    assert next_look(world.board) == START_TIMEOUT
    world.now = START_TIMEOUT
    assert isinstance(world.turn()[0], Kill)


def test_a_worker_stuck_past_its_deadline_is_killed(world: World) -> None:
    """A worker that does not end its attempt in time is ended, and its task with it."""
    world.submit("a")
    world.turn()
    world.ready("w1")
    world.turn()
    world.now = 60 + STUCK_AFTER
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
    assert world.board.open_tasks == 0


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
