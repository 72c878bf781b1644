"""A run with workers, as pytest's hooks see it.

Tasks are published after collection, once every prompt is complete. Unmarked items run first, while
agents work; marked items then run as their verdicts arrive. Pytest's own loop runs them all: we
only decide which item stands next, and we wait between two items, where no timer runs and no
fixture is being set up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_ptc.collection.collected import collected_tasks, is_marked
from pytest_ptc.collection.timeouts import general_timeout
from pytest_ptc.model.self_test import JudgeOutcome
from pytest_ptc.session.arrivals import Arrivals
from pytest_ptc.session.coordinator_fixture import PtcCoordinator, Submitter
from pytest_ptc.session.durations import longest_first, read_durations
from pytest_ptc.session.live_servers import LiveServers
from pytest_ptc.session.order import LineUp
from pytest_ptc.session.outcomes import (
    SetUpBypassed,
    add_extras,
    add_properties,
    add_state,
    body_left_out,
    finish_report,
    phase_report,
    raise_in_call,
    raise_in_setup,
)
from pytest_ptc.session.prompts import filled_tasks
from pytest_ptc.session.pytest_place import session_end, usage_errors
from pytest_ptc.session.run import RunPhase
from pytest_ptc.session.signals import ending_in_order
from pytest_ptc.session.tickets import TicketState
from pytest_ptc.system import pytest_internals
from pytest_ptc.system.git.repositories import name_in_repository

if TYPE_CHECKING:
    from collections.abc import Generator
    from concurrent.futures import Future

    from pytest_ptc.model.result import Result
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import Verdict
    from pytest_ptc.session.gatekeeper import Gatekeeper
    from pytest_ptc.session.promises import Promises
    from pytest_ptc.session.publisher import Publisher
    from pytest_ptc.session.run import Run
    from pytest_ptc.session.sharding import Sharding
    from pytest_ptc.session.tickets import Ticket, TicketBook


class SessionHooks:
    """The hooks of a run with workers."""

    def __init__(
        self,
        config: pytest.Config,
        settings: Settings,
        *,
        run: Run,
        book: TicketBook,
        publisher: Publisher,
        gate: Gatekeeper,
        promises: Promises,
        sharding: Sharding | None = None,
    ) -> None:
        self._config = config
        self._settings = settings
        self._run = run
        self._book = book
        self._publisher = publisher
        self._gate = gate
        self._promises = promises
        self._sharding = sharding
        self._arrivals = Arrivals(publisher)
        self._servers = LiveServers()
        self._lineup: LineUp | None = None
        self._running: pytest.Item | None = None
        #: How many fixtures are being set up that outlive a test.
        self._wide_fixtures = 0
        self.submission = PtcCoordinator(
            settings=settings,
            rootpath=config.rootpath,
            submitter=self._submitter,
            general_timeout=general_timeout(config),
            submit=self._submit_one,
            promises=promises,
        )

    def __repr__(self) -> str:
        return f"<SessionHooks {self._run.plan.run_id} {self._book!r}>"

    @property
    def run(self) -> Run:
        """Return the run of the session."""
        return self._run

    def verdict_of(self, item: pytest.Item) -> Verdict:
        ticket = self._book.get(item)
        if ticket is None:
            pytest.fail("the fixture 'ptc' is the verdict of a test marked with ptc", pytrace=False)
        verdict = ticket.result.shown_verdict if ticket.result else None
        if verdict is None:
            pytest.fail(f"no verdict was recorded for this test: {ticket.problem}", pytrace=False)
        return verdict

    def _submitter(self) -> Submitter:
        """Return who submits a task now: the test that is running, or a fixture for it."""
        item = self._running
        if item is None:
            return Submitter("session")
        return Submitter(
            self._book.name_of(item),
            name_in_repository(item.path),
            None if self._wide_fixtures else item,
        )

    def _submit_one(self, spec: TaskSpec) -> Future[Result]:
        with usage_errors():
            (future,) = self._run.submit([spec], resume=True)
        future.add_done_callback(lambda ended: self._book.results.append(ended.result()))
        return future

    def pytest_report_header(self) -> list[str]:
        """Show host, agent, list and how to watch the run."""
        return self._publisher.header()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Read every marker, refuse what cannot become a task, and put unmarked items first."""
        narrowed = self._gate.narrowed(session.items)
        collected = collected_tasks(
            session.items, self._gate.seen, self._settings, narrowed=narrowed
        )
        if collected.problems:
            raise pytest.UsageError("\n".join(collected.problems))
        self._book.enter(collected.selected, collected.needed, collected.needs)
        if not self._in_order:
            session.items.sort(key=lambda item: item in collected.selected)

    @property
    def _in_order(self) -> bool:
        # `--stepwise` takes whatever stands before the test that failed for passed.
        options = self._config.option
        return any(getattr(options, name, False) for name in ("stepwise", "stepwise_skip"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Publish the tasks before the first item, and end the run after the last."""
        broken = session.testsfailed and not self._config.option.continue_on_collection_errors
        with ending_in_order():
            try:
                if not broken:
                    with usage_errors():
                        self._run.take_up()
                # A shard without items has a journal, too: one without is missing.
                if (self._book.selected or self._sharding is not None) and not broken:
                    self._publish()
                    self._lineup = self._line_up(session.items)
                    self._lineup.advance(None, None)
                return (yield)
            finally:
                self._end()

    def _publish(self) -> None:
        """Fill every prompt, then publish all tasks at once, those first that take longest."""
        tasks = filled_tasks(self._config, self._settings, self._book, self._servers)
        order = longest_first([spec.nodeid for _, spec in tasks], read_durations(self._config))
        place = {nodeid: position for position, nodeid in enumerate(order)}
        tasks.sort(key=lambda task: place[task[1].nodeid])
        since = [getattr(item, "ptc_changed_since", None) for item, _ in tasks]
        with usage_errors():
            futures = self._run.submit(
                [spec for _, spec in tasks], resume=True, since=[name for name in since if name]
            )
        self._publisher.tell_collected(self._sharding)
        self._publisher.tell_kept()
        tickets = dict(self._book.all())
        for (item, spec), future in zip(tasks, futures, strict=True):
            tickets[item].publish(spec, future)
            self._arrivals.expect(item, tickets[item])

    def _line_up(self, items: list[pytest.Item]) -> LineUp:
        tickets = self._book.selected
        return LineUp(
            items,
            tickets,
            ready=[item for item in tickets if tickets[item].state is TicketState.NO_TASK],
            receive=self._arrivals.receive,
            in_order=self._in_order,
        )

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
        """Record what is submitted by a fixture that outlives the test that is running."""
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
        ticket = self._book.get(item)
        if ticket is None:
            if pytest_internals.runs(item):
                self._refuse(item)
            return
        if ticket.spec is None:
            # Without a task, a session fixture of its prompt failed: pytest's own set-up says how.
            return
        result = self._result_to_run_by(item, ticket, ticket.spec)
        if self._settings.properties:
            add_properties(item, result)
        canary = pytest_internals.must_fail(item)
        raise_in_setup(result, self._publisher.shown_folder, canary=canary)

    def _result_to_run_by(self, item: pytest.Item, ticket: Ticket, spec: TaskSpec) -> Result:
        """Return the result of an item that is about to run: of an attempt of its own each time."""
        if ticket.state is TicketState.RUN and ticket.test_outcome is JudgeOutcome.MISSED:
            # A real defect that is missed passes, and nobody asks again.
            assert ticket.result is not None, "it was missed by that"
            return ticket.result
        if ticket.state is TicketState.RUN:
            with usage_errors():
                (future,) = self._run.submit([spec])
            self._book.publish_again(ticket, future)
        if ticket.result is None:
            # No timer runs: pytest-timeout stops an item's with the failure that is run again.
            self._arrivals.result_of(item, ticket)
        ticket.run()
        assert ticket.result is not None, "it has arrived"
        return ticket.result

    def _refuse(self, item: pytest.Item) -> None:
        """Fail an item that has no task: its body alone is not a verdict."""
        self._book.refuse(item)
        pytest.fail(
            "ptc error: no verdict - the test had no task when tasks were published: it was marked "
            "or added later, or its marks skipped it then and do not now; put a condition "
            "that changes while tests run into a session fixture, or into the test's body",
            pytrace=False,
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Fail an item whose verdict is not a pass, before its body runs."""
        ticket = self._book.get(item)
        if ticket is not None:
            raise_in_call(ticket.result, self._publisher.shown_folder, ticket.problem)
        elif is_marked(item):
            self._refuse(item)

    @pytest.hookimpl(specname="pytest_runtest_call", wrapper=True, tryfirst=True)
    def pytest_leave_out_ptc_body(self, item: pytest.Item) -> Generator[None, object, object]:
        """Have the body of a canary not run; pytest looks for hooks named `pytest_...` alone."""
        ticket = self._book.get(item)
        with body_left_out(item, ticket.result if ticket is not None else None):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Fail a test that submitted tasks and did not get their results."""
        result = yield
        forgotten = self._promises.unawaited_of(item)
        if forgotten:
            raise NotAwaited(
                f"ptc error: submitted and never awaited: {', '.join(forgotten)}; get each "
                "verdict with .result(), or iterate over all that map() returns",
                pytrace=False,
            )
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep other plugins from hiding an error, and add the evidence."""
        report = yield
        if call.excinfo is not None and isinstance(call.excinfo.value, NotAwaited):
            # No failure that `xfail` may expect.
            report.outcome = "failed"
            report.__dict__.pop("wasxfail", None)
        ticket = self._book.get(item)
        if ticket is not None:
            finish_report(report, call, item, ticket.result, self._publisher.shown_folder)
            if self._settings.properties and report.when == "teardown":
                add_state(report, ticket.result, ticket.reports)
            if ticket.result is not None and self._config.pluginmanager.hasplugin("html"):
                add_extras(report, ticket.result)
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write a marked item's outcome to the journal, which reports are made from.

        Last, for pytest and its plugins may change a report until then.
        """
        ticket = self._book.reported(report.nodeid, self._running)
        if ticket is not None:
            phase = phase_report(report, self._config)
            self._book.report(ticket, phase)
            self._publisher.tell_report(ticket, report, phase)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the summary of the run."""
        self._publisher.write_summary(terminalreporter)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Record that the session is over."""
        self._publisher.session = session

    @pytest.hookimpl(specname="pytest_sessionfinish", wrapper=True, tryfirst=True)
    def pytest_close_ptc_journal(self, session: pytest.Session) -> Generator[None, object, object]:
        """Write the exit status to the journal, after all other plugins.

        Pytest looks for hooks among what is named `pytest_...` alone.
        """
        result = yield
        # A fixture that is torn down at the very end may have submitted the first task.
        self._end()
        self._run.close(session_end(session))
        self._publisher.warn(self._run.forget_old_runs())
        return result

    def pytest_unconfigure(self) -> None:
        """End what an interrupted run has left."""
        self._end()
        self._run.close()

    def _end(self) -> None:
        """End the run, and keep what it took for the next one; may be called again."""
        if self._run.phase is not RunPhase.ACTIVE:
            return
        self._publisher.progress.clear()
        try:
            # A verdict that came after pytest stopped is no outcome any more, but it is told.
            self._run.end(self._arrivals.take)
        finally:
            self._servers.close()
            self._publisher.keep_durations()


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
