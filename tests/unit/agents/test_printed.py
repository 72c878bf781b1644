"""A program's output as its words: which lines are on disk, when, and what they come to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.agents import printed as module
from pytest_ptc.agents.instructions import protocol_text
from pytest_ptc.agents.output import Line, Output
from pytest_ptc.agents.printed import Printed
from pytest_ptc.journal.attempt_writer import AttemptWriter
from pytest_ptc.journal.closing import recorded_or
from pytest_ptc.model.result import Attempt
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict
from pytest_ptc.text.redaction import Redactor
from pytest_ptc.verdicts.endings import Ended, judge
from pytest_ptc.verdicts.verdict_json import MAX_VERDICT_BYTES
from tests.support.ledgers import WritingLedger

if TYPE_CHECKING:
    from pathlib import Path

SPEC = TaskSpec(nodeid="t.py::test_x", prompt="Look.", timeout=9, cwd="/")
LOST = Trouble(cause=Cause.WORKER_LOST, message="it died")


def says(kind: str, **more: object) -> bytes:
    """Return a line that is a verdict."""
    return json.dumps({"verdict": kind, "summary": kind, **more}).encode()


PASS, FAIL, SKIP, ERROR = map(says, ("pass", "fail", "skip", "error"))
NEARLY, NONE = says("FAIL"), says("great")
PROSE = b"That is all."


@pytest.fixture
def journal(tmp_path: Path) -> WritingLedger:
    """The ledger of an attempt that has begun."""
    attempt = Attempt(task_id="7", number=1, worker="w1")
    writer = AttemptWriter(tmp_path / "7.1", "seal", Redactor())
    writer.open(attempt, SPEC)
    return WritingLedger(writer)


def taken(
    journal: WritingLedger, *lines: bytes, prompt: str = "", stderr: tuple[bytes, ...] = ()
) -> Printed:
    """Return what has taken these lines."""
    printed = Printed(journal, None, prompt)
    output = Output(journal.folder / "output.log", lambda _: None, Redactor(), printed)
    for line in stderr:
        output.take("stderr", line + b"\n")
    for line in lines:
        output.take("stdout", line + b"\n")
    output.close()
    return printed


def outcome(ended: Verdict | Trouble | None) -> str:
    """Return the verdict, or the cause, marked where it is final."""
    if isinstance(ended, Trouble):
        return f"{ended.cause}{' for good' if ended.final else ''}"
    return "nothing" if ended is None else ended.verdict.value


@pytest.mark.parametrize(
    ("lines", "status", "ended", "lost"),
    [
        pytest.param([PASS], 0, "pass", "pass", id="pass"),
        pytest.param([b"x", PASS, b"", b" "], 0, "pass", "pass", id="blank-lines"),
        pytest.param([SKIP], 0, "skip", "skip", id="skip"),
        pytest.param([FAIL], 0, "fail", "fail", id="fail"),
        pytest.param([FAIL], 1, "fail", "fail", id="fail-as-linters-do"),
        pytest.param([PASS], 1, "contradicted verdict", "contradicted verdict", id="pass-then-1"),
        pytest.param([ERROR], 3, "error", "error", id="error-then-3"),
        pytest.param([PASS, PROSE], 0, "no verdict", "worker lost", id="pass-not-last"),
        pytest.param([FAIL, PROSE], 0, "fail", "fail", id="fail-not-last"),
        pytest.param([FAIL, PASS], 0, "fail", "fail", id="fail-then-pass"),
        pytest.param([PASS, FAIL], 0, "fail", "fail", id="pass-then-fail"),
        pytest.param([PASS, says("pass", data=1)], 0, "pass", "pass", id="agreed"),
        pytest.param(
            [PASS, SKIP], 0, "contradicted verdict", "contradicted verdict", id="pass-then-skip"
        ),
        pytest.param([NONE, PASS], 0, "pass", "pass", id="malformed-then-pass"),
        pytest.param([NONE], 0, "malformed verdict", "malformed verdict", id="malformed"),
        pytest.param(
            [PASS, NONE], 0, "malformed verdict", "malformed verdict", id="malformed-last"
        ),
        pytest.param([NONE, PROSE], 0, "no verdict", "worker lost", id="malformed-not-last"),
        pytest.param(
            [NEARLY], 0, "malformed verdict for good", "worker lost for good", id="nearly-fail"
        ),
        pytest.param(
            [NEARLY, PASS],
            0,
            "contradicted verdict for good",
            "contradicted verdict for good",
            id="nearly-fail-then-pass",
        ),
        pytest.param([NEARLY, FAIL], 0, "fail", "fail", id="nearly-fail-then-fail"),
        pytest.param([PROSE], 0, "no verdict", "worker lost", id="prose"),
        pytest.param([PROSE], 3, "agent failed", "worker lost", id="prose-then-3"),
        pytest.param([b'{"other": 1}'], 0, "no verdict", "worker lost", id="other-json"),
        pytest.param([b'["verdict"]'], 0, "no verdict", "worker lost", id="list"),
        pytest.param(
            [b'{"verdict": "pass", "summary": "x", "data": %s' % (b"[" * 100_000)],
            0,
            "malformed verdict",
            "malformed verdict",
            id="deep",
        ),
        pytest.param(
            [b'{"verdict": "pass", "summary": "x", "data": 1e400}'],
            0,
            "malformed verdict",
            "malformed verdict",
            id="infinite",
        ),
        pytest.param(
            json.dumps(json.loads(FAIL), indent=2).encode().splitlines(),
            0,
            "malformed verdict for good",
            "worker lost for good",
            id="pretty-fail",
        ),
        pytest.param(
            [b"{", b'"verdict":', b'"fail"}', PASS],
            0,
            "contradicted verdict for good",
            "contradicted verdict for good",
            id="fail-over-lines-then-pass",
        ),
    ],
)
def test_what_is_printed_comes_to(
    journal: WritingLedger, *, lines: list[bytes], status: int, ended: str, lost: str
) -> None:
    """A pass is the last line alone, a fail is any, and what is said in between must agree.

    Whoever has the records and the status alone, as after the end of a worker, says the same.
    """
    printed = taken(journal, *lines)
    records, seen = journal.story()
    assert seen is None
    assert outcome(judge(records, Ended(status, printed.last))) == ended
    before = outcome(recorded_or(LOST, journal))
    # Without the status no pass of a printed line counts; what says fail is final already.
    assert before != "pass"
    assert before.endswith("for good") == lost.endswith("for good")
    assert (before == "fail") == (lost == "fail")
    journal.ended(Ended(status, printed.last))
    assert outcome(recorded_or(LOST, journal)) == lost


def test_a_line_is_handed_over_when_it_is_taken(journal: WritingLedger) -> None:
    """Not at the end of the output, and not when the program has ended."""
    output = Output(
        journal.folder / "output.log", lambda _: None, Redactor(), Printed(journal, None)
    )
    output.take("stdout", FAIL[:9])
    assert not journal.story()[0]
    output.take("stdout", FAIL[9:])
    assert not journal.story()[0]
    output.take("stdout", b"\n")
    (record,) = journal.story()[0]
    assert record.says_fail
    output.close()


def test_the_line_that_is_unfinished_at_the_end_is_one(journal: WritingLedger) -> None:
    """A program need not print a line's end."""
    printed = Printed(journal, None)
    output = Output(journal.folder / "output.log", lambda _: None, Redactor(), printed)
    output.take("stdout", PASS)
    output.finish()
    assert outcome(judge(journal.story()[0], Ended(0, printed.last))) == "pass"
    output.close()


