"""The options of a run: command line, ini keys, environment and `Settings` come from one table.

A value is taken from the command line, else the environment, else the ini file, else the default.
This module is imported by every pytest run on the machine, so it imports nothing that pytest has
not imported already.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_ptc.collection.keywords import KEYWORDS
from pytest_ptc.collection.value_types import (
    ALL_OR_NUMBER,
    DOLLARS,
    FLAG,
    RATE,
    RUN,
    SECONDS,
    SHARD,
    TEXT,
    VARIABLE_NAMES,
    ValueType,
    one_of,
    some_of,
    whole_from,
)
from pytest_ptc.model.choices import (
    DaskCode,
    DaskNodeHost,
    GithubUse,
    HostName,
    OutputForm,
    SettingSource,
    SkipMeans,
)
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.reports import REPORTS, with_added
from pytest_ptc.model.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_ptc.model.reports import ReportKind


class Option(NamedTuple):
    """One option: `--ptc-<name>` where `flag` is set, ini `ptc_<name>`, and `env` where it has one.

    Args:
        name: The field of `Settings`.
        type: What it takes.
        default: The value if nobody sets the option.
        help: One line for `--help`.
        flag: Whether it exists on the command line.
        env: The environment variable that sets it.
        metavar: What `--help` calls the value, where its type does not say it.
        alone: The value of a flag that is given without one.
        cli_type: Returns the value of a word of the command line, where the type does not.
    """

    name: str
    type: ValueType
    default: Any
    help: str
    flag: bool = True
    env: str | None = None
    metavar: str | None = None
    alone: str | None = None
    cli_type: Callable[[str], Any] | None = None

    @property
    def ini(self) -> str:
        return f"ptc_{self.name}"

    @property
    def cli(self) -> str:
        return f"--ptc-{self.name.replace('_', '-')}"

    @property
    def choices(self) -> tuple[str, ...]:
        """Return the values, where they are a few names."""
        return self.type.choices


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


#: Which agent does the tasks, and where.
_AGENT = (
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
#: Where workers are on a Dask cluster; certificates are Dask's own configuration.
_CLUSTER = (
    Option(
        "dask_scheduler",
        TEXT,
        "",
        "with --ptc-host=dask: the address of the cluster's scheduler, tls://HOST:PORT, or local "
        "(a cluster of two processes on this machine, for this run)",
        metavar="ADDRESS|local",
    ),
    Option(
        "dask_insecure",
        FLAG,
        False,
        "with --ptc-host=dask: allow connections without TLS to other machines, tcp://HOST:PORT, "
        "for runs that send no secret: whoever is on the network reads and changes all of it",
    ),
    Option(
        "dask_code",
        one_of(DaskCode),
        "ship",
        "with --ptc-host=dask: how nodes come by the project: ship (it is sent, as git has it), or "
        "shared (they have it at the same path)",
        flag=False,
    ),
    Option(
        "dask_max_code",
        whole_from(1),
        20,
        "with --ptc-host=dask: how many MB of a project are sent to each node at most",
        flag=False,
    ),
    Option(
        "dask_lease",
        SECONDS,
        15.0,
        "with --ptc-host=dask: seconds after which a node that is not heard is lost, and ends its "
        "workers by itself",
        flag=False,
    ),
    Option(
        "dask_node_host",
        one_of(DaskNodeHost),
        "auto",
        "with --ptc-host=dask: where workers live on a node: tmux, process, or auto (tmux where it "
        "is installed)",
        flag=False,
    ),
    Option(
        "dask_resource",
        TEXT,
        "",
        "with --ptc-host=dask: the Dask resource of which each worker takes one, so that only "
        "nodes that offer it are used",
        flag=False,
    ),
    Option(
        "dask_env",
        VARIABLE_NAMES,
        (),
        "with --ptc-host=dask: the variables of pytest's environment that workers on nodes get "
        "(default: none; they have their node's environment)",
        flag=False,
    ),
)
#: What verdicts mean, and how they are reported.
_OUTCOME = (
    Option(
        "known",
        TEXT,
        "",
        "the file of known findings, which block nothing, from rootdir; see the guide to known "
        "findings",
        metavar="PATH",
    ),
    Option(
        "baseline",
        TEXT,
        "",
        "the earlier run to compare findings with: the end of its id, last, a commit that it ran "
        "at, or its JSON report (*.json, from rootdir)",
        metavar="RUN|FILE|COMMIT",
    ),
    Option(
        "resume",
        RUN,
        "",
        "keep the verdicts that an earlier run has of unchanged tasks: the end of that run's id, "
        "or no value for the last run",
        alone="last",
        metavar="RUN",
    ),
    Option(
        "exit_codes",
        FLAG,
        False,
        "end with status 10 instead of 1 if nothing failed and there were only infrastructure "
        "errors",
    ),
    Option(
        "require",
        ALL_OR_NUMBER,
        "",
        "end with status 0 only if all marked tests, or at least N, were judged by an agent "
        "in this run, or in the one that it resumes",
        metavar="all|N",
    ),
    Option(
        "shard",
        SHARD,
        "",
        "judge the K-th of N parts of the selected marked tests, and deselect the others: for N "
        "jobs, whose journals `ptc report --merge` makes one report of",
        env="PTC_SHARD",
        metavar="K/N",
    ),
    Option(
        "min_catch",
        RATE,
        "",
        "the least part of the planted defects (ptc_canary) that the judge must find: below, the "
        "run is not green, and a single miss is no failure",
        metavar="0..1",
    ),
    Option(
        "max_false_alarm",
        RATE,
        "",
        "the largest part of the clean items (ptc_control) that the judge may refuse: above, the "
        "run is not green, and a single refusal is no failure",
        metavar="0..1",
    ),
    Option(
        "on_skip",
        one_of(SkipMeans),
        None,
        "the outcome of a test whose verdict is skip: skip or error (default: error with "
        "--ptc-exit-codes, else skip)",
        metavar="WHAT",
    ),
    Option(
        "output",
        one_of(OutputForm),
        None,
        "how much is printed of what did not pass: full, or brief, at most 20,000 characters with "
        "the worst items first (default: brief where Claude Code runs pytest, CLAUDECODE=1, else "
        "full)",
        metavar="FORM",
    ),
    Option(
        "keep_runs",
        whole_from(1),
        None,
        "how many journals of ended runs are kept: older ones are deleted at the end of a run "
        "(default: all)",
        flag=False,
    ),
    Option(
        "github",
        one_of(GithubUse),
        "auto",
        "annotate files and write a step summary on GitHub: yes, no, or auto (in GitHub Actions)",
        alone="yes",
        metavar="WHEN",
    ),
    Option(
        "properties",
        FLAG,
        False,
        "add verdict, worker, attempts, cost and resumed run to each item's properties, as in "
        "JUnit XML; strict readers of that refuse properties",
    ),
)


def all_options() -> tuple[Option, ...]:
    """Return the options of a run, those that set a keyword for all tests among them."""
    of_keywords = [
        Option(
            keyword.setting or keyword.name,
            keyword.option.type or keyword.type,
            keyword.option.value,
            keyword.option.help,
            flag=keyword.option.flag,
            metavar=keyword.option.metavar,
        )
        for keyword in KEYWORDS.values()
        if keyword.option is not None
    ]
    return (*_AGENT, *_CLUSTER, *of_keywords, *_OUTCOME)


def report_option(kind: ReportKind) -> Option:
    """Return the option that names a report's file."""
    return Option(kind.name, TEXT, "", f"write {kind.help} to this file", metavar="PATH")


