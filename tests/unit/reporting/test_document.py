"""The JSON document of a run and its schema."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import pytest

from pytest_ptc.model.item_states import ItemState
from pytest_ptc.model.trouble import Cause
from pytest_ptc.model.verdict import Severity, VerdictKind
from tests.support.documents import Item, document_of, finding

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
            "excuse": None,
            "why": "",
        }
    ]
