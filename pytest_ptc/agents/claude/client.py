"""The edge to Claude Code: one client process through claude-agent-sdk, one conversation at a time.

Everything the SDK says is translated here, its errors too; nothing of it goes further.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.claude import sdk
from pytest_ptc.agents.claude.diagnosis import RECORDING_TOOL, preflight
from pytest_ptc.agents.claude.events import (
    Began,
    Called,
    Denied,
    Event,
    Failed,
    Finished,
    Limited,
    Retrying,
    Returned,
    Said,
    Thought,
    Used,
    usage_of,
)
from pytest_ptc.agents.claude.recorder import denial
from pytest_ptc.model.errors import AgentError
from pytest_ptc.model.result import Usage
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.system.processes import ProcessIdentity, end_marked, end_tree_and_marked, marked
from pytest_ptc.system.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from pytest_ptc.agents.claude.profile import Profile
    from pytest_ptc.agents.claude.recorder import Recorder

#: Longest message read from the client, in bytes: a tool's result may be a large file.
LONGEST_MESSAGE = 64 * 1024 * 1024
#: Seconds that a client has to start and to clear a conversation; four at once on a busy machine.
PATIENCE = 60.0
#: Seconds that a client has to end by itself. One alone needs 0.1; of several that end at once,
#: some wait by turns, for seconds, for a lock that nobody holds, to count their own starts.
GRACE = 0.3

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
        #: The client's account at the beginning of the conversation: some versions go on counting.
        self.account = Usage(cost_usd=0.0)
        #: The door to the shared list; between tasks it is shut.
        self.recorder: Recorder | None = None
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
        """Start a client and find out, without a request to the model, whether it will do.

        Args:
            profile: What it is started with.
            environ: Its whole environment; the worker's own must hold nothing beside it.
            client: The program; None for the one that the SDK brings.
            cookie: The mark of its processes.

        Raises:
            AgentError: It will not do.
        """
        session = cls(profile, cookie)
        try:
            await asyncio.wait_for(session._start(environ, client), PATIENCE)
        except asyncio.TimeoutError:
            await session.kill()
            raise AgentError(
                Trouble(
                    cause=Cause.AGENT_FAILED,
                    message=f"Claude Code did not start within {PATIENCE:g} s",
                    evidence=session.complaints,
                )
            ) from None
        except BaseException:
            await session.kill()
            raise
        return session

    @property
    def complaints(self) -> str:
        """Return the last lines that the client printed as errors."""
        return "\n".join(self._complaints)

    async def ask(self, text: str) -> AsyncGenerator[Event, None]:
        """Send a prompt and yield what follows, a `Finished` last.

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
        raise AgentError(self._gone())

    async def clear(self) -> None:
        """Begin a fresh conversation.

        Raises:
            AgentError: The client did not do that; it must not be used any more.
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
                    raise AgentError(self._gone())
        if began is None or self.session_id == before:
            message = "Claude Code did not begin a fresh conversation"
            raise AgentError(Trouble(cause=Cause.AGENT_FAILED, message=message))
        self.version = self.version or began.version
        account = (await self._client.get_server_info() or {}).get("account")
        problem = preflight(version=began.version, tools=began.tools, account=account)
        if problem is not None:
            raise AgentError(problem)

    def left_running(self) -> bool:
        """Tell whether something lives on that a task has started."""
        return bool(marked(CLIENT_COOKIE, self._cookie) - self._own)

    async def close(self) -> None:
        """End the client in order, then by force."""
        if self._client is not None and self._process is not None and self._process.alive:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._client.disconnect(), GRACE)
        await self.kill()

    async def kill(self, grace: float = 0.0) -> None:
        """End the client and all that it has started, at once or after a grace."""
        if grace:
            # In a thread: what the client says when it is asked to end is still read.
            await asyncio.to_thread(self._end, grace)
        self._end(0.0)
        if self._client is not None:
            # With its process gone this only takes the SDK's own tasks down.
            with contextlib.suppress(Exception):
                await asyncio.shield(self._client.disconnect())
            self._client = None

    def _end(self, grace: float) -> None:
        if self._process is not None:
            end_tree_and_marked(self._process, CLIENT_COOKIE, self._cookie, grace)
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
            max_buffer_size=LONGEST_MESSAGE,
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
        pid = info.get("pid")
        self._process = ProcessIdentity.of(pid) if isinstance(pid, int) else None
        self.version = str(info.get("claude_code_version") or "")
        await self.clear()
        self._own = marked(CLIENT_COOKIE, self._cookie)

    async def _events(self) -> AsyncGenerator[Event, None]:
        async with contextlib.aclosing(self._client.receive_messages()) as messages:
            async for message in messages:
                for event in _translated(message):
                    yield event

    def _gone(self) -> Trouble:
        return Trouble(
            cause=Cause.AGENT_FAILED,
            message="Claude Code ended in the middle of its turn",
            evidence=self.complaints,
        )

    # Hooks: the client asks, the recorder answers.

    async def _before_update(
        self, given: Mapping[str, Any], call_id: str | None, _: Any
    ) -> dict[str, Any]:
        if self.recorder is None:
            reason: str | None = "There is no task at the moment."
        else:
            # In a thread: held to a schema, its data may take seconds, and a quit must be heard.
            reason = await in_thread(self.recorder.update, call_id or "", given["tool_input"])
        return {} if reason is None else denial(reason)

    async def _after_update(
        self, given: Mapping[str, Any], call_id: str | None, _: Any
    ) -> dict[str, Any]:
        response = given.get("tool_response")
        if self.recorder is not None and self.recorder.carried_out(call_id or "", response):
            return {"continue_": False, "stopReason": "the verdict is recorded"}
        return {}

    async def _before_stop(self, *_: Any) -> dict[str, Any]:
        reason = self.recorder.reminder() if self.recorder is not None else None
        return {} if reason is None else {"decision": "block", "reason": reason}


async def _verbatim(text: str) -> AsyncIterator[dict[str, Any]]:
    """Yield the prompt as a message in which the client expands nothing.

    Otherwise `@path` in a text under review would read a file, and `/name` would be a command.
    Clients before 2.1.248 do not know the mark, and expand paths.
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


