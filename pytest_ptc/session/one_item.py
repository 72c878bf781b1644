"""A session that runs one of its items alone, by the item's node id."""

from __future__ import annotations

import pytest


class OneItem:
    """Leaves out all items but one.

    Args:
        nodeid: The item's node id.
    """

    def __init__(self, nodeid: str) -> None:
        self._nodeid = nodeid
        #: Whether it was collected.
        self.found = False

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Deselect the others, after everybody else has chosen."""
        chosen = [item for item in items if item.nodeid == self._nodeid]
        left_out = [item for item in items if item.nodeid != self._nodeid]
        self.found = bool(chosen)
        if left_out:
            config.hook.pytest_deselected(items=left_out)
        items[:] = chosen


def run_one(nodeid: str, arguments: list[str]) -> tuple[int, bool]:
    """Run pytest here with these arguments, and of its items only one.

    Returns:
        Pytest's exit status, and whether it has collected the item.
    """
    one = OneItem(nodeid)
    status = int(pytest.main(arguments, plugins=[one]))
    return status, one.found
