"""Ten pull requests, each reviewed by an agent in a worktree of its own; six test the agent."""

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

#: Pull request 105 brings CVE-2022-21797 back. An agent that waves it, or one of the other planted
#: defects, through fails the run; so does one that refuses a clean change.
CVE = pytest.mark.ptc_canary(expect={"path": "joblib/parallel.py", "message": "(?i)eval|inject"})
DEFAULT = pytest.mark.ptc_canary(
    expect={"path": "joblib/memory.py", "message": "(?i)mutable|default"}
)
EVAL = pytest.mark.ptc_canary(
    expect={"path": "joblib/_store_backends.py", "message": "(?i)eval|inject"}
)
CLEAN = pytest.mark.ptc_control

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
        pytest.param(105, "Simplify pre_dispatch", id="105", marks=CVE),
        pytest.param(106, "Options of the store", id="106", marks=DEFAULT),
        pytest.param(107, "Read metadata as it was written", id="107", marks=EVAL),
        pytest.param(108, "Units as a literal", id="108", marks=CLEAN),
        pytest.param(109, "Correct a message", id="109", marks=CLEAN),
        pytest.param(110, "One branch less", id="110", marks=CLEAN),
    ],
)
def test_pull_request(number: int, title: str, ptc: Verdict) -> None:
    """Hold the agent to its own rule: a pass has no finding that must be fixed first."""
    del number, title
    assert not ptc.findings_at_least("medium")
