"""One table of options; command line, ini keys, environment and the frozen `Settings` come from it.

A value is taken from the command line, else the environment, else the ini file, else the default.
This module is imported by every pytest run on the machine, so it imports nothing that pytest has
not imported already.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pytest

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.settings import FAIL_ON, GITHUB, HOSTS, ISOLATIONS, PERMISSION_MODES, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Option(NamedTuple):
    """One option: `--ptc-<name>` where `flag` is set, ini `ptc_<name>`, and `env` where it has one.

    Args:
        name: The field of `Settings`.
        kind: The type tag of pytest's `addini`.
        default: The value when nobody says anything.
        help: One line for `--help`.
        flag: Whether it stands on the command line.
        env: The environment variable that sets it.
        check: Says what is wrong with a value, or None.
        metavar: What `--help` calls the value, where its kind does not say it.
        alone: The value of a flag that stands without one.
    """

    name: str
    kind: Literal["int", "float", "string", "bool", "args", "linelist"]
    default: Any
    help: str
    flag: bool = True
    env: str | None = None
    check: Callable[[Any], str | None] | None = None
    metavar: str | None = None
    alone: str | None = None

    @property
    def ini(self) -> str:
        """Return the ini key."""
        return f"ptc_{self.name}"

    @property
    def cli(self) -> str:
        """Return the command-line flag."""
        return f"--ptc-{self.name.replace('_', '-')}"


def at_least(floor: int) -> Callable[[Any], str | None]:
    """Return a check that a number is `floor` or more."""
    return lambda value: None if value >= floor else f"must be {floor} or more"


def above_zero(value: float) -> str | None:
    """Say what is wrong with a number that must be above zero; NaN is not above zero."""
    return None if value > 0 else "must be above 0"


def one_of(*choices: str) -> Callable[[Any], str | None]:
    """Return a check that a text is one of `choices`; the empty text stands for the default."""
    return lambda value: (
        None if not value or value in choices else f"must be one of {', '.join(choices)}"
    )


def _all_or_number(value: str) -> str | None:
    number = value.isascii() and value.isdigit() and int(value) > 0
    return None if value == "all" or number else "must be all, or a number from 1"


def _settings_files(value: tuple[str, ...]) -> str | None:
    unknown = [entry for entry in value if entry not in ("user", "project", "local")]
    return f"{unknown[0]!r} is not one of user, project, local" if unknown else None


def _assignments(value: tuple[str, ...]) -> str | None:
    bad = [entry for entry in value if "=" not in entry[1:] or "\0" in entry]
    return f"{bad[0]!r} is not of the form NAME=value" if bad else None


OPTIONS: tuple[Option, ...] = (
    Option("workers", "int", 0, "run marked tests on N workers; 0 skips them", check=at_least(0)),
    Option(
        "agent",
        "string",
        "claude",
        "what does a task: claude (Claude Code), command (any program), or the place of one in "
        "Python, package.module:function",
    ),
    Option(
        "host",
        "string",
        "auto",
        "where workers live: tmux, process, or auto (tmux where it is installed)",
        check=one_of(*HOSTS),
    ),
    Option(
        "command",
        "string",
        "",
        "the program of agent 'command' with its arguments, split as a shell splits words but "
        "never run by one; {python}, {rootpath}, {cwd} and {claude_code} are filled in",
    ),
    Option(
        "verdict_from_exit",
        "bool",
        False,
        "take exit status 0 of agent 'command' as pass and 1 as fail",
    ),
    Option(
        "claude_code",
        "string",
        "",
        "the Claude Code command, with arguments if it has some (default: the one that "
        "claude-agent-sdk brings)",
        flag=False,
        env="CLAUDE_CODE",
    ),
    Option(
        "interactive",
        "bool",
        False,
        "show the real Claude Code screen in each worker's pane, for a person to watch and step in",
    ),
    Option(
        "setting_sources",
        "args",
        (),
        "settings files that Claude Code reads: user, project, local (default: none, so that a "
        "text under review cannot configure its reviewer)",
        flag=False,
        check=_settings_files,
    ),
    Option(
        "task_list_id",
        "string",
        "",
        "the shared task list (default: a new one for the run)",
        env="CLAUDE_CODE_TASK_LIST_ID",
    ),
    Option(
        "max_worker_restart",
        "int",
        None,
        "how many lost workers are replaced (default: 4 times the workers)",
        check=at_least(0),
    ),
    Option(
        "timeout",
        "float",
        None,
        "seconds one attempt may take (default: pytest-timeout's limit, else 600)",
        check=above_zero,
    ),
    Option(
        "run_timeout",
        "float",
        None,
        "seconds all tasks together may take, from the first on (default: no limit)",
        check=above_zero,
    ),
    Option("retries", "int", 0, "attempts after trouble in the machinery", check=at_least(0)),
    Option("model", "string", "", "the model, in the agent's own words"),
    Option(
        "tools",
        "args",
        (),
        "the tools Claude Code may use, or rules like Bash(git show HEAD) "
        "(default: Read Grep Glob)",
        flag=False,
    ),
    Option(
        "permission_mode",
        "string",
        "",
        "Claude Code's permission mode (default: dontAsk, which denies what `tools` does not name)",
        flag=False,
        check=one_of(*PERMISSION_MODES),
    ),
    Option("cwd", "string", "", "the agents' directory (default: rootdir)", flag=False),
    Option(
        "env",
        "linelist",
        (),
        "variables for the agents, one NAME=value a line",
        flag=False,
        check=_assignments,
    ),
    Option("max_turns", "int", None, "most turns of an agent", flag=False, check=at_least(1)),
    Option(
        "budget_usd",
        "float",
        None,
        "most US dollars the run may cost: no task is started beyond it",
        check=above_zero,
        metavar="USD",
    ),
    Option(
        "task_budget_usd",
        "float",
        None,
        "most US dollars an attempt may cost: the default of the marker's budget_usd",
        flag=False,
        check=above_zero,
    ),
    Option("gate", "bool", True, "whether a verdict of fail fails its test", flag=False),
    Option(
        "require_evidence",
        "bool",
        False,
        "make a pass or skip an error whose agent used no tool before it recorded",
    ),
    Option(
        "resume",
        "string",
        "",
        "do not run again what has a verdict in that run and is unchanged: the end of a run's id, "
        "or nothing for the last run",
        alone="last",
        metavar="RUN",
    ),
    Option(
        "fail_on",
        "string",
        "verdict",
        "what fails a test: a verdict of fail alone (verdict), or a finding of this severity or "
        "worse, too: critical, high, medium, low, info",
        check=one_of(*FAIL_ON),
    ),
    Option(
        "exit_codes",
        "bool",
        False,
        "end with status 10, and not 1, if nothing failed and there was only trouble in the "
        "machinery",
    ),
    Option(
        "require",
        "string",
        "",
        "end with status 0 only if all marked tests, or at least N, were judged by an agent "
        "in this run, or in the one that it resumes",
        check=_all_or_number,
        metavar="all|N",
    ),
    Option(
        "on_skip",
        "string",
        "",
        "what a verdict of skip makes of its test: skip, or error (default: error with "
        "--ptc-exit-codes, else skip)",
        check=one_of("skip", "error"),
        metavar="WHAT",
    ),
    Option(
        "isolation",
        "string",
        "",
        "worktree: give each attempt a git worktree of its own (default: the directory itself)",
        flag=False,
        check=one_of(*ISOLATIONS),
    ),
    Option("json", "string", "", "write the whole run to this file, as JSON", metavar="PATH"),
    Option(
        "sarif",
        "string",
        "",
        "write the findings to this file, as SARIF for code scanning",
        metavar="PATH",
    ),
    Option(
        "gitlab",
        "string",
        "",
        "write the findings to this file, as GitLab's Code Quality report",
        metavar="PATH",
    ),
    Option("html", "string", "", "write the whole run to this file, as a page", metavar="PATH"),
    Option(
        "github",
        "string",
        "auto",
        "annotate files and write a step summary on GitHub: yes, no, or auto (in GitHub Actions)",
        check=one_of(*GITHUB),
        alone="yes",
        metavar="WHEN",
    ),
    Option(
        "properties",
        "bool",
        False,
        "add verdict, worker, attempts, cost and resumed run to each item's properties, as in "
        "JUnit XML; strict readers of that refuse properties",
    ),
)


def add_options(parser: pytest.Parser) -> None:
    """Declare the whole table to pytest."""
    group = parser.getgroup("ptc", "parallel task coordination (pytest-ptc)")
    types: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "string": str}
    for option in OPTIONS:
        parser.addini(option.ini, option.help, type=option.kind, default=None)
        if not option.flag:
            continue
        dest = f"ptc_{option.name}"
        # The default is None so that `resolve` can tell "not said" from any value.
        if option.kind == "bool":
            group.addoption(
                option.cli, dest=dest, action="store_true", default=None, help=option.help
            )
        else:
            group.addoption(
                option.cli,
                dest=dest,
                type=types[option.kind],
                metavar=option.metavar
                or {"int": "N", "float": "SECONDS"}.get(option.kind, option.name.upper()),
                default=None,
                **({} if option.alone is None else {"nargs": "?", "const": option.alone}),
                help=option.help,
            )


def resolve(config: pytest.Config, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of this pytest run.

    Raises:
        ConfigError: A value that cannot be used; the message names where it was set.
    """
    environ = os.environ if environ is None else environ
    return Settings(**{option.name: _value(option, config, environ) for option in OPTIONS})


def _value(option: Option, config: pytest.Config, environ: Mapping[str, str]) -> Any:
    place, value = _said(option, config, environ)
    if value is None:
        return option.default
    if option.kind in ("args", "linelist"):
        value = tuple(value)
    problem = option.check(value) if option.check else None
    if problem is None and isinstance(value, str) and "\0" in value:
        problem = "holds a NUL byte"
    if problem:
        raise ConfigError(f"{place}: {value!r} {problem}")
    return value


def _said(option: Option, config: pytest.Config, environ: Mapping[str, str]) -> tuple[str, Any]:
    if option.flag:
        value = config.getoption(f"ptc_{option.name}", None)
        if value is not None:
            return option.cli, value
    if option.env and environ.get(option.env):
        return option.env, environ[option.env]
    try:
        value = config.getini(option.ini)
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise ConfigError(f"{option.ini}: {error}") from None
    # An empty text in an ini file is how people write "the default".
    return option.ini, None if value == "" else value
