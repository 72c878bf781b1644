"""The talk with the hooks of a session on the real screen: what they say, what they are answered.

Hooks do not say which answer of the model a call stands in; the client's own transcript, which is
read when the session is over, does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.claude import hook_client
from pytest_ptc.agents.claude.diagnosis import RECORDING_TOOL, ending
from pytest_ptc.agents.claude.events import Called, Failed, Finished, usage_of
from pytest_ptc.agents.claude.recorder import Recorder, denial
from pytest_ptc.journal.attempt_journal import TRANSCRIPT
from pytest_ptc.model.result import Usage
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.system.regular_files import read_regular
from pytest_ptc.system.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_ptc.interfaces.agent import Job
    from pytest_ptc.model.verdict import Verdict

#: The variable that holds what a hook begins with, so that no other process is taken for one.
HOOK_KEY = hook_client.KEY

#: The longest call of a hook, and the longest transcript of a client, that is read.
MAX_CALL_BYTES = 64 * 1024 * 1024
MAX_TRANSCRIPT_BYTES = 256 * 1024 * 1024

_TASK_EVENTS = ("PreToolUse", "PostToolUse", "PostToolUseFailure")
_OTHER_EVENTS = ("SessionStart", "Stop", "StopFailure")


class Talk:
    """One session's talk.

    Args:
        job: The job that the session does.
        key: What every call of a hook begins with.
    """

    def __init__(self, job: Job, key: str) -> None:
        self.began = asyncio.Event()
        self.over = asyncio.Event()
        self._job = job
        self._key = key
        self._failed: Failed | None = None
        self._transcript: Path | None = None
        self._accounted = False
        self._recorder = Recorder(job.attempt.task_id, job.spec.schema, job.journal)

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one call of the hook."""
        try:
            key, _, said = (await _all_of(reader)).partition(b"\n")
            if key.decode("utf-8", "replace") != self._key:
                return
            answer = await self._answer(json.loads(said))
            writer.write(json.dumps(answer).encode())
            await writer.drain()
        except (
            ConnectionError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
        ):
            pass  # not Claude Code: no answer blocks whoever asked
        finally:
            writer.close()

    def verdict_or(self, trouble: Trouble | None, *, evidence: str) -> Verdict | Trouble:
        """Return what was recorded; if nothing was, this trouble, or what the client said."""
        settled = self._recorder.settled()
        if self._recorder.recorded and self._recorder.missed and self._job.listed():
            message = "Claude Code recorded on another task list than the run's"
            self._recorder.disown(message)
            return Trouble(cause=Cause.WRONG_LIST, message=message, evidence=evidence)
        if isinstance(settled, Trouble) and not self._recorder.recorded:
            met = trouble or self._api_trouble()
            settled = met.beside(settled) if met else settled
        if isinstance(settled, Trouble) and not settled.evidence:
            return replace(settled, evidence=evidence)
        return settled

    def account(self) -> None:
        """Keep the client's own transcript, and take from it what hooks do not say; once."""
        if self._transcript is None or self._accounted:
            return
        self._accounted = True
        with contextlib.suppress(OSError):
            read = read_regular(self._transcript, MAX_TRANSCRIPT_BYTES)
            text = read.decode("utf-8", "replace")
            self._job.journal.keep(TRANSCRIPT, text)
            told = told_by(text.splitlines())
            for call in told.recordings:
                self._recorder.announced(call.call_id, call.input, call.answer)
            for said in told.texts:
                self._recorder.said(said)
            self._job.spent(told.usage)
            self._job.about(transcript=TRANSCRIPT, tool_calls=told.tool_calls, model=told.model)
            if told.version:
                self._job.about(client=f"Claude Code {told.version}")

    async def _answer(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if given.get("transcript_path"):
            self._transcript = Path(given["transcript_path"])
            self._job.about(session=given["session_id"])
        call_id = given.get("tool_use_id", "")
        match given["hook_event_name"]:
            case "SessionStart":
                self.began.set()
            case "PreToolUse":
                # In a thread: held to a schema, data may take seconds, and a quit must be heard.
                reason = await in_thread(self._recorder.update, call_id, given["tool_input"])
                if reason is not None:
                    return denial(reason)
            case "PostToolUse" | "PostToolUseFailure":
                if self._recorder.carried_out(call_id, given.get("tool_response")):
                    self.over.set()
                    return {"continue": False, "stopReason": "the verdict is recorded"}
            case "Stop":
                reason = self._recorder.reminder()
                if reason is not None:
                    return {"decision": "block", "reason": reason}
                self.over.set()
            case "StopFailure":
                said = given.get("last_assistant_message") or given.get("error_details") or ""
                self._failed = Failed(str(given.get("error")), str(said))
                self.over.set()
        return {}

    def _api_trouble(self) -> Trouble | None:
        if self._failed is None:
            return None
        finished = Finished("success", is_error=True, session_id="", text=self._failed.text)
        return ending(finished, self._failed)


@dataclass(slots=True)
class Told:
    """What a client's transcript tells.

    Args:
        usage: What its answers were billed, without the money.
        version: The client's version.
        model: The model that answered last.
        recordings: The calls of the recording tool, in order.
        texts: What it said to whoever reads.
        tool_calls: How often another tool was used, and gave a result.
    """

    usage: Usage = field(default_factory=Usage)
    version: str = ""
    model: str = ""
    recordings: list[Called] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    tool_calls: int = 0


async def _all_of(reader: asyncio.StreamReader) -> bytes:
    """Return what a caller says, who may be anybody.

    Raises:
        ValueError: It is too much.
    """
    said = bytearray()
    while piece := await reader.read(65536):
        said += piece
        if len(said) > MAX_CALL_BYTES:
            raise ValueError(f"more than {MAX_CALL_BYTES} bytes")
    return bytes(said)


def told_by(lines: Iterable[str]) -> Told:
    """Return what a client's session file tells; an answer may take several lines, with one bill.

    Lines of another form than Claude Code 2.1's tell nothing. In what order a client writes the
    lines of one moment is not certain, and some write a tool's result a second time, with the
    request that sends it on.
    """
    told = Told()
    bills: dict[str, Usage] = {}
    others: set[str] = set()
    returned: set[str] = set()
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError, RecursionError):
            entry = json.loads(line)
            told.version = entry.get("version") or told.version
            message = entry.get("message") or {}
            if entry.get("type") == "assistant":
                told.model = message.get("model") or told.model
                if message.get("usage"):
                    bills[message["id"]] = usage_of(message["usage"])
                told.texts += [str(block["text"]) for block in _blocks(message, "text")]
                for block in _blocks(message, "tool_use"):
                    call = Called(block["id"], block["name"], block["input"], message["id"])
                    if call.tool == RECORDING_TOOL:
                        told.recordings.append(call)
                    else:
                        others.add(call.call_id)
            for block in _blocks(message, "tool_result") if entry.get("type") == "user" else ():
                if not block.get("is_error"):
                    returned.add(block["tool_use_id"])
    told.tool_calls = len(others & returned)
    for bill in bills.values():
        told.usage += bill
    return told


def hook_settings(socket: Path) -> dict[str, Any]:
    """Return the settings that send the hooks' questions to a socket."""
    words = [sys.executable, "-I", "-S", hook_client.__file__, str(socket)]
    command = {"type": "command", "command": shlex.join(words), "timeout": 60}
    hooks = {event: [{"matcher": RECORDING_TOOL, "hooks": [command]}] for event in _TASK_EVENTS}
    hooks |= {event: [{"hooks": [command]}] for event in _OTHER_EVENTS}
    return {
        "hooks": hooks,
        "disableAllHooks": False,
        # The mode is only ever asked for by name.
        "skipDangerousModePermissionPrompt": True,
    }


def _blocks(message: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    content = message.get("content")
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and block.get("type") == kind:
            yield block
