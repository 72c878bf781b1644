"""From the client's words to a named trouble, and what to do about it."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ptc.agents.claude.diagnosis import WAITABLE, api_cause, ending, preflight
from pytest_ptc.agents.claude.events import Failed, Finished
from pytest_ptc.model.trouble import Cause, Trouble


def finished(subtype: str = "success", *, is_error: bool = True, **more: Any) -> Finished:
    """Return the end of a turn that went wrong, unless more is said."""
    return Finished(subtype=subtype, is_error=is_error, session_id="s", **more)


@pytest.mark.parametrize(
    ("end", "failed", "cause"),
    [
        pytest.param(finished(is_error=False), None, None, id="well"),
        pytest.param(
            finished(is_error=False, stop_reason="end_turn", terminal_reason="completed"),
            None,
            None,
            id="well-with-reasons",
        ),
        pytest.param(finished(is_error=False, status=401), None, None, id="well-after-a-401"),
        pytest.param(
            finished(is_error=False, text="the quota of usage limit reached is documented"),
            None,
            None,
            id="well-and-talks-of-limits",
        ),
        pytest.param(
            finished("error_during_execution", is_error=False),
            None,
            Cause.AGENT_FAILED,
            id="not-a-success",
        ),
        pytest.param(finished(), None, Cause.AGENT_FAILED, id="success-that-is-an-error"),
        pytest.param(finished("error_max_turns"), None, Cause.MAX_TURNS, id="turns"),
        pytest.param(
            finished("error_max_turns", is_error=False), None, Cause.MAX_TURNS, id="turns-no-error"
        ),
        pytest.param(
            finished("error_max_budget_usd", text="quota"), None, Cause.BUDGET, id="budget"
        ),
        pytest.param(
            finished(is_error=False, terminal_reason="max_turns"),
            None,
            Cause.MAX_TURNS,
            id="terminal-turns",
        ),
        pytest.param(
            finished(terminal_reason="budget_exhausted"), None, Cause.BUDGET, id="terminal-budget"
        ),
        pytest.param(
            finished(terminal_reason="prompt_too_long"), None, Cause.CONTEXT, id="terminal-prompt"
        ),
        pytest.param(
            finished(terminal_reason="blocking_limit"), None, Cause.CONTEXT, id="terminal-limit"
        ),
        pytest.param(
            finished(terminal_reason="rapid_refill_breaker"),
            None,
            Cause.CONTEXT,
            id="terminal-refill",
        ),
        pytest.param(
            finished(is_error=False, stop_reason="refusal"), None, Cause.REFUSAL, id="refusal"
        ),
        pytest.param(
            finished(text="Prompt is too long"), None, Cause.CONTEXT, id="long-prompt-in-words"
        ),
        pytest.param(
            finished(text="input exceeds the context window"), None, Cause.CONTEXT, id="window"
        ),
        pytest.param(finished(text="Credit balance is too low"), None, Cause.QUOTA, id="credit"),
        pytest.param(
            finished(text="Claude AI usage limit reached|1"), None, Cause.QUOTA, id="usage-limit"
        ),
        pytest.param(finished(text="it broke", status=500), None, Cause.API, id="status-500"),
        pytest.param(finished(text="no", status=401), None, Cause.LOGIN, id="status-401"),
        pytest.param(finished(text="no", status=429), None, Cause.RATE_LIMIT, id="status-429"),
        pytest.param(finished(text="it broke"), None, Cause.AGENT_FAILED, id="no-status"),
        pytest.param(
            finished(is_error=False),
            Failed("server_error", "it broke"),
            Cause.API,
            id="gave-up-though-no-error",
        ),
        pytest.param(finished(), Failed("server_error", "it broke"), Cause.API, id="gave-up"),
        pytest.param(
            finished(status=529), Failed("server_error", "it broke"), Cause.OVERLOADED, id="529"
        ),
        pytest.param(
            finished(), Failed("rate_limit", "You've hit your limit"), Cause.RATE_LIMIT, id="rate"
        ),
        pytest.param(
            finished(status=429),
            Failed("rate_limit", "usage limit reached"),
            Cause.RATE_LIMIT,
            id="rate-limit-in-the-words-of-a-quota",
        ),
        pytest.param(
            finished(status=429),
            Failed("unknown", "usage limit reached"),
            Cause.QUOTA,
            id="quota-by-its-words-alone",
        ),
        pytest.param(
            finished(status=400),
            Failed("invalid_request", "prompt is too long: 9 tokens > 8"),
            Cause.CONTEXT,
            id="long-prompt-as-a-bad-request",
        ),
        pytest.param(
            finished(status=400), Failed("invalid_request", "no"), Cause.API, id="bad-request"
        ),
        pytest.param(
            finished("error_max_turns"), Failed("overloaded", ""), Cause.MAX_TURNS, id="limit-first"
        ),
    ],
)
def test_a_turns_end_has_the_cause(
    end: Finished, failed: Failed | None, cause: Cause | None
) -> None:
    """A turn's subtype alone says nothing: the limits come first, then what the API was like."""
    trouble = ending(end, failed)
    assert (trouble.cause if trouble else None) == cause


