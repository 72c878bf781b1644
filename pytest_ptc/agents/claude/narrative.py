"""The lines that a pane shows of a conversation. Pure: an event in, lines out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.claude.events import (
    Began,
    Called,
    Denied,
    Event,
    Failed,
    Finished,
    Limited,
    Retrying,
    Returned,
    Said,
    Thought,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Most lines of one text, and most characters of one line.
_MAX_LINES, _MAX_LINE_CHARS = 12, 300

#: The argument that is shown of a tool's call: the first of these that it has.
_MAIN_ARGUMENTS = (
    "command",
    "file_path",
    "path",
    "pattern",
    "url",
    "query",
    "prompt",
    "description",
)


def lines_of(event: Event) -> list[str]:  # noqa: C901 - one case an event
    """Return the lines that are shown of an event; none for one that does not help a person."""
    match event:
        case Began(_, _, version, model):
            return [f"Claude Code {version}, {model}"]
        case Said(text):
            return _block("", text)
        case Thought(text):
            return _block("~ ", text)
        case Called(_, tool, value):
            return [_clip(f"> {tool} {_main_argument(tool, value)}".rstrip())]
        case Returned(_, text, failed):
            return _block("  ! " if failed else "  < ", text, most=4)
        case Denied(tool):
            return [f"  ! {tool} is not allowed here"]
        case Retrying(seconds, status, error):
            return [f"  ! {error}{f' ({status})' if status else ''}: retry in {seconds:.1f} s"]
        case Limited():
            return ["  ! the provider's usage limit is reached"]
        case Failed(error, text):
            return _block(f"  ! {error}: ", text, most=2)
        case Finished(turns=turns, total=total):
            cost = "" if total.cost_usd is None else f", ${total.cost_usd:.4f} in all"
            return [f"  . {turns} turn{'s' * (turns != 1)}{cost}"]
        case _:
            return []


def redacted(event: Event, redact: Callable[..., Any]) -> Event:
    """Return the event with its texts redacted."""
    match event:
        case Said(text) | Thought(text) | Returned(_, text) | Failed(_, text):
            return replace(event, text=redact(text))
        case Called(_, _, value):
            return replace(event, input=redact(dict(value), free=True))
        case _:
            return event


def _main_argument(tool: str, value: Mapping[str, Any]) -> str:
    if tool == "TaskUpdate":
        metadata = value.get("metadata")
        shown = metadata.get("ptc", value) if isinstance(metadata, dict) else value
        return json.dumps(shown, ensure_ascii=False)
    for name in _MAIN_ARGUMENTS:
        if isinstance(value.get(name), str):
            return str(value[name]).replace("\n", " ")
    return json.dumps(value, ensure_ascii=False) if value else ""


def _block(mark: str, text: str, most: int = _MAX_LINES) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    shown = [_clip(f"{mark}{line}") for line in lines[:most]]
    if len(lines) > most:
        shown.append(f"{' ' * len(mark)}[{len(lines) - most} more lines]")
    return shown


def _clip(line: str) -> str:
    return line if len(line) <= _MAX_LINE_CHARS else f"{line[: _MAX_LINE_CHARS - 3]}..."
