"""The journal: what is on disk, whoever died when."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.coordinator.evidence import closing_report
from pytest_ptc.errors import JournalError
from pytest_ptc.journal import (
    RECORDS,
    REPORT,
    Journal,
    append_record,
    open_task,
    read_records,
    read_report,
    write_report,
)
from pytest_ptc.model import (
    Attempt,
    AttemptReport,
    Cause,
    Finding,
    Severity,
    TaskSpec,
    Trouble,
    Usage,
    Verdict,
    VerdictKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    journal = Journal(tmp_path / "runs", "run-1", clock=lambda: 12.5)
    yield journal
    journal.close()


@pytest.fixture
def folder(journal: Journal) -> Path:
    """The folder of an open attempt."""
    return journal.open_attempt(ATTEMPT, SPEC, "c00kie")


def test_only_the_user_can_enter(journal: Journal, folder: Path) -> None:
    """Every folder of a run is the user's alone, from that of all runs down."""
    for place in (journal.folder.parent, journal.folder, folder, journal.worker_folder("w1")):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_events_are_lines_in_order(journal: Journal) -> None:
    """An event is one line of JSON, with its name and its time."""
    journal.event("first", text="two\nlines")
    journal.event("second")
    journal.close()
    lines = (journal.folder / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"event": "first", "at": 12.5, "text": "two\nlines"},
        {"event": "second", "at": 12.5},
    ]


def test_a_worker_reads_what_the_coordinator_wrote(folder: Path) -> None:
    """The attempt, its spec and its cookie come back as they were."""
    assert open_task(folder) == (ATTEMPT, SPEC, "c00kie")


@pytest.mark.parametrize("how", [PASS, LOST], ids=["verdict", "trouble"])
def test_a_report_comes_back_as_it_was(folder: Path, how: Verdict | Trouble) -> None:
    """A filed report is read back whole, and leaves nothing beside it."""
    verdict, trouble = (how, None) if isinstance(how, Verdict) else (None, how)
    report = AttemptReport(attempt=ATTEMPT, seconds=1.5, verdict=verdict, trouble=trouble)
    assert write_report(folder, report)
    assert read_report(folder) == report
    assert sorted(path.name for path in folder.iterdir()) == [REPORT, "task.json"]


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
def test_what_an_attempt_cost_and_was_about_comes_back(folder: Path, more: dict[str, Any]) -> None:
    """Every count, a cost that is known or not or nothing, and the facts are read as filed."""
    report = AttemptReport(attempt=ATTEMPT, seconds=1, verdict=PASS, **more)
    assert write_report(folder, report)
    again = read_report(folder)
    assert again is not None
    assert (again.usage, again.about) == (report.usage, report.about)
    assert again == report


def test_the_first_report_stands(folder: Path) -> None:
    """Whoever files second is refused, so that a worker and the coordinator cannot differ."""
    first = AttemptReport(attempt=ATTEMPT, seconds=1, verdict=FAIL)
    assert write_report(folder, first)
    assert not write_report(folder, AttemptReport(attempt=ATTEMPT, seconds=1, verdict=PASS))
    assert read_report(folder) == first


def test_records_are_kept_in_order_and_a_cut_line_is_left_out(folder: Path) -> None:
    """What was acknowledged is there; what a crash cut short was not acknowledged."""
    append_record(folder, PASS)
    append_record(folder, FAIL)
    with (folder / RECORDS).open("ab") as file:
        file.write(b'{"verdict": "pa')
    assert read_records(folder) == [PASS, FAIL]


def test_closing_takes_the_filed_report_first(folder: Path) -> None:
    """A worker that died after it filed has done its work."""
    report = AttemptReport(attempt=ATTEMPT, seconds=1, verdict=PASS)
    write_report(folder, report)
    assert closing_report(folder, ATTEMPT, 9, LOST) == report


def test_closing_takes_what_was_recorded_second(folder: Path) -> None:
    """A worker that died before it filed does not take its agent's verdict with it."""
    append_record(folder, PASS)
    report = closing_report(folder, ATTEMPT, 9, LOST)
    assert report.verdict == PASS
    assert read_report(folder) == report


def test_closing_without_a_record_is_the_trouble(folder: Path) -> None:
    """Nothing filed and nothing recorded: the trouble, filed so that the attempt has an end."""
    report = closing_report(folder, ATTEMPT, 9, LOST)
    assert report.trouble == LOST
    assert read_report(folder) == report


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param(REPORT, "{", id="cut-report"),
        pytest.param(REPORT, '{"verdict": {"verdict": "pass", "summary": "x"}}', id="bare-pass"),
        pytest.param(
            REPORT,
            '{"task": "7", "attempt": 2, "worker": "w3", "seconds": 1, "trouble": null, '
            '"verdict": {"verdict": "pass", "summary": "x"}, "about": {}, "usage": {"tokens": 1}}',
            id="usage-of-another-form",
        ),
        pytest.param(RECORDS, '{"verdict": "pass"}\n', id="malformed-record"),
        pytest.param(RECORDS, "pass\n", id="prose"),
    ],
)
def test_what_we_did_not_write_is_never_a_pass(folder: Path, name: str, text: str) -> None:
    """A tampered or broken file ends the attempt in trouble that says so."""
    (folder / name).write_text(text)
    report = closing_report(folder, ATTEMPT, 9, LOST)
    assert report.trouble is not None
    assert report.trouble.cause is Cause.MACHINERY


def test_a_report_of_another_attempt_is_not_this_ones(folder: Path) -> None:
    """A report that names another attempt does not count."""
    other = Attempt(task_id="7", number=1, worker="w3")
    write_report(folder, AttemptReport(attempt=other, seconds=1, verdict=PASS))
    report = closing_report(folder, ATTEMPT, 9, LOST)
    assert report.verdict is None


def test_a_journal_that_cannot_be_made_names_its_path(tmp_path: Path) -> None:
    """The error says where, for the user to mend it."""
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(JournalError, match="runs"):
        Journal(tmp_path / "runs", "run-1")


def test_a_full_disk_is_an_error_that_names_the_path(folder: Path) -> None:
    """What cannot be recorded is not acknowledged."""
    (folder / RECORDS).symlink_to("/dev/full")
    with pytest.raises(JournalError, match=r"No space|not permitted|Invalid"):
        append_record(folder, PASS)
