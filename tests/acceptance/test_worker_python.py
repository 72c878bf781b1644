"""Workers that another Python runs than pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.test_added_agents import PLUGIN, TESTS
from tests.support.environments import new_environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.suite import Suite


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of another environment, which has a module of its own."""
    python = new_environment(tmp_path_factory.mktemp("environment") / "workers")
    (packages,) = python.parents[1].glob("lib/python3.*/site-packages")
    (packages / "only_of_workers.py").write_text("import sys\nGREETING = sys.prefix\n")
    return python


@pytest.mark.slow
def test_an_agent_is_imported_by_the_python_of_workers(suite: Suite, workers: Path) -> None:
    """What only that environment has, and a module that only `pythonpath` finds, are both there."""
    agent = PLUGIN.replace("def make(", "import only_of_workers\n\n\ndef make(", 1)
    agent = agent.replace('launch.agent.options["greeting"]', "only_of_workers.GREETING")
    (suite.path / "tools").mkdir()
    (suite.path / "tools" / "oracles.py").write_text(agent)
    suite.write(test_a=TESTS)
    args = ("--ptc-agent=oracles:make", "-o", "pythonpath=tools")
    refused = suite.spawn(*args)
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*'oracles:make' cannot be used: No module*'only_of_workers'*"])
    result = suite.spawn(*args, f"--ptc-worker-python={workers}")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([f"*{workers.parents[1]} fail*"])


@pytest.mark.parametrize(
    "suite", [pytest.param("process", marks=pytest.mark.slow), "tmux"], indirect=True
)
@pytest.mark.slow
def test_a_program_is_started_by_workers_of_another_python(suite: Suite, workers: Path) -> None:
    """Wherever they live; and `ptc record` is the one of the run."""
    suite.agent.write_text(
        "import os, subprocess, psutil\n"
        "python = psutil.Process(os.getppid()).cmdline()[0]\n"
        "subprocess.run(['ptc', 'record', 'pass', '--summary', python], check=True)\n"
    )
    suite.write(
        test_a="@pytest.mark.ptc('x')\ndef test_it(ptc):\n    assert ptc.summary == "
        f"{str(workers)!r}\n"
    )
    suite.run(f"--ptc-worker-python={workers}").assert_outcomes(passed=1)


def test_a_python_that_cannot_run_workers_is_told_before_any_of_them(suite: Suite) -> None:
    """It names the option, and nothing of a run is there."""
    suite.write(test_a="@pytest.mark.ptc('pass')\ndef test_it(): pass\n")
    result = suite.run("--ptc-worker-python=.venv-workers/bin/python")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*ptc_worker_python: '.venv-workers/bin/python' is not a program*"]
    )
    assert suite.runs == []
