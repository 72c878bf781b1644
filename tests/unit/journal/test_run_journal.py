"""The journal: what is on disk, whoever died when."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
import stat
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.journal.attempt_journal import RECORDS, REPORT, TASK, AttemptJournal
from pytest_ptc.journal.closing import closing_report, demanded
from pytest_ptc.journal.events import (
    RunBegan,
    RunEnded,
    RunStopping,
    StaleMessage,
    WorkerReady,
)
from pytest_ptc.journal.run_journal import Journal
from pytest_ptc.journal.seals import RunKey, sealed
from pytest_ptc.journal.story import STORY, read_story
from pytest_ptc.model.errors import JournalError
from pytest_ptc.model.result import Attempt, AttemptReport, Usage
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Finding, Severity, Verdict, VerdictKind
from pytest_ptc.verdicts.endings import Ended
from pytest_ptc.verdicts.recording import Record
from tests.support.journals import KEY, began, read_events
from tests.support.vandal import FILES

if TYPE_CHECKING:
    from collections.abc import Iterator

ATTEMPT = Attempt(task_id="7", number=2, worker="w3")
SPEC = TaskSpec(
    nodeid="t.py::test_x",
    prompt="Überprüfe \0 {x}",
    timeout=3,
    cwd="/",
    needs=("a",),
    tools=("Read",),
    params={"x": [1, None]},
)
PASS = Verdict(
    verdict=VerdictKind.PASS,
    summary="fine",
    findings=(Finding(severity=Severity.LOW, message="m", path="p", line=1),),
    data={"n": 1},
)
FAIL = Verdict(verdict=VerdictKind.FAIL, summary="broken")
LOST = Trouble(cause=Cause.WORKER_LOST, message="it died", evidence="last words")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal of one run."""
    journal = Journal(tmp_path / "runs", "run-1", key=KEY, clock=lambda: 12.5)
    yield journal
    journal.close()


@pytest.fixture
def attempt(journal: Journal) -> AttemptJournal:
    """The journal of an open attempt."""
    return journal.open_attempt(ATTEMPT, SPEC)


def test_only_the_user_can_enter(journal: Journal, attempt: AttemptJournal) -> None:
    """Every folder of a run is the user's alone, from that of all runs down."""
    runs = journal.folder.parent
    for place in (runs, journal.folder, attempt.folder, journal.worker_folder("w1")):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE((journal.folder / STORY).stat().st_mode) == 0o600


def test_events_are_lines_in_order(journal: Journal) -> None:
    """An event is one line of JSON, with its name and its time."""
    journal.append(RunStopping(why="two\nlines"))
    journal.append(WorkerReady(worker="w1"))
    journal.close()
    lines = (journal.folder / STORY).read_text().splitlines()
    assert [json.loads(line).keys() for line in lines] == [
        {"event", "at", "why", "mac"},
        {"event", "at", "worker", "mac"},
    ]
    assert read_events(journal.folder) == [
        {"event": "stopping", "at": 12.5, "why": "two\nlines"},
        {"event": "worker ready", "at": 12.5, "worker": "w1"},
    ]


def test_a_full_disk_costs_the_story_and_not_the_run(tmp_path: Path) -> None:
    """An event that finds no room is missed, and that is remembered to be told."""
    journal = Journal(tmp_path, "run-1", key=KEY)
    journal._events.close()
    journal._events = Path("/dev/full").open("ab", buffering=0)  # noqa: SIM115 - closed by it
    journal.append(RunStopping(why="lost"))
    journal.close()
    assert journal.problem == "No space left on device"


@pytest.mark.parametrize("cut", [1, 10, -1], ids=["first-byte", "middle", "all-but-its-end"])
def test_what_was_cut_short_spoils_itself_alone(journal: Journal, cut: int) -> None:
    """What a full disk took of a line goes with the next event, which says that one is missing."""
    journal.append(began())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "_events", Short(journal._events, cut))
        journal.append(RunStopping(why="cut"))
    journal.append(RunStopping(why="whole"))
    journal.append(RunEnded(seconds=1.0))
    assert journal.problem == "it has no room for all events"
    story = read_story(journal.folder / STORY, journal.key)
    assert [type(event) for event in story.events] == [RunBegan, RunStopping, RunEnded]
    assert story.events[1] == RunStopping(at=12.5, lost_before=1, why="whole")
    assert [event.lost_before for event in story.events] == [0, 1, 0]


