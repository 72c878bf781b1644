"""Agent `acp`: one warm process of a client, a session for each task."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.acp.diagnosis import model_trouble, stop_trouble, unconnected
from pytest_ptc.agents.acp.permissions import allows, answer, rules_of
from pytest_ptc.agents.acp.process import ClientProcess
from pytest_ptc.agents.acp.recorder import Desk, RecorderServer
from pytest_ptc.agents.acp.surroundings import Surroundings
from pytest_ptc.agents.acp.turn import Turn
from pytest_ptc.agents.acp.updates import Updates
from pytest_ptc.agents.claude.events import Denied, Said
from pytest_ptc.agents.claude.turn_log import TurnLog
from pytest_ptc.agents.instructions import acp_prompt
from pytest_ptc.agents.sandbox.sandbox import is_sandboxed
from pytest_ptc.journal.attempt_files import TRANSCRIPT
from pytest_ptc.model.errors import AgentError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.system.processes import children
from pytest_ptc.system.strays import end_strays, keep_children
from pytest_ptc.system.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_ptc.agents.acp.surroundings import Profile
    from pytest_ptc.agents.claude.events import Event
    from pytest_ptc.interfaces.agent import Job
    from pytest_ptc.interfaces.launch import LaunchFile
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import Verdict

#: Seconds that a client has to end a turn that it was told to cancel.
CANCEL_TIMEOUT_S = 8.0
#: Characters of an attempt's events that are kept and shown: a client in a loop fills no disk.
MAX_LOG_CHARS = 32 * 1024 * 1024
#: Seconds between SIGTERM and SIGKILL for a client and the processes of its tools.
TERM_GRACE_S = 0.5


class AcpAgent:
    """Does tasks with a client of the Agent Client Protocol."""

    def __init__(self, surroundings: Surroundings) -> None:
        name = surroundings.client.name
        self.name = f"acp:{name}" if name else "acp"
        self._surroundings = surroundings
        #: Made with the first client: an agent that is never asked serves nobody.
        self._recorder: RecorderServer | None = None
        self._process: ClientProcess | None = None
        #: The pids of all clients that were started, and of their helper processes.
        self._clients: set[int] = set()
        #: Permanent errors, by the profile whose processes have them.
        self._unfit: dict[Profile, Trouble] = {}

    async def prepare(self, spec: TaskSpec) -> None:
        """Start a client for a task like this one."""
        # A permanent error is kept in `_unfit`; any other comes again with the task.
        with contextlib.suppress(AgentError):
            await self._process_for(self._surroundings.profile(spec))

    async def run(self, job: Job) -> Verdict | Trouble:
        """Do the job and return what the model recorded, or why that does not count."""
        work = _Work(job)
        try:
            return self._explained(await work.outcome(await self._attempt(job, work)))
        except AgentError as error:
            await self._drop()
            # Records from before the error still count.
            return self._explained(await work.outcome(error.trouble))
        except BaseException:
            # The attempt's time is over: give client and tools time to end after SIGTERM.
            await self._drop(TERM_GRACE_S)
            raise
        finally:
            if self._recorder is not None:
                self._recorder.shut()
            work.log.close()
            end_strays(but=frozenset(self._clients))

    async def close(self) -> None:
        """End the client."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()
        process, self._process = self._process, None
        if process is not None:
            await process.close()

    def _explained(self, ended: Verdict | Trouble) -> Verdict | Trouble:
        """Return a missing login with the variables that this client takes it from."""
        names = " or ".join(self._surroundings.client.login)
        if isinstance(ended, Trouble) and ended.cause is Cause.LOGIN and names:
            return replace(ended, message=f"{ended.message} ({names})")
        return ended

    async def _attempt(self, job: Job, work: _Work) -> Trouble | None:
        """Carry the job out; return what went wrong besides what is recorded."""
        spec = job.spec
        trouble = _directory_trouble(spec.cwd) or self._surroundings.project_trouble(spec.cwd)
        if trouble is not None:
            return trouble
        process = await self._process_for(self._surroundings.profile(spec))
        work.log.show([process.name])
        self._recorder = self._recorder or RecorderServer()
        session = await process.new_session(spec.cwd, self._recorder.open(work.desk))
        harmless = work.rules.harmless
        if not harmless:
            process.own()
        self._keep_clients()
        job.about(client=process.name, session=session, transcript=TRANSCRIPT)
        if process.model is not None:
            job.about(model=process.model)
        trouble = model_trouble(process.name, spec.model, process.model)
        if trouble is not None:
            return trouble
        process.note, process.permit = work.note_of(session), work.permit
        try:
            trouble = await work.converse(process, session)
        finally:
            process.note = process.permit = None
        # Before `end_strays` ends orphans, which would hide that there were any.
        # What a task may have left in its sandbox must not reach the next one, either.
        left = not harmless and (is_sandboxed(spec) or process.left_running())
        if work.stuck or left:
            await self._drop()
        else:
            process.forget(session)
        return trouble

    async def _process_for(self, profile: Profile) -> ClientProcess:
        """Return a client of this profile.

        Raises:
            AgentError: It cannot be started.
        """
        process = self._process
        if process is not None and process.alive and process.profile == profile:
            return process
        await self._drop()
        if profile in self._unfit:
            raise AgentError(self._unfit[profile])
        surroundings = self._surroundings
        try:
            surroundings.make_home(dict(profile.environ))
            name = surroundings.client.name or os.path.basename(profile.argv[0])  # noqa: PTH119
            self._process = await ClientProcess.open(name, profile, surroundings.home)
        except OSError as error:
            message = f"the client's home cannot be made: {error}"
            raise AgentError(Trouble(cause=Cause.MACHINERY, message=message)) from error
        except AgentError as error:
            if not error.trouble.retryable:
                self._unfit[profile] = error.trouble
            raise
        finally:
            self._keep_clients()
        return self._process

    def _keep_clients(self) -> None:
        """Take all children for clients and their helpers: no task has started a process yet."""
        self._clients |= {child.pid for child in children(os.getpid())}
        keep_children()

    async def _drop(self, grace: float = 0.0) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.kill(grace)


