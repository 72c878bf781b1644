"""Whatever befalls a worker, its agent or their terminal: no verdict is lost, none is made up."""

from __future__ import annotations

import fnmatch
import re
import signal
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.coordinator import deadlines
from pytest_ptc.hosts import tmux as tmux_host
from tests.support.claude_helpers import meanwhile, wait_for, wait_until
from tests.support.faults import HITS, RunClock, hit_tmux_server, inject, marked, tmux
from tests.support.runs import until

if TYPE_CHECKING:
    from tests.support.suite import Suite

HOSTS = pytest.mark.parametrize(
    "suite", ["process", pytest.param("tmux", marks=pytest.mark.slow)], indirect=True
)
IN_TMUX = pytest.mark.parametrize("suite", ["tmux"], indirect=True)


@pytest.mark.fault("worker-hit")
@pytest.mark.parametrize(
    ("suite", "name"),
    [
        ("tmux", "KILL"),
        *(
            pytest.param(*row, marks=pytest.mark.slow)
            for row in (
                ("process", "KILL"),
                ("process", "TERM"),
                ("tmux", "TERM"),
                ("tmux", "STOP"),
            )
        ),
    ],
    indirect=["suite"],
)
def test_a_worker_that_is_hit_loses_no_verdict_and_makes_none_up(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Hit before its agent recorded, while it does, right after, and with its report told."""
    monkeypatch.setattr(deadlines, "STUCK_AFTER_S", 0.5)
    inject(suite, monkeypatch, HITS)
    timeout = 3 if name == "STOP" else 30
    suite.write(
        test_a=marked(f"{name}_begun", "wait never", timeout=timeout)
        + marked(f"{name}_recording", "record pass|--summary|x\nwait never", timeout=timeout)
        + marked(f"{name}_recorded", "record fail|--summary|bad\nwait never", timeout=timeout)
        + marked(f"{name}_reported", "pass", timeout=timeout)
    )
    result = suite.run("--ptc-workers=4")
    result.assert_outcomes(passed=1, failed=1, errors=2)
    causes = {event["trouble"]["cause"] for event in suite.events("ended") if event["trouble"]}
    # What is stopped in a pane tmux continues at once: then the task itself runs out of time.
    also = {"timeout"} if (name, suite.host) == ("STOP", "tmux") else set()
    assert causes <= {"worker lost"} | also


@pytest.mark.fault("agent-hit")
def test_an_agent_that_is_hit_is_named_and_judged_by_what_it_recorded(suite: Suite) -> None:
    """An ended one has no pass, whatever it recorded; a stopped one is ended with its time."""
    suite.write(
        test_a=marked("stopped", "die SIGSTOP", timeout=2)
        + marked("stopped_late", "record pass|--summary|x\ndie SIGSTOP", timeout=2)
        + marked("killed", "die SIGKILL")
        + marked("ended", "die SIGTERM")
        + marked("killed_after_pass", "record pass|--summary|x\ndie SIGKILL")
        + marked("killed_after_fail", "record fail|--summary|bad\ndie SIGKILL")
    )
    result = suite.run("-v")
    result.assert_outcomes(passed=1, failed=1, errors=4)
    result.stdout.fnmatch_lines_random(
        [
            "*test_stopped ERROR*",
            "*test_stopped_late PASSED*",
            "*test_killed_after_fail FAILED*",
            "ptc error: timeout - no verdict within 2 s",
            "ptc error: agent failed - the program ended with SIGKILL",
            "ptc error: agent failed - the program ended with SIGTERM",
            "ptc error: contradicted verdict - *recorded pass, then ended with SIGKILL",
        ]
    )


@pytest.mark.fault("terminal-gone")
@IN_TMUX
def test_a_terminal_that_is_taken_away_costs_its_tasks_another_attempt(suite: Suite) -> None:
    """Window, session or server: the workers in it are lost, others follow, and records count."""
    suite.write(
        test_a="".join(
            marked(name, f"first began-{name} wait never\npass", retries=1)
            for name in ("window", "session", "SIGTERM", "SIGKILL")
        )
        + marked("recorded", "record fail|--summary|bad\ntouch began-recorded\nwait never")
    )

    def take_away() -> None:
        wait_for(suite.path / "began-window")
        tmux(suite, "kill-window", "-t", "ptc:w1")
        wait_for(suite.path / "began-session")
        tmux(suite, "kill-session", "-t", "ptc")
        for name in ("SIGTERM", "SIGKILL"):
            wait_for(suite.path / f"began-{name}")
            hit_tmux_server(suite, signal.Signals[name])
        wait_for(suite.path / "began-recorded")
        hit_tmux_server(suite, signal.SIGKILL)

    with meanwhile(take_away):
        result = suite.run("--ptc-workers=1", "--ptc-max-worker-restart=9")
    result.assert_outcomes(passed=4, failed=1)
    ends = [event["ended"].rpartition(": ")[2] for event in suite.events("worker lost")]
    assert ends[:5] == ["its tmux window was closed"] * 2 + ["tmux server gone"] * 3


#: Prints more than any terminal holds that nobody reads.
LOUD = """
import json, os, sys, time
while not os.path.exists("on"):
    time.sleep(0.01)
if "dies" in sys.stdin.readline():
    os.kill(os.getppid(), 9)
    time.sleep(600)
for number in range(100_000):
    print("line", number)
print(json.dumps({"verdict": "pass", "summary": "loud"}))
"""


@pytest.mark.fault("terminal-unread")
@IN_TMUX
@pytest.mark.parametrize("how", ["held", pytest.param("stopped", marks=pytest.mark.slow)])
def test_a_terminal_that_nobody_reads_holds_nobody_up(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Ctrl-S in a pane, or a tmux that is stopped, with 100 000 lines to show; a worker is lost."""
    monkeypatch.setattr(tmux_host, "ANSWER_TIMEOUT_S", 0.5)
    monkeypatch.setattr(tmux_host, "SHORT_ANSWER_TIMEOUT_S", 0.1)
    suite.agent.write_text(LOUD)
    suite.write(test_a=marked("loud", "loud") + marked("dies", "dies"))

    def hold() -> None:
        until(lambda: len(suite.runs) == 1 and len(suite.events("claimed")) == 2, "both agents")
        if how == "held":
            tmux(suite, "send-keys", "-t", "ptc:w1", "C-s")
        else:
            hit_tmux_server(suite, signal.SIGSTOP)
        (suite.path / "on").touch()

    with meanwhile(hold):
        result = suite.run()
    result.assert_outcomes(passed=1, errors=1)
    told = "killed by SIGKILL" if how == "held" else "tmux does not answer; is it stopped[?]"
    result.stdout.fnmatch_lines([f"ptc error: worker lost - *{told}"])


@pytest.mark.fault("agent-floods")
@HOSTS
@pytest.mark.slow
def test_an_agent_in_a_loop_is_ended_with_its_last_lines(suite: Suite) -> None:
    """Lines without an end, and a line without an end, fill neither the disk nor the memory."""
    suite.agent.write_text(
        "import sys\n"
        "number, line = 0, sys.stdin.readline()\n"
        "while True:\n"
        "    number += 1\n"
        "    print('round', number, end='\\n' if 'lines' in line else ' ')\n"
    )
    suite.write(test_a=marked("lines", "lines", timeout=1) + marked("line", "one", timeout=1))
    result = suite.run()
    result.assert_outcomes(errors=2)
    lines = result.outlines
    assert lines.count("ptc error: timeout - no verdict within 1 s") == 2
    assert len([line for line in lines if re.match(r"  \| round \d+", line)]) > 10
    for log in suite.runs[-1].glob("attempts/*/output.log"):
        assert 100_000 < log.stat().st_size < 6_000_000


#: Leaves one process in a session of its own, and one whose parents have ended.
FORKING = """
import json, os, subprocess, sys, time
code = "import sys, time; open(sys.argv[2], 'w').close(); time.sleep(600)"
sleeper = [sys.executable, "-c", code, os.path.abspath("left")]
subprocess.Popen([*sleeper, "up-1"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sleeper[0], [*sleeper, "up-2"])
    os._exit(0)
os.wait()
while not (os.path.exists("up-1") and os.path.exists("up-2")):
    time.sleep(0.01)
print(json.dumps({"verdict": "pass", "summary": "left two"}))
"""


@pytest.mark.fault("agent-leaves-children")
@HOSTS
def test_what_an_agent_leaves_behind_ends_with_its_task(suite: Suite) -> None:
    """When the test's body runs, what its agent has forked away is gone, though the run is on."""
    suite.agent.write_text(FORKING)
    suite.write(
        test_a="from pathlib import Path\nfrom tests.support.suite import processes_of\n"
        "@pytest.mark.ptc('x')\n"
        "def test_it():\n    assert processes_of(Path('left').absolute()) == []\n"
    )
    suite.run("--ptc-workers=1").assert_outcomes(passed=1)


#: Gives programs more time between SIGTERM and SIGKILL than they get: on a busy machine, too.
PATIENT = """
import sys
if "pytest_ptc.worker" in sys.orig_argv:
    import pytest_ptc.agents.program
    pytest_ptc.agents.program.TERM_GRACE_S = {}
"""

#: Has a child in its group and one in a session of its own, and says what it is sent.
TELLING = """
import os, signal, subprocess, sys, time

def tell(name):
    def told(*_):
        # In one piece, for three of them write at once.
        os.write(1, (name + " was asked to end" + chr(10)).encode())
        open("asked-" + name, "w").close()
        os._exit(0)
    signal.signal(signal.SIGTERM, told)
    open("began-" + name, "w").close()
    time.sleep(600)

if len(sys.argv) > 1:
    tell(sys.argv[1])
what = sys.stdin.readline().strip()
if what == "passes":
    print('{"verdict": "pass", "summary": "x"}')
    sys.exit()
if what == "records":
    subprocess.run(["ptc", "record", "fail", "--summary", "bad"])
    open("recorded", "w").close()
    time.sleep(600)
if what == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("never", flush=True)
    open("began-stubborn", "w").close()
    time.sleep(600)
for name in ("group", "session"):
    words = [sys.executable, __file__, name]
    subprocess.Popen(words, start_new_session=name == "session")
while not (os.path.exists("began-group") and os.path.exists("began-session")):
    time.sleep(0.01)
tell("agent")
"""


@pytest.mark.fault("run-timeout")
@HOSTS
@pytest.mark.slow
def test_a_run_that_is_out_of_time_ends_all_of_it_and_counts_what_is_recorded(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs is asked to end, then killed, with its last words; what waits has no attempt."""
    inject(suite, monkeypatch, PATIENT.format(4))
    monkeypatch.setattr("pytest_ptc.coordinator.supervisor.QUIT_GRACE_S", 20.0)
    clock = RunClock(monkeypatch)
    suite.agent.write_text(TELLING)
    suite.write(
        test_a=marked("passes", "passes")
        + marked("records", "records")
        + marked("tells", "tells")
        + marked("stubborn", "stubborn")
        + marked("waits", "x", needs="test_tells")
    )

    def pass_time() -> None:
        for name in ("recorded", "began-agent", "began-stubborn"):
            wait_for(suite.path / name)
        wait_until(lambda: suite.events("ended"))
        clock.put_forward(suite, 100)

    with meanwhile(pass_time):
        result = suite.run("--ptc-workers=4", "--ptc-run-timeout=100")
    result.assert_outcomes(passed=1, failed=1, errors=3)
    lines = result.outlines
    why = "ptc error: run timeout - the run reached its limit of 100 s; raise --ptc-run-timeout, *"
    assert len(fnmatch.filter(lines, why)) == 3
    for said in ("agent was asked to end", "group was asked to end", "never"):
        assert f"  | {said}" in lines
    assert "no attempt was made" in lines
    asked = {path.name for path in suite.path.glob("asked-*")}
    assert asked == {"asked-agent", "asked-group", "asked-session"}


@pytest.mark.fault("late-record")
def test_what_is_recorded_while_the_agent_is_asked_to_end_counts(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past its time, between SIGTERM and SIGKILL, `ptc record` does not promise too much."""
    inject(suite, monkeypatch, PATIENT.format(20))
    suite.agent.write_text(
        "import signal, subprocess, sys, time\n"
        "def record(*_):\n"
        "    subprocess.run(['ptc', 'record', 'fail', '--summary', 'late'], check=True)\n"
        "    sys.exit(3)\n"
        "signal.signal(signal.SIGTERM, record)\n"
        "time.sleep(600)\n"
    )
    suite.write(test_a=marked("it", "x", timeout=1))
    result = suite.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["ptc verdict: fail - late"])


@pytest.mark.fault("two-records")
def test_verdicts_that_agree_are_one(suite: Suite) -> None:
    """Recorded twice and printed once, the last words count."""
    suite.write(
        test_a="@pytest.mark.ptc('record pass|--summary|a\\nrecord pass|--summary|b\\npass c')\n"
        "def test_it(ptc): assert ptc.summary == 'c'\n"
    )
    suite.run().assert_outcomes(passed=1)
