"""The gate of one pytest session: what was collected, what became of it, and the exit status.

It watches pytest's reports, whoever runs the items; the decision itself is in `greenness.py`.
A run without workers has one too, if an option asks for a gate.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pytest_ptc.collection.collected import is_marked
from pytest_ptc.interfaces.environment import IN_XDIST
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.greenness import (
    ALL,
    Reason,
    Standing,
    asks,
    reasons,
    session_status,
    without_workers,
)
from pytest_ptc.model.item_states import PhaseReport, final_report
from pytest_ptc.model.variables import RUN_COOKIE, is_true
from pytest_ptc.session.outcomes import phase_report
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pytest_ptc.model.settings import Settings
    from pytest_ptc.session.promises import Promises
    from pytest_ptc.session.publisher import Publisher
    from pytest_ptc.session.sharding import Sharding
    from pytest_ptc.session.tickets import TicketBook

#: Exit statuses with which pytest's terminal shows a summary of its own.
_SUMMARIZED = (0, 1, 2, 4, 5)
#: Where nobody means to run anything, nothing is missed.
_REFUSED = (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR)


class RunUnderGate(NamedTuple):
    """What a run with workers knows of its items.

    Args:
        book: The items, and how their tasks ended.
        promises: What was submitted, and whether anybody has asked for it.
        publisher: Writes the run's own summary, where pytest shows none, and takes secrets out.
        sharding: Which of the items are other jobs' matter; None where none is.
    """

    book: TicketBook
    promises: Promises
    publisher: Publisher
    sharding: Sharding | None = None


class Gatekeeper:
    """Makes a session fail unless everything that it was to judge was judged.

    Args:
        config: Pytest's configuration.
        settings: What the user asked for.
        run: What a run with workers knows of its items; None where no marked test is run.

    Raises:
        ConfigError: What is required cannot be met.
    """

    def __init__(
        self, config: pytest.Config, settings: Settings, run: RunUnderGate | None = None
    ) -> None:
        if settings.require == ALL and config.getoption("lf", default=False):
            raise ConfigError(
                "--ptc-require=all cannot be met with --lf, which leaves out what passed; use "
                "--ptc-resume instead, which keeps those verdicts"
            )
        self._config = config
        self._settings = settings
        self._run = run
        #: All items that collectors made, chosen or not, in order.
        self.seen: dict[pytest.Item, None] = {}
        #: The items that pytest had before any plugin took some out, and after.
        self._collected: list[pytest.Item] = []
        self._selected: dict[pytest.Item, None] = {}
        self._reports: dict[pytest.Item, list[PhaseReport]] = {}
        self._elsewhere: dict[str, None] = {}
        self._running: pytest.Item | None = None
        #: Why the run is not green, as far as that was found.
        self._reasons: dict[Reason, None] = {}
        self._shown = False

    def __repr__(self) -> str:
        return f"<Gatekeeper of {len(self._selected)} marked>"

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_make_collect_report(
        self,
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Record all items, before `--lf` or a node id on the command line chooses some."""
        report = yield
        self.seen.update(
            (node, None) for node in report.result or () if isinstance(node, pytest.Item)
        )
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Record the collected items, before any plugin deselects some."""
        self._collected = [item for item in items if is_marked(item) or is_empty(item)]
        return (yield)

    def narrowed(self, selected: Sequence[pytest.Item]) -> bool:
        """Tell whether some of what there is was not selected, so that a need may be elsewhere."""
        chosen = any("::" in str(argument) for argument in self._config.args)
        left_out = self._config.getoption("lf", default=False)
        return chosen or bool(left_out) or bool({*self._collected} - {*selected})

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Record the selected items; refuse a gate in CI that has no workers."""
        wanted = [item for item in session.items if is_marked(item) or is_empty(item)]
        self._selected = dict.fromkeys(wanted)
        marked = sum(map(is_marked, wanted))
        if marked and self._run is None and self._settings.workers == 0 and _in_ci():
            options = self._settings.gate_options
            if options:
                raise pytest.UsageError(
                    f"{asks(options)}, and --ptc-workers is 0: {marked} marked tests "
                    "would be skipped; give --ptc-workers=N, or leave those options out"
                )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Record the running item: two items may have the same node id."""
        self._running = item
        return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record the final report of a phase; a later report never improves an earlier one."""
        item = self._item_of(report)
        if item is None:
            self._take_elsewhere(report)
        else:
            phase = phase_report(report, self._config)
            self._reports.setdefault(item, []).append(phase)

    def _item_of(self, report: pytest.TestReport) -> pytest.Item | None:
        running = self._running
        if running is not None and running.nodeid == report.nodeid:
            return running
        return next((item for item in self._selected if item.nodeid == report.nodeid), None)

    def _take_elsewhere(self, report: pytest.TestReport) -> None:
        """Record a marked test that a worker of pytest-xdist has skipped."""
        skipped = report.longrepr if report.when == "setup" and report.skipped else None
        if isinstance(skipped, tuple) and str(skipped[2]).endswith(IN_XDIST):
            self._elsewhere[report.nodeid] = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int | pytest.ExitCode
    ) -> Generator[None, object, object]:
        """Set the exit status before it is reported, and again after all other plugins."""
        self._enforce(session)
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        hidden = getattr(reporter, "no_summary", False)
        # Pytest goes by the status before anybody changed it.
        if reporter is not None and (exitstatus not in _SUMMARIZED or hidden):
            if self._config.get_terminal_writer().width_of_current_line:
                reporter.write_line("")
            if not hidden and self._run is not None:
                self._run.publisher.write_summary(reporter)
            self._show(reporter)
        result = yield
        self._enforce(session)
        return result

    @pytest.hookimpl(specname="pytest_sessionfinish", trylast=True)
    def pytest_enforce_ptc_gate(self, session: pytest.Session) -> None:
        """Set the exit status again before reports are made: a plugin may have changed it.

        Pytest looks for hooks among what is named `pytest_...` alone.
        """
        self._enforce(session)

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
        for reason in self._reasons:
            text = f"ptc: not green: {reason.text}"
            if self._run is not None:
                text = self._run.publisher.redact(text)
            reporter.write_line(printable(text), red=True)

    def _enforce(self, session: pytest.Session) -> None:
        """Set the session's exit status."""
        counted = int(session.exitstatus)
        if counted in _REFUSED:
            return
        if counted == pytest.ExitCode.NO_TESTS_COLLECTED and self._is_empty_shard:
            counted = 0
        self._reasons.update(dict.fromkeys(self._reasons_now(counted)))
        status = session_status(
            counted,
            list(self._reasons),
            failures=session.testsfailed,
            unjudged=self._run.book.unjudged if self._run is not None else 0,
            exit_codes=self._settings.exit_codes,
        )
        if status != int(session.exitstatus):
            session.exitstatus = status

    def _reasons_now(self, counted: int) -> list[Reason]:
        """Return why the session is not green, given pytest's exit status now."""
        settings = self._settings
        if self._run is not None:
            return reasons(
                self._standings(),
                require="" if self._is_empty_shard else settings.require,
                blind=self._run.book.judge(settings.minimums).blind,
                unawaited=self._run.promises.unawaited(),
                counted=counted,
            )
        options = settings.gate_options if _in_ci() else settings.gate_by_name
        names = [*(item.nodeid for item in self._selected if is_marked(item)), *self._elsewhere]
        reason = without_workers(options, names)
        if reason is not None or not settings.require:
            return [] if reason is None else [reason]
        return reasons(self._standings(), require=settings.require)

    @property
    def _is_empty_shard(self) -> bool:
        """Tell whether there is rightly no item, as other shards have them all."""
        sharding = self._run.sharding if self._run is not None else None
        return sharding is not None and sharding.is_empty

    def _standings(self) -> list[Standing]:
        book = self._run.book if self._run is not None else None
        sharding = self._run.sharding if self._run is not None else None
        elsewhere = sharding.elsewhere if sharding is not None else ()
        return [
            Standing(
                item.nodeid if book is None else book.name_of(item),
                self._outcome_of(item),
                None if book is None else book.result_of(item),
                excused=book is not None and book.get(item) is None,
                selected=item in self._selected,
                empty=is_empty(item),
            )
            for item in dict.fromkeys((*self._collected, *self._selected))
            if item not in elsewhere
        ]

    def _outcome_of(self, item: pytest.Item) -> str | None:
        final = final_report(self._reports.get(item, ()))
        return final.outcome if final is not None else None


def is_empty(item: pytest.Item) -> bool:
    """Tell whether an item is of a suite that has rightly nothing to judge."""
    return getattr(item, "ptc_nothing_to_judge", None) is not None


def _in_ci() -> bool:
    # An agent may run the project's tests, in a job too: that session is nobody's gate.
    return is_true(os.environ.get("CI")) and not os.environ.get(RUN_COOKIE)
