"""Launch files for tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pytest_ptc.interfaces.launch import AgentLaunch, LaunchFile, OwnerProcess


def launch_file(folder: Path = Path("/nowhere"), **changes: Any) -> LaunchFile:
    """Return a launch file of worker `w1` of run `r1`, whose folders are all in this one."""
    scratch = folder / "scratch"
    fields = {
        "worker": "w1",
        "run_id": "r1",
        "agent": AgentLaunch(make="pytest_ptc.agents.command:make"),
        "journal": folder / "runs" / "r1",
        "scratch": scratch,
        "commands": folder / "bin",
        "start": folder,
        "task_list_id": "shared",
        "claude_config": folder / "config",
        "address": scratch / "coordinator",
        "key": "key",
        "owner": OwnerProcess(pid=os.getpid(), created=0.0),
    }
    return LaunchFile(**{**fields, **changes})
