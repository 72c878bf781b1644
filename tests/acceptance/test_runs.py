"""Runs seen from outside: `ptc list`, `ptc stop`, `ptc attach` and `ptc clean`."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.conftest import processes_of
from tests.acceptance.test_interruptions import HANGS, start, until

if TYPE_CHECKING:
    from tests.acceptance.conftest import Suite


def ptc(suite: Suite, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the suite's folder."""
    line = [sys.executable, "-m", "pytest_ptc.cli", *args]
    return subprocess.run(line, cwd=suite.path, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("suite", ["process", "tmux"], indirect=True)
def test_a_run_is_listed_and_stopped_in_order(suite: Suite) -> None:
    """It is listed as running with what is done of it; stopped, it ends as by any signal."""
    assert ptc(suite, "list").stdout == "no runs here\n"
    suite.write(test_a=HANGS + "@pytest.mark.ptc('pass')\ndef test_done(): pass\n")
    run = start(suite)
    until(lambda: "1/2 tasks done" in ptc(suite, "list").stdout, "the first verdict")
    (line,) = ptc(suite, "list").stdout.splitlines()
    assert line.startswith(f"{suite.runs[0].name}  running  1/2 tasks done")
    assert ("watch with: tmux -L" in line) is (suite.host == "tmux")
    stopped = ptc(suite, "stop")
    assert stopped.stdout == f"{suite.runs[0].name}: ended\n"
    output, _ = run.communicate(timeout=30)
    assert "stopped by SIGTERM" in output
    assert f"{suite.runs[0].name}  ended" in ptc(suite, "list").stdout
    refused = ptc(suite, "stop")
    assert refused.returncode == 2
    assert "there is not one run that is on, but none" in refused.stderr


@pytest.mark.parametrize("suite", ["process", "tmux"], indirect=True)
@pytest.mark.parametrize("list_id", ["", "ours"])
def test_what_a_killed_run_has_left_is_removed(suite: Suite, list_id: str) -> None:
    """Its tasks, its socket and its tmux server go; tasks of others and the journal stay."""
    theirs = suite.claude / "tasks/ours/1.json"
    theirs.parent.mkdir(parents=True)
    task = {"id": "1", "subject": "theirs", "description": "", "status": "pending"}
    theirs.write_text(json.dumps({**task, "blocks": [], "blockedBy": []}))
    suite.write(test_a=HANGS)
    run = start(suite, *([f"--ptc-task-list-id={list_id}"] if list_id else []))
    until((suite.path / "began").exists, "the agent")
    run.kill()
    run.communicate(timeout=30)
    until(lambda: not processes_of(suite.path), "the end of all processes", 10)
    assert "killed" in ptc(suite, "list").stdout
    cleaned = ptc(suite, "clean")
    assert cleaned.returncode == 0, cleaned.stderr
    assert cleaned.stdout.startswith(f"{suite.runs[0].name}: removed ")
    assert ("2 tasks" in cleaned.stdout) is bool(list_id)
    assert ptc(suite, "clean").stdout == "nothing to clean\n"
    assert f"{suite.runs[0].name}  ended" in ptc(suite, "list").stdout
    assert [path.name for path in theirs.parent.glob("*.json")] == ["1.json"]
    theirs.unlink()


def test_of_several_runs_one_is_named_by_the_end_of_its_id(suite: Suite) -> None:
    """A run that is not named must be the only one."""
    suite.write(test_a=HANGS)
    runs = [start(suite), start(suite)]
    until(lambda: ptc(suite, "list").stdout.count("running") == 2, "both runs")
    assert ptc(suite, "stop").returncode == 2
    for folder in suite.runs:
        assert ptc(suite, "stop", folder.name[-5:]).stdout == f"{folder.name}: ended\n"
    for run in runs:
        run.communicate(timeout=30)


def test_a_run_without_a_screen_cannot_be_watched(suite: Suite) -> None:
    """Attaching to child processes is refused with the reason."""
    suite.write(test_a=HANGS)
    run = start(suite)
    until((suite.path / "began").exists, "the agent")
    refused = ptc(suite, "attach")
    assert refused.returncode == 2
    assert "no screen to watch" in refused.stderr
    ptc(suite, "stop")
    run.communicate(timeout=30)


def test_an_audit_finds_what_was_changed(suite: Suite) -> None:
    """A report, or a file beside it, that is not what it was when the attempt ended is named."""
    suite.write(
        test_a="@pytest.mark.ptc('say plum\\nrecord pass|--summary|x')\ndef test_it(): pass\n"
    )
    suite.run().assert_outcomes(passed=1)
    assert ptc(suite, "audit").stdout == f"{suite.runs[0].name}: 1 attempt, all as they were\n"
    (folder,) = suite.runs[0].glob("attempts/*")
    (folder / "output.log").write_text("pear\n")
    (folder / "records.jsonl").unlink()
    found = ptc(suite, "audit", suite.runs[0].name[-5:])
    assert found.returncode == 2
    assert f"{folder.name}: output.log has changed" in found.stderr
    assert f"{folder.name}: records.jsonl is gone" in found.stderr
    (folder / "report.json").write_text("{}")
    assert "report.json is not what the coordinator read" in ptc(suite, "audit").stderr


def test_a_journal_from_elsewhere_does_not_choose_what_is_removed(suite: Suite) -> None:
    """What a killed run names is removed only where it has a name that a run gives."""
    suite.write(test_a="@pytest.mark.ptc('pass')\ndef test_it(): pass\n")
    suite.run().assert_outcomes(passed=1)
    precious = suite.path / "precious"
    (precious / "deep").mkdir(parents=True)
    (precious / "socket").touch()
    story = suite.runs[0] / "journal.jsonl"
    first, *_ = story.read_text().splitlines()
    forged = {
        **json.loads(first),
        "created": 0.0,
        "scratch": str(precious / "deep"),
        "tmux_socket": str(precious / "socket"),
        "task_list": str(precious),
        "own_list": True,
    }
    story.write_text(f"{json.dumps(forged)}\n")
    assert "removed nothing" in ptc(suite, "clean").stdout
    assert sorted(path.name for path in precious.iterdir()) == ["deep", "socket"]
    # What is looked for after each test is what journals name.
    story.write_text(first)


def test_old_journals_go_when_they_are_told_to(suite: Suite) -> None:
    """Nothing recorded is removed unless somebody says how much of it is to be kept."""
    suite.write(test_a="@pytest.mark.ptc('pass')\ndef test_it(): pass\n")
    for _ in range(3):
        suite.run().assert_outcomes(passed=1)
    first, second, third = (run.name for run in suite.runs)
    assert ptc(suite, "clean").stdout == "nothing to clean\n"
    assert ptc(suite, "clean", "--keep=2").stdout == f"{first}: removed its journal\n"
    assert [run.name for run in suite.runs] == [second, third]
