"""The options of the agent and its workers: who does the tasks, where, and within which limits.

Every pytest run on the machine imports this.
"""

from __future__ import annotations

import argparse

from pytest_ptc.collection.option import Option
from pytest_ptc.collection.value_types import (
    DOLLARS,
    FLAG,
    SECONDS,
    TEXT,
    one_of,
    some_of,
    whole_from,
)
from pytest_ptc.model.choices import HostName, SettingSource


def _workers(text: str) -> int:
    """Return the number of workers that a word of the command line is."""
    if text == "auto":
        from pytest_ptc.system.machine import processors  # noqa: PLC0415 - only where it is asked for

        return processors()
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from 0, or auto, not {text!r:.80}"
        ) from None


AGENT_OPTIONS = (
    Option(
        "workers",
        whole_from(0),
        0,
        "run marked tests on N workers; 0 skips them; on the command line also auto: as many as "
        "processors, and no more than tasks",
        metavar="N|auto",
        cli_type=_workers,
    ),
    Option(
        "agent",
        TEXT,
        "claude",
        "the agent: claude (Claude Code), command (any program), acp:codex, acp:gemini, "
        "acp:copilot, acp:qwen, acp:opencode or acp (any client of the Agent Client Protocol), an "
        "agent of a plugin (the error "
        "for an unknown name lists them), or a Python function that makes one, "
        "package.module:function",
    ),
    Option(
        "host",
        one_of(HostName),
        "auto",
        "where workers live: tmux, process, auto (tmux where it is installed), or dask (on the "
        "nodes of a Dask cluster)",
    ),
    Option(
        "command",
        TEXT,
        "",
        "the program of agent 'command' with its arguments, split as a shell splits words but "
        "never run by one; {python}, {rootpath}, {cwd}, {claude_code} and the test's parameters "
        "are filled in",
    ),
    Option(
        "verdict_from_exit",
        FLAG,
        False,
        "take exit status 0 of agent 'command' as pass and 1 as fail",
    ),
    Option(
        "acp_command",
        TEXT,
        "",
        "the program of agent 'acp' with its arguments, split as a shell splits words (default: "
        "that of the known client that the agent names)",
    ),
    Option(
        "claude_code",
        TEXT,
        "",
        "the Claude Code command, with arguments if it has some (default: the one that "
        "claude-agent-sdk brings)",
        flag=False,
        env="CLAUDE_CODE",
    ),
    Option(
        "worker_python",
        TEXT,
        "",
        "the Python that runs workers and has pytest-ptc of the same version, from rootdir "
        "(default: the one that runs pytest)",
        metavar="PATH",
    ),
    Option(
        "interactive",
        FLAG,
        False,
        "show the real Claude Code screen in each worker's pane, for a person to watch and step in",
    ),
    Option(
        "setting_sources",
        some_of(SettingSource),
        (),
        "settings files that Claude Code reads: user, project, local (default: none, so that a "
        "text under review cannot configure its reviewer)",
        flag=False,
    ),
    Option(
        "task_list_id",
        TEXT,
        "",
        "the shared task list (default: a new one for the run)",
        env="CLAUDE_CODE_TASK_LIST_ID",
    ),
    Option(
        "max_worker_restart",
        whole_from(0),
        None,
        "how many lost workers are replaced (default: 4 times the workers)",
    ),
    Option(
        "run_timeout",
        SECONDS,
        None,
        "seconds all tasks together may take, from the first on (default: no limit)",
    ),
    Option(
        "budget_usd",
        DOLLARS,
        None,
        "maximum US dollars of the run: no task is started beyond it",
        metavar="USD",
    ),
)
