"""The edge to Claude Code: one client process through claude-agent-sdk, one conversation at a time.

The SDK's messages and errors are translated here; none of its types goes further.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.claude import sdk
from pytest_ptc.agents.claude.diagnosis import RECORDING_TOOL, preflight
from pytest_ptc.agents.claude.events import Began, Event, Finished
from pytest_ptc.agents.claude.sdk_messages import events_of
from pytest_ptc.agents.claude.turn import Answer
from pytest_ptc.model.errors import AgentError
from pytest_ptc.model.result import Usage
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.system.processes import (
    ProcessIdentity,
    children,
    end_marked,
    end_tree_and_marked,
    marked,
)
from pytest_ptc.system.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from pytest_ptc.agents.claude.profile import Profile
    from pytest_ptc.agents.claude.turn import Turn

#: The longest message read from the client: a tool's result may be a large file.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
#: Seconds that a client has to start, measured with four at once on a busy machine.
START_TIMEOUT_S = 60.0
#: Seconds that a client has to end by itself. One alone needs 0.1. Of several that end at once,
#: some wait for seconds for a lock that nobody holds, to count their starts: those are killed.
DISCONNECT_TIMEOUT_S = 0.3

#: The process's mark in its environment, unique to it.
CLIENT_COOKIE = "PTC_CLIENT"


class Session:
    """One Claude Code process, made by `open`.

    Args:
        profile: What it was started with.
        cookie: The value of `CLIENT_COOKIE` in the environment of all that it starts.
    """

    def __init__(self, profile: Profile, cookie: str) -> None:
        self.profile = profile
        self.version = ""
        self.session_id = ""
        #: The client's usage at the start of the conversation: some versions keep counting over
        #: several.
        self.account = Usage(cost_usd=0.0)
        #: The current attempt; None between tasks, when nothing can be recorded.
        self.turn: Turn | None = None
        self._cookie = cookie
        self._client: Any = None
        self._process: ProcessIdentity | None = None
        self._own: frozenset[ProcessIdentity] = frozenset()
        self._complaints: deque[str] = deque(maxlen=40)

    def __repr__(self) -> str:
        return f"<Session of Claude Code {self.version} {self.session_id}>"

    @classmethod
    async def open(
        cls,
        profile: Profile,
        environ: Mapping[str, str],
        *,
        client: Path | None,
        cookie: str,
    ) -> Session:
        """Start a client and check it, without a request to the model.

        Args:
            profile: What it is started with.
            environ: Its whole environment; the worker's own must hold no other variable.
            client: The program; None for the one that the SDK brings.
            cookie: The mark of its processes.

        Raises:
            AgentError: It cannot be used.
        """
        session = cls(profile, cookie)
        try:
            await asyncio.wait_for(session._start(environ, client), START_TIMEOUT_S)
        except asyncio.TimeoutError:
            await session.kill()
            raise AgentError(
                Trouble(
                    cause=Cause.AGENT_FAILED,
                    message=f"Claude Code did not start within {START_TIMEOUT_S:g} s",
                    evidence=session.complaints,
                )
            ) from None
        except BaseException:
            await session.kill()
            raise
        return session

    @property
    def complaints(self) -> str:
        """Return the last lines of the client's standard error."""
        return "\n".join(self._complaints)

    async def ask(self, text: str) -> AsyncGenerator[Event, None]:
        """Send a prompt and yield the events that follow, with a `Finished` last.

        Raises:
            AgentError: The client ended before its turn did.
        """
        with _client_errors(self):
            await self._client.query(_verbatim(text))
            async with contextlib.aclosing(self._events()) as events:
                async for event in events:
                    yield event
                    if isinstance(event, Finished):
                        return
        raise AgentError(self._early_end())

    async def clear(self) -> None:
        """Begin a fresh conversation.

        Raises:
            AgentError: It failed; the client must not be used any more.
        """
        before, began = self.session_id, None
        with _client_errors(self):
            await self._client.query("/clear")
            async with contextlib.aclosing(self._events()) as events:
                async for event in events:
                    if isinstance(event, Began):
                        began = event
                    if isinstance(event, Finished):
                        self.account = event.total
                        self.session_id = event.session_id
                        break
                else:
                    raise AgentError(self._early_end())
        if began is None or self.session_id == before:
            message = "Claude Code did not begin a fresh conversation"
            raise AgentError(Trouble(cause=Cause.AGENT_FAILED, message=message))
        self.version = self.version or began.version
        account = (await self._client.get_server_info() or {}).get("account")
        problem = preflight(version=began.version, tools=began.tools, account=account)
        if problem is not None:
            raise AgentError(problem)

    def left_running(self) -> bool:
        """Tell whether a process that a task has started still runs."""
        return bool(marked(CLIENT_COOKIE, self._cookie) - self._own)

    async def close(self) -> None:
        """End the client in order, then by force."""
        if self._client is not None and self._process is not None and self._process.alive:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._client.disconnect(), DISCONNECT_TIMEOUT_S)
        await self.kill()

    async def kill(self, grace: float = 0.0) -> None:
        """End the client and all that it has started, at once or after a grace."""
        if grace:
            # In a thread: what the client sends after SIGTERM is still read.
            await asyncio.to_thread(self._end, grace)
        self._end(0.0)
        if self._client is not None:
            # Its process has ended: this only ends the SDK's own asyncio tasks.
            with contextlib.suppress(Exception):
                await asyncio.shield(self._client.disconnect())
            self._client = None

    def _end(self, grace: float) -> None:
        if self._process is not None:
            # With its sandbox, all in it would end at once.
            last = bool(self.profile.sandbox)
            end_tree_and_marked(self._process, CLIENT_COOKIE, self._cookie, grace, root_last=last)
        else:
            end_marked(CLIENT_COOKIE, self._cookie, grace)

    async def _start(self, environ: Mapping[str, str], client: Path | None) -> None:
        try:
            module = sdk.load()
        except ImportError as error:
            raise AgentError(
                Trouble(
                    cause=Cause.AGENT_MISSING,
                    message=f"claude-agent-sdk cannot be used: {error}; install pytest-ptc[claude]",
                )
            ) from error
        profile = self.profile
        options = module.ClaudeAgentOptions(
            tools=list(profile.tools),
            allowed_tools=list(profile.allowed),
            disallowed_tools=list(profile.denied),
            permission_mode=profile.permission_mode,
            setting_sources=list(profile.setting_sources),
            strict_mcp_config=not profile.setting_sources,
            model=profile.model,
            max_turns=profile.max_turns,
            max_budget_usd=profile.budget_usd,
            cwd=profile.cwd,
            cli_path=client,
            env=dict(environ),
            max_buffer_size=MAX_MESSAGE_BYTES,
            stderr=self._complaints.append,
            hooks={
                "PreToolUse": [
                    module.HookMatcher(matcher=RECORDING_TOOL, hooks=[self._before_update])
                ],
                "PostToolUse": [
                    module.HookMatcher(matcher=RECORDING_TOOL, hooks=[self._after_update])
                ],
                "PostToolUseFailure": [
                    module.HookMatcher(matcher=RECORDING_TOOL, hooks=[self._after_update])
                ],
                "Stop": [module.HookMatcher(hooks=[self._before_stop])],
            },
        )
        self._client = module.ClaudeSDKClient(options)
        with _client_errors(self):
            await self._client.connect()
            info = await self._client.get_server_info() or {}
        self._process = self._found(info.get("pid"))
        self.version = str(info.get("claude_code_version") or "")
        await self.clear()
        self._own = marked(CLIENT_COOKIE, self._cookie)

    def _found(self, pid: object) -> ProcessIdentity | None:
        """Return its process: it knows its own pid, but not from the inside of a sandbox."""
        if self.profile.sandbox:
            ours = marked(CLIENT_COOKIE, self._cookie) & children(os.getpid())
            return next(iter(ours), None)
        return ProcessIdentity.of(pid) if isinstance(pid, int) else None

    async def _events(self) -> AsyncGenerator[Event, None]:
        async with contextlib.aclosing(self._client.receive_messages()) as messages:
            async for message in messages:
                for event in events_of(message):
                    yield event

    def _early_end(self) -> Trouble:
        return Trouble(
            cause=Cause.AGENT_FAILED,
            message="Claude Code ended in the middle of its turn",
            evidence=self.complaints,
        )

    # Hooks of the client, answered by the turn.

    async def _before_update(
        self, given: Mapping[str, Any], call_id: str | None, _: Any
    ) -> dict[str, Any]:
        if self.turn is None:
            return _sdk_answer(Answer(denied="No task is running."))
        # In a thread: a schema check may take seconds, and a quit message must not wait.
        return _sdk_answer(
            await in_thread(self.turn.before_update, call_id or "", given["tool_input"])
        )

    async def _after_update(
        self, given: Mapping[str, Any], call_id: str | None, _: Any
    ) -> dict[str, Any]:
        if self.turn is None:
            return {}
        return _sdk_answer(self.turn.after_update(call_id or "", given.get("tool_response")))

    async def _before_stop(self, *_: Any) -> dict[str, Any]:
        return {} if self.turn is None else _sdk_answer(self.turn.before_stop())


