"""Tasks that are refused before anything is started: their agents could not do them as asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.agents.command_setup import COMMAND_OPTION
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.text.command_fields import FieldProblem, filled_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.session.agents import RunAgents


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
