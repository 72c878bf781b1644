"""`ptc talk`: the session of an item's last attempt, taken up by Claude Code itself."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pytest_ptc.cli.items import add_run_and_item, item_of
from pytest_ptc.cli.named_runs import named_run
from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from pytest_ptc.reporting.task_report import TaskReport
    from pytest_ptc.runs.recorded import RecordedRun

#: A session's id: what an agent has put there is no path and no option.
_SESSION = re.compile(r"[0-9a-zA-Z][0-9a-zA-Z-]{7,63}")


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    """Declare the arguments of `ptc talk`."""
    add_run_and_item(parser)


def run(arguments: argparse.Namespace) -> NoReturn:
    """Become Claude Code, in the session and the directory of an item's last attempt.

    Raises:
        PtcError: There is not one such run or item, or its session cannot be taken up.
    """
    found = named_run(arguments.run)
    _, task, name = item_of(found, arguments.item)
    problem = talk_problem(found, task)
    if problem is not None:
        raise ConfigError(f"{name}: {problem}")
    words = _client(found)
    os.chdir(task.spec.cwd)
    environ = client_environment(os.environ, _config(found), Path.home())
    os.execvpe(words[0], [*words, "--resume", _session(task)], environ)


def client_environment(environ: Mapping[str, str], config: Path, home: Path) -> dict[str, str]:
    """Return the environment in which Claude Code has a configuration directory.

    The usual one is not named: Claude Code would look within it for what is beside it, the state
    with a person's login and answers.

    Args:
        environ: The caller's environment.
        config: The directory.
        home: The caller's home directory.
    """
    if environ.get("CLAUDE_CONFIG_DIR") == str(config):
        return dict(environ)
    others = {name: value for name, value in environ.items() if name != "CLAUDE_CONFIG_DIR"}
    return others if config == home / ".claude" else {**others, "CLAUDE_CONFIG_DIR": str(config)}


def talk_problem(found: RecordedRun, task: TaskReport) -> str | None:
    """Return why the session of an item cannot be taken up; None if it can."""
    if found.began.agent != "claude":
        return (
            f"only sessions of agent claude can be taken up, and this run's is {found.began.agent}"
        )
    if not task.attempts or task.kept_from is not None:
        return "it has no attempt in this run" + (
            f"; see run {task.kept_from}" if task.kept_from else ""
        )
    session = _session(task)
    if not session:
        return "its last attempt has no session on record"
    if (node := task.attempts[-1].node) is not None:
        return f"it was on node {node}: Claude Code takes up a session only where it was"
    if task.spec.isolation is not None:
        return "its worktree is gone: Claude Code takes up a session only where it was"
    if not Path(task.spec.cwd).is_dir():
        return f"its directory is gone: {task.spec.cwd}"
    config = _config(found)
    if not any((config / "projects").glob(f"*/{session}.jsonl")):
        return f"its session {session} is gone from {config / 'projects'}"
    try:
        words = _client(found)
    except ValueError as error:
        return f"CLAUDE_CODE: {error}"
    if shutil.which(words[0]) is None:
        return f"there is no program {words[0]}; set CLAUDE_CODE to Claude Code"
    return None


def _session(task: TaskReport) -> str:
    session = str(task.attempts[-1].about.get("session") or "")
    return session if _SESSION.fullmatch(session) else ""


def _config(found: RecordedRun) -> Path:
    """Return Claude Code's configuration directory, in which the run had its shared list."""
    given = os.environ.get("CLAUDE_CONFIG_DIR")
    if found.began.task_list is not None:
        return Path(found.began.task_list).parent.parent
    return Path(given) if given else Path.home() / ".claude"


def _client(found: RecordedRun) -> list[str]:
    """Return the words of Claude Code: those of CLAUDE_CODE, else those of the run's."""
    given = os.environ.get("CLAUDE_CODE")
    if given:
        return shlex.split(given) or ["claude"]
    return list(found.began.command) or ["claude"]