class Short:
    """A file on a disk that has room for a part of one line.

    Args:
        file: The file.
        cut: How much of the line there is room for.
    """

    def __init__(self, file: Any, cut: int) -> None:
        self._file = file
        self._cut = cut

    def fileno(self) -> int:
        return int(self._file.fileno())

    def write(self, line: bytes) -> int:
        return int(self._file.write(line[: self._cut]))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_signal_in_the_middle_of_an_event_leaves_a_journal_that_verifies(
    journal: Journal, when: str
) -> None:
    """Ctrl-C between the write and our note of it: the next event stands behind what is there."""
    journal.append(began())

    class Interrupted(Short):
        def write(self, line: bytes) -> int:
            if when == "after":
                self._file.write(line)
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "_events", Interrupted(journal._events, 0))
        with pytest.raises(KeyboardInterrupt):
            journal.append(RunStopping(why="interrupted"))
    journal.append(RunEnded(seconds=1.0))
    events = read_story(journal.folder / STORY, journal.key).events
    there = [RunStopping] if when == "after" else []
    assert [type(event) for event in events] == [RunBegan, *there, RunEnded]
    assert events[-1].lost_before == (0 if there else 1)


def test_events_of_two_threads_at_once_all_verify(journal: Journal) -> None:
    """Pytest's thread and the coordinator's both tell of a run."""
    journal.append(began())

    def tell(worker: str) -> None:
        for number in range(200):
            journal.append(StaleMessage(worker=worker, message=str(number)))

    threads = [threading.Thread(target=tell, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = read_story(journal.folder / STORY, journal.key).events
    stale = [event for event in events if isinstance(event, StaleMessage)]
    for name in "ab":
        numbers = [event.message for event in stale if event.worker == name]
        assert numbers == [str(number) for number in range(200)]


def test_what_somebody_adds_while_the_run_is_on_is_gone_with_the_next_event(
    journal: Journal,
) -> None:
    """The story is the coordinator's alone."""
    journal.append(began())
    with (journal.folder / STORY).open("ab") as file:
        file.write(b'{"event": "item", "outcome": "passed"}\n')
    journal.append(RunEnded(seconds=1.0))
    assert [event["event"] for event in read_events(journal.folder)] == ["run", "run ended"]
    assert isinstance(read_story(journal.folder / STORY, journal.key).events[-1], RunEnded)


def test_tokens_can_be_made_again_by_whoever_has_the_key_and_by_nobody_else(
    attempt: AttemptJournal,
) -> None:
    """An attempt's seals are checked when the run is long over, without anything secret on disk."""
    attempt.record(Record(call="1", verdict=PASS))
    token = RunKey(KEY, "run-1").token(ATTEMPT.name)
    assert [record.call for record in AttemptJournal(attempt.folder, token).records()] == ["1"]
    others = {
        RunKey(KEY, "run-2").token(ATTEMPT.name),
        RunKey(bytes(32), "run-1").token(ATTEMPT.name),
        RunKey(KEY, "run-1").token("7.1"),
    }
    assert len({token, *others}) == 4
    for other in others:
        assert AttemptJournal(attempt.folder, other).records() == []


def test_a_journal_that_cannot_be_made_names_its_path(tmp_path: Path) -> None:
    """The error says where, for the user to mend it."""
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(JournalError, match="runs"):
        Journal(tmp_path / "runs", "run-1", key=KEY)


def test_what_is_asked_comes_back_and_the_token_does_not(attempt: AttemptJournal) -> None:
    """Who has the token can tell that it is this attempt's; nobody finds it on disk."""
    assert attempt.task() == (ATTEMPT, SPEC)
    assert attempt.is_ours()
    for token in ("another", ""):
        assert not AttemptJournal(attempt.folder, token).is_ours()
    assert attempt.token not in (attempt.folder / TASK).read_text()


@pytest.mark.parametrize("how", [PASS, LOST], ids=["verdict", "trouble"])
def test_a_report_comes_back_as_it_was(attempt: AttemptJournal, how: Verdict | Trouble) -> None:
    """A filed report is read back whole, and leaves nothing beside it."""
    verdict, trouble = (how, None) if isinstance(how, Verdict) else (None, how)
    report = AttemptReport(attempt=ATTEMPT, seconds=1.5, verdict=verdict, trouble=trouble)
    assert attempt.file(report) == report
    assert attempt.report() == report
    assert AttemptJournal(attempt.folder, "another").report() is None
    assert AttemptJournal(attempt.folder, "").report() is None
    assert sorted(path.name for path in attempt.folder.iterdir()) == [RECORDS, REPORT, TASK]


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="neither"),
        pytest.param({"usage": Usage.of((1, 2, 3, 4), 0.0125)}, id="cost"),
        pytest.param({"usage": Usage(input_tokens=5, cost_usd=None)}, id="cost-not-known"),
        pytest.param({"usage": Usage(cost_usd=0.0)}, id="for-nothing"),
        pytest.param(
            {
                "usage": Usage.of((9, 8, 7, 6)),
                "about": {"client": "Claude Code 2.1.330", "denied": ["Bash"], "turns": 3},
            },
            id="both",
        ),
    ],
)
def test_what_an_attempt_cost_and_was_about_comes_back(
    attempt: AttemptJournal, more: dict[str, Any]
) -> None:
    """Every count, a cost that is known or not or nothing, and the facts are read as filed."""
    report = AttemptReport(attempt=ATTEMPT, seconds=1, verdict=PASS, **more)
    attempt.file(report)
    assert attempt.report() == report


