"""The journal: what is on disk, whoever died when."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.journal import attempt_writer as writers
from pytest_ptc.journal.attempt_files import RECORDS, REPORT, TASK
from pytest_ptc.journal.attempt_reader import AttemptReader, changed_files
from pytest_ptc.journal.closing import (
    closed_by_worker,
    closed_without_worker,
    demanded,
    recorded_or,
)
from pytest_ptc.journal.events import (
    RunBegan,
    RunEnded,
    RunStopping,
    StaleMessage,
    WorkerReady,
)
from pytest_ptc.journal.lines import STORY
from pytest_ptc.journal.run_journal import Journal
from pytest_ptc.journal.seals import RunKey, sealed
from pytest_ptc.journal.story import read_story
from pytest_ptc.model.errors import JournalError
from pytest_ptc.model.result import Attempt, AttemptReport, Usage
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Finding, Severity, Verdict, VerdictKind
from pytest_ptc.verdicts.endings import Ended
from pytest_ptc.verdicts.entries import Answered, ProgramEnded, Recording
from pytest_ptc.verdicts.recording import FINDINGS, Record
from tests.support.journals import KEY, began, read_events
from tests.support.vandal import FILES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_ptc.journal.attempt_writer import AttemptWriter

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
def attempt(journal: Journal) -> AttemptWriter:
    """The writer of an open attempt."""
    return journal.open_attempt(ATTEMPT, SPEC)


def on_disk(attempt: AttemptWriter, seal: str | None = None) -> AttemptReader:
    """Return what reads an attempt, as a later run does."""
    key = RunKey(KEY, "run-1").seal(ATTEMPT.name)
    return AttemptReader(attempt.folder, key if seal is None else seal)


def put(attempt: AttemptWriter, call: str, *, late: bool = False, **record: Any) -> None:
    """Put down a recording."""
    attempt.put(Recording(record=Record(call=call, **record), late=late))


def calls(records: AttemptReader | AttemptWriter) -> list[str]:
    """Return the calls of the records that count."""
    return [record.call for record in records.story()[0]]


def test_only_the_user_can_enter(journal: Journal, attempt: AttemptWriter) -> None:
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


def test_seals_can_be_made_again_by_whoever_has_the_key_and_by_nobody_else(
    attempt: AttemptWriter,
) -> None:
    """They are checked when the run is long over, without anything secret on disk."""
    put(attempt, "1", verdict=PASS)
    run = RunKey(KEY, "run-1")
    assert calls(on_disk(attempt, run.seal(ATTEMPT.name))) == ["1"]
    others = {
        # What its agent is told is not what its records are sealed with.
        run.token(ATTEMPT.name),
        RunKey(KEY, "run-2").seal(ATTEMPT.name),
        RunKey(bytes(32), "run-1").seal(ATTEMPT.name),
        run.seal("7.1"),
        "",
    }
    assert len({run.seal(ATTEMPT.name), *others}) == 6
    for other in others:
        assert calls(on_disk(attempt, other)) == []


def test_a_journal_that_cannot_be_made_names_its_path(tmp_path: Path) -> None:
    """The error says where, for the user to fix it."""
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(JournalError, match="runs"):
        Journal(tmp_path / "runs", "run-1", key=KEY)


def test_what_is_asked_is_on_disk_and_the_token_is_not(
    journal: Journal, attempt: AttemptWriter
) -> None:
    """Whoever looks back sees the task; nobody finds what the agent is known by."""
    text = (attempt.folder / TASK).read_text()
    assert TaskSpec.from_json(json.loads(text)["spec"]) == SPEC
    assert journal.token(ATTEMPT) not in text


@pytest.mark.parametrize("how", [PASS, LOST], ids=["verdict", "trouble"])
def test_a_report_comes_back_as_it_was(attempt: AttemptWriter, how: Verdict | Trouble) -> None:
    """A filed report is read back whole, and leaves nothing beside it."""
    verdict, trouble = (how, None) if isinstance(how, Verdict) else (None, how)
    report = AttemptReport(attempt=ATTEMPT, seconds=1.5, verdict=verdict, trouble=trouble)
    filed = attempt.file(report)
    assert on_disk(attempt).filed() == (report, filed.sha256)
    assert on_disk(attempt, "another").filed() == (None, filed.sha256)
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
    attempt: AttemptWriter, more: dict[str, Any]
) -> None:
    """Every count, a cost that is known or not or nothing, and the facts are read as filed."""
    report = AttemptReport(attempt=ATTEMPT, seconds=1, verdict=PASS, **more)
    attempt.file(report)
    assert on_disk(attempt).filed()[0] == report


def test_a_report_has_the_hashes_of_what_it_is_about(attempt: AttemptWriter) -> None:
    """Whoever looks back can tell whether a file is still the one that was there then."""
    (attempt.folder / "output.log").write_text("seen\n")
    put(attempt, "1", verdict=PASS)
    attempt.file(AttemptReport(attempt=ATTEMPT, seconds=1, verdict=PASS))
    files = json.loads((attempt.folder / REPORT).read_bytes())["files"]
    assert sorted(files) == ["output.log", RECORDS, TASK]
    assert files["output.log"] == hashlib.sha256(b"seen\n").hexdigest()
    assert changed_files(attempt.folder) == []


def test_records_are_kept_in_order_with_their_answers(attempt: AttemptWriter) -> None:
    """What was acknowledged is there, refusals too, and which answer holds each."""
    put(attempt, "1", refused="no", answer="m1")
    put(attempt, "2", verdict=PASS)
    attempt.put(Answered(call="2", answer="m2"))
    wanted = [
        Record(call="1", refused="no", answer="m1"),
        Record(call="2", verdict=PASS, answer="m2"),
    ]
    assert on_disk(attempt).story() == attempt.story() == (wanted, None)


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
def test_what_nobody_of_the_run_wrote_is_left_out_and_told(
    attempt: AttemptWriter, text: str
) -> None:
    """A line without the seal changes nothing, wherever it stands, and is gone with the next."""
    put(attempt, "1", verdict=PASS)
    with (attempt.folder / RECORDS).open("a") as file:
        file.write(f"\n{text}")
    assert calls(on_disk(attempt)) == ["1"]
    put(attempt, "2", verdict=PASS)
    assert calls(on_disk(attempt)) == ["1", "2"]
    assert (attempt.folder / RECORDS).read_text().count("\n") == 2
    attempt.file(AttemptReport(attempt=ATTEMPT, seconds=1, verdict=PASS))
    report, _ = on_disk(attempt).filed()
    assert report is not None
    assert report.about == {"foreign_records": 1}


def test_a_verdict_that_comes_late_counts_only_against_the_item(attempt: AttemptWriter) -> None:
    """A pass after the deadline is no pass, whoever looks and when; a fail is one."""
    put(attempt, "1", verdict=PASS, late=True)
    assert calls(attempt) == calls(on_disk(attempt)) == []
    assert closed(attempt).trouble == LOST
    put(attempt, "2", verdict=FAIL, late=True)
    assert calls(attempt) == calls(on_disk(attempt)) == ["2"]


def test_a_status_is_told_before_what_was_recorded(attempt: AttemptWriter) -> None:
    """It is seen last, and a program's own words read better."""
    put(attempt, "c1", verdict=PASS)
    attempt.put(ProgramEnded(ended=Ended(0, "c1"), verdict=PASS))
    for records in (attempt, on_disk(attempt)):
        assert calls(records) == ["status", "c1"]
        assert records.story()[1] == Ended(0, "c1")


