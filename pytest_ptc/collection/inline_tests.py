"""Tests of the judge among the items of `ptc run`: `--canary FILE:RULE` and `--control FILE`. Pure.

Each is one more item beside those that are to be judged: the file has a planted defect, which one
finding must name by its rule or by a pattern, or it is clean.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_ptc.collection.self_test_marks import canary_of
from pytest_ptc.model.errors import ListingError, ValueRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: A file, and behind its last colon a rule, or a pattern between slashes.
_CANARY = re.compile(r"(?P<path>.+?):(/(?P<message>.+)/|(?P<rule>[^/:][^:]*))", re.DOTALL)
#: What a changed file has beside its name: of one that changed in no remarkable way.
_OF_A_CHANGE = {"status": "modified", "old": "", "change": ""}


def inline_tests(
    canaries: Sequence[str], controls: Sequence[str]
) -> dict[str, Mapping[str, Any] | None]:
    """Return the files that test the judge, with the finding that is expected; None for a control.

    Raises:
        ListingError: One cannot be used, or is there twice.
    """
    tests: dict[str, Mapping[str, Any] | None] = {}
    for text in canaries:
        found = _CANARY.fullmatch(text)
        if found is None:
            raise ListingError(f"--canary {text!r:.80}: write FILE:RULE, or FILE:/pattern/")
        # Braces in a name are its own.
        expected = {"path": _escaped(found["path"])}
        if found["rule"] is not None:
            expected["rule"] = _escaped(found["rule"])
        else:
            expected["message"] = found["message"]
        try:
            canary_of(expected, {})
        except ValueRefused as error:
            raise ListingError(f"--canary {text!r:.80}: {error}") from None
        _add(tests, "--canary", found["path"], expected)
    for path in controls:
        if not path.strip():
            raise ListingError("--control: is empty; name a clean file")
        _add(tests, "--control", path, None)
    return tests


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _add(
    tests: dict[str, Mapping[str, Any] | None],
    option: str,
    path: str,
    expected: Mapping[str, Any] | None,
) -> None:
    if path in tests:
        raise ListingError(f"{option} {path!r:.80}: is given twice; it is one item, leave one out")
    tests[path] = expected


def rows_with_tests(
    rows: Sequence[Mapping[str, Any]], tests: Mapping[str, object]
) -> tuple[str, list[dict[str, Any]]]:
    """Return the field that holds the file of each row, and the rows with those of the tests.

    Args:
        rows: The rows of the items.
        tests: The files that test the judge.

    Raises:
        ListingError: The items are no files, or one of them is a test as well.
    """
    if not rows:
        raise ListingError("--canary, --control: there are no other items to judge")
    field, *others = rows[0]
    if set(others) - set(_OF_A_CHANGE):
        raise ListingError(
            f"--canary, --control: items have several fields ({', '.join(rows[0])}), and a test "
            "would have one; use a *.ptc.md, whose key `canary` may stand beside `each`"
        )
    twice = next((row[field] for row in rows if row[field] in tests), None)
    if twice is not None:
        raise ListingError(f"{twice!r:.80}: is an item and a test of the judge; leave one out")
    more = [{field: path, **{name: _OF_A_CHANGE[name] for name in others}} for path in tests]
    return field, [*map(dict, rows), *more]
