"""The worker: the process in the pane.

It calls the coordinator, takes one task at a time from it, claims the task on the shared list, has
its agent do it, files how that ended in the journal, and says so. What it prints is for the person
who watches. It ends when it is told to, or when the coordinator is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.agent import Job
from pytest_ptc.interfaces.names import RunNames
from pytest_ptc.journal.attempt_journal import AttemptJournal
from pytest_ptc.journal.closing import demanded, fail_or, recorded_or
from pytest_ptc.model.errors import GitError, JournalError, PtcError
from pytest_ptc.model.result import Attempt, AttemptReport, Usage
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.variables import ATTEMPT_COOKIE, ATTEMPT_TOKEN
from pytest_ptc.model.verdict import Verdict
from pytest_ptc.system.git import worktrees
from pytest_ptc.system.git.diffs import diff
from pytest_ptc.system.processes import end_marked
from pytest_ptc.system.threads import in_thread
from pytest_ptc.text.template import with_diff, with_notes
from pytest_ptc.worker.line import CALL_PATIENCE_S, call
from pytest_ptc.worker.pane import Screen
from pytest_ptc.worker.shared_list import WorkersList

if TYPE_CHECKING:
    from pytest_ptc.interfaces.agent import Agent
    from pytest_ptc.interfaces.launch import LaunchFile
    from pytest_ptc.interfaces.line import Line
    from pytest_ptc.interfaces.tasklist import TaskList
    from pytest_ptc.text.redaction import Redactor


class Worker:
    """One worker's life, from its launch file to its end."""

    def __init__(
        self, launch: LaunchFile, *, task_list: TaskList, agent: Agent, redactor: Redactor
    ) -> None:
        self._launch = launch
        self._name = launch.worker
        self._owner = RunNames(launch.run_id).owner(launch.worker)
        self._journal = launch.journal
        self._agent = agent
        self._redactor = redactor
        self._screen = Screen(sys.stdout.fileno(), redactor.text)
        self._list = WorkersList(task_list, self._screen.line)
        self._line: Line | None = None
        #: Whether the coordinator has answered.
        self._known = False

    async def live(self) -> bool:
        """Work until told to quit, until a signal comes, or until the coordinator is gone.

        Returns:
            Whether the worker is an orphan: nobody told it to end, and nobody is left to tidy.
        """
        working = asyncio.create_task(self._converse())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, working.cancel)
        orphan = False
        with contextlib.suppress(asyncio.CancelledError):
            orphan = await working
        await self._list.close()
        await self._agent.close()
        # Not before: its end is taken for that of the worker, which is killed then.
        if self._line is not None:
            self._line.close()
        return orphan

    async def _converse(self) -> bool:
        give_up = time.monotonic() + CALL_PATIENCE_S
        while True:
            self._line = line = await call(self._launch.address)
            orphan = await self._work(line)
            # Hung up on before it was known: others that call without end may have caused that.
            if self._known or not orphan or time.monotonic() > give_up:
                return orphan
            line.close()
            await asyncio.sleep(0.1)

    async def _work(self, line: Line) -> bool:
        """Do what is assigned, while listening: a quit or the end of the line stops a task too."""
        job: asyncio.Task[None] | None = None
        line.say(messages.Hello(self._name, self._launch.key))
        try:
            while (message := await line.hear()) is not None:
                self._known = True
                match message:
                    case messages.Prepare(like):
                        job = asyncio.create_task(self._get_ready(like, line))
                    case messages.Assigned() as assigned:
                        if job is not None:
                            await job
                        job = asyncio.create_task(self._attempt(assigned, line))
                    case _:
                        return False
        finally:
            if job is not None:
                job.cancel()
                await asyncio.gather(job, return_exceptions=True)
        return True

    async def _get_ready(self, like: dict[str, Any] | None, line: Line) -> None:
        if like is not None:
            spec = TaskSpec.from_json(like)
            self._screen.redact = self._redactor.plus(spec.env).text
            self._screen.line(f"{self._name} starts agent {self._agent.name}")
            try:
                await self._agent.prepare(spec)
            except Exception as error:  # noqa: BLE001 - a worker that never calls in holds up the run
                self._screen.line(f"agent {self._agent.name} did not get ready: {error!r}")
        line.say(messages.Ready())
        self._screen.line(f"{self._name} is ready, agent {self._agent.name}")

    async def _attempt(self, assigned: messages.Assigned, line: Line) -> None:
        spec = TaskSpec.from_json(assigned.spec)
        redactor = self._redactor.plus({**spec.env, ATTEMPT_TOKEN: assigned.token})
        self._screen.redact = redactor.text
        folder = self._journal / "attempts" / assigned.attempt
        journal = AttemptJournal(folder, assigned.token, redactor)
        attempt = Attempt.parse(assigned.attempt, worker=self._name)
        said_fail = False
        try:
            report = await self._do(attempt, spec, journal, assigned.cookie, line)
            said_fail = report.said_fail
            report = journal.file(report)
        except Exception as error:  # noqa: BLE001 - whatever it was, the coordinator waits for an end
            problem = str(error) if isinstance(error, PtcError | OSError) else repr(error)
            self._screen.line(f"trouble: {problem}")
            if not assigned.last:
                await self._release(attempt.task_id)
            line.say(messages.Ended(assigned.attempt, _clipped(problem), said_fail=said_fail))
            return
        self._screen.verdict(report)
        if report.trouble is not None and not assigned.last:
            await self._release(attempt.task_id)
            line.say(messages.Ended(assigned.attempt))
            return
        # The journal has it: the view comes after the outcome.
        line.say(messages.Ended(assigned.attempt))
        await self._list.complete(attempt.task_id, self._owner, {"ptc": _for_list(report)})

    async def _do(
        self,
        attempt: Attempt,
        spec: TaskSpec,
        journal: AttemptJournal,
        cookie: str,
        line: Line,
    ) -> AttemptReport:
        started = time.monotonic()
        spent: list[Usage] = []
        about: dict[str, Any] = {}
        deadline = started + spec.timeout
        self._screen.task(attempt, spec)
        ended: Verdict | Trouble | None = await self._list.claim(
            attempt.task_id, self._owner, spec.timeout
        )
        if ended is None:
            journal.begin(deadline)
            line.say(messages.Claimed(attempt.name))
            job = Job(
                attempt=attempt,
                spec=spec,
                journal=journal,
                deadline=deadline,
                cookie=cookie,
                show=self._screen.line,
                spent=spent.append,
                about=about.update,
                waits=lambda seconds, why: line.say(
                    messages.Waits(attempt.name, seconds, _clipped(why))
                ),
                listed=lambda: self._list.has(attempt.task_id),
            )
            ended = await self._isolated(job)
        if journal.foreign:
            about["foreign_records"] = journal.foreign
        ended = demanded(ended, spec, about.get("tool_calls"))
        return AttemptReport(
            attempt=attempt,
            seconds=time.monotonic() - started,
            verdict=ended if isinstance(ended, Verdict) else None,
            trouble=ended if isinstance(ended, Trouble) else None,
            usage=sum(spent[1:], spent[0]) if spent else None,
            about=about,
        )

    async def _isolated(self, job: Job) -> Verdict | Trouble:
        """Have the agent do the job, in a worktree of its own where its task asks for that."""
        spec = job.spec
        if spec.isolation is None or spec.ref is None:
            return await self._bounded(job)
        path = self._launch.scratch / worktrees.FOLDER / job.attempt.name
        try:
            # In a thread: a checkout takes its time, and a quit must be heard.
            cwd, notes = await asyncio.to_thread(worktrees.add, spec.cwd, spec.ref, path)
            prompt = with_notes(spec.prompt, notes)
            if spec.base is not None:
                changes = await asyncio.to_thread(diff, spec.cwd, spec.base, spec.ref)
                nothing = ["Nothing has changed: there is no difference to the base."]
                prompt = with_diff(prompt, changes) if changes else with_notes(prompt, nothing)
            job.about(worktree=spec.ref)
            if notes:
                job.about(worktree_notes=list(notes))
            ended = await self._bounded(replace(job, spec=replace(spec, cwd=cwd, prompt=prompt)))
            return _from_root(ended, cwd)
        except GitError as error:
            return Trouble(cause=Cause.WORKTREE, message=str(error))
        finally:
            worktrees.remove(spec.cwd, path)

    async def _bounded(self, job: Job) -> Verdict | Trouble:
        """Have the agent do the job within its timeout, and leave nothing of it behind."""
        running = asyncio.create_task(self._agent.run(job))
        try:
            await asyncio.wait([running], timeout=max(0.0, job.deadline - time.monotonic()))
            if running.done():
                return running.result()
            # Before the agent hears of it: what it records from here on is late.
            with contextlib.suppress(JournalError):
                job.journal.end_time()
            await _cancelled(running)
            end_marked(ATTEMPT_COOKIE, job.cookie, grace=0.0)
            message = f"no verdict within {job.spec.timeout:g} s"
            late = Trouble(cause=Cause.TIMEOUT, message=message, evidence=job.journal.tail())
            return await in_thread(recorded_or, late, job.journal, job.spec)
        except JournalError as error:
            end_marked(ATTEMPT_COOKIE, job.cookie, grace=0.0)
            unwritten = Trouble(cause=Cause.MACHINERY, message=str(error))
            return await in_thread(fail_or, unwritten, job.journal, job.spec)
        except Exception as error:  # noqa: BLE001 - an agent's defect must not cost the worker
            end_marked(ATTEMPT_COOKIE, job.cookie, grace=0.0)
            broken = Trouble(
                cause=Cause.MACHINERY,
                message=f"agent {self._agent.name} broke: {error!r}",
                evidence=traceback.format_exc(),
            )
            return await in_thread(recorded_or, broken, job.journal, job.spec)
        except asyncio.CancelledError:
            await _cancelled(running)
            end_marked(ATTEMPT_COOKIE, job.cookie, grace=0.0)
            raise

    async def _release(self, task_id: str) -> None:
        # Before the coordinator hears of the end, or the next worker could not claim it.
        await self._list.release(task_id, self._owner)


def _clipped(text: str) -> str:
    return text[: messages.MAX_TEXT_CHARS]


async def _cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end, whatever that is."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


def _from_root(ended: Verdict | Trouble, cwd: str) -> Verdict | Trouble:
    """Return a verdict whose findings name files from the agent's directory, which goes now."""
    if isinstance(ended, Trouble):
        return ended
    findings = tuple(
        replace(finding, path=finding.path.removeprefix(f"{cwd}/") if finding.path else None)
        for finding in ended.findings
    )
    return replace(ended, findings=findings)


def _for_list(report: AttemptReport) -> dict[str, Any]:
    if report.verdict is not None:
        return report.verdict.to_json()
    assert report.trouble is not None
    return {"verdict": "error", "summary": str(report.trouble), "findings": [], "data": None}
