"""What the acceptance tests of reports share."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema

from pytest_ptc.reporting.document import document
from pytest_ptc.reporting.story import run_report
from tests.support.documents import events_from
from tests.support.journals import read_events

if TYPE_CHECKING:
    from tests.support.suite import Suite


SCHEMA = json.loads((files("pytest_ptc.reporting") / "run-report.schema.json").read_text())
FINDING = (
    '{"verdict": "%s", "summary": "s", "findings": [{"severity": "%s", "message": "m", '
    '"path": "%s", "line": 3, "rule": "r"}]}'
)


def report_of(suite: Suite) -> dict[str, Any]:
    """Return the document of the last run, which meets its schema."""
    made = document(run_report(events_from(read_events(suite.runs[-1]))))
    jsonschema.validate(made, SCHEMA)
    return made


def marked(name: str, *lines: str, keywords: str = "", body: str = "pass") -> str:
    """Return a marked test whose agent does what the lines say."""
    prompt = "\n".join(lines)
    return f"@pytest.mark.ptc({prompt!r}{keywords})\ndef test_{name}(ptc): {body}\n"
