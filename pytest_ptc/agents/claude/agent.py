"""Agent `claude`: one warm Claude Code process, a fresh conversation for each task."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, TextIO

from pytest_ptc.agents.claude.client import CLIENT_COOKIE, Session
from pytest_ptc.agents.claude.diagnosis import RECORDING_TOOL, WAITABLE, api_cause, ending
from pytest_ptc.agents.claude.events import (
    Began,
    Called,
    Event,
    Failed,
    Finished,
    Limited,
    Retrying,
    Returned,
    Said,
    Used,
)
from pytest_ptc.agents.claude.narrative import lines_of, redacted
from pytest_ptc.agents.claude.recorder import Recorder
from pytest_ptc.agents.claude.setup import surroundings_of
from pytest_ptc.agents.instructions import claude_prompt
from pytest_ptc.interfaces.environment import inherited
from pytest_ptc.journal.attempt_journal import OUTPUT, PROMPT, TRANSCRIPT
from pytest_ptc.model.errors import AgentError
from pytest_ptc.model.result import Usage
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.system import own_files
from pytest_ptc.system.processes import children
from pytest_ptc.system.strays import end_strays
from pytest_ptc.system.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from pathlib import Path

    from pytest_ptc.agents.claude.profile import Profile, Surroundings
    from pytest_ptc.interfaces.agent import Job
    from pytest_ptc.interfaces.launch import LaunchFile
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import Verdict

#: Seconds to wait when the provider refuses work and does not say for how long; each further time
#: twice as long, up to the cap. The client has tried ten times by then.
BACKOFF, BACKOFF_CAP = 5.0, 60.0
#: Seconds between SIGTERM and SIGKILL for a client that must end, and what its tools have started.
GRACE = 0.5


class ClaudeAgent:
    """Does tasks with Claude Code, through claude-agent-sdk."""

    name = "claude"

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._session: Session | None = None
        self._clearing: asyncio.Task[None] | None = None
        #: The pids of all clients that were started, and of what they keep beside them.
        self._clients: set[int] = set()
        #: Why no client of a profile will do, where that is so for good.
        self._unfit: dict[Profile, Trouble] = {}

    async def prepare(self, spec: TaskSpec) -> None:
        """Start a client for a task like this one."""
        # What went wrong is kept, or met again when the task comes.
        with contextlib.suppress(AgentError):
            await self._session_for(self._surroundings.profile(spec))

    async def run(self, job: Job) -> Verdict | Trouble:
        """Do the job and return what the model recorded, or why that does not count."""
        turn = _Turn(job)
        try:
            return await self._attempt(job, turn)
        except AgentError as error:
            await self._drop()
            # What was recorded before the client broke is recorded.
            return await in_thread(turn.verdict_or, error.trouble)
        except BaseException:
            # Its time is up: client and tools may end in order.
            await self._drop(GRACE)
            raise
        finally:
            turn.close()
            end_strays(but=frozenset(self._clients))

    async def close(self) -> None:
        """End the client."""
        if self._clearing is not None:
            self._clearing.cancel()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _attempt(self, job: Job, turn: _Turn) -> Verdict | Trouble:
        profile = self._surroundings.profile(job.spec)
        pause = BACKOFF
        while True:
            session = await self._session_for(profile)
            finished = await turn.take(session)
            ended = await in_thread(turn.verdict_or, ending(finished, turn.failed))
            self._freshen(session)
            if not isinstance(ended, Trouble):
                return ended
            if turn.limit is None and ended.cause not in WAITABLE:
                return ended
            # A second more: the provider's clock is not ours.
            wait = max(1.0, turn.limit + 1.0 - time.time()) if turn.limit else pause
            if time.monotonic() + wait >= job.deadline:
                return _beyond(ended, wait)
            job.waits(wait, ended.cause.value)
            turn.show([f"  . {ended.cause}: again in {wait:.0f} s"])
            await asyncio.sleep(wait)
            pause = min(2 * pause, BACKOFF_CAP)

    async def _session_for(self, profile: Profile) -> Session:
        """Return a client of this profile with a fresh conversation.

        Raises:
            AgentError: There is none to be had.
        """
        if self._clearing is not None:
            # What went wrong there is no news to this task: it gets another client.
            with contextlib.suppress(AgentError):
                await self._clearing
            self._clearing = None
        session = self._session
        # Some versions count money over all conversations, against the limit of each.
        counting = session is not None and profile.budget_usd and session.account.cost_usd
        if session is None or session.profile != profile or counting:
            await self._drop()
            if profile in self._unfit:
                raise AgentError(self._unfit[profile])
            try:
                session = self._session = await self._opened(profile)
            except AgentError as error:
                if not error.trouble.retryable:
                    self._unfit[profile] = error.trouble
                raise
        return session

    async def _opened(self, profile: Profile) -> Session:
        cookie = secrets.token_hex(16)
        environ = self._surroundings.environment(profile, {CLIENT_COOKIE: cookie})
        trouble = self._surroundings.problem(profile, environ)
        if trouble is not None:
            raise AgentError(trouble)
        client = self._surroundings.client
        try:
            return await Session.open(profile, environ, client=client, cookie=cookie)
        finally:
            # It, and what it keeps beside it: nothing of a task's is there yet.
            self._clients |= {child.pid for child in children(os.getpid())}

    def _freshen(self, session: Session) -> None:
        """Clear the conversation while the worker reports: the next task finds a fresh one."""
        session.recorder = None
        # Asked before what is orphaned is ended.
        left = not session.profile.harmless and session.left_running()
        self._clearing = asyncio.create_task(self._clear(session, left=left))

    async def _clear(self, session: Session, *, left: bool) -> None:
        # What a task has left running must not outlive it, or meet the next one.
        if left:
            await self._drop()
            return
        try:
            await session.clear()
        except AgentError:
            await self._drop()

    async def _drop(self, grace: float = 0.0) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.kill(grace)


class _Turn:
    """One job's turns with the client: what is shown, kept and counted of them."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._recorder = Recorder(job.attempt.task_id, job.spec.schema, job.journal)
        self._redact = job.journal.redactor
        self._tools: dict[str, str] = {}
        self._used = 0
        # Half an emoji, cut off by the client, is no reason to break an attempt.
        self._transcript = _appended(job.folder / TRANSCRIPT)
        self._output = _appended(job.folder / OUTPUT)
        self._billed: dict[str, Usage] = {}
        self.failed: Failed | None = None
        self.limit: float | None = None

    async def take(self, session: Session) -> Finished:
        """Ask the model, and see its turn through.

        Raises:
            AgentError: The client ended before its turn did.
        """
        job, self.failed, self.limit = self._job, None, None
        session.recorder = self._recorder
        before = session.account
        prompt = claude_prompt(job.attempt.task_id, job.spec.prompt, job.spec.schema)
        # An API takes text: bytes of a file name that are none are escaped.
        prompt = prompt.encode("utf-8", "backslashreplace").decode()
        job.about(
            client=f"Claude Code {session.version}",
            session=session.session_id,
            settings=session.profile.facts(),
            tool_calls=self._used,
        )
        job.journal.keep(PROMPT, prompt)
        self._keep("Prompt", {"text": prompt, "session_id": session.session_id})
        finished = None
        try:
            async for event in session.ask(prompt):
                self._heed(event)
                if isinstance(event, Finished):
                    finished = event
        finally:
            self._account(finished, before)
        assert finished is not None
        session.account = finished.total
        return finished

    def verdict_or(self, trouble: Trouble | None) -> Verdict | Trouble:
        """Return what was recorded; if nothing was, this trouble, or that nothing was."""
        settled = self._recorder.settled()
        if isinstance(settled, Trouble) and not self._recorder.recorded:
            settled = trouble.beside(settled) if trouble else settled
        if self._recorder.missed and self._job.listed():
            message = (
                "Claude Code recorded on another task list than the run's: it says that there is "
                f"no task {self._job.attempt.task_id}, which our list has"
            )
            self._recorder.disown(message)
            settled = Trouble(cause=Cause.WRONG_LIST, message=message)
        if isinstance(settled, Trouble) and not settled.evidence:
            return replace(settled, evidence=self._job.journal.tail())
        return settled

    def show(self, lines: list[str]) -> None:
        """Show lines in the pane, and keep them."""
        for line in lines:
            self._job.show(line)
        _write(self._output, self._redact.text("".join(f"{line}\n" for line in lines)))

    def close(self) -> None:
        """Close the files."""
        for file in (self._transcript, self._output):
            with contextlib.suppress(OSError):
                file.close()

    def _heed(self, event: Event) -> None:
        self._keep(type(event).__name__, asdict(event))
        # Before lines are cut: not a piece of a secret is shown.
        self.show(lines_of(redacted(event, self._redact.json)))
        self._heed_call(event)
        match event:
            case Began(model=model):
                self._job.about(model=model, transcript=TRANSCRIPT)
            case Used(message_id, usage):
                self._billed[message_id] = usage
            case Retrying(seconds, status, error) if api_cause(error, status) in WAITABLE:
                self._job.waits(seconds, api_cause(error, status).value)
            case Limited(resets_at):
                self.limit = resets_at
            case Failed():
                self.failed = event
            case Finished(denied=denied, turns=turns):
                self._job.about(denied=list(denied), turns=turns)

    def _heed_call(self, event: Event) -> None:
        """Take what the model says and does."""
        match event:
            case Called(call_id, tool, value, answer) if tool == RECORDING_TOOL:
                self._recorder.announced(call_id, value, answer)
            case Said(text):
                self._recorder.said(text)
            case Called(call_id, tool):
                self._tools[call_id] = tool
            case Returned(call_id, failed=False) if call_id in self._tools:
                self._used += 1
                self._job.about(tool_calls=self._used)

    def _account(self, finished: Finished | None, before: Usage) -> None:
        """Count what a turn cost: by the client's account, else by the answers it had."""
        if finished is None:
            counted = Usage(cost_usd=None)
            for usage in self._billed.values():
                counted += usage
        else:
            after = finished.total
            numbers = [
                max(0, now - then) for now, then in zip(after.numbers, before.numbers, strict=True)
            ]
            known = after.cost_usd is not None and before.cost_usd is not None
            cost = max(0.0, after.cost_usd - before.cost_usd) if known else None  # type: ignore[operator]
            counted = Usage.of(numbers, cost)
        self._billed.clear()
        self._job.spent(counted)

    def _keep(self, kind: str, fields: Mapping[str, Any]) -> None:
        line = {"event": kind, "at": round(time.time(), 3), **fields}
        _write(self._transcript, json.dumps(self._redact.json(line), default=str) + "\n")


def _appended(path: Path) -> TextIO:
    descriptor = own_files.open_for_append(path)
    return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")


def _write(file: TextIO, text: str) -> None:
    # A help to the reader: a full disk must not end the task that it is about.
    with contextlib.suppress(OSError):
        file.write(text)
        file.flush()


def _beyond(trouble: Trouble, wait: float) -> Trouble:
    until = time.strftime("%H:%M:%S", time.localtime(time.time() + wait))
    message = f"{trouble.message}; the next try, at {until}, would be past the task's timeout"
    return replace(trouble, message=message)


def make(launch: LaunchFile, environ: MutableMapping[str, str]) -> ClaudeAgent:
    """Return the agent that a worker's launch file describes."""
    # The SDK gives a client all of this process's environment: what it must not have goes.
    for name in set(environ) - set(inherited(environ)):
        environ.pop(name)
    return ClaudeAgent(surroundings_of(launch, environ))
