"""The ids of runs, which sort by time."""

from __future__ import annotations

import contextlib
import secrets
import time
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def new_run_id(now: float, after: str = "") -> str:
    """Return an id such as `20261122-093012-417a3c1`, which sorts by time, to the millisecond.

    It is in UTC, so that runs sort alike wherever and in whatever zone they were made.

    Args:
        now: Seconds since the epoch.
        after: The id of the last run: the new one sorts behind it, also when the clock has gone
            back.
    """
    stamp = _stamp(round(now * 1000))
    if stamp <= after[: len(stamp)]:
        with contextlib.suppress(ValueError, OverflowError):
            last = datetime.strptime(after[:19] + "000Z", "%Y%m%d-%H%M%S-%f%z")
            stamp = _stamp(round(last.timestamp() * 1000) + 1)
    return f"{stamp}{secrets.token_hex(2)}"


def _stamp(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(seconds))}-{rest:03}"


def last_run_id(runs: Path) -> str:
    """Return the id of the last run whose journal is in this folder; empty where there is none."""
    try:
        return max((entry.name for entry in runs.iterdir()), default="")
    except OSError:
        return ""
