"""Full and read-only disks, a list that is broken or gone, dead locks, a clock that jumps."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.tasklist import locks
from tests.support.faults import CLOCK, FILL, PROTECT, inject, marked, run_on_own_disk

if TYPE_CHECKING:
    from tests.support.suite import Suite

#: Where journals are, and where the list is that these tests name.
JOURNALS = ".pytest_cache/d/ptc"
LIST = ".claude/tasks/ours"
OURS = "--ptc-task-list-id=ours"


@pytest.mark.fault("journal-full")
@pytest.mark.parametrize(
    ("suite", "spoil", "why"),
    [
        pytest.param("tmux", FILL, "No space left on device", id="full"),
        pytest.param(
            *("process", PROTECT, "Read-only file system"), id="read-only", marks=pytest.mark.slow
        ),
    ],
    indirect=["suite"],
)
def test_a_full_journal_keeps_what_it_has(suite: Suite, spoil: str, why: str) -> None:
    """A verdict that was recorded before counts; a later one is an error that names both."""
    place = suite.path / JOURNALS
    # Too long for what is left of the story's last block, and for what an attempt that ends leaves.
    seen = "seen " * 20_000
    late = f"wait recorded\n{spoil.format(place)}\ntouch spoilt\nrecord pass|--summary|{seen}"
    suite.write(
        test_a=marked("before", f"record fail|--summary|{seen}\ntouch recorded\nwait spoilt")
        + marked("records", late)
        + marked("later", "pass", retries=1)
    )
    result = run_on_own_disk(suite, place)
    result.assert_outcomes(failed=1, errors=2)
    errors = [line for line in result.outlines if line.startswith("ptc error: ")]
    journal = suite.runs[-1]
    assert len(errors) == 2
    for line in errors:
        # Which of an attempt's files had no room depends on what others have just freed.
        assert line.startswith("ptc error: machinery - ")
        assert f" {journal}/" in line
        assert line.endswith(why)
    assert ("journal incomplete: it has no room for all events" in result.outlines) is (
        spoil == FILL
    )


@pytest.mark.fault("disk-full-at-start")
@pytest.mark.parametrize("place", [JOURNALS, pytest.param(LIST, marks=pytest.mark.slow)])
def test_a_disk_that_is_read_only_from_the_start_starts_nothing(suite: Suite, place: str) -> None:
    """It is a usage error that names the place and the reason, before there is any worker."""
    suite.write(test_a=marked("it", "touch began\npass"))
    result = run_on_own_disk(suite, suite.path / place, OURS, options="ro")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    reason = "Read-only file system" if place == JOURNALS else "cannot be read and written"
    result.stderr.fnmatch_lines([f"*ptc: *{suite.path / place}*: *{reason}*"])
    assert not (suite.path / "began").exists()


@pytest.mark.fault("disk-full-at-start")
@pytest.mark.parametrize(
    "options",
    [
        pytest.param("size=64k", id="blocks"),
        pytest.param("nr_inodes=20", id="files", marks=pytest.mark.slow),
    ],
)
def test_a_list_that_has_no_room_from_the_start_starts_nothing(suite: Suite, options: str) -> None:
    """Tasks that do not all fit on it are taken off it again, and the reason is told."""
    suite.write(
        test_a="@pytest.mark.ptc('touch began\\npass')\n"
        "@pytest.mark.parametrize('n', range(40))\ndef test_it(n): pass\n"
    )
    result = run_on_own_disk(suite, suite.path / LIST, OURS, options=options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*ptc: *ours: cannot publish the task list: *No space left*"])
    assert not (suite.path / "began").exists()


@pytest.mark.fault("list-full")
def test_a_list_that_is_full_costs_no_verdict(suite: Suite) -> None:
    """It shows an old state, the journal has the run, and our tasks are off it at the end."""
    place = suite.path / LIST
    suite.write(
        test_a=marked("fills", f"{FILL.format(place)}\nrecord pass|--summary|x")
        + marked("full", "record fail|--summary|bad", needs="test_fills")
    )
    run_on_own_disk(suite, place, OURS, "--ptc-workers=1").assert_outcomes(passed=1, failed=1)
    (place / "filler").unlink()


@pytest.mark.fault("list-full")
@pytest.mark.slow
def test_a_list_that_is_read_only_costs_no_verdict(suite: Suite) -> None:
    """What cannot be written cannot be tidied either: the tasks stay as they were."""
    place = suite.path / LIST
    suite.write(
        test_a=marked("protects", f"{PROTECT.format(place)}\nrecord pass|--summary|x")
        + marked("protected", "record fail|--summary|bad", needs="test_protects")
    )
    result = run_on_own_disk(suite, place, OURS, "--ptc-workers=1")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["tasks left on the shared list: *cannot withdraw*Read-only*"])
    states = {path.name: json.loads(path.read_bytes())["status"] for path in place.glob("*.json")}
    assert states == {"1.json": "pending", "2.json": "in_progress", "3.json": "pending"}
    for name in states:
        (place / name).unlink()


@pytest.mark.fault("list-broken")
@pytest.mark.parametrize(
    ("suite", "remove"),
    [("process", f"rm {LIST}/*.json"), ("tmux", f"rm -r {LIST}")],
    ids=["purged", "removed"],
    indirect=["suite"],
)
@pytest.mark.slow
def test_a_list_that_is_gone_costs_no_verdict(suite: Suite, remove: str) -> None:
    """All its tasks, as Claude Code purges them, or its directory: what runs and waits goes on."""
    suite.write(
        test_a=marked("runs", "wait removed\nrecord pass|--summary|x")
        + marked("removes", f"sh {remove}\ntouch removed\nrecord fail|--summary|bad")
        + marked("waits", "first tried exit 3\npass", retries=1)
    )
    suite.run(OURS).assert_outcomes(passed=2, failed=1)


@pytest.mark.fault("list-broken", "task-deleted")
def test_broken_tasks_cost_no_verdict_and_those_of_others_are_theirs(suite: Suite) -> None:
    """A file that is no task is only a broken view; one that is gone or done is somebody else's."""
    suite.write(
        test_a=marked(
            "first",
            f"sh echo broken > {LIST}/3.json\n"
            f"sh truncate -s 0 {LIST}/4.json\n"
            f"sh truncate -s 60 {LIST}/5.json\n"
            f"sh rm {LIST}/6.json\n"
            f"sh sed -i s/pending/completed/ {LIST}/7.json\n"
            # The own one, too: it is at work.
            f"sh rm {LIST}/2.json\n"
            "pass",
        )
        + marked("broken", "pass", needs="test_first")
        + marked("empty", "pass", needs="test_first")
        + marked("cut", "pass", needs="test_first")
        + marked("deleted", "pass", needs="test_first", retries=1)
        + marked("completed", "pass", needs="test_first")
    )
    result = suite.run(OURS)
    result.assert_outcomes(passed=4, errors=2)
    result.stdout.fnmatch_lines_random(
        [
            "ptc error: claim lost - task 6: somebody deleted it from the shared list",
            "attempt 2 on w?, * s: claim lost",
            "ptc error: claim lost - task 7: somebody else took or completed it on the shared list",
        ]
    )


