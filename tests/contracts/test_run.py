"""A run without pytest: five tasks, real workers, and a journal that tells all of it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.model.errors import ConfigError, IllegalMove, JournalError
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause
from pytest_ptc.runs.recorded import RecordedRun, open_runs
from pytest_ptc.runs.state import RunState
from pytest_ptc.session.journal_setup import key_to_read
from pytest_ptc.session.place import RunPlace
from pytest_ptc.session.run import MOVES, Run, RunPhase
from tests.support.host_world import until
from tests.support.repository import Repository
from tests.support.settings import settings_with
from tests.support.suite import AGENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from pytest_ptc.model.result import Result
    from pytest_ptc.model.settings import Settings

#: What each task's agent does, and what the task comes to.
TASKS = {
    "pass": "pass",
    "fail the door is open": "fail",
    "record skip|--summary|no door": "skip",
    "error no light": "error",
    "exit 3": str(Cause.AGENT_FAILED),
}
MACHINE = ("process", "tmux")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunPlace:
    """Give the test a project, and a shared list that nobody else has."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    project = Repository(tmp_path / "project")
    project.commit("the agent", **{"agent.py": AGENT})
    return RunPlace(root=project.top, cache=tmp_path / "cache", start=tmp_path)


def asked(place: RunPlace, **more: object) -> Settings:
    """Return the settings of a run with two workers and the scripted agent."""
    command = f"{sys.executable} {place.root / 'agent.py'}"
    usual = {"workers": 2, "agent": "command", "command": command, "host": "process"}
    return settings_with(**{**usual, **more})


def specs(place: RunPlace, *prompts: str) -> list[TaskSpec]:
    """Return a task for each prompt."""
    return [
        TaskSpec(nodeid=prompt.partition("\n")[0], prompt=prompt, timeout=30, cwd=str(place.root))
        for prompt in prompts
    ]


def recorded(place: RunPlace) -> RecordedRun:
    """Return the only run, as others find it."""
    (run,) = open_runs(place.runs, place.root, key_to_read(place.root))
    assert isinstance(run, RecordedRun)
    return run


@pytest.mark.parametrize("host", MACHINE)
def test_five_tasks_are_done_by_real_workers(place: RunPlace, host: str) -> None:
    """Each comes to what its agent recorded, and nothing is left but the journal."""
    with Run.planned(place, asked(place, host=host)) as run:
        phases = [run.phase]
        assert not place.cache.exists()
        futures = run.submit(specs(place, *TASKS))
        phases.append(run.phase)
        results = [future.result(60) for future in futures]
        scratch = recorded(place).began.scratch
    came_to = {
        result.spec.nodeid: result.verdict.verdict.value if result.verdict else result.trouble
        for result in results
    }
    trouble = came_to.pop("exit 3")
    assert str(getattr(trouble, "cause", None)) == TASKS["exit 3"]
    assert came_to == {name: kind for name, kind in TASKS.items() if name != "exit 3"}
    assert [*phases, run.phase] == [RunPhase.PLANNED, RunPhase.ACTIVE, RunPhase.CLOSED]
    assert run.problems == []
    assert [path.name for path in (place.root.parent / "claude").glob("tasks/*")] == []
    assert recorded(place).state is RunState.ENDED
    assert scratch is not None
    assert not place.root.joinpath(scratch).exists()


def test_a_caller_that_breaks_ends_the_run_in_order(place: RunPlace) -> None:
    """Its workers are ended, and what was not done says so."""

    def broken() -> Iterator[Future[Result]]:
        with Run.planned(place, asked(place)) as run:
            yield from run.submit(specs(place, "touch begun\nhang"))
            raise ZeroDivisionError

    caller = broken()
    future = next(caller)
    until((place.root / "begun").exists, "the agent is at work")
    with pytest.raises(ZeroDivisionError):
        next(caller)
    trouble = future.result(0).trouble
    assert trouble is not None
    assert trouble.cause is Cause.STOPPED
    assert recorded(place).state is RunState.ENDED


def test_a_later_run_keeps_the_verdicts_of_this_one(place: RunPlace) -> None:
    """It is taken up by the same call that pytest's hooks make."""
    with Run.planned(place, asked(place)) as run:
        run.submit(specs(place, "pass"))[0].result(60)
    with Run.planned(place, asked(place, resume="last")) as later:
        later.take_up()
        (future,) = later.submit(specs(place, "pass"), resume=True)
        assert later.resumption_lines() == []
        assert future.result(60).resumed == run.plan.run_id


def test_a_run_without_a_task_leaves_nothing(place: RunPlace) -> None:
    """No journal, no list, no scratch folder; and its end may be called all the same."""
    with Run.planned(place, asked(place)) as run:
        pass
    assert run.phase is RunPhase.PLANNED
    assert not place.cache.exists()
    assert not (place.root.parent / "claude").exists()


def test_what_stands_in_the_way_is_an_error_of_ours_and_leaves_nothing(place: RunPlace) -> None:
    """Pytest's own errors are made of it at the edge alone."""
    with pytest.raises(ConfigError, match="'oracle' is not an agent"):
        Run.planned(place, asked(place, agent="oracle"))
    place.cache.write_text("no directory\n")
    with Run.planned(place, asked(place)) as run, pytest.raises(JournalError):
        run.submit(specs(place, "pass"))
    assert run.phase is RunPhase.PLANNED
    assert [path.name for path in (place.root.parent / "claude").glob("tasks/*")] == []


@pytest.mark.parametrize("state", RunPhase)
def test_a_run_goes_one_way(state: RunPhase) -> None:
    """From a phase, only what the table has is legal, and nothing leads back."""
    order = list(RunPhase)
    for to in RunPhase:
        if to in MOVES[state]:
            assert order.index(to) > order.index(state)
            assert state.move(to) is to
        else:
            with pytest.raises(IllegalMove, match="run cannot move"):
                state.move(to)


PLAIN = """
import json, sys
from pathlib import Path
from pytest_ptc.model.settings import Settings
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.session.place import RunPlace
from pytest_ptc.session.run import Run

root = Path(sys.argv[1])
place = RunPlace(root=root, cache=root / "cache", start=root)
settings = Settings(**json.loads(sys.argv[2]))
spec = TaskSpec(nodeid="a", prompt="pass", timeout=30, cwd=str(root))
with Run.planned(place, settings) as run:
    (future,) = run.submit([spec])
    verdict = future.result(60).verdict
foreign = sorted(name for name in sys.modules if name.partition(".")[0] in ("pytest", "_pytest"))
print(json.dumps([verdict.verdict, foreign]))
"""


def test_a_plain_program_needs_no_pytest_for_it(place: RunPlace) -> None:
    """Not even as an import: a command of ours can start a run as fast as a worker starts."""
    plain = json.dumps(asked(place)._asdict())
    line = [sys.executable, "-c", PLAIN, str(place.root), plain]
    process = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout) == ["pass", []]
