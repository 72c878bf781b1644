"""Journals as tests read and write them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_ptc.journal.seals import RunKey
from pytest_ptc.journal.story import FORMAT, MAX_STORY_BYTES, STORY
from pytest_ptc.system.regular_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

#: The key of journals that no user has written.
KEY = bytes(range(32))


def write_story(folder: Path, events: Iterable[Mapping[str, Any]], key: bytes = KEY) -> None:
    """Write a run's story, its first event as this version writes it, sealed with a key."""
    sealing = RunKey(key, folder.name)
    code = sealing.start
    lines: list[bytes] = []
    for event in events:
        told = dict(event)
        if not lines:
            told |= {"format": FORMAT, "key": sealing.name}
        line, code = sealing.line(told, code)
        lines.append(line + b"\n")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / STORY).write_bytes(b"".join(lines))


def read_events(folder: Path) -> list[dict[str, Any]]:
    """Return what a run's journal tells, verified or not: what a test did to it is its own."""
    try:
        lines = read_regular(folder / STORY, MAX_STORY_BYTES).splitlines()
    except OSError:
        return []
    events = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:  # it is being written
            continue
        if isinstance(event, dict) and "event" in event:
            event.pop("mac", None)
            events.append(event)
    return events