def test_the_first_report_stands(attempt: AttemptJournal) -> None:
    """Whoever files second is told of the first, so that a worker and the coordinator agree."""
    first = AttemptReport(attempt=ATTEMPT, seconds=1, verdict=FAIL)
    attempt.file(first)
    assert attempt.file(AttemptReport(attempt=ATTEMPT, seconds=1, verdict=PASS)) == first
    assert attempt.report() == first


def test_a_report_has_the_hashes_of_what_it_is_about(attempt: AttemptJournal) -> None:
    """Whoever looks back can tell whether a file is still the one that was there then."""
    (attempt.folder / "output.log").write_text("seen\n")
    attempt.file(AttemptReport(attempt=ATTEMPT, seconds=1, verdict=PASS))
    files = json.loads((attempt.folder / REPORT).read_bytes())["files"]
    assert sorted(files) == ["output.log", RECORDS, TASK]
    assert files["output.log"] == hashlib.sha256(b"seen\n").hexdigest()


def test_records_are_kept_in_order_with_their_answers(attempt: AttemptJournal) -> None:
    """What was acknowledged is there, refusals too, and which answer holds each."""
    attempt.record(Record(call="1", refused="no", answer="m1"))
    attempt.record(Record(call="2", verdict=PASS))
    attempt.answered("2", "m2")
    assert attempt.records() == [
        Record(call="1", refused="no", answer="m1"),
        Record(call="2", verdict=PASS, answer="m2"),
    ]
    assert attempt.foreign == 0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"verdict": "pa', id="cut"),
        pytest.param("pass", id="prose"),
        pytest.param('{"call": "x", "verdict": {"verdict": "fail", "summary": "x"}}', id="no-seal"),
        pytest.param(
            json.dumps(
                sealed({"call": "x", "verdict": {"verdict": "fail", "summary": "x"}}, "another")
            ),
            id="seal-of-another-attempt",
        ),
    ],
)
def test_what_nobody_of_the_attempt_wrote_is_left_out_and_counted(
    attempt: AttemptJournal, text: str
) -> None:
    """A line without the attempt's seal changes nothing, wherever it stands."""
    attempt.record(Record(call="1", verdict=PASS))
    with (attempt.folder / RECORDS).open("a") as file:
        file.write(f"\n{text}")
    attempt.record(Record(call="2", verdict=PASS))
    assert [record.call for record in attempt.records()] == ["1", "2"]
    assert attempt.foreign == 1


