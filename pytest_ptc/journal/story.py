"""A run's story on disk: sealed lines, read and checked in one go.

A line that does not verify is never used. Where the last one was cut short, as by a power cut or a
full disk, what is before it counts. Anywhere else it means that somebody has changed the story, and
then nothing of it counts: nobody knows what else was changed.
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
    """A story that is not to be believed; the message says why, without its path."""


class Story(NamedTuple):
    """A story that verifies.

    Args:
        events: What it tells.
        code: The code of its last line, behind which a further one would stand.
        end: Bytes of the lines that verify.
        size: Bytes of the whole file: more than `end` where the last line was cut short.
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
        StoryError: It is not to be believed.
    """
    try:
        with open_regular(path, MAX_STORY_BYTES) as file:
            return _read(file, key)
    except FileNotFoundError:
        raise StoryError(f"has no {STORY}") from None
    except OSError as error:
        raise StoryError(f"its {STORY} cannot be used: {error.strerror or error}") from None


def _read(file: BinaryIO, key: RunKey | None) -> Story:
    events: list[Event] = []
    code, end = key.start if key is not None else b"", 0
    while line := file.readline(MAX_LINE_BYTES):
        if not line.endswith(b"\n"):
            size = end + len(line)
            if file.read(1):
                raise StoryError(f"its event {len(events) + 1} is too long")
            if not events:
                raise StoryError(f"its {STORY} breaks off in its first event")
            return Story(tuple(events), code, end, size)
        found = key.read_line(line[:-1], code) if key is not None else None
        if found is None:
            raise StoryError(_why_not(line, events, key))
        text, code = found
        events.append(_event(json.loads(text), len(events) + 1))
        end += len(line)
    if not events:
        raise StoryError(f"its {STORY} is empty")
    return Story(tuple(events), code, end, end)


def _event(value: dict[str, Any], number: int) -> Event:
    """Return an event that verifies; the first one says whether this version can read them."""
    if number == 1 and (value.get("event") != "run" or value.get("format") != FORMAT):
        raise StoryError(f"its journal has format {value.get('format')!r}, not {FORMAT}")
    try:
        return event_from_json(value)
    except EventError as error:
        raise StoryError(f"its event {number} {error}") from error


def add_event(path: Path, story: Story, key: RunKey, event: Event) -> bool:
    """Add an event to a story that nobody writes any more; False if somebody did meanwhile.

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
        # After a line that the end of the machine may have cut short.
        os.ftruncate(descriptor, story.end)
        if os.write(descriptor, line + b"\n") <= len(line):
            os.ftruncate(descriptor, story.end)
            raise OSError(None, "there is no room for an event")
        return True
    finally:
        os.close(descriptor)


def _why_not(line: bytes, before: list[Event], key: RunKey | None) -> str:
    """Return why a line does not verify, by what it says of itself, which proves nothing."""
    if before:
        return f"has been changed: event {len(before) + 1} does not verify"
    try:
        told = strict_json(line)
    except ValueError:
        told = None
    if not isinstance(told, dict) or told.get("event") != "run":
        return "does not begin as a run's journal does"
    if "mac" not in told:
        return "carries no seal: it was written by pytest-ptc 0.1.0 or older, or by somebody else"
    if told.get("format") != FORMAT:
        return f"was written by another version of pytest-ptc: its format is not {FORMAT}"
    if key is None:
        return "cannot be checked: this user has no key yet; see PTC_JOURNAL_KEY"
    if told.get("key") != key.name:
        return (
            "was written with another key; if that was by another job or user of yours, give both "
            "the same PTC_JOURNAL_KEY"
        )
    return "has been changed: its first event does not verify"
