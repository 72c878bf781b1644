"""The keys `canary` and `control` of front matter. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_ptc.collection.front_matter import SuiteError
from pytest_ptc.text.template import fields_of

if TYPE_CHECKING:
    from collections.abc import Collection


def tests_of_judge(
    values: dict[str, Any], lines: Mapping[str, int], others: Collection[str]
) -> dict[str, Any]:
    """Take out of front matter what tests the judge, and return it.

    Args:
        values: What front matter says, by key.
        lines: The line of each key.
        others: What else it says of what is expected.

    Raises:
        SuiteError: It cannot be used, or contradicts the rest.
    """
    tests: dict[str, Any] = {}
    for name in ("canary", "control"):
        if name in values:
            tests[name] = values.pop(name)
    if not isinstance(tests.get("control", True), bool):
        raise SuiteError(lines["control"], "control: must be true or false")
    if tests.get("canary", True) is None:
        raise SuiteError(lines["canary"], "canary: is empty; write {path: ..., rule: ...}")
    meant = [name for name, value in tests.items() if value is not False]
    for other in ("control", "xfail"):
        if meant and other != meant[0] and other in (*meant, *others):
            problem = f"stands beside {meant[0]}, and expects something else; remove one"
            raise SuiteError(lines[other], f"{other}: {problem}")
    return tests


def only_expected(expected: object, seen: Collection[str]) -> frozenset[str]:
    """Return the parameters that only the expected finding names: they tell what is planted.

    Args:
        expected: The finding, as the front matter has it.
        seen: The parameters that the prompt and keywords name.
    """
    values = expected.values() if isinstance(expected, Mapping) else ()
    lists = [value if isinstance(value, list) else [value] for value in values]
    texts = [str(text) for one in lists for text in one]
    return frozenset(name for text in texts for name in fields_of(text)) - frozenset(seen)
