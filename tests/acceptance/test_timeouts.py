"""Pytest-timeout's limits, understood as those of the agent's work, and its timers kept away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.suite import WITHOUT

if TYPE_CHECKING:
    from tests.support.suite import Suite

METHODS = pytest.mark.parametrize(
    "method", ["signal", pytest.param("thread", marks=pytest.mark.slow)]
)


def limits(suite: Suite) -> dict[str, float]:
    """Return the limits of the last run's tasks, by test."""
    specs = [
        json.loads(file.read_bytes())["spec"]
        for file in suite.runs[-1].glob("attempts/*/task.json")
    ]
    return {spec["nodeid"].rpartition("_")[2]: spec["timeout"] for spec in specs}


@pytest.mark.parametrize(
    ("ini", "args", "environ", "general"),
    [
        pytest.param("", (), None, 600, id="nobody", marks=pytest.mark.slow),
        pytest.param("timeout = 50\n", (), None, 50, id="ini", marks=pytest.mark.slow),
        pytest.param("timeout = 50\n", (), "45", 45, id="environment", marks=pytest.mark.slow),
        pytest.param("timeout = 50\n", ("--timeout=40",), "45", 40, id="option"),
        pytest.param("", ("--timeout=0",), None, 600, id="off", marks=pytest.mark.slow),
        pytest.param(
            "", ("--timeout=40", "--ptc-timeout=30"), None, 30, id="ours", marks=pytest.mark.slow
        ),
        pytest.param(
            "timeout = 50\n",
            ("-p", "no:timeout"),
            None,
            600,
            id="without-the-plugin",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_closest_limit_counts(
    suite: Suite,
    monkeypatch: pytest.MonkeyPatch,
    *,
    ini: str,
    args: tuple[str, ...],
    environ: str | None,
    general: float,
) -> None:
    """The marker's own, then pytest-timeout's marker, then ours for the run, then its."""
    text = (suite.path / "tox.ini").read_text().replace("ptc_timeout = 30", "")
    (suite.path / "tox.ini").write_text(f"{text}\n{ini}")
    if environ is not None:
        monkeypatch.setenv("PYTEST_TIMEOUT", environ)
    suite.write(
        test_a="@pytest.mark.ptc('pass', timeout=20)\n@pytest.mark.timeout(10)\n"
        "def test_own(): pass\n"
        "@pytest.mark.ptc('pass')\n@pytest.mark.timeout(25)\ndef test_marked(): pass\n"
        "@pytest.mark.ptc('pass')\n@pytest.mark.timeout(timeout=26)\ndef test_named(): pass\n"
        "@pytest.mark.ptc('pass')\ndef test_plain(): pass\n"
    )
    result = suite.pytester.runpytest_inprocess(*WITHOUT, "--ptc-workers=2", *args)
    result.assert_outcomes(passed=4)
    assert limits(suite) == {"own": 20, "marked": 25, "named": 26, "plain": general}


@pytest.mark.fault("agent-hangs")
@METHODS
@pytest.mark.slow
def test_an_agent_is_ended_at_the_limit_of_pytest_timeout(suite: Suite, method: str) -> None:
    """It is an error of its item with the cause, and the session goes on."""
    suite.write(
        test_a="@pytest.mark.ptc('hang')\n@pytest.mark.timeout(1)\ndef test_hangs(): pass\n"
        "@pytest.mark.ptc('pass')\ndef test_passes(): pass\n"
    )
    result = suite.spawn(f"--timeout-method={method}")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ptc error: timeout - no verdict within 1 s*"])


@METHODS
def test_waiting_for_a_verdict_is_not_counted(suite: Suite, method: str) -> None:
    """An item's timer runs for its fixtures and its body; its agent may take as long as it may."""
    suite.write(
        test_a="import time\n"
        "@pytest.mark.ptc('wait later\\npass', timeout=30)\ndef test_late(): pass\n"
        "@pytest.mark.ptc('pass', timeout=30)\ndef test_early():\n"
        "    time.sleep(0.8)\n    open('later', 'w').close()\n"
    )
    suite.spawn("--timeout=1.5", f"--timeout-method={method}").assert_outcomes(passed=2)


@METHODS
@pytest.mark.slow
def test_a_rerun_waits_for_its_attempt_without_a_timer(suite: Suite, method: str) -> None:
    """The further attempt may take longer than the timer would allow, whatever its method."""
    suite.write(
        # No fixture: of an item whose agent failed it, none is set up.
        conftest="import threading\n"
        "later = threading.Timer(4, lambda: open('later', 'w').close())\n"
        "def pytest_sessionstart(): later.start()\n"
        "def pytest_sessionfinish(): later.cancel()\n",
        test_a="import time\n"
        "@pytest.mark.ptc('first seen fail\\nfirst ended exit 0\\nwait later\\npass', timeout=30)\n"
        "def test_again(): pass\n",
    )
    args = ("--reruns=1", "--timeout=1.5", f"--timeout-method={method}")
    suite.spawn(*args).assert_outcomes(passed=1)
