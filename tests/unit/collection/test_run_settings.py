"""The settings of a run, from the command line, the environment and the ini file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_ptc.collection.run_settings import resolve
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.system.machine import processors

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


def test_workers_may_be_as_many_as_processors(configure: Configure) -> None:
    """The word stands for a number from the start: the header, the journal and limits have it."""
    assert resolve(configure("", "--ptc-workers=auto"), {}).workers == processors() >= 1
    with pytest.raises((SystemExit, pytest.UsageError)):
        configure("", "--ptc-workers=many")


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
    with pytest.raises(ConfigError, match="--ptc-retries: must be a whole number from 0, not -1"):
        resolve(configure("", "--ptc-retries=-1"), {})
    with pytest.raises(ConfigError, match="ptc_max_turns: must be a whole number from 1, not 0"):
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
        (
            "",
            ("--ptc-budget-usd=0",),
            r"--ptc-budget-usd: must be a number of US dollars above 0, not 0.0",
        ),
        ("", ("--ptc-budget-usd=nan",), r"--ptc-budget-usd: must be .* above 0, not nan"),
        ("ptc_budget_usd = -1", (), r"ptc_budget_usd: must be .* above 0, not -1.0"),
        ("ptc_task_budget_usd = 0", (), r"ptc_task_budget_usd: must be .* above 0, not 0.0"),
        ("ptc_task_budget_usd = much", (), r"ptc_task_budget_usd: "),
        (
            "ptc_setting_sources = user all",
            (),
            r"must be names among user, project, local, not \('user', 'all'\)",
        ),
    ],
)
def test_a_limit_or_source_that_cannot_be_is_refused(
    configure: Configure, ini: str, args: tuple[str, ...], complaint: str
) -> None:
    """A budget of nothing and a file that does not exist are mistakes, told with their place."""
    with pytest.raises(ConfigError, match=complaint):
        resolve(configure(ini, *args), {})


def test_an_empty_value_is_the_default_where_that_is_nothing(configure: Configure) -> None:
    """An unset variable of a pipeline asks for no report; it does not weaken a gate."""
    settings = resolve(
        configure("ptc_model =", "--ptc-json=", "--ptc-on-skip=", "--ptc-model="), {}
    )
    assert (settings.reports, settings.on_skip, settings.model) == ({}, None, None)
    assert resolve(configure("ptc_fail_on =\nptc_tools ="), {})[:2] == (0, "claude")
    with pytest.raises(ConfigError, match=r"--ptc-fail-on: must be one of verdict, .*, not ''"):
        resolve(configure("", "--ptc-fail-on="), {})


def test_a_variable_that_cannot_be_is_refused_without_the_others(configure: Configure) -> None:
    """Another line may hold a secret."""
    with pytest.raises(ConfigError, match="ptc_env: must be lines of the form") as caught:
        resolve(configure("ptc_env =\n  TOKEN=hunter2\n  A\n"), {})
    assert "hunter2" not in str(caught.value)
