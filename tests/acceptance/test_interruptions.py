"""What ends a run before its time, and what is left then: nothing but the journal."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import HANGS, agents_of, start, until

if TYPE_CHECKING:
    from tests.support.suite import Suite


@pytest.mark.fault("signals")
@pytest.mark.parametrize(
    "suite", ["process", pytest.param("tmux", marks=pytest.mark.slow)], indirect=True
)
def test_ctrl_c_ends_the_run_and_everything_it_started(suite: Suite) -> None:
    """One Ctrl-C: pytest says so, workers and agents are gone, and so are our tasks."""
    suite.write(test_a=HANGS)
    run = start(suite)
    until((suite.path / "began").exists, "the agent")
    os.killpg(run.pid, signal.SIGINT)
    output, _ = run.communicate(timeout=30)
    assert run.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "KeyboardInterrupt" in output
    assert suite.events("run ended")


@pytest.mark.fault("signals")
@pytest.mark.slow
def test_a_second_ctrl_c_does_not_leave_anything_either(suite: Suite) -> None:
    """An impatient user gets the same, only sooner."""
    suite.write(test_a=HANGS)
    run = start(suite)
    until((suite.path / "began").exists, "the agent")
    os.killpg(run.pid, signal.SIGINT)
    until(lambda: suite.events("stopping"), "the stop")
    os.killpg(run.pid, signal.SIGINT)
    output, _ = run.communicate(timeout=30)
    assert run.returncode != pytest.ExitCode.OK, output
    until(lambda: not suite.processes(), "the end of all processes", 5)


@pytest.mark.fault("signals")
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGTERM, id="SIGTERM"),
        pytest.param(signal.SIGHUP, id="SIGHUP", marks=pytest.mark.slow),
    ],
)
def test_a_signal_that_ends_a_job_ends_it_in_order(suite: Suite, number: int) -> None:
    """What CI systems and closed terminals send ends the run as Ctrl-C does, with its reports."""
    suite.write(test_a=HANGS + "@pytest.mark.ptc('pass')\ndef test_done(): pass\n")
    run = start(suite, "--junitxml=report.xml")
    until((suite.path / "began").exists, "the agent")
    run.send_signal(number)
    output, _ = run.communicate(timeout=30)
    assert run.returncode == 128 + number, output
    assert "stopped by SIG" in output
    assert (suite.path / "report.xml").exists()


@pytest.mark.fault("pytest-killed")
@pytest.mark.parametrize(
    "suite", [pytest.param("process", marks=pytest.mark.slow), "tmux"], indirect=True
)
def test_workers_end_themselves_when_pytest_is_killed(suite: Suite) -> None:
    """After SIGKILL of pytest no worker and no agent goes on for more than a few seconds."""
    suite.write(test_a=HANGS)
    run = start(suite)
    until((suite.path / "began").exists, "the agent")
    run.kill()
    run.communicate(timeout=30)
    until(lambda: not suite.processes(), "the end of all processes", 10)
    until(lambda: not suite.tmux_servers(), "the end of the tmux server", 10)


def test_an_agent_does_not_outlive_its_killed_worker(suite: Suite) -> None:
    """A worker's SIGKILL ends its agent too: nobody pays for work that nobody will judge."""
    suite.write(test_a="@pytest.mark.ptc('kill-worker')\ndef test_it(): assert 0\n")
    suite.run().assert_outcomes(errors=1)
    assert agents_of(suite) == []


@pytest.mark.fault("agent-leaves-children")
def test_what_an_agent_leaves_behind_is_ended(suite: Suite) -> None:
    """A child that left the agent's group and session does not outlive the run."""
    suite.agent.write_text(
        "import json, subprocess, sys\n"
        f"sleeper = [sys.executable, '-c', 'import time; time.sleep(600)', {str(suite.agent)!r}]\n"
        "subprocess.Popen(sleeper, start_new_session=True, stdout=sys.stdout)\n"
        "print(json.dumps({'verdict': 'pass', 'summary': 'left one'}))\n"
    )
    suite.write(test_a="@pytest.mark.ptc('x')\ndef test_it(): pass\n")
    suite.run().assert_outcomes(passed=1)
    assert agents_of(suite) == []


@pytest.mark.fault("worker-hit")
def test_a_recorded_verdict_outlives_its_worker(suite: Suite) -> None:
    """What the agent recorded before its worker was killed is the item's outcome."""
    suite.write(
        test_a="@pytest.mark.ptc('record pass|--summary|all seen\\nkill-worker')\n"
        "def test_it(ptc): assert ptc.summary == 'all seen'\n"
        "@pytest.mark.ptc('record fail|--summary|bad\\nkill-worker')\ndef test_f(): pass\n"
    )
    suite.run().assert_outcomes(passed=1, failed=1)
    assert len(suite.events("assigned")) == 2


@pytest.mark.fault("agent-hangs")
def test_a_verdict_recorded_in_time_counts_though_the_agent_hangs(suite: Suite) -> None:
    """An agent that recorded and then hung is ended at the timeout, and its verdict stands."""
    suite.write(
        test_a="@pytest.mark.ptc('record pass|--summary|seen\\nhang', timeout=1)\n"
        "def test_it(ptc): assert ptc.summary == 'seen'\n"
    )
    suite.run().assert_outcomes(passed=1)
    assert agents_of(suite) == []


@pytest.mark.fault("agent-floods")
@pytest.mark.parametrize("suite", ["process", "tmux"], indirect=True)
@pytest.mark.slow
def test_a_flood_of_output_is_kept_short(suite: Suite) -> None:
    """A hundred megabytes cost neither the disk nor the verdict on the last line."""
    suite.agent.write_text(
        "import json, sys\n"
        "for _ in range(1000):\n    sys.stdout.write('x' * 99_999 + '\\n')\n"
        "print(json.dumps({'verdict': 'pass', 'summary': 'loud'}))\n"
    )
    suite.write(test_a="@pytest.mark.ptc('x')\ndef test_it(): pass\n")
    suite.run().assert_outcomes(passed=1)
    (log,) = suite.runs[-1].glob("attempts/*/output.log")
    assert log.stat().st_size < 6_000_000
    assert b"bytes cut" in log.read_bytes()
    assert b'"loud"' in log.read_bytes()
