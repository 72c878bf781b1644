"""What `sandbox` comes to, by the task, its agents and the machine."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.interfaces.agent_kind import AgentChoice, AgentPlan
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.session.sandboxing import sandbox_line, with_sandboxes
from pytest_ptc.system.bubblewrap import told_problem
from tests.support.settings import settings_with

if TYPE_CHECKING:
    from pytest_ptc.model.choices import SandboxNetwork, SandboxUse

SPEC = TaskSpec(nodeid="t.py::test_x", prompt="x", timeout=1, cwd="/")
LACK = "bubblewrap is not installed"


def agent(name: str, *, sandboxes: bool = True, needs_network: bool = False) -> AgentChoice:
    return AgentChoice(
        name=name,
        make="x:y",
        plan=AgentPlan(),
        python=None,  # type: ignore[arg-type]
        sandboxes=sandboxes,
        needs_network=needs_network,
    )


COMMAND, CLAUDE = agent("command"), agent("claude", needs_network=True)
OWN = agent("own", sandboxes=False)


@pytest.mark.parametrize(
    ("wanted", "network", "agents", "lack", "result"),
    [
        ("off", "on", [OWN], LACK, "off"),
        ("off", "off", [CLAUDE], None, "off"),
        ("auto", "on", [COMMAND], None, "bwrap"),
        ("auto", "on", [COMMAND], LACK, "off"),
        ("auto", "on", [COMMAND, OWN], None, "off"),
        ("auto", "off", [CLAUDE], LACK, "off"),
        ("auto", "off", [CLAUDE], None, "t.py::test_x: sandbox_network='off': agent 'claude'"),
        ("bwrap", "off", [COMMAND], None, "bwrap"),
        ("bwrap", "on", [COMMAND, CLAUDE], None, "bwrap"),
        ("bwrap", "on", [COMMAND], LACK, f"t.py::test_x: sandbox='bwrap': {LACK}"),
        ("bwrap", "on", [CLAUDE, OWN], None, "agent 'own' cannot be put into a sandbox"),
    ],
)
def test_a_task_has_the_sandbox_that_it_asks_for_or_is_refused(
    wanted: SandboxUse,
    network: SandboxNetwork,
    agents: list[AgentChoice],
    lack: str | None,
    result: str,
) -> None:
    """`auto` is decided before anything starts, for all agents of a task alike."""
    spec = replace(SPEC, sandbox=wanted, sandbox_network=network)
    refused = result not in ("off", "bwrap")
    with pytest.raises(ConfigError, match=result) if refused else nullcontext():
        (decided,) = with_sandboxes([spec], lambda _: agents, lambda: lack)
        assert (decided.sandbox, replace(decided, sandbox=wanted)) == (result, spec)


@pytest.mark.parametrize(
    ("wanted", "choice", "lack", "said"),
    [
        ("off", COMMAND, LACK, None),
        ("auto", COMMAND, None, "sandbox on (bubblewrap)"),
        ("auto", COMMAND, LACK, f"sandbox off: {LACK}"),
        ("auto", OWN, None, "sandbox off: agent 'own' has none"),
        ("bwrap", COMMAND, None, "sandbox on (bubblewrap)"),
    ],
)
def test_the_header_says_whether_it_is_on(
    wanted: SandboxUse, choice: AgentChoice, lack: str | None, said: str | None
) -> None:
    """Nobody has to guess what `auto` came to."""
    asked = settings_with(sandbox=wanted)
    assert sandbox_line(asked, choice, lambda: lack) == said


def test_a_run_that_cannot_have_it_is_refused() -> None:
    """With the fix."""
    with pytest.raises(ConfigError, match=f"--ptc-sandbox=bwrap: {LACK}; or choose"):
        sandbox_line(settings_with(sandbox="bwrap"), COMMAND, lambda: LACK)


@pytest.mark.parametrize(
    ("complaint", "said"),
    [
        ("bwrap: Unknown option --size", "is too old (bwrap: Unknown option --size); install 0.7"),
        ("bwrap: No permissions to create new namespace", "forbids user namespaces (bwrap: No p"),
        ("", "(bwrap failed); allow them: as root, `sysctl"),
    ],
)
def test_a_complaint_of_bubblewrap_comes_with_the_fix(complaint: str, said: str) -> None:
    """As a person can carry it out."""
    assert said in told_problem(complaint)