@pytest.mark.parametrize(
    ("error", "status", "cause"),
    [
        pytest.param("authentication_failed", None, Cause.LOGIN, id="login"),
        pytest.param("oauth_org_not_allowed", None, Cause.LOGIN, id="organisation"),
        pytest.param("billing_error", None, Cause.QUOTA, id="billing"),
        pytest.param("rate_limit", None, Cause.RATE_LIMIT, id="rate"),
        pytest.param("overloaded", None, Cause.OVERLOADED, id="overloaded"),
        pytest.param("model_not_found", None, Cause.MODEL, id="model"),
        pytest.param("server_error", None, Cause.API, id="server"),
        pytest.param("invalid_request", None, Cause.API, id="request"),
        pytest.param("max_output_tokens", None, Cause.AGENT_FAILED, id="output"),
        pytest.param("never heard of", None, Cause.API, id="new-error"),
        pytest.param("unknown", 401, Cause.LOGIN, id="401"),
        pytest.param("unknown", 402, Cause.QUOTA, id="402"),
        pytest.param("unknown", 404, Cause.MODEL, id="404"),
        pytest.param("unknown", 413, Cause.CONTEXT, id="413"),
        pytest.param("unknown", 429, Cause.RATE_LIMIT, id="429"),
        pytest.param("unknown", 529, Cause.OVERLOADED, id="529"),
        pytest.param("unknown", 500, Cause.API, id="500"),
        pytest.param("rate_limit", 529, Cause.OVERLOADED, id="the-status-says-more"),
        pytest.param("rate_limit", 500, Cause.RATE_LIMIT, id="a-status-that-says-nothing"),
    ],
)
def test_a_failed_request_has_the_cause(error: str, status: int | None, cause: Cause) -> None:
    """A status that means one thing decides, else the client's category, else it is the API."""
    assert api_cause(error, status) is cause
    assert (cause in WAITABLE) == (cause in (Cause.RATE_LIMIT, Cause.OVERLOADED))


@pytest.mark.parametrize(
    ("end", "failed", "message"),
    [
        pytest.param(
            finished(text="the end's"),
            Failed("overloaded", "the failure's"),
            "the end's; run again later; `retries` repeats a task",
            id="the-turns-own-words",
        ),
        pytest.param(
            finished(),
            Failed("model_not_found", "no model x"),
            "no model x; fix ptc_model or the marker's model",
            id="the-failures-words",
        ),
        pytest.param(
            finished("error_max_turns"),
            None,
            "the turn ended: error_max_turns; raise max_turns, or make the task smaller",
            id="no-words",
        ),
        pytest.param(
            finished("error_max_budget_usd", text="Reached $0.01"),
            None,
            "Reached $0.01; raise the marker's budget_usd or ptc_task_budget_usd, or make the task "
            "smaller",
            id="budget",
        ),
        pytest.param(finished(text="it broke"), None, "it broke", id="no-fix-known"),
    ],
)
def test_trouble_says_what_was_said_and_the_fix(
    end: Finished, failed: Failed | None, message: str
) -> None:
    """The message is the client's words, and what a person can do where we know it."""
    trouble = ending(end, failed)
    assert trouble is not None
    assert trouble.message == message


