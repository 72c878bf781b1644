"""From a client's notifications to events, usage and the count of tool calls. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.acp.permissions import is_recording
from pytest_ptc.agents.claude.events import Called, Returned, Said, Thought
from pytest_ptc.model.result import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_ptc.agents.claude.events import Event

#: Characters of a text that is not over: a longer one is passed on in pieces.
_MAX_PIECE = 64 * 1024
#: What is kept of a call while it goes on; not its results, which may be large.
_KEPT = ("toolCallId", "title", "kind", "status", "rawInput", "locations")
_TOKENS: tuple[str, ...] = ("inputTokens", "outputTokens", "cachedReadTokens", "cachedWriteTokens")
_QUOTA_TOKENS: tuple[str, ...] = ("input_tokens", "output_tokens")


class Updates:
    """The updates of one session, in order."""

    def __init__(self) -> None:
        #: What the client shows of each call of our tool; None for nothing.
        self.recordings: dict[str, object] = {}
        self._calls: dict[str, dict[str, Any]] = {}
        self._told: set[str] = set()
        self._done: set[str] = set()
        self._text: list[str] = []
        self._size = 0
        self._kind = ""
        self._cost: float | None = None

    @property
    def tool_calls(self) -> int:
        """Return the number of calls that gave a result, other than recording."""
        return len(self._done)

    def take(self, update: Mapping[str, Any]) -> Iterator[Event]:
        """Take an update, and yield the events that it completes."""
        kind = update.get("sessionUpdate")
        if kind in ("agent_message_chunk", "agent_thought_chunk"):
            if kind != self._kind or self._size > _MAX_PIECE:
                yield from self.flush()
            self._kind = kind
            content = update.get("content")
            if isinstance(content, dict) and isinstance(content.get("text"), str):
                self._text.append(content["text"])
                self._size += len(content["text"])
            return
        yield from self.flush()
        if kind in ("tool_call", "tool_call_update"):
            yield from self._call(update)
        elif kind == "usage_update":
            self._cost = _dollars(update.get("cost"), self._cost)

    def flush(self) -> Iterator[Event]:
        """Yield the text that has been read so far, as one event."""
        text, kind = "".join(self._text), self._kind
        self._text, self._size, self._kind = [], 0, ""
        if text:
            yield Said(text) if kind == "agent_message_chunk" else Thought(text)

    def asked(self, call: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take the call that a request for permission is about; return all that is known of it."""
        known = self._known(call)
        if is_recording(known):
            texts = "\n".join(_texts(call.get("content")))
            self.recordings[str(call.get("toolCallId"))] = known.get("rawInput") or texts or None
        return known

    def usage(self, result: Mapping[str, Any] | None) -> Usage | None:
        """Return what a turn cost, by what the client says of it; None if it says nothing.

        Args:
            result: The result of the turn's prompt; None if it had none.
        """
        cost, self._cost = self._cost, None
        names = _TOKENS
        bill = (result or {}).get("usage")
        if not isinstance(bill, dict):
            meta = (result or {}).get("_meta")
            quota = meta.get("quota") if isinstance(meta, dict) else None
            bill = quota.get("token_count") if isinstance(quota, dict) else None
            names = _QUOTA_TOKENS
        if not isinstance(bill, dict):
            return None if cost is None else Usage(cost_usd=cost)
        counts = [_count(bill.get(name)) for name in names]
        if not any(counts) and cost is None:
            return None
        return Usage.of([*counts, 0, 0][:4], cost)

    def _known(self, call: Mapping[str, Any]) -> Mapping[str, Any]:
        known = self._calls.setdefault(str(call.get("toolCallId")), {})
        known.update((name, call[name]) for name in _KEPT if call.get(name) not in (None, {}, []))
        return known

    def _call(self, update: Mapping[str, Any]) -> Iterator[Event]:
        call_id = str(update.get("toolCallId"))
        known = self._known(update)
        given = known.get("rawInput")
        ours = is_recording(known)
        if ours and (given or call_id not in self.recordings):
            self.recordings[call_id] = given
        status = known.get("status")
        # The input of some calls comes with the next update.
        if call_id not in self._told and (given is not None or status != "pending"):
            self._told.add(call_id)
            value = given if isinstance(given, dict) else {}
            yield Called(call_id, str(known.get("title") or known.get("kind")), value, "")
        if update.get("status") in ("completed", "failed"):
            failed = update["status"] == "failed"
            if not ours and not failed:
                self._done.add(call_id)
            self._calls[call_id] = {"toolCallId": call_id}
            yield Returned(call_id, "\n".join(_texts(update.get("content"))), failed)


def _texts(content: object) -> Iterator[str]:
    for block in content if isinstance(content, list) else ():
        inner = block.get("content") if isinstance(block, dict) else None
        if isinstance(inner, dict) and isinstance(inner.get("text"), str):
            yield inner["text"]


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _dollars(cost: object, before: float | None) -> float | None:
    if not isinstance(cost, dict) or cost.get("currency", "USD") != "USD":
        return before
    amount = cost.get("amount")
    return float(amount) if isinstance(amount, int | float) and amount >= 0 else before
