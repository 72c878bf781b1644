"""From a result to what is raised, and what `xfail` and skips may not make of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_ptc.session.outcomes import SetUpBypassed, finish_report, raise_in_call, raise_in_setup
from tests.support.results import CRITICAL, result

if TYPE_CHECKING:
    from pytest_ptc.model.result import Result

JOURNAL = Path("runs/1")


def ends(ended: Result, *, canary: bool = False) -> str:
    """Return what an item comes to before its body: error, skipped, failed, or the body's own."""
    try:
        raise_in_setup(ended, JOURNAL, canary=canary)
        phase = "call"
        raise_in_call(ended, JOURNAL, "nothing")
    except SetUpBypassed:
        with pytest.raises(pytest.fail.Exception):
            raise_in_call(ended, JOURNAL, "nothing")
        return "failed"
    except pytest.skip.Exception:
        return "skipped"
    except pytest.fail.Exception:
        return "error"
    return f"{phase}: the body"


BODY = "call: the body"


@pytest.mark.parametrize(
    ("ended", "expected", "of_a_canary"),
    [
        pytest.param(result("pass"), BODY, BODY, id="pass"),
        pytest.param(result("fail"), "failed", "failed", id="fail"),
        pytest.param(result("skip"), "skipped", "error", id="skip"),
        pytest.param(result("skip", on_skip="error"), "error", "error", id="skip-error"),
        pytest.param(result("error"), "error", "error", id="error"),
        pytest.param(result(None), "error", "error", id="trouble"),
        pytest.param(
            result("pass", findings=CRITICAL, fail_on="high"), "failed", "failed", id="blocked"
        ),
        pytest.param(
            result("skip", findings=CRITICAL, fail_on="high"), "failed", "failed", id="skip-blocked"
        ),
        pytest.param(result("skip", findings=CRITICAL), "skipped", "error", id="skip-found"),
        pytest.param(result("fail", gate=False), BODY, BODY, id="fail-no-gate"),
        pytest.param(result("skip", gate=False, on_skip="error"), BODY, BODY, id="skip-no-gate"),
        pytest.param(result(None, gate=False), "error", "error", id="trouble-no-gate"),
    ],
)
def test_what_was_recorded_decides_before_any_fixture(
    ended: Result, expected: str, of_a_canary: str
) -> None:
    """A canary is an item that must fail: a skip has found nothing."""
    assert ends(ended) == expected
    assert ends(ended, canary=True) == of_a_canary


def test_without_a_result_the_body_does_not_run() -> None:
    """Whatever lost it."""
    with pytest.raises(pytest.fail.Exception, match="ptc error: gone"):
        raise_in_call(None, JOURNAL, "gone")


def finished(outcome: str, ended: Result | None, when: str = "call", **more: Any) -> Any:
    """Return a report after we have set it right."""
    report = SimpleNamespace(
        when=when, outcome=outcome, skipped=outcome == "skipped", longrepr=None, **more
    )
    item = SimpleNamespace(location=("test_a.py", 3, "test_it"))
    call = SimpleNamespace(excinfo=None, when=when)
    cast_item, cast_call = cast("pytest.Item", item), cast("Any", call)
    finish_report(cast("pytest.TestReport", report), cast_call, cast_item, ended, JOURNAL)
    return report


@pytest.mark.parametrize("kind", ["skip", "error", None])
def test_no_expected_failure_is_made_of_what_nobody_judged(kind: str | None) -> None:
    """`xfail` takes any exception for it."""
    report = finished("skipped", result(kind, gate=False), wasxfail="known")
    assert report.outcome == "failed"
    assert not hasattr(report, "wasxfail")


def test_an_expected_failure_of_a_fail_stays() -> None:
    """That is what a canary is for."""
    assert finished("skipped", result("fail"), wasxfail="known").outcome == "skipped"


@pytest.mark.parametrize("when", ["setup", "call"])
@pytest.mark.parametrize(
    "ended", [result("fail"), result("pass", findings=CRITICAL, fail_on="high")]
)
def test_a_skip_does_not_take_back_a_fail(ended: Result, when: str) -> None:
    """Whoever's hook it was, and whenever it came."""
    report = finished("skipped", ended, when)
    assert report.outcome == "failed"
    assert report.longrepr.startswith("ptc verdict: fail - ")


def test_a_skip_after_a_pass_stays() -> None:
    """A fixture may skip the body."""
    assert finished("skipped", result("pass"), "setup").outcome == "skipped"
