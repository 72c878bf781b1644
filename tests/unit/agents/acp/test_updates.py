"""What a client's notifications come to."""

from __future__ import annotations

from typing import Any

from pytest_ptc.agents.acp.updates import Updates
from pytest_ptc.agents.claude.events import Called, Event, Returned, Said, Thought
from pytest_ptc.model.result import Usage


def text(words: str, kind: str = "agent_message_chunk") -> dict[str, Any]:
    """Return the update of a piece of text."""
    return {"sessionUpdate": kind, "content": {"type": "text", "text": words}}


def events(updates: Updates, *given: dict[str, Any]) -> list[Event]:
    """Return the events of these updates, up to the end."""
    found = [event for one in given for event in updates.take(one)]
    return [*found, *updates.flush()]


def test_pieces_of_a_text_are_one_event() -> None:
    """A client sends a text as it is written."""
    thought = text("hm", "agent_thought_chunk")
    assert events(Updates(), text("It is "), text("fine."), thought, text("Done.")) == [
        Said("It is fine."),
        Thought("hm"),
        Said("Done."),
    ]


def test_a_call_is_told_with_its_input_and_counted_with_its_result() -> None:
    """The input may come with a later update; a call that failed is none."""
    updates = Updates()
    found = events(
        updates,
        {"sessionUpdate": "tool_call", "toolCallId": "1", "title": "read", "status": "pending"},
        {"sessionUpdate": "tool_call_update", "toolCallId": "1", "rawInput": {"path": "a"}},
        {
            "sessionUpdate": "tool_call_update",
            "toolCallId": "1",
            "status": "completed",
            "content": [{"type": "content", "content": {"type": "text", "text": "plum"}}],
        },
        {"sessionUpdate": "tool_call", "toolCallId": "2", "title": "x", "status": "failed"},
    )
    assert found[:2] == [Called("1", "read", {"path": "a"}, ""), Returned("1", "plum", False)]
    assert updates.tool_calls == 1


def test_calls_of_our_tool_are_kept_and_not_counted() -> None:
    """What a client shows of them may be all that is ever known of one."""
    updates = Updates()
    ours = {"sessionUpdate": "tool_call", "title": "ptc_record_verdict", "kind": "other"}
    events(updates, {**ours, "toolCallId": "1", "rawInput": {}, "status": "pending"})
    events(updates, {**ours, "toolCallId": "1", "rawInput": {"verdict": "fail"}})
    events(updates, {"sessionUpdate": "tool_call_update", "toolCallId": "1", "status": "completed"})
    hidden = "mcp_ptc_record_verdict__2"
    events(updates, {"sessionUpdate": "tool_call_update", "toolCallId": hidden, "status": "failed"})
    updates.asked({**ours, "toolCallId": "3", "content": [{"content": {"text": "{}"}}]})
    assert updates.recordings == {"1": {"verdict": "fail"}, hidden: None, "3": "{}"}
    assert updates.tool_calls == 0


def test_usage_is_what_the_client_says_of_it() -> None:
    """In the protocol's form, or in that of clients which are older than it; dollars beside it."""
    updates = Updates()
    bill = {"inputTokens": 10, "outputTokens": 2, "cachedReadTokens": 3, "cachedWriteTokens": None}
    cost = {"amount": 0.5, "currency": "USD"}
    events(updates, {"sessionUpdate": "usage_update", "used": 1, "size": 2, "cost": cost})
    expected = Usage(input_tokens=10, output_tokens=2, cache_read_tokens=3, cost_usd=0.5)
    assert updates.usage({"usage": bill}) == expected
    quota = {"quota": {"token_count": {"input_tokens": 5, "output_tokens": 1}}}
    assert updates.usage({"_meta": quota}) == Usage(input_tokens=5, output_tokens=1)
    for nothing in (None, {}, {"usage": None}, {"usage": {"inputTokens": 0}}, {"_meta": 3}):
        assert updates.usage(nothing) is None


def test_what_is_no_update_is_left_alone() -> None:
    """A client may send anything."""
    strange: list[dict[str, Any]] = [
        {},
        {"sessionUpdate": 3},
        {"sessionUpdate": "plan", "entries": 1},
        {"sessionUpdate": "agent_message_chunk", "content": 1},
        {"sessionUpdate": "usage_update", "cost": {"amount": "much"}},
        {"sessionUpdate": "usage_update", "cost": {"amount": 1, "currency": "EUR"}},
    ]
    updates = Updates()
    assert events(updates, *strange) == []
    assert updates.usage(None) is None
