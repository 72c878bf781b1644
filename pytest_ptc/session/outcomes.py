"""From a task's result to its item's outcome, as pytest takes it: raised, or put into a report.

`ruling.py` decides. What is failed is failed in the call phase, before any fixture is set up: one
that skips would hide it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.model.greenness import state_of
from pytest_ptc.model.item_states import PhaseReport, final_report, phase_outcome
from pytest_ptc.model.ruling import Ruling, is_no_skip, ruling_on
from pytest_ptc.model.verdict import VerdictKind
from pytest_ptc.reporting.task_report import TaskReport
from pytest_ptc.reporting.terminal.failure import failure_text
from pytest_ptc.system import pytest_internals
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_ptc.model.result import Result


class SetUpBypassed(pytest_internals.Failed):
    """The item has failed by its verdict: nothing is set up for it, and its call says so."""


def raise_in_setup(result: Result, journal: Path, *, canary: bool) -> None:
    """End the item in its setup phase if its result has nothing for the call phase.

    Args:
        result: How its task ended.
        journal: The run's folder, as a reader should find it.
        canary: Whether the item must fail, by `xfail(strict=True)`.

    Raises:
        SetUpBypassed: It fails, in the call phase.
    """
    match ruling_on(result, must_fail=canary):
        case Ruling.FAILED:
            raise SetUpBypassed(_text(result, journal), pytrace=False)
        case Ruling.ERROR:
            pytest.fail(_text(result, journal), pytrace=False)
        case Ruling.SKIP_IS_ERROR:
            test = result.spec.self_test
            why = "the canary was not judged" if canary else "ptc_on_skip is error"
            why = why if test is None else f"the {test.kind} was not judged"
            pytest.fail(f"{_text(result, journal)}\n{why}: a skip is not a pass", pytrace=False)
        case Ruling.TOLERATED:
            reason = TaskReport.of(result).reason
            pytest.xfail(printable(f"{reason.label} (a minimum rate decides)"))
            # `--runxfail` makes nothing of that.
            raise SetUpBypassed(_text(result, journal), pytrace=False)
        case Ruling.FOUND:
            # Its fixtures are its body's, which does not run.
            raise SetUpBypassed("planted defect found", pytrace=False)
        case Ruling.SKIPPED:
            assert result.verdict is not None, "a skip is a verdict"
            pytest.skip(printable(result.verdict.summary))
        case Ruling.BODY:
            return


def _text(result: Result, journal: Path) -> str:
    return failure_text(TaskReport.of(result), journal)


def add_properties(item: pytest.Item, result: Result) -> None:
    """Add the properties of an item's task to its reports; for a rerun, of the last task."""
    usage = result.usage
    properties = {
        "ptc_verdict": (result.verdict.counts_as if result.verdict else VerdictKind.ERROR).value,
        "ptc_worker": result.worker,
        "ptc_attempts": len(result.reports),
        "ptc_cost_usd": usage.cost_usd if usage else None,
        "ptc_resumed": result.resumed,
    }
    others = [entry for entry in item.user_properties if entry[0] not in properties]
    known = [(name, value) for name, value in properties.items() if value is not None]
    item.user_properties[:] = [*others, *known]


def add_state(
    report: pytest.TestReport, result: Result | None, reports: Sequence[PhaseReport]
) -> None:
    """Add the item's state to the report of its teardown, for JUnit XML."""
    last = PhaseReport("teardown", "error" if report.outcome == "failed" else None)
    final = final_report([*reports, last])
    state = state_of(final.outcome if final else None, result)
    report.user_properties.append(("ptc_state", state.value))


def raise_in_call(result: Result | None, journal: Path, otherwise: str) -> None:
    """Fail the item in its call phase unless its verdict lets its body run."""
    if result is None or result.verdict is None:
        pytest.fail(printable(f"ptc error: {otherwise}"), pytrace=False)
    if ruling_on(result) not in (Ruling.BODY, Ruling.FOUND):
        pytest.fail(_text(result, journal), pytrace=False)


@contextlib.contextmanager
def body_left_out(item: pytest.Item, result: Result | None) -> Iterator[None]:
    """Have the item's body not run within the block if a planted defect is found.

    It would judge the verdict on a reviewed item: that one is a fail, as it must be.
    """
    if ruling_on(result) is not Ruling.FOUND:
        yield
        return
    item.runtest = lambda: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        del item.runtest


def add_extras(report: pytest.TestReport, result: Result) -> None:
    """Give pytest-html what an item came to, and each of its attempts, to be unfolded there.

    The form is that of pytest-html 4: an extra is a plain mapping.
    """
    if report.when != "call" and report.passed:
        return
    content = {
        "verdict": result.verdict.to_json() if result.verdict else None,
        "trouble": result.trouble.to_json() if result.trouble else None,
        "resumed": result.resumed,
        "attempts": [attempt.to_json() for attempt in result.reports],
    }
    extra = {
        "name": "ptc",
        "format_type": "json",
        "content": content,
        "mime_type": "application/json",
        "extension": "json",
    }
    report.extras = [*getattr(report, "extras", []), extra]  # type: ignore[attr-defined]


def phase_report(report: pytest.TestReport, config: pytest.Config) -> PhaseReport:
    """Return what pytest finally reports of one phase of an item.

    Plugins are asked, as the terminal asks them: one may call a report what it likes, and may still
    change it there, as pytest does with a test whose subtests failed.
    """
    told = config.hook.pytest_report_teststatus(report=report, config=config)
    outcome = phase_outcome(
        report.when,
        report.outcome,
        expected=hasattr(report, "wasxfail"),
        category=told[0] if told else None,
        # Reports of subtests are made by pytest 9, and by pytest-subtests before that.
        part=type(report) is not pytest.TestReport and hasattr(report, "context"),
    )
    return PhaseReport(report.when, outcome, first_line(report), expected_why(report))


def first_line(report: pytest.TestReport) -> str | None:
    """Return the first line of why an item did not pass."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    # Of a failing body, the exception and not the first line of the source that is shown.
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext
    lines = text.removeprefix("Failed: ").strip().splitlines()
    return lines[0] if lines else None


def expected_why(report: pytest.TestReport) -> str | None:
    """Return why an item was expected to fail, which may be empty; None where it was not."""
    reason = getattr(report, "wasxfail", None)
    # So begins what a test says that calls `pytest.xfail`.
    return None if reason is None else str(reason).removeprefix("reason: ")


def finish_report(
    report: pytest.TestReport,
    call: pytest.CallInfo[None],
    item: pytest.Item,
    result: Result | None,
    journal: Path,
) -> None:
    """Set right what `xfail` and skips made of trouble and of a fail; say where a skip is from."""
    error = call.excinfo.value if call.excinfo is not None else None
    verdict = result.verdict if result is not None else None
    expected = hasattr(report, "wasxfail")
    if is_no_skip(report.outcome, result, expected=expected):
        report.outcome = "failed"
        if expected:
            del report.wasxfail
        elif result is not None:
            report.longrepr = _text(result, journal)
    ours = verdict is not None and verdict.verdict is VerdictKind.SKIP and call.when == "setup"
    if ours and isinstance(error, pytest.skip.Exception) and report.skipped:
        path, line, _ = item.location
        report.longrepr = (str(path), (line or 0) + 1, f"Skipped: {error.msg}")
