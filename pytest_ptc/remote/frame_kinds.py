"""What pytest's machine and a node say to each other, and its form on the way. Pure.

Each is a MessagePack map with the name of its class. Both sides run the same release, which is
checked before anything is said, so an unknown or a missing field is an error.
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import msgspec

from pytest_ptc.remote.frames import FrameError

T = TypeVar("T")


class _Frame(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """One frame."""


class KindPlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of agents that a plugin has added, by the places of its functions.

    Args:
        name: Its name.
        make: The place of what makes it.
        configure: The place of what configures it, `package.module:function`.
        tells_tool_calls: As of `AgentKind`.
        sandboxes: As of `AgentKind`.
        needs_network: As of `AgentKind`.
    """

    name: str
    make: str
    configure: str
    tells_tool_calls: bool
    sandboxes: bool
    needs_network: bool


class RunSetup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a node must know of a run, in words of pytest's machine: it finds its own programs.

    Args:
        settings: The run's settings, as plain JSON.
        root: Pytest's root directory.
        start: The directory that pytest was started in.
        search_path: Where modules of the project are looked for.
        kinds: The agents of other plugins.
        ships: Whether directories are sent; else each is at the same path on the node.
        directories: The keys of directories that the node waits for before it has workers; they
            are another node's own, as what is sent may change in mid-run.
        environ: Changes to the workers' environment; None removes a variable.
        host: Where workers live on the node: `auto`, `tmux` or `process`.
        home: What tells pytest's machine from others, as `Machine` has it.
    """

    settings: dict[str, Any]
    root: str
    start: str
    search_path: tuple[str, ...] = ()
    kinds: tuple[KindPlace, ...] = ()
    ships: bool = True
    directories: tuple[str, ...] = ()
    environ: dict[str, str | None] = {}
    host: str = "auto"
    home: tuple[str, str] = ("", "")


# To a node.


class Setup(_Frame, frozen=True):
    """What the run is, as JSON of a `RunSetup`; the first frame of all."""

    text: bytes


class Piece(_Frame, frozen=True):
    """A part of a directory that is being sent, in order."""

    key: str
    data: bytes


class Directory(_Frame, frozen=True):
    """All pieces of a directory have been sent.

    Args:
        key: Its key, of its pieces too.
        names: Paths of pytest's machine, and the places in it that each stands for, as JSON.
    """

    key: str
    names: bytes


class Start(_Frame, frozen=True):
    """The seat of this worker is wanted: start it."""

    worker: str


class Dismiss(_Frame, frozen=True):
    """The seat of this worker is not wanted: free it."""

    worker: str


class Bury(_Frame, frozen=True):
    """Kill this worker and what its attempt has started, and say `Buried`."""

    number: int
    worker: str
    why: str
    cookie: str | None


class Forward(_Frame, frozen=True):
    """Ports of the loopback interface of pytest's machine that an attempt reaches on the node's.

    It comes before the attempt is assigned.
    """

    attempt: str
    ports: list[int]


class Close(_Frame, frozen=True):
    """The run is over: end all, and say `Closed`."""


# Both ways.


class Line(_Frame, frozen=True):
    """One message between a worker and the coordinator, encoded as on a worker's line."""

    worker: str
    text: bytes


class Data(_Frame, frozen=True):
    """Bytes of a connection that is tunnelled."""

    pipe: str
    data: bytes


class Eof(_Frame, frozen=True):
    """No more bytes come through a tunnelled connection, for this reason if it has failed."""

    pipe: str
    why: str | None = None


class Taken(_Frame, frozen=True):
    """So many bytes of a tunnelled connection have been passed on: as many more may be sent."""

    pipe: str
    size: int


# From a node.


class Opened(_Frame, frozen=True):
    """The node is ready for workers.

    Args:
        host: Where its workers live: `tmux` or `process`.
        attach: The command with which a person on that machine can watch; None if there is none.
        tmux_socket: The socket of the tmux server there; None where there is none.
    """

    host: str
    attach: str | None
    tmux_socket: str | None


class Unfit(_Frame, frozen=True):
    """The node cannot have workers of this run."""

    why: str