def test_a_verdict_that_comes_late_counts_only_against_the_item(attempt: AttemptJournal) -> None:
    """A pass after the deadline is no pass, whoever looks and when; a fail is one."""
    attempt.deadline = time.monotonic() - 1
    attempt.record(Record(call="1", verdict=PASS))
    assert attempt.records() == []
    assert closed(attempt).trouble == LOST
    attempt.record(Record(call="2", verdict=FAIL))
    assert [record.verdict for record in attempt.records()] == [FAIL]


@pytest.mark.parametrize("told", ["deadline", "over"])
def test_who_is_not_told_the_deadline_learns_it(attempt: AttemptJournal, told: str) -> None:
    """A program may drop the variable, or set another: what the worker has put down counts."""
    if told == "deadline":
        attempt.begin(time.monotonic() - 1)
    else:
        attempt.begin(time.monotonic() + 100)
        attempt.end_time()
    other = AttemptJournal(attempt.folder, attempt.token, deadline=math.inf)
    before = other.over
    # Also where it records without looking.
    assert not other.record(Record(call="c1", verdict=PASS))
    other.learn_deadline()
    assert (before, other.over) == (False, True)
    assert other.record(Record(call="c2", verdict=PASS))
    assert not other.record(Record(call="c3", refused="no", fail=True))
    assert [record.call for record in attempt.records()] == ["c3"]


def test_records_that_cannot_be_read_may_hold_a_fail(attempt: AttemptJournal) -> None:
    """A pipe in their place, or no folder any more: the item is not tried again."""
    (attempt.folder / RECORDS).unlink()
    os.mkfifo(attempt.folder / RECORDS)
    trouble = closed(attempt).trouble
    assert trouble is not None
    assert not trouble.retryable
    shutil.rmtree(attempt.folder)
    trouble = closed(attempt).trouble
    assert trouble is not None
    assert not trouble.retryable


def test_a_status_is_told_before_what_was_recorded(attempt: AttemptJournal) -> None:
    """It is seen last, and a program's own words read better."""
    attempt.record(Record(call="c1", verdict=PASS))
    attempt.ended(Ended(0, "c1"), PASS)
    records, ended = attempt.story()
    assert [record.call for record in records] == ["status", "c1"]
    assert ended == Ended(0, "c1")


def closed(attempt: AttemptJournal) -> AttemptReport:
    """Return how the attempt ended, as the coordinator finds it after its worker died."""
    return closing_report(attempt, ATTEMPT, SPEC, 9, LOST)[0]


def test_closing_takes_the_filed_report_first(attempt: AttemptJournal) -> None:
    """A worker that died after it filed has done its work."""
    report = attempt.file(AttemptReport(attempt=ATTEMPT, seconds=1, verdict=PASS))
    assert closed(attempt) == report


def test_closing_takes_what_was_recorded_second(attempt: AttemptJournal) -> None:
    """A worker that died before it filed does not take its agent's verdict with it."""
    attempt.record(Record(call="1", verdict=PASS))
    report = closed(attempt)
    assert report.verdict == PASS
    assert attempt.report() == report


def full(*_: object) -> None:
    """Do as a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_recorded_verdict_counts_though_its_report_cannot_be_filed(
    attempt: AttemptJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is on disk already: nothing is lost by a disk that is full now."""
    attempt.record(Record(call="1", verdict=PASS))
    monkeypatch.setattr(os, "fsync", full)
    assert closed(attempt).verdict == PASS
    assert attempt.report() is None


def test_closing_without_a_record_is_the_trouble(attempt: AttemptJournal) -> None:
    """Nothing filed and nothing recorded: the trouble, filed so that the attempt has an end."""
    report = closed(attempt)
    assert report.trouble == LOST
    assert attempt.report() == report


def test_what_was_seen_so_far_is_in_the_trouble(attempt: AttemptJournal) -> None:
    """A trouble that says nothing of the agent shows what it printed last."""
    (attempt.folder / "output.log").write_text("looking\n")
    late = Trouble(cause=Cause.RUN_TIMEOUT, message="over")
    report, _ = closing_report(attempt, ATTEMPT, SPEC, 9, late)
    assert report.trouble is not None
    assert report.trouble.evidence == "looking"


