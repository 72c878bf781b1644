"""Agent `claude`: one warm Claude Code process, a fresh conversation for each task."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_ptc.agents.claude.client import CLIENT_COOKIE, Session
from pytest_ptc.agents.claude.diagnosis import WAITABLE, api_cause, refused_so_far
from pytest_ptc.agents.claude.events import Called, Finished, Retrying, Said, Thought
from pytest_ptc.agents.claude.sandbox import ClientSandbox
from pytest_ptc.agents.claude.setup import surroundings_of
from pytest_ptc.agents.claude.turn import Turn
from pytest_ptc.agents.claude.turn_log import TurnLog
from pytest_ptc.agents.instructions import claude_prompt
from pytest_ptc.interfaces.environment import inherited
from pytest_ptc.journal.attempt_files import TRANSCRIPT
from pytest_ptc.model.errors import AgentError
from pytest_ptc.model.trouble import Trouble
from pytest_ptc.system.processes import children
from pytest_ptc.system.strays import end_strays, keep_children
from pytest_ptc.system.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from pytest_ptc.agents.claude.profile import Profile, Surroundings
    from pytest_ptc.interfaces.agent import Job
    from pytest_ptc.interfaces.launch import LaunchFile
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import Verdict

#: Seconds to wait after the provider refused work without saying for how long; doubled for each
#: further time, up to the maximum. By then the client itself has tried ten times.
FIRST_BACKOFF_S, MAX_BACKOFF_S = 5.0, 60.0
#: Seconds between SIGTERM and SIGKILL for a client and the processes of its tools.
TERM_GRACE_S = 0.5


class ClaudeAgent:
    """Does tasks with Claude Code, through claude-agent-sdk."""

    name = "claude"

    def __init__(self, surroundings: Surroundings, sandbox: ClientSandbox) -> None:
        self._surroundings = surroundings
        self._sandbox = sandbox
        self._session: Session | None = None
        self._clearing: asyncio.Task[None] | None = None
        #: The pids of all clients that were started, and of their helper processes.
        self._clients: set[int] = set()
        #: Permanent errors, by the profile whose clients have them.
        self._unfit: dict[Profile, Trouble] = {}

    async def prepare(self, spec: TaskSpec) -> None:
        """Start a client for a task like this one."""
        # A permanent error is kept in `_unfit`; any other comes again with the task.
        with contextlib.suppress(AgentError):
            await self._session_for(self._profile(spec))

    def _profile(self, spec: TaskSpec) -> Profile:
        profile = self._surroundings.profile(spec)
        return replace(profile, sandbox=self._sandbox.words(spec))

    async def run(self, job: Job) -> Verdict | Trouble:
        """Do the job and return what the model recorded, or why that does not count."""
        turn = Turn(job.attempt.task_id, job.spec.schema, job.journal, job.checked)
        log = TurnLog(job)
        try:
            return await self._attempt(job, turn, log)
        except AgentError as error:
            await self._drop()
            # Records from before the error still count.
            return await _outcome(job, turn, error.trouble)
        except BaseException:
            # The attempt's time is over: give client and tools time to end after SIGTERM.
            await self._drop(TERM_GRACE_S)
            raise
        finally:
            log.close()
            end_strays(but=frozenset(self._clients))

    async def close(self) -> None:
        """End the client."""
        if self._clearing is not None:
            self._clearing.cancel()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _attempt(self, job: Job, turn: Turn, log: TurnLog) -> Verdict | Trouble:
        profile = self._profile(job.spec)
        pause = FIRST_BACKOFF_S
        while True:
            session = await self._session_for(profile)
            await _run_turn(session, job, turn, log)
            ended = await _outcome(job, turn)
            self._start_clearing(session)
            if not isinstance(ended, Trouble):
                return ended
            if turn.limit is None and ended.cause not in WAITABLE:
                return ended
            # A second more: the provider's clock may differ from ours.
            wait = max(1.0, turn.limit + 1.0 - time.time()) if turn.limit else pause
            if time.monotonic() + wait >= job.deadline:
                return _past_deadline(ended, wait)
            job.waits(wait, ended.cause.value)
            log.show([f"  . {ended.cause}: retry in {wait:.0f} s"])
            await asyncio.sleep(wait)
            pause = min(2 * pause, MAX_BACKOFF_S)

    async def _session_for(self, profile: Profile) -> Session:
        """Return a client of this profile with a fresh conversation.

        Raises:
            AgentError: It cannot be started.
        """
        if self._clearing is not None:
            # An error in clearing does not concern this task: it gets another client.
            with contextlib.suppress(AgentError):
                await self._clearing
            self._clearing = None
        session = self._session
        # Some versions add up costs over all conversations and compare the sum with one's limit.
        counting = session is not None and profile.budget_usd and session.account.cost_usd
        if session is None or session.profile != profile or counting:
            await self._drop()
            if profile in self._unfit:
                raise AgentError(self._unfit[profile])
            try:
                session = self._session = await self._open_session(profile)
            except AgentError as error:
                if not error.trouble.retryable:
                    self._unfit[profile] = error.trouble
                raise
        return session

    async def _open_session(self, profile: Profile) -> Session:
        cookie = secrets.token_hex(16)
        environ = self._surroundings.environment(profile, {CLIENT_COOKIE: cookie})
        trouble = self._surroundings.problem(profile, environ)
        if trouble is not None:
            raise AgentError(trouble)
        client = self._surroundings.client
        if profile.sandbox:
            environ, client = self._sandbox.environment(environ), self._sandbox.client(profile)
        try:
            return await Session.open(profile, environ, client=client, cookie=cookie)
        finally:
            # The client and its helpers: no task has started a process yet.
            self._clients |= {child.pid for child in children(os.getpid())}
            keep_children()

    def _start_clearing(self, session: Session) -> None:
        """Clear the conversation while the worker reports, so that the next task need not wait."""
        session.turn = None
        # Before `end_strays` ends orphans, which would hide that there were any.
        profile = session.profile
        # What a task may have left in its sandbox must not reach the next one, either.
        left = not profile.harmless and (bool(profile.sandbox) or session.left_running())
        self._clearing = asyncio.create_task(self._clear(session, left=left))

    async def _clear(self, session: Session, *, left: bool) -> None:
        # A process that a task left running must not reach the next task.
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


async def _run_turn(session: Session, job: Job, turn: Turn, log: TurnLog) -> None:
    """Send the prompt, and pass all events to the turn until it ends.

    Raises:
        AgentError: The client ended before its turn did.
    """
    turn.begin()
    session.turn = turn
    before = session.account
    prompt = claude_prompt(
        job.attempt.task_id,
        job.spec.prompt,
        job.spec.schema,
        require_checked=job.spec.require_checked,
    )
    job.about(
        client=f"Claude Code {session.version}",
        session=session.session_id,
        settings=session.profile.facts(),
    )
    job.tool_calls(turn.tool_calls or 0)
    log.asked(prompt, session.session_id)
    try:
        async for event in session.ask(prompt):
            log.event(event)
            turn.take_event(event)
            match event:
                case Retrying(seconds, status, error):
                    if not turn.answered:
                        job.hindered(refused_so_far(error, status))
                    if api_cause(error, status) in WAITABLE:
                        job.waits(seconds, api_cause(error, status).value)
                case Said() | Thought() | Called():
                    turn.answered = True
                    job.hindered(None)
                case Finished(total=total):
                    session.account = total
    finally:
        job.spent(turn.usage(before))
        job.tool_calls(turn.tool_calls or 0)
        job.about(transcript=TRANSCRIPT, **turn.facts)


async def _outcome(job: Job, turn: Turn, trouble: Trouble | None = None) -> Verdict | Trouble:
    await job.journal.settled()
    # In a thread: a schema check may take seconds, and a quit message must not wait.
    return await in_thread(
        lambda: turn.ended(trouble, listed=job.listed, evidence=job.journal.tail)
    )


def _past_deadline(trouble: Trouble, wait: float) -> Trouble:
    until = time.strftime("%H:%M:%S", time.localtime(time.time() + wait))
    message = f"{trouble.message}; the next try, at {until}, would be past the task's timeout"
    return replace(trouble, message=message)


def make(launch: LaunchFile, environ: MutableMapping[str, str]) -> ClaudeAgent:
    """Return the agent that a worker's launch file describes."""
    # The SDK passes all of this process's environment to a client: remove what it must not get.
    for name in set(environ) - set(inherited(environ)):
        environ.pop(name)
    surroundings = surroundings_of(launch, environ)
    return ClaudeAgent(surroundings, ClientSandbox(launch, environ, surroundings.client))
