"""A run's story on disk: the events of its lines, all of which verify, see `lines.py`."""

from __future__ import annotations

import fcntl
import json
import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from pytest_ptc.journal.events import EventError, RunBegan, event_from_json, event_to_json
from pytest_ptc.journal.lines import FORMAT, StoryError, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_ptc.journal.events import Event
    from pytest_ptc.journal.lines import StoryLines
    from pytest_ptc.journal.seals import RunKey


class Story(NamedTuple):
    """A story that verifies.

    Args:
        events: Its events.
        code: The code of its last line, which the next line's seal covers.
        end: Bytes of the lines that verify.
        size: Bytes of the whole file; more than `end` if the last line is incomplete.
    """

    events: tuple[Event, ...]
    code: bytes
    end: int
    size: int

    @property
    def began(self) -> RunBegan:
        """Return its first event."""
        first = self.events[0]
        assert isinstance(first, RunBegan), "no other story is read"
        return first


def read_story(path: Path, key: RunKey | None) -> Story:
    """Return a run's story, each line of it verified.

    Args:
        path: The file.
        key: The run's key; None where the user has no key.

    Raises:
        StoryError: It cannot be read, or does not verify.
    """
    lines = read_lines(path, key)
    return Story(tuple(_events(lines)), lines.code, lines.end, lines.size)


def story_events(path: Path, key: RunKey | None) -> Iterator[Event]:
    """Yield the events of a run's story, none before each line of it is verified.

    All of them together take much more room than what is made of them.

    Raises:
        StoryError: It cannot be read, or does not verify.
    """
    yield from _events(read_lines(path, key))


def _events(lines: StoryLines) -> Iterator[Event]:
    # Each line is let go when it has been: together they take as much room as the events.
    texts = lines.texts[::-1]
    lines.texts.clear()
    number = 0
    while texts:
        number += 1
        yield _event(json.loads(texts.pop()), number)


def _event(value: dict[str, Any], number: int) -> Event:
    """Return the event of a verified line; the first one has the journal's format."""
    if number == 1 and (value.get("event") != "run" or value.get("format") != FORMAT):
        raise StoryError(f"its journal has format {value.get('format')!r}, not {FORMAT}")
    try:
        return event_from_json(value)
    except EventError as error:
        raise StoryError(f"its event {number} {error}") from error


def add_event(path: Path, story: Story, key: RunKey, event: Event) -> bool:
    """Add an event to the story of an ended run; False if another process added one meanwhile.

    Raises:
        OSError: It cannot be written.
    """
    line, _ = key.line(event_to_json(replace(event, at=round(time.time(), 6))), story.code)
    flags = os.O_RDWR | os.O_APPEND | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_size != story.size:
            return False
        # Removes an incomplete last line.
        os.ftruncate(descriptor, story.end)
        if os.write(descriptor, line + b"\n") <= len(line):
            os.ftruncate(descriptor, story.end)
            raise OSError(None, "there is no room for an event")
        return True
    finally:
        os.close(descriptor)
