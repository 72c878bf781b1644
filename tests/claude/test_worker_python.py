"""Claude Code where pytest's own environment cannot hold what drives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.environments import new_environment
from tests.support.suite import WITHOUT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.claude_suite import ClaudeSuite


@pytest.mark.slow
def test_workers_have_the_sdk_that_pytest_cannot_import(
    claude: ClaudeSuite, tmp_path: Path
) -> None:
    """Pytest is run by an environment without the SDK, and its workers by one that has it."""
    without = new_environment(tmp_path / "project", without=["claude_agent_sdk"])
    workers = new_environment(tmp_path / "workers")
    claude.tasks(it="record pass All is well.")
    (claude.path / "conftest.py").write_text(
        "import pytest\n\ndef pytest_configure():\n"
        "    with pytest.raises(ModuleNotFoundError):\n        import claude_agent_sdk\n"
    )
    line = (without, "-m", "pytest", *WITHOUT, "--ptc-workers=1", "-W", "error")
    refused = claude.pytester.run(*line)
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*agent 'claude' needs claude-agent-sdk: pip install *"])
    result = claude.pytester.run(*line, f"--ptc-worker-python={workers}")
    result.assert_outcomes(passed=1)
    (report,) = claude.reports().values()
    assert report["verdict"]["summary"] == "All is well."
