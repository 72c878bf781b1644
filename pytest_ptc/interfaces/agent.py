"""The protocol of agents, and the job that one gets.

The package has implementations; plugins add theirs through `hookspecs.py`.
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
    """Hashes the files that attempts could see. No method blocks or raises."""

    def began(self, attempt: str, spec: TaskSpec) -> Content | None:
        """Return the hashes for an attempt that begins now; None if they are not known yet."""

    def ended(self, attempt: str) -> None:
        """Have the files hashed at the attempt's end, and the hashes put into the journal."""


def _nothing(*_: object, **__: object) -> None:
    """Do nothing: for an agent that runs without a worker, as in a test."""


def as_it_is(verdict: Verdict) -> Verdict:
    """Return a verdict unchanged: for an agent that runs without a worker."""
    return verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One attempt as its agent gets it.

    Args:
        attempt: Which attempt it is.
        spec: Its task.
        journal: Takes its records, and files that help to read the attempt later.
        deadline: When it must be over, in seconds of `time.monotonic()`.
        cookie: A text unique to the attempt, in the environment of all that it starts.
        show: Prints one line on the worker's screen and never blocks.
        spent: Adds to what the attempt has cost; may be called again.
        about: Adds facts to the attempt's report: keywords with plain JSON.
        tool_calls: Takes the number of tool calls so far, other than recording; the last number
            counts. With `require_evidence`, a pass with none is an error.
        waits: Reports that the provider refuses work for so many seconds, and why: until then, the
            run begins no further attempt.
        hindered: Takes what has kept the agent from its work so far, such as a provider that
            refuses every request: the cause of the attempt if its time ends so. None takes it back.
        listed: Tells whether the shared list still has the task. It waits for the coordinator's
            answer: call it in a thread.
        checked: Returns a verdict that can still be corrected, with what is known of its findings:
            where they stand. It raises VerdictError, with a message for the agent, where a finding
            does not stand where it says. It reads files: call it in a thread. What is recorded
            without it is looked up at the end of the attempt, and never refused.
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
    hindered: Callable[[Trouble | None], None] = _nothing
    listed: Callable[[], bool] = lambda: True
    checked: Callable[[Verdict], Verdict] = as_it_is

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

        It sends no request to a model: no money is spent. An error is reported with the first task.
        """

    async def run(self, job: Job) -> Verdict | Trouble:
        """Do the job and return what the agent recorded, or why that does not count.

        What it must guarantee:

        - **A verdict is recorded before it counts.** A verdict of a model or a program is passed to
          `job.journal.record`, and that future has its result, which means that the verdict is on
          disk, before `run` returns it: it must outlive this process. A fail in a wrong form is
          recorded as a refused one.
        - **It ends what it started.** It is cancelled at the deadline and when the run stops. Then
          it ends all processes of the job, with SIGTERM first for those that may still record, and
          lets the cancellation through: within 2 s when the run stops, and at most 10 s past the
          deadline. A worker that takes longer is killed, and what was recorded by then counts.
          When it returns, no process of the job is left, either. Every process that it starts has
          `job.cookie` in its environment as `PTC_COOKIE`, so that the worker finds the rest.
        - **It does not block the event loop** for more than a moment: the worker reads its messages
          there. Long work runs in a thread or in a process.
        - **It prints nothing** on the worker's standard output and error, which are the pane:
          `job.show` takes lines, whose secrets and control characters it removes, and never blocks.
          What it writes into `job.folder` is of bounded size, and `job.journal.redactor` has seen
          it before.
        - **Jobs are independent.** A job sees no conversation, process or file of an earlier one.

        What it raises is an infrastructure error of the attempt, beside what was recorded.
        """

    async def close(self) -> None:
        """End what the agent keeps between tasks; after 2 s the worker is killed."""
