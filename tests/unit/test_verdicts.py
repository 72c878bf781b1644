"""The trust boundary: what is a verdict, and what several come to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.errors import VerdictError
from pytest_ptc.model import Cause, Severity, Trouble, Verdict, VerdictKind
from pytest_ptc.verdicts import LONGEST, Record, parse_verdict, read_verdict, settle

PASS = Verdict(verdict=VerdictKind.PASS, summary="fine")
FAIL = Verdict(verdict=VerdictKind.FAIL, summary="broken")
SKIP = Verdict(verdict=VerdictKind.SKIP, summary="not here")


def test_a_whole_verdict_is_read_and_written_back() -> None:
    """Every field arrives, and `to_json` gives what was read."""
    value = {
        "verdict": "fail",
        "summary": "one bad query",
        "findings": [
            {
                "severity": "high",
                "message": "joined by hand",
                "path": "src/x.py",
                "line": 12,
                "rule": "sql-injection",
            },
            {"severity": "info", "message": "long file"},
        ],
        "data": {"lines": [1, 2]},
    }
    verdict = parse_verdict(json.dumps(value))
    assert verdict.verdict is VerdictKind.FAIL
    assert verdict.findings[0].location == "src/x.py:12"
    assert [f.severity for f in verdict.findings_at_least("low")] == [Severity.HIGH]
    assert verdict.to_json() == value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param([], "must be a JSON object, not a list", id="list"),
        pytest.param({}, '"verdict" must be one of pass, fail, skip, error', id="empty"),
        pytest.param({"verdict": "PASS", "summary": "x"}, '"verdict" must be one of', id="case"),
        pytest.param({"verdict": True, "summary": "x"}, '"verdict" must be one of', id="true"),
        pytest.param({"verdict": "pass"}, '"summary" must be a text', id="no-summary"),
        pytest.param({"verdict": "pass", "summary": " "}, '"summary" must be', id="blank"),
        pytest.param(
            {"verdict": "pass", "summary": "x", "status": "ok"},
            "unknown fields status",
            id="unknown-field",
        ),
        pytest.param(
            {"verdict": "pass", "summary": "x", "findings": {}},
            '"findings" must be a list, not an object',
            id="findings-object",
        ),
        pytest.param(
            {"verdict": "pass", "summary": "x", "findings": ["bad"]},
            "findings[0] must be a JSON object, not a text",
            id="finding-text",
        ),
        pytest.param(
            {"verdict": "pass", "summary": "x", "findings": [{"severity": "blocker"}]},
            '"findings[0].message" must be a text',
            id="finding-no-message",
        ),
        pytest.param(
            {
                "verdict": "pass",
                "summary": "x",
                "findings": [{"severity": "blocker", "message": "m"}],
            },
            "findings[0].severity",
            id="finding-severity",
        ),
        pytest.param(
            {
                "verdict": "pass",
                "summary": "x",
                "findings": [{"severity": "low", "message": "m", "line": "12"}],
            },
            '"findings[0].line" must be a whole number from 1',
            id="line-text",
        ),
        pytest.param(
            {
                "verdict": "pass",
                "summary": "x",
                "findings": [{"severity": "low", "message": "m", "path": 1}],
            },
            '"findings[0].path" must be a text, not a number',
            id="path-number",
        ),
    ],
)
def test_a_malformed_verdict_is_refused_with_a_reason(value: Any, reason: str) -> None:
    """The refusal names the field and says what is wanted, for the agent to act on."""
    with pytest.raises(VerdictError) as caught:
        read_verdict(value)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pass",
        '{"verdict": "pass"',
        '{"verdict": "pass", "summary": "x", "data": NaN}',
        b"\xff\xfe",
        "[" * 100_000,
        " " * (LONGEST + 1),
    ],
    ids=["empty", "prose", "cut", "nan", "bytes", "deep", "long"],
)
def test_what_is_not_json_is_refused(text: str | bytes) -> None:
    """No text, however broken, raises anything but VerdictError."""
    with pytest.raises(VerdictError):
        parse_verdict(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(
    st.dictionaries(st.sampled_from(["verdict", "summary", "findings", "data", "x"]), json_values)
)
def test_no_value_becomes_a_pass_by_accident(value: dict[str, Any]) -> None:
    """Only an object that says `pass` itself is read as a pass."""
    try:
        verdict = read_verdict(value)
    except VerdictError:
        return
    assert verdict.verdict.value == value["verdict"]


@pytest.mark.parametrize(
    ("records", "ended"),
    [
        pytest.param([PASS], PASS, id="pass"),
        pytest.param([PASS, FAIL], FAIL, id="fail-after-pass"),
        pytest.param([FAIL, PASS], FAIL, id="pass-after-fail"),
        pytest.param([], Cause.NO_VERDICT, id="none"),
        pytest.param([PASS, SKIP], Cause.CONTRADICTED, id="pass-and-skip"),
        pytest.param([SKIP, SKIP], SKIP, id="agreed"),
    ],
)
def test_settle(records: list[Verdict], ended: Verdict | Cause) -> None:
    """A fail beats everything; other verdicts that disagree are trouble, and so is none."""
    settled = settle([Record(call=str(n), verdict=one) for n, one in enumerate(records)])
    assert (settled.cause if isinstance(settled, Trouble) else settled) == ended


def test_data_must_meet_the_schema() -> None:
    """A pass or fail whose data breaks the marker's schema is refused, naming the place."""
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    good = {"verdict": "pass", "summary": "x", "data": {"n": 1}}
    assert read_verdict(good, schema).data == {"n": 1}
    with pytest.raises(VerdictError, match=r"data\.n: 'x' is not of type 'integer'"):
        read_verdict({**good, "data": {"n": "x"}}, schema)
    with pytest.raises(VerdictError, match="data: None is not of type 'object'"):
        read_verdict({"verdict": "fail", "summary": "x"}, schema)
    assert read_verdict({"verdict": "error", "summary": "x"}, schema).data is None
