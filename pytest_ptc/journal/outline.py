"""A run in outline, from the lines of its story: what a list of runs and a status need. Pure.

It takes of each event the few fields that it needs, and leaves most kinds alone: a story of
thousands of events costs milliseconds, where `journal.events` would cost a second.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.journal.lines import FORMAT, StoryError
from pytest_ptc.text.printable import usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: How each line of a story begins, before the kind of its event.
_START = b'{"event": "'
#: Kinds of events that say nothing here.
_LEFT_OUT = frozenset(
    {b"content", b"claimed", b"suite changed", b"collected", b"loop problem", b"code sent"}
)
#: How it is on a line that an item has passed a phase; within a text the quotes are escaped.
_PASSED = b'"outcome": "passed"'
#: What an item has that tests the judge: it passes by a verdict of fail.
_TESTS_JUDGE = b'"self_test": {'
#: Causes by which a task was ended that could have gone on.
_NOT_DONE = frozenset({"run stopped", "run timeout", "budget spent"})
_KINDS = ("pass", "fail", "skip", "error")


class Standing(NamedTuple):
    """How the tasks of a run stand.

    Args:
        total: How many there are.
        kinds: How many ended with each kind of verdict; `error` where without one.
        stopped: Whether the run was stopped before its end.
    """

    total: int
    kinds: Mapping[str, int]
    stopped: bool

    @property
    def judged(self) -> int:
        """Return how many have a verdict that says something of their item."""
        return sum(count for kind, count in self.kinds.items() if kind != "error")

    @property
    def done(self) -> int:
        """Return how many have ended."""
        return sum(self.kinds.values())

    def __str__(self) -> str:
        counts = ", ".join(f"{self.kinds[kind]} {kind}" for kind in _KINDS if self.kinds.get(kind))
        stopped = "stopped, " if self.stopped else ""
        if self.done == self.total and not self.stopped:
            return f"{self.total} item{'s' * (self.total != 1)}{': ' * bool(counts)}{counts}"
        return f"{stopped}{self.judged} of {self.total} judged{': ' * bool(counts)}{counts}"


class TaskOutline:
    """One task: which item it is for, what it came to, and the attempt that is at work on it."""

    __slots__ = (
        *("assigned", "group", "has_panel", "item", "kind", "nodeid", "number", "timeout"),
        "worker",
    )

    def __init__(self, nodeid: str, timeout: float, group: str | None = None) -> None:
        self.nodeid = nodeid
        #: Seconds that an attempt may take.
        self.timeout = timeout
        #: Its group, of which no two tasks are at work at once.
        self.group = group
        #: What it came to: the kind of its verdict, `error` where there is none; None while open.
        self.kind: str | None = None
        #: The number of its last attempt, when that was assigned, and to whom, while it is at work.
        self.number = 0
        #: Whether votes or verifiers decide, and not its own attempts.
        self.has_panel = False
        #: The id of the item that it is a part of; None for the item's own task.
        self.item: str | None = None
        self.assigned = 0.0
        self.worker: str | None = None


class NodeOutline:
    """One node of a cluster that has, or had, workers of the run."""

    __slots__ = ("attach", "ended", "host", "name", "tmux_socket")

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.name: str = event["node"]
        self.host: str = event["host"]
        #: How a person on that machine can watch; None where workers have no screens.
        self.attach: str | None = event.get("attach")
        self.tmux_socket: str | None = event.get("tmux_socket")
        #: How it ended for this run; None as long as it may have workers.
        self.ended: str | None = None

    @property
    def title(self) -> str:
        """Return its name with that of its machine."""
        return f"{self.name} ({self.host})"


class WorkerOutline:
    """One worker: since when it is what it is, its task, and its node if it is on one."""

    __slots__ = ("lost", "name", "node", "ready", "since", "task")

    def __init__(self, name: str, since: float, node: str | None = None) -> None:
        self.name = name
        self.since = since
        self.node = node
        self.ready = False
        self.lost: str | None = None
        self.task: str | None = None


class RunOutline:
    """One run, as far as its lines have told of it.

    Args:
        began: Its first event, as plain JSON.
    """

    def __init__(self, began: Mapping[str, Any]) -> None:
        self.began = began
        #: One for each item, and one for each further vote and each verifier.
        self.tasks: dict[str, TaskOutline] = {}
        self.parts: dict[str, TaskOutline] = {}
        self.workers: dict[str, WorkerOutline] = {}
        #: The workers that wait for a place on a cluster.
        self.without_place: set[str] = set()
        self.nodes: dict[str, NodeOutline] = {}
        #: Nodes that get no workers, and why.
        self.refused_nodes: dict[str, str] = {}
        self.retries = 0
        #: US dollars of all attempts that know their cost, how many know it, and how many do not.
        self.cost_usd, self.known_costs, self.unknown_costs = 0.0, 0, 0
        #: Why no attempt is begun for the moment, and until when.
        self.held: tuple[str, float] | None = None
        #: Why the run is being stopped, or was.
        self.stopping: str | None = None
        #: When the run ended in order, or was cleaned; None while active, or if it was killed.
        self.ended: float | None = None
        self.exit_status: int | None = None
        #: The shard that it judges, as `2/3`; None where it judges all.
        self.shard: str | None = None
        #: When the last event was written.
        self.last = float(began["at"])
        #: What items came to by their tests, where that is not what their verdict says.
        self._kinds: dict[str, str] = {}

    @classmethod
    def of(cls, texts: Iterable[bytes]) -> RunOutline:
        """Return a run's outline, from the texts of all its lines, which have been verified.

        Raises:
            StoryError: It is of another version's form.
        """
        first, *rest = texts
        outline = cls(first_event(first))
        for text in rest:
            kind = text[len(_START) : text.index(b'"', len(_START))]
            passed = kind == b"item" and _PASSED in text and _TESTS_JUDGE not in text
            if kind in _LEFT_OUT or passed:
                continue
            outline.take(_submitted(text) if kind == b"submitted" else json.loads(text))
        return outline

    @property
    def standing(self) -> Standing:
        """Return how its tasks stand."""
        kinds = Counter(
            self._kinds.get(task.nodeid, task.kind) if task.kind in ("pass", "fail") else task.kind
            for task in self.tasks.values()
            if task.kind is not None
        )
        stopped = self.stopping is not None and self.ended is not None
        return Standing(len(self.tasks), kinds, stopped and kinds.total() < len(self.tasks))

    @property
    def running(self) -> int:
        """Return on how many items a worker is at work."""
        return len(self._busy)

    @property
    def _busy(self) -> set[str]:
        """Return the items that a worker is at work on, also on a vote or a verification."""
        tasks = [*self.tasks.items(), *self.parts.items()]
        return {task.item or name for name, task in tasks if task.worker is not None}

    def item_of(self, task_id: str) -> str:
        """Return the id of the item that a task is a part of."""
        part = self.parts.get(task_id)
        return task_id if part is None or part.item is None else part.item

    @property
    def behind_group(self) -> Mapping[str, int]:
        """Return how many open tasks wait for each group of which a task is at work."""
        busy = self._busy
        at_work = {self.tasks[item].group for item in busy}
        return Counter(
            task.group
            for item, task in self.tasks.items()
            if task.group is not None
            and task.group in at_work
            and task.kind is None
            and item not in busy
        )

    @property
    def cost(self) -> str:
        """Return what it has cost, as `$0.24` or `at least $0.24`; empty where nobody says."""
        if not self.known_costs:
            return ""
        return f"{'at least ' * bool(self.unknown_costs)}{usd(self.cost_usd)}"

    def take(self, event: Mapping[str, Any]) -> None:  # noqa: C901, PLR0912 - one case a kind
        """Take the next event."""
        self.last = event["at"]
        match event["event"]:
            case "submitted":
                spec = event["spec"]
                self.tasks[event["task"]] = TaskOutline(
                    spec["nodeid"], spec["timeout"], spec.get("group")
                )
            case "kept":
                task = TaskOutline(event["nodeid"], event["spec"]["timeout"])
                task.kind = _kind(event["report"])
                self.tasks[event["task"]] = task
            case "vote" | "vote kept" | "check" | "check kept":
                self._take_part(event)
            case "decided" if event["item"] in self.tasks:
                self.tasks[event["item"]].kind = _kind(event)
            case "assigned":
                self._begin(event)
            case "ended":
                self._end(event)
            case "given up":
                task = self.tasks.get(event["task"]) or TaskOutline("", 0.0)
                task.worker = None
                # What several votes have decided stays, whatever becomes of one of them.
                if not task.has_panel or task.kind is None:
                    task.kind = _kind({"verdict": None, **event})
            case "item" if event["outcome"] in ("failed", "error"):
                self._kinds[event["nodeid"]] = "fail"
            case "item" if event.get("self_test") and event["outcome"] == "passed":
                self._kinds.setdefault(event["nodeid"], "pass")
            case "shard":
                self.shard = f"{event['number']}/{event['of']}"
            case "held":
                self.held = event["why"], event["at"] + event["seconds"]
            case "worker waits" | "worker started" | "worker ready" | "worker lost":
                self._take_worker(event)
            case "node joined" | "node left" | "node lost" | "node refused":
                self._take_node(event)
            case "stopping":
                self.stopping = event["why"]
                self.without_place.clear()
            case "run ended" | "run cleaned":
                self.ended = self.ended or event["at"]
            case "session ended":
                self.exit_status = event["exit_status"]

    def task(self, task_id: str) -> TaskOutline | None:
        """Return the task of this id, whether an item's or a part of one."""
        return self.parts.get(task_id) or self.tasks.get(task_id)

    def _take_worker(self, event: Mapping[str, Any]) -> None:
        name = event["worker"]
        known = self.workers.get(name)
        match event["event"]:
            case "worker waits":
                self.without_place.add(name)
            case "worker started":
                self.without_place.discard(name)
                self.workers[name] = WorkerOutline(name, event["at"], event.get("node"))
            case "worker ready" if known is not None:
                known.ready, known.since = True, event["at"]
            case "worker lost":
                self.without_place.discard(name)
                if known is not None:
                    known.lost = event["ended"]

    def _take_node(self, event: Mapping[str, Any]) -> None:
        known = self.nodes.get(event["node"])
        match event["event"]:
            case "node joined":
                self.nodes[event["node"]] = NodeOutline(event)
            case "node refused":
                self.refused_nodes[event["node"]] = event["why"]
            case "node lost" if known is not None:
                known.ended = f"is lost: {event['why']}"
            case "node left" if known is not None:
                known.ended = "has ended all that it had"

    def _take_part(self, event: Mapping[str, Any]) -> None:
        item = self.tasks.setdefault(event["item"], TaskOutline("", 0.0))
        item.has_panel, item.kind = True, None
        if event["task"] != event["item"]:
            part = self.parts[event["task"]] = TaskOutline(item.nodeid, item.timeout, item.group)
            part.item = event["item"]

    def _begin(self, event: Mapping[str, Any]) -> None:
        task_id, _, number = event["attempt"].rpartition(".")
        task = self.task(task_id) or self.tasks.setdefault(task_id, TaskOutline("", 0.0))
        task.kind, task.number = None, int(number)
        task.assigned, task.worker = event["at"], event["worker"]
        self.retries += task.number > 1
        worker = self.workers.get(event["worker"])
        if worker is not None:
            worker.task, worker.since = task_id, event["at"]

    def _end(self, event: Mapping[str, Any]) -> None:
        task_id = event["task"]
        task = self.task(task_id) or self.tasks.setdefault(task_id, TaskOutline("", 0.0))
        task.worker = None
        if not task.has_panel:
            task.kind = _kind(event)
        worker = self.workers.get(event["worker"])
        if worker is not None:
            worker.task, worker.since = None, event["at"]
        if (usage := event["usage"]) is not None:
            cost = usage["cost_usd"]
            self.known_costs += cost is not None
            self.unknown_costs += cost is None
            self.cost_usd += cost or 0.0


