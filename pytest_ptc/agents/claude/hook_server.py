"""The server for the hooks of an interactive session; a turn answers them."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.claude import hook_client
from pytest_ptc.agents.claude.diagnosis import RECORDING_TOOL
from pytest_ptc.agents.claude.turn import Answer
from pytest_ptc.system.peers import is_ours
from pytest_ptc.system.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_ptc.agents.claude.turn import Turn

#: The variable that holds the key of a hook's call; other processes do not have it.
HOOK_KEY = hook_client.KEY

#: The longest call of a hook that is read.
MAX_CALL_BYTES = 64 * 1024 * 1024

_TASK_EVENTS = ("PreToolUse", "PostToolUse", "PostToolUseFailure")
_OTHER_EVENTS = ("SessionStart", "Stop", "StopFailure")


class HookServer:
    """One session's server; it begins to serve as the callback of a socket's server.

    Args:
        turn: The session's turn.
        key: What every call of a hook begins with.
    """

    def __init__(self, turn: Turn, key: str) -> None:
        #: Set when the turn has begun, and when it is over.
        self.began = asyncio.Event()
        self.over = asyncio.Event()
        #: The session's id, and the file that its client writes of it, once they are known.
        self.session_id: str | None = None
        self.transcript: Path | None = None
        self._turn = turn
        self._key = key

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one call of the hook, which descends from the worker as the session does."""
        ours = is_ours(writer)
        try:
            key, _, call = (await _read_call(reader)).partition(b"\n")
            if key.decode("utf-8", "replace") != self._key or not ours:
                return
            answer = await self._answer(json.loads(call))
            writer.write(json.dumps(answer.to_json()).encode())
            await writer.drain()
        except (
            ConnectionError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
        ):
            pass  # not Claude Code: without an answer its call is blocked
        finally:
            writer.close()

    async def _answer(self, given: Mapping[str, Any]) -> Answer:
        if given.get("transcript_path"):
            self.transcript = Path(given["transcript_path"])
            self.session_id = given["session_id"]
        call_id = given.get("tool_use_id", "")
        answer = Answer()
        match given["hook_event_name"]:
            case "SessionStart":
                self._turn.began = True
                self.began.set()
            case "PreToolUse":
                # In a thread: a schema check may take seconds, and a quit message must not wait.
                answer = await in_thread(self._turn.before_update, call_id, given["tool_input"])
            case "PostToolUse" | "PostToolUseFailure":
                answer = self._turn.after_update(call_id, given.get("tool_response"))
            case "Stop":
                answer = self._turn.before_stop()
            case "StopFailure":
                text = given.get("last_assistant_message") or given.get("error_details") or ""
                self._turn.gave_up(str(given.get("error")), str(text))
        if self._turn.over:
            self.over.set()
        return answer


async def _read_call(reader: asyncio.StreamReader) -> bytes:
    """Return all that a caller sends; any process of the same user may be one.

    Raises:
        ValueError: It is longer than `MAX_CALL_BYTES`.
    """
    received = bytearray()
    while piece := await reader.read(65536):
        received += piece
        if len(received) > MAX_CALL_BYTES:
            raise ValueError(f"more than {MAX_CALL_BYTES} bytes")
    return bytes(received)


def hook_settings(socket: Path) -> dict[str, Any]:
    """Return the settings whose hooks call this server's socket."""
    words = [sys.executable, "-I", "-S", hook_client.__file__, str(socket)]
    command = {"type": "command", "command": shlex.join(words), "timeout": 60}
    hooks = {event: [{"matcher": RECORDING_TOOL, "hooks": [command]}] for event in _TASK_EVENTS}
    hooks |= {event: [{"hooks": [command]}] for event in _OTHER_EVENTS}
    return {
        "hooks": hooks,
        "disableAllHooks": False,
        # The user chose the mode by name, so Claude Code need not ask again.
        "skipDangerousModePermissionPrompt": True,
    }
