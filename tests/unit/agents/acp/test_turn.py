"""What an attempt with a client comes to, from what its model records, shows and says."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.agents.acp.turn import MAX_DENIALS, MAX_REMINDERS, Turn
from pytest_ptc.model.errors import JournalError, VerdictError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind

if TYPE_CHECKING:
    from pytest_ptc.verdicts.recording import Record


class Put:
    """A ledger that takes records; it may be late, or broken."""

    def __init__(self, *, late: bool = False, broken: bool = False) -> None:
        self.records: list[Record] = []
        self._late = late
        self._broken = broken

    def record(self, record: Record) -> Future[bool]:
        """Take a record."""
        future: Future[bool] = Future()
        if self._broken:
            future.set_exception(JournalError("the disk is full"))
        else:
            self.records.append(record)
            future.set_result(self._late)
        return future


def turn(ledger: Put | None = None, schema: Any = None) -> Turn:
    """Return a turn of task 7."""
    return Turn("7", schema, ledger or Put())  # type: ignore[arg-type]


PASS = {"verdict": "pass", "summary": "fine"}
FAIL = {"verdict": "fail", "summary": "bad"}


def ended(turn: Turn) -> str:
    """Return the verdict, or the cause of there being none."""
    outcome = turn.settled()
    return outcome.verdict.value if isinstance(outcome, Verdict) else outcome.cause.value


def test_a_verdict_is_put_down_before_it_is_acknowledged() -> None:
    """The answer says so only then."""
    ledger = Put()
    one = turn(ledger)
    taken = one.take(PASS)
    assert taken.recorded
    assert [record.verdict for record in ledger.records] == [one.settled()]


@pytest.mark.parametrize(
    "value", [None, [], "pass", {"verdict": "pass"}, {**PASS, "more": 1}, {**PASS, "verdict": "ok"}]
)
def test_what_is_no_verdict_is_refused_with_the_reason(value: object) -> None:
    """The model may correct it, and then that counts."""
    one = turn()
    taken = one.take(value)
    assert not taken.recorded
    assert taken.message.startswith("Refused: ")
    assert ended(one) == "malformed verdict"
    assert one.take(PASS).recorded
    assert ended(one) == "pass"


@pytest.mark.parametrize(
    ("calls", "outcome"),
    [
        ([FAIL, PASS], "fail"),
        ([PASS, FAIL], "fail"),
        ([PASS, {**PASS, "verdict": "skip"}], "contradicted verdict"),
        ([{"verdict": "fail"}, PASS], "contradicted verdict"),
        ([PASS, {"verdict": "fail"}], "contradicted verdict"),
        ([{"verdict": "fail"}], "malformed verdict"),
        ([{"verdict": "fail"}, FAIL], "fail"),
    ],
)
def test_a_fail_is_never_outweighed(calls: list[Any], outcome: str) -> None:
    """Not by a pass before it or after it, and whatever its form is."""
    one = turn()
    for call in calls:
        one.take(call)
    assert ended(one) == outcome


@pytest.mark.parametrize(
    ("shown", "outcome"),
    [
        ({"a": PASS}, "pass"),
        ({"a": PASS, "b": FAIL}, "contradicted verdict"),
        ({"a": PASS, "b": {"tool": "record_verdict", "arguments": FAIL}}, "contradicted verdict"),
        ({"a": PASS, "b": '{"verdict": "fail", "summary": "bad"}'}, "contradicted verdict"),
        ({"a": PASS, "b": None}, "contradicted verdict"),
        ({"a": None}, "pass"),
        ({"a": {}, "b": PASS}, "pass"),
    ],
)
def test_a_call_that_never_reached_us_may_be_a_fail(shown: dict[str, Any], outcome: str) -> None:
    """A turn ends with the first verdict: a client may drop what its model called beside it."""
    one = turn()
    one.take(PASS)
    one.shown(shown)
    assert ended(one) == outcome


def test_a_fail_stays_one_whatever_the_client_shows() -> None:
    """What it hides cannot make it better."""
    one = turn()
    one.take(FAIL)
    one.shown({"a": FAIL, "b": None})
    assert ended(one) == "fail"


def test_a_fail_in_the_models_words_counts() -> None:
    """A verdict that it wrote, and did not record, is none, unless it says fail."""
    one = turn()
    one.said('I found this:\n{"verdict": "fail", "summary": "bad"}\n')
    one.take(PASS)
    assert ended(one) == "contradicted verdict"
    other = turn()
    other.said('{"verdict": "pass", "summary": "fine"}')
    assert ended(other) == "no verdict"


def test_a_trouble_stands_beside_what_was_recorded() -> None:
    """A recorded verdict counts; without one, the trouble does."""
    trouble = Trouble(cause=Cause.AGENT_FAILED, message="it died")
    one = turn()
    assert one.settled(trouble) == trouble
    one.take(PASS)
    outcome = one.settled(trouble)
    assert isinstance(outcome, Verdict)
    assert outcome.verdict is VerdictKind.PASS


def test_the_models_data_must_meet_the_schema() -> None:
    """It is told what is wrong with it."""
    one = turn(schema={"type": "object", "required": ["n"]})
    assert "data" in one.take(PASS).message
    assert one.take({**PASS, "data": {"n": 1}}).recorded


def test_what_comes_late_does_not_count() -> None:
    """The coordinator has said so: it puts down a fail alone by then."""
    one = turn(Put(late=True))
    assert not one.take(PASS).recorded
    assert ended(one) == "no verdict"


def test_what_cannot_be_put_down_is_an_infrastructure_error() -> None:
    """The model is not told that it is recorded."""
    one = turn(Put(broken=True))
    assert "disk is full" in one.take(PASS).message
    assert ended(one) == "machinery"


def test_a_model_is_reminded_a_few_times() -> None:
    """More often where a call that is not allowed has ended its turn."""
    one = turn()
    told = [one.reminder(denied=True) for _ in range(MAX_DENIALS + MAX_REMINDERS + 1)]
    assert [text is not None for text in told] == [True] * (len(told) - 1) + [False]
    assert "not allowed" in str(told[0])
    assert "task 7" in str(told[MAX_DENIALS])


def test_a_finding_that_does_not_hold_is_refused_and_its_fail_is_kept() -> None:
    """The model hears why, and the fail stands whatever it records then."""

    def checked(_: Verdict) -> Verdict:
        raise VerdictError("src/b.py is not there")

    ledger = Put()
    one = Turn("7", None, ledger, checked)  # type: ignore[arg-type]
    placed = {"severity": "low", "message": "m", "path": "src/b.py"}
    taken = one.take({**FAIL, "findings": [placed]})
    assert (taken.recorded, "src/b.py is not there" in taken.message) == (False, True)
    # On disk before it is looked up, and then in place of that.
    early, kept = ledger.records
    assert (early.says_fail, early.fail, kept.fail) == (True, False, True)
    assert early.call == kept.call
    assert ended(one) == "malformed verdict"