def closed(attempt: AttemptWriter, otherwise: Trouble = LOST) -> AttemptReport:
    """Return how the attempt ended, as the coordinator finds it after its worker died."""
    return closed_without_worker(attempt, ATTEMPT, SPEC, 9, otherwise).report


def test_closing_files_what_a_worker_reports(attempt: AttemptWriter) -> None:
    """And returns the hash of what is on disk."""
    report = AttemptReport(attempt=ATTEMPT, seconds=1, verdict=PASS)
    put(attempt, "1", verdict=PASS)
    closing = closed_by_worker(attempt, report)
    assert closing.report == report
    assert on_disk(attempt).filed() == closing


def test_no_worker_reports_a_fail_away(attempt: AttemptWriter) -> None:
    """A pass beside an acknowledged fail is none, whatever went wrong in between."""
    put(attempt, "1", verdict=FAIL)
    report = AttemptReport(attempt=ATTEMPT, seconds=1, verdict=PASS)
    trouble = closed_by_worker(attempt, report).report.trouble
    assert trouble is not None
    assert trouble.cause is Cause.CONTRADICTED
    assert not trouble.retryable


@pytest.mark.parametrize("cause", [Cause.AGENT_FAILED, Cause.RATE_LIMIT, Cause.LOGIN])
def test_no_trouble_has_a_recorded_fail_tried_again(attempt: AttemptWriter, cause: Cause) -> None:
    """What its worker had not heard of yet, when something went wrong, is a fail all the same."""
    trouble = Trouble(cause=cause, message="it is gone")
    report = AttemptReport(attempt=ATTEMPT, seconds=1.0, trouble=trouble)
    assert closed_by_worker(attempt, report).report.trouble == trouble
    put(attempt, "a", verdict=Verdict(verdict=VerdictKind.FAIL, summary="bad"))
    ended = closed_by_worker(attempt, report).report
    assert ended.trouble is None
    assert ended.verdict is not None
    assert ended.verdict.verdict is VerdictKind.FAIL