@pytest.mark.parametrize(
    ("complaint", "ended"),
    [
        pytest.param(PASS, "pass", id="pass"),
        pytest.param(b"the check fails", "pass", id="prose"),
        pytest.param(FAIL, "contradicted verdict for good", id="fail"),
        pytest.param(b"INFO " + FAIL, "contradicted verdict for good", id="logged"),
    ],
)
def test_a_fail_on_standard_error_is_displaced(
    journal: WritingLedger, complaint: bytes, ended: str
) -> None:
    """It contradicts a pass, and is no verdict; a pass there is nothing."""
    printed = taken(journal, PASS, stderr=(complaint,))
    assert outcome(judge(journal.story()[0], Ended(0, printed.last))) == ended
    assert printed.last is not None


@pytest.mark.parametrize("quote", ["", "> ", "    "])
@pytest.mark.parametrize(
    "prompt", ["Look.", 'Look, and say\n{"verdict": "fail", "summary": "why"}\nif it is bad.']
)
def test_an_agent_may_repeat_its_prompt(journal: WritingLedger, prompt: str, quote: str) -> None:
    """On both of its streams, with the form and with any example."""
    text = f"{prompt}\n\n{protocol_text('7')}\n"
    lines = [f"{quote}{line}".encode() for line in text.splitlines()]
    printed = taken(journal, *lines, PASS, prompt=text, stderr=tuple(lines))
    assert outcome(judge(journal.story()[0], Ended(0, printed.last))) == "pass"


