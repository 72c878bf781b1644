"""The events of workers, see `events.py`. Pure."""

from __future__ import annotations

from pytest_ptc.journal.event import Event


class WorkerStarted(Event, frozen=True, kw_only=True, tag="worker started"):
    """The host has started a worker, which has yet to call.

    Args:
        worker: The worker's name.
        pid: Its process, on this machine; None where it is on another, or was gone at once.
        created: When that process was created; None as above.
        node: The node that it is on; None for this machine.
    """

    worker: str
    pid: int | None
    created: float | None
    node: str | None = None


class WorkerWaits(Event, frozen=True, kw_only=True, tag="worker waits"):
    """The coordinator asks a cluster for a place for a worker, as long as it takes.

    Of a worker on this machine it is not told: it has its place at once.
    """

    worker: str


class WorkerReady(Event, frozen=True, kw_only=True, tag="worker ready"):
    """The worker has called in, its agent ready; it is given a task next."""

    worker: str


class WorkerLost(Event, frozen=True, kw_only=True, tag="worker lost"):
    """The coordinator has seen a worker's end and has ended what it left; it may be replaced.

    Workers that end when the run does, without an attempt, are not told of.

    Args:
        worker: The worker's name.
        why: What told of its end.
        ended: How it ended, with the host's own account.
    """

    worker: str
    why: str
    ended: str


class WorkerLineBroken(Event, frozen=True, kw_only=True, tag="worker line broken"):
    """Somebody has said on the coordinator's socket what no worker says; the line was closed.

    Args:
        worker: The worker whose line it is; None for somebody who is none.
        error: What was wrong.
    """

    worker: str | None
    error: str


class StaleMessage(Event, frozen=True, kw_only=True, tag="stale message"):
    """A worker has said what does not fit its state, as of an attempt that is over; ignored."""

    worker: str
    message: str


class NodeJoined(Event, frozen=True, kw_only=True, tag="node joined"):
    """A node of the cluster is ready for workers of this run.

    Args:
        node: Its name in this run.
        host: The machine's name.
        python: The version of its Python.
        version: The version of pytest-ptc there.
        attach: The command with which a person on that machine can watch; None if there is none.
        tmux_socket: The socket of the tmux server there; None where there is none.
    """

    node: str
    host: str
    python: str
    version: str
    attach: str | None = None
    tmux_socket: str | None = None


class NodeRefused(Event, frozen=True, kw_only=True, tag="node refused"):
    """A node of the cluster gets no workers of this run.

    Args:
        node: Its name, or its address where it has none yet.
        why: Why.
    """

    node: str
    why: str


class NodeLost(Event, frozen=True, kw_only=True, tag="node lost"):
    """Nothing of the run lives on a node any more, and it gets no more workers.

    Args:
        node: Its name in this run.
        why: What told of that.
    """

    node: str
    why: str


class NodeLeft(Event, frozen=True, kw_only=True, tag="node left"):
    """The run is over on a node: it has ended all that it had."""

    node: str


class CodeSent(Event, frozen=True, kw_only=True, tag="code sent"):
    """A directory of this machine was sent to a node.

    Args:
        node: The node's name in this run.
        top: The directory.
        key: What tells its content from another.
        size: Bytes that were sent.
    """

    node: str
    top: str
    key: str
    size: int
