"""What a run's lists excuse: findings that are known, or not new. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.model.baseline import Claim, Comparer
from pytest_ptc.model.choices import asks_for_new
from pytest_ptc.model.known import expired_among, known_among
from pytest_ptc.model.sightings import Roots, sighting
from pytest_ptc.model.verdict import Excuse, FindingState
from pytest_ptc.model.weighing import Excused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.model.baseline import Baseline
    from pytest_ptc.model.known import KnownEntry, KnownFindings
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import Finding

#: Most characters of a message that is kept to be shown, and compared.
MAX_MESSAGE_CHARS = 300


def claim_of(finding: Finding, cwd: str, roots: Roots, start: str | None = None) -> Claim:
    """Return a finding as far as it is compared; arguments as for `sighting`."""
    return Claim(
        sighting(finding, cwd, roots, start),
        finding.severity,
        finding.message[:MAX_MESSAGE_CHARS],
        finding.facts.excuse,
    )


class Excuses:
    """What excuses the findings of a verdict; one of these is an `ExcuseOf`.

    Args:
        roots: Where the run takes place.
        known: The known findings, if there is a list of them.
        baseline: What the run is compared with, if it is.
    """

    def __init__(
        self, roots: Roots, known: KnownFindings | None = None, baseline: Baseline | None = None
    ) -> None:
        self._roots = roots
        self._known = known
        self._comparer = None if baseline is None else Comparer(baseline)

    def __call__(self, findings: Sequence[Finding], spec: TaskSpec) -> list[Excused | None]:
        claims = [claim_of(finding, spec.cwd, self._roots) for finding in findings]
        known = self._known_among(claims)
        is_open = self._are_open(claims, known, spec)
        return [
            Excused(Excuse.KNOWN, entry.reason)
            if entry is not None
            else Excused(Excuse.BASELINE)
            if old
            else None
            for entry, old in zip(known, is_open, strict=True)
        ]

    def _known_among(self, claims: Sequence[Claim]) -> Sequence[KnownEntry | None]:
        if self._known is None:
            return [None] * len(claims)
        return known_among(self._known, [claim.seen for claim in claims])

    def _are_open(
        self, claims: Sequence[Claim], known: Sequence[KnownEntry | None], spec: TaskSpec
    ) -> Sequence[bool]:
        """Return which findings the baseline excuses: not one that was known until a day."""
        if self._comparer is None or not asks_for_new(spec.fail_on):
            return [False] * len(claims)
        told = [
            claim if entry is None else claim._replace(excuse=Excuse.KNOWN)
            for claim, entry in zip(claims, known, strict=True)
        ]
        expired = [False] * len(claims)
        if self._known is not None:
            expired = expired_among(self._known, [claim.seen for claim in claims])
        return [
            state is FindingState.OPEN and not over
            for state, over in zip(self._comparer.states(told), expired, strict=True)
        ]
