"""Publishes a run's results to the terminal, the journal, plugins and the next run."""

from __future__ import annotations

import contextlib
import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.journal.events import ItemReported, ItemsCollected
from pytest_ptc.model.errors import JournalError
from pytest_ptc.reporting.list_lines import list_lines
from pytest_ptc.reporting.merged import merged_findings
from pytest_ptc.reporting.story import run_report
from pytest_ptc.reporting.task_report import TaskReport
from pytest_ptc.reporting.terminal.brief import brief_summary
from pytest_ptc.reporting.terminal.progress import Progress
from pytest_ptc.reporting.terminal.status import header_lines
from pytest_ptc.reporting.terminal.summary import summary
from pytest_ptc.session.cluster_hosts import is_cluster
from pytest_ptc.session.durations import keep_durations
from pytest_ptc.session.pytest_place import session_end
from pytest_ptc.session.terminal_output import TerminalOutput
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_ptc.model.item_states import PhaseReport
    from pytest_ptc.model.lifecycle import Snapshot
    from pytest_ptc.model.result import Result
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.reporting.run_report import RunReport
    from pytest_ptc.reporting.terminal.summary import Line
    from pytest_ptc.session.run import Run
    from pytest_ptc.session.sharding import Sharding
    from pytest_ptc.session.tickets import Ticket, TicketBook


