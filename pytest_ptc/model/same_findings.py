"""Which findings are one and the same, though others word them: one place, one rule. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.model.verdict import Finding

#: Lines that two reports of one thing may be apart: one names the call, the other its argument.
NEARBY_LINES = 3

_NOT_A_WORD = re.compile(r"[\W_]+")


def is_same(one: Finding, other: Finding) -> bool:
    """Tell whether two findings are of one thing: by path, rule and nearby line.

    Words tell nothing: a model puts the same thing in other words each time. Only where there is no
    path must they agree. A finding without a rule is of any rule.
    """
    rules = plain_words(one.rule), plain_words(other.rule)
    if one.path != other.path or not _agree(*rules):
        return False
    if one.path is None:
        return plain_words(one.message) == plain_words(other.message)
    if one.line is None or other.line is None:
        # One says "somewhere in this file": that is the other's place only if that has none, too,
        # and where there is no rule, only words can tell what it is.
        same_words = plain_words(one.message) == plain_words(other.message)
        return one.line == other.line and (all(rules) or same_words)
    return abs(one.line - other.line) <= NEARBY_LINES


def groups_of_same(findings: Sequence[Finding]) -> list[list[int]]:
    """Return the indexes of the findings, those of one thing together, in order.

    A group is of what is the same as its first one.
    """
    groups: list[list[int]] = []
    for index, finding in enumerate(findings):
        for group in groups:
            if is_same(findings[group[0]], finding):
                group.append(index)
                break
        else:
            groups.append([index])
    return groups


def _agree(one: str, other: str) -> bool:
    return not one or not other or one == other


def plain_words(text: str | None) -> str:
    """Return the words of a text in small letters, one blank between them."""
    return _NOT_A_WORD.sub(" ", text or "").strip().casefold()
