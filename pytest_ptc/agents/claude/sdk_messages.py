"""From the SDK's messages to events. Pure; messages are recognized by their class names."""

from __future__ import annotations

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
    Used,
    usage_of,
)
from pytest_ptc.model.result import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping


def events_of(message: Any) -> list[Event]:
    """Return the events of one SDK message."""
    match type(message).__name__:
        case "AssistantMessage":
            return _model_events(message)
        case "UserMessage":
            return [_tool_result(block) for block in _blocks(message, "ToolResultBlock")]
        case "SystemMessage":
            return _system_events(message.subtype, message.data)
        case "RateLimitEvent" if message.rate_limit_info.status == "rejected":
            return [Limited(message.rate_limit_info.resets_at)]
        case "ResultMessage":
            return [_turn_end(message)]
    return []


def _model_events(message: Any) -> list[Event]:
    if message.error is not None:
        text = " ".join(block.text for block in _blocks(message, "TextBlock"))
        return [Failed(message.error, text)]
    events: list[Event] = []
    for block in message.content:
        match type(block).__name__:
            case "TextBlock":
                events.append(Said(block.text))
            case "ThinkingBlock":
                events.append(Thought(block.thinking))
            case "ToolUseBlock":
                events.append(Called(block.id, block.name, block.input, message.message_id or ""))
    if message.message_id and message.usage:
        events.append(Used(message.message_id, usage_of(message.usage)))
    return events


def _blocks(message: Any, kind: str) -> list[Any]:
    content = message.content if isinstance(message.content, list) else []
    return [block for block in content if type(block).__name__ == kind]


def _tool_result(block: Any) -> Event:
    content = block.content
    if isinstance(content, list):
        content = "\n".join(part.get("text", "") for part in content if isinstance(part, dict))
    return Returned(block.tool_use_id, content or "", bool(block.is_error))


def _system_events(subtype: str, data: Mapping[str, Any]) -> list[Event]:
    match subtype:
        case "init":
            return [
                Began(
                    session_id=data["session_id"],
                    tools=tuple(data.get("tools", ())),
                    version=str(data.get("claude_code_version") or ""),
                    model=str(data.get("model") or ""),
                )
            ]
        case "api_retry":
            seconds = data.get("retry_delay_ms", 0) / 1000
            return [Retrying(seconds, data.get("error_status"), str(data.get("error")))]
        case "permission_denied":
            return [Denied(str(data.get("tool_name")))]
    return []


def _turn_end(message: Any) -> Finished:
    text = message.result or "; ".join(message.errors or ())
    denials = (denial.get("tool_name", "") for denial in message.permission_denials or ())
    return Finished(
        subtype=message.subtype,
        is_error=message.is_error,
        session_id=message.session_id,
        status=message.api_error_status,
        terminal_reason=message.terminal_reason,
        stop_reason=message.stop_reason,
        text=text or "",
        turns=message.num_turns,
        total=_total(message),
        denied=tuple(denials),
    )


def _total(message: Any) -> Usage:
    """Return the client's usage of all models, including those of subagents."""
    names = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    models = (message.model_usage or {}).values()
    numbers = [sum(int(model.get(name) or 0) for model in models) for name in names]
    return Usage.of(numbers, message.total_cost_usd)
