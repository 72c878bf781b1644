"""Python's garbage collector, which costs a start as much as a third of what it imports."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: After how many new objects a worker looks for garbage; Python's own is 700. What a worker makes
#: for a task has few cycles, and goes without the collector.
WORKER_THRESHOLD = 10_000


@contextlib.contextmanager
def no_collections() -> Iterator[None]:
    """Collect nothing meanwhile: for imports, which make thousands of objects that all stay."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def settle_in() -> None:
    """Begin to collect, but nothing of what there is by now; for a process that is all our own."""
    gc.freeze()
    gc.set_threshold(WORKER_THRESHOLD)
    gc.enable()
