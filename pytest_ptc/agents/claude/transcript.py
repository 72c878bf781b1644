"""Events from the session file that an interactive Claude Code writes.

It holds what hooks do not report: which answer of the model holds a call, which other tools were
used, and the usage.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.claude.events import Began, Called, Event, Returned, Said, Used, usage_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def events_of(lines: Iterable[str]) -> list[Event]:
    """Return the events of a session file, first its client's version and the last model.

    Lines of another form than Claude Code 2.1's are skipped. The order of lines written at one
    moment may vary, an answer may take several lines with the same usage, and some clients write a
    tool's result a second time, with the request that sends it on.
    """
    version = model = ""
    events: list[Event] = []
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError, RecursionError):
            entry = json.loads(line)
            version = entry.get("version") or version
            message = entry.get("message") or {}
            if entry.get("type") == "assistant":
                model = message.get("model") or model
                events += _answer(message)
            elif entry.get("type") == "user":
                events += (
                    Returned(block["tool_use_id"], "", failed=bool(block.get("is_error")))
                    for block in _blocks(message, "tool_result")
                )
    return [Began("", (), str(version), str(model)), *events]


def _answer(message: Mapping[str, Any]) -> Iterator[Event]:
    if message.get("usage"):
        yield Used(message["id"], usage_of(message["usage"]))
    for block in _blocks(message, "text"):
        yield Said(str(block["text"]))
    for block in _blocks(message, "tool_use"):
        if isinstance(block["input"], dict):
            yield Called(block["id"], block["name"], block["input"], message["id"])


def _blocks(message: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    content = message.get("content")
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and block.get("type") == kind:
            yield block
