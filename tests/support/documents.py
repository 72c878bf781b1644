"""Reports of runs that never were, made of the events that such runs would have written."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.journal.events import (
    Event,
    RunEnded,
    SessionEnded,
    event_from_json,
    event_to_json,
)
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.reporting.document import document
from pytest_ptc.reporting.story import run_report
from tests.support.journals import began

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_ptc.reporting.run_report import RunReport

#: When they began, in seconds since the epoch.
BEGAN = 1_800_000_000.0

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Item(NamedTuple):
    """A marked test and what became of it.

    Args:
        nodeid: Its node id.
        outcome: What pytest made of it; None where it did not run.
        verdict: What its agent recorded; None where it recorded nothing.
        findings: What its agent found.
        summary: What its agent said.
        trouble: The cause of its trouble, and what was said of it.
        line: The line of the test.
        event: More fields of pytest's account of it: `message`, `phase`, `xfail`.
        spec: More fields of its task.
        report: More fields of its attempt's report.
        resumed: The earlier run whose verdict it is.
    """

    nodeid: str = "test_a.py::test_it"
    outcome: str | None = "passed"
    verdict: str | None = "pass"
    findings: tuple[dict[str, Any], ...] = ()
    summary: str = "so it is"
    trouble: tuple[str, str] | None = None
    line: int = 7
    event: Mapping[str, Any] = _NOTHING
    spec: Mapping[str, Any] = _NOTHING
    report: Mapping[str, Any] = _NOTHING
    resumed: str | None = None


def events_from(told: Iterable[Mapping[str, Any]]) -> list[Event]:
    """Return events of JSON objects that need not have all fields."""
    return [event_from_json(_whole(event)) for event in told]


def _whole(event: Mapping[str, Any]) -> dict[str, Any]:
    whole = {**_DEFAULTS.get(event["event"], {}), **event}
    if whole["event"] == "run":
        known = {name: value for name, value in event.items() if name != "event"}
        return event_to_json(began(**known))
    if "spec" in whole:
        asked = TaskSpec(nodeid=whole["spec"]["nodeid"], prompt="", timeout=600.0, cwd="/")
        whole["spec"] = {**asked.to_json(), **whole["spec"]}
    if whole["event"] == "kept":
        whole["report"] = {"task": "k", **whole["report"]}
        whole["task"] = f"kept {whole['nodeid']}"
    return whole


#: Fields of events that most tests have no interest in.
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "submitted": {"fingerprint": {}},
    "kept": {"fingerprint": {}, "content": {}},
    "assigned": {"content": None},
    "ended": {"sha256": None, "worker": "w1"},
    "held": {"attempt": "1.1"},
    "item": dict.fromkeys(("task", "phase", "message", "path", "line", "xfail")),
    "worker started": {"pid": 1, "created": None},
    "run ended": {"seconds": 1.0},
    "session ended": {"nothing_to_judge": 0},
}


def finding(severity: str, message: str = "m", **more: Any) -> dict[str, Any]:
    """Return a finding as an agent records it."""
    return {"severity": severity, "message": message, **more}


def run_of(*items: Item, over: bool = True, status: int | None = None, **run: Any) -> RunReport:
    """Return the report of a run of these items.

    Args:
        items: The items, in the order in which they were submitted.
        over: Whether the run came to its end.
        status: Pytest's exit status; None for the one that pytest has for these outcomes.
        run: Other facts about the run.
    """
    return run_report(events_of(*items, over=over, status=status, **run))


def document_of(*items: Item, **more: Any) -> dict[str, Any]:
    """Return the JSON document of a run of these items; the arguments are those of `run_of`."""
    return document(run_of(*items, **more))


def events_of(
    *items: Item, over: bool = True, status: int | None = None, **run: Any
) -> list[Event]:
    """Return the journal of a run of these items."""
    told = [event for number, item in enumerate(items, 1) for event in _events(str(number), item)]
    events: list[Event] = [began(at=BEGAN, **run)]
    events += [event_from_json({**event, "at": BEGAN + at}) for at, event in enumerate(told, 1)]
    if over:
        end = BEGAN + len(events)
        if status is None:
            status = int(any(item.outcome in ("failed", "error") for item in items))
        events.append(RunEnded(at=end, seconds=end - BEGAN))
        events.append(SessionEnded(at=end, exit_status=status, nothing_to_judge=0))
    return events


def _events(task: str, item: Item) -> list[dict[str, Any]]:
    asked = TaskSpec(nodeid=item.nodeid, prompt="Do it.", timeout=600.0, cwd="/repo")
    spec = {**asked.to_json(), **item.spec}
    report = _report(task, item)
    events: list[dict[str, Any]]
    if item.resumed is not None and report["verdict"] is not None:
        kept: dict[str, Any] = {"event": "kept", "task": f"kept {task}", "nodeid": item.nodeid}
        kept |= {"run": item.resumed, "fingerprint": {}, "content": {}}
        events = [{**kept, "spec": spec, "report": report}]
    else:
        events = [{"event": "submitted", "task": task, "spec": spec, "fingerprint": {}}]
        if report["verdict"] or report["trouble"]:
            assigned = {"event": "assigned", "attempt": f"{task}.1", "worker": "w1"}
            events += [
                {**assigned, "content": None},
                {"event": "ended", "sha256": None, **report},
            ]
    if item.outcome is not None:
        path = item.nodeid.partition("::")[0]
        told = {"nodeid": item.nodeid, "outcome": item.outcome, "phase": "call", "path": path}
        unsaid = {"task": None, "message": None, "line": item.line, "xfail": None}
        events.append({"event": "item", **told, **unsaid, **item.event})
    return events


def _report(task: str, item: Item) -> dict[str, Any]:
    verdict = trouble = None
    if item.trouble is not None:
        cause, message = item.trouble
        trouble = {"cause": cause, "message": message, "evidence": ""}
    elif item.verdict is not None:
        said = {"verdict": item.verdict, "summary": item.summary, "data": None}
        verdict = {**said, "findings": list(item.findings)}
    return {
        "task": task,
        "attempt": 1,
        "worker": "w1",
        "seconds": 2.0,
        "verdict": verdict,
        "trouble": trouble,
        "usage": None,
        "about": {},
        **item.report,
    }
