"""What was asked of a Dask cluster: whether it fits together, and may be done. Pure."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import ConfigError, MarkerError
from pytest_ptc.remote.fitness import NodeNeeds
from pytest_ptc.remote.transport import scheduler_address, secrets_sent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.remote.transport import Address


def dask_problem(settings: Settings) -> str | None:
    """Return what does not fit together in the settings that are about a cluster, or None."""
    if settings.host != "dask":
        # Another host that was asked for by name is another choice for this run, and no mistake.
        if settings.host == "auto" and settings.dask_scheduler:
            return "--ptc-dask-scheduler is of no use without --ptc-host=dask"
        return None
    if not settings.dask_scheduler:
        return (
            "--ptc-host=dask needs --ptc-dask-scheduler=tls://HOST:PORT, or =local for a cluster "
            "on this machine"
        )
    if settings.interactive:
        return (
            "--ptc-interactive cannot be used with --ptc-host=dask: the screen would be on a node; "
            "leave it out, and look at a worker by `ptc attach`"
        )
    return None


def carried_variables(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of pytest's environment that workers on nodes get.

    Raises:
        ConfigError: One is not set.
    """
    missing = [name for name in settings.dask_env if name not in environ]
    if missing:
        raise ConfigError(
            f"ptc_dask_env: {', '.join(missing)} is not set here: set it, or take it out"
        )
    return {name: environ[name] for name in settings.dask_env}


def cluster_address(
    settings: Settings, environ: Mapping[str, str], commands: Mapping[str, Sequence[str]]
) -> Address | None:
    """Return where the cluster's scheduler is; None for one that is made for the run.

    Args:
        settings: What the user asked, of host `dask`.
        environ: Pytest's environment.
        commands: The commands of the run's agents, by where they are said.

    Raises:
        ConfigError: The settings do not fit together, or the run must not go there.
    """
    problem = dask_problem(settings)
    if problem is not None:
        raise ConfigError(problem)
    secrets = secrets_of_run(settings, environ, commands)
    return scheduler_address(
        settings.dask_scheduler, insecure=settings.dask_insecure, secrets=secrets
    )


def secrets_of_run(
    settings: Settings, environ: Mapping[str, str], commands: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Return what of a run is secret and would be sent to nodes, in words.

    Raises:
        ConfigError: A variable that is to be carried is not set.
    """
    variables = {
        "ptc_env": settings.variables,
        "ptc_dask_env": carried_variables(settings, environ),
    }
    return secrets_sent(variables, commands)


def refuse_secrets(specs: Iterable[TaskSpec]) -> None:
    """Refuse tasks whose own variables are secret, where all can read what is sent.

    Raises:
        MarkerError: One is.
    """
    for spec in specs:
        secrets = secrets_sent({"its keyword env": spec.env}, {})
        if secrets:
            raise MarkerError(
                spec.nodeid,
                "env",
                f"--ptc-dask-insecure sends what tasks have for all to read, and {secrets[0]} is "
                f"secret: use tls://, or give agents on nodes their keys there, in the "
                f"environment of the Dask worker",
            )


def node_needs(settings: Settings, version: str, source: str) -> NodeNeeds:
    """Return what a node must have for a run.

    Args:
        settings: What the user asked.
        version: The version of pytest-ptc here.
        source: The hash of its modules here.
    """
    programs = {}
    if settings.dask_code == "ship":
        programs["git"] = "the code that is sent"
    if settings.isolation is not None:
        programs["git"] = "worktrees"
    if settings.dask_node_host == "tmux":
        programs["tmux"] = "ptc_dask_node_host = tmux"
    return NodeNeeds(
        python="{}.{}".format(*sys.version_info),
        version=version,
        source=source,
        programs=programs,
    )
