"""Runs whose workers are on nodes: real supervisors and workers, and an engine that fails."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_ptc.journal.events import NodeJoined, NodeLost, NodeRefused, WorkerStarted
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.trouble import Cause
from pytest_ptc.remote.code import Code
from pytest_ptc.remote.loopback import Machine
from pytest_ptc.remote.shared_code import described
from pytest_ptc.session import cluster
from pytest_ptc.session.cluster import Cluster
from pytest_ptc.session.place import RunPlace
from pytest_ptc.session.run import Run
from tests.contracts.test_run import TASKS, asked, recorded, specs
from tests.support.engines import InProcessEngine
from tests.support.host_world import until
from tests.support.repository import Repository
from tests.support.suite import AGENT

if TYPE_CHECKING:
    from pytest_ptc.journal.events import Event
    from pytest_ptc.model.result import Result
    from pytest_ptc.model.settings import Settings


class World:
    """A project, and an engine of two nodes."""

    def __init__(self, folder: Path) -> None:
        self.project = Repository(folder / "project")
        self.project.commit("the agent", **{"agent.py": AGENT})
        self.place = RunPlace(root=self.project.top, cache=folder / "cache", start=folder)
        self.engine: InProcessEngine | None = None
        self.places = {"na": 1, "nb": 1}
        #: Nodes that lack what workers need.
        self.unfit: set[str] = set()
        self.ships = True
        #: Variables of this machine that workers get.
        self.carried: dict[str, str] = {}

    def run(self, **said: object) -> Run:
        """Return a run of two workers on the nodes."""

        def made(run_id: str) -> Cluster:
            self.engine = InProcessEngine(run_id, self.places, unfit=self.unfit)
            code = Code(self.place.root, max_mb=20) if self.ships else None
            return Cluster(engine=self.engine, where="here", code=code, carried=self.carried)

        usual = {
            "host": "dask",
            "dask_scheduler": "local",
            "dask_code": "ship" if self.ships else "shared",
            "dask_node_host": "process",
            "dask_lease": 6.0,
        }
        settings: Settings = asked(self.place, **{**usual, **said})
        return Run.planned(self.place, settings, other_host=made)

    @property
    def story(self) -> tuple[Event, ...]:
        """Return what the journal of the only run tells."""
        return recorded(self.place).events

    def folder_of(self, run: Run, result: Result) -> Path:
        """Return the folder of a result's last attempt."""
        assert run.folder is not None
        return run.folder / "attempts" / result.reports[-1].attempt.name

    def file(self, name: str) -> Path:
        """Return a file beside the project, by which a test and an agent tell each other."""
        return self.place.start / name

    def agents(self) -> list[int]:
        """Return the processes of this run's agents."""
        assert self.engine is not None
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("PTC_RUN", "").startswith(self.engine.run_id):
                    found.append(process.pid)
        return found

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


def test_nodes_may_share_the_disk_of_this_machine(world: World) -> None:
    """Then nothing is sent, and agents work where their tasks are."""
    world.ships = False
    where = world.file("where")
    with world.run(workers=1) as run:
        result = run.submit(specs(world.place, f"sh pwd > {where}\npass"))[0].result(60)
    assert kind_of(result) == "pass"
    assert Path(where.read_text().strip()) == world.place.root


def kind_of(result: Result) -> str:
    """Return what a result came to: a verdict, or a cause."""
    if result.verdict is not None:
        return str(result.verdict.verdict)
    return str(result.trouble.cause) if result.trouble is not None else "nothing"


