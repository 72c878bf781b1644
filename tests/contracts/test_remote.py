"""Runs whose workers are on nodes: real supervisors and workers, and an engine that fails."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.journal.events import NodeJoined, WorkerStarted
from pytest_ptc.remote.code import Code
from pytest_ptc.session.cluster import Cluster
from pytest_ptc.session.place import RunPlace
from pytest_ptc.session.run import Run
from tests.contracts.test_run import TASKS, asked, recorded, specs
from tests.support.engines import InProcessEngine
from tests.support.repository import Repository
from tests.support.suite import AGENT

if TYPE_CHECKING:
    from pytest_ptc.journal.events import Event
    from pytest_ptc.model.result import Result
    from pytest_ptc.model.settings import Settings


class World:
    """A project, and an engine of two nodes."""

    def __init__(self, folder: Path) -> None:
        project = Repository(folder / "project")
        project.commit("the agent", **{"agent.py": AGENT})
        self.place = RunPlace(root=project.top, cache=folder / "cache", start=folder)
        self.engine: InProcessEngine | None = None
        self.places = {"na": 1, "nb": 1}
        self.ships = True

    def run(self, **said: object) -> Run:
        """Return a run of two workers on the nodes."""

        def cluster(run_id: str) -> Cluster:
            self.engine = InProcessEngine(run_id, self.places)
            code = Code(self.place.root, max_mb=20) if self.ships else None
            return Cluster(engine=self.engine, where="here", code=code)

        usual = {
            "host": "dask",
            "dask_scheduler": "local",
            "dask_code": "ship" if self.ships else "shared",
            "dask_node_host": "process",
            "dask_lease": 6.0,
        }
        settings: Settings = asked(self.place, **{**usual, **said})
        return Run.planned(self.place, settings, other_host=cluster)

    @property
    def story(self) -> tuple[Event, ...]:
        """Return what the journal of the only run tells."""
        return recorded(self.place).events

    def folder_of(self, run: Run, result: Result) -> Path:
        """Return the folder of a result's last attempt."""
        assert run.folder is not None
        return run.folder / "attempts" / result.reports[-1].attempt.name

    def left_behind(self) -> list[str]:
        """Return what nodes have left: scratch folders, lists, and processes."""
        assert self.engine is not None
        run_id = self.engine.run_id
        lists = [path.name for path in (self.place.start / "claude").glob("tasks/*")]
        scratch = [
            str(mark.parent)
            for mark in Path(tempfile.gettempdir()).glob("ptc-*/run-id")
            if mark.read_text().startswith(run_id)
        ]
        return [*lists, *scratch]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Give the test a project, and a shared list that nobody else has."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    return World(tmp_path)


def test_tasks_are_done_on_nodes(world: World) -> None:
    """Each comes to what its agent recorded, on two nodes, and nothing is left on either."""
    with world.run() as run:
        futures = run.submit(specs(world.place, *TASKS))
        results = [future.result(60) for future in futures]
    came_to = {
        result.spec.nodeid: result.verdict.verdict.value if result.verdict else result.trouble
        for result in results
    }
    trouble = came_to.pop("exit 3")
    assert str(getattr(trouble, "cause", None)) == TASKS["exit 3"]
    assert came_to == {name: kind for name, kind in TASKS.items() if name != "exit 3"}
    story = world.story
    assert {type(event) for event in story} >= {NodeJoined, WorkerStarted}
    started = [event for event in story if isinstance(event, WorkerStarted)]
    assert {event.node for event in started} == {
        event.node for event in story if isinstance(event, NodeJoined)
    }
    assert all(event.pid is None for event in started)
    # What workers wrote on their nodes is in the journal, with what the reports say of it.
    for result in results:
        folder = world.folder_of(run, result)
        output = (folder / "output.log").read_bytes()
        report = json.loads((folder / "report.json").read_text())
        assert report["files"]["output.log"] == hashlib.sha256(output).hexdigest()
        assert (folder / "prompt.txt").read_text().startswith(result.spec.prompt)
    assert world.left_behind() == []
