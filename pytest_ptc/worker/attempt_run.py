"""One attempt, from its task to its report.

Its phases come one after the other: its directory is made, its agent works within its time, and its
outcome is judged. Any phase may end the attempt.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.agent import Job
from pytest_ptc.journal.closing import demanded, ended_by, fail_or, lacks_checked, recorded_or
from pytest_ptc.model.errors import GitError, JournalError, VerdictError
from pytest_ptc.model.result import AttemptReport, Usage
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.variables import ATTEMPT_COOKIE
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.system.git import worktrees
from pytest_ptc.system.git.diffs import diff
from pytest_ptc.system.processes import end_marked
from pytest_ptc.system.threads import in_thread
from pytest_ptc.text.template import with_diff, with_notes
from pytest_ptc.verdicts.recording import Record
from pytest_ptc.worker.places import NOTE_TIMEOUT_S, Places, changed_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_ptc.interfaces.agent import Agent
    from pytest_ptc.model.result import Attempt
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.worker.ledger import AttemptLedger

#: Seconds more that are waited for the findings at the end of an attempt, on a disk that hangs.
_HANGING_S = 2.0


@dataclass(kw_only=True, eq=False)
class AttemptRun:
    """One attempt as its worker carries it out.

    Args:
        attempt: Which attempt it is.
        spec: Its task.
        cookie: The mark of all its processes.
        deadline: When its time is over, on this process's monotonic clock.
        agent: What does the task.
        ledger: Takes its records.
        scratch: The run's private folder, for its worktree.
        show: Prints one line on the worker's screen.
        say: Sends a message to the coordinator.
        listed: Tells whether the shared list has its task; called in a thread.
    """

    attempt: Attempt
    spec: TaskSpec
    cookie: str
    deadline: float
    agent: Agent
    ledger: AttemptLedger
    scratch: Path
    show: Callable[[str], None]
    say: Callable[[messages.Message], None]
    listed: Callable[[], bool]
    spent: list[Usage] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)
    tool_calls: int | None = None
    hindrance: Trouble | None = None
    #: Looks up findings, as soon as its directory is there.
    places: Places | None = None
    #: Why it is to end before its time; set together with the event.
    stopped: str | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def abandon(self, why: str) -> None:
        """End it before its time: what was recorded stays recorded, and a fail alone counts."""
        self.stopped = why
        self.stop.set()

    def checked(self, verdict: Verdict) -> Verdict:
        """Return a verdict that its agent records, with its findings looked up; in a thread.

        Raises:
            VerdictError: It lacks what its task requires, or a finding does not stand where it
                says.
        """
        if lacks_checked(verdict, self.spec):
            raise VerdictError(
                '"checked" is missing: a pass of this task must say what it is based on; add '
                '"checked": [...], a text for each file, request or claim that you looked at, and '
                '"open": [...] for what you could not look at'
            )
        return verdict if self.places is None else self.places.checked(verdict)

    async def report(self) -> AttemptReport:
        """Carry it out, and return how it ended."""
        began = time.monotonic()
        self.say(messages.Begun(self.attempt.name))
        ended = await self._run_isolated(self._job())
        ended = demanded(ended, self.spec, self.ledger, self.tool_calls)
        return AttemptReport(
            attempt=self.attempt,
            seconds=time.monotonic() - began,
            verdict=ended if isinstance(ended, Verdict) else None,
            trouble=ended if isinstance(ended, Trouble) else None,
            usage=sum(self.spent[1:], self.spent[0]) if self.spent else None,
            about=self.about,
            tool_calls=self.tool_calls,
        )

    def _job(self) -> Job:
        name = self.attempt.name
        return Job(
            attempt=self.attempt,
            spec=self.spec,
            journal=self.ledger,
            deadline=self.deadline,
            cookie=self.cookie,
            show=self.show,
            spent=self.spent.append,
            about=self._note,
            tool_calls=self._count,
            waits=lambda seconds, why: self.say(
                messages.Waits(name, seconds, why[: messages.MAX_TEXT_CHARS])
            ),
            hindered=self._take_hindrance,
            listed=self.listed,
            checked=self.checked,
        )

    def _take_hindrance(self, hindrance: Trouble | None) -> None:
        self.hindrance = hindrance

    def _late(self) -> Trouble:
        """Return why there is no verdict: somebody has stopped the task, or its time is over."""
        if self.stopped is not None:
            return Trouble(
                cause=Cause.TASK_STOPPED, message=self.stopped, evidence=self.ledger.tail()
            )
        message = f"no verdict within {self.spec.timeout:g} s"
        late = self.hindrance or Trouble(cause=Cause.TIMEOUT, message="")
        message = ": ".join(filter(None, (message, late.message)))
        return replace(late, message=message, evidence=self.ledger.tail())

    def _note(self, **facts: Any) -> None:
        if "tool_calls" in facts:
            raise TypeError("report tool calls with job.tool_calls(), not with job.about()")
        self.about |= facts

    def _count(self, tool_calls: int) -> None:
        self.tool_calls = tool_calls

    async def _run_isolated(self, job: Job) -> Verdict | Trouble:
        """Have the agent do the job, in its own worktree if the task has `isolation`."""
        spec = job.spec
        if spec.isolation is None or spec.ref is None:
            try:
                self.places = await self._places(spec.cwd)
            except GitError as error:
                message = f"what the change touches is not known: {error}"
                return Trouble(cause=Cause.MACHINERY, message=message)
            return await self._noted(await self._run_in_time(job))
        path = self.scratch / worktrees.FOLDER / job.attempt.name
        try:
            # In a thread: a checkout takes its time, and a quit must be heard.
            cwd, notes = await asyncio.to_thread(worktrees.add, spec.cwd, spec.ref, path)
            prompt = with_notes(spec.prompt, notes)
            if spec.base is not None:
                changes = await asyncio.to_thread(diff, spec.cwd, spec.base, spec.ref)
                no_changes = ["Nothing has changed: there is no difference to the base."]
                prompt = with_diff(prompt, changes) if changes else with_notes(prompt, no_changes)
            job.about(worktree=spec.ref)
            if notes:
                job.about(worktree_notes=list(notes))
            self.places = await self._places(cwd)
            ended = await self._run_in_time(
                replace(job, spec=replace(spec, cwd=cwd, prompt=prompt))
            )
            return _with_relative_paths(await self._noted(ended), cwd)
        except GitError as error:
            return Trouble(cause=Cause.WORKTREE, message=str(error))
        finally:
            worktrees.remove(spec.cwd, path)

    async def _places(self, cwd: str) -> Places:
        """Return what looks up findings in a directory, with the change as it is now.

        Raises:
            GitError: What the change touches is not known.
        """
        changed = await asyncio.to_thread(changed_lines, self.spec)
        if changed is not None and changed.note:
            self._note(changed_lines=changed.note)
        return Places(self.spec, cwd, changed)

    async def _noted(self, ended: Verdict | Trouble) -> Verdict | Trouble:
        """Return an outcome with what is known of findings that its agent was not asked about."""
        if self.places is None or isinstance(ended, Trouble):
            return ended
        try:
            return await in_thread(self.places.noted, ended, seconds=NOTE_TIMEOUT_S + _HANGING_S)
        except Exception:  # noqa: BLE001 - a verdict counts, whatever its findings or the disk are
            return ended

    async def _run_in_time(self, job: Job) -> Verdict | Trouble:
        """Have the agent do the job until its deadline, and end all processes that it leaves."""
        running = asyncio.create_task(self.agent.run(job))
        stop = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait(
                [running, stop],
                timeout=max(0.0, job.deadline - time.monotonic()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if running.done() and self.stopped is None:
                return await self._record_returned(running.result())
            # Before the agent is cancelled: what it records from here on is late.
            self.ledger.end_time()
            await _cancel(running)
            end_marked(ATTEMPT_COOKIE, job.cookie, grace=0.0)
            await self.ledger.settled()
            return await in_thread(ended_by, self._late(), self.ledger)
        except JournalError as error:
            end_marked(ATTEMPT_COOKIE, job.cookie, grace=0.0)
            await self.ledger.settled()
            unwritten = Trouble(cause=Cause.MACHINERY, message=str(error))
            return await in_thread(fail_or, unwritten, self.ledger)
        except Exception as error:  # noqa: BLE001 - a broken agent must not end its worker
            end_marked(ATTEMPT_COOKIE, job.cookie, grace=0.0)
            broken = Trouble(
                cause=Cause.MACHINERY,
                message=f"agent {self.agent.name} raised {error!r}",
                evidence=traceback.format_exc(),
            )
            await self.ledger.settled()
            return await in_thread(recorded_or, broken, self.ledger)
        except asyncio.CancelledError:
            await _cancel(running)
            end_marked(ATTEMPT_COOKIE, job.cookie, grace=0.0)
            raise
        finally:
            stop.cancel()

    async def _record_returned(self, ended: Verdict | Trouble) -> Verdict | Trouble:
        """Record a returned verdict that the agent has not recorded itself.

        Raises:
            JournalError: It cannot be written.
        """
        if isinstance(ended, Trouble):
            return ended
        if self.ledger.has_handed_over(ended.verdict):
            return ended
        late = self.ledger.record(Record(call="returned", verdict=ended))
        green = ended.verdict in (VerdictKind.PASS, VerdictKind.SKIP)
        if green and await asyncio.wrap_future(late):
            message = f"no verdict within {self.spec.timeout:g} s"
            return Trouble(cause=Cause.TIMEOUT, message=message, evidence=self.ledger.tail())
        return ended


async def _cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end; what it raises is dropped."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


def _with_relative_paths(ended: Verdict | Trouble, cwd: str) -> Verdict | Trouble:
    """Return a verdict whose findings have paths relative to `cwd`, which is removed next."""
    if isinstance(ended, Trouble):
        return ended
    findings = tuple(
        replace(finding, path=finding.path.removeprefix(f"{cwd}/") if finding.path else None)
        for finding in ended.findings
    )
    return replace(ended, findings=findings)
