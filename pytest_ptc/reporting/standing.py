"""How each task of a run's document stands, and which of them a reader should see first. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_ptc.model import Cause, Severity
from pytest_ptc.reporting.document import findings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The states of a task, worst first, each with a title for several of them. No test's outcome is
#: what is left of a task that a test handed out itself, of one whose test was run again, and of one
#: that was answered when its run was killed.
STATES: Mapping[str, str] = {
    "failed": "Failed",
    "error": "Error",
    "undone": "Not done",
    "unresolved": "Failed without an outcome",
    "xpassed": "Passed unexpectedly",
    "skipped": "Skipped",
    "xfailed": "Failed as expected",
    "unreported": "Passed without an outcome",
    "passed": "Passed",
}
WORST_FIRST = tuple(severity.value for severity in reversed(Severity))

_SUBMITTED = re.compile(r"::submit\[\d+\]$")


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
    last = {task["nodeid"]: place for place, task in enumerate(document["tasks"])}
    items = [
        Item(
            anchor=f"t{place + 1}",
            task=task,
            state=_state(task),
            findings=_worst_first(task),
            flags=tuple(_flags(task, superseded=last[task["nodeid"]] != place)),
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


def _state(task: Mapping[str, Any]) -> str:
    if task["trouble"] and task["trouble"]["cause"] == Cause.STOPPED.value:
        return "undone"
    if task["outcome"] is not None:
        return str(task["outcome"])
    if kind_of(task) in ("pass", "skip"):
        return "unreported"
    return "unresolved" if task["verdict"] or task["trouble"] else "undone"


def _flags(task: Mapping[str, Any], *, superseded: bool) -> list[str]:
    attempts = task["attempts"]
    told = {
        "blind": bool(attempts) and kind_of(task) == "pass" and is_blind(attempts[-1]),
        "resumed": task["resumed"] is not None,
        # A verdict of an earlier run brings its last attempt alone.
        "retried": bool(attempts) and attempts[-1]["number"] > 1,
        "submitted": _SUBMITTED.search(task["nodeid"]) is not None,
        "superseded": superseded,
    }
    return [name for name, holds in told.items() if holds]


def _worst_first(task: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(sorted(findings_of(task), key=lambda one: WORST_FIRST.index(one["severity"])))


def _badness(item: Item) -> tuple[int, ...]:
    # Of passes that are alike otherwise, one that may be a guess is looked at first.
    sure = int("blind" not in item.flags)
    counts = (-item.severities.get(severity, 0) for severity in WORST_FIRST)
    return (list(STATES).index(item.state), *counts, sure)