class File(_Frame, frozen=True):
    """A part of a file that an attempt's worker writes.

    Args:
        attempt: The attempt.
        name: The file's name, one of `CARRIED`.
        at: Where the part begins, in bytes.
        data: The part.
    """

    attempt: str
    name: str
    at: int
    data: bytes


class Gone(_Frame, frozen=True):
    """A worker's end was noticed; `Bury` follows."""

    worker: str
    why: str


class Buried(_Frame, frozen=True):
    """Nothing of a worker is left; the answer to `Bury`."""

    number: int
    ended: str
    tail: str


class Dial(_Frame, frozen=True):
    """Somebody on the node has connected to a forwarded port."""

    pipe: str
    port: int


class Broken(_Frame, frozen=True):
    """Something on the node has failed that is not one worker's."""

    error: str


class Closed(_Frame, frozen=True):
    """The node has ended all that it had started; the last frame of all."""


#: What a node's supervisor gives to its parts.
HandedOn: TypeAlias = Piece | Directory | Forward | Line | Data | Eof | Taken
ToNode: TypeAlias = Setup | Start | Dismiss | Bury | Close | HandedOn
FromNode: TypeAlias = (
    Opened | Unfit | File | Gone | Buried | Dial | Broken | Closed | Line | Data | Eof | Taken
)


def with_environ(setup: RunSetup, changes: dict[str, str | None]) -> RunSetup:
    """Return what a run is, with more changes to its workers' environment; its own count first."""
    return msgspec.structs.replace(setup, environ={**changes, **setup.environ})


# Calls, and their answers.


class Hear(msgspec.Struct, frozen=True, tag=True):
    """Say what there is to say, at the latest after a part of the lease.

    Args:
        run: The run's id.
        supervisor: Whose call it is.
        beat: The number of the call; it says that the answer to the one before has come.
        arrived: The last frame that has come.
    """

    run: str
    supervisor: str
    beat: int
    arrived: int


class Say(msgspec.Struct, frozen=True, tag=True):
    """Take these frames, of which this is the number of the first."""

    run: str
    supervisor: str
    first: int
    frames: list[bytes]


class Heard(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Hear`: frames, and the number of the first."""

    first: int
    frames: list[bytes]


class Said(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Say`: the number of the last frame that is there."""

    last: int


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The call was refused.

    Args:
        why: Why.
        ended: Whether the supervisor has ended, and all that it had started.
    """

    why: str
    ended: bool = False


Call: TypeAlias = Hear | Say
Answer: TypeAlias = Heard | Said | Refused

_ENCODER = msgspec.msgpack.Encoder()
_TO_NODE: msgspec.msgpack.Decoder[ToNode] = msgspec.msgpack.Decoder(ToNode)
_FROM_NODE: msgspec.msgpack.Decoder[FromNode] = msgspec.msgpack.Decoder(FromNode)
_CALL: msgspec.msgpack.Decoder[Call] = msgspec.msgpack.Decoder(Call)
_ANSWER: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def encode(value: ToNode | FromNode | Call | Answer) -> bytes:
    """Return a frame, a call or an answer as bytes."""
    return _ENCODER.encode(value)


def decode_to_node(frame: bytes) -> ToNode:
    """Return a frame to a node.

    Raises:
        FrameError: It is none.
    """
    return _decode(_TO_NODE, frame)


def decode_from_node(frame: bytes) -> FromNode:
    """Return a frame from a node.

    Raises:
        FrameError: It is none.
    """
    return _decode(_FROM_NODE, frame)


def decode_call(payload: bytes) -> Call:
    """Return a call.

    Raises:
        FrameError: It is none.
    """
    return _decode(_CALL, payload)


def decode_answer(payload: bytes) -> Answer:
    """Return an answer.

    Raises:
        FrameError: It is none.
    """
    return _decode(_ANSWER, payload)


def _decode(decoder: msgspec.msgpack.Decoder[T], data: bytes) -> T:
    try:
        return decoder.decode(data)
    except msgspec.MsgspecError as error:
        # Without what came: it may hold a secret, and errors are written down.
        raise FrameError(f"not understood: {error}") from error
