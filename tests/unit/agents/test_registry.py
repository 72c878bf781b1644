"""Which agent a run has, and what is refused before anything is started."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.agents.maker import load_maker
from pytest_ptc.agents.registry import AGENT_KINDS, choose_agent
from pytest_ptc.agents.worker_python import PresentPython
from pytest_ptc.interfaces.agent_kind import AgentKind, AgentPlan, AgentRequest
from pytest_ptc.model.errors import ConfigError
from tests.support.settings import settings_with

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORACLE = AgentKind(name="oracle", make="json:dumps")


def request_of(folder: Path, **said: Any) -> AgentRequest:
    """Return what a run asks that is started in this folder."""
    return AgentRequest(
        settings=settings_with(**{"command": sys.executable, **said}),
        rootpath=folder,
        start=folder,
        environ={},
        claude_config=folder / ".claude",
        python=PresentPython(start=folder),
    )


@pytest.mark.parametrize("place", [kind.make for kind in AGENT_KINDS] + [AGENT_KINDS[0].screen])
def test_an_agent_of_the_package_is_where_the_table_says(place: str) -> None:
    """Runs do not import these to see whether they are there; this test does."""
    assert callable(load_maker(place))


@pytest.mark.parametrize(
    ("said", "make"),
    [
        pytest.param({}, "claude.agent", id="default"),
        pytest.param({"agent": "command"}, "command", id="other"),
        pytest.param({"interactive": True}, "claude.interactive", id="screen"),
        pytest.param({"interactive": True, "host": "tmux"}, "claude.interactive", id="tmux"),
        pytest.param({"host": "process"}, "claude.agent", id="no-screen-in-processes"),
        pytest.param({"budget_usd": 1.0}, "claude.agent", id="budget"),
    ],
)
def test_the_agent_asked_for_is_chosen(tmp_path: Path, said: dict[str, Any], make: str) -> None:
    """The real screen of an agent is made by another function."""
    assert choose_agent(request_of(tmp_path, **said)).make == f"pytest_ptc.agents.{make}:make"


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        pytest.param(
            {"agent": "nobody"},
            "use claude, command, acp, acp:codex, acp:gemini, acp:copilot, acp:qwen, acp:opencode, "
            "oracle or module:function",
            id="unknown",
        ),
        pytest.param({"agent": "os:nothing"}, "'os:nothing' cannot be used", id="no-function"),
        pytest.param({"agent": "no.such:make"}, "'no.such:make' cannot be used", id="no-module"),
        pytest.param({"agent": "command", "command": " "}, "has no program", id="no-program"),
        pytest.param(
            {"agent": "json:dumps", "command": "no-such-program"},
            "ptc_command: 'no-such-program' is not a program on PATH",
            id="program-of-an-agent-in-python",
        ),
        pytest.param(
            {"agent": "command", "interactive": True},
            "ptc_interactive: agent 'command' has no interactive mode; use --ptc-agent=claude",
            id="no-screen",
        ),
        pytest.param(
            {"agent": "oracle", "interactive": True},
            "ptc_interactive: agent 'oracle' has no interactive mode; use --ptc-agent=claude",
            id="no-screen-of-a-plugin",
        ),
        pytest.param(
            {"host": "process", "interactive": True},
            "ptc_interactive: child processes have no terminal; use --ptc-host=tmux",
            id="processes-have-no-screen",
        ),
        pytest.param(
            {"budget_usd": 1.0, "interactive": True},
            "ptc_interactive: Claude Code's interactive mode reports no costs",
            id="the-screen-has-no-account",
        ),
    ],
)
def test_what_an_agent_cannot_do_is_refused(
    tmp_path: Path, said: dict[str, Any], problem: str
) -> None:
    """A setting that the agent has no use for is a mistake, told before money is spent."""
    with pytest.raises(ConfigError) as caught:
        choose_agent(request_of(tmp_path, **said), [ORACLE])
    assert problem in str(caught.value)


def test_a_plugins_agent_says_what_it_is(tmp_path: Path) -> None:
    """Its `configure` is asked in pytest's process, and its module is searched where pytest did."""
    plan = AgentPlan(argv=("/bin/oracle",), options={"mood": "good"})
    seen: list[AgentRequest] = []

    def configure(request: AgentRequest) -> AgentPlan:
        seen.append(request)
        return plan

    oracle = AgentKind(name="oracle", make="json:dumps", configure=configure)
    request = request_of(tmp_path, agent="oracle")
    choice = choose_agent(request, [oracle])
    assert seen == [request]
    assert (choice.plan, choice.make, choice.module) == (plan, "json:dumps", "json")
    assert set(choice.search_path) == {str(tmp_path / entry) for entry in sys.path}


@pytest.mark.parametrize("name", ["claude", "oracle"])
def test_two_agents_of_one_name_are_a_mistake(tmp_path: Path, name: str) -> None:
    """No plugin stands in for an agent that the suite asks for by name."""
    added = [ORACLE, AgentKind(name=name, make="other.place:make")]
    with pytest.raises(ConfigError, match=f"{name!r} is the name of .* and other.place:make"):
        choose_agent(request_of(tmp_path, agent=name), added)


@pytest.fixture
def _same_path() -> Iterator[None]:
    """Leave this process's search path as it was."""
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.mark.usefixtures("_same_path")
def test_a_module_of_the_suite_stands_in_for_none_of_ours(tmp_path: Path) -> None:
    """A worker finds the agent's module behind all others, once."""
    (tmp_path / "agent_of_suite.py").write_text("def make(config, environ): ...\n")
    (tmp_path / "html.py").write_text("raise SystemExit('of the suite')\n")
    sys.modules.pop("html", None)
    before = list(sys.path)
    load_maker("html:escape", [str(tmp_path), *before])
    load_maker("agent_of_suite:make", [str(tmp_path), *before])
    assert sys.path == [*before, str(tmp_path)]
