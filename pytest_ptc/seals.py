"""Seals: who wrote a line or a report of an attempt, and that nobody has changed it since. Pure.

Every attempt has a token of its own. The coordinator makes it and tells it to the worker alone,
over their socket; the worker tells it to its agent, where that records by a command. It is never on
disk: what is there is its commitment, by which a command can tell that it holds the right one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_SEAL = "seal"


def commitment(token: str) -> str:
    """Return what may be told to everybody: it fits this token and leads back to none."""
    return hashlib.sha256(token.encode()).hexdigest()


def sealed(value: Mapping[str, Any], token: str) -> dict[str, Any]:
    """Return the JSON object with its seal."""
    return {**value, _SEAL: _seal(value, token)}


def opened(value: object, token: str | None) -> dict[str, Any] | None:
    """Return what a sealed JSON object holds; None if it is none, or not of this token.

    Args:
        value: What `json.loads` gave.
        token: The attempt's token. None looks at no seal: for a journal whose run is over, when
            nobody knows its tokens any more.
    """
    if not isinstance(value, dict) or _SEAL not in value:
        return None
    content = {name: entry for name, entry in value.items() if name != _SEAL}
    if token is None or hmac.compare_digest(str(value[_SEAL]), _seal(content, token)):
        return content
    return None


def _seal(value: Mapping[str, Any], token: str) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hmac.new(token.encode(), text.encode(), hashlib.sha256).hexdigest()
