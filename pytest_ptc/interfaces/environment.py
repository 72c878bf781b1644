"""The environment of workers and agents, made from pytest's own."""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING

from pytest_ptc.model.variables import (
    ATTEMPT_COOKIE,
    ATTEMPT_FOLDER,
    ATTEMPT_TOKEN,
    JOURNAL_KEY,
    RECORD_SOCKET,
    RUN_COOKIE,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_ptc.model.result import Attempt
    from pytest_ptc.model.task import TaskSpec

#: Why a marked test is skipped in a worker of pytest-xdist; the controller recognizes the text.
IN_XDIST = "in a worker of pytest-xdist: ptc has workers of its own"

#: Variables of Claude Code that choose provider and login; every other `CLAUDE_CODE_*` belongs to
#: the session that pytest was started from, and would make an agent believe it is that session.
_KEPT_CLAUDE_CODE = (
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_",
    "CLAUDE_CODE_SKIP_BEDROCK_AUTH",
    "CLAUDE_CODE_SKIP_VERTEX_AUTH",
    "CLAUDE_CODE_SKIP_FOUNDRY_AUTH",
    "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
    "CLAUDE_CODE_CLIENT_CERT",
    "CLAUDE_CODE_CLIENT_KEY",
)
#: Variables that an agent must not get: those of the tmux server that hosts it, of pytest's current
#: test, and of a Claude Code session that pytest was started from.
_DROPPED = frozenset(
    {"CLAUDECODE", "CLAUDE_PID", "CLAUDE_EFFORT", "TMUX", "TMUX_PANE", "PYTEST_CURRENT_TEST"}
)

#: Variables with which git names the current repository to a hook and its children; an agent must
#: use the repository of its own directory. `git rev-parse --local-env-vars` lists most of them;
#: `GIT_CONFIG_*` configure git itself, and stay.
_GIT_REPOSITORY_VARIABLES = frozenset(
    {"GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE"}
    | {"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH"}
    | {"GIT_PREFIX", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NAMESPACE", "GIT_SHALLOW_FILE"}
    | {"GIT_GRAFT_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_ATTR_SOURCE"}
    | {"GIT_CONFIG", "GIT_REFLOG_ACTION", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS"}
    | {"GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS"}
    | {"GIT_ICASE_PATHSPECS", "GIT_PUSH_OPTION_COUNT"}
)
#: git settings that an agent gets besides the user's: git ignores a bare repository within a tree,
#: and starts no file monitor program of a repository's configuration.
_GIT_SETTINGS = (("safe.bareRepository", "explicit"), ("core.fsmonitor", "false"))
#: Variables that hold directories; a relative entry would depend on the current directory.
_SEARCH_PATHS = ("PATH", "PYTHONPATH", "NODE_PATH", "PERL5LIB", "RUBYLIB", "LD_LIBRARY_PATH")
#: Variables that make coverage.py or pytest-cov measure every Python process.
_COVERAGE_PREFIXES = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "COV_CORE_")

#: Linux refuses a variable of 128 kB or more: larger parameters are only in the file.
MAX_VARIABLE_CHARS = 100_000


def worker_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the part of pytest's environment that workers inherit, and agents from them.

    Only pytest has the key of the journals. coverage.py must not measure workers and agents as it
    measures the tests' subprocesses: they are not the code under test, and their data files would
    be left beside those that pytest-cov combines.
    """
    return {
        name: value
        for name, value in environ.items()
        if name != JOURNAL_KEY and not name.startswith(_COVERAGE_PREFIXES)
    }


def changed(environ: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return an environment with these variables in it; one that is None is not."""
    return {name: value for name, value in {**environ, **changes}.items() if value is not None}


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the part of this environment that an agent inherits."""
    return {
        name: value
        for name, value in environ.items()
        if name not in _DROPPED
        and name not in _GIT_REPOSITORY_VARIABLES
        and not name.startswith("PTC_")
        and (not name.startswith("CLAUDE_CODE_") or name.startswith(_KEPT_CLAUDE_CODE))
    }


def anchored(environ: Mapping[str, str], start: str) -> dict[str, str]:
    """Return an environment that means the same from every directory.

    In a worktree, a relative or empty entry of a search path would find programs and modules of the
    branch under review; and git would use the repository of a hook that started pytest.

    Args:
        environ: The environment.
        start: The directory that pytest was started in, absolute.
    """
    absolute = {
        name: ":".join(
            posixpath.normpath(posixpath.join(start, entry)) for entry in environ[name].split(":")
        )
        for name in _SEARCH_PATHS
        if environ.get(name)
    }
    kept = {name: value for name, value in environ.items() if name not in _GIT_REPOSITORY_VARIABLES}
    return {**kept, **absolute}


def with_guarded_git(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an agent's environment with the settings of `_GIT_SETTINGS`."""
    try:
        count = int(environ.get("GIT_CONFIG_COUNT") or "0")
    except ValueError:
        return dict(environ)  # git reports that error itself
    added = {"GIT_CONFIG_COUNT": str(count + len(_GIT_SETTINGS))}
    for number, (key, value) in enumerate(_GIT_SETTINGS, count):
        added |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {**environ, **added}


def agent_environment(
    environ: Mapping[str, str],
    *,
    attempt: Attempt,
    spec: TaskSpec,
    folder: Path,
    params_file: Path,
    cookie: str,
    token: str,
    address: Path,
    run_id: str,
    task_list_id: str,
) -> dict[str, str]:
    """Return the whole environment of one attempt's agent."""
    parameters = json.dumps(dict(spec.params))
    listed = {"CLAUDE_CODE_TASK_LIST_ID": task_list_id}
    variables = {
        **with_guarded_git({**inherited(environ), **listed, **spec.env}),
        RUN_COOKIE: run_id,
        ATTEMPT_COOKIE: cookie,
        ATTEMPT_FOLDER: str(folder),
        ATTEMPT_TOKEN: token,
        RECORD_SOCKET: str(address),
        "PTC_TASK_ID": attempt.task_id,
        "PTC_ATTEMPT": str(attempt.number),
        "PTC_NODEID": spec.nodeid,
        "PTC_PARAMS_FILE": str(params_file),
    }
    if len(parameters) < MAX_VARIABLE_CHARS:
        variables["PTC_PARAMS"] = parameters
    return variables