def add_options(parser: pytest.Parser) -> None:
    for option in all_options():
        add_option(parser, option)


def add_option(parser: pytest.Parser, option: Option) -> None:
    """Declare an option to pytest."""
    parser.addini(option.ini, option.help, type=option.type.ini, default=None)
    if not option.flag:
        return
    group = parser.getgroup("ptc", "parallel task coordination (pytest-ptc)")
    dest = f"ptc_{option.name}"
    # The default is None so that `resolve` can tell "not set" from any value.
    if option.type.ini == "bool":
        group.addoption(option.cli, dest=dest, action="store_true", default=None, help=option.help)
        return
    types: dict[str, Callable[[str], Any]] = {"int": int, "float": float}
    group.addoption(
        option.cli,
        dest=dest,
        type=option.cli_type or types.get(option.type.ini, str),
        metavar=option.metavar
        or {"int": "N", "float": "SECONDS"}.get(option.type.ini, option.name.upper()),
        default=None,
        **({} if option.alone is None else {"nargs": "?", "const": option.alone}),
        help=option.help,
    )


class ReportOptions:
    """The known reports, each with an option; plugins add theirs when they are registered.

    Args:
        parser: Pytest's.
    """

    #: The name of this plugin.
    NAME = "ptc-report-options"

    def __init__(self, parser: pytest.Parser) -> None:
        self.kinds: tuple[ReportKind, ...] = REPORTS
        self._parser = parser
        for kind in REPORTS:
            add_option(parser, report_option(kind))

    def add(self, more: Iterable[ReportKind] | None) -> None:
        """Declare the options of reports that a plugin brings.

        Raises:
            pytest.UsageError: A name cannot be an option's, or is taken.
        """
        for kind in more or ():
            try:
                self.kinds = with_added(self.kinds, kind)
            except ConfigError as error:
                raise pytest.UsageError(f"ptc: {error}") from None
            add_option(self._parser, report_option(kind))


