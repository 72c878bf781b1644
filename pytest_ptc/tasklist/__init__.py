"""The shared list on disk: Claude Code's own directory and format."""

from __future__ import annotations

from pytest_ptc.tasklist.directory import config_dir
from pytest_ptc.tasklist.store import TaskListStore

__all__ = ["TaskListStore", "config_dir"]
