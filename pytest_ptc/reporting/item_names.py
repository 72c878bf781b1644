"""Short names of a run's items: their node ids without what all of them share. Pure."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def item_names(nodeids: Sequence[str]) -> list[str]:
    """Return a name for each node id, in their order: as different from each other as the ids are.

    The items of one test have the names of their parameters (`test_a.py::test_file[src/b.txt]` is
    `src/b.txt`), the tests of one file those of their functions.
    """
    if not nodeids:
        return []
    start = _shared_start(nodeids)
    ends = [nodeid[len(start) :] for nodeid in nodeids]
    if start.endswith("["):
        if all(end.endswith("]") and "]::" not in end for end in ends):
            ends = [end[:-1] for end in ends]
        else:
            start = _above(start)
            ends = [nodeid[len(start) :] for nodeid in nodeids]
    # A name that nobody can see is none.
    return ends if all(end.strip() for end in ends) else list(nodeids)


def _shared_start(nodeids: Sequence[str]) -> str:
    """Return what all ids begin with, up to where a part of them ends."""
    # What the first and the last in their order share, all between them do.
    pairs = zip(min(nodeids), max(nodeids), strict=False)
    shared = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    path, colons, rest = shared.partition("::")
    if not colons:
        # They are of several files, which share folders.
        return shared[: shared.rfind("/") + 1]
    function, bracket, _ = rest.partition("[")
    return f"{path}::{function}[" if bracket else _above(shared)


def _above(start: str) -> str:
    """Return a beginning of ids without the test, or a part of its name, that it ends with."""
    function = start.partition("[")[0] if start.endswith("[") else start
    return function[: function.rfind("::") + 2]
