"""Where `ptc record` calls: the worker's socket for what its agents record by a command.

The caller's token tells which attempt it is of. What it gives is held to the task's schema here,
and is recorded when the coordinator has acknowledged it: only then is the caller told so.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_ptc.interfaces.recording import MAX_CALL_BYTES, Form, RecordAnswer, RecordCall
from pytest_ptc.model.errors import JournalError, VerdictError
from pytest_ptc.system.threads import in_thread
from pytest_ptc.verdicts.fail_signs import says_fail
from pytest_ptc.verdicts.recording import Record
from pytest_ptc.verdicts.verdict_json import parse_verdict, read_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_ptc.model.result import Attempt
    from pytest_ptc.model.verdict import Verdict
    from pytest_ptc.worker.ledger import AttemptLedger

#: Seconds that a caller has to say everything.
_SAYING_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Open:
    """The attempt that is recorded for."""

    attempt: Attempt
    ledger: AttemptLedger
    schema: Mapping[str, Any] | None


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
        """Begin to take calls."""
        self._server = await asyncio.start_unix_server(self._hear, self.path)

    def close(self) -> None:
        """Take no more calls."""
        if self._server is not None:
            self._server.close()
            self.path.unlink(missing_ok=True)

    def begin(
        self, attempt: Attempt, ledger: AttemptLedger, schema: Mapping[str, Any] | None
    ) -> None:
        """Take recordings of this attempt from now on."""
        self._open = _Open(attempt=attempt, ledger=ledger, schema=schema)

    def end(self) -> None:
        """Take recordings of no attempt from now on."""
        if self._open is not None:
            self._over[self._open.ledger.token] = self._open.attempt
        self._open = None

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one call; who makes none is hung up on."""
        try:
            call = RecordCall.decode(await asyncio.wait_for(_all_of(reader), _SAYING_S))
            writer.write((await self._answer(call)).encode())
            await writer.drain()
        except (ConnectionError, ValueError, asyncio.TimeoutError):
            pass
        except asyncio.CancelledError:
            pass  # the loop ends; Python 3.10 and 3.11 log a handler that ends by cancellation
        finally:
            writer.close()

    async def _answer(self, call: RecordCall) -> RecordAnswer:
        case = self._open
        if case is None or not _same(case.ledger.token, call.token):
            return RecordAnswer(recorded=False, message=self._not_open(call))
        if call.attempt != case.attempt.name:
            return RecordAnswer(recorded=False, message=_anothers(call))
        try:
            return await _recorded(case, call)
        except JournalError as error:
            return RecordAnswer(recorded=False, message=str(error))

    def _not_open(self, call: RecordCall) -> str:
        """Return why an attempt is not recorded for."""
        for token, attempt in self._over.items():
            if _same(token, call.token) and attempt.name == call.attempt:
                return f"attempt {attempt.number} at task {attempt.task_id} is over"
        return _anothers(call)


async def _recorded(case: _Open, call: RecordCall) -> RecordAnswer:
    """Record what is given, and return what became of it.

    Raises:
        JournalError: It is not on disk.
    """
    # A name that no other process takes, whatever is said at the same time.
    name = f"record-{os.urandom(8).hex()}"
    ledger = case.ledger
    try:
        given = _given(call)
        # In a thread: held to a schema, data may take seconds.
        verdict = await in_thread(_verdict, given, case.schema)
    except VerdictError as error:
        if says_fail(_said(call), given=True):
            # Whoever said it is not asked until it says otherwise.
            refused = Record(call=name, refused=str(error), answer=name, fail=True)
            await asyncio.wrap_future(ledger.record(refused))
        return RecordAnswer(recorded=False, message=str(error), fail_kept=True)
    await asyncio.wrap_future(ledger.record(Record(call=name, verdict=verdict, answer=name)))
    if ledger.over:
        message = "the time of this task is over; only a fail counts by now"
        return RecordAnswer(recorded=False, message=message, fail_kept=True)
    told = f"recorded {verdict.verdict} for task {case.attempt.task_id}"
    return RecordAnswer(recorded=True, message=told)


def _given(call: RecordCall) -> bytes | dict[str, Any]:
    """Return the verdict that is given: a text of JSON, or an object.

    Raises:
        VerdictError: The command was called wrongly.
    """
    if call.form is Form.WRONG_WORDS:
        raise VerdictError("`ptc record` was called wrongly")
    said = _said(call)
    return said if isinstance(said, dict) else call.given


def _said(call: RecordCall) -> bytes | dict[str, Any] | str:
    """Return what may say fail in a call."""
    if call.form is Form.WRONG_WORDS:
        return call.given.decode("utf-8", "replace")
    if call.form is Form.FIELDS:
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(call.given)
            if isinstance(value, dict):
                return value
    return call.given


def _verdict(given: bytes | dict[str, Any], schema: Mapping[str, Any] | None) -> Verdict:
    if isinstance(given, dict):
        return read_verdict(given, schema)
    return parse_verdict(given, schema)


def _anothers(call: RecordCall) -> str:
    task_id = call.attempt.rpartition(".")[0]
    return f"task {task_id} is another worker's: record for your own"


def _same(token: str, told: str) -> bool:
    return hmac.compare_digest(token.encode(), told.encode("utf-8", "replace"))


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
