"""One process of a client: its start, its sessions, its end. Errors of its become troubles here."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.acp.connection import (
    MAX_LINE_BYTES,
    BrokenConnectionError,
    Connection,
    RpcError,
)
from pytest_ptc.agents.acp.diagnosis import (
    AUTH_REQUIRED,
    error_text,
    login_trouble,
    prompt_trouble,
    protocol_trouble,
    session_trouble,
)
from pytest_ptc.agents.acp.permissions import SERVER
from pytest_ptc.model.errors import AgentError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.system.processes import ProcessIdentity, end_marked, end_tree_and_marked, marked
from pytest_ptc.text.printable import utf8
from pytest_ptc.verdicts.endings import describe_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_ptc.agents.acp.surroundings import Profile

#: Seconds that a client has to start, and to begin a session; the slowest needs 18 s of the first
#: with four at once on a busy machine.
START_TIMEOUT_S, SESSION_TIMEOUT_S = 90.0, 60.0
#: Seconds that a client has to end by itself when its standard input is closed.
CLOSE_TIMEOUT_S = 0.3
#: Seconds for the exit status of a client whose pipes have ended.
_STATUS_TIMEOUT_S = 1.0
#: The process's mark in its environment, unique to it.
CLIENT_COOKIE = "PTC_CLIENT"
PROTOCOL_VERSION = 1
_MAX_COMPLAINTS = 8192


class ClientProcess:
    """A client that was started by `open`.

    Args:
        name: What it is called in messages, until it says its own name.
        profile: What it was started with.
    """

    def __init__(self, name: str, profile: Profile) -> None:
        self.name = name
        self.profile = profile
        self.pid = 0
        #: The model of the last session, in the client's own words; None if it does not say.
        self.model: str | None = None
        #: What hears of updates, and answers requests for permission; None between tasks.
        self.note: Callable[[str, Mapping[str, Any]], None] | None = None
        self.permit: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
        self._cookie = secrets.token_hex(16)
        self._process: asyncio.subprocess.Process | None = None
        self._identity: ProcessIdentity | None = None
        self._connection: Connection | None = None
        self._complaints = bytearray()
        self._listening: asyncio.Task[None] | None = None
        self._own: frozenset[ProcessIdentity] = frozenset()
        self._closes_sessions = False
        self._closing: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<ClientProcess {self.name} {self.pid}>"

    @classmethod
    async def open(cls, name: str, profile: Profile, folder: Path) -> ClientProcess:
        """Start a client and greet it, without a request to a model.

        Args:
            name: What it is called in messages.
            profile: What it is started with.
            folder: Where it is started.

        Raises:
            AgentError: It cannot be used.
        """
        client = cls(name, profile)
        try:
            await asyncio.wait_for(client._start(folder), START_TIMEOUT_S)
        except asyncio.TimeoutError:
            await client.kill()
            message = f"{name} did not start within {START_TIMEOUT_S:g} s"
            raise AgentError(client._trouble(Cause.AGENT_FAILED, message)) from None
        except BaseException:
            await client.kill()
            raise
        return client

    @property
    def alive(self) -> bool:
        """Tell whether it can be asked."""
        process, connection = self._process, self._connection
        running = process is not None and process.returncode is None
        return running and connection is not None and not connection.broken

    @property
    def complaints(self) -> str:
        """Return the last lines of its standard error."""
        return "\n".join(self._complaints.decode("utf-8", "replace").splitlines()[-20:])

    async def new_session(self, cwd: str, recorder: str) -> str:
        """Begin a session in a directory, with our server of tools, and return its id.

        Raises:
            AgentError: It was refused, or the client has ended.
        """
        server = {"type": "http", "name": SERVER, "url": recorder, "headers": []}
        call = self._call("session/new", {"cwd": cwd, "mcpServers": [server]})
        try:
            result = await asyncio.wait_for(call, SESSION_TIMEOUT_S)
        except RpcError as error:
            trouble = session_trouble(self.name, error.error)
            raise AgentError(self._with_complaints(trouble)) from error
        except asyncio.TimeoutError:
            message = f"{self.name} began no session within {SESSION_TIMEOUT_S:g} s"
            raise AgentError(self._trouble(Cause.AGENT_FAILED, message)) from None
        session = result.get("sessionId") if isinstance(result, dict) else None
        if not isinstance(session, str) or not session:
            raise AgentError(protocol_trouble(self.name, "its new session has no id"))
        self.model = _model(result)
        return session

    async def prompt(self, session: str, text: str) -> Mapping[str, Any]:
        """Send a prompt, and return the result of its turn.

        Raises:
            AgentError: It ended with an error, or the client has ended.
        """
        prompt = [{"type": "text", "text": text}]
        try:
            result = await self._call("session/prompt", {"sessionId": session, "prompt": prompt})
        except RpcError as error:
            trouble = prompt_trouble(self.name, error.error)
            raise AgentError(self._with_complaints(trouble)) from error
        if not isinstance(result, dict):
            raise AgentError(protocol_trouble(self.name, "a turn ended without a result"))
        return result

    def cancel(self, session: str) -> None:
        """Ask for the end of a session's turn."""
        if self._connection is not None:
            self._connection.tell("session/cancel", {"sessionId": session})

    def forget(self, session: str) -> None:
        """Have the client drop a session, if it can."""
        if self._closes_sessions and self._connection is not None:
            closing = asyncio.create_task(self._forget(self._connection, session))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def own(self) -> None:
        """Take all its processes for its own: no task has started one yet."""
        self._own = marked(CLIENT_COOKIE, self._cookie)

    def left_running(self) -> bool:
        """Tell whether a process that a task has started still runs."""
        return bool(marked(CLIENT_COOKIE, self._cookie) - self._own)

    async def close(self) -> None:
        """End it in order, then by force: some end neither on closed input nor on SIGTERM."""
        if self._process is not None and self._process.returncode is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._process.wait(), CLOSE_TIMEOUT_S)
        await self.kill()

    async def kill(self, grace: float = 0.0) -> None:
        """End it and all that it has started, at once or after a grace."""
        if grace:
            # In a thread: what it records after SIGTERM is still taken.
            await asyncio.to_thread(self._end, grace)
        self._end(0.0)
        if self._process is not None:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._process.wait(), _STATUS_TIMEOUT_S)
            # What has left its tree may hold its pipes open: they are not read to their ends.
            transport = self._process._transport  # type: ignore[attr-defined]  # noqa: SLF001
            transport.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        for task in (*self._closing, *([self._listening] if self._listening else [])):
            task.cancel()

    def _end(self, grace: float) -> None:
        if self._identity is not None:
            # With its sandbox, all in it would end at once.
            last = bool(self.profile.sandbox)
            end_tree_and_marked(self._identity, CLIENT_COOKIE, self._cookie, grace, root_last=last)
        else:
            end_marked(CLIENT_COOKIE, self._cookie, grace)

    async def _start(self, folder: Path) -> None:
        environ = {**dict(self.profile.environ), CLIENT_COOKIE: self._cookie}
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self.profile.sandbox,
                *self.profile.argv,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                cwd=folder,
                env=environ,
                limit=MAX_LINE_BYTES,
                # A group of its own, so that all of it can be ended at once.
                start_new_session=True,
            )
        except OSError as error:
            message = f"{self.profile.argv[0]}: {error.strerror or error}"
            raise AgentError(Trouble(cause=Cause.AGENT_MISSING, message=message)) from error
        self._process, self.pid = process, process.pid
        self._identity = ProcessIdentity.of(process.pid)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._listening = asyncio.create_task(self._listen(process.stderr))
        self._connection = Connection(
            process.stdout,
            process.stdin,
            note=lambda method, params: self.note(method, params) if self.note else None,
            ask=self._ask,
            stray=lambda line: self._complain(utf8(line + "\n")),
        )
        await self._greet()

    async def _greet(self) -> None:
        hello = {
            "protocolVersion": PROTOCOL_VERSION,
            # It reads and writes files by itself.
            "clientCapabilities": {},
            "clientInfo": {"name": "pytest-ptc", "version": "1"},
        }
        try:
            result = await self._call("initialize", hello)
        except RpcError as error:
            text = error_text(error.error)
            if error.error.get("code") == AUTH_REQUIRED:
                raise AgentError(login_trouble(self.name, text)) from error
            message = f"{self.name} did not begin: {text}"
            raise AgentError(self._trouble(Cause.AGENT_FAILED, message)) from error
        if not isinstance(result, dict) or result.get("protocolVersion") != PROTOCOL_VERSION:
            version = result.get("protocolVersion") if isinstance(result, dict) else None
            problem = f"it speaks version {version!r:.80}, not {PROTOCOL_VERSION}"
            raise AgentError(protocol_trouble(self.name, problem))
        if not _nested(result, "agentCapabilities", "mcpCapabilities", "http"):
            message = f"{self.name} takes no MCP servers over HTTP, so it cannot record"
            raise AgentError(self._trouble(Cause.RECORDER, message))
        closes = _nested(result, "agentCapabilities", "sessionCapabilities", "close")
        self._closes_sessions = closes is not None
        title = _nested(result, "agentInfo", "title") or _nested(result, "agentInfo", "name")
        number = _nested(result, "agentInfo", "version")
        if isinstance(title, str):
            self.name = f"{title} {number}" if isinstance(number, str) else title

    async def _call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Send a request and return its result.

        Raises:
            RpcError: The client answered with an error.
            AgentError: It has ended, or sent what cannot be read.
        """
        assert self._connection is not None
        try:
            return await self._connection.call(method, params)
        except BrokenConnectionError as error:
            if error.protocol:
                raise AgentError(protocol_trouble(self.name, str(error))) from error
            raise AgentError(await self._ended(str(error))) from error

    async def _ended(self, why: str) -> Trouble:
        assert self._process is not None
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._process.wait()), _STATUS_TIMEOUT_S)
        status = self._process.returncode
        if status is not None:
            why = f"it ended with {describe_status(status)}"
        return self._trouble(Cause.AGENT_FAILED, f"{self.name}: {why}")

    async def _forget(self, connection: Connection, session: str) -> None:
        with contextlib.suppress(Exception):
            closing = connection.call("session/close", {"sessionId": session})
            await asyncio.wait_for(closing, SESSION_TIMEOUT_S)

    async def _listen(self, pipe: asyncio.StreamReader) -> None:
        while piece := await pipe.read(4096):
            self._complain(piece)

    def _complain(self, piece: bytes) -> None:
        self._complaints += piece
        del self._complaints[:-_MAX_COMPLAINTS]

    def _ask(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if method != "session/request_permission":
            return None
        if self.permit is None:
            return {"outcome": {"outcome": "cancelled"}}
        return self.permit(params)

    def _trouble(self, cause: Cause, message: str) -> Trouble:
        return Trouble(cause=cause, message=message, evidence=self.complaints)

    def _with_complaints(self, trouble: Trouble) -> Trouble:
        return self._trouble(trouble.cause, trouble.message)


def _model(session: Mapping[str, Any]) -> str | None:
    """Return the model that a client says a new session has."""
    options = session.get("configOptions")
    for option in options if isinstance(options, list) else ():
        if isinstance(option, dict) and option.get("category") == "model":
            value = option.get("currentValue")
            return value if isinstance(value, str) else None
    value = _nested(session, "models", "currentModelId")
    return value if isinstance(value, str) else None


def _nested(value: object, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