@pytest.mark.fault("dead-locks")
@pytest.mark.slow
def test_locks_of_the_dead_hold_up_nobody(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither old ones nor that of a client that was killed in the middle of an update."""
    monkeypatch.setattr(locks, "STALE_AFTER_S", 2.0)
    (suite.path / LIST / ".lock.lock").mkdir(parents=True)
    (suite.path / LIST / "3.json.lock").mkdir()
    hour_ago = time.time() - 3600
    for name in (".lock.lock", "3.json.lock"):
        os.utime(suite.path / LIST / name, (hour_ago, hour_ago))
    suite.write(
        test_a=marked("killed", f"sh mkdir {LIST}/2.json.lock\nfirst tried exit 3\npass", retries=1)
        + "".join(marked(f"other_{number}", "pass") for number in range(3))
    )
    suite.run(OURS).assert_outcomes(passed=4)


@pytest.mark.fault("held-lock")
@pytest.mark.slow
def test_a_lock_that_others_hold_holds_up_no_verdict(suite: Suite) -> None:
    """Its task waits a moment and goes on without the list, which is said; no other task waits."""
    suite.write(
        test_a=marked("locks", f"sh mkdir {LIST}/3.json.lock\npass")
        + marked("locked", "pass", needs="test_locks", timeout=20)
        + marked("other", "pass", needs="test_locks")
        + marked("unlocks", f"sh rmdir {LIST}/3.json.lock\npass", needs="test_locked")
    )
    result = suite.run(OURS, "--ptc-workers=2")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["shared list not up to date: task 3: *; verdicts are not *"])
    assert [event["task"] for event in suite.events("list problem")] == ["3"]
    assert [event["task"] for event in suite.events("ended")] == ["2", "4", "3", "5"]


@pytest.mark.fault("clock-jumps")
@pytest.mark.slow
def test_a_clock_that_jumps_changes_nothing(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour forward and two back while tasks run, wait, fail and hang: all end as they should."""
    inject(suite, monkeypatch, CLOCK.format(str(suite.path / "shift")))
    jump = "sh echo {} > shift.new && mv shift.new shift\nrecord pass|--summary|x"
    suite.write(
        test_a=marked("hangs", "wait never", timeout=2)
        + marked("forward", jump.format(3600))
        + marked(
            "after",
            "first tried exit 3\nrecord fail|--summary|bad",
            retries=1,
            needs="test_forward",
        )
        + marked("back", jump.format(-3600), needs="test_forward")
        + marked("then", "first again exit 3\npass", retries=1, needs="test_back")
    )
    result = suite.spawn("--ptc-run-timeout=60")
    result.assert_outcomes(passed=3, failed=1, errors=1)
    result.stdout.fnmatch_lines(["ptc error: timeout - no verdict within 2 s"])
    seconds = [event["seconds"] for event in suite.events("ended")]
    assert len(seconds) == 7
    assert all(0 <= one < 30 for one in seconds)