def give_values(args: list[str]) -> bool:
    """Add the value of each option that is given without one, in place.

    Otherwise argparse would take the path of a test that follows it for its value.

    Args:
        args: The words of the command line, those of `addopts` among them.

    Returns:
        Whether there was one.
    """
    alone = {option.cli: option.alone for option in all_options() if option.alone is not None}
    end = args.index("--") if "--" in args else len(args)
    completed = [f"{word}={alone[word]}" if word in alone else word for word in args[:end]]
    changed = completed != args[:end]
    args[:end] = completed
    return changed


def resolve(
    config: pytest.Config,
    environ: Mapping[str, str] | None = None,
    reports: Iterable[ReportKind] = REPORTS,
) -> Settings:
    """Return the settings of this pytest run.

    Args:
        config: Pytest's.
        environ: The environment; pytest's own if not given.
        reports: The reports that there are, whose options have been declared.

    Raises:
        ConfigError: A value that cannot be used; the message names where it was set.
    """
    environ = os.environ if environ is None else environ
    paths = {kind.name: _value(report_option(kind), config, environ) for kind in reports}
    return Settings(
        **{option.name: _value(option, config, environ) for option in all_options()},
        reports={name: path for name, path in paths.items() if path},
    )


def _value(option: Option, config: pytest.Config, environ: Mapping[str, str]) -> Any:
    place, value = _place_and_value(option, config, environ)
    # An empty value is how people write "the default"; a default that is a word must be written.
    if value is None or (value in ("", [], ()) and not option.default):
        return option.default
    if isinstance(value, str) and "\0" in value:
        raise ConfigError(f"{place}: {value!r} holds a NUL byte")
    if isinstance(value, list):
        value = tuple(value)
    problem = option.type.problem(value)
    if problem:
        raise ConfigError(f"{place}: {problem}")
    return option.type.converted(value)


def _place_and_value(
    option: Option, config: pytest.Config, environ: Mapping[str, str]
) -> tuple[str, Any]:
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
    return option.ini, None if value == "" else value


def options_table() -> str:
    """Return the options as the Markdown table of `docs/reference/options.md`."""
    from pytest_ptc.text.markdown import markdown_table  # noqa: PLC0415 - for documentation alone

    return markdown_table(
        ("command line", "ini", "default", "meaning"),
        (
            (
                f"`{option.cli}`" if option.flag else "",
                f"`{option.ini}`",
                _shown(option.default),
                option.help + (f"; environment `{option.env}`" if option.env else ""),
            )
            for option in (*all_options(), *map(report_option, REPORTS))
        ),
    )


def _shown(default: object) -> str:
    if default in (None, "", ()):
        return ""
    return f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`"