@pytest.mark.parametrize("kind", [VerdictKind.PASS, VerdictKind.SKIP])
def test_no_worker_reports_a_pass_that_nobody_recorded(
    attempt: AttemptWriter, kind: VerdictKind
) -> None:
    """Neither without any record nor beside one of another kind, or one that came too late."""
    report = AttemptReport(
        attempt=ATTEMPT, seconds=1, verdict=Verdict(verdict=kind, summary="fine")
    )
    put(attempt, "1", verdict=Verdict(verdict=VerdictKind.ERROR, summary="could not"))
    put(attempt, "2", verdict=Verdict(verdict=kind, summary="fine"), late=True)
    trouble = closed_by_worker(attempt, report).report.trouble
    assert trouble is not None
    assert trouble.cause is Cause.NO_VERDICT
    put(attempt, "3", verdict=Verdict(verdict=kind, summary="fine"))
    assert closed_by_worker(attempt, report).report.verdict == report.verdict


def test_closing_takes_what_was_recorded_where_no_worker_reports(attempt: AttemptWriter) -> None:
    """A worker that died before it reported does not take its agent's verdict with it."""
    put(attempt, "1", verdict=PASS)
    report = closed(attempt)
    assert report.verdict == PASS
    assert on_disk(attempt).filed()[0] == report


def full(*_: object) -> None:
    """Do as a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("by_worker", [False, True])
def test_a_recorded_verdict_counts_though_its_report_cannot_be_filed(
    attempt: AttemptWriter, monkeypatch: pytest.MonkeyPatch, by_worker: bool
) -> None:
    """The record is on disk already: nothing is lost by a disk that is full now."""
    put(attempt, "1", verdict=PASS)
    monkeypatch.setattr(os, "fsync", full)
    report = AttemptReport(attempt=ATTEMPT, seconds=1, verdict=PASS)
    ended = closed_by_worker(attempt, report).report if by_worker else closed(attempt)
    assert ended.verdict == PASS
    assert on_disk(attempt).filed() == (None, None)


@pytest.mark.parametrize(
    ("ended", "counts"),
    [
        pytest.param(PASS, Cause.MACHINERY, id="pass"),
        pytest.param(FAIL, FAIL, id="fail"),
        pytest.param(LOST, Cause.MACHINERY, id="trouble"),
        pytest.param(LOST.after_fail(), Cause.WORKER_LOST, id="trouble-for-good"),
    ],
)
def test_what_is_nowhere_on_disk_counts_against_the_item_alone(
    attempt: AttemptWriter, monkeypatch: pytest.MonkeyPatch, ended: Any, counts: Any
) -> None:
    """A worker's report that cannot be filed, of an agent that recorded nothing."""
    monkeypatch.setattr(os, "fsync", full)
    verdict, trouble = (ended, None) if isinstance(ended, Verdict) else (None, ended)
    report = AttemptReport(attempt=ATTEMPT, seconds=1, verdict=verdict, trouble=trouble)
    closing = closed_by_worker(attempt, report)
    assert closing.sha256 is None
    told = closing.report.trouble
    assert closing.report.verdict == counts or (told is not None and told.cause is counts)
    assert told is None or told.final == getattr(ended, "final", False)


