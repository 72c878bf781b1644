"""What the kept runs of a project judged, newest first: read within a bound, and only if proved.

A run's own journal proves it, as for `glance`; of the attempts' folders nothing is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.journal.judgements import judgements_of
from pytest_ptc.journal.lines import STORY, StoryError, read_lines
from pytest_ptc.journal.seals import RunKey
from pytest_ptc.runs.state import RefusedRun
from pytest_ptc.runs.trust import place_problem, tracked_runs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_ptc.journal.judgements import RunJudgements
    from pytest_ptc.runs.glance import RunFolder

#: Most runs and most bytes of journals that are read, the newest first.
MAX_RUNS = 200
MAX_BYTES = 512 * 1024 * 1024


class History(NamedTuple):
    """What kept runs judged.

    Args:
        runs: The runs, oldest first.
        refused: Those whose journals are not believed.
        left_out: How many older ones were not read.
    """

    runs: list[RunJudgements]
    refused: list[RefusedRun]
    left_out: int


def read_history(
    folders: Sequence[RunFolder],
    key: bytes | None,
    *,
    most: int = MAX_RUNS,
    max_bytes: int = MAX_BYTES,
) -> History:
    """Return what runs judged.

    Args:
        folders: The runs' folders, oldest first.
        key: The user's key; None where there is none.
        most: How many runs are read, the newest of them.
        max_bytes: How many bytes of journals are read; the newest run always is.
    """
    runs: list[RunJudgements] = []
    refused: list[RefusedRun] = []
    tracked = {place: tracked_runs(place) for place in {run.folder.parent for run in folders}}
    read = 0
    for run in reversed(folders):
        size = _size(run.folder / STORY)
        if len(runs) + len(refused) == most or (runs and read + size > max_bytes):
            break
        read += size
        found = _read(run, key, tracked[run.folder.parent])
        if isinstance(found, RefusedRun):
            refused.append(found)
        else:
            runs.append(found)
    left_out = len(folders) - len(runs) - len(refused)
    return History(runs[::-1], refused[::-1], left_out)


def _read(run: RunFolder, key: bytes | None, tracked: frozenset[str]) -> RunJudgements | RefusedRun:
    folder, root = run
    if folder.name in tracked:
        return RefusedRun(folder.name, "it is tracked by git, so it came with the checkout")
    if (problem := place_problem(folder, root, attempts=False)) is not None:
        return RefusedRun(folder.name, f"it {problem}")
    try:
        run_key = RunKey(key, folder.name) if key is not None else None
        return judgements_of(read_lines(folder / STORY, run_key).texts)
    except StoryError as error:
        reason = str(error)
        return RefusedRun(folder.name, reason if reason.startswith("its ") else f"it {reason}")


def _size(story: Path) -> int:
    try:
        return story.lstat().st_size
    except OSError:
        return 0
