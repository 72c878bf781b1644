"""The seams: what the coordinator and the worker ask of the parts that can be replaced.

A host is where workers live; a task list is the board that every Claude session with the same list
id can see; an agent is what does a task. Each has two sides: the one that is shipped here, and
whatever a plugin brings through `hookspecs.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_ptc.interfaces.ledger import Ledger
    from pytest_ptc.model.content import Content
    from pytest_ptc.model.result import Attempt, Usage
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.trouble import Trouble
    from pytest_ptc.model.verdict import Verdict


class Contents(Protocol):
    """What looks at the files that attempts could see. No method waits or raises."""

    def began(self, attempt: str, spec: TaskSpec) -> Content | None:
        """Return what an attempt that begins now could see; None if nobody has looked."""

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
        journal: Where its records are put, and the files that help who looks back.
        deadline: When it must be over, in seconds of `time.monotonic()`.
        cookie: A text unique to the attempt, in the environment of all that it starts.
        show: Prints one line on the worker's screen and never blocks.
        spent: Adds to what the attempt has cost; may be called again.
        about: Adds facts to the attempt's report: keywords with plain JSON.
        tool_calls: Takes how often the agent has used a tool so far, besides recording; the last
            number counts. Where evidence is required, a pass without one is an error.
        waits: Tells the run that its agents are to be held for so many seconds, and why: the
            provider refuses work for now.
        listed: Tells whether the shared list still has the task.
    """

    attempt: Attempt
    spec: TaskSpec
    journal: Ledger
    deadline: float
    cookie: str
    show: Callable[[str], None]
    spent: Callable[[Usage], None] = _nothing
    about: Callable[..., None] = _nothing
    tool_calls: Callable[[int], None] = _nothing
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

        It asks nothing of a model: no money is spent. What goes wrong is told when the task comes.
        """

    async def run(self, job: Job) -> Verdict | Trouble:
        """Do the job and return what the agent recorded, or why that does not count.

        What it must guarantee:

        - **A verdict is recorded before it is believed.** One that comes from elsewhere, such as a
          model or a program, is given to `job.journal.record`, and is on disk, with that future's
          result there, before `run` returns it: it must outlive this process. A fail that was said
          in a wrong form is recorded as a refused one.
        - **It ends what it started.** It is cancelled at the deadline and when the run stops. Then
          it ends all processes of the job, asks those first that may have something to record, and
          lets the cancellation through: within 2 s when the run stops, and at most 10 s past the
          deadline. A worker that takes longer is killed, and what was recorded by then counts.
          When it returns, nothing of the job lives on, either. Every process that it starts has
          `job.cookie` in its environment as `PTC_COOKIE`, so that the worker finds the rest.
        - **It does not block the event loop** for longer than a moment: the worker hears there that
          it should end. What takes long is done in a thread or in a process.
        - **It prints nothing** on the worker's standard output and error, which are the pane:
          `job.show` takes lines, whose secrets and control characters it removes, and never blocks.
          What it writes into `job.folder` is of bounded size, and `job.journal.redactor` has seen
          it before.
        - **Jobs do not meet.** Nothing that one job said, started or left is seen by the next one.

        What it raises is an infrastructure error of the attempt, beside what was recorded.
        """

    async def close(self) -> None:
        """End what the agent keeps between tasks, within 2 s; then the worker is killed."""
