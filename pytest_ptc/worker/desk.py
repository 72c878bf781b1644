"""The worker's socket for `ptc record`.

The caller's token identifies the attempt, and the caller descends from the worker: a token that
another task's agent has read opens nothing. The verdict is checked against the task's schema here.
The caller gets "recorded" only after the coordinator has acknowledged the record.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_ptc.interfaces.agent import as_it_is
from pytest_ptc.interfaces.recording import MAX_CALL_BYTES, Form, RecordAnswer, RecordCall
from pytest_ptc.model.errors import JournalError, VerdictError
from pytest_ptc.model.verdict import VerdictKind
from pytest_ptc.system.peers import is_ours
from pytest_ptc.system.threads import in_thread
from pytest_ptc.verdicts.fail_signs import says_fail
from pytest_ptc.verdicts.recording import Record
from pytest_ptc.verdicts.verdict_json import parse_verdict, read_verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_ptc.model.result import Attempt
    from pytest_ptc.model.verdict import Verdict
    from pytest_ptc.worker.ledger import AttemptLedger

#: Seconds that a caller has to send its whole call.
_CALL_TIMEOUT_S = 30.0
#: What a caller is told that has the token and was not started by the worker.
_STRANGER = (
    "not recorded: the caller is no process that the task's agent has started; call ptc record "
    "where the agent runs, or have the agent print its verdict on its last line"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Open:
    """The attempt that may be recorded now."""

    attempt: Attempt
    ledger: AttemptLedger
    schema: Mapping[str, Any] | None
    checked: Callable[[Verdict], Verdict]


class RecordDesk:
    """Takes the calls of `ptc record` for one worker.

    Args:
        path: The socket's path; at most about 100 bytes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._server: asyncio.AbstractServer | None = None
        self._open: _Open | None = None
        #: The attempts that are over, by their tokens.
        self._over: dict[str, Attempt] = {}

    async def open(self) -> None:
        """Listen for calls."""
        self._server = await asyncio.start_unix_server(self._serve_call, self.path)

    def close(self) -> None:
        """Stop listening, and remove the socket."""
        if self._server is not None:
            self._server.close()
            self.path.unlink(missing_ok=True)

    def begin(
        self,
        attempt: Attempt,
        ledger: AttemptLedger,
        schema: Mapping[str, Any] | None,
        checked: Callable[[Verdict], Verdict] = as_it_is,
    ) -> None:
        """Take recordings of this attempt from now on.

        Args:
            attempt: The attempt.
            ledger: Takes its records.
            schema: JSON Schema for the verdict's `data`.
            checked: Returns a valid verdict with its findings looked up; see `Job.checked`.
        """
        self._open = _Open(attempt=attempt, ledger=ledger, schema=schema, checked=checked)

    def end(self) -> None:
        """Take recordings of no attempt from now on."""
        if self._open is not None:
            self._over[self._open.ledger.token] = self._open.attempt
        self._open = None

    async def _serve_call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one call; a connection without a valid call is closed."""
        # Asked first: where it comes from can be told as long as it is there.
        ours = is_ours(writer)
        try:
            call = RecordCall.decode(await asyncio.wait_for(_read_call(reader), _CALL_TIMEOUT_S))
            writer.write((await self._answer(call, ours=ours)).encode())
            await writer.drain()
        except (ConnectionError, ValueError, asyncio.TimeoutError):
            pass
        except asyncio.CancelledError:
            pass  # the loop ends; Python 3.10 and 3.11 log a handler that ends by cancellation
        finally:
            writer.close()

    async def _answer(self, call: RecordCall, *, ours: bool) -> RecordAnswer:
        case = self._open
        if case is None or not _same(case.ledger.token, call.token):
            return RecordAnswer(recorded=False, message=self._not_open(call))
        if call.attempt != case.attempt.name:
            return RecordAnswer(recorded=False, message=_wrong_attempt(call))
        if not ours:
            return RecordAnswer(recorded=False, message=_STRANGER)
        try:
            return await _record(case, call)
        except JournalError as error:
            return RecordAnswer(recorded=False, message=str(error))

    def _not_open(self, call: RecordCall) -> str:
        """Return why an attempt cannot be recorded."""
        for token, attempt in self._over.items():
            if _same(token, call.token) and attempt.name == call.attempt:
                return f"attempt {attempt.number} at task {attempt.task_id} is over"
        return _wrong_attempt(call)


async def _record(case: _Open, call: RecordCall) -> RecordAnswer:
    """Record a call's verdict and return the answer.

    Raises:
        JournalError: It is not on disk.
    """
    # Unique among all processes that record at the same time.
    name = f"record-{os.urandom(8).hex()}"
    ledger = case.ledger
    try:
        payload = _payload(call)
        # In a thread: checking data against a schema may take seconds, and findings read files.
        verdict = await in_thread(_verdict, payload, case.schema)
        if verdict.verdict is VerdictKind.FAIL and any(one.path for one in verdict.findings):
            # Now: this process may end while findings are looked up.
            ledger.record(Record(call=name, verdict=verdict, answer=name))
        verdict = await in_thread(case.checked, verdict)
    except VerdictError as error:
        if says_fail(_text_or_object(call), given=True):
            # An agent that said fail is not asked again until it says otherwise.
            refused = Record(call=name, refused=str(error), answer=name, fail=True)
            await asyncio.wrap_future(ledger.record(refused))
        return RecordAnswer(recorded=False, message=str(error), fail_kept=True)
    await asyncio.wrap_future(ledger.record(Record(call=name, verdict=verdict, answer=name)))
    if ledger.over:
        message = "the time of this task is over; only a fail counts by now"
        return RecordAnswer(recorded=False, message=message, fail_kept=True)
    message = f"recorded {verdict.verdict} for task {case.attempt.task_id}"
    return RecordAnswer(recorded=True, message=message)


def _payload(call: RecordCall) -> bytes | dict[str, Any]:
    """Return a call's verdict: JSON as bytes, or an object.

    Raises:
        VerdictError: The command line of `ptc record` was wrong.
    """
    if call.form is Form.WRONG_WORDS:
        raise VerdictError("wrong command line; see `ptc record --help`")
    value = _text_or_object(call)
    return value if isinstance(value, dict) else call.given


def _text_or_object(call: RecordCall) -> bytes | dict[str, Any] | str:
    """Return the part of a call that is searched for a fail."""
    if call.form is Form.WRONG_WORDS:
        return call.given.decode("utf-8", "replace")
    if call.form is Form.FIELDS:
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(call.given)
            if isinstance(value, dict):
                return value
    return call.given


def _verdict(payload: bytes | dict[str, Any], schema: Mapping[str, Any] | None) -> Verdict:
    if isinstance(payload, dict):
        return read_verdict(payload, schema)
    return parse_verdict(payload, schema)


def _wrong_attempt(call: RecordCall) -> str:
    task_id = call.attempt.rpartition(".")[0]
    return f"task {task_id} is another worker's: record for your own"


def _same(token: str, received: str) -> bool:
    return hmac.compare_digest(token.encode(), received.encode("utf-8", "replace"))


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
