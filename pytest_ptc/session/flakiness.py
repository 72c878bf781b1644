"""What a run judged otherwise than earlier ones on the same input."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.reporting.statistics import flaky_now, flaky_text
from pytest_ptc.runs.glance import RunFolder, folders_of
from pytest_ptc.runs.history import read_history
from pytest_ptc.session.journal_setup import key_to_read

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.session.place import RunPlace

#: Most runs and most bytes of journals that are read when a run ends; `ptc stats` reads more.
_MAX_RUNS = 50
_MAX_BYTES = 64 * 1024 * 1024


def flaky_lines(folder: Path | None, place: RunPlace) -> list[str]:
    """Return a line for each item of a run that an earlier one judged otherwise on the same input.

    Args:
        folder: The run's journal; None before there is one.
        place: Where it takes place.
    """
    if folder is None:
        return []
    # It is news about other runs: that they cannot be read is no problem of this one.
    with contextlib.suppress(ConfigError, OSError):
        return _lines(folder, place)
    return []


def _lines(folder: Path, place: RunPlace) -> list[str]:
    key = key_to_read(place.root)
    own = read_history([RunFolder(folder, place.root)], key).runs
    if not any(one.input is not None for run in own for one in run.judgements):
        return []
    before = [
        run
        for run in folders_of([RunFolder(place.runs, place.root)])
        if run.folder.name < folder.name
    ]
    earlier = read_history(before, key, most=_MAX_RUNS, max_bytes=_MAX_BYTES)
    return [flaky_text(item) for item in flaky_now(own[0], earlier.runs)]