def _translated(message: Any) -> list[Event]:
    """Return what one of the SDK's messages says, in our words."""
    match type(message).__name__:
        case "AssistantMessage":
            return _answer(message)
        case "UserMessage":
            return [_returned(block) for block in _blocks(message, "ToolResultBlock")]
        case "SystemMessage":
            return _notice(message.subtype, message.data)
        case "RateLimitEvent" if message.rate_limit_info.status == "rejected":
            return [Limited(message.rate_limit_info.resets_at)]
        case "ResultMessage":
            return [_finished(message)]
    return []


def _answer(message: Any) -> list[Event]:
    if message.error is not None:
        text = " ".join(block.text for block in _blocks(message, "TextBlock"))
        return [Failed(message.error, text)]
    events: list[Event] = []
    for block in message.content:
        match type(block).__name__:
            case "TextBlock":
                events.append(Said(block.text))
            case "ThinkingBlock":
                events.append(Thought(block.thinking))
            case "ToolUseBlock":
                events.append(Called(block.id, block.name, block.input, message.message_id or ""))
    if message.message_id and message.usage:
        events.append(Used(message.message_id, usage_of(message.usage)))
    return events


def _blocks(message: Any, kind: str) -> list[Any]:
    content = message.content if isinstance(message.content, list) else []
    return [block for block in content if type(block).__name__ == kind]


def _returned(block: Any) -> Event:
    content = block.content
    if isinstance(content, list):
        content = "\n".join(part.get("text", "") for part in content if isinstance(part, dict))
    return Returned(block.tool_use_id, content or "", bool(block.is_error))


def _notice(subtype: str, data: Mapping[str, Any]) -> list[Event]:
    match subtype:
        case "init":
            return [
                Began(
                    session_id=data["session_id"],
                    tools=tuple(data.get("tools", ())),
                    version=str(data.get("claude_code_version") or ""),
                    model=str(data.get("model") or ""),
                )
            ]
        case "api_retry":
            seconds = data.get("retry_delay_ms", 0) / 1000
            return [Retrying(seconds, data.get("error_status"), str(data.get("error")))]
        case "permission_denied":
            return [Denied(str(data.get("tool_name")))]
    return []


def _finished(message: Any) -> Finished:
    said = message.result or "; ".join(message.errors or ())
    denials = (denial.get("tool_name", "") for denial in message.permission_denials or ())
    return Finished(
        subtype=message.subtype,
        is_error=message.is_error,
        session_id=message.session_id,
        status=message.api_error_status,
        terminal_reason=message.terminal_reason,
        stop_reason=message.stop_reason,
        text=said or "",
        turns=message.num_turns,
        total=_total(message),
        denied=tuple(denials),
    )


def _total(message: Any) -> Usage:
    """Return the client's account: of all its models, those of subagents too."""
    names = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    models = (message.model_usage or {}).values()
    numbers = [sum(int(model.get(name) or 0) for model in models) for name in names]
    return Usage.of(numbers, message.total_cost_usd)
