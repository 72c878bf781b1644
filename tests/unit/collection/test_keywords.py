"""The table of keywords, and what comes of it."""

from __future__ import annotations

import typing
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.collection.keyword_types import DefaultOption, Keyword
from pytest_ptc.collection.keywords import (
    KEYWORDS,
    checked_keywords,
    fields_in,
    keywords_table,
    marker_text,
)
from pytest_ptc.collection.markdown import SuiteError, read_suite
from pytest_ptc.collection.options import all_options
from pytest_ptc.collection.task_specs import task_spec
from pytest_ptc.collection.value_types import ValueType, one_of, whole_from
from pytest_ptc.model import choices, settings, task
from pytest_ptc.model.errors import MarkerError
from pytest_ptc.model.settings import Settings
from pytest_ptc.model.task import TaskSpec
from tests.support.settings import settings_with

if TYPE_CHECKING:
    from pathlib import Path

#: Fields of a task that no keyword has: what a test is, and what the run says.
NO_KEYWORDS = {"nodeid", "source", "prompt", "params", "on_skip", "self_test", "alias"}


@pytest.fixture
def tone(monkeypatch: pytest.MonkeyPatch) -> Keyword:
    """Declare one more keyword, in the one place where that is done."""
    keyword = Keyword(
        "tone",
        one_of(typing.Literal["kind", "stern"]),
        "how the agent speaks",
        DefaultOption("how agents speak", value="kind", flag=True),
    )
    monkeypatch.setitem(KEYWORDS, "tone", keyword)
    return keyword


def test_a_keyword_is_declared_in_one_place(tone: Keyword, tmp_path: Path) -> None:
    """The marker's text, the checks, front matter, options and the documentation all have it."""
    assert ", base, tone): have an agent" in marker_text()
    assert checked_keywords("t.py::t", {"tone": "stern"}, tmp_path) == {"tone": "stern"}
    with pytest.raises(MarkerError, match=r"t.py::t: tone: must be one of kind, stern, not 'loud'"):
        checked_keywords("t.py::t", {"tone": "loud"}, tmp_path)
    assert read_suite("---\ntone: stern\n---\nReview.").keywords == {"tone": "stern"}
    (option,) = [option for option in all_options() if option.name == "tone"]
    assert (option.cli, option.ini) == ("--ptc-tone", "ptc_tone")
    assert (option.default, option.choices) == ("kind", ("kind", "stern"))
    assert "| `tone` | one of kind, stern | `--ptc-tone`, `ptc_tone` | how the agent" in (
        keywords_table()
    )
    assert tone.setting == "tone"


def test_front_matter_of_a_new_keyword_is_known_where_it_is_displaced(tone: Keyword) -> None:
    """A file whose front matter does not begin on line 1 is refused for a new keyword, too."""
    with pytest.raises(SuiteError, match="looks like front matter"):
        read_suite(f"\n{tone.name}: stern\n---\nReview.")


