"""How often an agent used a tool: a field that evidence is decided by."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ptc.model.result import Attempt, AttemptReport
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.verdicts.report_json import report_from_json

FIELDS: dict[str, Any] = {
    "attempt": Attempt(task_id="7", number=1, worker="w1"),
    "seconds": 1.0,
    "verdict": Verdict(verdict=VerdictKind.PASS, summary="fine"),
}


@pytest.mark.parametrize("tool_calls", [None, 0, 3])
def test_tool_calls_come_back_as_they_were(tool_calls: int | None) -> None:
    """Journals and reports have them among the facts about the agent."""
    report = AttemptReport(**FIELDS, about={"model": "m"}, tool_calls=tool_calls)
    facts = report.to_json()["about"]
    assert facts == {"model": "m"} | ({} if tool_calls is None else {"tool_calls": tool_calls})
    assert report_from_json(report.to_json()) == report


@pytest.mark.parametrize("said", ["3", 1.5, True, None, [1]])
def test_what_is_no_number_of_tool_calls_is_none(said: object) -> None:
    """Nobody knows how the agent looked, which is no evidence."""
    assert AttemptReport.with_facts({"tool_calls": said}, **FIELDS).tool_calls is None


def test_facts_that_are_none_are_refused() -> None:
    """As whatever else is not a report."""
    with pytest.raises(TypeError):
        AttemptReport.with_facts([("model", "m")], **FIELDS)  # type: ignore[arg-type]


def test_tool_calls_are_no_other_fact() -> None:
    """There is one place for them."""
    with pytest.raises(ValueError, match="tool_calls is a field"):
        AttemptReport(**FIELDS, about={"tool_calls": 3})
