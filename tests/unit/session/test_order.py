"""The order of items, with items of our own and verdicts that come when we say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_ptc.session.order import LineUp, bring_to

if TYPE_CHECKING:
    from collections.abc import Sequence


class Item:
    """An item in a module; all that a line-up knows of it."""

    def __init__(self, name: str, module: object = "m") -> None:
        self.name = name
        self.module = module

    def __repr__(self) -> str:
        return self.name

    def listchain(self) -> list[object]:
        """Return the module and the item."""
        return [self.module, self]


def run(
    items: list[Item],
    marked: Sequence[Item],
    arrivals: Sequence[Sequence[Item]],
    monkeypatch: pytest.MonkeyPatch,
    *,
    in_order: bool = False,
) -> list[str]:
    """Go through the items as pytest does, and return the names in the order in which they ran.

    Each time when the line-up waits, the items of the next arrival have their verdicts.
    """
    monkeypatch.setattr("pytest_ptc.system.pytest_internals.leave_scopes", lambda *_: None)
    for item in items:
        item.session = None  # type: ignore[attr-defined]
    coming = list(arrivals)

    def receive(wait: bool) -> Any:
        return coming.pop(0) if wait else ()

    lineup = LineUp(
        cast("list[pytest.Item]", items),
        cast("Sequence[pytest.Item]", marked),
        ready=(),
        receive=receive,
        in_order=in_order,
    )
    ran = []
    lineup.advance(None, None)
    for position, item in enumerate(items):
        ran.append(item.name)
        told = items[position + 1] if position + 1 < len(items) else None
        lineup.advance(cast("pytest.Item", item), cast("pytest.Item", told))
    return ran


def test_marked_items_run_as_their_verdicts_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not marked stands first and is not waited for."""
    plain, a, b, c = map(Item, "pabc")
    assert run([plain, a, b, c], [a, b, c], [[c], [a, b]], monkeypatch) == ["p", "c", "a", "b"]


def test_in_order_each_waits_for_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--stepwise`, what stands before a failure has run."""
    a, plain, b, c = map(Item, "apbc")
    arrivals = [[c], [b], [a]]
    ran = run([a, plain, b, c], [a, b, c], arrivals, monkeypatch, in_order=True)
    assert ran == ["a", "p", "b", "c"]


def test_what_is_near_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fixtures of a module then serve its items before they are torn down."""
    a, b, c = Item("a", "m"), Item("b", "n"), Item("c", "m")
    assert run([a, b, c], [a, b, c], [[a], [b, c]], monkeypatch) == ["a", "c", "b"]


@pytest.mark.parametrize("in_order", [False, True])
def test_an_item_that_is_there_twice_is_not_waited_for_twice(
    monkeypatch: pytest.MonkeyPatch, in_order: bool
) -> None:
    """A plugin may have any item run again; there is one verdict to come."""
    a, b = Item("a"), Item("b")
    ran = run([a, b, a], [a, b], [[a], [b]], monkeypatch, in_order=in_order)
    assert sorted(ran) == ["a", "a", "b"]


def test_an_item_that_somebody_took_out_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends by itself; that the item did not run is the gate's matter."""
    a, b = Item("a"), Item("b")
    assert run([a], [a, b], [[b], [a]], monkeypatch) == ["a"]


def test_what_arrives_and_has_no_item_does_not_end_the_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A task that others need may have no item here."""
    a, needed = Item("a"), Item("needed")
    assert run([a], [a], [[needed], [a]], monkeypatch) == ["a"]


def test_to_bring_an_item_keeps_the_others_in_order() -> None:
    """And says whether it is there."""
    items = cast("list[pytest.Item]", list("abcd"))
    assert bring_to(items, 1, cast("pytest.Item", "d"))
    assert "".join(cast("list[str]", items)) == "adbc"
    assert not bring_to(items, 2, cast("pytest.Item", "a"))
