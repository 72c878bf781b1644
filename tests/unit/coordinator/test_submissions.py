"""What is handed in is answered, once, whoever finds that the loop has ended."""

from __future__ import annotations

import json
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.coordinator.submissions import (
    MAX_DESCRIPTION_CHARS,
    NO_MEMORY,
    Memory,
    Submissions,
)
from pytest_ptc.journal.run_journal import Journal
from pytest_ptc.model.errors import TaskListError
from pytest_ptc.model.result import Attempt, AttemptReport, Kept, Result
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.tasklist.store import TaskListStore
from tests.support.journals import KEY, read_events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = "20270115-080000-000aa"
OVER = Trouble(cause=Cause.MACHINERY, message="the run was over")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """The journal of a run."""
    journal = Journal(tmp_path / "runs", RUN, key=KEY)
    yield journal
    journal.close()


@pytest.fixture
def task_list(tmp_path: Path) -> Iterator[TaskListStore]:
    """The shared list of the run."""
    store = TaskListStore(tmp_path / "config", f"ptc-{RUN}", run_id=RUN, own=True)
    store.open()
    yield store
    store.close()


@pytest.fixture
def submissions(task_list: TaskListStore, journal: Journal) -> Submissions:
    """The submissions of the run."""
    return Submissions(task_list, journal)


def spec(nodeid: str, *needs: str, prompt: str = "p") -> TaskSpec:
    """Return a task."""
    return TaskSpec(nodeid=nodeid, prompt=prompt, timeout=1.0, cwd="/", needs=needs)


def test_a_task_is_taken_in_after_those_that_it_needs(submissions: Submissions) -> None:
    """Whatever their order is in the suite, and also where a need was not run."""
    specs = [spec("c", "b", "gone"), spec("a"), spec("b", "a")]
    submissions.hand_in(submissions.publish(specs, NO_MEMORY))
    taken = submissions.take_in()
    assert [task.spec.nodeid for task in taken] == ["a", "b", "c"]
    ids = {task.spec.nodeid: task.task_id for task in taken}
    assert submissions.needs_of(specs[0]) == ([ids["b"]], ["gone"])
    assert submissions.take_in() == []


def test_a_kept_verdict_is_in_the_journal_and_on_no_list(
    submissions: Submissions, journal: Journal, task_list: TaskListStore
) -> None:
    """Each has an id of its own, also tests that are there twice."""
    attempt = Attempt(task_id="1", number=1, worker="w1")
    verdict = Verdict(verdict=VerdictKind.PASS, summary="fine")
    kept = Kept(run_id="r0", report=AttemptReport(attempt=attempt, seconds=1.0, verdict=verdict))
    marks = {"a": {"prompt": "1"}}

    def parts_of(task: TaskSpec) -> dict[str, str]:
        return marks.get(task.nodeid, {})

    published = submissions.publish(
        [spec("a"), spec("b"), spec("a")], Memory(parts_of, {"a": {1: kept}})
    )
    fresh = published[1].task_id
    assert [task.task_id for task in published] == ["kept 1", fresh, "kept 2"]
    told = [(event["event"], event["fingerprint"]) for event in read_events(journal.folder)]
    assert told == [("kept", marks["a"]), ("submitted", {}), ("kept", marks["a"])]
    files = [json.loads(path.read_text()) for path in task_list.path.glob("*.json")]
    assert [file["id"] for file in files if file["subject"] in ("a", "b")] == [fresh]


def test_a_long_prompt_is_cut_on_the_list_alone(
    submissions: Submissions, journal: Journal, task_list: TaskListStore
) -> None:
    """Every session that reads the list pays for what stands there."""
    (task,) = submissions.publish([spec("a", prompt="x" * (MAX_DESCRIPTION_CHARS + 1))], NO_MEMORY)
    found = task_list.read(task.task_id)
    assert found is not None
    assert found.description == "x" * MAX_DESCRIPTION_CHARS + "\n[cut; the whole is in the journal]"
    (event,) = read_events(journal.folder)
    assert len(event["spec"]["prompt"]) == MAX_DESCRIPTION_CHARS + 1


def test_what_cannot_be_published_leaves_nothing_behind(
    submissions: Submissions, journal: Journal, task_list: TaskListStore
) -> None:
    """No event, and nothing to take in."""
    shutil.rmtree(task_list.path)
    task_list.path.write_text("in the way")
    with pytest.raises(TaskListError):
        submissions.publish([spec("a")], NO_MEMORY)
    task_list.path.unlink()
    assert submissions.take_in() == []
    assert read_events(journal.folder) == []


def test_a_result_answers_its_task(submissions: Submissions, journal: Journal) -> None:
    """One that has no attempt to tell of it is told in the journal."""
    submissions.hand_in(submissions.publish([spec("a")], NO_MEMORY))
    (task,) = submissions.take_in()
    result = Result(task_id=task.task_id, spec=task.spec, trouble_outside=OVER)
    submissions.answer(result)
    assert task.future.result(0) is result
    last = read_events(journal.folder)[-1]
    assert (last["event"], last["task"]) == ("given up", task.task_id)


def test_what_is_left_is_given_up_once_by_whoever_comes_first(
    submissions: Submissions, journal: Journal
) -> None:
    """Threads that find the loop ended at once share what was taken in and what was not."""
    tasks = submissions.publish([spec(str(number)) for number in range(60)], NO_MEMORY)
    submissions.hand_in(tasks[:30])
    submissions.take_in()
    submissions.hand_in(tasks[30:])
    threads = [threading.Thread(target=submissions.abandon, args=(OVER,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(task.future.result(0).trouble == OVER for task in tasks)
    given_up = [e["task"] for e in read_events(journal.folder) if e["event"] == "given up"]
    assert sorted(given_up) == sorted(task.task_id for task in tasks)
