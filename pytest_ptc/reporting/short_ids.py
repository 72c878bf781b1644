"""Short names of runs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def short_run_id(run_id: str, others: Iterable[str] = ()) -> str:
    """Return the shortest end of a run's id that names it among others for `ptc results`.

    It is never less than what follows its time.
    """
    ends = {other[-len(run_id) :] for other in others if other != run_id}
    at = run_id.rfind("-") + 1
    while at and any(other.endswith(run_id[at:]) for other in ends):
        at = run_id.rfind("-", 0, at - 1) + 1
    return run_id[at:]