def test_closing_without_a_record_is_the_trouble(attempt: AttemptWriter) -> None:
    """Nothing reported and nothing recorded: the trouble, filed so that the attempt has an end."""
    report = closed(attempt)
    assert report.trouble == LOST
    assert on_disk(attempt).filed()[0] == report


def test_what_was_seen_so_far_is_in_the_trouble(attempt: AttemptWriter) -> None:
    """A trouble that says nothing of the agent shows what it printed last."""
    (attempt.folder / "output.log").write_text("looking\n")
    late = Trouble(cause=Cause.RUN_TIMEOUT, message="over")
    report = closed(attempt, late)
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
    attempt: AttemptWriter, name: str, text: str
) -> None:
    """A forged or broken file changes nothing, and does not keep the true end from being filed."""
    (attempt.folder / name).write_text(text)
    assert recorded_or(LOST, on_disk(attempt)) == LOST
    assert on_disk(attempt).filed()[0] is None
    assert closed(attempt).trouble == LOST
    filed, _ = on_disk(attempt).filed()
    assert filed is not None
    assert filed.trouble == LOST
    assert changed_files(attempt.folder) == []


@pytest.mark.parametrize("kind", sorted(FILES))
@pytest.mark.parametrize("name", [RECORDS, REPORT])
def test_what_an_agent_does_to_files_neither_loses_nor_forges_a_record(
    attempt: AttemptWriter, name: str, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The writer knows what was put down, and the files are written again."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "precious").write_text("of somebody\n")
    put(attempt, "1", verdict=FAIL)
    FILES[kind](attempt.folder / name)
    put(attempt, "2", verdict=PASS)
    FILES[kind](attempt.folder / name)
    assert closed(attempt).verdict == FAIL
    report, _ = on_disk(attempt).filed()
    assert report is not None
    assert report.verdict == FAIL
    assert calls(on_disk(attempt)) == ["1", "2"]
    assert changed_files(attempt.folder) == []
    assert (tmp_path / "precious").read_text() == "of somebody\n"


def test_a_folder_that_is_gone_costs_no_fail(attempt: AttemptWriter) -> None:
    """It is known, though nothing more can be written."""
    put(attempt, "1", verdict=FAIL)
    shutil.rmtree(attempt.folder)
    with pytest.raises(JournalError):
        put(attempt, "2", verdict=PASS)
    assert closed(attempt).verdict == FAIL


@pytest.mark.parametrize("kind", ["fifo", "directory", "device", "nothing", "many-lines", "huge"])
def test_records_that_cannot_be_read_any_more_may_hold_a_fail(
    attempt: AttemptWriter, kind: str
) -> None:
    """A later run does not take a pass for what was there."""
    put(attempt, "1", verdict=FAIL)
    FILES[kind](attempt.folder / RECORDS)
    with pytest.raises(JournalError, match=RECORDS):
        recorded_or(LOST, on_disk(attempt))


def test_records_have_an_end(attempt: AttemptWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent in a loop does not fill the disk, and is told so."""
    monkeypatch.setattr(writers, "MAX_RECORDS_BYTES", 1000)
    put(attempt, "1", verdict=PASS)
    with pytest.raises(JournalError, match="longer than records may be"):
        put(attempt, "2", verdict=replace(PASS, data="x" * 1000))
    put(attempt, "3", verdict=PASS)
    assert calls(attempt) == calls(on_disk(attempt)) == ["1", "3"]


def test_data_is_held_to_its_schema_again_unless_a_secret_was_in_it(journal: Journal) -> None:
    """A later run checks what it reads; what stands for a secret need not meet the schema."""
    secret = {"DB_PASSWORD": "hunter2hunter2"}
    attempt = journal.open_attempt(ATTEMPT, replace(SPEC, env=secret))
    put(attempt, "1", verdict=replace(PASS, data=3))
    put(attempt, "2", verdict=replace(PASS, data="hunter2hunter2"))
    put(attempt, "3", verdict=replace(PASS, data="another"))
    schema = {"type": "string", "maxLength": 14, "pattern": "^h"}
    reader = AttemptReader(attempt.folder, journal.key.seal(ATTEMPT.name), schema=schema)
    records, _ = reader.story()
    assert [record.verdict is not None for record in records] == [False, True, False]
    assert "hunter2" not in (attempt.folder / RECORDS).read_text()


def test_a_full_disk_is_an_error_that_names_the_path(
    attempt: AttemptWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be recorded is not acknowledged."""
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(JournalError, match=rf"{attempt.folder}/{RECORDS}: No space"):
        put(attempt, "1", verdict=PASS)
    assert calls(attempt) == []


def test_what_a_full_disk_took_of_a_record_spoils_no_other(
    attempt: AttemptWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is cut off again, and what follows stands behind what is whole."""
    put(attempt, "1", verdict=PASS)
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: real(file, data[:20]))
        with pytest.raises(JournalError, match="No space"):
            put(attempt, "2", verdict=PASS)
    put(attempt, "3", verdict=FAIL)
    assert calls(attempt) == calls(on_disk(attempt)) == ["1", "3"]
    assert attempt.restored == 0


class _Recorded:
    """The records of an attempt, as they are given."""

    def __init__(self, *records: Record) -> None:
        self._records = list(records)

    def story(self) -> tuple[list[Record], None]:
        """Return them."""
        return self._records, None

    def failing_line(self) -> str | None:
        """Return that no line says fail."""
        return None

    def tail(self) -> str:
        """Return that nothing was printed."""
        return ""


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
    held = demanded(ended, strict, _Recorded(), tool_calls)
    assert (held.cause if isinstance(held, Trouble) else None) is cause
    assert demanded(ended, SPEC, _Recorded(), tool_calls) == ended


@pytest.mark.parametrize("ended", [PASS, FAIL, LOST], ids=["pass", "fail", "trouble"])
def test_a_pass_is_held_to_what_it_must_say_it_checked(ended: Verdict | Trouble) -> None:
    """Whoever recorded it, in whatever way; a fail needs no such list."""
    held = demanded(ended, replace(SPEC, require_checked=True), _Recorded())
    assert (held == ended) == (ended is not PASS)
    assert held == ended or (isinstance(held, Trouble) and held.cause is Cause.MALFORMED)
    assert demanded(replace(PASS, checked=("a",)), SPEC, _Recorded()).checked == ("a",)  # type: ignore[union-attr]


@pytest.mark.parametrize("ended", [PASS, FAIL, LOST], ids=["pass", "fail", "trouble"])
def test_a_pass_is_held_to_the_findings_that_its_task_demands(ended: Verdict | Trouble) -> None:
    """A worker that died before it has read them cannot have a pass; with them, it can."""
    spec = replace(SPEC, findings="sarif:out.sarif")
    held = demanded(ended, spec, _Recorded(Record(call="1", verdict=PASS)))
    assert (held == ended) == (ended is not PASS)
    assert demanded(ended, spec, _Recorded(Record(call=FINDINGS, verdict=PASS))) == ended
