"""From a client's error to a cause, with a fix. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.trouble import Cause, Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

#: JSON-RPC's code of ACP for "log in first".
AUTH_REQUIRED = -32000

_BY_STATUS: Mapping[str, Cause] = {
    "401": Cause.LOGIN,
    "402": Cause.QUOTA,
    "403": Cause.LOGIN,
    "413": Cause.CONTEXT,
    "429": Cause.RATE_LIMIT,
    "503": Cause.OVERLOADED,
    "529": Cause.OVERLOADED,
}
#: Clients pass their API's words on; none has a category for them.
_WORDS = (
    (
        r"api[ _-]?key|unauthori[sz]ed|authenticat|log ?in|credentials",
        Cause.LOGIN,
    ),
    (r"quota|credit|billing|insufficient", Cause.QUOTA),
    (r"rate.?limit|too many requests|exhausted", Cause.RATE_LIMIT),
    (r"overloaded|unavailable", Cause.OVERLOADED),
    (r"context (window|length)|too long|token limit", Cause.CONTEXT),
    (r"model.{0,40}(not found|does not exist|not supported)", Cause.MODEL),
    (r"status|connect|fetch|network|stream|socket|timed? ?out", Cause.API),
)
_BY_WORDS = tuple((re.compile(words, re.IGNORECASE | re.DOTALL), cause) for words, cause in _WORDS)
_STATUS = re.compile(r"(?<![\d.])(401|402|403|413|429|503|529)(?![\d.])")
_BY_STOP: Mapping[str, tuple[Cause, str]] = {
    "refusal": (Cause.REFUSAL, "the model declined; reword the prompt"),
    "max_turn_requests": (Cause.MAX_TURNS, "the client's limit of requests is reached"),
    "max_tokens": (Cause.CONTEXT, "the model's limit of tokens is reached"),
    "cancelled": (Cause.CANCELLED, "the client cancelled its turn, which nobody asked for"),
}


def error_text(error: Mapping[str, Any]) -> str:
    """Return the words of a JSON-RPC error, its data among them."""
    data = error.get("data")
    details = data.get("details") or data.get("message") if isinstance(data, dict) else data
    texts = [str(error.get("message") or ""), *([str(details)] if details else [])]
    return ": ".join(dict.fromkeys(text for text in texts if text))[:2000] or "no message"


def session_trouble(client: str, error: Mapping[str, Any]) -> Trouble:
    """Return why a client begins no session."""
    text = error_text(error)
    if error.get("code") == AUTH_REQUIRED:
        return login_trouble(client, text)
    return Trouble(cause=Cause.SESSION, message=f"{client} refused a session: {text}")


def prompt_trouble(client: str, error: Mapping[str, Any]) -> Trouble:
    """Return why a client's turn ended with an error."""
    text = error_text(error)
    if error.get("code") == AUTH_REQUIRED:
        return login_trouble(client, text)
    found = _STATUS.search(text)
    cause = _BY_STATUS[found[0]] if found else None
    if cause is None:
        cause = next((cause for words, cause in _BY_WORDS if words.search(text)), None)
    if cause is Cause.LOGIN:
        return login_trouble(client, text)
    return Trouble(cause=cause or Cause.AGENT_FAILED, message=f"{client}: {text}")


def login_trouble(client: str, text: str) -> Trouble:
    """Return that a client has no login."""
    return Trouble(
        cause=Cause.LOGIN, message=f"{client} has no login: {text}; log in, or set its key"
    )


def stop_trouble(client: str, reason: object) -> Trouble | None:
    """Return what a turn's stop reason says went wrong; None for its usual end."""
    if reason == "end_turn":
        return None
    if isinstance(reason, str) and reason in _BY_STOP:
        cause, message = _BY_STOP[reason]
        return Trouble(cause=cause, message=f"{client}: {message}")
    return protocol_trouble(client, f"it ended a turn with the reason {reason!r:.80}")


def protocol_trouble(client: str, problem: str) -> Trouble:
    """Return that a client does not keep to the protocol."""
    return Trouble(
        cause=Cause.PROTOCOL,
        message=f"{client} does not keep to the Agent Client Protocol: {problem}",
    )


def model_trouble(client: str, asked: str | None, has: str | None) -> Trouble | None:
    """Return that a session has another model than the one that was asked for, if so.

    Clients put more around a model's name, such as its provider.
    """
    if asked is None or has is None or asked in has:
        return None
    message = f"{client} took the model {has} in place of {asked}; correct `model` or ptc_model"
    return Trouble(cause=Cause.MODEL, message=message)


def unconnected(client: str) -> Trouble:
    """Return that a client never asked for our tool."""
    return Trouble(
        cause=Cause.RECORDER,
        message=f"{client} ended its turn and never connected to our server of the tool "
        "record_verdict; see that its settings allow MCP servers over HTTP",
    )
