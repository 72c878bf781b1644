"""From a client's errors to causes."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ptc.agents.acp.diagnosis import (
    error_text,
    model_trouble,
    prompt_trouble,
    session_trouble,
    stop_trouble,
)
from pytest_ptc.model.trouble import Cause


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ({"code": -32000, "message": "Authentication required"}, Cause.LOGIN),
        ({"code": 1, "message": "x", "data": {"details": "status 401"}}, Cause.LOGIN),
        ({"code": 1, "message": "got 429 from the API"}, Cause.RATE_LIMIT),
        ({"code": 1, "message": "error 529"}, Cause.OVERLOADED),
        ({"code": 1, "message": "error 4290"}, Cause.AGENT_FAILED),
        ({"code": 1, "message": "model m does not exist"}, Cause.MODEL),
        ({"code": 1, "message": "Connection error"}, Cause.API),
        ({"code": 1, "message": "odd"}, Cause.AGENT_FAILED),
        ({}, Cause.AGENT_FAILED),
    ],
)
def test_an_error_of_a_turn_has_a_cause(error: dict[str, Any], cause: Cause) -> None:
    """By its code, a status in its words, or its words."""
    assert prompt_trouble("c", error).cause is cause


def test_a_session_that_is_refused_says_why() -> None:
    """One without a login has that cause."""
    refused = session_trouble("c", {"code": -32603, "message": "no", "data": "bad directory"})
    assert refused.cause is Cause.SESSION
    assert "bad directory" in refused.message
    assert session_trouble("c", {"code": -32000, "message": "log in"}).cause is Cause.LOGIN


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("end_turn", None),
        ("refusal", Cause.REFUSAL),
        ("max_tokens", Cause.CONTEXT),
        ("max_turn_requests", Cause.MAX_TURNS),
        ("cancelled", Cause.CANCELLED),
        ("bored", Cause.PROTOCOL),
        (None, Cause.PROTOCOL),
        ([], Cause.PROTOCOL),
    ],
)
def test_a_turns_end_has_a_cause_unless_it_is_the_usual_one(
    reason: object, cause: Cause | None
) -> None:
    """What the protocol does not know is an error of the client's."""
    trouble = stop_trouble("c", reason)
    assert (trouble and trouble.cause) == cause


def test_an_errors_text_has_its_data_once() -> None:
    """Clients put the API's words into either, or both."""
    assert error_text({"message": "a", "data": {"details": "b"}}) == "a: b"
    assert error_text({"message": "a", "data": "a"}) == "a"
    assert error_text({"data": {"message": "b"}}) == "b"
    assert error_text({}) == "no message"


@pytest.mark.parametrize(
    ("asked", "has", "wrong"),
    [
        ("m", "m", False),
        ("m", "$runtime|openai|m(openai)", False),
        ("m", None, False),
        (None, "other", False),
        ("openai/m", "opencode/free", True),
    ],
)
def test_another_model_than_the_one_that_was_asked_for_is_refused(
    asked: str | None, has: str | None, *, wrong: bool
) -> None:
    """Some clients take another one without a word."""
    trouble = model_trouble("c", asked, has)
    assert (trouble is not None) is wrong
    assert trouble is None or trouble.cause is Cause.MODEL
