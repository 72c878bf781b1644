"""Why there is no verdict: a cause, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Cause(str, Enum):
    """Why a task ended without a verdict that counts; the value is what a reader sees."""

    NO_VERDICT = "no verdict"
    MALFORMED = "malformed verdict"
    CONTRADICTED = "contradicted verdict"
    AGENT_MISSING = "agent not found"
    AGENT_FAILED = "agent failed"
    CLIENT_VERSION = "client version"
    NO_TASK_TOOLS = "task tools missing"
    WRONG_LIST = "wrong task list"
    SESSION = "session refused"
    RECORDER = "recorder not reached"
    PROTOCOL = "protocol error"
    PROJECT_SETTINGS = "project settings"
    CANCELLED = "turn cancelled"
    PERMISSION_MODE = "permission mode refused"
    DIALOG = "dialog open"
    LOGIN = "login"
    QUOTA = "quota"
    RATE_LIMIT = "rate limit"
    OVERLOADED = "overloaded"
    API = "API error"
    MODEL = "model not found"
    CONTEXT = "context overflow"
    REFUSAL = "refusal"
    MAX_TURNS = "max turns"
    BUDGET = "budget spent"
    NO_EVIDENCE = "no evidence"
    TIMEOUT = "timeout"
    RUN_TIMEOUT = "run timeout"
    WORKER_LOST = "worker lost"
    NO_WORKERS = "no workers"
    CLAIM_LOST = "claim lost"
    WORKTREE = "worktree"
    NEEDS = "needs unmet"
    NO_AGREEMENT = "no agreement"
    DECIDED = "decided without it"
    STOPPED = "run stopped"
    TASK_STOPPED = "stopped"
    MACHINERY = "machinery"

    def __str__(self) -> str:
        return self.value


#: Causes that another attempt may fix. The others would only spend again: the command stays
#: missing, the needed task stays failed, the run stays stopped; and records that cannot be read may
#: hold a fail, which no later pass outweighs.
RETRYABLE = frozenset(
    {
        Cause.NO_VERDICT,
        Cause.MALFORMED,
        Cause.CONTRADICTED,
        Cause.NO_EVIDENCE,
        Cause.AGENT_FAILED,
        Cause.CANCELLED,
        Cause.RATE_LIMIT,
        Cause.OVERLOADED,
        Cause.API,
        Cause.TIMEOUT,
        Cause.WORKER_LOST,
        Cause.CLAIM_LOST,
        Cause.WORKTREE,
        Cause.MACHINERY,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """Why a task has no verdict that counts, with its last output.

    Args:
        cause: The kind of trouble.
        message: One sentence for a person, with the fix where we know one.
        evidence: The last lines of the agent's output or of the worker's pane.
        final: No other attempt is made, whatever the cause: the agent said fail, though not in a
            valid verdict.
    """

    cause: Cause
    message: str
    evidence: str = ""
    final: bool = False

    @property
    def retryable(self) -> bool:
        """Tell whether another attempt may fix it."""
        return self.cause in RETRYABLE and not self.final

    def after_fail(self) -> Trouble:
        """Return the same trouble, final because the agent said fail."""
        if self.final:
            return self
        message = f"{self.message}; it said fail: not tried again"
        return replace(self, message=message, final=True)

    def beside(self, settled: Trouble) -> Trouble:
        """Return this trouble; final, with the other message, if the other one is final."""
        if not settled.final:
            return self
        return replace(self, message=f"{self.message}; {settled.message}", final=True)

    def to_json(self) -> dict[str, Any]:
        """Return the trouble as JSON."""
        return {
            "cause": self.cause.value,
            "message": self.message,
            "evidence": self.evidence,
            "final": self.final,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Trouble:
        """Return the trouble that `to_json` wrote."""
        return cls(
            cause=Cause(value["cause"]),
            message=value["message"],
            evidence=value["evidence"],
            # Older journals do not have the field.
            final=bool(value.get("final", False)),
        )

    def __str__(self) -> str:
        return f"{self.cause}: {self.message}"
