"""Tasks that are refused before anything is started: their agents could not do them as asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.agents.command_setup import COMMAND_OPTION
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.text.command_fields import FieldProblem, filled_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_ptc.interfaces.agent_kind import AgentChoice
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.session.agents import RunAgents

_CHOOSE = "choose agent claude without --ptc-interactive"


def refuse_unenforced(
    specs: Sequence[TaskSpec],
    agents_of: Callable[[TaskSpec], Iterable[AgentChoice]],
    budget_usd: float | None,
) -> None:
    """Refuse a limit or a demand that an agent of a task would ignore.

    Args:
        specs: The tasks.
        agents_of: Returns the agents of a task.
        budget_usd: The US dollars of the run; None for no limit.

    Raises:
        ConfigError: A task has one.
    """
    for spec in specs:
        for agent in agents_of(spec):
            problem = _unenforced(spec, agent, budget_usd)
            if problem is not None:
                raise ConfigError(f"{spec.nodeid}: {problem}")


def _unenforced(spec: TaskSpec, agent: AgentChoice, budget_usd: float | None) -> str | None:
    limits = {
        "max_turns": (spec.max_turns, "the turns", "ptc_max_turns"),
        "budget_usd": (spec.budget_usd, "the cost", "ptc_task_budget_usd"),
    }
    for keyword, (value, what, option) in limits.items():
        if value is not None and keyword not in agent.limits:
            return (
                f"{keyword}: agent {agent.name!r} cannot limit {what} of an attempt; leave it out "
                f"of the marker and {option} unset, or {_CHOOSE}"
            )
    if budget_usd is not None and not agent.tells_costs:
        return (
            f"--ptc-budget-usd: agent {agent.name!r} does not tell what it costs, so the run "
            f"cannot keep to it; leave it out (--ptc-run-timeout limits a run, too), or {_CHOOSE}"
        )
    if spec.require_evidence and not agent.tells_tool_calls:
        return (
            f"require_evidence: agent {agent.name!r} does not report tool calls; leave it out of "
            "the marker and ptc_require_evidence unset, or choose another agent"
        )
    return None


def refuse_unclear(specs: Sequence[TaskSpec], agents: RunAgents, rootpath: Path) -> None:
    """Refuse an ambiguous command: its file may be the reviewer's or the reviewed.

    Raises:
        ConfigError: A task has one.
    """
    root = rootpath.resolve()
    for spec in specs:
        if spec.isolation is None and Path(spec.cwd).resolve() == root:
            continue
        for plan in (agent.plan for agent in agents.all_of(spec)):
            if plan.unclear:
                name = plan.unclear[0]
                raise ConfigError(
                    f"{spec.nodeid}: {plan.source}: {name!r} names a file of the root directory, "
                    f"and could be one of the task's directory: write {{rootpath}}/{name} for a "
                    f"file of the reviewer, {{cwd}}/{name} for one that is reviewed"
                )


def refuse_unfilled(specs: Sequence[TaskSpec], agents: RunAgents) -> None:
    """Refuse a command whose fields cannot be filled for a task.

    Raises:
        ConfigError: A task has one.
    """
    for spec in specs:
        for plan in (agent.plan for agent in agents.all_of(spec)):
            if plan.source != COMMAND_OPTION:
                continue
            try:
                filled_command(plan.argv, spec.params, spec.cwd)
            except FieldProblem as error:
                raise ConfigError(f"{spec.nodeid}: {plan.source}: {error}") from None


def refuse_shared_findings(
    specs: Sequence[TaskSpec], agents: RunAgents, owners: dict[tuple[str, str], str]
) -> None:
    """Refuse that two tasks of a directory write one file: whose findings it has is unknown.

    Args:
        specs: The tasks.
        agents: The run's agents.
        owners: Which test writes a file, by its directory and name: it is added to.

    Raises:
        ConfigError: Two write one, or an agent writes none.
    """
    for spec in specs:
        if spec.findings is None:
            continue
        for agent in agents.all_of(spec):
            if agent.plan.source != COMMAND_OPTION or not agent.plan.argv:
                raise ConfigError(
                    f"{spec.nodeid}: findings: agent {agent.name!r} runs no program of "
                    "ptc_command; leave findings out, or use --ptc-agent=command"
                )
        if spec.isolation is not None:
            continue
        if spec.votes > 1:
            raise ConfigError(
                f"{spec.nodeid}: findings: its {spec.votes} votes write {spec.findings} in the "
                "same directory; give it isolation='worktree'"
            )
        owner = owners.setdefault((spec.cwd, spec.findings), spec.nodeid)
        if owner != spec.nodeid:
            raise ConfigError(
                f"{spec.nodeid}: findings: {owner} writes {spec.findings} in the same directory; "
                "name a parameter in it (sarif:{name}.sarif), or give each task "
                "isolation='worktree'"
            )
