"""Names of the rules that findings are about: agents write the same one in several ways. Pure."""

from __future__ import annotations

import re

from pytest_ptc.text.printable import printable

#: The rule of a finding that has none of its own.
FINDING = "ptc/finding"

_MAX_RULE_CHARS = 100
_NOT_IN_RULES = re.compile(r"[^\w./-]+")


def rule_name(name: str | None) -> str:
    """Return a finding's rule as a name, in small letters and without blanks.

    Without a rule it is `FINDING`.
    """
    plain = printable((name or "")[:_MAX_RULE_CHARS]).lower()
    rule = _NOT_IN_RULES.sub("-", plain).strip("-./")[:_MAX_RULE_CHARS]
    # Nothing an agent says may pass for one of ours.
    return re.sub(r"^ptc/", "ptc-", rule) or FINDING


def rule_key(name: str | None) -> str | None:
    """Return what is equal for two writings of a rule; None without a rule."""
    key = rule_name(name).replace("_", "-")
    return None if key == FINDING else key


def is_same_rule(one: str | None, other: str | None) -> bool:
    """Tell whether two findings have the same rule, which both must have."""
    return rule_key(one) == rule_key(other) is not None
