"""JSON from outside, bounded in depth, in which no key is named twice. Pure."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


#: Nesting levels of arrays and objects; deeper values would exhaust the stack of recursive readers.
MAX_JSON_DEPTH = 64


def strict_json(text: str | bytes) -> Any:
    """Return the value of a JSON text, read strictly.

    Python's reader accepts more than JSON has, and takes the last of two equal keys. Both are
    refused here: nobody knows which value was meant.

    Raises:
        ValueError: It is not JSON, has a key twice, a number that is not finite, or too many
            levels.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError(f"has more than {MAX_JSON_DEPTH} levels") from None
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        level = [entry for holder in level for entry in _entries(holder)]
        if not level:
            return value
    raise ValueError(f"has more than {MAX_JSON_DEPTH} levels")


def _entries(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"has the key {json.dumps(name)[:80]} twice")
            seen.add(name)
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.40} is too large a number")
    return number


def _refuse_constant(name: str) -> None:
    # Python reads NaN and Infinity, JSON has neither, and no report format can carry them on.
    raise ValueError(f"{name} is not JSON")
