"""Reports that are made of a run's journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.reported import FINDING, marked, report_of

if TYPE_CHECKING:
    from tests.support.suite import Suite


def test_the_document_tells_the_whole_run(suite: Suite) -> None:
    """Outcomes, verdicts, troubles, attempts, workers, and work that a test submitted itself."""
    (suite.path / "sub").mkdir()
    suite.write(
        test_a=marked("passes", f"say {FINDING % ('pass', 'low', 'a.py')}")
        + marked("fails", f"say {FINDING % ('fail', 'high', 'b.py')}", keywords=", cwd='sub'")
        + marked("skips", "skip not here")
        + marked("errs", "error could not")
        + marked("trouble", "say working", "exit 0", keywords=", retries=1")
        + marked("body", "pass", body="assert 0")
        + "@pytest.mark.xfail\n"
        + marked("known", "fail as known")
        + marked("needs", "pass", keywords=", needs='test_fails'")
        + "def test_own(ptc_coordinator):\n"
        "    assert ptc_coordinator.submit('pass').result().passed\n"
    )
    suite.run().assert_outcomes(passed=2, failed=2, errors=3, skipped=1, xfailed=1)
    made = report_of(suite)
    tasks = {task["nodeid"].partition("::test_")[2]: task for task in made["tasks"]}
    assert {name: task["outcome"] for name, task in tasks.items()} == {
        "passes": "passed",
        "fails": "failed",
        "skips": "skipped",
        "errs": "error",
        "trouble": "error",
        "body": "failed",
        "known": "xfailed",
        "needs": "error",
        "own::submit[1]": None,
    }
    assert tasks["fails"]["message"] == "ptc verdict: fail - s"
    assert tasks["body"]["message"] == "assert 0"
    assert tasks["fails"]["verdict"]["findings"][0]["path"] == "sub/b.py"
    assert [a["trouble"]["cause"] for a in tasks["trouble"]["attempts"]] == ["no verdict"] * 2
    assert tasks["needs"]["trouble"]["cause"] == "needs unmet"
    assert tasks["needs"]["attempts"] == []
    assert (tasks["passes"]["path"], tasks["passes"]["line"]) == ("test_a.py", 2)
    attempt = tasks["passes"]["attempts"][0]
    assert made["run"]["began"] <= attempt["assigned"] <= attempt["claimed"] <= attempt["ended"]
    assert made["run"]["complete"] is True
    assert made["totals"]["findings"]["high"] == 1
    assert made["totals"]["verdicts"] == {"pass": 3, "fail": 2, "skip": 1, "error": 3}
    assert {worker["name"] for worker in made["workers"]} >= {"w1", "w2"}


def test_a_rerun_and_a_resumed_run_are_told(suite: Suite) -> None:
    """A test that was run again has both tasks; a verdict that stands names its run."""
    suite.write(test_a=marked("it", "fail no"))
    suite.commit()
    suite.run("--reruns=1").assert_outcomes(failed=1)
    assert [task["outcome"] for task in report_of(suite)["tasks"]] == [None, "failed"]
    suite.run("--ptc-resume").assert_outcomes(failed=1)
    made = report_of(suite)
    (task,) = made["tasks"]
    assert task["resumed"] == made["run"]["resumes"] == suite.runs[0].name
    assert (task["outcome"], task["verdict"]["verdict"]) == ("failed", "fail")
    assert made["totals"]["attempts"] == 0


def test_what_an_item_failed_by_is_told_though_nobody_was_asked(suite: Suite) -> None:
    """A fixture that a prompt names and that breaks, an expected failure, and where files are."""
    (suite.path / ".git").mkdir()
    (suite.path / "inner").mkdir()
    elsewhere = FINDING % ("pass", "low", "/elsewhere/b.py")
    suite.write(
        test_a="@pytest.fixture(scope='session')\ndef server(): raise OSError('no port')\n"
        "@pytest.mark.ptc('Try {server}.')\ndef test_unasked(): pass\n"
        "@pytest.mark.xfail(reason='see #7')\n"
        + marked("known", "fail as known", keywords=", fail_on='high'")
        + "@pytest.mark.xfail\n"
        + marked("unexplained", "fail as known")
        + marked("whole", f"say {FINDING % ('pass', 'low', '..')}", keywords=", cwd='inner'")
        + marked("outside", f"say {elsewhere}")
    )
    suite.run().assert_outcomes(passed=2, xfailed=2, errors=1)
    made = report_of(suite)
    tasks = {task["nodeid"].partition("::test_")[2]: task for task in made["tasks"]}
    assert made["run"]["repository"] == made["run"]["rootdir"] == str(suite.path)
    unasked = tasks["unasked"]
    assert (unasked["outcome"], unasked["phase"]) == ("error", "setup")
    assert (unasked["prompt"], unasked["verdict"], unasked["path"]) == ("", None, "test_a.py")
    assert made["totals"]["verdicts"]["error"] == 1
    assert [tasks[name]["xfail"] for name in ("known", "unexplained", "whole")] == [
        "see #7",
        "",
        None,
    ]
    assert [tasks[name]["fail_on"] for name in ("known", "unexplained")] == ["high", "verdict"]
    places = [tasks[name]["verdict"]["findings"][0]["path"] for name in ("whole", "outside")]
    assert places == [".", "/elsewhere/b.py"]


@pytest.mark.parametrize(
    ("threshold", "failed"),
    [("verdict", 1), ("high", 2)],
)
def test_findings_fail_an_item_from_the_threshold_on(
    suite: Suite, threshold: str, failed: int
) -> None:
    """A verdict of fail fails always; a pass with a finding as bad as the threshold fails, too."""
    suite.write(
        test_a=marked("high", f"say {FINDING % ('pass', 'high', 'a.py')}")
        + marked("medium", f"say {FINDING % ('pass', 'medium', 'a.py')}")
        + marked("fails", f"say {FINDING % ('fail', 'low', 'a.py')}")
        + marked("own", f"say {FINDING % ('pass', 'high', 'a.py')}", keywords=", gate=False")
        + marked("marker", f"say {FINDING % ('pass', 'high', 'a')}", keywords=", fail_on='verdict'")
    )
    result = suite.run(f"--ptc-fail-on={threshold}")
    result.assert_outcomes(passed=5 - failed, failed=failed)
    if failed > 1:
        result.stdout.fnmatch_lines(["*1 finding of * or worse beside a pass: s"])
        result.stdout.fnmatch_lines([f"5 items: {5 - failed} pass, {failed} fail*"])


@pytest.mark.parametrize(
    ("tests", "args", "status"),
    [
        pytest.param(["exit 0", "pass"], ["--ptc-exit-codes"], 10, id="trouble"),
        pytest.param(["exit 0", "body"], ["--ptc-exit-codes"], 1, id="trouble-and-a-body"),
    ],
)
def test_the_exit_status_tells_trouble_from_failure_where_asked(
    suite: Suite, tests: list[str], args: list[str], status: int
) -> None:
    """Status 10 says that nothing failed, and that not everything was judged."""
    own = {"body": marked("body", "pass", body="assert 0")}
    suite.write(
        test_a="".join(own.get(line) or marked(f"n{n}", line) for n, line in enumerate(tests))
    )
    assert suite.run(*args).ret == status
