"""A run as one JSON document, made from its journal: what every report is made of.

Its form is in `run-report.schema.json`, beside this module. Pure: events in, a document out.
"""

from __future__ import annotations

import json
import math
import posixpath
from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.greenness import came_to_its_end, why_no_success
from pytest_ptc.model.item_states import (
    ItemState,
    PhaseReport,
    final_report,
    is_submitted,
    item_state,
)
from pytest_ptc.model.result import Attempt
from pytest_ptc.model.verdict import Severity, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: The version of the form: the first number changes when a reader of the old one would err.
VERSION = "1.1"

_USAGE = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
)
_ABOUT_RUN = (
    "host",
    "agent",
    "workers",
    "task_list_id",
    "rootdir",
    "repository",
    "commit",
    "anchor",
    "arguments",
    "python",
    "resumes",
    "fail_on",
)


def document_text(made: Mapping[str, Any]) -> str:
    """Return a document as JSON, in lines."""
    return f"{json_text(made, indent=1)}\n"


def json_text(value: object, **how: Any) -> str:
    """Return a value as JSON; JSON has no number that is not finite, so such a one is a text."""
    try:
        return json.dumps(value, allow_nan=False, **how)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False, **how)


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(held) for key, held in value.items()}
    return [_finite(held) for held in value] if isinstance(value, list) else value


