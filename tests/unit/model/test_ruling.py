"""What a result makes of its item: a row for every kind of result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_ptc.model.ruling import Ruling, is_no_skip, ruling_on
from tests.support.results import CRITICAL, result

if TYPE_CHECKING:
    from pytest_ptc.model.result import Result

BODY, FAILED, SKIPPED = Ruling.BODY, Ruling.FAILED, Ruling.SKIPPED
ERROR, SKIP_IS_ERROR = Ruling.ERROR, Ruling.SKIP_IS_ERROR


@pytest.mark.parametrize(
    ("ended", "ruling", "of_a_canary"),
    [
        pytest.param(None, ERROR, ERROR, id="no result"),
        pytest.param(result(None), ERROR, ERROR, id="trouble"),
        pytest.param(result(None, gate=False), ERROR, ERROR, id="trouble, no gate"),
        pytest.param(result("error"), ERROR, ERROR, id="error"),
        pytest.param(result("error", gate=False), ERROR, ERROR, id="error, no gate"),
        pytest.param(result("pass"), BODY, BODY, id="pass"),
        pytest.param(result("pass", findings=CRITICAL), BODY, BODY, id="pass, found"),
        pytest.param(
            result("pass", findings=CRITICAL, fail_on="critical"),
            FAILED,
            FAILED,
            id="pass, blocked",
        ),
        pytest.param(
            result("pass", findings=CRITICAL, fail_on="info", gate=False),
            BODY,
            BODY,
            id="pass, blocked, no gate",
        ),
        pytest.param(result("fail"), FAILED, FAILED, id="fail"),
        pytest.param(result("fail", gate=False), BODY, BODY, id="fail, no gate"),
        pytest.param(result("skip"), SKIPPED, SKIP_IS_ERROR, id="skip"),
        pytest.param(result("skip", findings=CRITICAL), SKIPPED, SKIP_IS_ERROR, id="skip, found"),
        pytest.param(
            result("skip", findings=CRITICAL, fail_on="high"), FAILED, FAILED, id="skip, blocked"
        ),
        pytest.param(
            result("skip", on_skip="error"), SKIP_IS_ERROR, SKIP_IS_ERROR, id="skip, an error"
        ),
        pytest.param(result("skip", gate=False, on_skip="error"), BODY, BODY, id="skip, no gate"),
    ],
)
def test_what_becomes_of_an_item_by_its_result(
    ended: Result | None, ruling: Ruling, of_a_canary: Ruling
) -> None:
    """A canary is an item that must fail: a skip has found nothing."""
    assert ruling_on(ended) is ruling
    assert ruling_on(ended, must_fail=True) is of_a_canary


def test_a_body_runs_only_by_a_verdict_that_lets_it() -> None:
    """Whatever else is combined: without a verdict that counts, no body makes an item green."""
    kinds = (None, "pass", "fail", "skip", "error")
    for kind in kinds:
        for gate in (True, False):
            for fail_on in ("verdict", "high"):
                ended = result(kind, findings=CRITICAL, gate=gate, fail_on=fail_on)
                lets = kind == "pass" and fail_on == "verdict"
                judged_by_body = not gate and kind not in (None, "error")
                assert (ruling_on(ended) is BODY) == (lets or judged_by_body)


def blocked(kind: str, *, gate: bool = True) -> Result:
    """Return a result with a finding as bad as its threshold."""
    return result(kind, findings=CRITICAL, fail_on="high", gate=gate)


@pytest.mark.parametrize(
    ("ended", "of_a_skip", "of_an_expected_failure"),
    [
        pytest.param(None, False, True, id="no result"),
        pytest.param(result(None), False, True, id="trouble"),
        pytest.param(result("error"), False, True, id="error"),
        pytest.param(result("skip"), False, True, id="skip"),
        pytest.param(blocked("skip"), True, True, id="skip, blocked"),
        pytest.param(result("pass"), False, False, id="pass"),
        pytest.param(blocked("pass"), True, False, id="pass, blocked"),
        pytest.param(blocked("pass", gate=False), False, False, id="pass, no gate"),
        pytest.param(result("fail"), True, False, id="fail"),
        pytest.param(result("fail", gate=False), False, False, id="fail, no gate"),
    ],
)
def test_no_skip_takes_back_a_fail_and_nothing_unjudged_is_an_expected_failure(
    ended: Result | None, of_a_skip: bool, of_an_expected_failure: bool
) -> None:
    """Pytest has one outcome for both; any other outcome is left as it is."""
    assert is_no_skip("skipped", ended, expected=False) is of_a_skip
    assert is_no_skip("skipped", ended, expected=True) is of_an_expected_failure
    for outcome in ("passed", "failed"):
        for expected in (True, False):
            assert not is_no_skip(outcome, ended, expected=expected)
