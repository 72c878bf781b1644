"""A run's journal as it grows: who works, on what, and how every attempt ended."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

#: What the journal calls an attempt that did not come to trouble.
VERDICTS = ("pass", "fail", "skip", "error")


@dataclass(kw_only=True, slots=True)
class Told:
    """One attempt as the journal tells of it; times are seconds since the epoch.

    `word` is what it ended with: a verdict, or the cause of trouble.
    """

    worker: str
    began: float
    ended: float | None = None
    word: str | None = None

    @property
    def seconds(self) -> float:
        """Return how long it took; 0 if it has not ended."""
        return 0.0 if self.ended is None else self.ended - self.began


@dataclass(kw_only=True, slots=True)
class Story:
    """What the journal has told so far."""

    #: The fields of its first event.
    run: dict[str, Any] = field(default_factory=dict)
    #: The task of each item, by the item's name.
    tasks: dict[str, str] = field(default_factory=dict)
    #: The processes of workers that are not lost; the nodes of those that are on other machines.
    pids: dict[str, int] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)
    #: The machines of nodes.
    machines: dict[str, str] = field(default_factory=dict)
    #: Attempts by task and number.
    attempts: dict[tuple[str, int], Told] = field(default_factory=dict)
    #: The last word on each task: a verdict, or the cause of trouble.
    last: dict[str, str] = field(default_factory=dict)
    #: How many workers were started, and how many were lost; whether one has called in, and whether
    #: the run is over.
    started: int = 0
    lost: int = 0
    ready: bool = False
    ended: bool = False
    _read: int = 0

    def read_on(self, journal: Path) -> None:
        """Take in what has been written since."""
        with journal.open("rb") as file:
            file.seek(self._read)
            # A line that is not whole yet is read the next time.
            whole = file.read().rpartition(b"\n")
        self._read += len(whole[0]) + len(whole[1])
        for line in whole[0].splitlines():
            self._take(json.loads(line))

    def workers_on(self, machine: str) -> tuple[str, ...]:
        """Return the workers on a machine that are not lost."""
        return tuple(
            worker for worker, node in self.nodes.items() if self.machines.get(node) == machine
        )

    def is_open(self, task: str) -> bool:
        """Tell whether a task has no verdict, as far as the journal tells."""
        return self.last.get(task) not in VERDICTS

    def _take(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "run":
                self.run = event
            case "submitted":
                self.tasks[event["spec"]["nodeid"].partition("[")[2].rstrip("]")] = event["task"]
            case "assigned":
                task, _, number = event["attempt"].partition(".")
                told = Told(worker=event["worker"], began=event["at"])
                self.attempts[task, int(number)] = told
            case "ended":
                told = self.attempts[event["task"], event["attempt"]]
                told.ended, told.word = event["at"], _word(event)
                self.last[event["task"]] = told.word
            case "given up":
                self.last[event["task"]] = _word(event)
            case "run ended":
                self.ended = True
            case _:
                self._take_of_worker(event)

    def _take_of_worker(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "node joined":
                self.machines[event["node"]] = event["host"]
            case "worker started":
                self.started += 1
                if event.get("node") is None:
                    self.pids[event["worker"]] = event["pid"]
                else:
                    self.nodes[event["worker"]] = event["node"]
            case "worker ready":
                self.ready = True
            case "worker lost":
                self.lost += 1
                self.pids.pop(event["worker"], None)
                self.nodes.pop(event["worker"], None)


def _word(event: dict[str, Any]) -> str:
    verdict, trouble = event.get("verdict"), event["trouble"]
    return str(trouble["cause"] if verdict is None else verdict["verdict"])
