"""Audit of a run's journal: every record and report is read again and compared with its hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.journal.attempt_files import REPORT
from pytest_ptc.journal.attempt_reader import changed_files
from pytest_ptc.journal.events import AttemptEnded, kind_of
from pytest_ptc.journal.lines import STORY
from pytest_ptc.model.errors import JournalError

if TYPE_CHECKING:
    from pytest_ptc.runs.recorded import RecordedRun


def audit_run(run: RecordedRun) -> tuple[int, list[str]]:
    """Compare the files of a run's journal with their seals and their recorded hashes.

    Returns:
        The number of attempts, and the problems, a sentence each.
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
        problems += [
            f"{event.name}: {wrong}" for wrong in _attempt_problems(run, event.name, event.sha256)
        ]
    return len(ended), problems


def _attempt_problems(run: RecordedRun, name: str, sha256: str | None) -> list[str]:
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
