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
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.collection.collected import asked_by, is_marked
from pytest_ptc.collection.timeouts import general_timeout
from pytest_ptc.model.errors import MarkerError
from pytest_ptc.model.item_states import BAD, final_report
from pytest_ptc.reporting.terminal.progress import Progress
from pytest_ptc.reporting.terminal.status import header_lines
from pytest_ptc.reporting.terminal.summary import summary
from pytest_ptc.reporting.wording import ending
from pytest_ptc.session.coordinator_fixture import PtcCoordinator
from pytest_ptc.session.durations import keep_durations, longest_first, read_durations
from pytest_ptc.session.live_servers import LiveServers
from pytest_ptc.session.order import LineUp
from pytest_ptc.session.outcomes import (
    ONLY_TROUBLE,
    SetUpBypassed,
    add_extras,
    add_properties,
    add_state,
    final_of,
    finish_report,
    phase_report,
    raise_in_call,
    raise_in_setup,
)
from pytest_ptc.session.signals import ending_in_order
from pytest_ptc.system import pytest_internals
from pytest_ptc.system.git.repositories import name_in_repository
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from concurrent.futures import Future

    from pytest_ptc.collection.marker import MarkedTask
    from pytest_ptc.model.item_states import PhaseReport
    from pytest_ptc.model.result import Result
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import Verdict
    from pytest_ptc.reporting.wording import Final
    from pytest_ptc.session.gatekeeper import Gatekeeper
    from pytest_ptc.session.run import LiveRun


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
        error: Why a server that its prompt needs cannot be opened to an agent.
        reports: What pytest reported of the item since it began its last run.
    """

    marked: MarkedTask
    spec: TaskSpec | None = None
    future: Future[Result] | None = None
    result: Result | None = None
    used: bool = False
    problem: str = "no verdict was there for this item"
    error: Exception | None = None
    reports: list[PhaseReport] = field(default_factory=list)

    @property
    def final(self) -> Final:
        """Return what became of the item."""
        return final_of(self.result, self.reports)

    @property
    def unasked(self) -> bool:
        """Tell whether the item ran into an error for which no agent could be asked."""
        return self.result is None and bool(self.reports) and self.final.state in BAD


class Runner:
    """The hooks of a run with workers."""

    def __init__(
        self, config: pytest.Config, settings: Settings, live: LiveRun, gate: Gatekeeper
    ) -> None:
        self._config = config
        self._settings = settings
        self._live = live
        self._tickets: dict[pytest.Item, Ticket] = {}
        #: Tests that were not selected, and that selected ones need: tasks, and no items.
        self._needed: dict[pytest.Item, Ticket] = {}
        self._by_nodeid: dict[str, Ticket] = {}
        self._needs: Mapping[str, tuple[str, ...]] = {}
        self._arrivals: queue.SimpleQueue[tuple[pytest.Item, Result]] = queue.SimpleQueue()
        self._lineup: LineUp | None = None
        self._results: list[Result] = []
        #: What became of items by a task that was not their last, by the tasks' ids.
        self._overtaken: dict[str, Final] = {}
        self._problems: list[str] = []
        #: The session, when it is over and has its exit status.
        self._session: pytest.Session | None = None
        #: How many items ended in trouble that is nobody's verdict.
        self._troubles = 0
        #: Marked items that have no task, and were about to run.
        self._without_task: set[pytest.Item] = set()
        self._running: pytest.Item | None = None
        #: How many fixtures are being set up that outlive a test.
        self._wide_fixtures = 0
        self.submission = PtcCoordinator(
            settings=settings,
            rootpath=config.rootpath,
            current=self._submitter,
            general_timeout=general_timeout(config),
            submit=self._submit_one,
        )
        self._servers = LiveServers()
        self._gate = gate
        gate.name_of = self._name_of
        gate.result_of = self._result_of
        gate.excused = lambda item: item not in self._tickets
        gate.unawaited = self.submission.promises.unawaited
        gate.redact = live.redact
        gate.write_summary = self.pytest_terminal_summary

    def __repr__(self) -> str:
        return f"<Runner {self._live.facts.run_id} {len(self._tickets)} marked>"

    def verdict_of(self, item: pytest.Item) -> Verdict:
        """Return the verdict of the item that is running."""
        ticket = self._tickets.get(item)
        if ticket is None:
            pytest.fail("the fixture 'ptc' is the verdict of a test marked with ptc", pytrace=False)
        verdict = ticket.result.shown_verdict if ticket.result else None
        if verdict is None:
            pytest.fail(f"no verdict was recorded for this test: {ticket.problem}", pytrace=False)
        return verdict

    def _name_of(self, item: pytest.Item) -> str:
        ticket = self._tickets.get(item)
        return ticket.marked.nodeid if ticket is not None else item.nodeid

    def _result_of(self, item: pytest.Item) -> Result | None:
        ticket = self._tickets.get(item)
        return ticket.result if ticket is not None else None

    def _submitter(self) -> tuple[str, str, object | None]:
        """Return the name and file of the test that is running, and it, unless it is outlived."""
        item = self._running
        if item is None:
            return "session", "", None
        source = name_in_repository(item.path)
        return self._name_of(item), source, None if self._wide_fixtures else item

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
        narrowed = self._gate.narrowed(session.items)
        asked = asked_by(session.items, self._gate.seen, self._settings, narrowed=narrowed)
        if asked.problems:
            raise pytest.UsageError("\n".join(asked.problems))
        self._tickets = {item: Ticket(marked=task) for item, task in asked.selected.items()}
        self._needed = {item: Ticket(marked=task) for item, task in asked.needed.items()}
        for item, ticket in self._tickets.items():
            self._by_nodeid.setdefault(item.nodeid, ticket)
        self._needs = asked.needs
        if not self._in_order:
            session.items.sort(key=lambda item: item in self._tickets)

    @property
    def _in_order(self) -> bool:
        # `--stepwise` takes whatever stands before the test that failed for passed.
        options = self._config.option
        return any(getattr(options, name, False) for name in ("stepwise", "stepwise_skip"))

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
                        session.items,
                        self._tickets,
                        ready=hopeless,
                        receive=self._receive,
                        in_order=self._in_order,
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
        self._running = item
        outcome = yield
        stopped = item.session.shouldfail or item.session.shouldstop
        if self._lineup is not None and not stopped:
            self._lineup.advance(item, nextitem)
        return outcome

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object]
    ) -> Generator[None, object, object]:
        """Take note of what is submitted by a fixture that outlives the test that is running."""
        wide = fixturedef.scope != "function"
        self._wide_fixtures += wide
        try:
            return (yield)
        finally:
            self._wide_fixtures -= wide

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """End an item here whose task has no verdict to judge by.

        Within the wrappers of others, which prepare the call too, and before any other hook and any
        fixture: one that skips does not hide what is recorded.
        """
        if is_marked(item):
            self._judge(item)
        return (yield)

    def _judge(self, item: pytest.Item) -> None:
        ticket = self._tickets.get(item)
        if ticket is None:
            if pytest_internals.runs(item):
                self._refuse(item)
            return
        if ticket.spec is None:
            # Without a task, a session fixture of its prompt failed: pytest's own set-up says how.
            return
        if ticket.used:
            if ticket.result is not None and final_report(ticket.reports) is not None:
                self._overtaken[ticket.result.task_id] = ticket.final
            ticket.reports = []
            (ticket.future,) = self._live.submit([ticket.spec])
        assert ticket.future is not None
        if ticket.used or ticket.result is None:
            # No timer runs: pytest-timeout stops an item's with the failure that is run again.
            ticket.result = self._taken(ticket.future.result())
        ticket.used = True
        if self._settings.properties:
            add_properties(item, ticket.result)
        canary = pytest_internals.must_fail(item)
        raise_in_setup(ticket.result, self._live.shown_folder, canary=canary)

    def _refuse(self, item: pytest.Item) -> None:
        """Fail an item that nobody was given: its body alone is no verdict."""
        self._without_task.add(item)
        pytest.fail(
            "ptc error: no verdict - the test had no task when tasks were published: it was marked "
            "or added later, or its marks skipped it then and do not now; a condition that changes "
            "while tests run belongs into a session fixture, or into the test's body",
            pytrace=False,
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Fail an item whose verdict is not a pass, before its body runs."""
        ticket = self._tickets.get(item)
        if ticket is not None:
            raise_in_call(ticket.result, self._live.shown_folder, ticket.problem)
        elif is_marked(item):
            self._refuse(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Fail a test that has submitted work and asked nobody what became of it."""
        result = yield
        forgotten = self.submission.promises.unawaited_of(item)
        if forgotten:
            raise NotAwaited(
                f"ptc error: submitted and never awaited: {', '.join(forgotten)}; ask for the "
                "verdict with .result(), or go through all that map() returns",
                pytrace=False,
            )
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep what other plugins make of an outcome from hiding trouble, and add the evidence."""
        report = yield
        if call.excinfo is not None and isinstance(call.excinfo.value, NotAwaited):
            # No failure that `xfail` may expect.
            report.outcome = "failed"
            report.__dict__.pop("wasxfail", None)
        ticket = self._tickets.get(item)
        if ticket is not None:
            finish_report(report, call, item, ticket.result, self._shown_folder)
            if self._settings.properties and report.when == "teardown":
                add_state(report, ticket.result, ticket.reports)
            if ticket.result is not None and self._config.pluginmanager.hasplugin("html"):
                add_extras(report, ticket.result)
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Put down what became of a marked item, for the reports that are made of the journal.

        Last, for pytest and its plugins may change a report until then.
        """
        ticket = self._ticket_of(report)
        if ticket is None:
            return
        told = phase_report(report, self._config)
        ticket.reports.append(told)
        result = ticket.result
        if told.outcome == "error" and told.phase == "setup" and result is not None:
            self._troubles += not result.judged
        if told.outcome is None or not self._live.begun:
            return
        path, line, _ = report.location
        self._live.tell(
            "item",
            task=result.task_id if result is not None else None,
            nodeid=ticket.marked.nodeid,
            outcome=told.outcome,
            phase=told.phase,
            message=told.message,
            path=path,
            line=None if line is None else line + 1,
            xfail=told.xfail,
        )

    def _ticket_of(self, report: pytest.TestReport) -> Ticket | None:
        # By the item that runs: two items may have the same node id.
        item = self._running
        if item is not None and item.nodeid == report.nodeid:
            return self._tickets.get(item)
        return self._by_nodeid.get(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Close with what the run came to."""
        if self._results or self._live.begun:
            self._write_summary(terminalreporter)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run whose items did not all pass; tell trouble from failure, where asked for."""
        self._session = session
        self._check_items(session)
        troubles = self._troubles + len(self._without_task)
        only_trouble = 0 < troubles == session.testsfailed
        failed = session.exitstatus == pytest.ExitCode.TESTS_FAILED
        if self._settings.exit_codes and failed and only_trouble:
            session.exitstatus = ONLY_TROUBLE

    @pytest.hookimpl(specname="pytest_sessionfinish", wrapper=True, tryfirst=True)
    def pytest_close_ptc_journal(self, session: pytest.Session) -> Generator[None, object, object]:
        """Put down the exit status when no plugin changes it any more.

        Pytest looks for hooks among what is named `pytest_...` alone.
        """
        result = yield
        self._live.close(session)
        return result

    def pytest_unconfigure(self) -> None:
        """End what an interrupted run has left."""
        self._end()
        self._live.close()

    def _check_items(self, session: pytest.Session) -> None:
        """See that a run is no success with an item that did not pass, whatever pytest counted."""
        planned = self._config.getoption("setuponly", default=False)
        if session.exitstatus != pytest.ExitCode.OK or planned:
            return
        bad = [t.marked.nodeid for t in self._tickets.values() if t.final.state in BAD]
        if bad:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            self._problems.append(f"pytest counts no failure, but not passed: {bad[0]}{more}")

    def _finals(self) -> dict[str, Final]:
        """Return what became of the items of tasks, by the tasks' ids."""
        last = {t.result.task_id: t.final for t in self._tickets.values() if t.result is not None}
        return {**self._overtaken, **last}

    # Publishing.

    def _dispatch(self) -> list[pytest.Item]:
        """Fill every prompt, then publish all tasks at once; return the items that have none."""
        hopeless = []
        problems: list[str] = []
        whole: list[tuple[pytest.Item, Ticket]] = []
        self._open_servers()
        for item, ticket in [*self._tickets.items(), *self._needed.items()]:
            try:
                values = self._filling(item, ticket)
            except (Exception, pytest.skip.Exception, pytest.fail.Exception) as error:  # noqa: BLE001
                # Whatever a user's fixture raised: pytest raises it again in the item's set-up.
                ticket.problem = f"a session fixture of its prompt raised {error!r}"
                pytest_internals.ask_for(item, ticket.marked.fixtures)
                if item in self._tickets:
                    hopeless.append(item)
                continue
            values = {name: values[name] for name in ticket.marked.fixtures}
            needs = self._needs[ticket.marked.nodeid]
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
        self._say_what_stands(self._config.pluginmanager.getplugin("terminalreporter"))
        for (item, ticket), future in zip(whole, futures, strict=True):
            ticket.future = future
            future.add_done_callback(self._arrival_of(item))
        return hopeless

    def _filling(self, item: pytest.Item, ticket: Ticket) -> dict[str, Any]:
        """Return the values of the session fixtures of a prompt; raises whatever they raise."""
        if ticket.error is not None:
            raise ticket.error
        with pytest_internals.captured(self._config):
            return pytest_internals.session_fixtures(item, ticket.marked.fixtures)

    def _open_servers(self) -> None:
        """Open servers that prompts need; where that fails, their items have no task."""
        tickets = {**self._tickets, **self._needed}
        prompts = {item: ticket.marked.fixtures for item, ticket in tickets.items()}
        try:
            with pytest_internals.captured(self._config):
                self._servers.open_for(prompts)
        except Exception as error:  # noqa: BLE001 - whatever a user's fixture raised
            for item, ticket in tickets.items():
                if LiveServers.NAME in pytest_internals.fixtures_needed(
                    item, ticket.marked.fixtures
                ):
                    ticket.error = error

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
        ticket = self._tickets.get(item) or self._needed[item]
        if ticket.result is None:
            ticket.result = self._taken(result)
            if item in self._needed:
                self._tell_needed(item, result)
        return item

    def _tell_needed(self, item: pytest.Item, result: Result) -> None:
        """Put down what a task came to that has no item here: its outcome is its verdict."""
        passed = result.shown_verdict is not None and result.shown_verdict.passed
        path, line, _ = item.location
        self._live.tell(
            "item",
            task=result.task_id,
            nodeid=result.spec.nodeid,
            outcome="passed" if passed else "failed" if result.judged else "error",
            phase="setup",
            message=None if passed else ending(result).said,
            path=path,
            line=None if line is None else line + 1,
            xfail=None,
        )

    def _taken(self, result: Result) -> Result:
        self._results.append(result)
        self._config.hook.pytest_ptc_result(config=self._config, result=result)
        return result

    # The end.

    @property
    def _shown_folder(self) -> Path:
        return self._live.shown_folder if self._live.begun else Path()

    def _end(self) -> None:
        """End the run, and keep what it took for the next one; may be called again."""
        if not self._live.is_on:
            return
        self._progress.clear()
        try:
            # A verdict that came after pytest stopped is no outcome any more, but it is told.
            self._live.end(self._take_arrivals)
        finally:
            self._servers.close()
            keep_durations(self._config, self._results)

    def _say_what_stands(self, reporter: pytest.TerminalReporter | None) -> None:
        """Say why verdicts of the run that is taken up are asked for again, before that is paid."""
        if reporter is None:
            return
        for line in self._live.resumption_lines():
            reporter.ensure_newline()
            reporter.write_line(printable(self._live.redact(line)))

    def _write_summary(self, reporter: pytest.TerminalReporter) -> None:
        lines = summary(
            self._results,
            wall=self._live.wall,
            journal=self._live.shown_folder,
            width=self._config.get_terminal_writer().fullwidth,
            verbosity=self._config.get_verbosity(),
            finals=self._finals(),
            unasked=sum(ticket.unasked for ticket in self._tickets.values()),
            budget=self._settings.budget_usd,
            problems=[*self._live.problems, *self._problems],
            changed_suite=self._live.changed_suite,
            succeeded=self._session is not None and self._session.exitstatus == pytest.ExitCode.OK,
        )
        self._say_what_stands(reporter)
        # A test's name may hold a parameter that is a secret: pytest shows it, and we need not.
        for text, markup in lines:
            reporter.write_line(self._live.redact(text), **markup)


class NotAwaited(pytest_internals.Failed):
    """A test has submitted work, and has not asked for its verdict."""

    # As pytest has it for its own: reports show the name alone.
    __module__ = "builtins"


class SetUpBypass:
    """Ends the set-up of an item that has failed by its verdict, before any hook or fixture."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        """Go on to the call, which says how it failed."""
        try:
            return (yield)
        except SetUpBypassed:
            return None
