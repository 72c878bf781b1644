"""Which words of an agent are a fail, though no valid verdict."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.agents.instructions import claude_prompt, protocol_text
from pytest_ptc.verdicts.fail_signs import says_fail

FAIL = {"verdict": "fail", "summary": "bad"}
LINE = json.dumps(FAIL)
#: Line ends of a program, and what it says before and after.
AROUND = "I have looked.\n{}\nThat is all."


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(LINE, id="verdict"),
        pytest.param({"verdict": "fail"}, id="no-summary"),
        pytest.param(
            {**FAIL, "findings": [{"severity": "blocker", "message": "m"}]}, id="severity"
        ),
        pytest.param({**FAIL, "confidence": 1}, id="extra-field"),
        pytest.param({"verdict": "FAIL", "summary": "x"}, id="upper-case"),
        pytest.param({"Verdict": "Fail"}, id="key-in-upper-case"),
        pytest.param({"verdict": " fail\n"}, id="space"),
        pytest.param({"verdict": "failed"}, id="failed"),
        pytest.param({"verdict": "failure"}, id="failure"),
        pytest.param({"verdict": "fail: sql injection"}, id="reason-in-the-kind"),
        pytest.param({"verdict": ["fail"]}, id="list"),
        pytest.param({"verdict": {"verdict": "fail"}}, id="twice-nested"),
        pytest.param({"verdict": {"kind": "fail"}}, id="kind-nested"),
        pytest.param({"verdict": False}, id="false"),
        pytest.param({"final_verdict": "fail"}, id="longer-key"),
        pytest.param({"result": FAIL}, id="nested"),
        pytest.param([FAIL], id="in-a-list"),
        pytest.param([[[{"a": [{"b": FAIL}]}]]], id="deep"),
        pytest.param({"result": LINE}, id="text-in-json"),
        pytest.param(json.dumps({"result": json.dumps({"text": LINE})}), id="text-in-json-in-text"),
        pytest.param({"verdict": "pass", "result": FAIL}, id="beside-a-pass"),
        pytest.param('{"verdict": "fail", "verdict": "pass"}', id="key-twice"),
        pytest.param('{"verdict": "pass", "verdict": "fail"}', id="key-twice-fail-last"),
        pytest.param(r'{"verdict": "\u0066ail", "verdict": "pass"}', id="key-twice-escaped"),
        pytest.param(json.dumps(FAIL, indent=2), id="pretty"),
        pytest.param('{\n"verdict"\n:\n"fail"\n}', id="over-lines"),
        pytest.param(f"```json\n{LINE}\n```", id="fence"),
        pytest.param(f"```{LINE}```", id="fence-on-the-line"),
        pytest.param(AROUND.format(LINE), id="text-around"),
        pytest.param(AROUND.format(json.dumps(FAIL, indent=4)), id="text-around-pretty"),
        pytest.param(f"{LINE} That is all.", id="text-behind"),
        pytest.param(f"12:00 INFO verdict is {LINE}", id="logged"),
        pytest.param(f"{LINE}{LINE}", id="two-on-a-line"),
        pytest.param(LINE[:-1], id="cut"),
        pytest.param('{"verdict": "fail", "summary": "ab', id="cut-in-a-text"),
        pytest.param(repr(FAIL), id="python"),
        pytest.param("{verdict: 'fail', summary: 'x'}", id="javascript"),
        pytest.param("{verdict: fail}", id="no-quotes"),
        pytest.param('{"verdict": fail, "summary": "x"}', id="value-without-quotes"),
        pytest.param('{"verdict": "fail", "data": 1e400}', id="infinite"),
        pytest.param('{"verdict": "fail", "data": ' + "[" * 5000, id="too-deep"),
        pytest.param("{\u201cverdict\u201d: \u201cfail\u201d}", id="typographic-quotes"),
        pytest.param(json.dumps(LINE), id="json-of-json"),
        pytest.param(f"said: {json.dumps(LINE)}", id="escaped-in-text"),
        pytest.param(
            '\x1b[1m{\x1b[0m\x1b[34;1m"verdict"\x1b[0m\x1b[1m:\x1b[0m \x1b[32m"fail"\x1b[0m}',
            id="coloured",
        ),
        pytest.param("Verdict: FAIL", id="statement"),
        pytest.param("**Final verdict:** fail.", id="statement-markdown"),
        pytest.param("<verdict>fail</verdict>", id="statement-xml"),
        pytest.param(LINE.encode("utf-16-le").replace(b"\0", b""), id="bytes"),
        pytest.param("\ufeff" + LINE, id="byte-order-mark"),
        pytest.param("x" * 3_000_000 + LINE, id="end-of-a-flood"),
    ],
)
def test_a_fail_is_recognised(said: Any) -> None:
    """Whatever is wrong with it, or around it."""
    assert says_fail(said)
    assert says_fail(said, given=True)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("fail", id="word"),
        pytest.param("FAILED", id="other-word"),
        pytest.param({"ptc": "fail"}, id="metadata-word"),
        pytest.param({"ptc": {"result": "fail"}}, id="result"),
        pytest.param({"status": "failed"}, id="status"),
        pytest.param({"outcome": "failure"}, id="outcome"),
        pytest.param('{"result": "fail"}', id="text"),
    ],
)
def test_what_was_given_as_a_verdict_says_more(said: Any) -> None:
    """A word alone, or another key, is a fail where a verdict was asked for, and only there."""
    assert says_fail(said, given=True)
    assert not says_fail(said)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("", id="nothing"),
        pytest.param("The test fails, and the verdict on it is still out.", id="prose"),
        pytest.param("A failed check is what the verdict fail is for.", id="prose-verdict-fail"),
        pytest.param("Record the verdict: fail if the check fails, pass if not.", id="instruction"),
        pytest.param("Say verdict fail, or verdict pass.", id="either"),
        pytest.param(protocol_text("7"), id="form"),
        pytest.param(textwrap.indent(protocol_text("7"), "> "), id="form-quoted"),
        pytest.param(claude_prompt("7", "Look.", None), id="form-of-claude"),
        pytest.param(json.dumps({"prompt": protocol_text("7")}), id="form-in-json"),
        pytest.param({"verdict": "pass|fail|skip|error"}, id="form-as-value"),
        pytest.param({"verdict": "fail|pass"}, id="form-turned"),
        pytest.param('{"verdict": "fail|pass"', id="form-turned-and-cut"),
        pytest.param({"verdict": "pass", "summary": "it said fail"}, id="pass"),
        pytest.param({"verdict": "pass", "data": {"before": FAIL}}, id="in-a-pass-s-data"),
        pytest.param({"verdict": "pass", "summary": LINE}, id="quoted-in-a-pass"),
        pytest.param({"verdict": "no failures"}, id="no-failures"),
        pytest.param({"verdict": "not failed"}, id="not-failed"),
        pytest.param({"verdict": True}, id="true"),
        pytest.param({"verdict": None}, id="null"),
        pytest.param({"verdict": "error", "summary": "failed to look"}, id="error"),
        pytest.param("FAILED tests/test_x.py::test_y - assert 0", id="pytest"),
        pytest.param({"severity": "fail", "failed": True}, id="other-keys"),
        pytest.param("[" * 100_000, id="brackets"),
        pytest.param(7, id="number"),
    ],
)
def test_what_is_no_fail_is_none(said: Any) -> None:
    """Prose that mentions failing, the form that an agent is shown, other verdicts."""
    assert not says_fail(said)


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


@given(
    more=st.dictionaries(words.filter(lambda key: key != "verdict"), json_values, max_size=3),
    kind=st.sampled_from(["fail", "FAIL", "Fail ", "failed"]),
    indent=st.sampled_from([None, 1, 4]),
    nested=st.lists(words, max_size=3),
    before=st.sampled_from(["", "Here:\n", "```json\n", "log: ", "\x1b[1m", "> "]),
    after=st.sampled_from(["", "\n", "\n```", " - done", "\nBye."]),
    cut=st.booleans(),
)
def test_whatever_is_put_around_a_fail_it_is_recognised(
    *,
    more: dict[str, Any],
    kind: str,
    indent: int | None,
    nested: list[str],
    before: str,
    after: str,
    cut: bool,
) -> None:
    """With any other fields, nested in anything, in any text, and cut short."""
    value: Any = {"verdict": kind, **more}
    for key in nested:
        value = {key: value}
    text = json.dumps(value, indent=indent)
    if cut and not nested and not more:
        text = text.removesuffix("}")
    assert says_fail(f"{before}{text}{after}")
    assert says_fail(value)


@given(json_values.filter(lambda value: "verdict" not in json.dumps(value).casefold()))
def test_no_value_without_a_verdict_says_fail(value: Any) -> None:
    """Of a program's own JSON only what is called a verdict is looked at."""
    assert not says_fail(value)
    assert not says_fail(json.dumps(value, indent=1))


@given(st.text() | st.binary())
def test_no_text_breaks_it(said: str | bytes) -> None:
    """Any text has an answer."""
    assert says_fail(said) in (True, False)
