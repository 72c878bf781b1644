"""Seals (HMAC-SHA-256) of the story's lines, the records and the reports. Pure.

All keys of a run are derived from the user's key (`keys.py`) and the run's id. One of them seals
the run's story, line by line: the code of each line covers the line before it, so that no line can
be changed, removed, moved or inserted. Others seal each attempt's records and report, which only
the coordinator writes. With the user's key, these keys can be made again to verify an old run.

An attempt's token seals nothing. The coordinator sends it to the worker over their socket; the
worker passes it to an agent that records with `ptc record`, and identifies the agent by it. It is
never on disk.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_SEAL = "seal"
#: Bytes that SHA-256 takes at a time.
_BLOCK_BYTES = 64
#: Hexadecimal digits of an attempt's token.
_TOKEN_DIGITS = 32
#: How a sealed line of the story ends, behind a JSON object without its last brace: with this, the
#: code in hexadecimal digits, and two more bytes.
_MAC = b', "mac": "'
_CODE_BYTES = 64 + 2
_END_BYTES = len(_MAC) + _CODE_BYTES


class RunKey:
    """The keys of one run, for seals and tokens.

    Args:
        key: The user's key.
        run_id: The run's id.
    """

    def __init__(self, key: bytes, run_id: str) -> None:
        self._key = hmac.digest(key, f"pytest-ptc run {run_id}".encode(), "sha256")
        block = self._key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))
        #: Identifies the user's key without revealing it.
        self.name = hmac.new(key, b"pytest-ptc key name", "sha256").hexdigest()[:16]
        #: The code before the first line of a story.
        self.start = hmac.digest(self._key, b"story", "sha256")

    def __repr__(self) -> str:
        return f"<RunKey {self.name}>"

    @property
    def control(self) -> str:
        """Return what shows the coordinator that a caller is the run's user: no agent has it."""
        return hmac.new(self._key, b"control", "sha256").hexdigest()

    def token(self, attempt: str) -> str:
        """Return the token of an attempt, by the attempt's name."""
        token = hmac.new(self._key, f"attempt {attempt}".encode(), "sha256")
        return token.hexdigest()[:_TOKEN_DIGITS]

    def seal(self, attempt: str) -> str:
        """Return the key of the seals of an attempt's records and report, by its name."""
        return hmac.new(self._key, f"records of {attempt}".encode(), "sha256").hexdigest()

    def line(self, event: Mapping[str, Any], before: bytes) -> tuple[bytes, bytes]:
        """Return an event as a line of the story, without its end, and the line's code.

        Args:
            event: The event; it is not empty.
            before: The code of the line before it; `start` for the first.
        """
        text = json.dumps(event).encode()
        code = self._code(text, before)
        return b'%b, "mac": "%b"}' % (text[:-1], code.hex().encode()), code

    def read_line(self, line: bytes, before: bytes) -> tuple[bytes, bytes] | None:
        """Return the JSON text and the code of a line from `line`; None if it does not verify."""
        text = line[:-_END_BYTES] + b"}"
        code = self._code(text, before)
        end = b'%b%b"}' % (_MAC, code.hex().encode())
        if not hmac.compare_digest(end, line[-_END_BYTES:]):
            return None
        return text, code

    def _code(self, text: bytes, before: bytes) -> bytes:
        # `before` has a fixed length: no other pair makes the same bytes. This is HMAC-SHA-256 with
        # its two hashes prepared once: that halves the time for a story of thousands of lines.
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(b"line " + before + text)
        outer.update(inner.digest())
        return outer.digest()


def sealed(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the JSON object with its seal."""
    return {**value, _SEAL: _seal(value, key)}


def opened(value: object, key: str) -> dict[str, Any] | None:
    """Return the content of a sealed JSON object; None if it does not verify.

    Args:
        value: Any result of `json.loads`.
        key: The key of the seal; with an empty one nothing verifies.
    """
    if not key or not isinstance(value, dict) or _SEAL not in value:
        return None
    content = {name: entry for name, entry in value.items() if name != _SEAL}
    seal = str(value[_SEAL]).encode("utf-8", "replace")
    return content if hmac.compare_digest(seal, _seal(content, key).encode()) else None


def _seal(value: Mapping[str, Any], key: str) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
