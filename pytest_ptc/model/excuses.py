"""What a run's lists excuse: findings that are known. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.model.known import known_among
from pytest_ptc.model.sightings import sighting
from pytest_ptc.model.verdict import Excuse
from pytest_ptc.model.weighing import Excused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.model.known import KnownFindings
    from pytest_ptc.model.sightings import Roots
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import Finding
    from pytest_ptc.model.weighing import ExcuseOf


def excuse_of(known: KnownFindings, roots: Roots) -> ExcuseOf:
    """Return what excuses the findings of a verdict.

    Args:
        known: The known findings.
        roots: Where the run takes place.
    """

    def excuse(findings: Sequence[Finding], spec: TaskSpec) -> list[Excused | None]:
        seen = [sighting(finding, spec.cwd, roots) for finding in findings]
        entries = known_among(known, seen)
        return [None if one is None else Excused(Excuse.KNOWN, one.reason) for one in entries]

    return excuse