FORGED = {
    "task": "7",
    "attempt": 2,
    "worker": "w3",
    "seconds": 1,
    "trouble": None,
    "verdict": {"verdict": "pass", "summary": "x", "findings": [], "data": None},
    "about": {},
    "usage": None,
}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param(REPORT, "{", id="cut-report"),
        pytest.param(REPORT, '{"verdict": {"verdict": "pass", "summary": "x"}}', id="bare-pass"),
        pytest.param(REPORT, json.dumps(FORGED), id="report-without-a-seal"),
        pytest.param(REPORT, json.dumps(sealed(FORGED, "another")), id="report-of-another"),
        pytest.param(RECORDS, '\n{"verdict": "pass"}\n', id="malformed-record"),
        pytest.param(RECORDS, json.dumps({"call": "1", **FORGED}), id="record-without-a-seal"),
    ],
)
def test_what_we_did_not_write_is_never_a_pass(
    attempt: AttemptJournal, name: str, text: str
) -> None:
    """A forged or broken file changes nothing, and does not keep the true end from being filed."""
    (attempt.folder / name).write_text(text)
    assert closed(attempt).trouble == LOST
    filed = attempt.report()
    assert filed is not None
    assert filed.trouble == LOST


@pytest.mark.parametrize("kind", ["fifo", "directory", "device", "nothing", "many-lines", "huge"])
def test_records_that_cannot_be_read_are_not_tried_again(
    attempt: AttemptJournal, kind: str
) -> None:
    """A fail may have been among them, which no later pass outweighs."""
    attempt.record(Record(call="1", verdict=FAIL))
    FILES[kind](attempt.folder / RECORDS)
    trouble = closed(attempt).trouble
    assert trouble is not None
    assert trouble.cause is Cause.UNREADABLE
    assert not trouble.retryable
    assert trouble.message.startswith(LOST.message)
    assert RECORDS in trouble.message


@pytest.mark.parametrize(
    ("verdict", "was_filed", "counts"),
    [(PASS, False, True), (PASS, True, False), (FAIL, False, True), (FAIL, True, True)],
)
def test_a_report_that_was_filed_and_is_gone_leaves_no_pass(
    attempt: AttemptJournal, verdict: Verdict, was_filed: bool, counts: bool
) -> None:
    """It may have said why the recorded pass does not count; a fail stands."""
    attempt.record(Record(call="1", verdict=verdict))
    report, _ = closing_report(attempt, ATTEMPT, SPEC, 9, LOST, was_filed=was_filed)
    assert report.verdict == (verdict if counts else None)
    assert counts or (report.trouble is not None and not report.trouble.retryable)


def test_a_full_disk_is_an_error_that_names_the_path(
    attempt: AttemptJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be recorded is not acknowledged."""
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(JournalError, match=rf"{attempt.folder}/{RECORDS}: No space"):
        attempt.record(Record(call="1", verdict=PASS))


@pytest.mark.parametrize(
    ("ended", "tool_calls", "cause"),
    [
        pytest.param(PASS, 2, None, id="looked"),
        pytest.param(PASS, 0, Cause.NO_EVIDENCE, id="did-not-look"),
        pytest.param(PASS, None, Cause.NO_EVIDENCE, id="does-not-say"),
        pytest.param(FAIL, 0, None, id="fail"),
        pytest.param(LOST, 0, Cause.WORKER_LOST, id="trouble"),
    ],
)
def test_a_pass_is_held_to_the_evidence_that_its_task_demands(
    ended: Verdict | Trouble, tool_calls: int | None, cause: Cause | None
) -> None:
    """Only a pass needs proof that somebody looked, and only where that is asked for."""
    strict = replace(SPEC, require_evidence=True)
    held = demanded(ended, strict, tool_calls)
    assert (held.cause if isinstance(held, Trouble) else None) is cause
    assert demanded(ended, SPEC, tool_calls) == ended
