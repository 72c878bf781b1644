"""The order of marked items: as their verdicts arrive, without leaving a scope more than needed.

Pytest's own loop goes through `session.items` by index, and tells each item which one comes next,
so that it tears down what that one is not within. We change the list behind the item that runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_ptc.system import pytest_internals

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable


class LineUp:
    """Puts the item that may run next behind the one that has run.

    Args:
        items: Pytest's list, in which unmarked items stand first; changed in place.
        marked: The items that wait for a verdict.
        ready: Those of them that wait for nothing.
        receive: Returns the items whose verdicts have come since; told to wait, at least one.
        in_order: Whether items run in the order of the list, each when its verdict is there.
    """

    def __init__(
        self,
        items: list[pytest.Item],
        marked: Collection[pytest.Item],
        *,
        ready: Iterable[pytest.Item],
        receive: Callable[[bool], Iterable[pytest.Item]],
        in_order: bool = False,
    ) -> None:
        self._items = items
        self._marked = marked
        self._waiting = ItemPool(marked)
        self._ready = ItemPool(ready)
        self._receive = receive
        self._in_order = in_order
        self._position = 0

    def __repr__(self) -> str:
        return f"<LineUp at {self._position}, {len(self._ready)} of {len(self._waiting)} ready>"

    def advance(self, item: pytest.Item | None, expected: pytest.Item | None) -> None:
        """Decide what runs next, and wait for its verdict.

        Args:
            item: The item that has run, or None before the first.
            expected: The item that pytest tore down for, as the next one.
        """
        at = 0 if item is None else self._items.index(item, self._position) + 1
        self._position = at
        if at == len(self._items):
            return
        if self._items[at] in self._marked:
            self._bring_next(at, item)
        upcoming = self._items[at]
        if item is not None and upcoming is not expected:
            _leave_scopes(item, upcoming)
        self._guess(at + 1, upcoming)

    def _bring_next(self, at: int, item: pytest.Item | None) -> None:
        """Put the item that may run next at this index; wait until there is one.

        An item that somebody has put there twice, or has taken out, is not waited for.
        """
        self._take(wait=False)
        wanted = self._items[at] if self._in_order else None
        while wanted is None or wanted in self._waiting:
            if self._ready and (wanted is None or wanted in self._ready):
                chosen = wanted or self._ready.closest(item)
                self._ready.remove(chosen)
                self._waiting.remove(chosen)
                if bring_to(self._items, at, chosen):
                    return
            elif any(one in self._waiting for one in self._items[at:]):
                self._take(wait=True)
            else:
                return

    def _guess(self, at: int, item: pytest.Item) -> None:
        """Put behind an item the one that will most probably follow, which it tears down for."""
        self._take(wait=False)
        if self._in_order or at >= len(self._items) or self._items[at] not in self._marked:
            return
        if pool := self._ready or self._waiting:
            bring_to(self._items, at, pool.closest(item))

    def _take(self, *, wait: bool) -> None:
        for item in self._receive(wait):
            # One that has run already was run by somebody else's order.
            if item in self._waiting:
                self._ready.add(item)


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
        self._items[item] = None
        for node in item.listchain()[:-1]:
            self._below.setdefault(node, {})[item] = None

    def remove(self, item: pytest.Item) -> None:
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


def bring_to(items: list[pytest.Item], index: int, item: pytest.Item) -> bool:
    """Move the item to this index; those in between move up by one and keep their order.

    Returns whether it stands there now: it does not if it is not in the list from there on.
    """
    try:
        at = items.index(item, index)
    except ValueError:
        return False
    if at != index:
        del items[at]
        items.insert(index, item)
    return True


def _leave_scopes(item: pytest.Item, upcoming: pytest.Item) -> None:
    """Tear down what the next item is not within; what that raises is reported with the last."""
    call = pytest.CallInfo.from_call(
        lambda: pytest_internals.leave_scopes(item.session, upcoming), when="teardown"
    )
    if call.excinfo is not None:
        report = item.ihook.pytest_runtest_makereport(item=item, call=call)
        item.ihook.pytest_runtest_logreport(report=report)
