"""What befalls nodes while workers are on them: the law that every run keeps.

Machines are namespaces, so that a machine can be killed and a cable be pulled.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.storm.items import Note
from tests.storm.nodes import SCHEDULER, NodeSuite, cluster_storm, ended, strike_once
from tests.storm.run import Plan, weather
from tests.storm.scripts import OUTCOMES, RECORDING
from tests.support.machines import GOOD_CABLES, Cables
from tests.support.runs import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storm.faults import Storm
    from tests.storm.run import Aftermath

PLAN = Plan(
    tasks=24,
    workers=6,
    every=0.0,
    seed=7,
    longest=1.0,
    timeout=20.0,
    retries=2,
    patience=150.0,
    mix=RECORDING,
)
#: How many attempts have ended when the fault is done.
AFTER = 8
#: Cables that are long and bad.
SLOW = Cables(delay=0.02, loss=0.01)


def weathered(storm: Storm) -> Aftermath:
    """Return what a run came to that one fault has befallen, and that has kept the law."""
    aftermath = weather(PLAN, storm, strike_once(AFTER))
    suite = storm.scene.suite
    assert isinstance(suite, NodeSuite)
    assert not aftermath.violations, f"{aftermath.report()}\n{suite.said()}"
    assert len(aftermath.strikes) == 1
    audit = suite.client.run("ptc", "audit", cwd="/tmp/suite")
    assert audit.returncode == 0, audit.stdout
    return aftermath


@pytest.mark.fault("node-lost")
@pytest.mark.parametrize(
    ("kind", "cables"),
    [
        ("SIGKILL of a Dask worker", GOOD_CABLES),
        pytest.param("a cable out for 20 s", GOOD_CABLES, marks=pytest.mark.slow),
        pytest.param("a cable out for 20 s", SLOW, marks=pytest.mark.slow),
        pytest.param("a node killed", SLOW, marks=pytest.mark.slow),
        pytest.param("a supervisor stopped for 20 s", SLOW, marks=pytest.mark.slow),
    ],
)
def test_what_a_lost_node_had_acknowledged_stands(
    tmp_path: Path, kind: str, cables: Cables
) -> None:
    """The rest of it is done elsewhere, by nobody beside somebody who still lives there."""
    with cluster_storm(PLAN, tmp_path, nodes=2, kinds=[kind], cables=cables) as storm:
        aftermath = weathered(storm)
        assert aftermath.as_scripted == PLAN.tasks
        assert aftermath.story.lost


@pytest.mark.fault("node-silent")
@pytest.mark.slow
def test_a_node_that_comes_back_within_its_lease_was_never_away(tmp_path: Path) -> None:
    """Also over cables that are slow and lose things."""
    kinds = ["a cable out for 3 s"]
    with cluster_storm(PLAN, tmp_path, nodes=2, kinds=kinds, cables=SLOW) as storm:
        aftermath = weathered(storm)
        assert aftermath.as_scripted == PLAN.tasks
        assert not aftermath.story.lost


@pytest.mark.fault("scheduler-gone")
@pytest.mark.slow
def test_without_a_scheduler_a_run_ends_and_says_so(tmp_path: Path) -> None:
    """What has a verdict keeps it."""
    with cluster_storm(PLAN, tmp_path, nodes=2, kinds=[SCHEDULER], cables=SLOW) as storm:
        aftermath = weathered(storm)
        suite = storm.scene.suite
        assert isinstance(suite, NodeSuite)
        assert AFTER <= aftermath.as_scripted < PLAN.tasks
        assert f"the scheduler {suite.cluster.address} is gone" in suite.said()


@pytest.mark.fault("pytest-killed")
@pytest.mark.slow
def test_when_pytest_is_killed_nodes_end_and_another_run_takes_over(tmp_path: Path) -> None:
    """No verdict that was acknowledged is asked for again."""
    with cluster_storm(PLAN, tmp_path, nodes=2, cables=SLOW) as storm:
        suite = storm.scene.suite
        assert isinstance(suite, NodeSuite)
        run = suite.start(f"--ptc-workers={PLAN.workers}")
        until(lambda: storm.scene.look() and ended(storm) >= AFTER, "some verdicts", 60)
        suite.pytest().kill()
        run.wait()
        assert list(suite.left(suite.cluster.nodes)) == []
        then = time.time()
        kept = {
            name: note.kind
            for name, lines in suite.notes().items()
            for note in map(Note.of, lines)
            if note.what == "acknowledged"
        }
        assert len(kept) >= AFTER
        suite.forget_outcomes()
        run = suite.start(f"--ptc-workers={PLAN.workers}", "--ptc-resume")
        assert run.wait(PLAN.patience) == 1, suite.said()
        again = {
            name
            for name, lines in suite.notes().items()
            if any(Note.of(line).at > then for line in lines)
        }
        assert not kept.keys() & again, suite.said()
        told = {phase.item: phase for phase in suite.phases() if phase.outcome != "passed"}
        for script in suite.scripts:
            kind = kept.get(script.name, script.steps[1].split()[1])
            outcome = told[script.name].outcome if script.name in told else "passed"
            assert outcome == OUTCOMES[kind], script
        suite.client.run("ptc", "clean", cwd="/tmp/suite")
        assert list(suite.left()) == []
