"""An item as `ptc show` prints it while its run is active."""

from __future__ import annotations

from pathlib import Path

from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.reporting.attempts import TaskAttempt
from pytest_ptc.reporting.task_report import TaskReport
from pytest_ptc.reporting.terminal.item_details import item_lines

LATE = Trouble(cause=Cause.TIMEOUT, message="no verdict within 9 s")
TASK = TaskReport(
    spec=TaskSpec(nodeid="t.py::test_it", prompt="p", timeout=9, cwd="/"),
    attempts=(
        TaskAttempt(name="1.1", number=1, worker="w1", seconds=9.0, ended=2.0, trouble=LATE),
        TaskAttempt(name="1.2", number=2, worker="w2", assigned=3.0),
    ),
)


def lines(*, active: bool) -> list[str]:
    """Return what is printed up to the prompt."""
    shown = item_lines(
        TASK, "it", (), run="r", journal=Path("j"), calls=(), session=None, active=active
    )
    return shown[: shown.index("prompt:")]


def test_an_item_of_an_active_run_is_not_over() -> None:
    """What is at work is told as what it is."""
    assert lines(active=True) == [
        "it  running in run r, which is active",
        "t.py::test_it",
        "attempt 1.1, w1, timeout, 9.0 s",
        "attempt 1.2, w2, at work",
    ]


def test_an_item_of_a_killed_run_is_over() -> None:
    """Nobody is at work on it any more."""
    state, _, reason, _, last = lines(active=False)
    assert state == f"it  {TASK.state.value} in run r"
    assert reason == TASK.reason.text
    assert last == "attempt 1.2, w2, did not end"
