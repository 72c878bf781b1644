"""What is known, old or turned down is in every report, as what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_ptc.reporting.document import document
from pytest_ptc.reporting.formats.comment import comment
from pytest_ptc.reporting.formats.github import annotation_lines, step_summary
from pytest_ptc.reporting.formats.gitlab import gitlab
from pytest_ptc.reporting.formats.sarif import sarif
from pytest_ptc.reporting.issues import issues_of
from pytest_ptc.reporting.page.page import page
from tests.support.found import run_with_excuses
from tests.support.reported import SCHEMA as DOCUMENT_SCHEMA

SCHEMA = json.loads((Path(__file__).parents[3] / "data/sarif-2.1.0.schema.json").read_text())
RUN, BEFORE = run_with_excuses()
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


def test_sarif_tells_of_what_is_gone_and_void_without_a_result() -> None:
    told = sarif(RUN)["runs"][0]["properties"]
    assert told["baseline"]["counts"]["gone"] == 1
    assert len(told["voidKnown"]) == 1


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
    assert "&#41; is void&#58; its date, 2020-01-01, has passed" in text
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


def test_the_page_filters_by_what_is_new_and_what_is_excused() -> None:
    text = page(RUN)
    for flag in ("new", "excused"):
        assert f'data-value="{flag}">1 item with {flag} findings</a>' in text
    assert text.count('<li class="excused"') == 4 * 2  # with their item, and by file and rule
    assert text.count("<li data-new") == 2
    assert "run r0: 3 new, 1 open, 1 regressed, 1 gone" in text
    assert (
        "known finding 2 (x in *, known.yaml:5) is void: its date, 2020-01-01, has passed" in text
    )
