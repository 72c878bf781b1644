"""From the client's report of an error to a cause, with a fix. Pure.

After the client gave up on the API, it reports a turn of subtype `success` with `is_error` set and
exits with status 0; so nothing here relies on the subtype alone. The names are those of Claude Code
2.1.197 to 2.1.330.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.trouble import Cause, Trouble

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_ptc.agents.claude.events import Failed, Finished

#: The oldest Claude Code that the tests have run with. Older ones differ in their task tools; their
#: effect on a shared list is unknown.
OLDEST_VERSION = (2, 1, 197)

#: The tool that records verdicts.
RECORDING_TOOL = "TaskUpdate"

_BY_ERROR: Mapping[str, Cause] = {
    "authentication_failed": Cause.LOGIN,
    "oauth_org_not_allowed": Cause.LOGIN,
    "billing_error": Cause.QUOTA,
    "rate_limit": Cause.RATE_LIMIT,
    "overloaded": Cause.OVERLOADED,
    "model_not_found": Cause.MODEL,
    "server_error": Cause.API,
    "invalid_request": Cause.API,
    "unknown": Cause.API,
    "max_output_tokens": Cause.AGENT_FAILED,
}
_BY_STATUS: Mapping[int, Cause] = {
    401: Cause.LOGIN,
    402: Cause.QUOTA,
    404: Cause.MODEL,
    413: Cause.CONTEXT,
    429: Cause.RATE_LIMIT,
    529: Cause.OVERLOADED,
}
_BY_SUBTYPE: Mapping[str, Cause] = {
    "error_max_turns": Cause.MAX_TURNS,
    "error_max_budget_usd": Cause.BUDGET,
}
_BY_TERMINAL_REASON: Mapping[str, Cause] = {
    "max_turns": Cause.MAX_TURNS,
    "budget_exhausted": Cause.BUDGET,
    "prompt_too_long": Cause.CONTEXT,
    "blocking_limit": Cause.CONTEXT,
    "rapid_refill_breaker": Cause.CONTEXT,
}
_LONG_PROMPT = re.compile(r"prompt is too long|context (window|length|limit)", re.IGNORECASE)
_QUOTA = re.compile(r"credit balance|usage limit|limit reached|quota", re.IGNORECASE)

_FIXES: Mapping[Cause, str] = {
    Cause.LOGIN: "set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN, or run `claude` and /login",
    Cause.QUOTA: "add credit, or wait for the limit to reset",
    Cause.RATE_LIMIT: "wait until it resets, or use fewer workers",
    Cause.OVERLOADED: "run again later; `retries` repeats a task",
    Cause.API: "`retries` repeats a task",
    Cause.MODEL: "fix ptc_model or the marker's model",
    Cause.CONTEXT: "make the task smaller: name fewer files, or split it",
    Cause.MAX_TURNS: "raise max_turns, or make the task smaller",
    Cause.BUDGET: (
        "raise the marker's budget_usd or ptc_task_budget_usd, or make the task smaller"
    ),
    Cause.REFUSAL: "reword the prompt",
}

#: Causes that waiting may fix, within the same attempt.
WAITABLE = frozenset({Cause.RATE_LIMIT, Cause.OVERLOADED})


def ending(finished: Finished, failed: Failed | None) -> Trouble | None:
    """Return what went wrong in a turn, or None if it ended as turns should.

    Args:
        finished: The turn's end.
        failed: The client's error when it gave up on the API.
    """
    subtype = "no message" if finished.subtype == "success" else finished.subtype
    text = finished.text or (failed.text if failed else "") or f"the turn ended: {subtype}"
    cause = _cause(finished, failed, text)
    if cause is None:
        return None
    fix = _FIXES.get(cause)
    return Trouble(cause=cause, message=f"{text}; {fix}" if fix else text)


def api_cause(error: str, status: int | None) -> Cause:
    """Return the cause that one failed request of the client's would have."""
    if status is not None and status in _BY_STATUS:
        return _BY_STATUS[status]
    return _BY_ERROR.get(error, Cause.API)


def refused_so_far(error: str, status: int | None) -> Trouble:
    """Return why a task has no verdict for which the API has answered no request yet."""
    cause = api_cause(error, status)
    code = f" ({status})" if status is not None else ""
    message = f"the API has answered no request: {error or 'error'}{code}"
    fix = _FIXES.get(cause)
    return Trouble(cause=cause, message=f"{message}; {fix}" if fix else message)


def _cause(finished: Finished, failed: Failed | None, text: str) -> Cause | None:
    if finished.subtype in _BY_SUBTYPE:
        return _BY_SUBTYPE[finished.subtype]
    reason = finished.terminal_reason or ""
    if reason in _BY_TERMINAL_REASON:
        return _BY_TERMINAL_REASON[reason]
    if finished.stop_reason == "refusal":
        return Cause.REFUSAL
    if failed is None and not finished.is_error:
        return None if finished.subtype == "success" else Cause.AGENT_FAILED
    if failed is not None and failed.error == "rate_limit":
        return Cause.RATE_LIMIT
    if _LONG_PROMPT.search(text):
        return Cause.CONTEXT
    if _QUOTA.search(text):
        return Cause.QUOTA
    if failed is None and finished.status is None:
        return Cause.AGENT_FAILED
    return api_cause(failed.error if failed else "unknown", finished.status)


def preflight(
    *, version: str, tools: Collection[str], account: Mapping[str, Any] | None
) -> Trouble | None:
    """Return an error that is certain before any request to the model.

    Args:
        version: The client's version.
        tools: The tools that its model will be offered.
        account: The client's report of its login; None if it gives none.
    """
    return _version_problem(version) or _login_problem(account) or _tools_problem(version, tools)


def _version_problem(version: str) -> Trouble | None:
    oldest = ".".join(map(str, OLDEST_VERSION))
    parsed = re.match(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})", version)
    if parsed is None:
        message = f"the client does not report its version ({version!r}); use Claude Code "
    elif tuple(map(int, parsed.groups())) < OLDEST_VERSION:
        message = f"Claude Code {version} is too old; use "
    else:
        return None
    fix = f"{oldest} or newer: update it, or unset CLAUDE_CODE to use claude-agent-sdk's own"
    return Trouble(cause=Cause.CLIENT_VERSION, message=message + fix)


def _login_problem(account: Mapping[str, Any] | None) -> Trouble | None:
    # The client does not check the login of another provider before its first request.
    if account is None or account.get("apiProvider", "firstParty") != "firstParty":
        return None
    if account.get("email") or account.get("subscriptionType"):
        return None
    sources = (account.get("tokenSource"), account.get("apiKeySource"))
    if any(source and source != "none" for source in sources):
        return None
    message = f"Claude Code has no login; {_FIXES[Cause.LOGIN]}"
    return Trouble(cause=Cause.LOGIN, message=message)


def _tools_problem(version: str, tools: Collection[str]) -> Trouble | None:
    if RECORDING_TOOL in tools:
        return None
    message = (
        f"Claude Code {version} does not offer {RECORDING_TOOL}, which records verdicts; "
        "remove settings that switch the Task tools off (CLAUDE_CODE_ENABLE_TASKS=0, "
        "CLAUDE_CODE_SIMPLE, --bare, a deny rule)"
    )
    return Trouble(cause=Cause.NO_TASK_TOOLS, message=message)
