"""The checks of a launch plan before any host starts it.

Hosts themselves report these errors differently or not at all: tmux starts a worker in the home
directory when its own is missing, and reports a missing program as exit status 1.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from pytest_ptc.interfaces.host import LaunchPlan


def check_plan(
    plan: LaunchPlan, *, host: str, taken: Container[str], env: Mapping[str, str]
) -> None:
    """Check that a plan can be started.

    Args:
        plan: The plan.
        host: The host's name, for errors.
        taken: The names in use.
        env: The worker's environment; its `PATH` is where the program is looked up.

    Raises:
        HostError: The name is taken, or the directory or the program is missing.
    """
    problem = _problem(plan, taken, env)
    if problem:
        raise HostError(problem, host=host, worker=plan.worker, command="start")


def _problem(plan: LaunchPlan, taken: Container[str], env: Mapping[str, str]) -> str | None:
    if plan.worker in taken:
        return "the name is taken by a worker that has not been killed yet"
    if not plan.argv:
        return "no program"
    if not plan.cwd.is_absolute() or not plan.cwd.is_dir():
        return f"no such directory: {plan.cwd}"
    # A program given as a relative path is found from the worker's directory, not from ours.
    program = str(plan.cwd / plan.argv[0]) if os.sep in plan.argv[0] else plan.argv[0]
    if not shutil.which(program, path=env.get("PATH", os.defpath)):
        return f"no such program: {plan.argv[0]}"
    return None
