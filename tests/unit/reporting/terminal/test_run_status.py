"""The status of a run, and the list of runs, as text."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from pytest_ptc.journal import events
from pytest_ptc.journal.events import Event, event_to_json
from pytest_ptc.journal.outline import RunOutline
from pytest_ptc.model.result import Usage
from pytest_ptc.model.self_test import SelfTest
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Excuse, Finding, Severity, Verdict, VerdictKind
from pytest_ptc.reporting.terminal.run_list import RunRow, run_rows
from pytest_ptc.reporting.terminal.run_status import age_text, status_lines
from tests.support.journals import began

START_AT = 1000.0


def _ended(task: str, at: float, **more: object) -> Event:
    fields = {
        "attempt": 1,
        "worker": "w1",
        "seconds": 1.0,
        "verdict": Verdict(verdict=VerdictKind.PASS, summary="fine"),
        "trouble": None,
        "usage": Usage(cost_usd=0.12),
        "about": {},
        "sha256": None,
    }
    return events.AttemptEnded(at=at, task=task, **{**fields, **more})  # type: ignore[arg-type]


def _outline(*more: Event, items: int = 4, group: str | None = None) -> RunOutline:
    told: list[Event] = [began(at=START_AT, arguments=("agents", "-k", "x y"))]
    for number in range(items):
        spec = TaskSpec(
            nodeid=f"t.py::test_module[module_{number}]",
            prompt='"timeout": 9',
            timeout=25,
            cwd="/",
            group=group,
            params={"group": "x"},
        )
        told.append(events.TaskSubmitted(at=START_AT, task=str(number), spec=spec, fingerprint={}))
    told += [
        events.WorkerStarted(at=START_AT + 1, worker=name, pid=None, created=None)
        for name in ("w1", "w2", "w3")
    ]
    told += [events.WorkerReady(at=START_AT + 2, worker=name) for name in ("w1", "w2")]
    texts = [json.dumps(event_to_json(event)).encode() for event in (*told, *more)]
    return RunOutline.of(texts)


def _assigned(attempt: str, worker: str, at: float) -> Event:
    return events.AttemptAssigned(at=at, attempt=attempt, worker=worker, content=None)


RUNNING = (
    _assigned("0.1", "w1", START_AT + 3),
    _ended("0", START_AT + 4),
    _assigned("1.1", "w2", START_AT + 5),
    _assigned("2.1", "w1", START_AT + 6),
    _ended(
        "2",
        START_AT + 7,
        verdict=None,
        trouble=Trouble(cause=Cause.TIMEOUT, message="late"),
        usage=Usage(cost_usd=None),
    ),
    _assigned("2.2", "w1", START_AT + 8),
)


def test_a_task_whose_group_is_at_work_is_shown_as_waiting_for_it() -> None:
    """No worker need be free for that: one that is would not get it."""
    at_work = (
        _assigned("0.1", "w1", START_AT + 3),
        _ended("0", START_AT + 4),
        _assigned("1.1", "w2", START_AT + 5),
    )
    shown = [
        status_lines(
            _outline(*more, group=group),
            run="5737b",
            state="running",
            now=START_AT + 20,
            doing=lambda _: None,
        )[1]
        for more, group in ((at_work, 'a", "cwd": "b'), (at_work, None), (at_work[:2], "users"))
    ]
    assert shown == [
        '1 of 4 done: 1 pass, 1 running, 2 queued (2 wait for group a", "cwd": "b), $0.12',
        "1 of 4 done: 1 pass, 1 running, 2 queued, $0.12",
        "1 of 4 done: 1 pass, 0 running, 3 queued, $0.12",
    ]


def test_the_groups_that_tasks_wait_for_are_named_and_bounded() -> None:
    """Those that most wait for come first; a vote keeps its item's group at work, too."""
    groups = ["a", "b", "b", "c", "c", "c", "d" * 30, "d" * 30, None]
    outline = _outline(items=0)
    for number, group in enumerate([*groups, *groups]):
        spec = {"nodeid": f"t.py::t[{number}]", "timeout": 9, "group": group}
        outline.take({"event": "submitted", "at": 0, "task": str(number), "spec": spec})
    assert _totals(outline).endswith("0 running, 18 queued")
    outline.take({"event": "vote", "at": 0, "task": "0.v2", "item": "0"})
    for number, task in enumerate(["0.v2", "1", "3", "6"]):
        outline.take({"event": "assigned", "at": 0, "attempt": f"{task}.1", "worker": f"w{number}"})
    told = f"(12 wait for groups c, b, {'d' * 21}..., +1)"
    assert _totals(outline).endswith(f"4 running, 14 queued {told}")


