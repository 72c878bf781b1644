"""How a run stands, as its first event and the processes of this machine tell."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.model.errors import PtcError
from pytest_ptc.system.machine import boot_id, process_space
from pytest_ptc.system.processes import ProcessIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping


class RunState(Enum):
    """How a run stands."""

    RUNNING = "running"
    ENDED = "ended"
    KILLED = "killed"


class RunRefusedError(PtcError):
    """A run's journal that is not to be believed; the message names the run and says why."""

    def __init__(self, run_id: str, reason: str) -> None:
        super().__init__(f"run {run_id} is refused: {reason}")
        self.run_id = run_id
        self.reason = reason


class RefusedRun(NamedTuple):
    """A folder among the runs whose journal is not believed, and why."""

    run_id: str
    reason: str

    def error(self) -> RunRefusedError:
        """Return this as an error."""
        return RunRefusedError(self.run_id, self.reason)


def state_of(began: Mapping[str, Any], *, ended: bool) -> RunState:
    """Return how a run stands.

    Args:
        began: Its first event, as plain JSON.
        ended: Whether its story tells of its end.
    """
    if ended:
        return RunState.ENDED
    here = began["boot"] == boot_id() and began["process_space"] == process_space()
    alive = here and ProcessIdentity(began["pid"], began["created"]).alive
    return RunState.RUNNING if alive else RunState.KILLED
