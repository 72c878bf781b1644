"""What takes seats on a node in tests of an engine: all of a supervisor that an engine sees.

A Dask worker of a test loads it before all else, in place of the real one, which would need a run.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
from concurrent.futures import Future
from types import ModuleType

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.remote.engine import SeatFacts


class Seat:
    """A place that was given."""

    def __init__(self, facts: SeatFacts) -> None:
        self.facts = facts
        self._free = threading.Event()

    def wait(self, timeout: float) -> bool:
        return self._free.wait(timeout)

    def close(self, timeout: float) -> None:
        del timeout
        self._free.set()


def take_seat(ticket: bytes, node: str, environ: dict[str, str | None]) -> Seat:
    """Give a place, unless its ticket says that there is none."""
    name, _, refuse = ticket.decode().partition(" ")
    if refuse == "refuse":
        raise ConfigError("this node has no judge")
    print("a seat was taken", flush=True)  # noqa: T201 - into the Dask worker's log
    return Seat(
        SeatFacts(
            worker=name.removesuffix("-canary-4711"),
            node=node,
            supervisor=f"supervisor-{os.getpid()}",
            host=platform.node(),
            pid=os.getpid(),
            python=platform.python_version(),
            version=",".join(environ),
        )
    )


def answer(payload: bytes) -> Future[bytes]:
    """Answer with what was said and who heard it; fail with the payload if that is asked."""
    told: Future[bytes] = Future()
    if payload.startswith(b"fail"):
        told.set_exception(ValueError(payload.decode()))
    else:
        told.set_result(f"{os.getpid()} ".encode() + payload)
    return told


_stands_in = ModuleType("pytest_ptc.remote.node")
_stands_in.__dict__.update(Seat=Seat, take_seat=take_seat, answer=answer)
sys.modules[_stands_in.__name__] = _stands_in
