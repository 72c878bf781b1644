"""A run with workers, as pytest's hooks see it.

Tasks are published after collection, once every prompt is complete. Unmarked items run first, while
agents work; marked items then run as their verdicts arrive. Pytest's own loop runs them all: we
only decide which item stands next, and we wait between two items, where no timer runs and no
fixture is being set up.
"""

from __future__ import annotations

import contextlib
import queue
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_ptc import internals
from pytest_ptc.durations import keep_durations, longest_first, read_durations
from pytest_ptc.errors import MarkerError
from pytest_ptc.lineup import LineUp
from pytest_ptc.markers import MarkedTask, general_timeout, match_needs, read_marker
from pytest_ptc.outcomes import (
    ONLY_TROUBLE,
    add_extras,
    add_properties,
    expected_why,
    finish_report,
    first_line,
    is_judged,
    item_outcome,
    raise_in_call,
    raise_in_setup,
)
from pytest_ptc.reporting.progress import Progress
from pytest_ptc.reporting.status import header_lines
from pytest_ptc.reporting.summary import summary
from pytest_ptc.signals import ending_in_order
from pytest_ptc.submission import PtcCoordinator

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future

    from pytest_ptc.live import LiveRun
    from pytest_ptc.model import Result, TaskSpec, Verdict
    from pytest_ptc.options import Settings


@dataclass(kw_only=True, slots=True)
class Ticket:
    """A marked item on its way to an outcome.

    Args:
        marked: What its marker asks for.
        spec: Its task, once published; None where a session fixture of its prompt failed.
        future: The task's result to come.
        result: The result, once the item may run.
        used: Whether the item has run by it; a further run needs a further attempt.
        problem: Why there is no task.
    """

    marked: MarkedTask
    spec: TaskSpec | None = None
    future: Future[Result] | None = None
    result: Result | None = None
    used: bool = False
    problem: str = "no verdict was there for this item"


