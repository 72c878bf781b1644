"""What is known, old or turned down is in every report, as what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_ptc.model.baseline import baseline_of
from pytest_ptc.model.known import KnownEntry, KnownFindings
from pytest_ptc.model.verdict import Excuse, FindingState
from pytest_ptc.reporting.document import document
from pytest_ptc.reporting.formats.comment import comment
from pytest_ptc.reporting.formats.github import annotation_lines, step_summary
from pytest_ptc.reporting.formats.gitlab import gitlab
from pytest_ptc.reporting.formats.sarif import sarif
from pytest_ptc.reporting.issues import issues_of
from pytest_ptc.reporting.past_runs import past_run
from tests.support.found import found, judged, run_with
from tests.support.reported import SCHEMA as DOCUMENT_SCHEMA

SCHEMA = json.loads((Path(__file__).parents[3] / "data/sarif-2.1.0.schema.json").read_text())
FIRST = run_with(judged("a", found("back", 50)), run_id="r", began=0.5)
BEFORE = run_with(judged("a", found("old", 20), found("gone", 90)), run_id="r0")
KNOWN = KnownFindings(
    file="known.yaml",
    today="2027-01-31",
    entries=(
        KnownEntry(
            number=1, line=1, reason="ours", rule="sql", path="src/a.py", until="2099-01-01"
        ),
        KnownEntry(number=2, line=5, reason="r", rule="x", path="*", until="2020-01-01"),
    ),
)
#: A finding of each kind, all of them in one verdict.
RUN = run_with(
    judged(
        "a",
        found("sql", 10, excuse=Excuse.KNOWN, why="ours | <b>", state=FindingState.NEW),
        found("old", 20, excuse=Excuse.BASELINE, state=FindingState.OPEN),
        found("style", 30, excuse=Excuse.PRE_EXISTING, state=FindingState.NEW),
        found("no", 40, excuse=Excuse.REFUTED, why="line 40: checked"),
        found("back", 50, state=FindingState.REGRESSED),
        found("new", 60, severity="low", state=FindingState.NEW),
    ),
    known=KNOWN,
    baseline=baseline_of(past_run(BEFORE), [past_run(FIRST)], "run r0"),
)
RULES = {"sql", "old", "style", "no", "back", "new"}


def results() -> dict[str, dict[str, Any]]:
    """Return the results of the run as SARIF, by their rules."""
    made = sarif(RUN)
    jsonschema.validate(made, SCHEMA)
    return {result["ruleId"]: result for result in made["runs"][0]["results"]}


def test_nothing_is_dropped_and_what_is_excused_comes_last() -> None:
    """What is left out, code scanning takes for fixed; what is gone is."""
    assert [issue.rule for issue in issues_of(RUN)] == ["back", "new", "sql", "old", "style", "no"]
    assert set(results()) == RULES
    assert {entry["check_name"] for entry in gitlab(RUN)} == RULES


@pytest.mark.parametrize(
    ("rule", "state", "justification"),
    [
        ("sql", "new", "ours | <b>"),
        ("old", "unchanged", None),
        ("style", "new", None),
        ("no", "new", "refuted: line 40: checked"),
        ("back", "new", None),
        ("new", "new", None),
    ],
)
def test_sarif_has_a_state_for_each_and_suppresses_what_was_turned_down(
    rule: str, state: str, justification: str | None
) -> None:
    result = results()[rule]
    assert result["baselineState"] == state
    suppression = {"kind": "external", "status": "accepted", "justification": justification}
    assert result["suppressions"] == ([suppression] if justification else [])


def test_without_a_baseline_there_are_no_states() -> None:
    made = sarif(BEFORE)
    jsonschema.validate(made, SCHEMA)
    assert not any("baselineState" in result for result in made["runs"][0]["results"])


def test_github_is_told_what_is_excused() -> None:
    """As a notice, whatever its severity."""
    lines = annotation_lines(RUN)
    kinds = {line.split("title=")[1].split("%3A")[0]: line.split(" ")[0] for line in lines}
    assert kinds == {
        "high back": "::error",
        "low new": "::error",
        "high sql (known)": "::notice",
        "high old (in the baseline)": "::notice",
        "high style (pre-existing)": "::notice",
        "high no (refuted)": "::notice",
    }


def test_the_summary_has_the_reasons_and_what_is_void() -> None:
    text = step_summary(RUN)
    assert text in comment(RUN, {})
    excused = "excused: 1 known, 1 in the baseline, 1 pre-existing, 1 refuted"
    assert f"### 6 findings: 5 high, 1 low; {excused}" in text
    assert "new, known&#58; ours &#124; &#60;b&#62;" in text
    assert (
        "known finding 2 &#40;x in &#42;&#41; is void&#58; its date, 2020-01-01, has pass" in text
    )
    assert "against run r0&#58; 3 new, 1 open, 1 regressed, 1 gone" in text


def test_the_document_tells_of_lists_and_states() -> None:
    made = document(RUN)
    jsonschema.validate(made, DOCUMENT_SCHEMA)
    voids = [entry["void"] for entry in made["run"]["known"]["entries"]]
    assert voids == [None, "its date, 2020-01-01, has passed"]
    assert [one["rule"] for one in made["run"]["baseline"]["gone"]] == ["gone"]
    found_there = made["tasks"][0]["verdict"]["findings"]
    assert [(one["excuse"], one["state"], one["blocks"]) for one in found_there[:2]] == [
        ("known", "new", False),
        ("in the baseline", "open", False),
    ]
