"""A worker's ledger and its desk: nobody is told "recorded" before the coordinator has said so."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.cli import record as client
from pytest_ptc.cli.record import _call_worker
from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.agent import as_it_is
from pytest_ptc.interfaces.recording import Form, RecordAnswer
from pytest_ptc.model.errors import JournalError, VerdictError
from pytest_ptc.model.result import Attempt
from pytest_ptc.model.variables import ATTEMPT_FOLDER, ATTEMPT_TOKEN, RECORD_SOCKET
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.text.redaction import Redactor
from pytest_ptc.verdicts.endings import Ended
from pytest_ptc.verdicts.recording import Record
from pytest_ptc.worker import ledger as ledgers
from pytest_ptc.worker.desk import RecordDesk
from pytest_ptc.worker.ledger import AttemptLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

ATTEMPT = Attempt(task_id="7", number=1, worker="w1")
PASS = Verdict(verdict=VerdictKind.PASS, summary="x")
FAIL = Verdict(verdict=VerdictKind.FAIL, summary="bad")


class Coordinator:
    """What a ledger says to the coordinator, and is answered when a test says so.

    Args:
        folder: The attempt's folder.
        seconds: How long the attempt may take.
    """

    def __init__(self, folder: Path, seconds: float = 60.0) -> None:
        self.said: list[messages.Recorded] = []
        self.ledger = AttemptLedger(
            ATTEMPT,
            folder=folder,
            token="token",
            address=folder / "s",
            redactor=Redactor(),
            deadline=time.monotonic() + seconds,
            say=self._hear,
        )
        #: Why nothing can be put down, if that is so; None where all is, at once.
        self.problem: str | None = None
        self.answers = True
        #: Set when something is said that is not answered.
        self.unanswered = asyncio.Event()

    def _hear(self, message: messages.Message) -> None:
        assert isinstance(message, messages.Recorded)
        self.said.append(message)
        if self.answers:
            asyncio.get_running_loop().call_soon(self.answer, len(self.said))
        else:
            self.unanswered.set()

    def answer(self, number: int) -> None:
        """Acknowledge what was said under this number, or say what is wrong."""
        self.ledger.acknowledged(messages.Acknowledged(ATTEMPT.name, number, self.problem))


def record(call: str, verdict: Verdict) -> Record:
    """Return a recording."""
    return Record(call=call, verdict=verdict, answer=call)


def test_what_is_not_acknowledged_is_not_believed(tmp_path: Path) -> None:
    """Its future is open, and the story does not have it, until the coordinator says so."""

    async def use() -> None:
        coordinator = Coordinator(tmp_path)
        coordinator.answers = False
        ledger = coordinator.ledger
        first, second = ledger.record(record("1", PASS)), ledger.ended(Ended(0, "1"))
        assert ledger.story() == ([], None)
        coordinator.answer(1)
        assert first.result(0) is False
        assert not second.done()
        assert ledger.story() == ([record("1", PASS)], None)
        coordinator.answer(2)
        await ledger.settled()
        assert ledger.story() == ([record("1", PASS)], Ended(0, "1"))

    asyncio.run(use())


def test_what_cannot_be_put_down_counts_against_the_item_alone(tmp_path: Path) -> None:
    """A fail of which the disk is full is one all the same; a pass is none."""

    async def use() -> None:
        coordinator = Coordinator(tmp_path)
        coordinator.problem = "journal x: No space left on device"
        futures = [
            coordinator.ledger.record(record(str(n), one)) for n, one in enumerate((PASS, FAIL))
        ]
        await coordinator.ledger.settled()
        for future in futures:
            with pytest.raises(JournalError, match="No space"):
                future.result(0)
        assert coordinator.ledger.story()[0] == [record("1", FAIL)]
        assert "No space" in str(coordinator.ledger.problem)

    asyncio.run(use())


def test_who_is_not_answered_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In time, and at the end of the line; what is acknowledged later is known all the same."""
    monkeypatch.setattr(ledgers, "ACKNOWLEDGEMENT_TIMEOUT_S", 0.01)

    async def use() -> None:
        coordinator = Coordinator(tmp_path)
        coordinator.answers = False
        late = coordinator.ledger.record(record("1", PASS))
        await coordinator.ledger.settled()
        with pytest.raises(JournalError, match="did not acknowledge the record within"):
            late.result(0)
        coordinator.answer(1)
        assert coordinator.ledger.story()[0] == [record("1", PASS)]
        monkeypatch.setattr(ledgers, "ACKNOWLEDGEMENT_TIMEOUT_S", 600)
        cut = coordinator.ledger.record(record("2", FAIL))
        coordinator.ledger.close("pytest is gone")
        after = coordinator.ledger.record(record("3", PASS))
        for future in (cut, after):
            with pytest.raises(JournalError, match="pytest is gone"):
                future.result(0)
        assert coordinator.ledger.story()[0][-1] == record("2", FAIL)
        assert len(coordinator.said) == 2

    asyncio.run(use())


