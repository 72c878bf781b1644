"""Short names of a run's findings, by which commands mean one of them. Pure."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.reporting.task_report import worst_first

if TYPE_CHECKING:
    from pytest_ptc.model.sightings import Sighting
    from pytest_ptc.model.verdict import Finding
    from pytest_ptc.reporting.run_report import RunReport
    from pytest_ptc.reporting.task_report import TaskReport

#: The shortest beginning of a fingerprint that names one: shorter ones are easily others.
_SHORTEST_FINGERPRINT = 6
#: Candidates that are named where a word means several findings.
_MAX_CANDIDATES = 8


class NamedFinding(NamedTuple):
    """A finding of a run.

    Args:
        name: `f1`, `f2`, ...
        finding: The finding.
    """

    name: str
    finding: Finding


class FoundFinding(NamedTuple):
    """The finding that a word means, its task, and what it is recognised by."""

    name: str
    finding: Finding
    task: TaskReport
    seen: Sighting


def named_findings(run: RunReport) -> list[list[NamedFinding]]:
    """Return the findings of each item, worst first, in the order in which they were collected."""
    numbers = count(1)
    return [
        [NamedFinding(f"f{next(numbers)}", one) for one in worst_first(task.findings)]
        for task in run.as_collected
    ]


def finding_of(run: RunReport, wanted: str) -> FoundFinding:
    """Return the finding that a word means.

    Args:
        run: The run.
        wanted: Its name, the beginning of its fingerprint, or its place, such as `src/a.py:3`.

    Raises:
        ConfigError: It means none, or several that are not the same.
    """
    named = [
        FoundFinding(name, finding, task, run.sighting(finding, task))
        for task, found in zip(run.as_collected, named_findings(run), strict=True)
        for name, finding in found
    ]
    for found in (
        [one for one in named if wanted == one.name],
        [one for one in named if _is_fingerprint(wanted, one.seen.anchor)],
        [one for one in named if wanted in (one.finding.location, _place(one.seen))],
    ):
        if len({(one.seen.anchor, one.finding.rule, one.seen.place) for one in found}) == 1:
            return found[0]
        if found:
            few = ", ".join(one.name for one in found[:_MAX_CANDIDATES])
            more = f" and {len(found) - _MAX_CANDIDATES} more" * (len(found) > _MAX_CANDIDATES)
            raise ConfigError(f"{wanted!r} means {len(found)} findings: {few}{more}; name one")
    raise ConfigError(
        f"run {run.run_id} has no finding {wanted!r}; `ptc results {run.run_id} -v` names them"
    )


def _is_fingerprint(wanted: str, anchor: str | None) -> bool:
    return anchor is not None and len(wanted) >= _SHORTEST_FINGERPRINT and anchor.startswith(wanted)


def _place(seen: Sighting) -> str | None:
    return None if seen.path is None else f"{seen.path}:{seen.line}"