def test_calls_that_are_made_twice_and_answers_that_are_lost_change_nothing(world: World) -> None:
    """Each record is there once; a silence that is shorter than the lease costs nothing."""
    begun, go_on = world.file("begun"), world.file("go-on")
    prompt = f"touch {begun}\nwait {go_on}\nrecord pass|--summary|done"
    with world.run(workers=1) as run:
        assert world.engine is not None
        world.engine.times = 2
        (future,) = run.submit(specs(world.place, prompt))
        until(begun.exists, "the agent is at work")
        world.engine.deaf = {"na", "nb"}
        go_on.touch()
        calls = world.engine.calls
        before = calls["hear"]
        until(lambda: calls["hear"] > before + 3, "calls fail")
        world.engine.deaf = set()
        result = future.result(60)
    assert kind_of(result) == "pass"
    assert len(result.reports) == 1
    records = (world.folder_of(run, result) / "records.jsonl").read_text()
    assert records.count('"done"') == 1
    assert not [event for event in world.story if isinstance(event, NodeLost)]
    assert world.left_behind() == []


def test_a_node_that_is_not_heard_is_lost_and_nothing_lives_there_beside_the_successor(
    world: World,
) -> None:
    """Its agents have ended before a task is given to another node; acknowledged records count."""
    world.places = {"na": 3, "nb": 1}  # both are on the first; then that is lost
    beats, told = world.file("beats"), world.file("told")
    prompt = (
        # Renamed: a file that an agent was writing when it ended is empty.
        f"first {world.file('first')} sh while sleep 0.05; do date +%s.%N > {beats}.new; "
        f"mv {beats}.new {beats}; done\n"
        f"sh date +%s.%N > {world.file('second')}\nrecord pass|--summary|again"
    )
    has_recorded = f"record fail|--summary|bad\ntouch {told}\nhang"
    with world.run(workers=2, dask_lease=1.5) as run:
        assert world.engine is not None
        tasks = specs(world.place, prompt, has_recorded)
        futures = run.submit([dataclasses.replace(one, retries=1) for one in tasks])
        until(lambda: beats.exists() and told.exists(), "the agents are at work")
        (lost,) = {seat.facts.supervisor for seat in world.engine.seats.values()}
        world.engine.cut = {"na"}
        result, told_of = (future.result(60) for future in futures)
    first, _ = result.reports
    assert first.trouble is not None
    assert first.trouble.cause is Cause.WORKER_LOST
    assert f"node {lost}" in first.trouble.message
    assert kind_of(result) == "pass"
    assert float(beats.read_text()) < float(world.file("second").read_text())
    # Its record is on this machine's disk.
    assert kind_of(told_of) == "fail"
    assert len(told_of.reports) == 1
    assert [event.node for event in world.story if isinstance(event, NodeLost)] == [lost]
    # It ends by itself, though nobody tells it to.
    until(lambda: world.left_behind() == [], "the lost node has tidied up")


def test_a_seat_that_the_engine_makes_again_starts_nothing(world: World) -> None:
    """It is announced from another node, and not wanted there."""
    begun, go_on = world.file("begun"), world.file("go-on")
    prompt = f"sh echo x >> {begun}\nwait {go_on}\npass"
    with world.run(workers=1) as run:
        assert world.engine is not None
        (future,) = run.submit(specs(world.place, prompt))
        until(begun.exists, "the agent is at work")
        (seat,) = world.engine.seats.values()
        (other,) = {"na", "nb"} - {seat.facts.node}
        again = world.engine.make_again(seat, other)
        until(lambda: again.wait(0), "the second seat is not wanted")
        go_on.touch()
        result = future.result(60)
    assert kind_of(result) == "pass"
    assert begun.read_text() == "x\n"
    started = [event for event in world.story if isinstance(event, WorkerStarted)]
    assert [event.node for event in started] == [seat.facts.supervisor]


def test_a_node_that_cannot_have_the_agent_is_named_once_and_the_others_do_all(
    world: World,
) -> None:
    """Its seats are given back, and its workers find places elsewhere."""
    world.places = {"na": 2, "nb": 1}
    world.unfit = {"na"}
    with world.run(workers=2) as run:
        results = [one.result(60) for one in run.submit(specs(world.place, "pass", "fail no"))]
    assert [kind_of(result) for result in results] == ["pass", "fail"]
    refused = [event for event in world.story if isinstance(event, NodeRefused)]
    assert len(refused) == 1
    assert "no tmux here" in refused[0].why
    # It was never the run's: so it is not lost at the end.
    assert not [event for event in world.story if isinstance(event, NodeLost)]
    (told,) = run.problems
    assert "gets no workers: " in told


