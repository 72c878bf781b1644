"""A run of a suite that is in memory: pytest in this process, without a word of its own.

Journal, resume, reports, budget, permissions and exit status are those of any run: pytest is
called, with the project's ini file, and without its conftest, its test files, its `addopts` and
`PYTEST_ADDOPTS`.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.collection.inline import InlinePlugin
from pytest_ptc.model.inline_suite import INLINE
from pytest_ptc.reporting.story import run_report
from pytest_ptc.session.hooks import SessionHooks
from pytest_ptc.session.pytest_place import session_end

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from pytest_ptc.model.inline_suite import InlineSuite
    from pytest_ptc.reporting.run_report import RunReport
    from pytest_ptc.session.run import Run

#: Options of pytest with which nothing of the project is imported, and only the items are run; all
#: of them: a job's own shard (`PTC_SHARD`) is of the project's tests.
_ALONE = ("--noconftest", "--capture=sys", "--assert=plain", "-o", "addopts=", "--ptc-shard=")


@dataclass(frozen=True, kw_only=True, slots=True)
class InlineRun:
    """What became of a run.

    Args:
        status: Pytest's exit status.
        report: The run as reports tell it; None where it did not begin.
        refused: Why it did not begin, in a sentence; None where it did, or had nothing to do.
        problems: What else went wrong, a sentence each.
        output: What pytest would have shown.
    """

    status: int
    report: RunReport | None = None
    refused: str | None = None
    problems: Sequence[str] = field(default_factory=list)
    output: str = ""


def run_inline(
    suite: InlineSuite,
    when_begun: Callable[[str, Path], object] = lambda _run_id, _folder: None,
) -> InlineRun:
    """Run a suite.

    Args:
        suite: The suite; pytest looks for its ini file from its folder.
        when_begun: Called with the run's id and its folder when its tasks are published.
    """
    quiet = _Quiet(when_begun)
    words = [suite.folder, *_ALONE, *suite.options]
    if os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        words[:0] = ["-p", "pytest_ptc.plugin"]
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), quiet.without_addopts():
        try:
            status = int(pytest.main(words, plugins=[InlinePlugin(suite), quiet]))
        except Exception as error:  # noqa: BLE001 - a plugin that fails before there is a session
            status = int(pytest.ExitCode.INTERNAL_ERROR)
            quiet.refused = f"pytest could not start: {type(error).__name__}: {error}"
    run = quiet.run
    report = None
    if run is not None and run.begun and quiet.session is not None:
        report = run_report(run.story(session_end(quiet.session)))
    refused = quiet.refused
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        refused = "no item is selected: what stands behind -- leaves all out"
    elif report is None and refused is None and status and not suite.nothing:
        said = errors.getvalue() or quiet.output
        refused = _last_words(said) or f"pytest ended with status {status}"
    elif errors.getvalue():
        sys.stderr.write(errors.getvalue())
    return InlineRun(
        status=status,
        report=report,
        refused=refused,
        problems=quiet.problems,
        output=quiet.output,
    )


def _one_sentence(refusal: str) -> str:
    """Return why pytest refuses a run, as one line: alike of many items, that of the first."""
    first, *others = refusal.removeprefix("ptc: ").splitlines() or [""]
    first = re.sub(f"^{INLINE}::", "item ", first)
    return f"{first} (+{len(others)} more)" if others else first


def _last_words(output: str) -> str:
    """Return the end of what pytest has shown, in a line."""
    lines = [line.strip() for line in output.splitlines() if line.strip(" =-_\t")]
    told = [line for line in lines if "error:" in line] or lines[-3:]
    return " ".join(told)[-600:]


def _leave_cache_alone(config: pytest.Config) -> None:
    """Keep items out of what `--lf` and `--nf` remember of the project's tests."""
    for name, options in {"lfplugin": ("lf", "failedfirst"), "nfplugin": ("newfirst",)}.items():
        plugin = config.pluginmanager.getplugin(name)
        if plugin is not None and not any(getattr(config.option, one, False) for one in options):
            config.pluginmanager.unregister(plugin)


class _Quiet:
    """Keeps what pytest shows, and takes note of what the run is."""

    def __init__(self, when_begun: Callable[[str, Path], object]) -> None:
        self.run: Run | None = None
        self.session: pytest.Session | None = None
        self.refused: str | None = None
        self.problems: list[str] = []
        self._shown = io.StringIO()
        self._when_begun = when_begun
        self._addopts: str | None = None

    @contextlib.contextmanager
    def without_addopts(self) -> Iterator[None]:
        """Leave `PYTEST_ADDOPTS` out: it could leave out items that the command line names.

        It is there again as soon as pytest has read its options: agents inherit it.
        """
        self._addopts = os.environ.pop("PYTEST_ADDOPTS", None)
        try:
            yield
        finally:
            self._restore_addopts()

    def _restore_addopts(self) -> None:
        if self._addopts is not None:
            os.environ["PYTEST_ADDOPTS"] = self._addopts

    @property
    def output(self) -> str:
        """Return what pytest would have shown."""
        return self._shown.getvalue()

    @pytest.hookimpl(wrapper=True)
    def pytest_cmdline_main(
        self,
    ) -> Generator[None, pytest.ExitCode | int | None, pytest.ExitCode | int | None]:
        """Keep what is refused from being shown as pytest shows it."""
        self._restore_addopts()
        try:
            return (yield)
        except pytest.UsageError as error:
            self.refused = _one_sentence("\n".join(map(str, error.args)))
            return pytest.ExitCode.USAGE_ERROR

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Have pytest's reporter write into memory."""
        plugins = config.pluginmanager
        reporter = plugins.getplugin("terminalreporter")
        if reporter is not None:
            plugins.unregister(reporter)
            plugins.register(pytest.TerminalReporter(config, self._shown), "terminalreporter")
        _leave_cache_alone(config)
        hooks = plugins.getplugin("ptc-hooks")
        if isinstance(hooks, SessionHooks):
            self.run = hooks.run
            self.run.when_begun = self._begun

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Record the session, whose end is to be reported."""
        self.session = session

    def _begun(self) -> None:
        if self.run is not None and self.run.folder is not None:
            self._when_begun(self.run.plan.run_id, self.run.folder)

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Record what else went wrong."""
        reports = config.pluginmanager.getplugin("ptc-reports")
        self.problems += [f"not written: {one}" for one in getattr(reports, "problems", ())]
        self.problems += list(self.run.problems) if self.run is not None else []