class Publisher:
    """Publishes the results of a run with workers; decides nothing.

    Args:
        config: Pytest's configuration.
        settings: What the user asked for.
        run: The run.
        book: The items, and what became of them.
    """

    def __init__(
        self, config: pytest.Config, settings: Settings, run: Run, book: TicketBook
    ) -> None:
        self._config = config
        self._settings = settings
        self._run = run
        self._book = book
        self._refusal_told = False
        self._brief = settings.is_brief(os.environ)
        #: What shapes pytest's own sections of failures; a plugin.
        self.output = TerminalOutput(book, brief=self._brief)
        #: Pytest's session, when it is over and has its exit status.
        self.session: pytest.Session | None = None

    def __repr__(self) -> str:
        return f"<Publisher of {self._run!r}>"

    def header(self) -> list[str]:
        plan = self._run.plan
        return header_lines(
            workers=self._settings.workers,
            host=plan.host.name,
            agent=self._settings.agent,
            list_id=plan.list_id,
            cluster=plan.host.where if is_cluster(plan.host) else None,
            attach="ptc attach" if is_cluster(plan.host) else plan.host.attach,
            note=plan.fallback,
            sandbox=plan.sandbox,
            budget=self._settings.budget_usd,
            task_budget=self._settings.task_budget_usd,
            resumes=self._run.resumes,
        )

    @cached_property
    def progress(self) -> Progress:
        """Return the block of lines that shows how far the run is."""
        # Not before the first item: until then pytest has no terminal reporter.
        return Progress(None if self._brief else self._terminal, sys.stdout)

    @property
    def snapshot(self) -> Snapshot:
        """Return the run's state after its last event."""
        return self._run.snapshot

    @property
    def shown_folder(self) -> Path:
        """Return the journal's path as shown to users."""
        return self._run.shown_folder

    def redact(self, text: str) -> str:
        """Return a text without the secrets that the run knows."""
        return self._run.redact(text)

    def tell_result(self, result: Result) -> None:
        """Tell plugins, and the summary later, how a task ended."""
        self._book.results.append(result)
        self._config.hook.pytest_ptc_result(config=self._config, result=result)

    def tell_collected(self, sharding: Sharding | None = None) -> None:
        """Put the order of collection into the journal, in which results are shown.

        Args:
            sharding: The shard that the session has, where it has one.
        """
        if self._run.begun:
            if sharding is not None:
                self._run.tell(sharding.taken)
            nodeids = tuple(ticket.marked.nodeid for ticket in self._book.selected.values())
            self._run.tell(ItemsCollected(nodeids=nodeids))

    def tell_report(self, ticket: Ticket, report: pytest.TestReport, phase: PhaseReport) -> None:
        """Write an item's outcome to the journal, which reports are made from."""
        if phase.outcome is None or not self._run.begun:
            return
        path, line, _ = report.location
        self._run.tell(
            ItemReported(
                task=ticket.result.task_id if ticket.result is not None else None,
                nodeid=ticket.marked.nodeid,
                outcome=phase.outcome,
                phase=phase.phase,
                message=phase.message,
                path=path,
                line=None if line is None else line + 1,
                xfail=phase.xfail,
                self_test=ticket.marked.self_test,
            )
        )

    def tell_needed(self, item: pytest.Item, result: Result) -> None:
        """Write the outcome of a task without a selected item: it is that of its verdict."""
        passed = result.shown_verdict is not None and result.shown_verdict.passed
        if (tested := result.test_outcome) is not None:
            passed = tested.good
        path, line, _ = item.location
        self._run.tell(
            ItemReported(
                task=result.task_id,
                nodeid=result.spec.nodeid,
                outcome="passed" if passed else "failed" if result.judged else "error",
                phase="setup",
                message=None if passed else TaskReport.of(result).reason.said,
                path=path,
                line=None if line is None else line + 1,
                xfail=None,
            )
        )

    def tell_kept(self) -> None:
        """Say what goes to nodes, and why verdicts of the resumed run are not kept.

        Before new ones cost money.
        """
        reporter = self._terminal
        if reporter is None:
            return
        sent = [f"ptc: {line}" for line in self._run.sent]
        self._run.sent.clear()
        for line in (*sent, *self._refusal(), *self._run.resumption_lines()):
            reporter.ensure_newline()
            reporter.write_line(printable(self.redact(line)))

    def _refusal(self) -> list[str]:
        """Return that the earlier run is not taken up, where no header says it."""
        if self._refusal_told or self._run.refused is None or self._config.get_verbosity() >= 0:
            return []
        self._refusal_told = True
        return [f"ptc: resumes {self._run.resumes}"]

    def warn(self, problems: Sequence[str]) -> None:
        """Show what went wrong when the summary had been shown."""
        reporter = self._terminal
        for problem in problems if reporter is not None else ():
            assert reporter is not None, "checked above"
            reporter.write_line(printable(self.redact(f"ptc: {problem}")))

    def keep_durations(self) -> None:
        keep_durations(self._config, self._book.results)

    def write_summary(self, reporter: pytest.TerminalReporter) -> None:
        """Write the summary of the run, if it had a task."""
        if not self._book.results and not self._run.begun:
            return
        self.tell_kept()
        # A test's name may hold a parameter that is a secret: pytest shows it, and we need not.
        for text, markup in self._summary():
            reporter.write_line(self.redact(text), **markup)

    def _summary(self) -> list[Line]:
        if self._brief and self.session is not None:
            with contextlib.suppress(JournalError):
                return brief_summary(
                    run_report(self._run.story(session_end(self.session))),
                    journal=self._run.shown_folder,
                    verbose=self._config.get_verbosity() > 0,
                    problems=self._run.problems,
                    flaky=self._run.flaky,
                )
        several = sum(bool(task.findings) for task in self._book.tasks) > 1
        report = self._report() if several or self._run.lists.events else None
        return summary(
            self._book.tasks,
            wall=self._run.wall,
            journal=self._run.shown_folder,
            width=self._config.get_terminal_writer().fullwidth,
            verbosity=-1 if self._brief else self._config.get_verbosity(),
            unasked=sum(ticket.unasked for ticket in self._book.selected.values()),
            budget=self._settings.budget_usd,
            problems=self._run.problems,
            changed_suite=self._run.changed_suite,
            lists=list_lines(report) if report is not None and self._run.lists.events else [],
            succeeded=self.session is not None and self.session.exitstatus == pytest.ExitCode.OK,
            shown=self.output.shown,
            judge=self._book.judge(self._settings.minimums),
            flaky=self._run.flaky if self.session is not None else [],
            merged=merged_findings(report) if report is not None and several else [],
        )

    def _report(self) -> RunReport | None:
        """Return the report of the run; None where it is not over, or its journal is not whole."""
        if self.session is not None:
            with contextlib.suppress(JournalError):
                return run_report(self._run.story(session_end(self.session)))
        return None

    @property
    def _terminal(self) -> pytest.TerminalReporter | None:
        reporter: pytest.TerminalReporter | None
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        return reporter
