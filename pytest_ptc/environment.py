"""The environment that agents get: what is taken out of pytest's own, and what is put in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_ptc.model import Attempt, TaskSpec

#: Variables that mark every process of an attempt and of a run, so that a process that left its
#: tree is still found and ended.
ATTEMPT_COOKIE = "PTC_COOKIE"
RUN_COOKIE = "PTC_RUN"
#: The attempt's folder in the journal, where `ptc record` records, and the token that it needs.
ATTEMPT_FOLDER = "PTC_ATTEMPT_FOLDER"
ATTEMPT_TOKEN = "PTC_TOKEN"  # noqa: S105 - the variable's name

#: When the attempt is over, in seconds of `time.monotonic()`.
ATTEMPT_DEADLINE = "PTC_DEADLINE"

#: Variables of Claude Code that choose provider and login; every other `CLAUDE_CODE_*` belongs to
#: the session that pytest was started from, and would make an agent believe it is that session.
_KEPT = (
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_",
    "CLAUDE_CODE_SKIP_BEDROCK_AUTH",
    "CLAUDE_CODE_SKIP_VERTEX_AUTH",
    "CLAUDE_CODE_SKIP_FOUNDRY_AUTH",
    "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
    "CLAUDE_CODE_CLIENT_CERT",
    "CLAUDE_CODE_CLIENT_KEY",
)
#: An agent has no business with the tmux server that hosts it, with the test pytest is at, nor with
#: what a session tells its tools of itself.
_DROPPED = frozenset(
    {"CLAUDECODE", "CLAUDE_PID", "CLAUDE_EFFORT", "TMUX", "TMUX_PANE", "PYTEST_CURRENT_TEST"}
)

#: Linux refuses one variable of 128 kB or more: larger parameters are in the file alone.
LONGEST_VARIABLE = 100_000


def owner_name(run_id: str, worker: str) -> str:
    """Return the owner that the shared list shows for a worker's task."""
    return f"ptc-{run_id}-{worker}"


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what an agent inherits of this environment."""
    return {
        name: value
        for name, value in environ.items()
        if name not in _DROPPED
        and not name.startswith("PTC_")
        and (not name.startswith("CLAUDE_CODE_") or name.startswith(_KEPT))
    }


def agent_environment(
    environ: Mapping[str, str],
    *,
    attempt: Attempt,
    spec: TaskSpec,
    folder: Path,
    params_file: Path,
    cookie: str,
    token: str,
    deadline: float,
    run_id: str,
    task_list_id: str,
) -> dict[str, str]:
    """Return the whole environment of one attempt's agent."""
    parameters = json.dumps(dict(spec.params))
    variables = {
        **inherited(environ),
        "CLAUDE_CODE_TASK_LIST_ID": task_list_id,
        **spec.env,
        RUN_COOKIE: run_id,
        ATTEMPT_COOKIE: cookie,
        ATTEMPT_FOLDER: str(folder),
        ATTEMPT_TOKEN: token,
        ATTEMPT_DEADLINE: repr(deadline),
        "PTC_TASK_ID": attempt.task_id,
        "PTC_ATTEMPT": str(attempt.number),
        "PTC_NODEID": spec.nodeid,
        "PTC_PARAMS_FILE": str(params_file),
    }
    if len(parameters) < LONGEST_VARIABLE:
        variables["PTC_PARAMS"] = parameters
    return variables
