"""Names by which the tasks of a run are told apart. Pure.

Two items may have one node id: a test of the same name in two files outside of pytest's root
directory, or the same file collected twice (`--keep-duplicates`).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_ptc.collection.item_ids import numbered

if TYPE_CHECKING:
    from collections.abc import Sequence


def task_names(items: Sequence[tuple[str, str]]) -> list[str]:
    """Return a name for each item: its node id, where no other item has the same.

    Otherwise it is the path of the item's file with the rest of the node id, which does not depend
    on the order of the items; and a number behind that for what is one test, collected twice.

    Args:
        items: The node id of each item, and the path of its file from the root directory, with `/`.
    """
    by_nodeid = Counter(nodeid for nodeid, _ in items)
    named = [
        nodeid if by_nodeid[nodeid] == 1 else f"{path}::{nodeid.partition('::')[2] or nodeid}"
        for nodeid, path in items
    ]
    return numbered(named, "#")
