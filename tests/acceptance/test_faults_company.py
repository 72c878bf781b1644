"""Many runs at once, a strange environment, a strange user, a strange place."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.faults import ODD_FOLDER, ODD_SUBFOLDER, marked, move, shell_namespace
from tests.support.runs import start
from tests.support.suite import AGENT, WITHOUT, nothing_left

if TYPE_CHECKING:
    from tests.support.suite import Suite

HOSTS = pytest.mark.parametrize(
    "suite", [pytest.param("process", marks=pytest.mark.slow), "tmux"], indirect=True
)

#: Waits for the agents of all runs.
TOGETHER = """
import json, os, time
open("run-" + os.environ["PTC_RUN"], "w").close()
while sum(name.startswith("run-") for name in os.listdir()) < COUNT:
    time.sleep(0.02)
print(json.dumps({"verdict": "pass", "summary": "all are there"}))
"""


@pytest.mark.fault("many-runs")
@pytest.mark.parametrize("count", [2, pytest.param(6, marks=pytest.mark.slow)])
def test_runs_in_one_checkout_do_not_touch_each_other(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Runs that are on at once, on one list, each do their own two tasks exactly once."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    suite.agent.write_text(TOGETHER.replace("COUNT", str(count)))
    suite.write(test_a=marked("one", "x", timeout=120) + marked("two", "y", timeout=120))
    ours = ("-p", "pytest_ptc.plugin", "--ptc-workers=1", "--ptc-task-list-id=all", "-q")
    runs = [start(suite, *ours) for _ in range(count)]
    for run in runs:
        output, _ = run.communicate(timeout=180)
        assert run.returncode == 0, output
        assert "2 passed" in output
    assert len(suite.runs) == count
    for folder in suite.runs:
        assert sum(path.is_dir() for path in (folder / "attempts").iterdir()) == 2


@pytest.mark.fault("no-home")
@HOSTS
def test_without_a_home_the_list_has_no_place_unless_it_is_given_one(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a usage error with the fix; with CLAUDE_CONFIG_DIR no home is needed."""
    monkeypatch.delenv("HOME")
    suite.write(test_a=marked("it", "pass"))
    refused = suite.run()
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(
        ["*CLAUDE_CONFIG_DIR: *no home directory*set HOME or CLAUDE_CONFIG_DIR"]
    )
    assert suite.runs == []
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(suite.claude))
    suite.run().assert_outcomes(passed=1)


@pytest.mark.fault("root")
@HOSTS
@pytest.mark.slow
def test_root_has_no_other_rules(suite: Suite) -> None:
    """As root of a namespace, whoever runs these tests: the agent is root, too."""
    suite.write(
        test_a=marked("root", 'sh test "$(id -u)" = 0\nrecord pass|--summary|x')
        + marked("fails", "fail no")
    )
    line = (sys.executable, "-m", "pytest", *WITHOUT, "--ptc-workers=2", "-W", "error")
    result = suite.pytester.run(*shell_namespace(), *line)
    result.assert_outcomes(passed=1, failed=1)


@pytest.mark.fault("odd-paths")
@HOSTS
def test_a_project_may_lie_anywhere(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces, quotes, other scripts and signs of tmux in every path, and no UTF-8 in the locale."""
    monkeypatch.setenv("LC_ALL", "C")
    with tempfile.TemporaryDirectory(prefix="ptc é ", dir="/tmp") as place:
        move(suite, monkeypatch, Path(place) / ODD_FOLDER)
        (suite.path / ODD_SUBFOLDER).mkdir()
        suite.agent.write_text(AGENT, encoding="utf-8")
        suite.pytester.makeini(
            f"[pytest]\nptc_agent = command\nptc_command = {{python}} '{{rootpath}}/agent.py'\n"
            f"ptc_host = {suite.host}\nptc_timeout = 30\n"
        )
        suite.write(
            test_a=marked("records", "record fail|--summary|größe\ntouch here", cwd=ODD_SUBFOLDER)
            + marked("passes", "pass")
            + marked("dies", "first tried kill-worker\npass", retries=1)
        )
        suite.spawn().assert_outcomes(passed=2, failed=1)
        assert (suite.path / ODD_SUBFOLDER / "here").exists()
        (begun,) = suite.events("run")
        assert Path(begun["scratch"]).parent == suite.path / "tmp"
        nothing_left(suite)