def test_a_thread_may_wait_for_its_record(tmp_path: Path) -> None:
    """The event loop hears the acknowledgement meanwhile, and order is kept."""

    async def use() -> None:
        coordinator = Coordinator(tmp_path)
        ledger = coordinator.ledger
        done = await asyncio.to_thread(lambda: ledger.record(record("1", PASS)).result(10))
        assert done is False
        assert ledger.story()[0] == [record("1", PASS)]

    asyncio.run(use())


@pytest.mark.parametrize("how", ["deadline", "told"])
def test_past_the_time_only_a_fail_counts(tmp_path: Path, how: str) -> None:
    """By the worker's own clock, whatever the agent's environment says."""

    async def use() -> None:
        coordinator = Coordinator(tmp_path, seconds=-1.0 if how == "deadline" else 60.0)
        if how == "told":
            coordinator.ledger.end_time()
        futures = [
            coordinator.ledger.record(record(str(n), one)) for n, one in enumerate((PASS, FAIL))
        ]
        await coordinator.ledger.settled()
        assert [future.result(0) for future in futures] == [True, False]
        assert coordinator.ledger.story()[0] == [record("1", FAIL)]
        assert [message.entry["late"] for message in coordinator.said] == [True, True]

    asyncio.run(use())


# `ptc record`


class Desk:
    """A desk at work, and the client in a thread beside it."""

    def __init__(self, folder: Path) -> None:
        self.coordinator = Coordinator(folder)
        self.desk = RecordDesk(folder / "s")
        self.environ = {
            ATTEMPT_FOLDER: f"/runs/r/attempts/{ATTEMPT.name}",
            ATTEMPT_TOKEN: "token",
            RECORD_SOCKET: str(folder / "s"),
        }

    async def call(self, form: Form, given: bytes, **environ: str) -> RecordAnswer:
        """Return what a client is answered."""
        return await asyncio.to_thread(_call_worker, form, given, {**self.environ, **environ})


def at_desk(
    folder: Path,
    use: Callable[[Desk], Coroutine[Any, Any, None]],
    schema: dict[str, Any] | None = None,
    checked: Callable[[Verdict], Verdict] = as_it_is,
) -> None:
    """Use a desk at which an attempt is open."""

    async def whole() -> None:
        desk = Desk(folder)
        await desk.desk.open()
        desk.desk.begin(ATTEMPT, desk.coordinator.ledger, schema, checked)
        try:
            await asyncio.wait_for(use(desk), 30)
        finally:
            desk.desk.close()

    asyncio.run(whole())


GIVEN = b'{"verdict": "pass", "summary": "x", "data": 3}'
PLACED = (
    b'{"verdict": "fail", "summary": "x", "findings": '
    b'[{"severity": "low", "message": "m", "path": "a.py", "line": 9}]}'
)


def test_a_fail_is_on_disk_before_its_findings_are_looked_up(tmp_path: Path) -> None:
    """Its worker may end meanwhile; a refusal then takes its place, and says fail."""
    began, go_on = threading.Event(), threading.Event()

    def checked(_: Verdict) -> Verdict:
        began.set()
        go_on.wait(20)
        raise VerdictError("a.py has 2 lines, not 9")

    async def use(desk: Desk) -> None:
        calling = asyncio.create_task(desk.call(Form.TEXT, PLACED))
        await asyncio.to_thread(began.wait, 20)
        (early,) = desk.coordinator.ledger.story()[0]
        assert early.says_fail
        assert early.verdict is not None
        go_on.set()
        answer = await calling
        assert (answer.recorded, answer.message) == (False, "a.py has 2 lines, not 9")
        (kept,) = desk.coordinator.ledger.story()[0]
        assert (kept.call, kept.refused, kept.fail) == (early.call, answer.message, True)

    at_desk(tmp_path, use, checked=checked)


def test_a_recording_is_held_to_its_schema_and_acknowledged(tmp_path: Path) -> None:
    """By the worker, with the schema that the coordinator told it."""

    async def use(desk: Desk) -> None:
        answer = await desk.call(Form.TEXT, GIVEN)
        assert answer == RecordAnswer(recorded=True, message="recorded pass for task 7")
        refused = await desk.call(Form.TEXT, GIVEN.replace(b"3", b'"3"'))
        assert not refused.recorded
        assert "data" in refused.message
        assert len(desk.coordinator.said) == 1

    at_desk(tmp_path, use, {"type": "integer"})