def document(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the document of a run.

    Args:
        events: The run's story, as `runs.read_events` reads it; its first event is `run`.
    """
    began = next(event for event in events if event["event"] == "run")
    tasks = _tasks(events, str(began.get("rootdir") or ""))
    return {
        "format": "pytest-ptc run report",
        "version": VERSION,
        "run": _run(events, began, tasks),
        "totals": _totals(tasks),
        "tasks": tasks,
        "workers": _workers(events),
        "holds": [
            {"at": event["at"], "seconds": event["seconds"], "why": event["why"]}
            for event in events
            if event["event"] == "held"
        ],
    }


def _run(
    events: Sequence[Mapping[str, Any]],
    began: Mapping[str, Any],
    tasks: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    ended = next((event for event in events if event["event"] == "run ended"), None)
    stopped = next((event["why"] for event in events if event["event"] == "stopping"), None)
    stopped = None if stopped == "the run ended" else stopped
    in_order = ended is not None
    # Of a report that is made within the session the last one is the one that counts.
    sessions = [event for event in events if event["event"] == "session ended"]
    exit_status = sessions[-1]["exit_status"] if sessions else None
    marked = [task for task in tasks if not task["superseded"] and not is_submitted(task["nodeid"])]
    why_not = why_no_success(
        exit_status=exit_status,
        ended=in_order,
        stopped=stopped,
        states=[ItemState(task["state"]) for task in marked],
        judged=sum(_kind(task) != VerdictKind.ERROR.value for task in tasks)
        + sum(session.get("nothing_to_judge", 0) for session in sessions[-1:]),
    )
    return {
        "id": began["run_id"],
        "began": began["at"],
        # The last thing known of a run that was killed is its end.
        "seconds": round((ended or events[-1])["at"] - began["at"], 3),
        "complete": in_order and came_to_its_end(exit_status),
        "exit_status": exit_status,
        "successful": why_not is None,
        "why_not_successful": why_not,
        "stopped": stopped,
        **{name: began.get(name) for name in _ABOUT_RUN},
        "changed_suite": sorted(
            {
                path
                for event in events
                if event["event"] == "suite changed"
                for path in event["paths"]
            }
        ),
        "pytest_ptc": began.get("pytest_ptc"),
    }


def _tasks(events: Iterable[Mapping[str, Any]], rootdir: str) -> list[dict[str, Any]]:
    """Return the tasks in the order in which they were submitted."""
    story = _Story(rootdir)
    for event in events:
        story.take(event)
    for key, reports in story.reports.items():
        story.tasks[key] |= _final(reports)
    last = {task["nodeid"]: key for key, task in story.tasks.items()}
    for key, task in story.tasks.items():
        # A test that was run again is told by its last task, and by one that pytest counted.
        task["superseded"] = last[task["nodeid"]] != key and task["outcome"] is None
        task["state"] = _state(task).value
    return list(story.tasks.values())


def _final(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what pytest's reports on an item come to, in the fields of its task."""
    reports = [
        PhaseReport(event.get("phase") or "", event["outcome"], event.get("message"))
        for event in events
    ]
    final = final_report(reports)
    assert final is not None, "an event has an outcome"
    event = next(event for event, one in zip(events, reports, strict=True) if one is final)
    told = ("outcome", "phase", "message", "path", "line", "xfail")
    also = [
        {name: other.get(name) for name in ("outcome", "phase", "message")}
        for other in events
        if other is not event and other["outcome"] in ("failed", "error")
    ]
    return {**{name: event.get(name) for name in told}, "also": also}


def _state(task: Mapping[str, Any]) -> ItemState:
    return item_state(
        task["outcome"],
        verdict=task["verdict"]["verdict"] if task["verdict"] else None,
        cause=task["trouble"]["cause"] if task["trouble"] else None,
        gate=task["gate"],
        blocked=any(blocks(task, finding) for finding in findings_of(task)),
    )


def blocks(task: Mapping[str, Any], finding: Mapping[str, Any]) -> bool:
    """Tell whether a finding fails its item though the verdict is a pass or a skip."""
    beside = _kind(task) in (VerdictKind.PASS.value, VerdictKind.SKIP.value)
    if not beside or not task["gate"] or task["fail_on"] == "verdict":
        return False
    return Severity(finding["severity"]).rank >= Severity(task["fail_on"]).rank


class _Story:
    """Tasks, their attempts, and what became of their tests, as far as the events tell."""

    def __init__(self, rootdir: str) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        #: What pytest reported of items, by the keys of their tasks.
        self.reports: dict[str, list[Mapping[str, Any]]] = {}
        self._attempts: dict[str, dict[str, Any]] = {}
        self._rootdir = rootdir

    def take(self, event: Mapping[str, Any]) -> None:
        """Take the next event; one of another kind says nothing here."""
        match event["event"]:
            case "submitted":
                self.tasks[event["task"]] = _task(event["task"], event["at"], event["spec"])
            case "kept":
                key = event.get("task") or f"kept {event['nodeid']}"
                self.tasks[key] = _kept(event, self._rootdir)
            case "assigned":
                self._assigned(event)
            case "claimed" if event["attempt"] in self._attempts:
                self._attempts[event["attempt"]]["claimed"] = event["at"]
            case "ended":
                self._ended(event)
            case "given up" if event["task"] in self.tasks:
                self.tasks[event["task"]] |= {"verdict": None, "trouble": event["trouble"]}
            case "item":
                self._reported(event)

    def _reported(self, event: Mapping[str, Any]) -> None:
        nodeid = event["nodeid"]
        key = event.get("task")
        if key is None:
            # Nobody was asked, or the journal is one from before version 1.1.
            known = [key for key, task in self.tasks.items() if task["nodeid"] == nodeid]
            key = known[-1] if known else f"unasked {nodeid} in {event.get('path')}"
        if key not in self.tasks:
            # A session fixture of its prompt failed: nobody was asked, and it is an error.
            unasked = {"nodeid": nodeid, "prompt": "", "params": {}, "gate": True}
            self.tasks[key] = _task(None, event["at"], {**unasked, "cwd": self._rootdir})
        self.reports.setdefault(key, []).append(event)

    def _assigned(self, event: Mapping[str, Any]) -> None:
        assigned = Attempt.parse(event["attempt"], worker=event["worker"])
        attempt = _attempt(assigned.number, assigned.worker, event["at"])
        self._attempts[event["attempt"]] = attempt
        self.tasks[assigned.task_id]["attempts"].append(attempt)

    def _ended(self, event: Mapping[str, Any]) -> None:
        task = self.tasks[event["task"]]
        attempt = self._attempts[f"{event['task']}.{event['attempt']}"]
        attempt |= _how(event, task, self._rootdir)
        attempt |= {"ended": event["at"], "sha256": event.get("sha256")}
        task |= {"verdict": attempt["verdict"], "trouble": attempt["trouble"]}


def _task(task_id: str | None, at: float | None, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": task_id,
        "nodeid": spec["nodeid"],
        "path": None,
        "line": None,
        "state": ItemState.UNDONE.value,
        "superseded": False,
        "outcome": None,
        "also": [],
        "phase": None,
        "message": None,
        "xfail": None,
        "prompt": spec["prompt"],
        "params": spec["params"],
        "cwd": spec["cwd"],
        "isolation": spec.get("isolation"),
        "ref": spec.get("ref"),
        "gate": spec["gate"],
        "fail_on": spec.get("fail_on", "verdict"),
        "submitted": at,
        "resumed": None,
        "verdict": None,
        "trouble": None,
        "attempts": [],
    }


def _kept(event: Mapping[str, Any], rootdir: str) -> dict[str, Any]:
    task = _task(None, event["at"], event["spec"])
    attempt = _attempt(event["report"]["attempt"], event["report"]["worker"], None)
    attempt |= _how(event["report"], task, rootdir)
    return {**task, "resumed": event["run"], "verdict": attempt["verdict"], "attempts": [attempt]}


def _attempt(number: int, worker: str, at: float | None) -> dict[str, Any]:
    return {
        "number": number,
        "worker": worker,
        "assigned": at,
        "claimed": None,
        "ended": None,
        "seconds": None,
        "verdict": None,
        "trouble": None,
        "usage": None,
        "about": {},
        "sha256": None,
    }


def _how(report: Mapping[str, Any], task: Mapping[str, Any], rootdir: str) -> dict[str, Any]:
    told = {name: report[name] for name in ("seconds", "trouble", "usage", "about")}
    verdict = report["verdict"]
    if verdict is not None:
        findings = [_placed(finding, task["cwd"], rootdir) for finding in verdict["findings"]]
        verdict = {**verdict, "findings": findings}
    return {**told, "verdict": verdict}


def _placed(finding: Mapping[str, Any], cwd: str, rootdir: str) -> dict[str, Any]:
    """Return a finding with all its fields, its path from the root directory if it is below it.

    An agent names paths from its own directory, or in full.
    """
    path = finding.get("path")
    if path:
        path = posixpath.normpath(posixpath.join(cwd, path))
        if rootdir and f"{path}/".startswith(rootdir.rstrip("/") + "/"):
            path = posixpath.relpath(path, rootdir)
    return {
        "severity": finding["severity"],
        "message": finding["message"],
        "path": path or None,
        "line": finding.get("line"),
        "rule": finding.get("rule"),
    }


def _totals(tasks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    verdicts = Counter(_kind(task) for task in tasks)
    fresh = [a for task in tasks if task["resumed"] is None for a in task["attempts"]]
    findings = Counter(finding["severity"] for task in tasks for finding in findings_of(task))
    return {
        "tasks": len(tasks),
        "outcomes": dict(Counter(task["outcome"] for task in tasks if task["outcome"])),
        "states": dict(Counter(task["state"] for task in tasks if not task["superseded"])),
        "verdicts": {kind.value: verdicts[kind.value] for kind in VerdictKind},
        "findings": {severity.value: findings[severity.value] for severity in Severity},
        "attempts": len(fresh),
        "resumed": sum(task["resumed"] is not None for task in tasks),
        "without_a_tool_call": sum(
            _kind(task) == "pass" and task["attempts"][-1]["about"].get("tool_calls") == 0
            for task in tasks
        ),
        "usage": _usage([attempt["usage"] for attempt in fresh if attempt["usage"]]),
    }


def findings_of(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a task's verdict holds."""
    return list(task["verdict"]["findings"]) if task["verdict"] else []


def _kind(task: Mapping[str, Any]) -> str:
    return str(task["verdict"]["verdict"]) if task["verdict"] else "error"


def _usage(bills: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what all attempts cost; None where no agent accounts for that."""
    if not bills:
        return None
    costs = [bill["cost_usd"] for bill in bills]
    return {
        **{name: sum(bill[name] for bill in bills) for name in _USAGE},
        "cost_usd": sum(cost for cost in costs if cost is not None),
        "attempts_of_unknown_cost": sum(cost is None for cost in costs),
    }


def _workers(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    workers: dict[str, dict[str, Any]] = {}
    for event in events:
        match event["event"]:
            case "worker started":
                told = {"started": event["at"], "ready": None, "lost": None, "why": None}
                workers[event["worker"]] = {"name": event["worker"], **told}
            case "worker ready" if event["worker"] in workers:
                workers[event["worker"]]["ready"] = event["at"]
            case "worker lost" if event["worker"] in workers:
                workers[event["worker"]] |= {"lost": event["at"], "why": event["ended"]}
    return list(workers.values())
