"""The baseline of a run: which earlier run is meant, and what became of its findings since."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pytest_ptc.model.baseline import baseline_of
from pytest_ptc.model.errors import ConfigError, GitError, ReportError
from pytest_ptc.reporting.past_runs import past_run, past_run_in
from pytest_ptc.reporting.story import run_report
from pytest_ptc.runs.recorded import RecordedRun
from pytest_ptc.runs.state import RefusedRun, RunState
from pytest_ptc.system.git.commits import resolve
from pytest_ptc.system.regular_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_ptc.model.baseline import Baseline, PastRun

#: The last run, whichever it is.
LAST = "last"
#: The longest JSON report that is read, in bytes.
MAX_REPORT_BYTES = 256 * 1024 * 1024
#: How many of the newest runs are looked through for what was gone in between.
MAX_HISTORY = 50
#: The longest form of a baseline.
MAX_BASELINE_BYTES = 32 * 1024 * 1024
_COMMIT_CHARS = 12


class Project(NamedTuple):
    """Where a baseline is looked for.

    Args:
        root: The root directory, which names of files are from, and whose commits are meant.
        runs: The runs of the project, oldest first.
    """

    root: Path
    runs: Sequence[RecordedRun | RefusedRun]


def read_baseline(
    wanted: str, project: Project, *, until: float | None = None, excuses: bool = True
) -> Baseline:
    """Return the baseline that a word means.

    Args:
        wanted: As for `past_run_named`.
        project: Where it is looked for.
        until: When the run began that is compared with it: of later ones nothing is taken; None for
            now.
        excuses: As for `baseline_of`.

    Raises:
        ConfigError: As `past_run_named`.
    """
    source, at = past_run_named(wanted, project)
    others = [run for run in project.runs if isinstance(run, RecordedRun) and _is_over(run)]
    history = [
        past_run(run_report(run.events))
        for run in others[-MAX_HISTORY:]
        if until is None or run.began.at < until
    ]
    baseline = baseline_of(at, history, source, excuses=excuses)
    # It is an event of the journal, which is a line.
    if len(msgspec.json.encode(baseline)) > MAX_BASELINE_BYTES:
        number = len(baseline.findings)
        raise ConfigError(f"{source} has {number} findings, which are too many to be compared with")
    return baseline


def report_file(wanted: str, root: Path) -> Path | None:
    """Return the JSON report that a word names; None for a word that names a run or a commit."""
    return root / os.path.expanduser(wanted) if wanted.endswith(".json") else None  # noqa: PTH111


def past_run_named(wanted: str, project: Project) -> tuple[str, PastRun]:
    """Return what a word means, in words, and that run.

    Args:
        wanted: The end of a run's id, `LAST`, the name of a JSON report, or that of a commit.
        project: Where it is looked for.

    Raises:
        ConfigError: It means none, or several, or its run is not to be believed.
    """
    file = report_file(wanted, project.root)
    if file is not None:
        return wanted, _of_report(file)
    by_id = _by_id(wanted, project.runs)
    by_commit = None if wanted == LAST else _by_commit(wanted, project)
    if by_id is not None and by_commit not in (None, by_id) and by_id.run_id != wanted:
        raise ConfigError(f"{wanted!r} means a run and a commit; give more of the one you mean")
    if by_id is not None:
        if isinstance(by_id, RefusedRun):
            raise by_id.error()
        if not _is_over(by_id):
            raise ConfigError(f"run {by_id.run_id} is still active; wait for its end")
        return f"run {by_id.run_id}", _of_run(by_id)
    if by_commit is not None:
        return f"run {by_commit.run_id} at {wanted}", _of_run(by_commit)
    raise ConfigError(_no_run(wanted, project))


def _by_id(
    wanted: str, runs: Sequence[RecordedRun | RefusedRun]
) -> RecordedRun | RefusedRun | None:
    """Return the run whose id ends in a word, if one does."""
    found = runs[-1:] if wanted == LAST else [run for run in runs if run.run_id.endswith(wanted)]
    if len(found) > 1:
        ids = ", ".join(run.run_id for run in found)
        raise ConfigError(f"{wanted!r} means {len(found)} runs: {ids}; give more of the id")
    return found[0] if found else None


def _of_run(run: RecordedRun) -> PastRun:
    return past_run(run_report(run.events))


def _of_report(file: Path) -> PastRun:
    try:
        return past_run_in(read_regular(file, MAX_REPORT_BYTES))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no file {file}; --ptc-json=FILE makes one of a run, and `ptc report RUN "
            "--json FILE` of an earlier one"
        ) from None
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}") from None
    except ReportError as error:
        raise ConfigError(f"{file}: {error}") from None


def _is_over(run: RecordedRun) -> bool:
    return run.state is not RunState.RUNNING


def _by_commit(name: str, project: Project) -> RecordedRun | None:
    """Return the last run that ended at a commit."""
    try:
        commit = resolve(project.root, name)
    except GitError:
        return None
    ended = (
        run
        for run in reversed(project.runs)
        if isinstance(run, RecordedRun) and run.state is RunState.ENDED
    )
    return next((run for run in ended if run.began.commit == commit), None)


def _no_run(wanted: str, project: Project) -> str:
    """Return why a word means no run."""
    if wanted == LAST:
        return "there is no earlier run; run once without a baseline"
    try:
        commit = resolve(project.root, wanted)[:_COMMIT_CHARS]
    except GitError as error:
        return (
            f"{wanted!r} is no run of this project (see `ptc list`), no JSON report (*.json), and "
            f"no commit: {error}"
        )
    return (
        f"no run is kept that ended at {wanted} ({commit}); run the suite there, or name another "
        "run (see `ptc list`), or its JSON report"
    )