@pytest.mark.parametrize("late", ["pass", None])
def test_what_is_decided_stays_when_a_vote_ends_late(late: str | None) -> None:
    """The first vote has the item's own id; it may end when the others have decided."""
    outline = _outline(items=1)
    said = {"summary": "s", "findings": []}
    verdict = late and {"verdict": late, **said}
    trouble = None if late else {"cause": "decided without it", "message": "m"}
    for event in (
        {"event": "vote", "task": "0", "item": "0"},
        {"event": "vote", "task": "0.v2", "item": "0"},
        {"event": "assigned", "attempt": "0.1", "worker": "w1"},
        {"event": "assigned", "attempt": "0.v2.1", "worker": "w2"},
        {"event": "decided", "item": "0", "verdict": {"verdict": "fail", **said}, "trouble": None},
        {
            "event": "ended",
            "task": "0",
            "worker": "w1",
            "usage": None,
            "verdict": verdict,
            "trouble": trouble,
        },
        {"event": "given up", "task": "0", "trouble": {"cause": "timeout", "message": "m"}},
    ):
        outline.take({"at": START_AT, **event})
    assert _totals(outline).startswith("1 of 1 done: 1 fail, ")


def _totals(outline: RunOutline) -> str:
    return status_lines(outline, run="1", state="running", now=START_AT, doing=lambda _: None)[1]


def test_the_status_of_an_active_run() -> None:
    """What it is, what it has come to, and a line for each worker."""
    doing = {"1.1": ("waiting for the model", START_AT + 6, "Glob *.py")}.get
    lines = status_lines(
        _outline(*RUNNING), run="5737b", state="running", now=START_AT + 20, doing=doing
    )
    assert lines == [
        (
            "run 5737b  active for 0:20  2 workers in child processes, claude agent  "
            "pytest agents -k 'x y'"
        ),
        "1 of 4 done: 1 pass, 2 running, 1 queued, 1 retry, at least $0.12",
        "w1  module_2  0:12 of 0:25  attempt 2  at work",
        "w2  module_1  0:15 of 0:25  waiting for the model for 0:14 (last: Glob *.py)",
        "w3  starting for 0:19",
    ]


def _joined(node: str, at: float = START_AT) -> Event:
    host = node.partition("-")[0]
    return events.NodeJoined(at=at, node=node, host=host, python="3.11.7", version="0.1.0")


def _on(node: str, worker: str) -> Event:
    return events.WorkerStarted(at=START_AT + 9, worker=worker, pid=None, created=None, node=node)


def _waits(*workers: str) -> list[Event]:
    return [events.WorkerWaits(at=START_AT, worker=worker) for worker in workers]


def test_the_status_of_a_run_on_a_cluster() -> None:
    """Its nodes, those that were refused or lost, and who waits; workers are named with theirs."""
    told = [
        *_waits("w4", "w5", "w6", "w7"),
        _joined("na-3f21"),
        _joined("nb-0c77"),
        events.NodeRefused(at=START_AT, node="tcp://10.77.0.5:40001", why="has no pytest-ptc"),
        _on("na-3f21", "w4"),
        _on("nb-0c77", "w5"),
        events.WorkerReady(at=START_AT + 10, worker="w4"),
        events.NodeLost(at=START_AT + 11, node="nb-0c77", why="not heard for 20 s"),
        events.WorkerLost(at=START_AT + 11, worker="w5", why="x", ended="node nb-0c77 is lost"),
        events.WorkerLost(at=START_AT + 12, worker="w6", why="x", ended="x"),
    ]
    outline = _outline(*told, items=1)
    for name in ("w1", "w2", "w3"):
        del outline.workers[name]
    lines = status_lines(
        outline, run="5737b", state="running", now=START_AT + 20, doing=lambda _: None
    )
    assert lines[2:] == [
        "1 node: na-3f21 (na); 1 worker waits for a place",
        "node tcp://10.77.0.5:40001 gets no workers: has no pytest-ptc",
        "node nb-0c77 (nb) is lost: not heard for 20 s",
        "w4@na-3f21  idle for 0:10",
        "1 worker lost",
    ]


def test_before_a_cluster_has_a_place_its_workers_are_counted() -> None:
    """Until the run stops: then nobody waits any more."""
    outline = _outline(*_waits("w4", "w5"), items=1)
    assert _status(outline)[2] == "no node yet; 2 workers wait for a place"
    outline.take(event_to_json(events.RunStopping(at=START_AT, why="enough")))
    assert "wait for a place" not in " ".join(_status(outline))


def _status(outline: RunOutline) -> list[str]:
    return status_lines(outline, run="1", state="running", now=START_AT, doing=lambda _: None)


@pytest.mark.parametrize("width", [20, 40, 80, 160])
def test_it_fits_a_terminal(width: int) -> None:
    """Whatever agents have said, and however many workers there are."""
    lines = status_lines(
        _outline(*RUNNING),
        run="5737b",
        state="running",
        now=START_AT + 20,
        doing=lambda _: ("in a tool", None, "x\x1b[2J\n" * 100),
        width=width,
        workers=2,
    )
    assert max(map(len, lines)) <= width
    assert len(lines) == 5
    assert lines[-1] == "+1 more worker"
    assert "\x1b" not in "".join(lines)


