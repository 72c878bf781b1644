"""The call of `ptc record` to its worker, and the answer, over a Unix socket.

A call is one line of JSON, then the verdict up to the end of the stream. The answer is one JSON
object. This module imports little: the command starts anew for every recording.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

#: The longest call; a verdict may have 8 MB.
MAX_CALL_BYTES = 64 * 1024 * 1024
#: Seconds in which a call is answered, after a schema check and a write to disk.
ANSWER_TIMEOUT_S = 60.0


class Form(Enum):
    """The form of the verdict that was given to the command."""

    #: The verdict as a text of JSON.
    TEXT = "text"
    #: The verdict as a JSON object, made of options.
    FIELDS = "fields"
    #: A wrong command line; the word in place of the verdict's kind is given.
    WRONG_WORDS = "wrong words"


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordCall:
    """One call of the command.

    Args:
        token: The attempt's token.
        attempt: The attempt's name.
        form: The form of `given`.
        given: The verdict as it was given.
    """

    token: str
    attempt: str
    form: Form
    given: bytes

    def encode(self) -> bytes:
        """Return the call as bytes."""
        head = {"token": self.token, "attempt": self.attempt, "form": self.form.value}
        return json.dumps(head).encode() + b"\n" + self.given

    @classmethod
    def decode(cls, data: bytes) -> RecordCall:
        """Return the call of these bytes.

        Raises:
            ValueError: It is not a call.
        """
        line, _, given = data.partition(b"\n")
        head = _object(line)
        return cls(
            token=str(head.get("token")),
            attempt=str(head.get("attempt")),
            form=Form(head.get("form")),
            given=given,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordAnswer:
    """The answer to a call.

    Args:
        recorded: Whether it is recorded, and counts.
        message: The message for the caller.
        fail_kept: Whether a fail in the call is recorded, if it says fail.
    """

    recorded: bool
    message: str
    fail_kept: bool = False

    def encode(self) -> bytes:
        """Return the answer as bytes."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> RecordAnswer:
        """Return the answer of these bytes.

        Raises:
            ValueError: It is not an answer.
        """
        value = _object(data)
        return cls(
            recorded=value.get("recorded") is True,
            message=str(value.get("message")),
            fail_kept=value.get("fail_kept") is True,
        )


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(value, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - as wrong as others
    return value
