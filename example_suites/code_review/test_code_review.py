"""Five pull requests, each reviewed by an agent in a worktree of its own."""

import pytest

from pytest_ptc import Verdict

PROMPT = """\
Review pull request #{number}, "{title}", against main. Your directory is a worktree at its head.

Look at three things, and only at lines that the pull request adds or changes:
- code quality: does it do what it says, is it correct, can the next reader follow it;
- security: does anything that a caller passes reach an interpreter, a shell, a file name or a
  pickle without a check;
- performance: does it add work to a path that runs for every task.

Findings: severity critical or high for what can be exploited or loses data, medium for what must be
fixed before it is merged, low and info for the rest. Each has a path from the root of the
repository, a line of the new file, and a short stable slug as its rule.

The verdict is fail if there is a finding of medium or worse, pass if there is none, and error if
you could not look at the changes. In data, put the number of files you looked at as "files".
"""

#: Pull request 105 brings CVE-2022-21797 back. An agent that waves it through fails the run.
CANARY = pytest.mark.xfail(strict=True, reason="an argument goes through eval: CVE-2022-21797")

SCHEMA = {
    "type": "object",
    "required": ["files"],
    "properties": {"files": {"type": "integer", "minimum": 1}},
}


@pytest.mark.ptc(
    PROMPT,
    cwd="{repository}",
    ref="pr-{number}",
    base="main",
    schema=SCHEMA,
    timeout=300,
    retries=1,
)
@pytest.mark.parametrize(
    ("number", "title"),
    [
        pytest.param(101, "Wrap unpicklable objects with cloudpickle", id="101"),
        pytest.param(102, "Tests for the new helpers", id="102"),
        pytest.param(103, "Test a Python without multiprocessing", id="103"),
        pytest.param(104, "Release 1.1.1", id="104"),
        pytest.param(105, "Simplify pre_dispatch", id="105", marks=CANARY),
    ],
)
def test_pull_request(number: int, title: str, ptc: Verdict) -> None:
    """Hold the agent to its own rule: a pass has no finding that must be fixed first."""
    del number, title
    assert not ptc.findings_at_least("medium")
