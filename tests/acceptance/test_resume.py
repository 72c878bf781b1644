"""`--ptc-resume`: what has a verdict and is unchanged is not run again."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import start, until

if TYPE_CHECKING:
    from tests.support.suite import Suite

#: Two that end, one that hangs until the run is killed, and then passes.
THREE = """
@pytest.mark.ptc('record pass|--summary|seen')
def test_passes(ptc): assert ptc.summary == 'seen'
@pytest.mark.ptc('fail no good')
def test_fails(): pass
@pytest.mark.ptc('first began hang\\npass')
def test_hangs(): pass
"""


def begun(suite: Suite) -> set[str]:
    """Return the tests for which the last run began an attempt."""
    names = {
        event["task"]: event["spec"]["nodeid"].rpartition("::test_")[2]
        for event in suite.events("submitted")
    }
    return {names[event["attempt"].rpartition(".")[0]] for event in suite.events("assigned")}


@pytest.mark.fault("pytest-killed")
@pytest.mark.parametrize(
    "suite", ["process", pytest.param("tmux", marks=pytest.mark.slow)], indirect=True
)
def test_a_killed_run_is_taken_over(suite: Suite) -> None:
    """Its verdicts stand, and say so; the rest is run; what it left is gone."""
    suite.write(test_a=THREE)
    suite.commit("began")
    killed = start(suite, "--ptc-task-list-id=ours")
    until((suite.path / "began").exists, "the agent that hangs")
    until(lambda: len(suite.events("content")) == 2, "both verdicts, and what they were about")
    killed.kill()
    killed.communicate(timeout=30)
    first = suite.runs[0].name
    result = suite.run("--ptc-resume", "--ptc-task-list-id=ours")
    result.assert_outcomes(passed=2, failed=1)
    assert begun(suite) == {"hangs"}
    result.stdout.fnmatch_lines(
        [
            f"ptc: resumes {first}",
            f"attempt 1 on w*, in run {first}: verdict fail",
            f"*output in *{first}/attempts/*",
            f"2 verdicts of run {first} kept, unchanged: not run again",
        ]
    )
    again = suite.run("--ptc-resume", "--ptc-task-list-id=ours", "-q")
    again.assert_outcomes(passed=2, failed=1)
    assert suite.events("assigned") == []
    again.stdout.fnmatch_lines(["ptc: 2 pass, 1 fail, 3 resumed in *"])


@pytest.mark.fault("pytest-killed")
def test_a_verdict_stands_that_nobody_lived_to_report(suite: Suite) -> None:
    """Recorded, and then worker and pytest were killed at once, as when the power goes."""
    suite.write(
        test_a="@pytest.mark.ptc('record pass|--summary|seen\\ntouch began\\nhang')\n"
        "def test_it(ptc): assert ptc.summary == 'seen'\n"
    )
    suite.commit()
    run = start(suite)
    until((suite.path / "began").exists, "the record")
    for event in suite.events("worker started"):
        subprocess.run(["kill", "-STOP", str(event["pid"])], check=True)
    run.kill()
    run.communicate(timeout=30)
    (suite.path / "began").unlink()
    assert suite.events("ended") == []
    suite.run("--ptc-resume").assert_outcomes(passed=1)
    assert not (suite.path / "began").exists()
    assert suite.processes() == []


@pytest.mark.slow
def test_what_has_changed_is_run_again(suite: Suite) -> None:
    """A verdict stands for the task that was judged: its words, its settings, and all files."""

    def write(prompt: str, keywords: str = "") -> None:
        marker = f"@pytest.mark.ptc('say src and b.txt, please.\\npass{prompt}'{keywords})"
        suite.write(test_a=f"{marker}\ndef test_it(): pass\n")

    def again(*args: str) -> bool:
        suite.run("--ptc-resume", *args).assert_outcomes(passed=1)
        return bool(suite.events("assigned"))

    (suite.path / "c.txt").write_text("1")
    write("")
    suite.commit()
    suite.run().assert_outcomes(passed=1)
    assert not again("--ptc-timeout=29", "--ptc-retries=1"), "limits"
    # Each change is one to the run before it.
    (suite.path / "c.txt").write_text("2")
    assert again(), "the content of a file that it does not name"
    write(" x", ", tools='Read'")
    assert again(), "the prompt and the marker"
    assert not again(), "nothing has changed since"


@pytest.mark.slow
def test_a_task_whose_need_is_run_again_is_run_again(suite: Suite) -> None:
    """What it was judged after has changed, and so may its verdict."""
    (suite.path / "a.txt").write_text("1")
    suite.write(
        test_a="@pytest.mark.ptc('say a.txt\\npass')\ndef test_a(): pass\n"
        "@pytest.mark.ptc('pass', needs='test_a')\ndef test_b(): pass\n"
        "@pytest.mark.ptc('pass', needs='test_b')\ndef test_c(): pass\n"
        "@pytest.mark.ptc('pass')\ndef test_d(): pass\n"
    )
    suite.commit("a.txt")
    suite.run().assert_outcomes(passed=4)
    (suite.path / "a.txt").write_text("2")
    suite.run("--ptc-resume").assert_outcomes(passed=4)
    assert begun(suite) == {"a", "b", "c"}


#: An agent that does what its prompt's first word says, in its first attempt; then it passes.
ONCE = """
import json, os, sys
word = sys.stdin.readline().split()[0]
first = not os.path.exists("done-" + word)
open("done-" + word, "a").close()
kind = word if first else "pass"
if kind != "nothing":
    print(json.dumps({"verdict": kind, "summary": "so it is"}))
