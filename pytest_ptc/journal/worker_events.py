"""The events of workers, see `events.py`. Pure."""

from __future__ import annotations

from pytest_ptc.journal.event import Event


class WorkerStarted(Event, frozen=True, kw_only=True, tag="worker started"):
    """The host has started a worker, which has yet to call.

    Args:
        worker: The worker's name.
        pid: Its process, on this machine; None where it is on another, or was gone at once.
        created: When that process was created; None as above.
    """

    worker: str
    pid: int | None
    created: float | None


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
