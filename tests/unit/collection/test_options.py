"""The table of options and the settings made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_ptc.collection.marker import KEYWORDS
from pytest_ptc.collection.options import OPTIONS, resolve
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.settings import Settings

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
    assert set(KEYWORDS) - inis == {"needs", "schema", "ref", "base"}


def test_defaults(configure: Configure) -> None:
    """Without a word from anybody, the defaults of the table hold."""
    settings = resolve(configure(), {})
    assert {name: getattr(settings, name) for name in ("workers", "host", "timeout", "gate")} == {
        "workers": 0,
        "host": "auto",
        "timeout": None,
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


@pytest.mark.parametrize(
    ("ini", "args", "name", "value"),
    [
        pytest.param("", (), "budget_usd", None, id="no-budget"),
        pytest.param("ptc_budget_usd = 2", (), "budget_usd", 2.0, id="budget-ini"),
        pytest.param("ptc_budget_usd = 2", ("--ptc-budget-usd=0.5",), "budget_usd", 0.5, id="said"),
        pytest.param("", (), "task_budget_usd", None, id="no-task-budget"),
        pytest.param("ptc_task_budget_usd = .25", (), "task_budget_usd", 0.25, id="task-budget"),
        pytest.param("", (), "interactive", False, id="no-screen"),
        pytest.param("ptc_interactive = true", (), "interactive", True, id="screen-ini"),
        pytest.param("", ("--ptc-interactive",), "interactive", True, id="screen-said"),
        pytest.param("", (), "setting_sources", (), id="no-settings-files"),
        pytest.param(
            "ptc_setting_sources = user local",
            (),
            "setting_sources",
            ("user", "local"),
            id="settings-files",
        ),
    ],
)
def test_what_an_agent_may_cost_show_and_read(
    configure: Configure, ini: str, args: tuple[str, ...], name: str, value: object
) -> None:
    """Nothing is limited, shown or read unless somebody says so, and then it is as said."""
    assert getattr(resolve(configure(ini, *args), {}), name) == value


@pytest.mark.parametrize(
    ("ini", "args", "complaint"),
    [
        ("", ("--ptc-budget-usd=0",), r"--ptc-budget-usd: 0.0 must be above 0"),
        ("", ("--ptc-budget-usd=nan",), r"--ptc-budget-usd: nan must be above 0"),
        ("ptc_budget_usd = -1", (), r"ptc_budget_usd: -1.0 must be above 0"),
        ("ptc_task_budget_usd = 0", (), r"ptc_task_budget_usd: 0.0 must be above 0"),
        ("ptc_task_budget_usd = much", (), r"ptc_task_budget_usd: "),
        ("ptc_setting_sources = user all", (), r"'all' is not one of user, project, local"),
    ],
)
def test_a_limit_or_source_that_cannot_be_is_refused(
    configure: Configure, ini: str, args: tuple[str, ...], complaint: str
) -> None:
    """A budget of nothing and a file that does not exist are mistakes, told with their place."""
    with pytest.raises(ConfigError, match=complaint):
        resolve(configure(ini, *args), {})
