"""The markers `ptc_canary` and `ptc_control`: what an item tests of the judge.

    @pytest.mark.ptc_canary(expect={"path": "src/pay.py", "rule": "eval"})
    @pytest.mark.ptc_control

They stand beside `ptc`, on a test, its class, its module, or a parameter; the closest one counts.
`path` and `rule` may hold fields of the test's parameters. A pattern is left as it is: braces are
a part of many.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_ptc.collection.value_types import is_text
from pytest_ptc.model.errors import MarkerError, ValueRefused
from pytest_ptc.model.self_test import Expectation, SelfTest
from pytest_ptc.text.template import fields_of, fill

if TYPE_CHECKING:
    import pytest

CANARY, CONTROL = "ptc_canary", "ptc_control"
_KEYS = ("path", "rule", "message", "line")


def read_self_test(item: pytest.Item, params: Mapping[str, Any]) -> SelfTest | None:
    """Return what an item with the marker `ptc` tests of the judge; None for nothing.

    Args:
        item: The item.
        params: What fields are filled from.

    Raises:
        MarkerError: A marker cannot be used.
    """
    canary = item.get_closest_marker(CANARY)
    control = item.get_closest_marker(CONTROL)
    if canary is None and control is None:
        return None
    name = CONTROL if canary is None else CANARY
    if canary is not None and control is not None:
        problem = f"stands beside {CONTROL}; an item has a planted defect or is clean, remove one"
        raise MarkerError(item.nodeid, name, problem)
    if item.get_closest_marker("xfail") is not None:
        problem = "stands beside xfail, which is another way to say what is expected; remove xfail"
        raise MarkerError(item.nodeid, name, problem)
    if control is not None:
        if control.args or control.kwargs:
            raise MarkerError(item.nodeid, name, "takes no argument; leave them out")
        return SelfTest(kind="control")
    assert canary is not None, "there is one of the two"
    unknown = [key for key in canary.kwargs if key != "expect"]
    if unknown or len(canary.args) + len(canary.kwargs) != 1:
        problem = 'takes expect={"path": ..., "rule": ...} and nothing else'
        raise MarkerError(item.nodeid, name, problem)
    (given,) = (*canary.args, *canary.kwargs.values())
    try:
        return canary_of(given, params)
    except ValueRefused as error:
        raise MarkerError(item.nodeid, f"{name}: expect", str(error)) from None


def refuse_lone_test(item: pytest.Item) -> None:
    """Refuse a test of the judge that no agent is asked about.

    Raises:
        MarkerError: The item, which has no marker `ptc`, has one of these.
    """
    for name in (CANARY, CONTROL):
        # On a class or module it is meant for those tests that have the marker ptc.
        if any(mark.name == name for mark in item.own_markers):
            problem = "the test has no marker ptc, so that no agent is asked; add @pytest.mark.ptc"
            raise MarkerError(item.nodeid, name, problem)


def canary_of(given: object, params: Mapping[str, Any]) -> SelfTest:
    """Return the canary that expects this finding.

    Raises:
        ValueRefused: It is no expectation; the message names the key and the fix.
    """
    if not isinstance(given, Mapping):
        raise ValueRefused(
            f'must be a mapping such as {{"path": "src/pay.py", "rule": "eval"}}, not {given!r:.80}'
        )
    unknown = [key for key in given if key not in _KEYS]
    if unknown:
        raise ValueRefused(f"{unknown[0]}: unknown key; known are {', '.join(_KEYS)}")
    rules = _rules(given["rule"], params) if "rule" in given else ()
    message = _pattern(given["message"]) if "message" in given else None
    if not rules and message is None:
        raise ValueRefused("rule or message is missing: say what the finding must name")
    line = given.get("line")
    if line is not None and (isinstance(line, bool) or not isinstance(line, int) or line < 1):
        raise ValueRefused(f"line: must be a whole number from 1, not {line!r:.80}")
    path = _path(given.get("path"), params)
    return SelfTest(
        kind="canary", expect=Expectation(path=path, rules=rules, message=message, line=line)
    )


def _filled(key: str, text: str, params: Mapping[str, Any]) -> str:
    for name in fields_of(text):
        if name not in params:
            raise ValueRefused(
                f"{key}: {{{name}}} is no parameter of the test; write {{{{ for a literal brace"
            )
    return fill(text, params)


def _path(value: object, params: Mapping[str, Any]) -> str:
    if not is_text(value):
        given = "is missing" if value is None else f"must be a text, not {value!r:.80}"
        raise ValueRefused(
            f"path: {given}; name the file of the planted defect, from the agent's directory"
        )
    path = posixpath.normpath(_filled("path", str(value), params))
    if path.startswith(("/", "../")) or path in (".", ".."):
        raise ValueRefused(
            f"path: {path!r:.80} is no file below the agent's directory; write it relative to that"
        )
    return path


def _rules(value: object, params: Mapping[str, Any]) -> tuple[str, ...]:
    rules = [value] if isinstance(value, str) else value
    if not isinstance(rules, list | tuple) or not rules or not all(map(is_text, rules)):
        raise ValueRefused(f"rule: must be a text or a list of texts, not {value!r:.80}")
    filled = tuple(_filled("rule", str(rule), params) for rule in rules)
    empty = [rule for rule in filled if not re.search(r"\w", rule)]
    if empty:
        raise ValueRefused(f"rule: {empty[0]!r:.80} has no letter; name the rule")
    return filled


def _pattern(value: object) -> str:
    if not is_text(value):
        raise ValueRefused(f"message: must be a pattern, not {value!r:.80}")
    try:
        matches_all = re.search(str(value), "") is not None
    except re.error as error:
        problem = f"message: {value!r:.80} is no pattern: {error}; escape what is meant literally"
        raise ValueRefused(problem) from None
    if matches_all:
        raise ValueRefused(f"message: {value!r:.80} matches any message; say what it must name")
    return str(value)
