"""The table of options and the settings made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_ptc.errors import ConfigError
from pytest_ptc.markers import KEYWORDS
from pytest_ptc.options import OPTIONS, Settings, resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    Configure = Callable[..., pytest.Config]


@pytest.fixture
def configure(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Return a function that parses an ini text and arguments."""
    monkeypatch.delenv("CLAUDE_CODE", raising=False)
    monkeypatch.delenv("CLAUDE_CODE_TASK_LIST_ID", raising=False)

    def parse(ini: str = "", *args: str) -> pytest.Config:
        pytester.makeini(f"[pytest]\n{ini}")
        return pytester.parseconfig(*args)

    return parse


def test_every_option_is_a_setting_and_every_setting_an_option() -> None:
    """The frozen settings and the table say the same names in the same order."""
    assert [option.name for option in OPTIONS] == list(Settings._fields)


def test_every_keyword_has_an_ini_default() -> None:
    """A suite can set what every marker would say, but for what only one test can mean."""
    inis = {option.name for option in OPTIONS}
    assert set(KEYWORDS) - inis == {"needs", "schema"}


def test_defaults(configure: Configure) -> None:
    """Without a word from anybody, the defaults of the table hold."""
    settings = resolve(configure(), {})
    assert {name: getattr(settings, name) for name in ("workers", "host", "timeout", "gate")} == {
        "workers": 0,
        "host": "auto",
        "timeout": 600.0,
        "gate": True,
    }


def test_command_line_beats_environment_beats_ini(configure: Configure) -> None:
    """A value is taken from whoever is closest to this run."""
    environ = {"CLAUDE_CODE_TASK_LIST_ID": "environment"}
    ini = "ptc_task_list_id = ini"
    said = configure(ini, "--ptc-task-list-id=said")
    assert resolve(said, environ).task_list_id == "said"
    assert resolve(configure(ini), environ).task_list_id == "environment"
    assert resolve(configure(ini), {}).task_list_id == "ini"
    assert resolve(configure(ini), {"CLAUDE_CODE_TASK_LIST_ID": ""}).task_list_id == "ini"


def test_ini_values_have_their_types(configure: Configure) -> None:
    """Numbers, booleans and lists come as such."""
    ini = "ptc_workers = 3\nptc_timeout = 1.5\nptc_gate = false\nptc_tools = Read 'Bash(git *)'\n"
    settings = resolve(configure(f"{ini}ptc_env =\n  A=1\n  B=2 3\n"), {})
    assert (settings.workers, settings.timeout, settings.gate) == (3, 1.5, False)
    assert settings.tools == ("Read", "Bash(git *)")
    assert settings.env == ("A=1", "B=2 3")


def test_claude_code_is_taken_from_the_environment(configure: Configure) -> None:
    """The variable keeps its meaning: the command, with its arguments."""
    assert resolve(configure(), {"CLAUDE_CODE": "npx claude"}).claude_code == "npx claude"


def test_a_bad_value_is_told_with_where_it_was_said(configure: Configure) -> None:
    """The message names the flag, the variable or the ini key."""
    with pytest.raises(ConfigError, match="--ptc-retries: -1 must be 0 or more"):
        resolve(configure("", "--ptc-retries=-1"), {})
    with pytest.raises(ConfigError, match="ptc_max_turns: 0 must be 1 or more"):
        resolve(configure("ptc_max_turns = 0"), {})
    with pytest.raises(ConfigError, match=r"CLAUDE_CODE_TASK_LIST_ID: .* NUL"):
        resolve(configure(), {"CLAUDE_CODE_TASK_LIST_ID": "a\0b"})
