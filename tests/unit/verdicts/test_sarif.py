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


ROOT = {"ROOT": {"uri": "file:///w/"}}
BELOW_A = [{"physicalLocation": {"artifactLocation": {"uri": "a", "uriBaseId": "A"}}}]
CONTAINER = {"%SRCROOT%": {"uri": "file:///src/"}}


@pytest.mark.parametrize(
    ("location", "bases", "path"),
    [
        ({"uri": "a.py", "uriBaseId": "ROOT"}, ROOT, "a.py"),
        ({"uri": "a%20b.py", "uriBaseId": "IN"}, {"IN": {"uri": "file:///w/src"}}, "src/a b.py"),
        (
            {"uri": "a.py", "uriBaseId": "IN"},
            {"IN": {"uri": "src/", "uriBaseId": "ROOT"}, **ROOT},
            "src/a.py",
        ),
        ({"uri": "a.py", "uriBaseId": "ELSEWHERE"}, ROOT, "a.py"),
        ({"uri": "src/a.py", "uriBaseId": "ROOT"}, {"ROOT": {"description": {}}}, "src/a.py"),
        # What is absolute is below no base.
        ({"uri": "file:///w/a.py", "uriBaseId": "IN"}, {"IN": {"uri": "file:///x/"}}, "a.py"),
        # A single root that is elsewhere is what a container calls the task's directory.
        ({"uri": "a.py", "uriBaseId": "%SRCROOT%"}, CONTAINER, "a.py"),
        (
            {"uri": "a.py", "uriBaseId": "IN"},
            {"IN": {"uri": "lib", "uriBaseId": "%SRCROOT%"}, **CONTAINER},
            "lib/a.py",
        ),
        ({"uri": "a.py", "uriBaseId": "R"}, {"R": {"uri": "https://git.test/x/"}}, "a.py"),
        ({"uri": "go.mod", "uriBaseId": "R"}, {"R": {"uri": "file:///"}}, "go.mod"),
        ({"uri": "a.h", "uriBaseId": "%SRCROOT%"}, {**ROOT, **CONTAINER}, "/src/a.h"),
        ({"index": 1}, {}, "b.py"),
        ({"index": 0, "uriBaseId": "ROOT"}, {"ROOT": {"uri": "file:///w/x/"}}, "x/a.py"),
        ({"description": {"text": "no place"}}, {}, None),
    ],
)
def test_a_place_is_below_the_base_that_it_names(
    location: dict[str, Any], bases: dict[str, Any], path: str | None
) -> None:
    """The run says where its bases are, and which artifacts there are."""
    artifacts = [{"location": {"uri": "a.py", "uriBaseId": "ROOT"}}, {"location": {"uri": "b.py"}}]
    place = [{"physicalLocation": {"artifactLocation": location, "region": {"startLine": 2}}}]
    text = document(result(locations=place), originalUriBaseIds=bases, artifacts=artifacts)
    (found,) = sarif_findings(text, "/w")
    assert (found.path, found.line) == (path, None if path is None else 2)


def test_a_rule_may_be_an_extensions_and_named_by_index() -> None:
    """As CodeQL writes it."""
    component = {"toolComponent": {"index": 0}}
    rule = {"id": "R1", "properties": {"security-severity": "9.1"}}
    extension = {"name": "queries", "rules": [{"id": "R0"}, rule]}
    given: list[dict[str, Any]] = [
        {"ruleId": "R1", "rule": {"id": "R1", **component}},
        {"ruleId": None, "ruleIndex": 1, "rule": component},
        {"ruleId": None, "rule": {"index": 1, **component}},
    ]
    tool = {"driver": {"name": "CodeQL"}, "extensions": [extension]}
    found = sarif_findings(document(*(result(**one) for one in given), tool=tool), "/w")
    assert [(one.rule, one.severity.value) for one in found] == [("R1", "critical")] * 3


def test_a_result_that_is_gone_since_an_earlier_run_is_none() -> None:
    """Its baseline state says so."""
    states = ["absent", "new", "unchanged", "updated"]
    found = sarif_findings(document(*(result(baselineState=state) for state in states)), "/w")
    assert len(found) == 3


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
        document(result(locations=BELOW_A), originalUriBaseIds=7),
        document(result(locations=BELOW_A), originalUriBaseIds={"A": 7}),
        document(
            result(locations=BELOW_A),
            originalUriBaseIds={"A": {"uriBaseId": "B"}, "B": {"uriBaseId": "A"}},
        ),
        document(result(rule={"toolComponent": {"index": 3}})),
        document(result(message="bad")),
        document(invocations=[{"executionSuccessful": False}]),
    ],
)
def test_another_file_is_refused(text: bytes) -> None:
    """What cannot be read in full has no findings, not even none."""
    with pytest.raises(VerdictError):
        sarif_findings(text, "/w")
