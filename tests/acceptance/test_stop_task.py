"""One task of an active run, ended from outside: the run goes on, and the item is never green."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.names import ScratchPlaces
from tests.support.programs import ptc
from tests.support.runs import start, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.suite import Suite

TASKS = """
@pytest.mark.ptc("touch began-hangs\\nhang", retries=2)
def test_hangs(): pass
@pytest.mark.ptc("record pass|--summary|fine\\ntouch began-passed\\nhang")
def test_passed(): pass
@pytest.mark.ptc("record fail|--summary|bad\\ntouch began-failed\\nhang")
def test_failed(): pass
@pytest.mark.ptc("wait go\\npass", timeout=60)
def test_goes_on(): pass
@pytest.mark.ptc("touch began-waits\\npass", needs="test_goes_on")
def test_waits(): pass
"""


@pytest.mark.parametrize(
    "suite", ["process", pytest.param("tmux", marks=pytest.mark.slow)], indirect=True
)
def test_a_task_that_is_stopped_is_an_error_and_the_run_goes_on(suite: Suite) -> None:
    """At work, or waiting; a recorded pass does not count, a recorded fail does."""
    suite.write(test_a=TASKS)
    run = start(suite, "--ptc-workers=4", "-rA")
    for name in ("hangs", "passed", "failed"):
        until((suite.path / f"began-{name}").exists, name)
    several = ptc(suite, "stop", suite.runs[0].name, "test_")
    assert several.returncode == 2
    assert "means 5 items: " in several.stderr
    unknown = ptc(suite, "stop", suite.runs[0].name, "test_x")
    assert "has no item 'test_x'" in unknown.stderr
    for name in ("hangs", "passed", "failed", "waits"):
        stopped = ptc(suite, "stop", suite.runs[0].name[-5:], name)
        assert stopped.stdout == f"{suite.runs[0].name}: test_{name}: stopped\n", stopped.stderr
    until(lambda: len(suite.events("ended")) == 3, "the ends")
    again = ptc(suite, "stop", suite.runs[0].name[-5:], "hangs")
    assert "it has ended" in again.stderr
    (suite.path / "go").touch()
    output, _ = run.communicate(timeout=60)
    assert "1 passed, 1 failed, 3 errors" in output or "1 failed, 1 passed, 3 errors" in output
    causes = {
        event["task"]: (event["trouble"] or {}).get("cause") for event in suite.events("ended")
    }
    assert sorted(map(str, causes.values())) == ["None", "None", "stopped", "stopped"]
    assert [event["trouble"]["cause"] for event in suite.events("given up")] == ["stopped"]
    assert suite.events("worker lost") == []
    assert not (suite.path / "began-waits").exists()


def test_who_has_not_the_key_of_the_run_stops_nothing(suite: Suite, tmp_path: Path) -> None:
    """An agent can reach the coordinator's socket; it is not answered, and the run goes on."""
    del tmp_path
    suite.write(test_a="@pytest.mark.ptc('touch began\\nwait go\\npass')\ndef test_it(): pass\n")
    run = start(suite)
    until((suite.path / "began").exists, "the agent")
    (began,) = suite.events("run")
    places = ScratchPlaces(type(suite.path)(began["scratch"]))
    for proof in ("", "0" * 64, "\N{SNOWMAN}"):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(places.coordinator_socket))
            line.sendall(messages.encode(messages.StopTask(task="1", proof=proof)))
            assert line.recv(4096) == b""
    (suite.path / "go").touch()
    output, _ = run.communicate(timeout=60)
    assert "1 passed" in output
    assert "does not show the run" in json.dumps(suite.events("worker line broken"))
