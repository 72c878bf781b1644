"""Reports of runs that never were, of any size, with something of everything."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Any

from pytest_ptc.reporting.story import run_report
from tests.support.documents import events_from

if TYPE_CHECKING:
    from pytest_ptc.reporting.run_report import RunReport

SEVERITIES = ("info", "low", "medium", "high", "critical")
BEGAN = 1_795_000_000.0
RUN_ID = "20261122-180640-0f1e2"

_RULES = ("sql-injection", "dead-code", "race", "encoding", None)
_TEXT = (
    "the handler reads a body of any length into memory before it looks at its size; a request "
    "without an end keeps a worker busy until the server is out of it and all others wait"
)


def run_of(
    tasks: int = 60,
    findings: int = 180,
    workers: int = 4,
    *,
    nodes: int = 0,
    complete: bool = True,
    seed: int = 1,
) -> RunReport:
    """Return the report of a run of this size, made from a journal's events."""
    events = events_of(tasks, findings, workers, nodes=nodes, complete=complete, seed=seed)
    return run_report(events_from(events))


def events_of(
    tasks: int = 60,
    findings: int = 180,
    workers: int = 4,
    *,
    nodes: int = 0,
    complete: bool = True,
    seed: int = 1,
) -> list[dict[str, Any]]:
    """Return a journal's events of a run of this size, as JSON objects.

    On nodes, the workers are there in turn; the last node is lost with the first of them.
    """
    return _Story(tasks, findings, workers, seed, nodes).events(complete=complete)


