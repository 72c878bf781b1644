"""One report of the runs of several shards, and the reasons why there is none."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pytest_ptc.journal.events import Event, RunEnded, RunStopping, SessionEnded, ShardTaken
from pytest_ptc.model.errors import ReportError
from pytest_ptc.reporting.document import document
from pytest_ptc.reporting.formats.github import step_summary
from pytest_ptc.reporting.page.page import page
from pytest_ptc.reporting.shards import merged_report, merged_status
from pytest_ptc.reporting.story import run_report
from tests.support.documents import BEGAN, Item, events_of, finding

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The shards of all items: two, and a test of the judge in both.
DEALT = {"a::one": 1, "a::two": 2, "a::three": 1, "a::clean": 0}
CONTROL = {"self_test": {"kind": "control", "expect": None, "tolerated": False}}
CLEAN = Item("a::clean", spec=CONTROL)


def shard(
    number: int,
    *items: Item,
    dealt: dict[str, int] = DEALT,
    of: int = 2,
    settings: dict[str, str] | None = None,
    status: int | None = None,
    nothing: int = 0,
    **run: Any,
) -> list[Event]:
    """Return the story of a run of a shard; `run` has fields of its first event."""
    facts = {"run_id": f"r{number}", "commit": "c" * 40, "rootdir": "/repo", "repository": "/repo"}
    began, *events = events_of(*items, status=status, **{**facts, **run})
    taken = ShardTaken(
        at=BEGAN,
        number=number,
        of=of,
        nodeids=tuple(dealt),
        shards=tuple(dealt.values()),
        settings={"fail_on": "verdict"} if settings is None else settings,
    )
    end = events[-1]
    assert isinstance(end, SessionEnded)
    return [began, taken, *events[:-1], replace(end, nothing_to_judge=nothing)]


ONE = shard(1, Item("a::one"), Item("a::three"), CLEAN)
TWO = shard(2, Item("a::two"), CLEAN)


def refusal(*stories: Sequence[Event]) -> str:
    """Return why these runs cannot be merged."""
    with pytest.raises(ReportError) as caught:
        merged_report(stories)
    return str(caught.value)


def test_one_report_of_all_items() -> None:
    """Costs and attempts add up; each task has its run, and each worker its shard."""
    bill = {"usage": {"cost_usd": 0.25, "input_tokens": 5}}
    bad = finding("high", path="/elsewhere/src/a.py")
    one = shard(1, Item("a::three", report=bill), Item("a::one", report=bill), CLEAN)
    two = shard(
        2,
        Item("a::two", "failed", "fail", (bad,), report=bill, spec={"cwd": "/elsewhere/src"}),
        CLEAN,
        rootdir="/elsewhere",
        repository="/elsewhere",
        workers=3,
        arguments=("t", "--ptc-shard=2/2"),
    )
    made = merged_report([two, one])
    assert [task.nodeid for task in made.tasks][:2] == ["a::three", "a::one"]
    assert [task.number for task in made.tasks] == [1, 2, 3, 4, 5]
    assert {task.run for task in made.tasks[:3]} == {"r1"}
    assert made.collected == tuple(DEALT)
    assert made.spent is not None
    assert (made.spent.cost_usd, len(made.attempts)) == (0.75, 5)
    assert {attempt.worker for attempt in made.attempts} == {"1/w1", "2/w1"}
    assert made.judge.controls.total == 2
    failed = next(task for task in made.tasks if task.nodeid == "a::two")
    assert failed.spec.cwd == "/repo/src"
    assert [one.path for one in failed.findings] == ["src/a.py"]
    assert (made.successful, merged_status(made), made.exit_status) == (False, 1, 1)
    told = document(made)
    schema = json.loads((files("pytest_ptc.reporting") / "run-report.schema.json").read_text())
    jsonschema.validate(told, schema)
    assert [(each["shard"], each["run"]) for each in told["run"]["shards"]] == [
        ("1/2", "r1"),
        ("2/2", "r2"),
    ]
    assert told["tasks"][0]["run"] == "r1"
    assert told["run"]["arguments"] == []
    shown = page(made, links={"r2": "there"}, transcripts={"r2/1.1": "as it was printed"})
    assert 'href="there/attempts/1.1/"' in shown
    assert shown.count("as it was printed") == 1
    assert "ptc rerun r2 a::two" in shown
    assert "2 shards" in step_summary(made)


@pytest.mark.parametrize(
    ("statuses", "merged"),
    [((0, 0), 0), ((0, 10), 10), ((10, 1), 1), ((10, 2), 1), ((0, 5), 1), ((3, 0), 1)],
)
def test_the_status_is_that_of_the_worst_run(statuses: tuple[int, int], merged: int) -> None:
    """Whatever the reports say of their items."""
    one, two = (
        [*story[:-1], SessionEnded(at=story[-1].at, exit_status=status, nothing_to_judge=0)]
        for story, status in zip((ONE, TWO), statuses, strict=True)
    )
    made = merged_report([one, two])
    assert merged_status(made) == merged
    assert made.successful == (merged == 0)


def test_a_run_that_is_no_success_makes_none() -> None:
    """One whose status hides an error, and one that was stopped."""
    hidden = shard(2, Item("a::two", "error", None, trouble=("timeout", "t")), CLEAN, status=0)
    assert merged_status(merged_report([ONE, hidden])) == 1
    stopped = [*TWO[:2], RunStopping(at=BEGAN, why="the budget is used up"), *TWO[2:]]
    made = merged_report([ONE, stopped])
    assert made.stopped == "shard 2/2: the budget is used up"
    assert merged_status(made) == 1


def test_a_shard_without_items_has_nothing_to_judge() -> None:
    """There are more jobs than tests."""
    dealt = {"a::one": 1}
    empty = shard(2, dealt=dealt, nothing=1)
    made = merged_report([shard(1, Item("a::one"), dealt=dealt), empty])
    assert merged_status(made) == 0
    lost = shard(1, dealt=dealt, nothing=1)
    assert "run r1 (shard 1/2) has judged not all of its tests: a::one" in refusal(lost, empty)


@pytest.mark.parametrize(
    ("two", "reason"),
    [
        (shard(2, Item("a::two"), CLEAN, commit="d" * 40), "differ in the commit: ccc"),
        (shard(2, Item("a::two"), CLEAN, pytest_ptc="9"), "differ in the version of pytest-ptc"),
        (shard(2, Item("a::two"), CLEAN, python="3.9.1"), "differ in the version of Python: 3.11 "),
        (
            shard(2, Item("a::two"), CLEAN, settings={"fail_on": "high"}),
            "differ in the setting ptc_fail_on: 'verdict' and 'high'",
        ),
        (
            shard(2, Item("a::two"), CLEAN, settings={}),
            "the setting ptc_fail_on: 'verdict' and None",
        ),
        (shard(2, Item("a::two"), CLEAN, of=3), "differ in their number of shards: 2 and 3"),
        (
            shard(2, Item("a::two"), CLEAN, dealt={**DEALT, "a::four": 2}),
            "differ in the tests that were selected: a::four",
        ),
        (
            shard(2, Item("a::two"), CLEAN, dealt={**DEALT, "a::three": 2}),
            "have dealt tests to other shards: a::three",
        ),
        (
            shard(2, Item("a::two"), CLEAN, rootdir="/repo/t"),
            "differ in the root directory's place",
        ),
        (shard(2, CLEAN), "run r2 (shard 2/2) has judged not all of its tests: a::two"),
        (shard(2, Item("a::two")), "run r2 (shard 2/2) has judged not all of its tests: a::clean"),
        (
            shard(2, Item("a::two"), Item("a::one"), CLEAN),
            "run r2 (shard 2/2) has judged tests of other shards: a::one",
        ),
        (TWO[:-1], "run r2 (shard 2/2) was killed, or is still active"),
        (
            [event for event in TWO if not isinstance(event, RunEnded)],
            "run r2 (shard 2/2) was killed, or is still active",
        ),
        ([TWO[0], *TWO[2:]], "run r2 has judged no shard"),
        (ONE, "no run is of shard 2/2"),
    ],
)
def test_what_leaves_a_doubt_is_refused(two: list[Event], reason: str) -> None:
    """The message names the runs, and in what they differ."""
    assert reason in refusal(ONE, two)


def test_without_a_commit_nothing_shows_that_jobs_judged_the_same() -> None:
    """And without any run there is nothing to merge."""
    stories = [
        shard(1, Item("a::one"), Item("a::three"), CLEAN, commit=None),
        shard(2, Item("a::two"), CLEAN, commit=None),
    ]
    assert "run r1 (shard 1/2) was of no commit" in refusal(*stories)
    assert refusal() == "there is no run to merge"


def test_the_last_run_of_a_shard_stands_and_contradicts_none_before() -> None:
    """A fail is no pass because somebody started the job again; an error may be."""
    error = Item("a::two", "error", None, trouble=("timeout", "too long"))
    bill = {"usage": {"cost_usd": 0.5}}
    again = shard(2, Item("a::two", report=bill), CLEAN, run_id="r3")
    before = shard(2, error._replace(report=bill), CLEAN, run_id="r2")
    made = merged_report([ONE, again, before])
    assert merged_status(made) == 0
    assert made.spent is not None
    assert made.spent.cost_usd == 1.0
    twos = [task for task in made.tasks if task.nodeid == "a::two"]
    assert [(task.run, task.superseded, task.state.value) for task in twos] == [
        ("r2", True, "unresolved"),
        ("r3", False, "passed"),
    ]
    assert [facts.stands for facts in made.shards] == [True, False, True]
    assert len({worker.name for worker in made.workers}) == len(made.workers)
    failed = shard(2, Item("a::two", "failed", "fail"), CLEAN, run_id="r2")
    killed = [event for event in failed if not isinstance(event, RunEnded | SessionEnded)]
    for earlier in (failed, killed):
        assert (
            "a::two was judged twice: fail in run r2 (shard 2/2), pass in run r3 (shard 2/2)"
        ) in refusal(ONE, earlier, again)


def test_what_a_run_resumes_of_another_commit_is_no_part_of_the_report() -> None:
    """A job that keeps its journals gives them all, those of runs before shards among them."""
    eldest = shard(2, Item("a::two", "failed", "fail"), CLEAN, run_id="q1", commit="a" * 40)
    elder = shard(2, Item("a::two", "failed", "fail"), run_id="q2", commit="b" * 40, resumes="q1")
    del elder[1]
    two = shard(2, Item("a::two"), CLEAN, resumes="q2")
    made = merged_report([two, eldest, ONE, elder])
    assert merged_status(made) == 0
    assert [facts.run for facts in made.shards] == ["r1", "r2"]
    assert "run q1 (shard 2/2) and run r2" not in refusal(ONE, eldest)
    assert "differ in the commit" in refusal(ONE, eldest, two)
    assert "run q2 has judged no shard" in refusal(ONE, elder)


#: What may become of an item, and of a job whatever became of its items.
OUTCOMES = st.sampled_from(
    [
        Item(),
        Item(outcome="failed", verdict="fail"),
        Item(outcome="skipped", verdict="skip"),
        Item(outcome="error", verdict=None, trouble=("timeout", "t")),
        Item(outcome=None, verdict=None),
        Item(outcome="passed", verdict="fail"),
        Item(outcome="failed"),
        Item(outcome="xfailed", verdict="fail"),
        Item(outcome="skipped", verdict=None),
    ]
)
JOBS = st.tuples(st.lists(OUTCOMES, min_size=2, max_size=2), st.sampled_from([None, 0, 1, 10, 2]))


@given(st.lists(JOBS, min_size=1, max_size=4))
def test_no_merged_report_is_greener_than_any_run(
    jobs: list[tuple[list[Item], int | None]],
) -> None:
    """And it is as green as all of them are; every item and every attempt is in it once."""
    names = [[f"a::{number}{letter}" for letter in "xy"] for number in range(1, len(jobs) + 1)]
    dealt = {name: number for number, mine in enumerate(names, 1) for name in mine}
    stories = [
        shard(
            number,
            *(
                item._replace(nodeid=name)
                for item, name in zip(items, names[number - 1], strict=True)
            ),
            of=len(jobs),
            dealt=dealt,
            status=status,
        )
        for number, (items, status) in enumerate(jobs, 1)
    ]
    made, runs = merged_report(stories), [run_report(story) for story in stories]
    assert made.successful == all(run.successful for run in runs)
    assert (merged_status(made) == 0) == made.successful
    failed = [run.exit_status for run in runs if run.exit_status not in (0, 10)]
    assert merged_status(made) == 1 or not failed
    assert made.states == sum((run.states for run in runs), start=type(made.states)())
    assert [task.nodeid for task in made.tasks] == [*dealt]
    assert len(made.attempts) == sum(len(run.attempts) for run in runs)
