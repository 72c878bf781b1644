"""The seams: what the coordinator and the worker ask of the parts that can be replaced.

A host is where workers live; a task list is the board that every Claude session with the same list
id can see; an agent is what does a task. Each has two sides: the one that is shipped here, and
whatever a plugin brings through `hookspecs.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_ptc.attempts import AttemptJournal
    from pytest_ptc.model import Attempt, TaskSpec, Trouble, Usage, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchPlan:
    """How to start one worker: a program and its arguments, never a line for a shell.

    Args:
        worker: The worker's name, unique in its run: `w1`, `w2`, ...
        argv: The program and its arguments.
        cwd: The directory it starts in.
        log: Where a host that has no screen keeps what the worker prints.
    """

    worker: str
    argv: tuple[str, ...]
    cwd: Path
    log: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Remains:
    """What is left of a worker that ended: how it ended, and its last lines."""

    ended: str
    tail: str = ""


class Host(Protocol):
    """Somewhere workers can live: windows of a tmux session, child processes.

    Every method may raise HostError, except `close`, which must not raise.
    """

    @property
    def name(self) -> str:
        """Return the host's name, as the option `--ptc-host` has it."""

    @property
    def attach(self) -> str | None:
        """Return the command with which a person can watch, if there is one."""

    @property
    def farewell(self) -> tuple[str, ...]:
        """Return the program that a worker becomes when pytest was killed; empty for none.

        It ends, from inside, what only the host could have ended.
        """

    def launch(self, plan: LaunchPlan) -> int:
        """Start a worker and return its process id."""

    def remains(self, worker: str) -> Remains:
        """Return what is left of a worker that ended, and free its place."""

    def tail(self, worker: str) -> str:
        """Return the last lines of a live worker."""

    def close(self) -> None:
        """End everything this host started and remove what it made; may be called again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTask:
    """A task to put on the shared list."""

    subject: str
    description: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


class TaskList(Protocol):
    """The shared list: a view of the run that other Claude sessions can see, never its truth.

    Every method may raise TaskListError. A task that vanished is not an error: Claude Code deletes
    lists whose tasks are all completed, and a person may delete any task.
    """

    def publish(self, tasks: Sequence[NewTask]) -> list[str]:
        """Put tasks on the list in one go and return their ids, in order."""

    def claim(self, task_id: str, owner: str) -> bool:
        """Take a pending task of the run's; False if it is taken, completed or gone."""

    def release(self, task_id: str, owner: str) -> None:
        """Put a task that `owner` holds back to pending."""

    def complete(self, task_id: str, owner: str, metadata: Mapping[str, Any]) -> None:
        """Mark a task that `owner` holds completed, adding to its metadata."""

    def has(self, task_id: str) -> bool:
        """Tell whether the list has this task of the run's."""

    def is_gone(self, task_id: str) -> bool:
        """Tell whether the list was deleted as a whole, this task with it."""

    def withdraw(self, task_ids: Iterable[str]) -> None:
        """Remove these tasks of the run's from the list, whoever holds them."""


class Contents(Protocol):
    """What looks at the files that attempts could see. No method waits or raises."""

    def began(self, attempt: str, spec: TaskSpec) -> dict[str, Any] | None:
        """Return what an attempt that begins now could see, as JSON; None if nobody has looked."""

    def ended(self, attempt: str) -> None:
        """Have what it could see at its end looked at, and put into the journal."""


def _nothing(*_: object, **__: object) -> None:
    """Tell nobody: for an agent that runs without a worker, as in a test."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One attempt as its agent gets it.

    Args:
        attempt: Which attempt it is.
        spec: What is asked.
        journal: What is written down of it: where a verdict is recorded, and transcripts go.
        deadline: When it must be over, in seconds of `time.monotonic()`.
        cookie: A text unique to the attempt, in the environment of all that it starts.
        show: Prints one line on the worker's screen and never blocks.
        spent: Adds to what the attempt has cost; may be called again.
        about: Adds facts to the attempt's report: keywords with plain JSON. `tool_calls` is how
            often the agent used a tool, besides recording.
        waits: Tells the run that its agents are to be held for so many seconds, and why: the
            provider refuses work for now.
        listed: Tells whether the shared list still has the task.
    """

    attempt: Attempt
    spec: TaskSpec
    journal: AttemptJournal
    deadline: float
    cookie: str
    show: Callable[[str], None]
    spent: Callable[[Usage], None] = _nothing
    about: Callable[..., None] = _nothing
    waits: Callable[[float, str], None] = _nothing
    listed: Callable[[], bool] = lambda: True

    @property
    def folder(self) -> Path:
        """Return the attempt's folder in the journal."""
        return self.journal.folder


class Agent(Protocol):
    """What does a task. One instance lives as long as its worker and does one task at a time."""

    @property
    def name(self) -> str:
        """Return the agent's name, as the option `--ptc-agent` has it."""

    async def prepare(self, spec: TaskSpec) -> None:
        """Get ready for a task like this one, before the worker takes its first.

        What goes wrong is told when the task comes.
        """

    async def run(self, job: Job) -> Verdict | Trouble:
        """Do the job and return what the agent recorded, or why that does not count.

        Ended by cancellation when the run stops; then, and at the deadline, nothing that the job
        started may live on.
        """

    async def close(self) -> None:
        """End what the agent keeps between tasks."""
