"""What a run is made of, as far as that is decided before anything is started."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.journal.run_journal import Journal
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.remote.code import Code
from pytest_ptc.session import assembly
from pytest_ptc.session.assembly import limits_of, look_before, plan_run
from pytest_ptc.session.cluster import Cluster
from pytest_ptc.session.place import RunPlace
from pytest_ptc.session.run_ids import last_run_id, new_run_id
from tests.support import launch
from tests.support.engines import InProcessEngine
from tests.support.journals import KEY
from tests.support.repository import Repository
from tests.support.settings import settings_with

if TYPE_CHECKING:
    from pytest_ptc.interfaces.host import Host


@pytest.mark.parametrize(
    ("workers", "asked", "restarts"), [(1, None, 4), (3, None, 12), (3, 0, 0), (3, 7, 7)]
)
def test_a_run_replaces_four_workers_for_each_unless_it_is_told(
    workers: int, asked: int | None, restarts: int
) -> None:
    """None is not the same as no limit."""
    settings = settings_with(workers=workers, max_worker_restart=asked)
    limits = limits_of(settings, processors=2)
    assert (limits.workers, limits.max_worker_restart, limits.starting) == (workers, restarts, 2)


def test_a_plan_starts_and_makes_nothing(tmp_path: Path) -> None:
    """Its id is behind that of the last run, whatever the clock says, and names the shared list."""
    place = RunPlace(root=tmp_path, cache=tmp_path / "cache", start=tmp_path)
    later = new_run_id(4_000_000_000.0)
    (place.runs / later).mkdir(parents=True)
    settings = settings_with(workers=1, agent="command", command="true", host="process")
    plan = plan_run(place, settings)
    assert plan.run_id > later
    assert plan.list_id == f"ptc-{plan.run_id}"
    assert plan_run(place, settings._replace(task_list_id="ours")).list_id == "ours"
    assert [path.name for path in place.runs.iterdir()] == [later]
    with pytest.raises(ConfigError):
        plan_run(place, settings._replace(command=""))


def test_a_host_from_elsewhere_goes_before_ours(tmp_path: Path) -> None:
    """It is asked with the run's id, and nothing of this machine is then looked at."""
    place = RunPlace(root=tmp_path, cache=tmp_path / "cache", start=tmp_path)
    settings = settings_with(workers=1, agent="command", command="true", host="process")
    ours = plan_run(place, settings).host
    asked: list[str] = []

    def other_host(run_id: str) -> Host | Cluster:
        asked.append(run_id)
        return ours

    plan = plan_run(place, settings, other_host=other_host)
    assert plan.host is ours
    assert asked == [plan.run_id]


def test_the_last_run_is_unknown_where_there_is_none(tmp_path: Path) -> None:
    """A folder that is missing is no error before the first run."""
    assert last_run_id(tmp_path / "missing") == ""
    assert last_run_id(tmp_path) == ""


def test_what_the_program_writes_itself_is_told_from_what_agents_see(tmp_path: Path) -> None:
    """By real paths, with all that is below a folder, and nothing that only begins like it."""
    written = tmp_path / "written"
    written.mkdir()
    (tmp_path / "link").symlink_to(written)
    report, scratch = tmp_path / "report.json", tmp_path / "scratch"
    place = RunPlace(
        root=tmp_path,
        cache=tmp_path / "cache",
        start=tmp_path,
        written=(report, tmp_path / "link"),
    )
    is_ours = place.is_ours([scratch])
    real = Path(tmp_path).resolve()
    ours = ["report.json", "written", "written/a/b", "scratch/w1"]
    others = ["report.json.txt", "written.txt", "cache", "src/report.json"]
    assert [name for name in (*ours, *others) if is_ours(str(real / name))] == ours


def test_a_path_is_shown_from_where_the_program_was_started(tmp_path: Path) -> None:
    """What lies elsewhere is shown in full."""
    place = RunPlace(root=tmp_path, cache=tmp_path / "cache", start=tmp_path / "start")
    assert place.shown(tmp_path / "start/runs/1") == Path("runs/1")
    assert place.shown(tmp_path / "runs/1") == tmp_path / "runs/1"


@pytest.mark.parametrize("ships", [True, False], ids=["sent", "shared"])
def test_a_look_before_nodes_get_their_files_is_the_look_of_the_run(
    tmp_path: Path, *, ships: bool
) -> None:
    """Else no verdict of a run with several agents would be proven, or one that should not be."""
    project = Repository(tmp_path / "project")
    place = RunPlace(root=project.top, cache=tmp_path / "cache", start=project.top)
    settings = settings_with(workers=1, agent="command", command="true", host="process")

    def cluster(run_id: str) -> Cluster:
        code = Code(place.root, max_mb=20) if ships else None
        return Cluster(engine=InProcessEngine(run_id, {}), where="here", code=code)

    plan = plan_run(place, settings, other_host=cluster)
    spec = TaskSpec(nodeid="t", prompt="p", timeout=1, cwd=str(project.top))
    specs = [replace(spec, agent=f"{launch.__name__}:launch_file"), replace(spec, nodeid="u")]
    added = plan.agents.take(specs)
    assert added
    before = look_before(place, settings, plan, specs)
    journal = Journal(place.runs, plan.run_id, key=KEY)
    contents = assembly._contents(place, settings, plan, journal, [])
    for agent in added:
        contents.add_agent(plan.agents.files(agent), agent.plan.words)
    assert before == contents.take(specs)
    assert before["t"].problem is None
    project.write("base.txt", "edited")
    # What is edited from here on, no node has, whatever is looked at in between.
    contents.began("1.1", specs[0])
    contents.ended("1.1")
    contents.close()
    journal.close()
    assert contents.began("1.2", specs[0]) == before["t"]
