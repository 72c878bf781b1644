"""The options of a run, the words of a command line, and their table in the documentation."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

import pytest

from pytest_ptc.collection.keywords import KEYWORDS
from pytest_ptc.collection.options import all_options, give_values
from pytest_ptc.collection.options_table import options_table
from pytest_ptc.model import choices
from pytest_ptc.model.reports import REPORTS
from pytest_ptc.model.settings import Settings


def literal(annotation: Any) -> set[str]:
    """Return the texts of all `Literal` types in an annotation."""
    if typing.get_origin(annotation) is typing.Literal:
        return set(typing.get_args(annotation))
    return {text for part in typing.get_args(annotation) for text in literal(part)}


def test_every_option_is_a_setting_and_every_setting_an_option() -> None:
    """The frozen settings and the table say the same names in the same order; reports are one."""
    assert [*(option.name for option in all_options()), "reports"] == list(Settings._fields)


def test_settings_have_the_types_of_their_options() -> None:
    """A choice is a `Literal` of the same names; a number is one; what may be unset says so."""
    hints = typing.get_type_hints(Settings, {**vars(choices), "Mapping": Mapping})
    of_ini = {"int": int, "float": float, "string": str, "bool": bool, "args": tuple}
    for option in all_options():
        hint = hints[option.name]
        parts = [part for part in (typing.get_args(hint) or (hint,)) if part is not type(None)]
        assert literal(hint) >= set(option.choices), option.name
        assert (type(None) in typing.get_args(hint)) == (option.default is None), option.name
        if option.choices:
            assert literal(hint) == set(option.choices), option.name
        elif typing.get_origin(hint) is not tuple:
            found = {typing.get_origin(part) or part for part in parts}
            assert found == {of_ini[option.type.ini]}, option.name


def test_every_keyword_has_an_ini_default() -> None:
    """A suite can set what every marker would say, but for what only one test can mean."""
    inis = {option.name for option in all_options()}
    assert set(KEYWORDS) - inis == {"needs", "group", "schema", "ref"}


@pytest.mark.parametrize(
    ("given", "then"),
    [
        pytest.param(["--ptc-resume", "tests"], ["--ptc-resume=last", "tests"], id="path"),
        pytest.param(["tests", "--ptc-resume"], ["tests", "--ptc-resume=last"], id="last"),
        pytest.param(["--ptc-github", "a::b"], ["--ptc-github=yes", "a::b"], id="node"),
        pytest.param(["--ptc-resume=ab1", "t"], ["--ptc-resume=ab1", "t"], id="value"),
        pytest.param(["--", "--ptc-resume", "t"], ["--", "--ptc-resume", "t"], id="a-path-itself"),
        pytest.param(["-k", "ptc-resume"], ["-k", "ptc-resume"], id="another-options"),
    ],
)
def test_an_option_that_stands_alone_has_its_value(given: list[str], then: list[str]) -> None:
    """Nothing that follows it can be taken for its value."""
    args = list(given)
    assert give_values(args) == (given != then)
    assert args == then


def test_the_table_of_options_is_markdown() -> None:
    """A row for each option, with its names, its default and its meaning."""
    _, line, *rows = options_table().splitlines()
    assert line == "| --- | --- | --- | --- |"
    assert len(rows) == len(all_options()) + len(REPORTS)
    assert rows[0] == (
        "| `--ptc-workers` | `ptc_workers` | `0` | run marked tests on N workers; 0 skips them; on "
        "the command line also auto: as many as processors, and no more than tasks |"
    )