def first_event(text: bytes) -> dict[str, Any]:
    """Return the first event of a story, from the text of its line, which has been verified.

    Raises:
        StoryError: It is of another version's form.
    """
    event: dict[str, Any] = json.loads(text)
    if event.get("event") != "run" or event.get("format") != FORMAT:
        raise StoryError(f"its journal has format {event.get('format')!r}, not {FORMAT}")
    return event


def _submitted(text: bytes) -> Mapping[str, Any]:
    """Return of a submitted task what is needed here: its prompt may be long, and most are.

    Within a text of JSON every quote is escaped, so that no prompt holds what is looked for.
    """
    prompt, timeout = text.find(b', "prompt": "'), text.find(b'", "timeout": ')
    if not 0 < prompt < timeout:
        event: Mapping[str, Any] = json.loads(text)
        return event
    event = json.loads(text[:prompt] + b"}}")
    rest = text[timeout + len(b'", ') :].partition(b', "cwd": "')[0]
    event["spec"].update(json.loads(b"{" + rest + b"}"))
    return event


def _kind(report: Mapping[str, Any]) -> str | None:
    """Return what a task came to; None where the run ended before it did."""
    if (verdict := report["verdict"]) is not None:
        findings = verdict["findings"]
        excused = findings and all("excuse" in one.get("facts", {}) for one in findings)
        excused = excused and not verdict.get("stands")
        # As `Verdict.counts_as` has it.
        return "pass" if verdict["verdict"] == "fail" and excused else str(verdict["verdict"])
    return None if (report["trouble"] or {}).get("cause") in _NOT_DONE else "error"
