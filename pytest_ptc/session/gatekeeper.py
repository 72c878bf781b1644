"""The gate of one pytest session: what was collected, what became of it, and the exit status.

It watches what pytest reports, whoever runs the items, and decides nothing itself: that is in
`gate.py`. A run without workers has one too, if somebody asked for a gate by an option.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.collection.collected import is_marked
from pytest_ptc.interfaces.environment import IN_XDIST
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.item_states import PhaseReport, final_report
from pytest_ptc.model.variables import RUN_COOKIE
from pytest_ptc.session.gate import ALL, Reason, Standing, asks, is_true, reasons, without_workers
from pytest_ptc.session.outcomes import ONLY_TROUBLE, phase_report
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from pytest_ptc.model.result import Result
    from pytest_ptc.model.settings import Settings

#: Exit statuses with which pytest's terminal shows a summary of its own.
_SUMMARIZED = (0, 1, 2, 4, 5)
#: Where nobody means to run anything, nothing is missed.
_REFUSED = (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR)


class Gatekeeper:
    """Sees that a session is green only if what it was asked for was judged.

    Args:
        config: Pytest's configuration.
        settings: What the user asked for.
        why_not: Why no marked test is run in this session; None if they are run.

    Raises:
        ConfigError: What is required cannot be met.
    """

    def __init__(self, config: pytest.Config, settings: Settings, why_not: str | None) -> None:
        if settings.require == ALL and config.getoption("lf", default=False):
            raise ConfigError(
                "--ptc-require=all cannot be met beside --lf, which leaves out what passed; say "
                "--ptc-resume instead, which keeps its verdicts"
            )
        self._config = config
        self._settings = settings
        self._why_not = why_not
        #: All items that collectors made, chosen or not, in order.
        self.seen: dict[pytest.Item, None] = {}
        #: The items that pytest had before any plugin took some out, and after.
        self._collected: list[pytest.Item] = []
        self._selected: dict[pytest.Item, None] = {}
        self._reports: dict[pytest.Item, list[PhaseReport]] = {}
        self._elsewhere: dict[str, None] = {}
        self._running: pytest.Item | None = None
        self._reasons: list[Reason] | None = None
        self._shown = False
        #: Filled by the runner: the name and the result of an item's task, and what is not awaited.
        self.name_of: Callable[[pytest.Item], str] = lambda item: item.nodeid
        self.result_of: Callable[[pytest.Item], Result | None] = lambda _: None
        self.excused: Callable[[pytest.Item], bool] = lambda _: False
        self.unawaited: Callable[[], Sequence[str]] = tuple
        #: Filled by the runner: takes secrets out of a text; writes the run's own summary, where
        #: pytest shows none.
        self.redact: Callable[[str], str] = lambda text: text
        self.write_summary: Callable[[pytest.TerminalReporter], None] = lambda _: None

    def __repr__(self) -> str:
        return f"<Gatekeeper of {len(self._selected)} marked>"

    # What there is.

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_make_collect_report(
        self,
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Take note of all items, before `--lf` or a node id on the command line chooses some."""
        report = yield
        self.seen.update(
            (node, None) for node in report.result or () if isinstance(node, pytest.Item)
        )
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Take note of what was collected, before any plugin takes out what it does not want."""
        self._collected = [item for item in items if is_marked(item) or is_empty(item)]
        return (yield)

    def narrowed(self, selected: Sequence[pytest.Item]) -> bool:
        """Tell whether some of what there is was not selected, so that a need may be elsewhere."""
        chosen = any("::" in str(argument) for argument in self._config.args)
        left_out = self._config.getoption("lf", default=False)
        return chosen or bool(left_out) or bool({*self._collected} - {*selected})

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take note of what is selected; refuse a gate in CI without anybody who judges."""
        wanted = [item for item in session.items if is_marked(item) or is_empty(item)]
        self._selected = dict.fromkeys(wanted)
        marked = sum(map(is_marked, wanted))
        if marked and self._why_not and self._settings.workers == 0 and _in_ci():
            asked = self._settings.gate_options
            if asked:
                raise pytest.UsageError(
                    f"{asks(asked)}, and --ptc-workers is 0: {marked} marked tests "
                    "would be skipped; give --ptc-workers=N, or leave those options out"
                )

    # What becomes of it.

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Take note of which item is running: two may have the same node id."""
        self._running = item
        return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of what is finally reported of an item; nothing bad is made good by more."""
        item = self._item_of(report)
        if item is None:
            self._take_elsewhere(report)
        else:
            told = phase_report(report, self._config)
            self._reports.setdefault(item, []).append(told)

    def _item_of(self, report: pytest.TestReport) -> pytest.Item | None:
        running = self._running
        if running is not None and running.nodeid == report.nodeid:
            return running
        return next((item for item in self._selected if item.nodeid == report.nodeid), None)

    def _take_elsewhere(self, report: pytest.TestReport) -> None:
        """Take note of a marked test that a worker of pytest-xdist has skipped."""
        skipped = report.longrepr if report.when == "setup" and report.skipped else None
        if isinstance(skipped, tuple) and str(skipped[2]).endswith(IN_XDIST):
            self._elsewhere[report.nodeid] = None

    # The end.

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int | pytest.ExitCode
    ) -> Generator[None, object, object]:
        """Decide before anybody reports it; see afterwards that nobody has undone it."""
        self._decide(session)
        self._enforce(session)
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        hidden = getattr(reporter, "no_summary", False)
        # Pytest goes by the status before anybody changed it.
        if reporter is not None and (exitstatus not in _SUMMARIZED or hidden):
            if self._config.get_terminal_writer().width_of_current_line:
                reporter.write_line("")
            if not hidden:
                self.write_summary(reporter)
            self._show(reporter)
        result = yield
        self._enforce(session)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> Generator[None, object, object]:
        """Say why the run is not green, last."""
        result = yield
        self._show(terminalreporter)
        return result

    def _show(self, reporter: pytest.TerminalReporter) -> None:
        if self._shown:
            return
        self._shown = True
        for reason in self._reasons or ():
            reporter.write_line(printable(self.redact(f"ptc: not green: {reason.text}")), red=True)

    def _decide(self, session: pytest.Session) -> None:
        if session.exitstatus in _REFUSED:
            self._reasons = []
        elif self._why_not is not None:
            self._reasons = self._unjudged()
        else:
            self._reasons = reasons(
                self._standings(),
                require=self._settings.require,
                unawaited=self.unawaited(),
            )

    def _unjudged(self) -> list[Reason]:
        settings = self._settings
        asked = settings.gate_options if _in_ci() else settings.gate_by_name
        names = [*(item.nodeid for item in self._selected if is_marked(item)), *self._elsewhere]
        reason = without_workers(asked, names)
        if reason is not None or not settings.require:
            return [] if reason is None else [reason]
        return reasons(self._standings(), require=settings.require)

    def _standings(self) -> list[Standing]:
        return [
            Standing(
                self.name_of(item),
                self._outcome_of(item),
                self.result_of(item),
                excused=self.excused(item),
                selected=item in self._selected,
                empty=is_empty(item),
            )
            for item in dict.fromkeys((*self._collected, *self._selected))
        ]

    def _outcome_of(self, item: pytest.Item) -> str | None:
        final = final_report(self._reports.get(item, ()))
        return final.outcome if final is not None else None

    def _enforce(self, session: pytest.Session) -> None:
        if not self._reasons or session.exitstatus != pytest.ExitCode.OK:
            return
        failed = any(reason.failed for reason in self._reasons)
        codes = self._settings.exit_codes and not failed
        session.exitstatus = ONLY_TROUBLE if codes else pytest.ExitCode.TESTS_FAILED


def is_empty(item: pytest.Item) -> bool:
    """Tell whether an item stands for a suite that has rightly nothing to judge."""
    return getattr(item, "ptc_nothing_to_judge", None) is not None


def _in_ci() -> bool:
    # An agent may run the project's tests, in a job too: that session is nobody's gate.
    return is_true(os.environ.get("CI")) and not os.environ.get(RUN_COOKIE)
