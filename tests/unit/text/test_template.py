"""Prompts: fields, filling, escapes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.agents.instructions import claude_prompt, protocol_text
from pytest_ptc.text.template import fields_of, fill, with_diff
from pytest_ptc.verdicts.verdict_json import read_verdict


@pytest.mark.parametrize(
    ("prompt", "filled"),
    [
        pytest.param("Review PR #{pr}", "Review PR #7", id="field"),
        pytest.param("{pr}{pr}", "77", id="twice"),
        pytest.param('{"a": {"b": 1}}', '{"a": {"b": 1}}', id="json-untouched"),
        pytest.param('{{"a": {pr}}}', '{"a": 7}', id="json-around-field"),
        pytest.param("{{pr}}", "{pr}", id="escaped-field"),
        pytest.param("{{{pr}}}", "{7}", id="field-in-escaped-braces"),
        pytest.param("f() { return {pr}; }}", "f() { return 7; }}", id="code"),
        pytest.param("{} {0} {a b} {pr.x}", "{} {0} {a b} {pr.x}", id="not-names"),
        pytest.param("{other}", "{other}", id="no-value"),
        pytest.param("{値}", "{値}", id="other-script"),
    ],
)
def test_fill(prompt: str, filled: str) -> None:
    """A field is filled, an escape becomes a brace, every other brace stays."""
    assert fill(prompt, {"pr": 7}) == filled


def test_values_are_not_filled_again() -> None:
    """Braces in a value are text: what a parameter holds cannot name another field."""
    assert fill("{a} {b}", {"a": "{b}", "b": "{{x}}"}) == "{b} {{x}}"


def test_fields_of_names_each_field_once_in_order() -> None:
    """The fields of a prompt are its names in braces, but for escaped ones."""
    assert fields_of("{b} {a} {b} {{c}} {1} {d e} {ü}") == ("b", "a", "ü")


@given(st.text())
def test_a_prompt_without_braces_is_never_changed(text: str) -> None:
    """Whatever the script or control characters, text without braces goes through as it is."""
    plain = text.replace("{", "").replace("}", "")
    assert fill(plain, {"a": 1}) == plain


@given(st.text(), st.text())
def test_every_value_arrives_whole(before: str, value: str) -> None:
    """A value is put in unchanged, whatever it and the text before it hold."""
    before = before.replace("{", "").replace("}", "")
    assert fill(f"{before}{{x}}", {"x": value}) == before + value


def test_protocol_text_is_short_and_names_the_task() -> None:
    """Recording is explained in about 200 tokens, with the line that names the task."""
    text = protocol_text("12")
    assert "Task ID: 12" in text.splitlines()
    assert len(text) < 900


@pytest.mark.parametrize(
    ("prompt", "schema"),
    [
        pytest.param("Review it.", None, id="plain"),
        pytest.param("/clear", None, id="like-a-command"),
        pytest.param('Two\nlines, {braces} and {{"json": 1}}', None, id="braces"),
        pytest.param("Count.", {"type": "object", "required": ["ü"]}, id="schema"),
        pytest.param("Count.", {}, id="empty-schema"),
    ],
)
def test_claude_is_told_its_task_and_how_to_record(
    prompt: str, schema: dict[str, Any] | None
) -> None:
    """First the task's id, then the prompt as it is, then about 200 tokens on the verdict."""
    text = claude_prompt("7", prompt, schema)
    assert text.startswith(f"Task ID: 7\n{prompt}\n\n")
    assert "Task ID: 7" in text.splitlines()
    assert 'one call of TaskUpdate: taskId "7", status "completed", metadata {"ptc": {' in text
    form = "" if schema is None else f'\n"data" must meet this JSON Schema: {json.dumps(schema)}'
    assert text.endswith(form)
    assert ("JSON Schema" in text) == (schema is not None)
    assert len(text) - len(prompt) - len(form) <= 800


def test_the_form_that_claude_is_shown_is_one_that_is_accepted() -> None:
    """A model that fills in what it is shown, word for word, records a valid verdict."""
    text = claude_prompt("7", "p", None)
    shown = json.JSONDecoder().raw_decode(text[text.index('{"ptc"') :])[0]["ptc"]
    shown["verdict"] = shown["verdict"].split("|")[0]
    shown["findings"][0]["severity"] = shown["findings"][0]["severity"].split("|")[0]
    verdict = read_verdict(shown)
    assert (verdict.passed, verdict.findings[0].location) == (True, "src/x.py:12")


@given(st.text(st.sampled_from("`+-a\n"), max_size=60))
def test_a_difference_cannot_leave_its_fence(changes: str) -> None:
    """What somebody wrote into a file under review stays in the fence, whatever it is."""
    text = with_diff("Review it.", changes)
    opening, *inside, closing = text.removeprefix("Review it.\n\nWhat has changed:\n").split("\n")
    fence = opening.removesuffix("diff")
    assert set(fence) == {"`"}
    assert closing == fence
    assert not [line for line in inside if line.startswith(fence)]