def test_where_no_node_is_fit_each_is_named(world: World) -> None:
    """Nothing is begun, and the reason is there once for each."""
    world.unfit = set(world.places)
    with world.run(workers=1) as run:
        (result,) = [one.result(60) for one in run.submit(specs(world.place, "pass"))]
    assert result.reports == ()
    assert result.trouble is not None
    assert result.trouble.cause is Cause.NO_WORKERS
    assert "no tmux here" in result.trouble.message


def test_a_worker_that_dies_on_its_node_is_lost_at_once(world: World) -> None:
    """Another one is started there, and the task is tried again."""
    prompt = f"first {world.file('first')} kill-worker\npass"
    with world.run(workers=1) as run:
        task = [dataclasses.replace(one, retries=1) for one in specs(world.place, prompt)]
        result = run.submit(task)[0].result(60)
    assert kind_of(result) == "pass"
    first = result.reports[0].trouble
    assert first is not None
    assert first.cause is Cause.WORKER_LOST
    # What it had written by then is here.
    assert run.folder is not None
    assert (run.folder / "attempts" / result.reports[0].attempt.name / "prompt.txt").exists()


@pytest.mark.slow
def test_an_engine_that_is_gone_ends_the_run_and_keeps_what_was_recorded(world: World) -> None:
    """No other place is looked for, and the message says why."""
    begun = world.file("begun")
    with world.run(workers=2, dask_lease=1.5) as run:
        assert world.engine is not None
        done, open_one, never = run.submit(
            specs(
                world.place,
                "record pass|--summary|done",
                f"touch {begun}\nhang",
                f"wait {begun}\nhang",
            )
        )
        assert kind_of(done.result(60)) == "pass"
        until(begun.exists, "the agent is at work")
        world.engine.go("the scheduler is gone")
        results = [open_one.result(60), never.result(60)]
    for result in results:
        assert result.trouble is not None
        assert "the scheduler is gone" in result.trouble.message
    until(lambda: world.left_behind() == [], "nodes have tidied up")


def test_a_run_that_is_stopped_ends_all_on_its_nodes(world: World) -> None:
    """As where its caller breaks off."""
    begun = world.file("begun")
    with world.run(workers=1) as run:
        (future,) = run.submit(specs(world.place, f"touch {begun}\nhang"))
        until(begun.exists, "the agent is at work")
    assert kind_of(future.result(0)) == str(Cause.STOPPED)
    assert world.left_behind() == []
    assert world.agents() == []


def test_tasks_are_about_what_was_sent_with_its_history(world: World) -> None:
    """A worktree is made on the node, of the commit that was sent; paths are those of here."""
    base = world.project.commit("before", **{"shop.py": "a = 1\n"})
    ref = world.project.commit("after", **{"shop.py": "a = eval('1')\n"})
    finding = json.dumps(
        {
            "verdict": "fail",
            "summary": "eval",
            "findings": [{"message": "eval", "path": "shop.py", "line": 1, "severity": "high"}],
        }
    )
    where = world.file("where")
    prompt = f"sh pwd > {where}\nsay {finding}"
    (task,) = specs(world.place, prompt)
    task = dataclasses.replace(task, isolation="worktree", ref=ref, base=base)
    with world.run(workers=1) as run:
        result = run.submit([task])[0].result(60)
    assert result.verdict is not None
    (found,) = result.verdict.findings
    assert (found.path, found.line) == ("shop.py", 1)
    assert not where.read_text().startswith(str(world.place.root))