def _sdk_answer(answer: Answer) -> dict[str, Any]:
    """Return an answer as the SDK takes it: `continue` is a keyword of Python's."""
    return {
        "continue_" if name == "continue" else name: value
        for name, value in answer.to_json().items()
    }


async def _verbatim(text: str) -> AsyncIterator[dict[str, Any]]:
    """Yield the prompt as a message in which the client expands nothing.

    Otherwise `@path` in a text under review would read a file, and `/name` would be a command.
    Clients before 2.1.248 ignore `client_composed`, and expand paths.
    """
    yield {
        "type": "user",
        "message": {"role": "user", "content": text},
        "parent_tool_use_id": None,
        "client_composed": True,
    }


@contextlib.contextmanager
def _client_errors(session: Session) -> Iterator[None]:
    """Translate what the SDK raises."""
    module = sdk.load()
    try:
        yield
    except module.CLINotFoundError as error:
        message = f"{error}".splitlines()[0]
        raise AgentError(Trouble(cause=Cause.AGENT_MISSING, message=message)) from error
    except module.ClaudeSDKError as error:
        ended = getattr(error, "exit_code", None)
        message = f"Claude Code ended with status {ended}" if ended is not None else f"{error}"
        trouble = Trouble(cause=Cause.AGENT_FAILED, message=message, evidence=session.complaints)
        raise AgentError(trouble) from error