@pytest.mark.parametrize(
    ("form", "given"),
    [
        pytest.param(Form.TEXT, b'{"verdict": "FAIL", "summary": "x"}', id="malformed"),
        pytest.param(Form.FIELDS, b'{"verdict": "fail", "summary": null}', id="no-summary"),
        pytest.param(Form.WRONG_WORDS, b"fail", id="wrong-words"),
    ],
)
def test_a_fail_that_is_refused_is_put_down_as_one(
    tmp_path: Path, form: Form, given: bytes
) -> None:
    """Whoever said so is not asked until it says otherwise."""

    async def use(desk: Desk) -> None:
        answer = await desk.call(form, given)
        assert (answer.recorded, answer.fail_kept) == (False, True)
        (kept,) = desk.coordinator.ledger.story()[0]
        assert kept.fail

    at_desk(tmp_path, use)


def test_nobody_is_told_recorded_of_what_is_not(tmp_path: Path) -> None:
    """A full disk, and a coordinator that is gone, are an error that says so."""

    async def use(desk: Desk) -> None:
        desk.coordinator.problem = "journal x: No space left on device"
        answer = await desk.call(Form.TEXT, GIVEN)
        assert answer == RecordAnswer(recorded=False, message=desk.coordinator.problem)
        desk.coordinator.answers = False
        waiting = asyncio.create_task(desk.call(Form.TEXT, GIVEN))
        await desk.coordinator.unanswered.wait()
        desk.coordinator.ledger.close("not recorded: pytest is gone")
        assert "pytest is gone" in (await waiting).message

    at_desk(tmp_path, use)


def test_only_the_open_attempt_is_recorded_for(tmp_path: Path) -> None:
    """Not with another token, not for another attempt, and not when it is over."""

    async def use(desk: Desk) -> None:
        for environ in (
            {ATTEMPT_TOKEN: "another"},
            {ATTEMPT_TOKEN: "é\udcff"},
            {ATTEMPT_FOLDER: "/runs/r/attempts/8.1"},
        ):
            answer = await desk.call(Form.TEXT, GIVEN, **environ)
            assert "is another worker's: record for your own" in answer.message
        desk.desk.end()
        answer = await desk.call(Form.TEXT, GIVEN)
        assert answer.message == "attempt 1 at task 7 is over"
        assert desk.coordinator.said == []

    at_desk(tmp_path, use)


def test_who_makes_no_call_is_hung_up_on_and_others_are_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Garbage, silence, and a caller that goes in the middle."""
    monkeypatch.setattr("pytest_ptc.worker.desk._CALL_TIMEOUT_S", 0.2)

    async def use(desk: Desk) -> None:
        for said in (b"", b"{}\n", b"\xff\n", b"[" * 100_000 + b"\n", b'{"form": "text"'):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(said)
            if said:
                writer.write_eof()
            assert await reader.read() == b""
            writer.close()
        assert (await desk.call(Form.TEXT, GIVEN)).recorded

    at_desk(tmp_path, use)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        pytest.param("nothing", "is over, or its worker is gone", id="no-socket"),
        pytest.param("file", "is over, or its worker is gone", id="no-listener"),
        pytest.param("silent", "does not answer within 0.2 s; record it again", id="silent"),
        pytest.param("ends", "ended, or gave no answer; record it again", id="ends"),
    ],
)
def test_a_worker_that_does_not_answer_is_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, told: str
) -> None:
    """Nothing is taken for recorded that nobody has said to be."""
    monkeypatch.setattr(client, "ANSWER_TIMEOUT_S", 0.2)
    desk_path = tmp_path / "s"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        if kind == "silent":
            await over.wait()
        writer.close()
        await writer.wait_closed()
        ended.set()

    over, ended = asyncio.Event(), asyncio.Event()

    async def use() -> None:
        environ = {ATTEMPT_FOLDER: "/a/7.1", ATTEMPT_TOKEN: "t", RECORD_SOCKET: str(desk_path)}
        server = None
        if kind == "file":
            desk_path.touch()
        elif kind != "nothing":
            server = await asyncio.start_unix_server(answer, desk_path)
        with pytest.raises(VerdictError, match=told):
            await asyncio.to_thread(_call_worker, Form.TEXT, GIVEN, environ)
        over.set()
        if server is not None:
            server.close()
            await ended.wait()

    asyncio.run(use())
