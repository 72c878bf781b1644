"""The order of marked items: as their verdicts arrive, without leaving a scope more than needed.

Pure: it looks at the tree of collected nodes only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest


class ItemPool:
    """Items, found by nearness to another item; every call costs the depth of the tree."""

    def __init__(self, items: Iterable[pytest.Item] = ()) -> None:
        # Every item stands below each of its collectors; a dict is an ordered set.
        self._below: dict[object, dict[pytest.Item, None]] = {}
        self._items: dict[pytest.Item, None] = {}
        for item in items:
            self.add(item)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def add(self, item: pytest.Item) -> None:
        """Add an item, after those that are there."""
        self._items[item] = None
        for node in item.listchain()[:-1]:
            self._below.setdefault(node, {})[item] = None

    def remove(self, item: pytest.Item) -> None:
        """Take an item out."""
        del self._items[item]
        for node in item.listchain()[:-1]:
            del self._below[node][item]

    def closest(self, item: pytest.Item | None) -> pytest.Item:
        """Return the first of the items that share the most collectors with this one.

        Whatever is set up for a module or a class then serves its items before it is torn down.
        """
        for node in reversed(item.listchain()[:-1] if item is not None else []):
            if below := self._below.get(node):
                return next(iter(below))
        return next(iter(self._items))


def bring_to(items: list[pytest.Item], index: int, item: pytest.Item) -> None:
    """Move the item to this index; those in between move up by one and keep their order."""
    at = items.index(item, index)
    if at != index:
        del items[at]
        items.insert(index, item)
