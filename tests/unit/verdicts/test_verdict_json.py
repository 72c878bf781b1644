"""The trust boundary: what is a verdict, and what several come to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.model.errors import VerdictError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Severity, Verdict, VerdictKind
from pytest_ptc.verdicts.recording import Record, settle
from pytest_ptc.verdicts.verdict_json import MAX_VERDICT_BYTES, parse_verdict, read_verdict

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
        "checked": ["src/x.py", "GET /users"],
        "open": ["src/y.py: too long"],
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
        pytest.param(
            {"verdict": "pass", "summary": "x", "checked": "all"},
            '"checked" must be a list of texts, not a text',
            id="checked",
        ),
        pytest.param(
            {"verdict": "pass", "summary": "x", "open": ["a", " "]},
            '"open[1]" must be a text that says something',
            id="open",
        ),
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
        '{"verdict": "pass", "summary": "x", "data": 1e400}',
        '{"verdict": "pass", "summary": "x", "data": [-1e999]}',
        '{"verdict": "fail", "summary": "x", "verdict": "pass"}',
        '{"verdict": "pass", "summary": "x", "data": {"a": 1, "a": 2}}',
        '{"verdict": "pass", "summary": "x", "data": ["\\ud83d"]}',
        '{"verdict": "pass", "summary": "x", "data": %s}' % ("9" * 400),
        '{"verdict": "pass", "summary": "x", "data": %s}' % ("[" * 80 + "]" * 80),
        b"\xff\xfe",
        "[" * 100_000,
        " " * (MAX_VERDICT_BYTES + 1),
    ],
    ids=[
        *("empty", "prose", "cut", "nan", "infinite", "infinite-within", "key-twice"),
        *("key-twice-within", "half-a-pair", "large", "too-deep", "bytes", "deep", "long"),
    ],
)
def test_what_is_not_json_is_refused(text: str | bytes) -> None:
    """No text, however broken, raises anything but VerdictError."""
    with pytest.raises(VerdictError):
        parse_verdict(text)


def nested(levels: int) -> Any:
    """Return lists within each other."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(float("inf"), id="infinite"),
        pytest.param({"a": [float("nan")]}, id="nan"),
        pytest.param("\ud83d", id="half-a-pair"),
        pytest.param({"\udc80": 1}, id="half-a-pair-as-key"),
        pytest.param(10**400, id="large"),
        pytest.param(nested(100), id="too-deep"),
        pytest.param(nested(100_000), id="deep"),
    ],
)
def test_what_another_reader_let_through_is_refused(data: Any) -> None:
    """A value that comes parsed is held to what a text is held to."""
    with pytest.raises(VerdictError):
        read_verdict({"verdict": "pass", "summary": "x", "data": data})
    assert read_verdict({"verdict": "pass", "summary": "x", "data": nested(60)}).data


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


SAID_FAIL = Record(call="x", refused="no summary", fail=True, answer="a")
REFUSED = Record(call="x", refused="no summary", answer="a")


@pytest.mark.parametrize(
    ("records", "ended", "tried_again"),
    [
        pytest.param([REFUSED], Cause.MALFORMED, True, id="refused"),
        pytest.param([SAID_FAIL], Cause.MALFORMED, False, id="refused-fail"),
        pytest.param([SAID_FAIL, REFUSED], Cause.MALFORMED, False, id="and-refused"),
        pytest.param([REFUSED, PASS], PASS, None, id="replaced"),
        pytest.param([SAID_FAIL, PASS], Cause.CONTRADICTED, False, id="taken-back"),
        pytest.param([PASS, SAID_FAIL], Cause.CONTRADICTED, False, id="said-after-a-pass"),
        pytest.param([SAID_FAIL, SKIP], Cause.CONTRADICTED, False, id="skip"),
        pytest.param([SAID_FAIL, FAIL], FAIL, None, id="repeated"),
        pytest.param([SAID_FAIL, FAIL, PASS], FAIL, None, id="repeated-then-taken-back"),
        pytest.param([PASS, SKIP], Cause.CONTRADICTED, True, id="no-fail"),
    ],
)
def test_a_refused_fail_is_replaced_by_a_fail_alone(
    records: list[Verdict | Record], ended: Verdict | Cause, tried_again: bool | None
) -> None:
    """What is refused counts for nothing, but whoever said fail is not asked again."""
    recorded = [
        one if isinstance(one, Record) else Record(call=str(n), verdict=one, answer=str(n))
        for n, one in enumerate(records)
    ]
    settled = settle(recorded)
    assert (settled.cause if isinstance(settled, Trouble) else settled) == ended
    if isinstance(settled, Trouble):
        assert settled.retryable is tried_again
        assert Trouble.from_json(settled.to_json()) == settled


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
