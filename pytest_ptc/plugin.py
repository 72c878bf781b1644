"""The plugin as every pytest run sees it: options, the marker, the fixtures.

It wires and decides nothing, and it is imported by every pytest run on the machine: what a run with
workers needs is imported only by such a run.
"""

from __future__ import annotations

import os
import sys
from copy import copy
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.collection.keywords import marker_text, self_test_texts
from pytest_ptc.collection.options import ReportOptions, add_options, give_values
from pytest_ptc.collection.root_dir import ROOT
from pytest_ptc.collection.run_settings import resolve
from pytest_ptc.model.errors import ConfigError, MarkerError
from pytest_ptc.model.variables import RUN_COOKIE
from pytest_ptc.session.libtmux_plugin import leave_out_libtmux

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.model.reports import ReportKind
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.verdict import Verdict
    from pytest_ptc.session.coordinator_fixture import PtcCoordinator
    from pytest_ptc.session.hooks import SessionHooks

#: Options, as pytest keeps them, with which no test is run.
_SHOWING = (
    "collectonly",
    "showfixtures",
    "show_fixtures_per_test",
    "markers",
    "cacheshow",
    "help",
    "version",
)
HOOKS: pytest.StashKey[SessionHooks] = pytest.StashKey()
WHY_NOT: pytest.StashKey[str] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the options, those of reports that other plugins bring included.

    The pytest plugin of libtmux is left out: it is only a dependency of ours.
    """
    add_options(parser)
    reports = ReportOptions(parser)
    pluginmanager.register(reports, ReportOptions.NAME)
    pluginmanager.hook.pytest_ptc_reports.call_historic(reports.add, kwargs={})
    leave_out_libtmux(pluginmanager)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> None:
    """Parse the command line again if an option of ours took a test's path for its value."""
    if give_values(args):
        early_config.known_args_namespace = parser.parse_known_args(
            args, namespace=copy(early_config.option)
        )


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the extension points."""
    from pytest_ptc import hookspecs  # noqa: PLC0415 - a cycle otherwise: specs name our types

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options, and make a run if this session has workers."""
    for line in (marker_text(), *self_test_texts()):
        config.addinivalue_line("markers", line)
    # For `files`, which is called while test modules are imported.
    session = ROOT.set(config.rootpath)
    config.add_cleanup(lambda: ROOT.reset(session))
    try:
        kinds = _report_kinds(config)
        settings = resolve(config, reports=kinds)
        why_not = _why_not(config, settings.workers)
        if why_not is not None:
            config.stash[WHY_NOT] = why_not
            if config.option.collectonly and settings.part is not None:
                from pytest_ptc.session.sharding import Sharding  # noqa: PLC0415 - only with shards

                config.pluginmanager.register(
                    Sharding(config, settings, settings.part), "ptc-shard"
                )
            if not _only_shows(config) and not _of_another(config):
                _say_unjudged(config, settings)
            return
        from pytest_ptc.session.loading import load_session  # noqa: PLC0415 - only with workers

        config.stash[HOOKS] = load_session(config, settings, kinds)
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None


def _report_kinds(config: pytest.Config) -> tuple[ReportKind, ...]:
    options: ReportOptions = config.pluginmanager.getplugin(ReportOptions.NAME)
    return options.kinds


def _say_unjudged(config: pytest.Config, settings: Settings) -> None:
    """Report that nothing was judged if the options ask for a gate or for reports."""
    if settings.gate_options:
        from pytest_ptc.session.gatekeeper import Gatekeeper  # noqa: PLC0415 - only where it is asked for

        config.pluginmanager.register(Gatekeeper(config, settings), "ptc-gate")
    # An agent that runs the tests has their options, and the reports are of the run that it is in.
    ours = not os.environ.get(RUN_COOKIE) and not _only_sets_up(config)
    if ours and (settings.github == "yes" or settings.reports):
        from pytest_ptc.session.report_hooks import reports_without_workers  # noqa: PLC0415 - as above

        unjudged = reports_without_workers(config, settings, os.environ, _report_kinds(config))
        config.pluginmanager.register(unjudged, "ptc-reports")


