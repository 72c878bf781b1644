"""The tasks of a run's document as the page shows them, the worst first. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.item_states import ItemState, is_submitted
from pytest_ptc.model.verdict import Severity
from pytest_ptc.reporting.document import findings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_TITLES = {
    ItemState.FAILED: "Failed",
    ItemState.ERROR: "Error",
    ItemState.UNDONE: "Not done",
    ItemState.UNRESOLVED: "Failed without an outcome",
    ItemState.XPASSED: "Passed unexpectedly",
    ItemState.SKIPPED: "Skipped",
    ItemState.XFAILED: "Failed as expected",
    ItemState.UNREPORTED: "Passed without an outcome",
    ItemState.PASSED: "Passed",
}
#: The states of a task, worst first, each with a title for several of them. No test's outcome is
#: what is left of a task that a test handed out itself, of one whose test was run again, and of one
#: that was answered when its run was killed.
STATES: Mapping[str, str] = {state.value: _TITLES[state] for state in ItemState}
WORST_FIRST = tuple(severity.value for severity in reversed(Severity))


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One task, as a reader looks for it.

    Args:
        anchor: Its name in the page.
        task: The task of the document.
        state: One of `STATES`.
        findings: What its verdict holds, worst first.
        flags: What is remarkable: `blind`, `resumed`, `retried`, `submitted`, `superseded`.
    """

    anchor: str
    task: Mapping[str, Any]
    state: str
    findings: tuple[Mapping[str, Any], ...]
    flags: tuple[str, ...]

    @property
    def severities(self) -> dict[str, int]:
        """Return how many findings there are of each severity, worst first."""
        told = [finding["severity"] for finding in self.findings]
        return {severity: told.count(severity) for severity in WORST_FIRST if severity in told}

    @property
    def seconds(self) -> float:
        """Return the time that all its attempts took together."""
        return sum(attempt["seconds"] or 0.0 for attempt in self.task["attempts"])

    @property
    def cost_usd(self) -> float | None:
        """Return what all its attempts cost, as far as that is known."""
        costs = [
            attempt["usage"]["cost_usd"]
            for attempt in self.task["attempts"]
            if attempt["usage"] and attempt["usage"]["cost_usd"] is not None
        ]
        return sum(costs) if costs else None


def items_of(document: Mapping[str, Any]) -> list[Item]:
    """Return the tasks of a document, worst first, else in its order."""
    items = [
        Item(
            anchor=f"t{place + 1}",
            task=task,
            state=task["state"],
            findings=_worst_first(task),
            flags=tuple(_flags(task)),
        )
        for place, task in enumerate(document["tasks"])
    ]
    return sorted(items, key=_badness)


def kind_of(told: Mapping[str, Any]) -> str | None:
    """Return what the verdict of a task or an attempt is; None where there is none."""
    return told["verdict"]["verdict"] if told["verdict"] else None


def is_blind(attempt: Mapping[str, Any]) -> bool:
    """Tell whether an attempt passed an item without using a tool: it may have guessed."""
    return kind_of(attempt) == "pass" and attempt["about"].get("tool_calls") == 0


def _flags(task: Mapping[str, Any]) -> list[str]:
    attempts = task["attempts"]
    told = {
        "blind": bool(attempts) and kind_of(task) == "pass" and is_blind(attempts[-1]),
        "resumed": task["resumed"] is not None,
        # A verdict of an earlier run brings its last attempt alone.
        "retried": bool(attempts) and attempts[-1]["number"] > 1,
        "submitted": is_submitted(task["nodeid"]),
        "superseded": task["superseded"],
    }
    return [name for name, holds in told.items() if holds]


def _worst_first(task: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(sorted(findings_of(task), key=lambda one: WORST_FIRST.index(one["severity"])))


def _badness(item: Item) -> tuple[int, ...]:
    # Of passes that are alike otherwise, one that may be a guess is looked at first.
    sure = int("blind" not in item.flags)
    counts = (-item.severities.get(severity, 0) for severity in WORST_FIRST)
    return (list(STATES).index(item.state), *counts, sure)
