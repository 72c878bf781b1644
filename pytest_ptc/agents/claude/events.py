"""The client's events, independent of the SDK. `sdk_messages.py` and `transcript.py` make them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.result import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping


def usage_of(bill: Mapping[str, Any]) -> Usage:
    """Return the usage of an answer, from the API's `usage` object."""
    names = (
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    )
    return Usage.of([int(bill.get(name) or 0) for name in names])


@dataclass(frozen=True, slots=True)
class Began:
    """A conversation began."""

    session_id: str
    tools: tuple[str, ...]
    version: str
    model: str


@dataclass(frozen=True, slots=True)
class Said:
    """The model wrote a text."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """The model wrote a thinking block."""

    text: str


@dataclass(frozen=True, slots=True)
class Called:
    """The model called a tool, in the answer of this id."""

    call_id: str
    tool: str
    input: Mapping[str, Any]
    answer: str


@dataclass(frozen=True, slots=True)
class Returned:
    """A tool returned its result."""

    call_id: str
    text: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Used:
    """The usage of one answer; needed for a turn that never reports its end."""

    message_id: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Denied:
    """The permission rules refused a tool."""

    tool: str


@dataclass(frozen=True, slots=True)
class Retrying:
    """The client waits before its next request to the API."""

    seconds: float
    status: int | None
    error: str


@dataclass(frozen=True, slots=True)
class Limited:
    """The provider's usage limit was reached; `resets_at` is in seconds since the epoch."""

    resets_at: float | None


@dataclass(frozen=True, slots=True)
class Failed:
    """The client gave up on the API: the error's category, and its text."""

    error: str
    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A turn is over. `total` is the client's usage so far, over one or more conversations."""

    subtype: str
    is_error: bool
    session_id: str
    status: int | None = None
    terminal_reason: str | None = None
    stop_reason: str | None = None
    text: str = ""
    turns: int = 0
    total: Usage = field(default_factory=Usage)
    denied: tuple[str, ...] = ()


Event = (
    Began
    | Said
    | Thought
    | Called
    | Returned
    | Used
    | Denied
    | Retrying
    | Limited
    | Failed
    | Finished
)