def _why_not(config: pytest.Config, workers: int) -> str | None:
    """Return why marked tests are skipped in this run, or None if they are run."""
    if os.environ.get(RUN_COOKIE):
        # An agent that runs the tests it is asked about must not start agents of its own.
        return f"inside a task of ptc run {os.environ[RUN_COOKIE]}: agents do not start agents"
    if hasattr(config, "workerinput"):
        from pytest_ptc.interfaces.environment import IN_XDIST  # noqa: PLC0415 - only there

        return IN_XDIST
    if _only_shows(config):
        return "only showing"
    if workers == 0:
        return "an agent does this test: run it with --ptc-workers=N"
    if config.getoption("numprocesses", None) or config.getoption("tx", None):
        raise ConfigError(
            "--ptc-workers cannot be used with -n: agents already work in "
            "parallel; leave out -n, or use --ptc-workers=0"
        )
    if _only_sets_up(config):
        return "only setting up: no test is run, so no agent is started"
    if sys.platform == "win32":
        raise ConfigError("--ptc-workers needs Linux or macOS; on Windows, use WSL")
    return None


def _only_shows(config: pytest.Config) -> bool:
    """Tell whether pytest is asked about the tests, or about itself, and runs none."""
    return any(getattr(config.option, name, None) for name in _SHOWING)


def _only_sets_up(config: pytest.Config) -> bool:
    """Tell whether fixtures are set up, or shown, and no test is run (`--setup-plan`)."""
    return bool(getattr(config.option, "setuponly", False))


def _of_another(config: pytest.Config) -> bool:
    """Tell whether the session is a part of another, which is the one to be green or not."""
    return hasattr(config, "workerinput")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect Markdown files that are suites."""
    if not file_path.name.endswith(".ptc.md"):
        return None
    from pytest_ptc.collection.markdown import MarkdownFile  # noqa: PLC0415 - only where there are such files

    return MarkdownFile.from_parent(parent, path=file_path)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip marked tests in a run without workers."""
    why_not = config.stash.get(WHY_NOT, None)
    # `--setup-plan` shows what would be set up, of marked tests too.
    if why_not is None or config.option.collectonly or _only_sets_up(config):
        return
    skip = pytest.mark.skip(reason=why_not)
    for item in items:
        if item.get_closest_marker("ptc") is not None:
            item.add_marker(skip)


def pytest_report_collectionfinish(
    config: pytest.Config, start_path: Path, items: list[pytest.Item]
) -> list[str]:
    """Say where there is nothing to judge, and show each prompt under `--collect-only -v`."""
    del start_path
    nothing = [(item.nodeid, getattr(item, "ptc_nothing_to_judge", None)) for item in items]
    lines = [f"ptc: {nodeid}: {reason}" for nodeid, reason in nothing if reason]
    if config.option.collectonly and config.get_verbosity() > 0:
        lines += _prompts(config, items)
    return lines


def _prompts(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    from pytest_ptc.collection.marker import read_marker  # noqa: PLC0415 - only for marked items
    from pytest_ptc.text.printable import printable  # noqa: PLC0415

    lines = []
    settings = resolve(config)
    for item in items:
        try:
            task = read_marker(item, settings, config.rootpath)
        except MarkerError as error:
            raise pytest.UsageError(str(error)) from None
        if task is not None:
            prompt = [f"    {printable(line)}" for line in task.preview().splitlines()]
            lines += [printable(f"ptc: {task.nodeid}"), *prompt]
    return lines


@pytest.fixture
def ptc(request: pytest.FixtureRequest) -> Verdict:
    """The verdict that the agent recorded for this test."""
    hooks = request.config.stash.get(HOOKS, None)
    if hooks is None:
        pytest.skip(request.config.stash[WHY_NOT])
    return hooks.verdict_of(request.node)


@pytest.fixture(scope="session")
def ptc_coordinator(pytestconfig: pytest.Config) -> PtcCoordinator:
    """The run's coordinator: `submit` gives a task to an agent, `map` fans several out."""
    hooks = pytestconfig.stash.get(HOOKS, None)
    if hooks is None:
        pytest.skip(pytestconfig.stash[WHY_NOT])
    return hooks.submission
