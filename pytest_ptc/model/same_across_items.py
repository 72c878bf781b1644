"""Which findings of several items are one and the same. Pure.

They are as `is_same` has it: one file, one rule, nearby lines. What one item names twice is two
things, for its agent has looked at both. What is in no file is about its item alone.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.same_findings import NEARBY_LINES, plain_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class ItemFinding(NamedTuple):
    """A finding, as an item names it.

    Args:
        item: The item.
        file: Its file, and the commit whose file it is; None where it is in no file.
        line: Its line, from 1.
        rule: Its rule; None without one.
        message: What it says.
    """

    item: str
    file: tuple[str, str] | None
    line: int | None = None
    rule: str | None = None
    message: str = ""


def same_across_items(findings: Sequence[ItemFinding]) -> list[list[int]]:
    """Return the indexes of the findings, those together that are the same.

    The groups do not depend on the order of the items, nor does their order: it is that of files
    and lines, and what is in no file comes last, as it is given.
    """
    rules = [plain_words(one.rule) for one in findings]

    def order(index: int) -> tuple[object, ...]:
        one = findings[index]
        return one.file, one.line or 0, rules[index], one.item, one.message, one.rule or ""

    in_order = sorted((at for at, one in enumerate(findings) if one.file is not None), key=order)
    pools: dict[object, _Pool] = {}
    ruled: dict[object, list[_Group]] = {}
    open_ones = []
    for index in in_order:
        one, rule = findings[index], rules[index]
        if one.line is None:
            # Where there is no rule, either, only words can tell what it is.
            what = rule or plain_words(one.message)
            _pool(pools, (one.file, "whole", bool(rule), what)).put(index, one)
        elif rule:
            made = _pool(pools, (one.file, "rule", rule)).put(index, one)
            ruled.setdefault(one.file, []).extend([made] if made else [])
        else:
            open_ones.append(index)
    # One without a rule is of any rule: so it joins one that has a rule, if it can.
    of_any_rule = {file: _Pool(groups) for file, groups in ruled.items()}
    for index in open_ones:
        one = findings[index]
        if one.file not in of_any_rule or not of_any_rule[one.file].join(index, one):
            _pool(pools, (one.file, "no rule")).put(index, one)
    groups = [group.members for group in _groups(pools)]
    alone = [[at] for at, one in enumerate(findings) if one.file is None]
    return [*sorted(groups, key=lambda members: order(members[0])), *alone]


class _Group:
    """Findings that are the same, of different items; its line is that of the first."""

    __slots__ = ("items", "line", "members")

    def __init__(self, index: int, one: ItemFinding) -> None:
        self.line = one.line or 0
        self.members = [index]
        self.items = {one.item}


class _Pool:
    """Groups that findings may join, by line.

    Findings come by line: an item's next one need not look at groups that its last one has passed,
    for those are too far above, or have the item already.
    """

    def __init__(self, groups: Iterable[_Group] = ()) -> None:
        self.made: list[_Group] = []
        self._groups = list(groups)
        self._lines = [group.line for group in self._groups]
        self._next: dict[str, int] = {}

    def put(self, index: int, one: ItemFinding) -> _Group | None:
        """Have a finding join a group, or make one, which is returned."""
        if self.join(index, one):
            return None
        group = _Group(index, one)
        self.made.append(group)
        self._groups.append(group)
        self._lines.append(group.line)
        return group

    def join(self, index: int, one: ItemFinding) -> bool:
        """Have a finding join the first group that it can, and tell whether there is one."""
        line, groups = one.line or 0, self._groups
        at = max(self._next.get(one.item, 0), bisect_left(self._lines, line - NEARBY_LINES))
        while at < len(groups) and one.item in groups[at].items:
            at += 1
        self._next[one.item] = at
        if at == len(groups) or groups[at].line > line + NEARBY_LINES:
            return False
        groups[at].members.append(index)
        groups[at].items.add(one.item)
        return True


def _pool(pools: dict[object, _Pool], key: object) -> _Pool:
    return pools.setdefault(key, _Pool())


def _groups(pools: dict[object, _Pool]) -> Iterable[_Group]:
    return (group for pool in pools.values() for group in pool.made)
