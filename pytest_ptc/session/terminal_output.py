"""What pytest itself shows of failures that are ours: each is told once, within a bound.

An item that fails by its verdict, or has none, has its report in pytest's section of failures.
Where many met the very same trouble, only the first is shown there, and of very many items only the
worst. In brief form none is: the summary of the run has a line for each.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.reporting.task_report import worst_tasks_first
from pytest_ptc.reporting.terminal.summary import ALIKE, MAX_ITEMS
from pytest_ptc.session.outcomes import first_line

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pytest_ptc.session.tickets import TicketBook

#: With what the text of a failure of ours begins, before the reason.
_OURS = ("ptc verdict: fail - ", "ptc error: ")


#: How pytest counts what did not pass, and shows it in a section each.
_BAD = ("failed", "error")


class TerminalOutput:
    """Shapes pytest's sections of failures, when all other reports are made.

    Args:
        book: What is known of the marked items.
        brief: Whether the summary of the run alone is to tell of what did not pass.
    """

    def __init__(self, book: TicketBook, *, brief: bool) -> None:
        self._book = book
        self._brief = brief
        #: The node ids of items of which pytest shows how they failed.
        self.shown: set[str] = set()
        #: What pytest has counted, while its sections are without some of that.
        self._counted: dict[str, list[pytest.TestReport]] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> Generator[None, object, object]:
        """Leave out what the summary of the run tells, and begin lines with the reason."""
        shows = terminalreporter.config.getoption("tbstyle", "auto") not in ("no", "line")
        stats = terminalreporter.stats
        reports = [report for name in _BAD for report in stats.get(name, ())]
        ours = [report for report in reports if _is_ours(report)]
        # Of those that are alike the first is shown, and the summary tells of all of them.
        groups = [ours] if self._brief else self._alike(ours)
        told = {id(report) for group in groups for report in group}
        left_out = told if self._brief else {id(one) for group in groups for one in group[1:]}
        if not self._brief and terminalreporter.verbosity < 1:
            beyond = self._beyond([one for one in ours if id(one) not in told])
            told |= beyond
            left_out |= beyond
        if shows:
            shown = [one for one in reports if id(one) not in told and self._tells_all(one)]
            self.shown.update(report.nodeid for report in shown)
        if self._brief and (shows or len(ours) == len(reports)):
            # As `-r` does it: the summary of the run has a line for each.
            others = [char for char in terminalreporter.reportchars if char not in "fE"]
            terminalreporter.reportchars = "".join(others)
        for report in ours:
            _begin_with_reason(report)
        self._counted = {name: stats[name] for name in _BAD if name in stats}
        for name, counted in self._counted.items():
            stats[name] = [report for report in counted if id(report) not in left_out]
        if "" in stats:
            # For each failure pytest looks at all of these, for what was printed in its teardown:
            # ten thousand items with two thousand failures would take minutes.
            self._counted[""] = stats[""]
            stats[""] = [report for report in stats[""] if getattr(report, "sections", True)]
        try:
            return (yield)
        finally:
            self._count_all(terminalreporter)

    @pytest.hookimpl(specname="pytest_terminal_summary", wrapper=True, trylast=True)
    def pytest_have_ptc_failures_counted(
        self, terminalreporter: pytest.TerminalReporter
    ) -> Generator[None, object, object]:
        """Give back what was left out when pytest's sections are written, before others count."""
        self._count_all(terminalreporter)
        return (yield)

    def _count_all(self, reporter: pytest.TerminalReporter) -> None:
        reporter.stats.update(self._counted)
        self._counted = {}

    def _alike(self, ours: Sequence[pytest.TestReport]) -> list[list[pytest.TestReport]]:
        """Return the reports of items that met the very same trouble, where they are many."""
        groups: dict[object, list[pytest.TestReport]] = {}
        for report in ours:
            trouble = self._trouble_of(report)
            if trouble is not None:
                groups.setdefault(trouble, []).append(report)
        return [group for group in groups.values() if len(group) > ALIKE]

    def _beyond(self, ours: Sequence[pytest.TestReport]) -> set[int]:
        """Return the ids of the reports that are left out because others are worse."""
        if len(ours) <= MAX_ITEMS:
            return set()
        worst = worst_tasks_first(self._book.tasks)
        places = {task.nodeid: place for place, task in enumerate(worst)}
        ranked = sorted(ours, key=lambda report: places.get(report.nodeid, 0))
        return {id(report) for report in ranked[MAX_ITEMS:]}

    def _tells_all(self, report: pytest.TestReport) -> bool:
        """Return whether a report that is shown leaves nothing of its item to be shown."""
        if _is_ours(report):
            return True
        # What a test's body failed by says nothing of what its agent has found.
        ticket = self._book.reported(report.nodeid, None)
        verdict = ticket.result.verdict if ticket is not None and ticket.result else None
        return verdict is not None and not verdict.findings

    def _trouble_of(self, report: pytest.TestReport) -> tuple[str, str] | None:
        """Return what is the same for all items that met the very same trouble."""
        ticket = self._book.reported(report.nodeid, None)
        trouble = ticket.result.trouble if ticket is not None and ticket.result else None
        return None if trouble is None else (trouble.cause.value, trouble.message)


def _is_ours(report: pytest.TestReport) -> bool:
    return isinstance(report, pytest.TestReport) and (first_line(report) or "").startswith(_OURS)


def _begin_with_reason(report: pytest.TestReport) -> None:
    """Have pytest's line about a failure begin with why, for it is cut at the terminal's edge."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        text = first_line(report) or ""
        crash.message = reduce(str.removeprefix, _OURS, text)
