"""The lines of a run's story on disk, verified in one go.

A line that does not verify is never used. Where the last one was cut short, as by a power cut or a
full disk, what is before it counts. Anywhere else it means that somebody has changed the story, and
then nothing of it counts: nobody knows what else was changed.

Light: `ptc status` reads a story of thousands of events by this alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.errors import PtcError
from pytest_ptc.system.regular_files import open_regular
from pytest_ptc.text.strict_json import strict_json

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from pytest_ptc.journal.seals import RunKey

#: The form of journals that this version writes and reads; it is in a story's first event.
FORMAT = 2
#: The run's story, in the run's folder.
STORY = "journal.jsonl"
#: The longest story and the longest line that are read: prompts of ten thousand tasks fit.
MAX_STORY_BYTES = 1 << 30
MAX_LINE_BYTES = 1 << 26


class StoryError(PtcError):
    """A story that cannot be used; the message says why, without its path."""


class StoryLines(NamedTuple):
    """The lines of a story that verifies.

    Args:
        texts: What each line holds: the JSON text of an event.
        code: The code of the last line, behind which a further one would stand.
        end: Bytes of the lines that verify.
        size: Bytes of the whole file: more than `end` where the last line was cut short.
    """

    texts: list[bytes]
    code: bytes
    end: int
    size: int


def read_lines(path: Path, key: RunKey | None, *, most: int | None = None) -> StoryLines:
    """Return the lines of a run's story, each of them verified.

    Args:
        path: The file.
        key: The run's key; None where the user has no key.
        most: How many lines are wanted from the start on; None for all.

    Raises:
        StoryError: It cannot be read, or does not verify.
    """
    try:
        with open_regular(path, MAX_STORY_BYTES) as file:
            return _read(file, key, most)
    except FileNotFoundError:
        raise StoryError(f"has no {STORY}") from None
    except OSError as error:
        raise StoryError(f"its {STORY} cannot be used: {error.strerror or error}") from None


def _read(file: BinaryIO, key: RunKey | None, most: int | None) -> StoryLines:
    texts: list[bytes] = []
    code, end = key.start if key is not None else b"", 0
    while len(texts) != most and (line := file.readline(MAX_LINE_BYTES)):
        if not line.endswith(b"\n"):
            size = end + len(line)
            if file.read(1):
                raise StoryError(f"its event {len(texts) + 1} is too long")
            if not texts:
                raise StoryError(f"its {STORY} ends in its first event")
            return StoryLines(texts, code, end, size)
        found = key.read_line(line[:-1], code) if key is not None else None
        if found is None:
            raise StoryError(_seal_problem(line, len(texts), key))
        text, code = found
        texts.append(text)
        end += len(line)
    if not texts:
        raise StoryError(f"its {STORY} is empty")
    return StoryLines(texts, code, end, end)


def _seal_problem(line: bytes, before: int, key: RunKey | None) -> str:
    """Return why a line does not verify, from its unverified fields."""
    if before:
        return f"has been changed: event {before + 1} does not verify"
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