class _Story:
    """A run that is played on a clock of its own."""

    def __init__(self, tasks: int, findings: int, workers: int, seed: int, nodes: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a story, not a secret
        self._tasks, self._findings = tasks, findings
        self._workers = workers
        self._nodes = [f"n{chr(97 + number)}-{number:04x}" for number in range(nodes)]
        self._free: dict[str, float] = {}
        self._events: list[dict[str, Any]] = []

    def events(self, *, complete: bool) -> list[dict[str, Any]]:
        """Return the story; one that was cut short ends in its middle."""
        self._tell("run", 0, **_about(self._workers))
        for place, node in enumerate(self._nodes):
            about = {"python": "3.11.7", "version": "0.1.0"}
            at = 0.3 + place * 2
            self._tell("node joined", at, node=node, host=node.partition("-")[0], **about)
        for number in range(self._workers):
            self._start(f"w{number + 1}", 1.0 + number * 0.1)
        for number in range(self._tasks):
            self._tell("submitted", 0.2, task=str(number), spec=_spec(number))
        self._tell("held", 9.0, seconds=6.0, why="rate limit", attempt="1.1")
        self._tell("held", 11.0, seconds=5.0, why="overloaded", attempt="2.1")
        for number in range(self._tasks):
            self._play(number)
        self._events.sort(key=lambda event: event["at"])
        if complete:
            over = {"event": "run ended", "at": self._events[-1]["at"] + 0.3}
            return [*self._events, over, {**over, "event": "session ended", "exit_status": 1}]
        return self._events[: len(self._events) * 2 // 3]

    def _tell(self, name: str, at: float, **fields: Any) -> None:
        self._events.append({"event": name, "at": round(BEGAN + at, 6), **fields})

    def _play(self, number: int) -> None:
        # Not left to chance: a run of any size has something of every kind.
        task, chance, at = str(number), number * 37 % 100 / 100, 0.0
        for attempt in itertools.count(1):
            worker = min(self._free, key=lambda name: self._free[name])
            at = max(at, self._free[worker])
            if 9.0 <= at < 16.0:
                at = 16.0
            took = self._random.lognormvariate(0.6, 0.8)
            name = f"{task}.{attempt}"
            self._tell("assigned", at, attempt=name, worker=worker)
            self._tell("claimed", at + 0.01, attempt=name, worker=worker)
            self._free[worker] = at + took + 0.02
            trouble = chance < 0.04 or (chance < 0.1 and attempt == 1)
            told = self._trouble(attempt) if trouble else self._verdict(number, chance)
            self._tell(
                "ended",
                at + took,
                task=task,
                attempt=attempt,
                worker=worker,
                seconds=round(took, 3),
                sha256=f"{self._random.getrandbits(256):064x}",
                **told,
            )
            if trouble and attempt == 1 and chance < 0.006:
                self._lose(worker, at + took)
            at += took + 0.01
            if not trouble or attempt == 2:
                break
        self._item(number, told, at)

    def _lose(self, worker: str, at: float) -> None:
        del self._free[worker]
        ended = "killed by SIGKILL"
        if self._nodes and (node := self._node_of(worker)) == self._nodes[-1]:
            ended = f"node {node} is lost: not heard for 20 s"
            self._tell("node lost", at, node=node, why="not heard for 20 s")
        self._tell("worker lost", at, worker=worker, why="gone", ended=ended)
        self._workers += 1
        self._start(f"w{self._workers}", at + 0.8)

    def _start(self, worker: str, at: float) -> None:
        self._free[worker] = at
        self._tell("worker started", at - 0.6, worker=worker, node=self._node_of(worker))
        self._tell("worker ready", at, worker=worker)

    def _node_of(self, worker: str) -> str | None:
        return self._nodes[int(worker[1:]) % len(self._nodes)] if self._nodes else None

    def _trouble(self, attempt: int) -> dict[str, Any]:
        evidence = "\n".join(f"line {line} of what was printed" for line in range(30))
        message = f"the agent ended without recording a verdict, at its attempt {attempt}"
        trouble = {"cause": "no verdict", "message": message, "evidence": evidence}
        return {"verdict": None, "trouble": trouble, "usage": None, "about": {}}

    def _verdict(self, number: int, chance: float) -> dict[str, Any]:
        kind = "fail" if chance < 0.2 else "skip" if chance < 0.24 else "pass"
        share = (
            self._findings * (number + 1) // self._tasks - self._findings * number // self._tasks
        )
        verdict = {
            "verdict": kind,
            "summary": f"Module {number} was read. {' '.join(self._words(12)).capitalize()}.",
            "findings": [self._finding(number) for _ in range(share)],
            "data": {"files": number % 5, "seen": self._words(3)} if number % 3 == 0 else None,
        }
        read, written = self._random.randrange(40_000), self._random.randrange(3_000)
        usage = {
            "input_tokens": read // 10,
            "output_tokens": written,
            "cache_read_tokens": read,
            "cache_write_tokens": read // 8,
            "cost_usd": None if number % 50 == 7 else round(read * 1e-6 + written * 1e-5, 6),
        }
        about = {
            "client": "Claude Code 2.1.200",
            "model": "claude-opus-4-5",
            "session": f"{self._random.getrandbits(128):032x}",
            "tool_calls": 0 if number % 17 == 3 else self._random.randrange(1, 30),
            "turns": 4,
            "transcript": "transcript.jsonl",
            "settings": {"tools": ["Read", "Grep"], "permission_mode": "dontAsk"},
            "denied": ["Bash"] if number % 9 == 4 else [],
        }
        return {"verdict": verdict, "trouble": None, "usage": usage, "about": about}

    def _finding(self, number: int) -> dict[str, Any]:
        weights = (20, 40, 25, 12, 3)
        found: dict[str, Any] = {
            "severity": self._random.choices(SEVERITIES, weights)[0],
            "message": f"{' '.join(self._words(24)).capitalize()}.",
        }
        if number % 11:
            found["path"] = f"src/package/module_{self._random.randrange(300)}.py"
            found["line"] = self._random.randrange(1, 900)
        rule = self._random.choice(_RULES)
        return found if rule is None else {**found, "rule": rule}

    def _words(self, number: int) -> list[str]:
        return self._random.choices(_TEXT.split(), k=number)

    def _item(self, number: int, told: dict[str, Any], at: float) -> None:
        known = number % 6 == 0
        phase, message = "call", None
        if told["trouble"]:
            outcome, phase = "error", "setup"
            message = f"ptc error: no verdict - {told['trouble']['message']}"
        else:
            kind = told["verdict"]["verdict"]
            outcome = {"pass": "passed", "skip": "skipped", "fail": "failed"}[kind]
            if kind == "fail":
                outcome = "xfailed" if known else "failed"
                message = f"ptc verdict: fail - {told['verdict']['summary']}"
        self._tell(
            "item",
            at + 0.02,
            nodeid=_nodeid(number),
            outcome=outcome,
            phase=phase,
            message=message,
            path="tests/review/test_modules.py",
            line=12,
        )


def _nodeid(number: int) -> str:
    return f"tests/review/test_modules.py::test_module[src/package/module_{number}.py]"


def _spec(number: int) -> dict[str, Any]:
    return {
        "nodeid": _nodeid(number),
        "prompt": f"Review src/package/module_{number}.py: correctness, security, speed. " * 12,
        "params": {"path": f"src/package/module_{number}.py"},
        "cwd": "/project",
        "gate": number % 40 != 5,
    }


def _about(workers: int) -> dict[str, Any]:
    return {
        "run_id": RUN_ID,
        "host": "tmux",
        "agent": "claude",
        "workers": workers,
        "task_list_id": "ptc-20261122-180640-0f1e2",
        "rootdir": "/project",
        "arguments": ["tests/review", f"--ptc-workers={workers}"],
        "python": "3.11.7",
        "resumes": None,
        "fail_on": "verdict",
        "pytest_ptc": "0.1.0",
    }
