"""Limits and demands that an agent of a task would ignore."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_ptc.agents.registry import AGENT_KINDS, choose_agent
from pytest_ptc.agents.worker_python import PresentPython
from pytest_ptc.interfaces.agent_kind import AgentChoice, AgentKind, AgentPlan, AgentRequest
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.session.refusals import refuse_unenforced
from tests.support.settings import settings_with

SPEC = TaskSpec(nodeid="t.py::test_x", prompt="x", timeout=1, cwd="/")
OWN = AgentKind(name="own", make="json:dumps")
LIMITED = replace(OWN, name="limited", limits=("max_turns",))
UNSAID = replace(OWN, name="unsaid", tells_costs=False, tells_tool_calls=False)


def chosen(name: str, *, interactive: bool = False) -> AgentChoice:
    """Return an agent, whose program is not looked for."""
    kinds = [replace(kind, configure=lambda _: AgentPlan()) for kind in AGENT_KINDS]
    kind = next(one for one in (*kinds, OWN, LIMITED, UNSAID) if one.name == name)
    from_elsewhere = replace(kind, name=f"the {name}")
    request = AgentRequest(
        settings=settings_with(agent=f"the {name}", interactive=interactive),
        rootpath=None,  # type: ignore[arg-type]
        start=None,  # type: ignore[arg-type]
        environ={},
        claude_config=None,  # type: ignore[arg-type]
        python=PresentPython(start=None),  # type: ignore[arg-type]
    )
    return choose_agent(request, [from_elsewhere])


@pytest.mark.parametrize(
    ("asked", "agents", "budget", "problem"),
    [
        ({}, ["command", "acp:codex", "own"], None, None),
        ({"max_turns": 3, "budget_usd": 1.0}, ["claude"], 5.0, None),
        ({"max_turns": 3}, ["limited"], None, None),
        ({"max_turns": 3}, ["command"], None, "max_turns: agent 'the command' cannot limit"),
        ({"max_turns": 3}, ["acp:codex"], None, "max_turns: agent 'the acp:codex' cannot limit"),
        ({"max_turns": 3}, ["acp"], None, "max_turns"),
        ({"max_turns": 3}, ["own"], None, "max_turns"),
        # Each of an item's voters must keep to it.
        ({"budget_usd": 1.0}, ["claude", "acp:qwen"], None, "budget_usd: agent 'the acp:qwen'"),
        ({"budget_usd": 1.0}, ["limited"], None, "budget_usd: agent 'the limited'"),
        ({}, ["own"], 5.0, None),
        ({}, ["command"], 5.0, "--ptc-budget-usd: agent 'the command' does not tell what it costs"),
        ({}, ["claude", "acp:gemini"], 5.0, "--ptc-budget-usd: agent 'the acp:gemini'"),
        ({}, ["unsaid"], 5.0, "--ptc-budget-usd: agent 'the unsaid'"),
        ({"require_evidence": True}, ["own", "acp:codex"], None, None),
        ({"require_evidence": True}, ["command"], None, "require_evidence: agent 'the command'"),
        ({"require_evidence": True}, ["unsaid"], None, "require_evidence: agent 'the unsaid'"),
    ],
)
def test_what_an_agent_would_ignore_is_refused(
    asked: dict[str, Any], agents: list[str], budget: float | None, problem: str | None
) -> None:
    """The message names the test, the keyword and the agent."""
    _check(replace(SPEC, **asked), [chosen(name) for name in agents], budget, problem)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"max_turns": 3}, "max_turns: agent 'the claude' cannot limit"),
        ({"budget_usd": 1.0}, "budget_usd: agent 'the claude' cannot limit"),
    ],
)
def test_claudes_own_screen_has_no_limits(asked: dict[str, Any], problem: str) -> None:
    """The same agent has them elsewhere."""
    _check(replace(SPEC, **asked), [chosen("claude", interactive=True)], None, problem)


def _check(
    spec: TaskSpec, agents: list[AgentChoice], budget: float | None, problem: str | None
) -> None:
    said = None
    try:
        refuse_unenforced([spec], lambda _: agents, budget)
    except ConfigError as error:
        said = str(error)
    if problem is None:
        assert said is None
    else:
        assert said is not None
        assert said.startswith(f"t.py::test_x: {problem}")
        assert "leave it out" in said