KEY = {"apiKeySource": "ANTHROPIC_API_KEY"}
TOOLS = ("Read", "TaskUpdate")


def before(**more: Any) -> Trouble | None:
    """Return the trouble before a client is used that is as it should be, but for what is said."""
    return preflight(**{"version": "2.1.330", "tools": TOOLS, "account": KEY, **more})


@pytest.mark.parametrize(
    ("version", "fine"),
    [
        ("2.1.197", True),
        ("2.1.198", True),
        ("2.2.0", True),
        ("3.0.0", True),
        ("10.0.0", True),
        ("2.1.1000", True),
        ("2.1.330-beta (Claude Code)", True),
        ("2.1.196", False),
        ("2.0.999", False),
        ("1.9.999", False),
        ("2.1", False),
        ("v2.1.330", False),
        ("", False),
    ],
)
def test_the_client_must_be_new_enough(version: str, *, fine: bool) -> None:
    """Versions are compared as numbers, and one that is not told is too old."""
    trouble = before(version=version)
    assert (trouble is None) is fine
    if trouble is not None:
        assert trouble.cause is Cause.CLIENT_VERSION
        assert "2.1.197 or newer: update it, or unset CLAUDE_CODE" in trouble.message


@pytest.mark.parametrize(
    ("account", "fine"),
    [
        pytest.param(None, True, id="nothing-told"),
        pytest.param({"email": "a@b.c"}, True, id="email"),
        pytest.param({"subscriptionType": "max"}, True, id="subscription"),
        pytest.param({"tokenSource": "CLAUDE_CODE_OAUTH_TOKEN"}, True, id="token"),
        pytest.param({"tokenSource": "none", **KEY}, True, id="key"),
        pytest.param({"apiProvider": "bedrock", "tokenSource": "none"}, True, id="bedrock"),
        pytest.param({"apiProvider": "firstParty", **KEY}, True, id="first-party"),
        pytest.param({"apiProvider": "firstParty"}, False, id="first-party-without"),
        pytest.param({}, False, id="empty"),
        pytest.param({"tokenSource": "none"}, False, id="no-token"),
        pytest.param({"tokenSource": "none", "apiKeySource": "none"}, False, id="neither"),
        pytest.param({"email": "", "subscriptionType": None}, False, id="blank"),
    ],
)
def test_the_client_must_have_a_login(account: dict[str, Any] | None, *, fine: bool) -> None:
    """A client of Anthropic's own API that names no login is not asked; any other is."""
    trouble = before(account=account)
    assert (trouble is None) is fine
    assert trouble is None or trouble.cause is Cause.LOGIN
    assert trouble is None or "set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN" in trouble.message


@pytest.mark.parametrize(
    ("tools", "fine"),
    [(TOOLS, True), (("TaskUpdate",), True), (("Read", "TaskCreate"), False), ((), False)],
)
def test_the_model_must_be_offered_the_tool_that_records(
    tools: tuple[str, ...], *, fine: bool
) -> None:
    """Without the tool no verdict could ever be recorded: nothing is spent on trying."""
    trouble = before(tools=tools)
    assert (trouble is None) is fine
    assert trouble is None or trouble.cause is Cause.NO_TASK_TOOLS
    assert trouble is None or "does not offer TaskUpdate" in trouble.message


def test_of_several_problems_the_one_that_hides_the_others_is_told() -> None:
    """An old client is told before its login, and a missing login before its tools."""
    causes = []
    for version, account in (("1.0.0", {}), ("2.1.330", {}), ("2.1.330", KEY)):
        trouble = before(version=version, account=account, tools=())
        causes.append(trouble and trouble.cause)
    assert causes == [Cause.CLIENT_VERSION, Cause.LOGIN, Cause.NO_TASK_TOOLS]
