"""A run as one JSON document, made from its journal: what every report is made of.

Its form is in `run-report.schema.json`, beside this module. Pure: events in, a document out.
"""

from __future__ import annotations

import json
import posixpath
from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_ptc.model import Severity, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: The version of the form: the first number changes when a reader of the old one would err.
VERSION = "1.0"

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
    "arguments",
    "python",
    "resumes",
    "fail_on",
)


def document_text(made: Mapping[str, Any]) -> str:
    """Return a document as JSON, in lines."""
    return f"{json.dumps(made, indent=1)}\n"


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
        "run": _run(events, began),
        "totals": _totals(tasks),
        "tasks": tasks,
        "workers": _workers(events),
        "holds": [
            {"at": event["at"], "seconds": event["seconds"], "why": event["why"]}
            for event in events
            if event["event"] == "held"
        ],
    }


def _run(events: Sequence[Mapping[str, Any]], began: Mapping[str, Any]) -> dict[str, Any]:
    ended = next((event for event in events if event["event"] == "run ended"), None)
    stopped = next((event["why"] for event in events if event["event"] == "stopping"), None)
    return {
        "id": began["run_id"],
        "began": began["at"],
        # The last thing known of a run that was killed is its end.
        "seconds": round((ended or events[-1])["at"] - began["at"], 3),
        "complete": ended is not None and "cleaned" not in ended,
        "stopped": None if stopped == "the run ended" else stopped,
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
    # A test that was run again is told by its last task.
    last = {task["nodeid"]: task for task in story.tasks.values()}
    told = ("outcome", "phase", "message", "path", "line", "xfail")
    for nodeid, event in story.items.items():
        if nodeid not in last:
            # A session fixture of its prompt failed: nobody was asked, and it is an error.
            unasked = {"nodeid": nodeid, "prompt": "", "params": {}, "cwd": rootdir, "gate": True}
            last[nodeid] = story.tasks[f"unasked {nodeid}"] = _task(None, event["at"], unasked)
        last[nodeid] |= {name: event.get(name) for name in told}
    return list(story.tasks.values())


class _Story:
    """Tasks, their attempts, and what became of their tests, as far as the events tell."""

    def __init__(self, rootdir: str) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self.items: dict[str, Mapping[str, Any]] = {}
        self._attempts: dict[str, dict[str, Any]] = {}
        self._rootdir = rootdir

    def take(self, event: Mapping[str, Any]) -> None:
        """Take the next event; one of another kind says nothing here."""
        match event["event"]:
            case "submitted":
                self.tasks[event["task"]] = _task(event["task"], event["at"], event["spec"])
            case "kept":
                self.tasks[f"kept {event['nodeid']}"] = _kept(event, self._rootdir)
            case "assigned":
                self._assigned(event)
            case "claimed" if event["attempt"] in self._attempts:
                self._attempts[event["attempt"]]["claimed"] = event["at"]
            case "ended":
                self._ended(event)
            case "settled" if event["task"] in self.tasks:
                self.tasks[event["task"]] |= {"verdict": None, "trouble": event["trouble"]}
            case "item":
                self.items[event["nodeid"]] = event

    def _assigned(self, event: Mapping[str, Any]) -> None:
        task_id, _, number = event["attempt"].rpartition(".")
        attempt = _attempt(int(number), event["worker"], event["at"])
        self._attempts[event["attempt"]] = attempt
        self.tasks[task_id]["attempts"].append(attempt)

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
        "outcome": None,
        "phase": None,
        "message": None,
        "xfail": None,
        "prompt": spec["prompt"],
        "params": spec["params"],
        "cwd": spec["cwd"],
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
