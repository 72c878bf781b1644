"""The JSON document of a run and its schema."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import get_args

import jsonschema
import pytest

from pytest_ptc.model.baseline import PastStatus
from pytest_ptc.model.choices import FailOn
from pytest_ptc.model.item_states import ItemState
from pytest_ptc.model.trouble import Cause
from pytest_ptc.model.verdict import Excuse, FindingState, Severity, VerdictKind
from pytest_ptc.reporting.document import document, document_text
from pytest_ptc.reporting.formats.github import step_summary
from pytest_ptc.reporting.formats.gitlab import gitlab_text
from pytest_ptc.reporting.formats.sarif import sarif_text
from pytest_ptc.reporting.issues import issues_of
from pytest_ptc.reporting.page.page import page
from pytest_ptc.reporting.result_lines import result_lines
from tests.support.documents import Item, document_of, finding, run_of

SCHEMA = json.loads((files("pytest_ptc.reporting") / "run-report.schema.json").read_text())


@pytest.mark.parametrize(
    ("place", "field", "known"),
    [
        ("trouble", "cause", Cause),
        ("task", "state", ItemState),
        ("verdict", "verdict", VerdictKind),
        ("finding", "severity", Severity),
    ],
)
def test_the_schema_has_every_word_that_a_document_may_have(
    place: str, field: str, known: type[Cause | ItemState | VerdictKind | Severity]
) -> None:
    """And no other: a reader may rely on the lists."""
    named = SCHEMA["$defs"][place]["properties"][field]["enum"]
    assert sorted(named) == sorted(one.value for one in known)


def test_the_schema_has_every_excuse_state_and_threshold() -> None:
    defined = SCHEMA["$defs"]
    finding = defined["finding"]["properties"]
    assert finding["excuse"]["enum"] == [*(one.value for one in Excuse), None]
    assert finding["state"]["enum"] == [*(one.value for one in FindingState), None]
    assert defined["past_finding"]["properties"]["status"]["enum"] == [
        one.value for one in PastStatus
    ]
    assert defined["task"]["properties"]["fail_on"]["enum"] == list(get_args(FailOn))


def test_a_document_of_everything_meets_its_schema() -> None:
    """Findings, troubles, kept verdicts, items that nobody judged, and teardowns that broke."""
    items = [
        Item("t.py::test_a", "failed", "fail", (finding("high", path="a.py", line=1),)),
        Item("t.py::test_b", "error", trouble=("timeout", "late")),
        Item("t.py::test_c", resumed="r0"),
        Item("t.py::test_d", None, None),
        Item("t.py::test_e", "error", event={"phase": "teardown", "message": "no"}),
    ]
    made = document_of(*items)
    jsonschema.validate(made, SCHEMA)
    assert [task["state"] for task in made["tasks"]] == [
        *("failed", "error", "passed", "undone", "error")
    ]
    assert made["tasks"][0]["verdict"]["findings"] == [
        {
            "severity": "high",
            "message": "m",
            "path": "a.py",
            "line": 1,
            "rule": None,
            "quote": None,
            "blocks": True,
            "anchor": None,
            "touched": None,
            "misplaced": "",
            "named_by": None,
            "votes": None,
            "check": None,
            "state": None,
            "excuse": None,
            "why": "",
        }
    ]


def test_a_blind_judge_is_in_every_report() -> None:
    """A missed defect is an issue, its findings are none, and the run has the reason first."""
    canary = {
        "kind": "canary",
        "expect": {"path": "a.py", "rules": ["eval"], "message": None, "line": None},
        "tolerated": True,
    }
    control = {"kind": "control", "expect": None, "tolerated": False}
    found = (finding("high", path="b.py"),)
    told = run_of(
        Item("t.py::test_a", "xfailed", "fail", found, spec={"self_test": canary}),
        Item("t.py::test_b", "failed", "fail", found, spec={"self_test": control}),
        Item("t.py::test_c"),
        status=1,
        min_catch="0.5",
    )
    made = document(told)
    jsonschema.validate(made, SCHEMA)
    assert [task["self_test"] and task["self_test"]["outcome"] for task in made["tasks"]] == [
        *("missed", "refused", None)
    ]
    blind = "blind judge: 0 of 1 planted defects found, --ptc-min-catch=0.5 asks for 1"
    assert made["judge"]["blind"][0].startswith(blind)
    assert made["run"]["why_not_successful"].startswith(blind)
    issues = [(issue.rule, issue.nodeid) for issue in issues_of(told) if issue.fails]
    assert issues == [("ptc/judge", "t.py::test_b"), ("ptc/judge", "the run")]
    assert [issue.path for issue in issues_of(told) if not issue.expected and not issue.fails] == []
    for text in (page(told), step_summary(told), sarif_text(told), gitlab_text(told)):
        assert "blind judge" in text.replace("&#58;", ":")
    assert "<title>The judge is blind; 1 failed - ptc run" in page(told)
    # While a run is active, what is not judged yet is no miss.
    early = run_of(
        Item(outcome=None, verdict=None, spec={"self_test": canary}), over=False, min_catch="0.5"
    )
    assert early.judge.blind == []
    assert early.judge.text == "judge: 0 of 1 planted defect found; not judged: test_a.py::test_it"
    assert "judge: 0 of 1 planted defect found, 1 of 1 control failed" in "\n".join(
        result_lines(told)
    )


@pytest.mark.parametrize("items", [0, 1, 3])
def test_the_text_is_that_of_the_document_in_lines(items: int) -> None:
    """It is made a task at a time, and is what it would be if it were made at once."""
    found = (finding("high", "two\nlines"), finding("low", "\u2028 é"))
    told = run_of(*(Item(f"t.py::test_{n}", "failed", "fail", found) for n in range(items)))
    text = document_text(told)
    assert text == json.dumps(document(told), indent=1) + "\n"
    assert text.isascii()
