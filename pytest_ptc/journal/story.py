"""A run's story on disk: sealed lines, verified as they are read.

A line that does not verify is never used. If the last line is incomplete, as after a power cut or
on a full disk, the lines before it count. A bad line anywhere else means that the story was
changed: then none of it counts.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from pytest_ptc.journal.events import FORMAT, EventError, RunBegan, event_from_json, event_to_json
from pytest_ptc.model.errors import PtcError
from pytest_ptc.system.regular_files import open_regular
from pytest_ptc.text.strict_json import strict_json

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from pytest_ptc.journal.events import Event
    from pytest_ptc.journal.seals import RunKey

#: The run's story, in the run's folder.
STORY = "journal.jsonl"
#: The longest story and the longest line that are read: prompts of ten thousand tasks fit.
MAX_STORY_BYTES = 1 << 30
MAX_LINE_BYTES = 1 << 26


class StoryError(PtcError):
    """A story that cannot be used; the message says why, without its path."""


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
    try:
        with open_regular(path, MAX_STORY_BYTES) as file:
            return _read_events(file, key)
    except FileNotFoundError:
        raise StoryError(f"has no {STORY}") from None
    except OSError as error:
        raise StoryError(f"its {STORY} cannot be used: {error.strerror or error}") from None


def _read_events(file: BinaryIO, key: RunKey | None) -> Story:
    events: list[Event] = []
    code, end = key.start if key is not None else b"", 0
    while line := file.readline(MAX_LINE_BYTES):
        if not line.endswith(b"\n"):
            size = end + len(line)
            if file.read(1):
                raise StoryError(f"its event {len(events) + 1} is too long")
            if not events:
                raise StoryError(f"its {STORY} ends in its first event")
            return Story(tuple(events), code, end, size)
        verified = key.read_line(line[:-1], code) if key is not None else None
        if verified is None:
            raise StoryError(_seal_problem(line, events, key))
        text, code = verified
        events.append(_event(json.loads(text), len(events) + 1))
        end += len(line)
    if not events:
        raise StoryError(f"its {STORY} is empty")
    return Story(tuple(events), code, end, end)


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


def _seal_problem(line: bytes, before: list[Event], key: RunKey | None) -> str:
    """Return why a line does not verify, from its unverified fields."""
    if before:
        return f"has been changed: event {len(before) + 1} does not verify"
    try:
        fields = strict_json(line)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or fields.get("event") != "run":
        return "does not begin like the journal of a run"
    if "mac" not in fields:
        return "has no seal: it was written by pytest-ptc 0.1.0 or older, or by another program"
    if fields.get("format") != FORMAT:
        return f"was written by another version of pytest-ptc: its format is not {FORMAT}"
    if key is None:
        return "cannot be checked: this user has no key yet; see PTC_JOURNAL_KEY"
    if fields.get("key") != key.name:
        return (
            "was written with another key; if another job or user of yours wrote it, set the same "
            "PTC_JOURNAL_KEY for both"
        )
    return "has been changed: its first event does not verify"