def test_paths_of_a_node_are_told_as_those_of_here(world: World) -> None:
    """A prompt may name a file of the project with its path; so may a finding."""
    world.project.commit("a file", **{"shop.py": "a = 1\n"})
    shop = world.place.root / "shop.py"
    seen = world.file("seen")
    script = (
        f"sh ls -d $PWD {shop} > {seen}\n"
        f"say {json.dumps({'verdict': 'fail', 'summary': f'{shop} is bad'})}"
    )
    with world.run(workers=1) as run:
        result = run.submit(specs(world.place, script))[0].result(60)
    directory, named = seen.read_text().split()
    assert named == f"{directory}/shop.py"
    assert not named.startswith(str(world.place.root))
    assert result.verdict is not None
    assert result.verdict.summary == f"{shop} is bad"


def test_a_shared_directory_is_used_where_it_is(world: World) -> None:
    """Its files may change in mid-run: they do so for all."""
    world.ships = False
    where = world.file("where")
    with world.run(workers=1) as run:
        (first,) = run.submit(specs(world.place, f"sh pwd > {where}; echo x > new.py\npass"))
        assert kind_of(first.result(60)) == "pass"
        (second,) = run.submit(specs(world.place, "pass"))
        assert kind_of(second.result(60)) == "pass"
    assert where.read_text().strip() == str(world.place.root)


def test_another_directory_at_the_path_of_a_shared_one_is_no_place_for_a_task(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What differs is named."""
    world.ships = False
    blob = described(str(world.place.root))
    # A copy that has changed, in place of the directory that pytest has looked at.
    shutil.copytree(world.place.root, world.file("copy"))
    shutil.rmtree(world.place.root)
    world.file("copy").rename(world.place.root)
    world.project.write("new.py", "x")
    monkeypatch.setattr(cluster, "described", lambda *_: blob)
    with world.run(workers=1) as run:
        (result,) = [one.result(60) for one in run.submit(specs(world.place, "pass"))]
    assert result.trouble is not None
    assert "?? new.py" in result.trouble.message


def test_a_port_that_is_taken_on_the_node_ends_the_attempt(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent would talk to somebody else's server."""
    monkeypatch.setattr(cluster, "this_machine", lambda: Machine("another", "machine"))
    with socket.create_server(("127.0.0.1", 0)) as server, world.run(workers=1) as run:
        port = server.getsockname()[1]
        task = specs(world.place, "pass")[0]
        named = dataclasses.replace(task, params={"base_url": f"http://localhost:{port}/x"})
        (result,) = [one.result(60) for one in run.submit([named])]
    assert result.trouble is not None
    assert f"port {port} of this node's loopback interface" in result.trouble.message


def test_variables_that_workers_get_have_the_paths_of_their_node(world: World) -> None:
    """A file of the project is there under another name."""
    world.carried = {"MY_FILE": str(world.place.root / "base.txt")}
    with world.run(workers=1) as run:
        (result,) = [
            one.result(60)
            for one in run.submit(specs(world.place, 'sh test "$MY_FILE" = "$PWD/base.txt"\npass'))
        ]
    assert kind_of(result) == "pass"
    (world.place.start / "elsewhere.txt").write_text("x")
    world.carried = {"MY_FILE": str(world.place.start / "elsewhere.txt")}
    with world.run(workers=1) as run, pytest.raises(ConfigError, match=r"^ptc_dask_env: "):
        run.submit(specs(world.place, "pass"))


def test_what_was_changed_before_a_task_was_submitted_is_what_it_is_about(world: World) -> None:
    """As on this machine; a node has the earlier content beside it, for whom it was sent."""
    with world.run(workers=1) as run:
        (first,) = run.submit(specs(world.place, "sh grep base base.txt\npass"))
        assert kind_of(first.result(60)) == "pass"
        world.project.write("base.txt", "changed\n")
        (second,) = run.submit(specs(world.place, "sh grep changed base.txt\npass"))
        assert kind_of(second.result(60)) == "pass"
