"""What a run has spent, and what is put aside for attempts that are running. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_ptc.model.result import AttemptReport


class Money:
    """US dollars of one run."""

    def __init__(self) -> None:
        #: What ended attempts have cost, and the most that one of them did.
        self.spent = 0.0
        self.dearest = 0.0
        #: What is put aside for running attempts, by their names.
        self.reserved: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Money spent {self.spent:g}, reserved {sum(self.reserved.values()):g}>"

    def to_reserve(self, limit: float | None) -> float:
        """Return what to put aside for a task: its own limit, else the dearest attempt so far."""
        return self.dearest if limit is None else limit

    def reserve(self, attempt: str, limit: float | None) -> None:
        """Put aside what an attempt may cost, whose task has this limit."""
        self.reserved[attempt] = self.to_reserve(limit)

    def pay(self, report: AttemptReport, *, by_worker: bool) -> None:
        """Take what an attempt has cost that has ended.

        Args:
            report: What became of it.
            by_worker: Whether its worker filed the report, who knows what its agent has spent.
        """
        reserved = self.reserved.pop(report.attempt.name)
        if report.usage is None and by_worker:
            return
        # An unknown cost counts as all that was reserved.
        reported = report.usage.cost_usd if report.usage is not None else None
        cost = reserved if reported is None else reported
        self.spent += cost
        self.dearest = max(self.dearest, cost)
