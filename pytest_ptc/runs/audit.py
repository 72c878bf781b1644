"""Whether a run's journal bears out what it says: every record and report read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.journal.attempt_files import REPORT
from pytest_ptc.journal.attempt_reader import changed_files
from pytest_ptc.journal.events import AttemptEnded, kind_of
from pytest_ptc.journal.story import STORY
from pytest_ptc.model.errors import JournalError

if TYPE_CHECKING:
    from pytest_ptc.runs.recorded import RecordedRun


def audit_run(run: RecordedRun) -> tuple[int, list[str]]:
    """Compare what lies in a run's journal with the seals and the hashes that were taken of it.

    Returns:
        How many attempts there are, and what is wrong, a sentence each.
    """
    ended = [event for event in run.events if isinstance(event, AttemptEnded)]
    problems = [
        f"{STORY}: {event.lost_before} events before {kind_of(event)!r} were not written"
        for event in run.events
        if event.lost_before
    ]
    if run.story.size > run.story.end:
        problems.append(f"{STORY}: its last line was cut short")
    for event in ended:
        problems += [f"{event.name}: {wrong}" for wrong in _audited(run, event.name, event.sha256)]
    return len(ended), problems


def _audited(run: RecordedRun, name: str, sha256: str | None) -> list[str]:
    if sha256 is None:
        return ["its report was never on disk"]
    try:
        journal = run.attempt(name)
        report, digest = journal.filed()
    except JournalError as error:
        return [str(error)]
    if digest != sha256:
        return [f"{REPORT} is not what the coordinator read"]
    if report is None:
        return [f"{REPORT} does not carry the attempt's seal"]
    return changed_files(journal.folder)
