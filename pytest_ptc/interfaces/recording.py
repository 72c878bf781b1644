"""What `ptc record` asks of its worker, and what it is answered: one call on a Unix socket.

A call is a line of JSON and then what was given, to the end of the writing side. The answer is one
JSON object. Light: the command is started anew for every recording.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

#: The longest call; a verdict may have 8 MB.
MAX_CALL_BYTES = 64 * 1024 * 1024
#: Seconds in which a call is answered: data is held to its schema, and the disk is waited for.
ANSWER_TIMEOUT_S = 60.0


class Form(Enum):
    """What was given to the command."""

    #: The verdict as a text of JSON.
    TEXT = "text"
    #: The verdict as a JSON object, made of options.
    FIELDS = "fields"
    #: Words that make no call; what stands for the verdict's kind among them is given.
    WRONG_WORDS = "wrong words"


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordCall:
    """One call of the command.

    Args:
        token: What the attempt's agent is known by.
        attempt: The attempt's name.
        form: What was given.
        given: It.
    """

    token: str
    attempt: str
    form: Form
    given: bytes

    def encode(self) -> bytes:
        """Return the call as it is said."""
        head = {"token": self.token, "attempt": self.attempt, "form": self.form.value}
        return json.dumps(head).encode() + b"\n" + self.given

    @classmethod
    def decode(cls, said: bytes) -> RecordCall:
        """Return what was said.

        Raises:
            ValueError: It is no call.
        """
        line, _, given = said.partition(b"\n")
        head = _object(line)
        return cls(
            token=str(head.get("token")),
            attempt=str(head.get("attempt")),
            form=Form(head.get("form")),
            given=given,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordAnswer:
    """What became of a call.

    Args:
        recorded: Whether it is recorded, and counts.
        message: What is to be told of that.
        fail_kept: Whether it is recorded that it says fail, where it does.
    """

    recorded: bool
    message: str
    fail_kept: bool = False

    def encode(self) -> bytes:
        """Return the answer as it is said."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, said: bytes) -> RecordAnswer:
        """Return what was said.

        Raises:
            ValueError: It is no answer.
        """
        value = _object(said)
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
