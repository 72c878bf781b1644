"""Which journals may be deleted, and how: only those of runs that nobody uses any more."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from pytest_ptc.journal.events import RunCleaned, SessionEnded
from pytest_ptc.model.errors import JournalError
from pytest_ptc.runs.state import RunState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.runs.recorded import RecordedRun


def forget_runs(found: Sequence[RecordedRun], keep: int) -> list[str]:
    """Delete the journals of ended runs but the last `keep`; return the ids of those runs.

    A run that is active, was killed and not cleaned, or is resumed by one that is active, stays,
    and is none of those `keep`. Several processes may do this at once: one of them deletes each.

    Args:
        found: The runs of a project, oldest first.
        keep: How many journals of ended runs stay.

    Raises:
        JournalError: A journal cannot be deleted.
    """
    ended = [run for run in found if _is_over(run)]
    used = {run.began.resumes for run in found if not _is_over(run)}
    old = [run for run in ended[: max(0, len(ended) - keep)] if run.run_id not in used]
    return [run.run_id for run in old if _delete(run)]


def _is_over(run: RecordedRun) -> bool:
    """Return whether a run has ended, with the session that makes reports of its journal."""
    if run.state is not RunState.ENDED:
        return False
    if any(isinstance(event, SessionEnded | RunCleaned) for event in run.events):
        return True
    return run.in_sight and not (run.of_this_boot and run.pytest.alive)


def _delete(run: RecordedRun) -> bool:
    """Delete a journal, and return whether it was this process that did."""
    # Out of the folder of runs first, at once: nobody reads a journal of which a part is gone.
    runs = run.folder.parent
    place = runs.with_name(f"removed-{run.run_id}-{os.getpid()}")
    try:
        run.folder.rename(place)
        shutil.rmtree(place)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise JournalError(f"journal {run.folder}: {error}") from error
    return True