def test_what_holds_or_ends_a_run_is_there() -> None:
    """A provider's refusal, a lost worker, the reason of a stop, and where results are."""
    more = (
        *RUNNING,
        events.AttemptsHeld(at=START_AT + 9, attempt="2.2", seconds=60, why="rate limit"),
        events.WorkerLost(at=START_AT + 9, worker="w3", why="x", ended="killed by SIGKILL"),
    )
    lines = status_lines(
        _outline(*more), run="5", state="running", now=START_AT + 10, doing=lambda _: None
    )
    assert "no attempt is begun for 0:59: rate limit" in lines
    assert lines[-1] == "1 worker lost"
    stopped = (
        *RUNNING,
        events.RunStopping(at=START_AT + 9, why="stopped by SIGTERM"),
        events.RunEnded(at=START_AT + 10, seconds=10),
    )
    lines = status_lines(
        _outline(*stopped), run="5", state="ended", now=START_AT + 200, doing=lambda _: None
    )
    assert lines[0].startswith("run 5  ended 3 min ago after 0:10  ")
    assert lines[2:] == ["stopped: stopped by SIGTERM", "results: ptc results 5"]


def test_the_list_shows_results_age_cost_and_command() -> None:
    """In columns, and in the columns that there are: the command is cut, a reason never is."""
    done = [
        *RUNNING,
        _ended("2", START_AT + 9, attempt=2),
        _assigned("3.1", "w1", START_AT + 10),
        _ended("3", START_AT + 11),
        _assigned("1.1", "w2", START_AT + 11),
        _ended("1", START_AT + 12),
        events.RunEnded(at=START_AT + 20, seconds=20),
    ]
    stopped = [
        events.RunStopping(at=START_AT + 9, why="Ctrl-C"),
        events.RunEnded(at=START_AT + 10, seconds=10),
    ]
    rows = [
        RunRow("aaaaa", refused="it is a link " * 8),
        RunRow("5737b", _outline(*done), "ended"),
        RunRow("0c1de", _outline(*stopped, items=8), "ended"),
        RunRow("77777", _outline(*RUNNING), "running"),
    ]
    lines = run_rows(rows, now=START_AT + 210, width=None)
    assert lines[1:] == [
        "5737b  ended 3 min ago  4 items: 4 pass         at least $0.48  pytest agents -k 'x y'",
        "0c1de  ended 3 min ago  stopped, 0 of 8 judged                  pytest agents -k 'x y'",
        "77777  active for 3:30  1 of 4 judged: 1 pass   at least $0.12  pytest agents -k 'x y'",
    ]
    narrow = run_rows(rows, now=START_AT + 210, width=80)
    assert max(map(len, narrow[1:])) == 80
    assert narrow[0] == lines[0]


def test_a_run_of_one_shard_says_which() -> None:
    """In the list and in its status: what it judged is a part of the suite."""
    shard = events.ShardTaken(at=START_AT, number=2, of=3, nodeids=(), shards=(), settings={})
    outline = _outline(shard, *RUNNING)
    (line,) = run_rows([RunRow("1", outline, "running")], now=START_AT + 20, width=None)
    assert "  shard 2/3, 1 of 4 judged: 1 pass  " in line
    assert _totals(outline).startswith("shard 2/3, 1 of 4 done: 1 pass")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172800, "2 days"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    """As people say them."""
    assert age_text(seconds) == text


def test_a_planted_defect_that_is_found_is_a_pass() -> None:
    """Its agent has recorded a fail, as it must; what its test makes of it counts."""
    fail = Verdict(verdict=VerdictKind.FAIL, summary="eval")
    item = events.ItemReported(
        at=START_AT + 9,
        task="0",
        nodeid="t.py::test_module[module_0]",
        outcome="passed",
        phase="call",
        message=None,
        path=None,
        line=None,
        xfail=None,
        self_test=SelfTest(kind="control"),
    )
    attempt = (_assigned("0.1", "w1", START_AT + 3), _ended("0", START_AT + 4, verdict=fail))
    assert str(_outline(*attempt, items=1).standing) == "1 item: 1 fail"
    assert str(_outline(*attempt, item, items=1).standing) == "1 item: 1 pass"
    unlike = replace(item, self_test=None)
    assert str(_outline(*attempt, unlike, items=1).standing) == "1 item: 1 fail"


_BAD = Finding(severity=Severity.HIGH, message="bad")
_EXCUSED = _BAD.with_facts(excuse=Excuse.KNOWN)


@pytest.mark.parametrize("findings", [(), (_BAD,), (_EXCUSED,), (_EXCUSED, _BAD)])
@pytest.mark.parametrize("stands", [True, False])
@pytest.mark.parametrize("kind", VerdictKind)
def test_an_outline_counts_a_verdict_as_its_item_does(
    kind: VerdictKind, findings: tuple[Finding, ...], stands: bool
) -> None:
    """Of an attempt, and of what votes have come to; it reads them without making them."""
    verdict = Verdict(verdict=kind, summary="s", findings=findings, stands=stands)
    attempt = (_assigned("0.1", "w1", START_AT + 3), _ended("0", START_AT + 4, verdict=verdict))
    decided = events.ItemDecided(at=START_AT + 5, item="0", verdict=verdict, trouble=None)
    for told in (attempt, (decided,)):
        assert str(_outline(*told, items=1).standing) == f"1 item: 1 {verdict.counts_as}"
