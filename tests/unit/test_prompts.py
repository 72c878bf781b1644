"""Prompts: fields, filling, escapes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.prompts import fields_of, fill, protocol_text


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
