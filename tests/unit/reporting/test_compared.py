"""A run against its baseline, and a baseline from a run's JSON report."""

from __future__ import annotations

import json

import pytest

from pytest_ptc.cli.diff import bounded
from pytest_ptc.journal.events import BaselineRead, event_from_json, event_to_json
from pytest_ptc.model.baseline import baseline_of
from pytest_ptc.model.errors import ReportError
from pytest_ptc.model.sightings import Sighting
from pytest_ptc.model.verdict import FindingState
from pytest_ptc.reporting.compared import compared, difference_json, difference_lines
from pytest_ptc.reporting.document import document, document_text
from pytest_ptc.reporting.list_lines import list_lines
from pytest_ptc.reporting.past_runs import past_run, past_run_in
from tests.support.found import found, judged, run_with, unjudged

BEFORE = run_with(
    judged("a", found(anchor="a1"), found("naming", 20, "a2")),
    judged("b", found("race", 5, "a3")),
    judged("c", found("xss", 7, "a4")),
    unjudged("d"),
    judged("e", kind="skip"),
    run_id="r0",
)
BASELINE = baseline_of(past_run(BEFORE), [], "run r0")
NOW = run_with(
    judged("a", found(anchor="a1", line=80)),
    judged("b", found("race", 50, "a5")),
    unjudged("c"),
    baseline=BASELINE,
)


def test_only_what_was_looked_for_is_gone() -> None:
    """An item without a verdict says nothing of what it would have found."""
    result = compared(NOW)
    assert result is not None
    assert [one.rule for one in result.gone] == ["naming", "race"]
    assert [one.rule for one in result.not_looked_for] == ["xss"]
    numbers = {"new": 1, "open": 1, "regressed": 0, "gone": 2, "not looked for": 1}
    assert result.counts == numbers
    text = "against run r0: 1 new, 1 open, 2 gone, 1 not looked for"
    assert [line.text for line in list_lines(NOW)] == [text]
    assert compared(BEFORE) is None
    assert list(difference_lines(result, verbose=True)) == [
        "new high src/a.py:50 race: a query of words",
        "gone high src/a.py:20 naming: a query of words",
        "gone high src/a.py:5 race: a query of words",
        "open high src/a.py:80 sql-injection: a query of words",
        "not looked for high src/a.py:7 xss: a query of words",
    ]
    assert len(list(difference_lines(result, verbose=False))) == 3
    told = difference_json(result)
    assert [one["rule"] for one in told["gone"]] == ["naming", "race"]
    assert (told["new"][0]["item"], told["new"][0]["line"]) == ("t.py::t[b]", 50)


def test_lines_of_a_difference_are_bounded() -> None:
    lines = [f"{number} " + "x" * 500 for number in range(100)]
    few = bounded(lines, 2000)
    assert sum(len(line) + 1 for line in few[:-1]) <= 2000
    assert few[-1] == f"{100 - len(few[:-1])} more; --all prints them"
    assert bounded(lines[:2], 2000) == [f"{line[:297]}..." for line in lines[:2]]


def test_a_json_report_is_as_good_as_its_run() -> None:
    assert past_run_in(document_text(BEFORE).encode()) == past_run(BEFORE)
    new = found("new", state=FindingState.NEW)
    failed = run_with(judged("a", new, found("old", 50), kind="pass", fail_on="new:high"))
    refused = [claim.refused for claim in past_run(failed).found["t.py::t[a]"]]
    assert refused == [True, False]
    assert past_run_in(document_text(failed).encode()) == past_run(failed)
    seen = past_run(BEFORE).found["t.py::t[a]"][0].seen
    assert seen == Sighting("src/a.py", 3, "sql-injection", "a1")
    assert set(past_run(BEFORE).found) == {"t.py::t[a]", "t.py::t[b]", "t.py::t[c]"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no JSON report of a run"),
        (b"[" * 100_000, "is no JSON report of a run"),
        (b'{"format": "x"}', "is no JSON report of a run: Object missing required field `version`"),
        (b"\xff", "is no JSON report of a run"),
    ],
)
def test_what_is_no_report_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(ReportError) as raised:
        past_run_in(content)
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": "2.0"}, "that this version reads"),
        ({"format": "other"}, "that this version reads"),
        ({"tasks": [{}]}, "`$.tasks[0]`"),
    ],
)
def test_a_report_of_another_form_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(ReportError) as raised:
        past_run_in(json.dumps({**document(BEFORE), **change}).encode())
    assert said in str(raised.value)


def test_the_journal_holds_the_baseline_as_it_was() -> None:
    event = BaselineRead(baseline=BASELINE)
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event
