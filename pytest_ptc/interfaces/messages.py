"""The messages between the coordinator and its workers: JSON, one message a line.

They are sent over a `Line`. A record counts when the coordinator has acknowledged it. Times are
seconds from now: each process has its own clock. The end of the line is a message too: it tells
either side at once that the other one has died, by whatever signal.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from pytest_ptc.interfaces.launch import AgentLaunch
from pytest_ptc.interfaces.plain_json import Seconds, from_json, to_json

#: Longest message, in bytes: a task's prompt and parameters are in one, or a verdict.
MAX_MESSAGE_BYTES = 256 * 1024 * 1024
#: Longest reason in a message of a worker, in characters.
MAX_TEXT_CHARS = 2000


class _Message(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag=str.lower
):
    """One message; its kind, on the line, is the name of its class in lower case."""


class Hello(_Message, frozen=True):
    """From a worker that has started: its name, and the key it was started with."""

    worker: str
    key: str


class Ready(_Message, frozen=True):
    """From a worker whose agent is ready for a task."""


class Begun(_Message, frozen=True):
    """From a worker that has got its task and begins."""

    attempt: str


class Look(_Message, frozen=True):
    """From a worker: is the task of this attempt on the shared list?"""

    attempt: str


class Looked(_Message, frozen=True):
    """To a worker: whether the task of this attempt is on the shared list."""

    attempt: str
    listed: bool


class Waits(_Message, frozen=True):
    """From a worker whose provider refuses work: for how many seconds, and why."""

    attempt: str
    seconds: Seconds
    why: str


class Recorded(_Message, frozen=True):
    """From a worker: something that its agent recorded, as `entry_to_json` has it, to be put down.

    `number` is one of the attempt's own, by which it is acknowledged.
    """

    attempt: str
    number: int
    entry: dict[str, Any]


class Ended(_Message, frozen=True):
    """From a worker whose attempt has ended: its report as JSON, or why it has none."""

    attempt: str
    report: dict[str, Any] | None = None
    problem: str | None = None


class Acknowledged(_Message, frozen=True):
    """To a worker: what it handed over under this number is on disk; or is not, and why."""

    attempt: str
    number: int
    problem: str | None = None


class Prepare(_Message, frozen=True):
    """To a worker: get ready for a task like this one, or for any.

    `agent` is as of an assigned task.
    """

    like: dict[str, Any] | None
    agent: AgentLaunch | None = None


class Assigned(_Message, frozen=True):
    """To a worker: do this attempt, whose folder is in the journal.

    What may be secret is said here and is not on disk: the token by which the attempt's agent is
    known, and the task with all its variables. `seconds` is how long it may take from now on. The
    task is claimed on the shared list already. `agent` is what does it; None for the one of the
    launch file.
    """

    attempt: str
    cookie: str
    token: str
    spec: dict[str, Any]
    seconds: Seconds
    agent: AgentLaunch | None = None


class Abandon(_Message, frozen=True):
    """To a worker: end this attempt, and report it as stopped, for this reason."""

    attempt: str
    why: str


class StopTask(_Message, frozen=True):
    """From `ptc stop`, as the only message of a line: end a task.

    Args:
        task: The task's id.
        proof: What shows that the caller is the run's user, as `RunKey.control` has it.
    """

    task: str
    proof: str


class Answered(_Message, frozen=True):
    """To `ptc stop`: the task is being ended; or is not, and why."""

    problem: str | None = None


class Live(_Message, frozen=True):
    """To a worker on a node: its lease ends at this moment of the machine's monotonic clock.

    The last one counts. Only a process of the same machine may say it.
    """

    until: Seconds


class Quit(_Message, frozen=True):
    """To a worker: end what you are doing, and then yourself."""


Message: TypeAlias = (
    Hello
    | Ready
    | Begun
    | Waits
    | Look
    | Looked
    | Recorded
    | Acknowledged
    | Ended
    | Prepare
    | Assigned
    | Abandon
    | StopTask
    | Answered
    | Live
    | Quit
)


def encode(message: Message) -> bytes:
    """Return the message as one line."""
    return to_json(message) + b"\n"


def decode(line: bytes) -> Message:
    """Return the message of one line.

    Raises:
        ValueError: The line is not a message: no JSON, of no known kind, or with a missing, an
            extra or a wrong field.
    """
    try:
        message: Message = from_json(line, Message)
    except ValueError as error:
        raise ValueError(f"not a message, {error}: {line[:200]!r}") from error
    return message


def kind_of(message: Message) -> str:
    """Return a message's kind, as it is on the line."""
    return type(message).__name__.lower()