def test_pytest_shows_the_marker_with_a_new_keyword(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pytest shows is made of the table, and not written beside it."""
    monkeypatch.setitem(KEYWORDS, "pace", Keyword("pace", whole_from(1), "how fast it speaks"))
    shown = pytester.runpytest_inprocess("--markers")
    shown.stdout.fnmatch_lines(["@pytest.mark.ptc(*, base, pace): have an agent do this test*"])


def test_every_keyword_is_a_field_of_the_task_and_has_a_setting_as_its_default() -> None:
    """Names in the table are those of `TaskSpec` and `Settings`; nothing is declared in vain."""
    assert {entry.name for entry in fields(TaskSpec)} - NO_KEYWORDS == set(KEYWORDS)
    of_settings = {keyword.setting for keyword in KEYWORDS.values()} - {None}
    assert of_settings <= set(Settings._fields)


def test_choices_of_the_task_are_those_of_the_table() -> None:
    """A `Literal` of the task is what the marker accepts, and the other way round."""
    annotations = typing.get_type_hints(TaskSpec, vars(choices) | vars(task) | vars(typing))
    for name, keyword in KEYWORDS.items():
        wanted = {part for part in typing.get_args(annotations[name]) if part is not type(None)}
        literal = {
            choice
            for part in (annotations[name], *wanted)
            if typing.get_origin(part) is typing.Literal
            for choice in typing.get_args(part)
        }
        assert literal == set(keyword.type.choices), name


def test_the_settings_of_a_run_are_the_defaults_of_its_keywords(tmp_path: Path) -> None:
    """What a marker does not say is what the settings say, and else the task's own default."""
    said = settings_with(
        retries=3, model="opus", task_budget_usd=0.5, isolation=None, env=("A=1", "B=2")
    )
    spec = task_spec(
        said,
        nodeid="t.py::t",
        source="t.py",
        prompt="Review.",
        params={},
        keywords={"model": "haiku", "env": {"B": "3"}},
        rootpath=tmp_path,
        general_timeout=7.0,
    )
    assert (spec.retries, spec.model, spec.budget_usd) == (3, "haiku", 0.5)
    assert (spec.timeout, spec.cwd, spec.tools, spec.fail_on) == (
        7.0,
        str(tmp_path),
        None,
        "verdict",
    )
    assert spec.env == {"A": "1", "B": "3"}


def test_fields_of_keywords_are_those_of_texts_that_are_filled(tmp_path: Path) -> None:
    """Braces in other keywords are what they are."""
    given = {"cwd": "{place}", "ref": "pr-{number}", "model": "{model}"}
    assert fields_in(checked_keywords("t.py::t", given, tmp_path)) == ["place", "number"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param({"timeot": 3}, "timeot: unknown keyword; known are timeout, ", id="unknown"),
        pytest.param({"timeout": "3"}, "timeout: must be a number of seconds above 0", id="type"),
        pytest.param({"cwd": "nowhere"}, "cwd: .*nowhere is not a directory", id="directory"),
        pytest.param(
            {"group": " "},
            "group: must be a text that names the group, such as users, not ' '",
            id="blank group",
        ),
        pytest.param({"group": 7}, "group: must be a text that names .* not 7", id="group"),
        pytest.param({"schema": {"type": 7}}, "schema: .*is not a JSON Schema", id="schema"),
    ],
)
def test_an_error_names_test_field_and_fix(
    given: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    """Whatever is wrong with a keyword."""
    with pytest.raises(MarkerError, match=f"t.py::t: {problem}"):
        checked_keywords("t.py::t", given, tmp_path)


def _with_group(group: str, tenant: object, rootpath: Path) -> TaskSpec:
    return task_spec(
        settings_with(),
        nodeid="t.py::t",
        source="t.py",
        prompt="Review.",
        params={"tenant": tenant},
        keywords=checked_keywords("t.py::t", {"group": group}, rootpath),
        rootpath=rootpath,
    )


@pytest.mark.parametrize(
    ("group", "tenant", "named"),
    [
        ("users", "a", "users"),
        ("db-{tenant}", "a", "db-a"),
        ("{tenant}", 7, "7"),
        # One with a blank at its end, as a row of a table may have it, is no other group.
        ("{tenant}", "a ", "a"),
    ],
)
def test_a_group_is_filled_as_other_keywords_are(
    group: str, tenant: object, named: str, tmp_path: Path
) -> None:
    """Two tests that mean one group must be of one group."""
    assert _with_group(group, tenant, tmp_path).group == named


@pytest.mark.parametrize("tenant", ["", "  ", "a\0b"])
def test_a_group_that_is_none_when_it_is_filled_is_an_error(tenant: str, tmp_path: Path) -> None:
    """It names the test, the field, and what was to be filled."""
    with pytest.raises(MarkerError, match=r"t.py::t: group: must be a text .*; it is '\{tenant}' "):
        _with_group("{tenant}", tenant, tmp_path)


def test_a_variable_of_the_wrong_type_is_not_shown(tmp_path: Path) -> None:
    """It may be a secret."""
    with pytest.raises(MarkerError, match="env: must be a mapping") as caught:
        checked_keywords("t.py::t", {"env": {"TOKEN": b"hunter2"}}, tmp_path)
    assert "hunter2" not in str(caught.value)


def test_the_module_of_settings_has_no_choices_of_its_own() -> None:
    """A choice is declared once, as a type."""
    assert not [
        name for name, value in vars(settings).items() if isinstance(value, tuple | ValueType)
    ]


@pytest.mark.parametrize(
    ("value", "converted"),
    [("on", "on"), (True, "on"), ("off", "off"), (False, "off"), ("On", None), (1, None)],
)
def test_on_and_off_are_what_yaml_makes_of_them(value: object, converted: str | None) -> None:
    """A choice without these words takes no truth value."""
    switch = one_of(typing.Literal["on", "off", "auto"])
    assert (switch.problem(value) is None) == (converted is not None)
    if converted is not None:
        assert switch.converted(value) == converted
    assert one_of(typing.Literal["kind", "stern"]).problem(value) is not None