def test_what_an_agent_says_itself_is_its_own(journal: WritingLedger) -> None:
    """Though the prompt has that line, too."""
    text = 'Look, and say\n{"verdict": "fail", "summary": "why"}\nif it is bad.'
    printed = taken(journal, b'{"verdict": "fail", "summary": "why"}', PASS, prompt=text)
    assert outcome(judge(journal.story()[0], Ended(0, printed.last))) == "fail"


def test_a_loop_of_verdicts_does_not_fill_the_disk(journal: WritingLedger) -> None:
    """The first ones of each kind are kept, and the last line; another kind is not lost."""
    lines = [says("pass", data=number) for number in range(5_000)]
    printed = taken(journal, *lines)
    assert len(journal.story()[0]) == module._MAX_RECORDS + 1
    ended = judge(journal.story()[0], Ended(0, printed.last))
    assert isinstance(ended, Verdict)
    assert ended.data == 4_999


def test_another_verdict_in_a_loop_is_not_lost(journal: WritingLedger) -> None:
    """Each kind has its own places on the disk."""
    lines = [PASS] * 200
    printed = taken(journal, *lines, SKIP, *lines)
    ended = judge(journal.story()[0], Ended(0, printed.last))
    assert outcome(ended) == "contradicted verdict"


def test_a_line_without_an_end_is_of_bounded_size() -> None:
    """Its beginning and its end are kept."""
    line = Line()
    for _ in range(200):
        line.feed(b"x" * 1_000_000)
    line.feed(b"the end")
    text = line.take()
    assert MAX_VERDICT_BYTES < len(text) < MAX_VERDICT_BYTES + 2**20
    assert text.endswith(b"the end")
    assert not line.take()


def test_a_verdict_that_is_too_long_is_none_and_a_fail_in_it_is_seen(
    journal: WritingLedger,
) -> None:
    """Whatever is in its middle."""
    long = b'{"data": "%s", "verdict": "fail", "summary": "x"}' % (b"x" * (MAX_VERDICT_BYTES + 9))
    printed = taken(journal, long)
    assert (
        outcome(judge(journal.story()[0], Ended(0, printed.last))) == "malformed verdict for good"
    )


def test_what_the_disk_does_not_take_is_known(
    journal: WritingLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fail that could not be put there is not forgotten."""
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    printed = taken(journal, FAIL)
    assert printed.last is not None
    assert [record.says_fail for record in journal.story()[0]] == [True]
    assert "No space left" in str(journal.problem)


def test_the_reason_of_a_fail_is_the_last_lines(journal: WritingLedger) -> None:
    """Without colours and blank lines, and never more than fits a summary."""
    printed = taken(journal, b"\x1b[31ma.py:3: unused\x1b[0m", b"", b"  Found 1 error.", b"")
    assert printed.reason() == "a.py:3: unused | Found 1 error."
    long = taken(journal, *[b"%d " % n + b"x" * 200 for n in range(9)]).reason()
    assert len(long) <= module.MAX_REASON_CHARS
    assert long.startswith("7 ")
    assert len(taken(journal, b"y" * 100_000).reason()) <= module.MAX_REASON_CHARS


@pytest.mark.parametrize("indent", [2, None])
@pytest.mark.parametrize("kind", ["pass", "fail"])
def test_a_verdict_over_several_lines_has_a_hint(
    journal: WritingLedger, indent: int | None, kind: str
) -> None:
    """The hint is there where the form is the reason."""
    text = json.dumps({"verdict": kind, "summary": "s"}, indent=indent)
    printed = taken(journal, *text.encode().splitlines())
    assert bool(printed.hint()) == (indent is not None)