class Runner:
    """The hooks of a run with workers."""

    def __init__(self, config: pytest.Config, settings: Settings, live: LiveRun) -> None:
        self._config = config
        self._settings = settings
        self._live = live
        self._tickets: dict[pytest.Item, Ticket] = {}
        self._by_nodeid: dict[str, Ticket] = {}
        self._needs: dict[str, tuple[str, ...]] = {}
        self._arrivals: queue.SimpleQueue[tuple[pytest.Item, Result]] = queue.SimpleQueue()
        self._lineup: LineUp | None = None
        self._results: list[Result] = []
        self._expected: set[str] = set()
        #: How many items ended in trouble that is nobody's verdict.
        self._troubles = 0
        self._current = "session"
        self.submission = PtcCoordinator(
            settings=settings,
            rootpath=config.rootpath,
            current=lambda: self._current,
            general_timeout=general_timeout(config),
            submit=self._submit_one,
        )

    def __repr__(self) -> str:
        return f"<Runner {self._live.facts.run_id} {len(self._tickets)} marked>"

    def verdict_of(self, item: pytest.Item) -> Verdict:
        """Return the verdict of the item that is running."""
        ticket = self._tickets.get(item)
        if ticket is None:
            pytest.fail("the fixture 'ptc' is the verdict of a test marked with ptc", pytrace=False)
        verdict = ticket.result.verdict if ticket.result else None
        if verdict is None:
            pytest.fail("no verdict was recorded for this test", pytrace=False)
        return verdict

    # Collection.

    def pytest_report_header(self) -> list[str]:
        """Say what the run is made of and how to watch it."""
        run = self._live.facts
        return header_lines(
            workers=self._settings.workers,
            host=run.host.name,
            agent=self._settings.agent,
            list_id=run.list_id,
            attach=run.host.attach,
            note=run.fallback,
            budget=self._settings.budget_usd,
            task_budget=self._settings.task_budget_usd,
            resumes=self._live.resumes,
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Read every marker, refuse what cannot become a task, and put unmarked items first."""
        problems = []
        for item in session.items:
            try:
                marked = read_marker(item, self._settings, self._config.rootpath)
                if marked is not None and internals.runs(item):
                    _check_fixtures(item, marked)
                    self._tickets[item] = self._by_nodeid[item.nodeid] = Ticket(marked=marked)
            except MarkerError as error:
                problems.append(str(error))
        try:
            self._needs = match_needs({t.marked.nodeid: t.marked for t in self._tickets.values()})
        except MarkerError as error:
            problems.append(str(error))
        if problems:
            raise pytest.UsageError("\n".join(problems))
        session.items.sort(key=lambda item: item in self._tickets)

    # The run.

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Publish the tasks before the first item, and end the run after the last."""
        broken = session.testsfailed and not self._config.option.continue_on_collection_errors
        with ending_in_order():
            try:
                if not broken:
                    self._live.take_up()
                if self._tickets and not broken:
                    hopeless = self._dispatch()
                    self._lineup = LineUp(
                        session.items, self._tickets, ready=hopeless, receive=self._receive
                    )
                    self._lineup.advance(None, None)
                return (yield)
            finally:
                self._end()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """After an item, wait for the next verdict and put its item next."""
        self._current = item.nodeid
        outcome = yield
        stopped = item.session.shouldfail or item.session.shouldstop
        if self._lineup is not None and not stopped:
            self._lineup.advance(item, nextitem)
        return outcome

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """End an item here whose task has no verdict to judge by."""
        ticket = self._tickets.get(item)
        if ticket is None or ticket.spec is None:
            # Without a task, a session fixture of its prompt failed: pytest's own set-up says how.
            return
        if ticket.used:
            (ticket.future,) = self._live.submit([ticket.spec])
        assert ticket.future is not None
        if ticket.used or ticket.result is None:
            # No timer runs: pytest-timeout stops an item's with the failure that is run again.
            ticket.result = self._taken(ticket.future.result())
        ticket.used = True
        if self._settings.properties:
            add_properties(item, ticket.result)
        raise_in_setup(ticket.result, self._live.shown_folder)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Fail an item whose verdict is not a pass, before its body runs."""
        ticket = self._tickets.get(item)
        if ticket is not None:
            raise_in_call(ticket.result, self._live.shown_folder, ticket.problem)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep what other plugins make of an outcome from hiding trouble, and add the evidence."""
        report = yield
        ticket = self._tickets.get(item)
        if ticket is not None:
            finish_report(report, call, item, ticket.result)
            if hasattr(report, "wasxfail") and report.skipped and ticket.result is not None:
                self._expected.add(ticket.result.spec.nodeid)
            if ticket.result is not None and self._config.pluginmanager.hasplugin("html"):
                add_extras(report, ticket.result)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Put down what became of a marked item, for the reports that are made of the journal."""
        ticket = self._by_nodeid.get(report.nodeid)
        told = item_outcome(report)
        if ticket is None or told is None or not self._live.begun:
            return
        result = ticket.result
        if told == "error" and report.when == "setup" and result is not None:
            self._troubles += not is_judged(result)
        path, line, _ = report.location
        self._live.tell(
            "item",
            nodeid=report.nodeid,
            outcome=told,
            phase=report.when,
            message=first_line(report),
            path=path,
            line=None if line is None else line + 1,
            xfail=expected_why(report),
        )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Close with what the run came to."""
        if self._results or self._live.begun:
            self._write_summary(terminalreporter)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell trouble in the machinery from a failure, where that is asked for."""
        only_trouble = 0 < self._troubles == session.testsfailed
        failed = session.exitstatus == pytest.ExitCode.TESTS_FAILED
        if self._settings.exit_codes and failed and only_trouble:
            session.exitstatus = ONLY_TROUBLE

    def pytest_unconfigure(self) -> None:
        """End what an interrupted run has left."""
        self._end()

    # Publishing.

    def _dispatch(self) -> list[pytest.Item]:
        """Fill every prompt, then publish all tasks at once; return the items that have none."""
        hopeless = []
        problems: list[str] = []
        whole: list[tuple[pytest.Item, Ticket]] = []
        for item, ticket in self._tickets.items():
            try:
                with internals.captured(self._config):
                    values = internals.session_fixtures(item, ticket.marked.fixtures)
            except (Exception, pytest.skip.Exception, pytest.fail.Exception) as error:  # noqa: BLE001
                # Whatever a user's fixture raised: pytest raises it again in the item's set-up.
                ticket.problem = f"a session fixture of its prompt raised {error!r}"
                getattr(item, "fixturenames", []).extend(ticket.marked.fixtures)
                hopeless.append(item)
                continue
            values = {name: values[name] for name in ticket.marked.fixtures}
            needs = self._needs[item.nodeid]
            try:
                ticket.spec = ticket.marked.spec(self._settings, values, needs)
            except MarkerError as error:
                problems.append(str(error))
            whole.append((item, ticket))
        if problems:
            raise pytest.UsageError("\n".join(problems))
        order = longest_first(
            [ticket.marked.nodeid for _, ticket in whole], read_durations(self._config)
        )
        place = {nodeid: position for position, nodeid in enumerate(order)}
        whole.sort(key=lambda pair: place[pair[1].marked.nodeid])
        specs = [ticket.spec for _, ticket in whole if ticket.spec is not None]
        since = [getattr(item, "ptc_changed_since", None) for item, _ in whole]
        futures = self._live.submit(specs, resume=True, since=[name for name in since if name])
        for (item, ticket), future in zip(whole, futures, strict=True):
            ticket.future = future
            future.add_done_callback(self._arrival_of(item))
        return hopeless

    def _arrival_of(self, item: pytest.Item) -> Callable[[Future[Result]], None]:
        return lambda future: self._arrivals.put((item, future.result()))

    def _submit_one(self, spec: TaskSpec) -> Future[Result]:
        (future,) = self._live.submit([spec], resume=True)
        future.add_done_callback(lambda ended: self._results.append(ended.result()))
        return future

    @cached_property
    def _progress(self) -> Progress:
        # Not before the first item: until then pytest has no terminal reporter.
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        return Progress(reporter, sys.stdout)

    # What arrives.

    def _receive(self, wait: bool) -> list[pytest.Item]:
        """Return the items whose results have come; wait for one if there is none and it may."""
        arrived = self._take_arrivals()
        while wait and not arrived:
            self._progress.show(self._live.snapshot)
            with contextlib.suppress(queue.Empty):
                arrived = [self._arrive(*self._arrivals.get(timeout=self._progress.interval))]
        self._progress.clear()
        return arrived

    def _take_arrivals(self) -> list[pytest.Item]:
        arrived = []
        with contextlib.suppress(queue.Empty):
            while True:
                arrived.append(self._arrive(*self._arrivals.get_nowait()))
        return arrived

    def _arrive(self, item: pytest.Item, result: Result) -> pytest.Item:
        ticket = self._tickets[item]
        if ticket.result is None:
            ticket.result = self._taken(result)
        return item

    def _taken(self, result: Result) -> Result:
        self._results.append(result)
        self._config.hook.pytest_ptc_result(config=self._config, result=result)
        return result

    # The end.

    def _end(self) -> None:
        """End the run, and keep what it took for the next one; may be called again."""
        if not self._live.is_on:
            return
        self._progress.clear()
        try:
            # A verdict that came after pytest stopped is no outcome any more, but it is told.
            self._live.end(self._take_arrivals)
        finally:
            keep_durations(self._config, self._results)

    def _write_summary(self, reporter: pytest.TerminalReporter) -> None:
        lines = summary(
            self._results,
            wall=self._live.wall,
            journal=self._live.shown_folder,
            width=self._config.get_terminal_writer().fullwidth,
            verbosity=self._config.get_verbosity(),
            expected=self._expected,
            budget=self._settings.budget_usd,
            problems=self._live.problems,
            changed_suite=self._live.changed_suite,
        )
        # A test's name may hold a parameter that is a secret: pytest shows it, and we need not.
        for text, markup in lines:
            reporter.write_line(self._live.redact(text), **markup)


def _check_fixtures(item: pytest.Item, marked: MarkedTask) -> None:
    """Refuse a prompt's field that neither a parameter nor a session fixture can fill."""
    for name in marked.fixtures:
        # Only a function can ask for fixtures.
        scope = internals.fixture_scope(item, name) if isinstance(item, pytest.Function) else None
        field = f"prompt field {{{name}}}"
        if scope is None:
            raise MarkerError(
                item.nodeid,
                field,
                "there is no parameter and no session fixture of this name; write {{ for a brace "
                "that is meant as one",
            )
        if scope != "session":
            raise MarkerError(
                item.nodeid,
                field,
                f"the fixture has {scope} scope; only session fixtures are there before a test "
                "is set up",
            )