"""


@pytest.mark.slow
def test_trouble_and_an_error_of_the_agents_are_run_again(suite: Suite) -> None:
    """Neither is a verdict about the item; a skip is."""
    suite.agent.write_text(ONCE)
    suite.commit("done-*", "test_a.py")
    suite.write(
        test_a="@pytest.mark.ptc('nothing')\ndef test_trouble(): pass\n"
        "@pytest.mark.ptc('error')\ndef test_error(): pass\n"
        "@pytest.mark.ptc('skip')\ndef test_skip(): pass\n"
    )
    suite.run().assert_outcomes(errors=2, skipped=1)
    suite.run("--ptc-resume").assert_outcomes(passed=2, skipped=1)
    assert begun(suite) == {"trouble", "error"}


@pytest.mark.slow
def test_a_rerun_of_a_resumed_item_is_a_new_attempt(suite: Suite) -> None:
    """`--reruns` asks for another opinion, and does not get the old one again."""
    suite.agent.write_text(ONCE)
    suite.commit("done-*", "test_a.py")
    suite.write(test_a="@pytest.mark.ptc('fail')\ndef test_it(): pass\n")
    suite.run().assert_outcomes(failed=1)
    suite.run("--ptc-resume", "--reruns=1").assert_outcomes(passed=1)
    assert len(suite.events("assigned")) == 1


@pytest.mark.slow
def test_what_a_test_submits_itself_is_resumed_too(suite: Suite) -> None:
    """Its tasks have the same names in the next run."""
    suite.write(
        test_a="def test_it(ptc_coordinator):\n"
        "    for verdict in ptc_coordinator.map('say {x}\\npass', [{'x': 1}, {'x': 2}]):\n"
        "        assert verdict.passed\n"
    )
    suite.commit()
    suite.run().assert_outcomes(passed=1)
    suite.run("--ptc-resume").assert_outcomes(passed=1)
    assert suite.events("assigned") == []


@pytest.mark.slow
def test_last_failed_and_resume_go_together(suite: Suite) -> None:
    """`--lf` chooses which tests are collected; what of those is unchanged has its verdict."""
    suite.write(
        test_a="@pytest.mark.ptc('pass')\ndef test_a(): pass\n"
        "@pytest.mark.ptc('fail no')\ndef test_b(): pass\n"
        "@pytest.mark.ptc('exit 0')\ndef test_c(): pass\n"
    )
    suite.commit()
    suite.run().assert_outcomes(passed=1, failed=1, errors=1)
    suite.run("--lf", "--ptc-resume").assert_outcomes(failed=1, errors=1)
    assert begun(suite) == {"c"}


def test_a_report_that_was_changed_afterwards_does_not_stand(suite: Suite) -> None:
    """The run's journal has the hash of what the coordinator read."""
    suite.write(test_a="@pytest.mark.ptc('fail no')\ndef test_it(): pass\n")
    suite.commit()
    suite.run().assert_outcomes(failed=1)
    (report,) = suite.runs[-1].glob("attempts/*/report.json")
    value = json.loads(report.read_bytes())
    value["verdict"]["verdict"] = "pass"
    report.write_text(json.dumps(value))
    suite.run("--ptc-resume").assert_outcomes(failed=1)
    assert begun(suite) == {"it"}


@pytest.mark.slow
def test_runs_that_cannot_be_resumed_are_refused_before_anything_is_started(suite: Suite) -> None:
    """An id that is none or of no run, and a run that is still on; without any run, all is run."""
    suite.write(test_a="@pytest.mark.ptc('touch began\\nwait end\\npass')\ndef test_it(): pass\n")
    run = start(suite)
    until((suite.path / "began").exists, "the agent")
    for given, said in (
        ("--ptc-resume", "*is still active; wait for it*"),
        ("--ptc-resume=abc", "*no run has an id that ends in 'abc'*"),
        (
            "--ptc-resume=tests/x.py",
            "*--ptc-resume: must be the end of a run's id, or last, not 'tests/x.py'*",
        ),
    ):
        refused = suite.run(given)
        assert refused.ret == pytest.ExitCode.USAGE_ERROR
        refused.stderr.fnmatch_lines([said])
    (suite.path / "end").touch()
    run.communicate(timeout=30)
    suite.run(f"--ptc-resume={suite.runs[0].name[-5:]}").assert_outcomes(passed=1)
