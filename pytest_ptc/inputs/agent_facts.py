"""What a run's agent is, for whoever asks whether a later run has the same one."""

from __future__ import annotations

import contextlib
import os
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.inputs.agent_files import AgentFiles, agent_files
from pytest_ptc.inputs.fingerprint import model_variables
from pytest_ptc.interfaces.environment import inherited
from pytest_ptc.system.git.repositories import repository_top
from pytest_ptc.tasklist.directory import config_dir

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_ptc.model.settings import Settings

#: What Claude Code reads of a project besides what the prompt names, and git may ignore.
_OF_PROJECTS = (".claude/settings.json", ".claude/settings.local.json", "CLAUDE.local.md")
#: What it reads of its configuration directory.
_OF_USERS = ("settings.json", "CLAUDE.md")


def agent_facts(
    settings: Settings, argv: Sequence[str], rootpath: Path, environ: Mapping[str, str]
) -> dict[str, Any]:
    """Return what an agent is besides its files, part by part, as plain JSON.

    Args:
        settings: What the user asked.
        argv: The agent's program and its arguments; empty for one in Python.
        rootpath: Pytest's root directory.
        environ: The environment of this process.
    """
    return {
        "program": [settings.agent, settings.interactive, *_from_top(argv, rootpath)],
        "settings": {
            "verdict_from_exit": settings.verdict_from_exit,
            "setting_sources": list(settings.setting_sources),
        },
        "model variables": model_variables(_environment(settings, environ)),
        "packages": _packages(settings, argv),
    }


def files_of_agent(
    settings: Settings, argv: Sequence[str], rootpath: Path, environ: Mapping[str, str]
) -> AgentFiles:
    """Return where the files of a run's agent are; arguments as for `agent_facts`."""
    more: list[str] = []
    if settings.agent == "claude" and "user" in settings.setting_sources:
        folder = config_dir(environ)
        more = [os.path.realpath(folder / name) for name in _OF_USERS]
    module = settings.agent.partition(":")[0] if ":" in settings.agent else None
    environ = _environment(settings, environ)
    return agent_files(argv, module=module, more=more, rootpath=rootpath, environ=environ)


def words_of_agent(settings: Settings, argv: Sequence[str]) -> list[str]:
    """Return texts that name files for every task, from the task's own directory."""
    if settings.agent == "claude":
        return list(_OF_PROJECTS)
    return list(argv[1:])


def _environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    return inherited(environ) | dict(entry.split("=", 1) for entry in settings.env)


def _from_top(argv: Sequence[str], rootpath: Path) -> list[str]:
    """Return a command with paths in the repository from its top: another checkout has the same."""
    top = repository_top(rootpath)
    if top is None:
        return list(argv)
    return [word.replace(f"{top}/", "{top}/") for word in argv]


def _packages(settings: Settings, argv: Sequence[str]) -> list[str]:
    """Return the distributions that have a part in what the agent says, with their versions."""
    found = [f"pytest-ptc {version('pytest-ptc')}"]
    if settings.agent == "claude":
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"claude-agent-sdk {version('claude-agent-sdk')}")
    ours = os.path.realpath(sys.executable)
    if ":" in settings.agent or any(os.path.realpath(word) == ours for word in argv[:1]):
        # An agent that is run by our own Python imports what is installed there. Names of folders
        # have the versions, and cost a thousandth of reading what is in them.
        for place in sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}):
            with contextlib.suppress(OSError):
                names = (entry.name for entry in Path(place).iterdir())
                found += sorted(name for name in names if name.endswith(".dist-info"))
    return found
