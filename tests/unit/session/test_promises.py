"""Work that a test has submitted is looked at, or is told as forgotten."""

from __future__ import annotations

from concurrent.futures import TimeoutError as NotYet
from concurrent.futures import as_completed

import pytest

from pytest_ptc.session.promises import Promise, Promises, TaskError
from tests.support.results import CRITICAL, result


def made(kind: str | None, owner: object = "test") -> tuple[Promises, Promise]:
    """Return a promise that came to this, among all promises."""
    promises, promise = Promises(), Promise("t::submit[1]", owner)
    promises.add(promise)
    promise.fulfil(result(kind))
    return promises, promise


def test_a_result_that_was_asked_for_is_looked_at() -> None:
    """Directly, and by whoever goes through what is completed."""
    promises, promise = made("fail")
    assert promises.unawaited() == promises.unawaited_of("test") == ["t::submit[1]"]
    assert promises.unawaited_of("another") == []
    assert [one.result().summary for one in as_completed([promise])] == ["s"]
    assert promises.unawaited() == []


def test_a_verdict_is_not_looked_at_by_asking_for_an_exception() -> None:
    """That there is no trouble does not say that it is a pass."""
    promises, promise = made("fail")
    assert promise.exception() is None
    assert promises.unawaited() == ["t::submit[1]"]


@pytest.mark.parametrize("ask", ["result", "exception"])
def test_trouble_is_looked_at_either_way(ask: str) -> None:
    """A test may expect it."""
    promises, promise = made(None)
    if ask == "result":
        with pytest.raises(TaskError, match="too long"):
            promise.result()
    else:
        assert isinstance(promise.exception(), TaskError)
    assert promises.unawaited() == []


def test_to_have_waited_in_vain_is_not_to_have_looked() -> None:
    """The verdict is still to come."""
    promises, promise = Promises(), Promise("t::submit[1]", None)
    promises.add(promise)
    with pytest.raises(NotYet):
        promise.result(0)
    assert promises.unawaited() == ["t::submit[1]"]


def test_a_verdict_knows_the_threshold_of_its_task() -> None:
    """`assert verdict.passed` means what it means for a marked test."""
    promise = Promise("t::submit[1]", None)
    promise.fulfil(result("pass", findings=CRITICAL, fail_on="high"))
    assert not promise.result().passed
