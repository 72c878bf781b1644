"""What the result of a task makes of its item, before the item's own body has a say. Pure.

    verdict pass                     the body runs, and its outcome is the item's
    verdict fail                     failed; as a pass where each of its findings is excused
    a finding as bad as `fail_on`    failed
    verdict skip                     skipped; an error with `ptc_on_skip = error`, or for an item
                                     that must fail
    verdict error, or any trouble    error

    a test of the judge              passed without its body where a planted defect is found;
                                     failed where it is missed, or a clean item refused; expected,
                                     where a minimum rate tolerates that; else as a pass, or an
                                     error

With `gate=False` the body judges a verdict of pass, fail or skip alone. An item without a verdict
that counts is never anything but an error or a failure.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from pytest_ptc.model.self_test import JudgeOutcome
from pytest_ptc.model.verdict import VerdictKind

if TYPE_CHECKING:
    from pytest_ptc.model.result import Result
    from pytest_ptc.model.self_test import SelfTest


class Ruling(Enum):
    """What becomes of an item by its result."""

    #: The item's own body decides.
    BODY = "body"
    FAILED = "failed"
    SKIPPED = "skipped"
    #: Nothing was judged.
    ERROR = "error"
    #: A skip where that is no pass.
    SKIP_IS_ERROR = "skip is an error"
    #: A planted defect is found: the body, which judges by the verdict, has nothing to say.
    FOUND = "found"
    #: A test of the judge that missed, where a minimum rate decides.
    TOLERATED = "tolerated"


def ruling_on(result: Result | None, *, must_fail: bool = False) -> Ruling:
    """Return what becomes of an item.

    Args:
        result: How its task ended; None where it has none.
        must_fail: Whether the item must fail, by `xfail(strict=True)`: it is a canary, and one that
            was skipped has found nothing.
    """
    if result is None or result.verdict is None:
        return Ruling.ERROR
    if result.spec.self_test is not None:
        return _ruling_on_test(result, result.spec.self_test)
    if result.refused:
        return Ruling.FAILED
    kind = result.verdict.counts_as
    if kind is VerdictKind.ERROR:
        return Ruling.ERROR
    if kind is VerdictKind.SKIP and result.spec.gate:
        strict = must_fail or result.spec.on_skip == "error"
        return Ruling.SKIP_IS_ERROR if strict else Ruling.SKIPPED
    return Ruling.BODY


def _ruling_on_test(result: Result, test: SelfTest) -> Ruling:
    match result.test_outcome:
        case JudgeOutcome.FOUND:
            return Ruling.FOUND
        case JudgeOutcome.CLEARED:
            return Ruling.BODY
        case JudgeOutcome.MISSED | JudgeOutcome.REFUSED:
            return Ruling.TOLERATED if test.tolerated else Ruling.FAILED
    skipped = result.verdict is not None and result.verdict.verdict is VerdictKind.SKIP
    return Ruling.SKIP_IS_ERROR if skipped else Ruling.ERROR


def is_no_skip(outcome: str, result: Result | None, *, expected: bool) -> bool:
    """Tell whether a report that says skipped must say failed.

    Args:
        outcome: The report's outcome.
        result: How the task of its item ended; None where it has none.
        expected: Whether `xfail` made it of a failure that was expected.
    """
    if outcome != "skipped":
        return False
    test = result.spec.self_test if result is not None else None
    if expected and result is not None and test is not None:
        # Only a minimum rate makes an expected failure of a miss.
        return not result.judged or (result.refused and not test.tolerated)
    if expected:
        # `xfail` takes any exception for the expected one; that nobody judged the item is not it.
        return result is None or not result.judged
    # A hook of somebody else's that skips may come before ours, and does not take back a fail.
    return result is not None and result.refused
