"""Verdicts of an earlier run that stand in this one: `--ptc-resume`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_ptc.attempts import AttemptJournal, report_from_json
from pytest_ptc.errors import ConfigError, JournalError, VerdictError
from pytest_ptc.evidence import demanded, recorded_or
from pytest_ptc.model import AttemptReport, Cause, Kept, Trouble, Verdict, VerdictKind
from pytest_ptc.runs import RunState, read_events, read_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_ptc.runs import RecordedRun

#: The last run, whichever it is.
LAST = "last"


def run_to_resume(runs: Path, wanted: str) -> RecordedRun | None:
    """Return the run to take up: the last one, or the one whose id ends so; None if there is none.

    Args:
        runs: The folder of all runs' journals.
        wanted: `LAST`, or the end of a run's id.

    Raises:
        ConfigError: There is not one such run, or it is still on.
    """
    if wanted != LAST and not re.fullmatch(r"[\w-]+", wanted):
        raise ConfigError(
            f"--ptc-resume: {wanted!r} is not the end of a run's id; write --ptc-resume last on "
            "the command line, or --ptc-resume=RUN"
        )
    found = _all_runs(runs)
    if wanted == LAST:
        run = found[-1] if found else None
    else:
        matching = [run for run in found if run.run_id.endswith(wanted)]
        if len(matching) != 1:
            ids = ", ".join(run.run_id for run in matching) or "none"
            raise ConfigError(f"--ptc-resume: there is not one run {wanted!r}, but {ids}")
        (run,) = matching
    if run is not None and run.state is RunState.RUNNING:
        raise ConfigError(
            f"--ptc-resume: run {run.run_id} is still on; wait for it, or end it with `ptc stop`"
        )
    return run


def _all_runs(runs: Path) -> list[RecordedRun]:
    folders = sorted(runs.iterdir()) if runs.is_dir() else []
    return [run for run in map(read_run, folders) if run is not None]


def kept_verdicts(folder: Path) -> dict[tuple[str, str], Kept]:
    """Return the verdicts of a run, by the node id and the fingerprint of their tasks.

    A verdict that was recorded counts though nobody lived to report it. `error` is none: the agent
    says that it could not do the task.
    """
    events = read_events(folder)
    found: dict[tuple[str, str], Kept] = {}
    ended = _by(events, "ended", lambda event: f"{event['task']}.{event['attempt']}")
    last = {
        event["attempt"].rpartition(".")[0]: event["attempt"]
        for event in events
        if event["event"] == "assigned"
    }
    for event in events:
        match event:
            case {"event": "kept", "nodeid": nodeid, "fingerprint": mark, "report": report}:
                kept = _told(event["run"], report)
            case {"event": "submitted", "task": task, "fingerprint": str(mark), "spec": spec}:
                nodeid, kept = spec["nodeid"], None
                if task in last:
                    attempt = folder / "attempts" / last[task]
                    kept = _found(folder.name, attempt, ended.get(last[task]))
            case _:
                continue
        if kept is not None:
            found[nodeid, mark] = kept
    return found


def _by(events: Iterable[Mapping[str, Any]], name: str, key: Any) -> dict[str, Mapping[str, Any]]:
    return {key(event): event for event in events if event["event"] == name}


def _told(run_id: str, report: Mapping[str, Any]) -> Kept | None:
    try:
        return Kept(run_id=run_id, report=report_from_json(report))
    except (KeyError, TypeError, ValueError, VerdictError):
        return None


def _found(run_id: str, folder: Path, ended: Mapping[str, Any] | None) -> Kept | None:
    """Return the verdict that an attempt's folder holds, if it is one that stands."""
    journal = AttemptJournal(folder)
    if ended is not None and ended.get("sha256") not in (None, journal.digest()):
        return None  # somebody has changed the report since the coordinator read it
    try:
        report = journal.report() or _from_records(journal)
    except JournalError:
        return None
    verdict = report.verdict if report is not None else None
    if report is None or verdict is None or verdict.verdict is VerdictKind.ERROR:
        return None
    return Kept(run_id=run_id, report=report)


def _from_records(journal: AttemptJournal) -> AttemptReport | None:
    """Return what an attempt came to that nobody lived to report; None if nothing was recorded."""
    attempt, spec = journal.task()
    nothing = Trouble(cause=Cause.WORKER_LOST, message="the run was killed")
    settled = demanded(recorded_or(nothing, journal, spec), spec)
    if not isinstance(settled, Verdict):
        return None
    return AttemptReport(attempt=attempt, seconds=0.0, verdict=settled)
