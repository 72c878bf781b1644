"""What a task's verdict depends on besides files, as one hash for each part. Pure.

Files are in `contents.py`. Parts are told apart so that a run which does not keep a verdict can say
which of them has changed.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_ptc.model.task import TaskSpec

#: What of a task has no part in its verdict: how long and how often it may be tried, what must come
#: first or must wait, and what its test makes of the verdict.
_WITHOUT = frozenset(
    {"timeout", "retries", "needs", "group", "gate", "fail_on", "on_skip", "unplaced"}
    # A vote is a conversation of its own, whoever else votes.
    | {"votes", "quorum", "voters", "verify", "verify_limit"}
    | {"self_test", "alias"}
)
#: What has a part of its own; all else of a task is its settings.
_PARTS = {
    "nodeid": "identity",
    "source": "identity",
    "prompt": "prompt",
    "params": "parameters",
    "ref": "commit under review",
    "base": "commit under review",
}

#: A server that a suite starts for itself has another port each time.
_PORT = re.compile(
    r"(?<![\w.-])((?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|localhost|\[::1\])):\d{1,5}(?!\w)"
)

#: Variables that choose a model, or where it is. Their values are no secrets.
_CHOOSES = ("_MODEL", "_BASE_URL", "_API_BASE", "_ENDPOINT", "_PROVIDER", "_DEPLOYMENT")
_CHOOSE_BY_BEGINNING = (
    "ANTHROPIC_MODEL",
    "ANTHROPIC_DEFAULT_",
    "ANTHROPIC_SMALL_FAST_MODEL",
    "ANTHROPIC_BETAS",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_VERTEX_PROJECT_ID",
    "CLAUDE_CODE_USE_",
    "CLAUDE_CODE_SKIP_",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "CLAUDE_CODE_EFFORT_LEVEL",
    "CLAUDE_CODE_SUBAGENT_MODEL",
    "MAX_THINKING_TOKENS",
    "CLOUD_ML_REGION",
    "VERTEX_REGION_",
    "AWS_REGION",
)
#: Values that are secrets, whatever else their names say: whether they are set counts, alone.
_SECRET = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")


def fingerprint(spec: TaskSpec, agent: Mapping[str, Any], top: str | None) -> dict[str, str]:
    """Return the hashes of the parts that a task's verdict depends on, by their names.

    Args:
        spec: The task.
        agent: The parts of what the agent is, by their names: plain JSON.
        top: The top of the repository that the task's directory is in; paths count from there.
    """
    parts: dict[str, dict[str, Any]] = {}
    fields = {**spec.to_json(), "cwd": _inside(spec.cwd, top)}
    for name, value in fields.items():
        if name not in _WITHOUT:
            parts.setdefault(_PARTS.get(name, "settings"), {})[name] = value
    hashed = {name: _hash(value) for name, value in parts.items()}
    return hashed | {f"agent: {name}": _hash(value) for name, value in agent.items()}


def _inside(place: str, top: str | None) -> str:
    """Return a directory relative to the top of its repository, where it has one."""
    if top is not None and (place == top or place.startswith(f"{top.rstrip('/')}/")):
        return place[len(top) :].strip("/")
    return place


def changed_parts(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names of the parts that are not the same."""
    return [name for name in {**now, **then} if then.get(name) != now.get(name)]


def model_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that choose the model of an agent, without secrets."""
    return {
        name: "set" if name in _SECRET else value
        for name, value in sorted(environ.items())
        if name in _SECRET or name.endswith(_CHOOSES) or name.startswith(_CHOOSE_BY_BEGINNING)
    }


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(_PORT.sub(r"\1", text).encode()).hexdigest()
