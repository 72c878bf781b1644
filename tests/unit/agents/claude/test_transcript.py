"""What a client's own transcript tells, in whatever order its lines came to be written."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

from pytest_ptc.agents.claude.events import Began, Called, Returned
from pytest_ptc.agents.claude.transcript import events_of
from pytest_ptc.agents.claude.turn import Turn
from tests.support.claude_turns import NoLedger


def line(kind: str, *blocks: dict[str, Any], **fields: Any) -> str:
    """Return a line of a session file."""
    message = {"id": "m1", "content": list(blocks), **fields}
    return json.dumps({"type": kind, "version": "2.1.400", "message": message})


def result(call: str, **fields: Any) -> dict[str, Any]:
    """Return a tool's result."""
    return {"type": "tool_result", "tool_use_id": call, "content": "x", **fields}


USED = line("assistant", {"type": "tool_use", "id": "c1", "name": "Bash", "input": {}})
FAILED = line("assistant", {"type": "tool_use", "id": "c2", "name": "Bash", "input": {}})
RECORDED = line("assistant", {"type": "tool_use", "id": "c3", "name": "TaskUpdate", "input": {}})
RESULTS = [
    line("user", result("c1")),
    line("user", result("c2", is_error=True)),
    line("user", result("c3")),
]
#: A result as it is sent on, which is nobody's line of the conversation.
SENT = line("api-request-blob", result("c1"))


def used(*lines: str) -> int | None:
    """Return how often a tool was used, by what a turn makes of these lines."""
    turn = Turn("7", None, NoLedger())
    for event in events_of(lines):
        turn.take_event(event)
    return turn.tool_calls


def test_a_tool_call_is_counted_once_in_whatever_order_lines_come() -> None:
    """Its result may be written twice, and before the call itself."""
    for lines in permutations((USED, FAILED, RECORDED, RESULTS[0], SENT)):
        assert used(*lines, *RESULTS[1:]) == 1
        calls = [event for event in events_of(lines) if isinstance(event, Called)]
        assert sorted(call.call_id for call in calls) == ["c1", "c2", "c3"]


def test_what_was_sent_alone_is_no_result() -> None:
    """A call counts by the result in the conversation, and not by one that failed."""
    assert used(USED, SENT, FAILED, RESULTS[1]) == 0


def test_lines_of_another_form_tell_nothing() -> None:
    """Whatever they are."""
    lines = ["", "[", "[" * 100_000, "1", '{"message": 1}', '{"type": "user", "message": []}']
    lines.append(line("assistant", {"type": "tool_use", "id": "c9", "name": "Bash", "input": 1}))
    began, *others = events_of([*lines, USED, RESULTS[0]])
    assert began == Began("", (), "2.1.400", "")
    assert [type(event) for event in others] == [Called, Returned]
