"""A suite that is a command line: a prompt, and the items that it is for. Pure.

The first event of a run's journal has it, so that a later command finds the same items by the same
ids: `ptc run --resume` and `ptc rerun`.
"""

from __future__ import annotations

# An event is decoded by these types: they are there at run time.
from collections.abc import Mapping  # noqa: TC003
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

#: What stands before `::` in the node ids of its items.
INLINE = "run"


@dataclass(frozen=True, kw_only=True, slots=True)
class InlineItem:
    """One item.

    Args:
        name: Its id, unique in the suite.
        params: What the prompt's fields are filled from.
        canary: The finding that must name its planted defect; None where none is planted.
        control: Whether it is clean, and tests the judge by that.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    canary: Mapping[str, Any] | None = None
    control: bool = False

    @property
    def nodeid(self) -> str:
        """Return its node id."""
        return f"{INLINE}::{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class InlineSuite:
    """A prompt and its items.

    Args:
        prompt: The prompt, its fields not filled.
        items: The items, in the order given.
        keywords: The marker's keywords, as plain JSON.
        folder: The directory that the command was called in, absolute: names of files are from it.
        options: Options for pytest: workers, agent, budget, and what stood behind `--`.
        words: The words of the command line behind `ptc run`, as a person reads them.
        since: The commit or branch since whose fork the files it is for have changed.
        nothing: Why there is rightly no item; None where there are items.
    """

    prompt: str
    items: tuple[InlineItem, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    folder: str = "."
    options: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    since: str | None = None
    nothing: str | None = None

    def only(self, names: Collection[str]) -> InlineSuite:
        """Return the suite with the items of these names or node ids alone, in its order."""
        kept = tuple(one for one in self.items if one.name in names or one.nodeid in names)
        return replace(self, items=kept)
