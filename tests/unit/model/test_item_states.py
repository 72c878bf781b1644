"""What became of an item: every row of the decision."""

from __future__ import annotations

import itertools

import pytest

from pytest_ptc.model.item_states import (
    BAD,
    FINE,
    ItemState,
    PhaseReport,
    final_report,
    is_submitted,
    item_state,
    phase_outcome,
)

OUTCOMES = (None, "passed", "failed", "error", "skipped", "xfailed", "xpassed")
VERDICTS = (None, "pass", "fail", "skip", "error")


@pytest.mark.parametrize(
    ("phase", "outcome", "more", "told"),
    [
        ("setup", "passed", {}, None),
        ("setup", "failed", {}, "error"),
        ("setup", "skipped", {}, "skipped"),
        ("setup", "skipped", {"expected": True}, "xfailed"),
        ("call", "passed", {}, "passed"),
        ("call", "passed", {"expected": True}, "xpassed"),
        ("call", "failed", {}, "failed"),
        ("call", "failed", {"expected": True}, "failed"),
        ("call", "skipped", {}, "skipped"),
        ("call", "skipped", {"expected": True}, "xfailed"),
        ("call", "rerun", {"category": "rerun"}, None),
        ("setup", "rerun", {"category": "rerun"}, None),
        ("teardown", "passed", {}, None),
        ("teardown", "skipped", {}, None),
        ("teardown", "failed", {}, "error"),
        # Plugins may call it worse than it is, and not better.
        ("call", "passed", {"category": "failed"}, "failed"),
        ("call", "skipped", {"category": "error"}, "error"),
        ("teardown", "passed", {"category": "error"}, "error"),
        ("call", "failed", {"category": "passed"}, "failed"),
        ("call", "failed", {"category": ""}, "failed"),
        ("call", "passed", {"category": "fine"}, "passed"),
        # Of a part of a test, only what is bad counts.
        ("call", "passed", {"part": True, "category": "subtests passed"}, None),
        ("call", "skipped", {"part": True}, None),
        ("call", "skipped", {"part": True, "expected": True}, None),
        ("call", "failed", {"part": True}, "failed"),
    ],
)
def test_what_a_report_says_of_its_item(
    phase: str, outcome: str, more: dict[str, object], told: str | None
) -> None:
    """By phase, outcome, expectation, and what plugins call it."""
    said = phase_outcome(phase, outcome, **{"expected": False, **more})  # type: ignore[arg-type]
    assert said == told


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        ([], None),
        ([None, None], None),
        ([None, "passed", None], 1),
        (["passed", "error"], 1),
        (["failed", "error"], 0),
        (["error", "failed"], 1),
        (["failed", "passed"], 0),
        (["failed", "failed"], 0),
        (["passed", "skipped"], 1),
    ],
)
def test_the_worst_report_decides(outcomes: list[str | None], told: int | None) -> None:
    """A later good one hides nothing, and of several bad ones the first says why."""
    reports = [PhaseReport("call", outcome, str(place)) for place, outcome in enumerate(outcomes)]
    assert final_report(reports) is (None if told is None else reports[told])


@pytest.mark.parametrize(
    ("outcome", "verdict", "more", "state"),
    [
        ("passed", "pass", {}, ItemState.PASSED),
        ("passed", "pass", {"blocked": True}, ItemState.FAILED),
        ("passed", "pass", {"blocked": True, "gate": False}, ItemState.PASSED),
        ("passed", "fail", {}, ItemState.FAILED),
        ("passed", "skip", {}, ItemState.FAILED),
        ("passed", "fail", {"gate": False}, ItemState.PASSED),
        ("passed", "error", {"gate": False}, ItemState.ERROR),
        ("passed", None, {"cause": "timeout"}, ItemState.ERROR),
        ("passed", None, {}, ItemState.ERROR),
        ("xpassed", None, {}, ItemState.ERROR),
        ("xfailed", "fail", {}, ItemState.XFAILED),
        ("xfailed", None, {"cause": "timeout"}, ItemState.ERROR),
        ("skipped", "pass", {}, ItemState.SKIPPED),
        ("skipped", "skip", {}, ItemState.SKIPPED),
        ("skipped", "fail", {}, ItemState.FAILED),
        ("skipped", None, {}, ItemState.SKIPPED),
        ("skipped", None, {"cause": "timeout"}, ItemState.ERROR),
        ("failed", "pass", {}, ItemState.FAILED),
        ("error", "pass", {}, ItemState.ERROR),
        (None, "pass", {}, ItemState.UNREPORTED),
        (None, "pass", {"blocked": True}, ItemState.UNRESOLVED),
        (None, "skip", {}, ItemState.UNREPORTED),
        (None, "fail", {}, ItemState.UNRESOLVED),
        (None, None, {}, ItemState.UNDONE),
        (None, None, {"cause": "run stopped"}, ItemState.UNDONE),
        (None, None, {"cause": "timeout"}, ItemState.UNRESOLVED),
    ],
)
def test_the_state_of_an_item(
    outcome: str | None, verdict: str | None, more: dict[str, object], state: ItemState
) -> None:
    """By pytest's word, and by what the agent recorded."""
    assert item_state(outcome, verdict=verdict, **more) is state  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "verdict", "cause", "gate", "blocked"),
    list(itertools.product(OUTCOMES, VERDICTS, (None, "timeout"), (True, False), (True, False))),
)
def test_green_is_a_passed_test_with_a_verdict_that_lets_it_pass(
    outcome: str | None, verdict: str | None, cause: str | None, gate: bool, blocked: bool
) -> None:
    """Whatever else is combined."""
    state = item_state(outcome, verdict=verdict, cause=cause, gate=gate, blocked=blocked)
    if state is ItemState.PASSED:
        assert outcome == "passed"
        assert verdict in (("pass",) if gate else ("pass", "skip", "fail"))
        assert not (gate and blocked)
    if outcome in ("failed", "error", None):
        assert state in BAD


def test_every_state_is_good_or_bad() -> None:
    """A new one must be decided on."""
    assert set(ItemState) == BAD | FINE
    assert not BAD & FINE


def test_work_that_a_test_submits_is_known_by_its_name() -> None:
    """A parameter that looks like it is not at the end."""
    assert is_submitted("t.py::test_a::submit[12]")
    assert not is_submitted("t.py::test_a[::submit[1]]")
