"""Shards: the parts of a run's items that several jobs judge, each one part. Pure.

Every job deals all items in the same way and takes its own part, so no job needs to hear of
another: the order of collection says nothing, and neither do earlier runs. Items that must not be
parted stay together: one and what it needs, and the members of a group, of which never two are at
work at the same time. The parts are of equal size, as far as that allows.

A test of the judge is dealt to every shard: each job has a judge of its own, on another machine,
with another login and another client, and nothing that one of them finds shows that another is not
blind. One that has a group or needs is dealt as any other item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: The most shards: more are a typing error.
MAX_SHARDS = 1000
#: The shard of an item that is in every shard.
EVERY = 0


class Shard(NamedTuple):
    """One of several shards: its number, from 1, and how many there are."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard | None:
        """Return the shard that a text such as `2/4` names; None if it names none."""
        number, slash, of = text.strip().partition("/")
        if not slash or not all(word.isascii() and word.isdigit() for word in (number, of)):
            return None
        if len(number) > len(str(MAX_SHARDS)) or len(of) > len(str(MAX_SHARDS)):
            return None
        shard = cls(int(number), int(of))
        return shard if 1 <= shard.number <= shard.of <= MAX_SHARDS else None

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


class ShardFacts(NamedTuple):
    """One of the runs that a report was merged from.

    Args:
        shard: Its shard, such as `2/4`.
        run: Its id.
        exit_status: Its exit status; None for one that was killed.
        why_not_successful: Why it was no success; None if it was one.
        stands: Whether it is the last run of its shard, whose word counts.
    """

    shard: str
    run: str
    exit_status: int | None
    why_not_successful: str | None
    stands: bool


class DealtItem(NamedTuple):
    """An item that is to be dealt.

    Args:
        name: Its name, which others may have too: those stay together.
        ties: What it shares with the items that must be in its shard.
        tests_judge: Whether it tests the judge.
    """

    name: str
    ties: frozenset[str] = frozenset()
    tests_judge: bool = False


def deal(items: Sequence[DealtItem], of: int) -> list[int]:
    """Return the shard of each item, from 1; `EVERY` for one that is in every shard.

    Args:
        items: All items, in any order.
        of: How many shards there are.
    """
    parts = [0] * len(items)
    filled = dict.fromkeys(range(1, of + 1), 0)
    clusters = [one for one in _clusters(items) if not _is_in_every_shard(items, one)]
    # What stays together first, as it fits less well; then by name, so that the items of a file,
    # which take alike, are in all shards.
    for cluster in sorted(clusters, key=lambda one: (-len(one), min(items[at].name for at in one))):
        shard = min(filled, key=lambda number: (filled[number], number))
        filled[shard] += len(cluster)
        for at in cluster:
            parts[at] = shard
    return parts


def _is_in_every_shard(items: Sequence[DealtItem], cluster: Sequence[int]) -> bool:
    return all(items[at].tests_judge and not items[at].ties for at in cluster)


def _clusters(items: Sequence[DealtItem]) -> Iterable[list[int]]:
    """Return the items that stay together, by their places."""
    root = list(range(len(items)))

    def found(at: int) -> int:
        while root[at] != at:
            root[at] = root[root[at]]
            at = root[at]
        return at

    first: dict[tuple[bool, str], int] = {}
    for at, item in enumerate(items):
        for tie in ((True, item.name), *((False, tie) for tie in item.ties)):
            root[found(at)] = found(first.setdefault(tie, at))
    clusters: dict[int, list[int]] = {}
    for at in range(len(items)):
        clusters.setdefault(found(at), []).append(at)
    return clusters.values()
