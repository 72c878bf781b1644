"""What a run's agent is, for whoever asks whether a later run has the same one."""

from __future__ import annotations

import contextlib
import os
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.inputs.agent_files import AgentFiles, agent_files
from pytest_ptc.inputs.fingerprint import model_variables
from pytest_ptc.interfaces.environment import inherited
from pytest_ptc.system.git.repositories import repository_top

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_ptc.interfaces.agent_kind import AgentChoice
    from pytest_ptc.model.settings import Settings


def agent_facts(
    settings: Settings, agent: AgentChoice, rootpath: Path, environ: Mapping[str, str]
) -> dict[str, Any]:
    """Return what an agent is besides its files, part by part, as plain JSON.

    Args:
        settings: What the user asked.
        agent: The run's agent.
        rootpath: Pytest's root directory.
        environ: The environment of this process.
    """
    return {
        "program": [agent.name, settings.interactive, *_from_top(agent.plan.argv, rootpath)],
        "settings": dict(agent.plan.options),
        "model variables": model_variables(_environment(settings, environ)),
        "packages": _packages(agent),
    }


def files_of_agent(
    settings: Settings, agent: AgentChoice, rootpath: Path, environ: Mapping[str, str]
) -> AgentFiles:
    """Return where the files of a run's agent are; arguments as for `agent_facts`."""
    return agent_files(
        agent.plan.argv,
        module=agent.module,
        module_path=[*agent.search_path, *agent.python.package_folders],
        more=agent.plan.files,
        rootpath=rootpath,
        environ=_environment(settings, environ),
    )


def _environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    return inherited(environ) | settings.variables


def _from_top(argv: Sequence[str], rootpath: Path) -> list[str]:
    """Return a command with paths in the repository from its top: another checkout has the same."""
    top = repository_top(rootpath)
    if top is None:
        return list(argv)
    return [word.replace(f"{top}/", "{top}/") for word in argv]


def _packages(agent: AgentChoice) -> list[str]:
    """Return the distributions that have a part in what the agent says, with their versions."""
    versions = {name: agent.python.version_of(name) for name in agent.plan.distributions}
    packages = [f"pytest-ptc {version('pytest-ptc')}"]
    packages += [f"{name} {number}" for name, number in versions.items() if number is not None]
    ours = os.path.realpath(sys.executable)
    folders = set(agent.python.package_folders) if agent.module else set()
    if any(os.path.realpath(word) == ours for word in agent.plan.argv[:1]):
        folders |= {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    # An agent that is run by such a Python imports what is installed there. Names of folders have
    # the versions, and cost a thousandth of reading what is in them.
    for place in sorted(folders):
        with contextlib.suppress(OSError):
            names = (entry.name for entry in Path(place).iterdir())
            packages += sorted(name for name in names if name.endswith(".dist-info"))
    return packages
