"""The exit status of `ptc wait`: 0 for a success alone."""

from __future__ import annotations

import pytest

from pytest_ptc.cli.wait import status_of
from pytest_ptc.reporting.story import run_report
from tests.support.documents import events_from
from tests.support.samples import events_of


def _status(*, exit_status: int | None, judged: bool = True) -> int:
    events = events_of(tasks=4, findings=0)
    if not judged:
        events = [event for event in events if event["event"] in _FRAME]
    *events, end = events
    if exit_status is not None:
        events.append({**end, "exit_status": exit_status})
    return status_of(run_report(events_from(events)))


#: The events of a run in which no agent judged anything.
_FRAME = ("run", "run ended", "session ended")


@pytest.mark.parametrize("exit_status", [1, 2, 3, 4, 5, 10, 143])
def test_a_status_that_is_not_0_is_that_of_pytest(exit_status: int) -> None:
    """Also where the report alone would have another reason."""
    assert _status(exit_status=exit_status) == exit_status
    assert _status(exit_status=exit_status, judged=False) == exit_status


def test_a_run_without_a_judged_item_is_no_success() -> None:
    """Pytest may have ended with 0: a gate that nobody stood at is not open."""
    assert _status(exit_status=0, judged=False) == 10


@pytest.mark.parametrize(("judged", "status"), [(True, 1), (False, 10)])
def test_a_killed_run_is_no_success(*, judged: bool, status: int) -> None:
    """It has no status of pytest's; a fail in it is a fail."""
    assert _status(exit_status=None, judged=judged) == status
