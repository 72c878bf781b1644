"""Front matter: where it may stand, and what it may say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.collection.front_matter import SuiteError, parted, read_matter
from pytest_ptc.collection.markdown import read_suite

KEYS = ("each", "timeout", "fail_on", "needs", "skip")


def line_of(text: str) -> int:
    """Return the line at which the text is refused."""
    with pytest.raises(SuiteError) as caught:
        read_suite(text)
    return caught.value.line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\n---\nfail_on: high\n---\nCheck.", 2),
        ("\n\n  \n---\nfail_on: high\n---\nCheck.", 4),
        (" ---\nfail_on: high\n---\nCheck.", 1),
        ("\t---\nfail_on: high\n---\nCheck.", 1),
        ("\u200b---\nfail_on: high\n---\nCheck.", 1),
        ("\ufeff\ufeff---\nfail_on: high\n---\nCheck.", 1),
        ("\f---\nfail_on: high\n---\nCheck.", 1),
        ("<!-- a comment\nof two lines -->\n---\nfail_on: high\n---\nCheck.", 3),
        ("<!-- vim: set ft=markdown --> \n\n---\nfail_on: high\n---\nCheck.", 3),
        ("# Review\n---\nfail_on: high\n---\nCheck.", 2),
        ("# Review\n\n---\n\n# ours\nfail_on: high\n---\nCheck.", 3),
        ("Look well.\n\n---\nfail_on: high\n---\nCheck.", 3),
        ("fail_on: high\n---\nCheck.", 1),
        ("fail_on: high\nCheck.", 1),
        ("# ours\nfail-on: high\n---\nCheck.", 1),
        ("fail-on: high\n\n---\nCheck.", 1),
        ("timout: 3\n---\nCheck.", 1),
        ("+++\nfail_on = 'high'\n+++\nCheck.", 1),
        (';;;\n{"fail_on": "high"}\n;;;\nCheck.', 1),
        ('{"fail_on": "high"}\nCheck.', 1),
        ("```yaml\nfail_on: high\n```\nCheck.", 1),
        ("---yaml\nfail_on: high\n---\nCheck.", 1),
        ("--- # ours\nfail_on: high\n---\nCheck.", 1),
        ("----\nfail_on: high\n----\nCheck.", 1),
        ("\u2014\nfail_on: high\n\u2014\nCheck.", 1),
        ("\u2014-\nfail_on: high\n\u2014-\nCheck.", 1),
        ("---\nretries: 1\n---\n---\nfail_on: high\n---\nCheck.", 4),
        ("---\nretries: 1\n---\nfail_on: high\n---\nCheck.", 4),
        ("---\n---\n\nWords.\n\n---\nfail_on: high\n---\nCheck.", 6),
        ("\r\n---\r\nfail_on: high\r\n---\r\nCheck.", 2),
        ("\r---\rfail_on: high\r---\rCheck.", 2),
        ("---\nfail_on: high\nCheck.", 1),
        ("---\nfail_on: high\n...\nCheck.", 1),
    ],
)
def test_what_looks_like_front_matter_elsewhere_is_refused(text: str, line: int) -> None:
    """Its settings would silently be a part of the prompt; the line is told."""
    assert line_of(text) == line


@pytest.mark.parametrize(
    "text",
    [
        "Look well.\n\n---\n\nThen look again.",
        "# Review\n\nLook.\n\n---\n\nNote: look again.",
        "Task: look\n\n---\n\nMore.",
        "Look at this:\n\n```markdown\n---\nfail_on: high\n---\n```\n\nand say.",
        "Look at this:\n\n    ---\n    fail_on: high\n    ---\n",
        'Say {"fail_on": "high"}.',
        '{"a": 1} is what it must say.',
        "---\n---\ntimeout: say what that is.",
        "<!-- for people -->\nLook.",
    ],
)
def test_prose_may_have_rules_and_examples(text: str) -> None:
    """Whatever it has of front matter is no setting, and is not refused."""
    suite = read_suite(text)
    assert not suite.keywords
    assert suite.prompt == text.removeprefix("---\n---\n").strip()


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_marks_and_ends_of_lines_of_other_systems_are_no_part_of_it(mark: str, end: str) -> None:
    """A byte order mark, carriage returns."""
    suite = read_suite(mark + end.join(["---", "fail_on: high", "---  ", "Check.", "it"]))
    assert (suite.keywords, suite.prompt, suite.line) == ({"fail_on": "high"}, "Check.\nit", 4)


@pytest.mark.parametrize(
    ("matter", "line"),
    [
        ("env: &a {A: b}\nschema: *a", 2),
        ("a: &a [x]\nb: &b [*a, *a]", 2),
        ("model: !!python/name:os.system x", 2),
        ("timeout: !!str 3", 2),
        ("retries: 1\nretries: 2", 3),
        ("env:\n  A: b\n  A: c", 4),
        ("each:\n- {a: 1, a: 2}", 3),
        ("env:\n  <<: {A: b}", 3),
        ("1: x", 2),
        ("? [a]\n: x", 2),
        ("- a", 2),
        ("schema: " + "[" * 40 + "]" * 40, 2),
        ("schema: " + "[" * 40_000, 2),
        ("timeout: 1_0", 2),
        ("timeout: 1:30", 2),
        ("retries: 010", 2),
        ("retries: 0x10", 2),
        ("timeout: .inf", 2),
        ("timeout: .nan", 2),
        ("schema: {maximum: 1_0}", 2),
        ("model: 2026-13-45", 2),
        ("each: [a, ]\nskip: x\ntimeout: [", 4),
        ("each:\n- a\n-", 4),
        ("each:", 2),
        ("gate: false", 2),
        ("gate: true", 2),
    ],
)
def test_what_yaml_reads_otherwise_than_a_person_is_refused(matter: str, line: int) -> None:
    """Anchors, tags, keys that stand twice, numbers in other forms, no end of levels."""
    assert line_of(f"---\n{matter}\n---\nx") == line


@pytest.mark.parametrize(
    "written", ["no", "1.10", "0x10", "2026-01-01", "~", "1e3", "010", "1_0", "y", "null", ".inf"]
)
def test_values_are_what_is_written(written: str) -> None:
    """Plain and quoted, in a list, in a mapping and as the name of a branch."""
    for form in (written, f"'{written}'", f'"{written}"'):
        matter = read_matter(f"each: [{form}, {{a: {form}}}]", 2)
        assert matter.each == [written, {"a": written}]
        assert read_matter(f"each: {{changed: {form}}}", 2).each == {"changed": written}


@given(st.text(max_size=200))
def test_any_text_is_a_suite_or_an_error_with_a_line(text: str) -> None:
    """Nothing else comes of it, and every line is one of the text's."""
    for form in (text, f"---\n{text}", f"---\n{text}\n---\nx"):
        line = 1
        try:
            read_suite(form)
        except SuiteError as error:
            line = error.line
        assert 1 <= line <= form.count("\n") + form.count("\r") + 3


def test_the_parts_of_a_file_are_all_of_it() -> None:
    """The body begins behind the second fence, whatever follows."""
    assert parted("---\na: 1\n---\nx\n---\ny", KEYS) == ("a: 1", "x\n---\ny", 4)
    assert parted("x", KEYS) == ("", "x", 1)
