"""What the coordinator and its workers say to each other: JSON, one message a line.

They talk over a Unix socket in a folder that only the user can enter. What must survive is in the
journal before it is said here. The end of the connection is a message too: it tells either side at
once that the other one has died, by whatever signal.
"""

from __future__ import annotations

import json
import math
from dataclasses import Field, asdict, dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Hello:
    """From a worker that has started: its name, and the key it was started with."""

    kind: ClassVar[str] = "hello"
    worker: str
    key: str


@dataclass(frozen=True, slots=True)
class Ready:
    """From a worker whose agent is ready for a task."""

    kind: ClassVar[str] = "ready"


@dataclass(frozen=True, slots=True)
class Claimed:
    """From a worker that has taken its task on the shared list and begins."""

    kind: ClassVar[str] = "claimed"
    attempt: str


@dataclass(frozen=True, slots=True)
class Waits:
    """From a worker whose provider refuses work: for how many seconds, and why."""

    kind: ClassVar[str] = "waits"
    attempt: str
    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class Ended:
    """From a worker that has filed its report; or could not, and says why.

    `said_fail` tells that the agent of a report that could not be filed said fail.
    """

    kind: ClassVar[str] = "ended"
    attempt: str
    problem: str | None = None
    said_fail: bool = False


@dataclass(frozen=True, slots=True)
class Prepare:
    """To a worker: get ready for a task like this one, or for any."""

    kind: ClassVar[str] = "prepare"
    like: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Assigned:
    """To a worker: do this attempt, whose folder is in the journal.

    What may be secret is said here and is not on disk: the token that seals what the attempt comes
    to, and the task with all its variables. `last` tells that trouble will not be tried again.
    """

    kind: ClassVar[str] = "assigned"
    attempt: str
    cookie: str
    token: str
    spec: dict[str, Any]
    last: bool


@dataclass(frozen=True, slots=True)
class Quit:
    """To a worker: end what you are doing, and then yourself."""

    kind: ClassVar[str] = "quit"


#: Longest message, in bytes: a task's prompt and parameters are in one.
LONGEST = 256 * 1024 * 1024
#: Longest message of a worker, in bytes; what it has to say at length is in the journal.
LONGEST_FROM_WORKER = 64 * 1024
#: Longest text in a message of a worker, in characters; escaped, one takes up to 12 bytes.
LONGEST_TEXT = 2000

Message = Hello | Ready | Claimed | Waits | Ended | Prepare | Assigned | Quit
_KINDS: dict[str, type[Message]] = {
    message.kind: message
    for message in (Hello, Ready, Claimed, Waits, Ended, Prepare, Assigned, Quit)
}


def encode(message: Message) -> bytes:
    """Return the message as one line."""
    return json.dumps({"kind": message.kind, **asdict(message)}).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Return the message of one line.

    Raises:
        ValueError: The line is not a message.
    """
    try:
        value = json.loads(line)
        # A missing or an extra field is a TypeError of the constructor.
        message = _KINDS[value.pop("kind")](**value)
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a message: {line[:200]!r}") from error
    wrong = [spec.name for spec in fields(message) if not _fits(getattr(message, spec.name), spec)]
    if wrong:
        raise ValueError(f"not a message, {wrong[0]} is of another type: {line[:200]!r}")
    return message


def _fits(value: object, spec: Field[Any]) -> bool:
    """Tell whether a field has a value of its type."""
    if isinstance(value, float) and not math.isfinite(value):
        return False
    kinds: dict[str, tuple[type, ...]] = {
        "str": (str,),
        "str | None": (str, type(None)),
        "bool": (bool,),
        "float": (int, float),
        "dict[str, Any]": (dict,),
        "dict[str, Any] | None": (dict, type(None)),
    }
    kind = kinds[str(spec.type)]
    return isinstance(value, kind) and (bool in kind or not isinstance(value, bool))
