"""What an attempt is at this moment, by the end of its transcript or of its output.

Both are files that agents can reach: what is read is shown, and nothing is believed.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.system import own_files

if TYPE_CHECKING:
    from pathlib import Path

#: Names of files in an attempt's folder, as `journal.attempt_files` has them.
_TRANSCRIPT, _OUTPUT = "transcript.jsonl", "output.log"
#: How much of a file's end is read, in bytes.
_WINDOW_BYTES = 64 * 1024
#: The parameter that says most about a tool's call, first come first shown.
_TELLING = ("command", "file_path", "path", "pattern", "url", "query", "prompt", "description")
#: Most characters of what was done last.
_LAST_CHARS = 200


class Activity(NamedTuple):
    """What an attempt is at.

    Args:
        phase: What it does, such as `waiting for the model`, `in a tool`.
        since: Since when, in seconds since the epoch; None where that is not known.
        last: What was done last, such as `Glob *.py`; empty where nothing was.
    """

    phase: str
    since: float | None
    last: str


def activity(folder: Path) -> Activity | None:
    """Return what an attempt is at; None where nothing is known of it.

    Args:
        folder: The attempt's folder in the journal.
    """
    lines = _last_lines(folder / _TRANSCRIPT)
    if lines:
        return _of_transcript(lines)
    lines = _last_lines(folder / _OUTPUT)
    printed = next((line.strip() for line in reversed(lines) if line.strip()), "")
    if not printed:
        return None
    with contextlib.suppress(OSError):
        since = (folder / _OUTPUT).stat().st_mtime
        return Activity("no output", since, printed[:_LAST_CHARS])
    return None


def _of_transcript(lines: list[str]) -> Activity | None:
    """Return what the end of a transcript tells; lines of another form tell nothing."""
    open_calls: set[str] = set()
    phase, since, last = "waiting for the model", None, ""
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
            entry = json.loads(line)
            kind, at = entry["event"], float(entry["at"])
            match kind:
                case "Called":
                    open_calls.add(entry["call_id"])
                    last = _call(entry["tool"], entry["input"])
                case "Returned":
                    open_calls.discard(entry["call_id"])
                case "Prompt":
                    open_calls.clear()
            retrying = kind in ("Retrying", "Limited")
            if kind not in ("Used", "Began"):
                phase = (
                    "waiting for the provider"
                    if retrying
                    else "in a tool"
                    if open_calls
                    else "waiting for the model"
                )
                since = at
    return None if since is None else Activity(phase, since, last[:_LAST_CHARS])


def _call(tool: str, values: dict[str, Any]) -> str:
    said = next((values[name] for name in _TELLING if isinstance(values.get(name), str)), "")
    return f"{tool} {said}".strip()


def _last_lines(path: Path, window: int = _WINDOW_BYTES) -> list[str]:
    """Return the last whole lines of a file; none where there is no such file of ours."""
    with contextlib.suppress(OSError):
        end = own_files.read_end(path, window)
        lines = end.decode("utf-8", "replace").splitlines()
        # The first may be the end of one.
        return lines[1:] if len(end) == window else lines
    return []


def tool_calls(folder: Path) -> list[str]:
    """Return the tool calls of an attempt, in their order, as far as the file's end tells them.

    Args:
        folder: The attempt's folder in the journal.
    """
    calls = []
    for line in _last_lines(folder / _TRANSCRIPT, 16 * _WINDOW_BYTES):
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
            entry = json.loads(line)
            if entry["event"] == "Called":
                calls.append(_call(entry["tool"], entry["input"])[:_LAST_CHARS])
    return calls
