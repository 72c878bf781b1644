"""Findings of a linter's SARIF file, and what is no such file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_ptc.model.errors import VerdictError
from pytest_ptc.model.verdict import Finding, Severity
from pytest_ptc.verdicts.sarif import sarif_findings


def document(*results: Any, rules: tuple[Any, ...] = (), **run: Any) -> bytes:
    """Return a file with these results."""
    driver = {"name": "lint", "rules": list(rules)}
    value = {"tool": {"driver": driver}, "results": list(results), **run}
    return json.dumps({"version": "2.1.0", "runs": [value]}).encode()


def result(**more: Any) -> dict[str, Any]:
    """Return a result without a place."""
    return {"ruleId": "R1", "message": {"text": "bad"}, **more}


def at(uri: str, **region: Any) -> list[Any]:
    """Return locations."""
    return [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}]


def test_a_result_is_a_finding() -> None:
    """With its place relative to the task's directory, its rule and its message."""
    found = sarif_findings(
        document(
            result(level="error", locations=at("file:///w/a%20b.py", startLine=3)),
            result(locations=at("src/./c.py")),
            result(locations=at("file:///w2/c.py", startLine=1)),
        ),
        "/w",
    )
    assert found == (
        Finding(severity=Severity.HIGH, message="bad", path="a b.py", line=3, rule="R1"),
        Finding(severity=Severity.MEDIUM, message="bad", path="src/c.py", rule="R1"),
        Finding(severity=Severity.MEDIUM, message="bad", path="/w2/c.py", line=1, rule="R1"),
    )


@pytest.mark.parametrize(
    ("more", "rule", "severity"),
    [
        ({"level": "error"}, {}, "high"),
        ({"level": "warning"}, {}, "medium"),
        ({"level": "note"}, {}, "low"),
        ({"level": "none"}, {}, "info"),
        ({}, {"defaultConfiguration": {"level": "error"}}, "high"),
        ({"level": "note"}, {"properties": {"security-severity": "9.0"}}, "critical"),
        ({"properties": {"security-severity": "7.1"}}, {}, "high"),
        ({"properties": {"security-severity": 4}}, {}, "medium"),
        ({"level": "error", "properties": {"security-severity": "3.9"}}, {}, "low"),
    ],
)
def test_the_severity_is_of_score_else_level(
    more: dict[str, Any], rule: dict[str, Any], severity: str
) -> None:
    """Of the result, else of its rule."""
    (found,) = sarif_findings(document(result(**more), rules=({"id": "R1", **rule},)), "/w")
    assert found.severity == severity


@pytest.mark.parametrize(
    ("suppressions", "count"),
    [
        ([{"kind": "inSource"}], 0),
        ([{"kind": "external", "status": "accepted"}], 0),
        ([{"kind": "external", "status": "rejected"}], 1),
        ([{"kind": "inSource"}, {"kind": "external", "status": "underReview"}], 1),
        ([], 1),
        (None, 1),
    ],
)
def test_a_suppressed_result_is_none(suppressions: Any, count: int) -> None:
    """Only one that is accepted by all."""
    assert len(sarif_findings(document(result(suppressions=suppressions)), "/w")) == count


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"version": "2.1.0", "runs": []}',
        b'{"version": "2.1.0", "runs": [{}], "runs": [{}]}',
        b'{"version": "2.0.0", "runs": [{"tool": {"driver": {}}, "results": []}]}',
        b'{"version": "2.1.0", "runs": [{"tool": {"driver": {}}}]}',
        b'{"version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": null}]}',
        document(result())[:-9],
        document({}),
        document("bad"),
        document(result(level="fatal")),
        document(result(level=["error"])),
        document(result(properties={"security-severity": "bad"})),
        document(result(properties={"security-severity": "nan"})),
        document(result(locations=at("a.py", startLine=0))),
        document(result(locations=at("a.py", startLine="1"))),
        document(result(locations=[7])),
        document(result(message="bad")),
        document(invocations=[{"executionSuccessful": False}]),
    ],
)
def test_another_file_is_refused(text: bytes) -> None:
    """What cannot be read in full has no findings, not even none."""
    with pytest.raises(VerdictError):
        sarif_findings(text, "/w")
