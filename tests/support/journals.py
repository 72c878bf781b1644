"""Journals as tests read and write them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pytest_ptc.journal.events import Event, RunBegan, event_to_json
from pytest_ptc.journal.lines import FORMAT, MAX_STORY_BYTES, STORY
from pytest_ptc.journal.seals import RunKey
from pytest_ptc.system.regular_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

#: The key of journals that no user has written.
KEY = bytes(range(32))


def began(**more: Any) -> RunBegan:
    """Return the first event of a run whose processes are long gone, with these fields."""
    event = RunBegan(
        format=FORMAT,
        key="",
        pid=999_999_999,
        created=1.0,
        boot="another",
        process_space=None,
        run_id="20270115-080000-000aa",
        workers=2,
        host="process",
        agent="claude",
        task_list_id="ptc-20270115-080000-000aa",
        rootdir="/repo",
        repository="/repo",
        commit="c" * 40,
        anchor="README.md",
        arguments=(),
        python="3.11.7",
        pytest_ptc="0.1.0",
        resumes=None,
        fail_on="verdict",
        attach=None,
        tmux_socket=None,
        scratch=None,
        task_list=None,
        own_list=False,
        command=(),
    )
    return replace(event, **more)


def write_story(
    folder: Path, events: Iterable[Event | Mapping[str, Any]], key: bytes = KEY
) -> None:
    """Write a run's story, sealed with a key.

    Args:
        folder: The run's folder.
        events: What it tells: events, or JSON objects that no version need have written. The first
            one is given the format of this version and the key's name.
        key: The user's key.
    """
    sealing = RunKey(key, folder.name)
    code = sealing.start
    lines: list[bytes] = []
    for event in events:
        told = event_to_json(event) if isinstance(event, Event) else dict(event)
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