class _Work:
    """One job: its conversation with the client, and what comes of it."""

    def __init__(self, job: Job) -> None:
        self.rules = rules_of(job.spec)
        self.log = TurnLog(job)
        #: Whether the client did not end its turn when it was told to.
        self.stuck = False
        self._job = job
        self._turn = Turn(job.attempt.task_id, job.spec.schema, job.journal, job.checked)
        self._updates = Updates()
        self._recorded = asyncio.Event()
        self._denied: list[str] = []
        self._logged = 0
        loop = asyncio.get_running_loop()

        def recorded() -> None:
            loop.call_soon_threadsafe(self._recorded.set)

        self.desk = Desk(self._turn, recorded)

    async def converse(self, process: ClientProcess, session: str) -> Trouble | None:
        """Have the client do the task until a verdict is recorded, or it gives up."""
        spec = self._job.spec
        text: str | None = acp_prompt(
            self._job.attempt.task_id,
            spec.prompt,
            spec.schema,
            require_checked=spec.require_checked,
        )
        assert text is not None
        self.log.asked(text, session)
        while text is not None:
            before = len(self._denied)
            trouble = await self._prompt(process, session, text)
            denied = len(self._denied) > before
            if self._turn.recorded:
                return None
            if trouble is None and not self.desk.connected:
                trouble = unconnected(process.name)
            # A call that was not allowed ends the turn of some clients.
            if trouble is not None and not (denied and trouble.cause is Cause.CANCELLED):
                return trouble
            text = self._turn.reminder(denied=denied)
            if text is not None:
                self.log.show([f"  . {text}"])
        return None

    async def outcome(self, trouble: Trouble | None) -> Verdict | Trouble:
        """Return the recorded verdict, or why there is none."""
        self._see(self._updates.flush())
        self._turn.shown(self._updates.recordings)
        await self._job.journal.settled()
        # In a thread, as all that checks what a model has sent.
        ended = await in_thread(self._turn.settled, trouble)
        if isinstance(ended, Trouble):
            seen = "\n".join(filter(None, (self._job.journal.tail(), ended.evidence)))
            return replace(ended, evidence=seen)
        return ended

    def note_of(self, session: str) -> Any:
        """Return what takes the updates of a session."""

        def note(method: str, params: Mapping[str, Any]) -> None:
            update = params.get("update")
            ours = method == "session/update" and params.get("sessionId") == session
            if ours and isinstance(update, dict):
                self._see(self._updates.take(update))
                self._job.tool_calls(self._updates.tool_calls)

        return note

    def permit(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer a request for permission by the task's rules."""
        call, options = params.get("toolCall"), params.get("options")
        call = self._updates.asked(call) if isinstance(call, dict) else {}
        if self._recorded.is_set():
            # The turn is cancelled: nothing more is carried out.
            return {"outcome": {"outcome": "cancelled"}}
        allowed = allows(self.rules, call)
        if not allowed:
            name = str(call.get("title") or call.get("kind"))
            self._denied.append(name[:200])
            self._see([Denied(name)])
        given = options if isinstance(options, list) else []
        return answer([one for one in given if isinstance(one, dict)], allowed=allowed)

    async def _prompt(self, process: ClientProcess, session: str, text: str) -> Trouble | None:
        """Send one prompt and wait for the end of its turn, which a recording brings about."""
        asking = asyncio.ensure_future(process.prompt(session, text))
        waiting = asyncio.ensure_future(self._recorded.wait())
        result: Mapping[str, Any] | None = None
        try:
            await asyncio.wait([asking, waiting], return_when=asyncio.FIRST_COMPLETED)
            if self._recorded.is_set() and not asking.done():
                process.cancel(session)
                await asyncio.wait([asking], timeout=CANCEL_TIMEOUT_S)
            if self._recorded.is_set():
                # Not after any other turn: the next one may record.
                self.desk.release()
            if not asking.done():
                self.stuck = True
                return None
            result = await asking
            return None if self._recorded.is_set() else stop_trouble(process.name, _reason(result))
        except AgentError as error:
            self.stuck = not process.alive
            # Some clients answer a cancelled turn with an error.
            return None if self._recorded.is_set() else error.trouble
        finally:
            asking.cancel()
            waiting.cancel()
            self._see(self._updates.flush())
            usage = self._updates.usage(result)
            if usage is not None:
                self._job.spent(usage)
            self._job.tool_calls(self._updates.tool_calls)
            self._job.about(denied=list(self._denied))

    def _see(self, events: Iterable[Event]) -> None:
        for event in events:
            if self._logged <= MAX_LOG_CHARS:
                self._logged += len(repr(event))
                self.log.event(event)
                if self._logged > MAX_LOG_CHARS:
                    self.log.show(["[the rest is not kept: the client says too much]"])
            if isinstance(event, Said):
                self._turn.said(event.text)


def _reason(result: Mapping[str, Any]) -> object:
    return result.get("stopReason")


def _directory_trouble(cwd: str) -> Trouble | None:
    if os.path.isdir(cwd):  # noqa: PTH112
        return None
    message = f"its directory {cwd} no longer exists"
    return Trouble(cause=Cause.AGENT_MISSING, message=message)


def make(launch: LaunchFile, environ: Mapping[str, str]) -> AcpAgent:
    """Return the agent that a worker's launch file describes."""
    return AcpAgent(Surroundings(launch, environ))
