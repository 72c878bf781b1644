"""What each keyword of the marker means, for the table in the documentation."""

from __future__ import annotations

from types import MappingProxyType

MEANING = MappingProxyType(
    {
        "timeout": (
            "seconds that one attempt may take; else those of pytest-timeout's marker, "
            "`--ptc-timeout`, pytest-timeout's `--timeout`, 600"
        ),
        "retries": (
            "extra attempts after an infrastructure error (crash, timeout, rate limit); never "
            "after a fail"
        ),
        "needs": (
            "tests whose tasks must pass first: names in the same file, or node ids; one that is "
            "not selected (`-k`, `--lf`, a node id) is run as a task, without its test"
        ),
        "gate": "`False`: the body of the test alone judges, even a verdict of fail",
        "fail_on": (
            "a finding of this severity or worse fails the test though its verdict is a pass or a "
            "skip; `verdict`: none does"
        ),
        "require_evidence": "`True`: a pass or a skip of an agent that used no tool is an error",
        "schema": (
            "what the verdict's `data` must meet; whole in itself, because nothing is fetched"
        ),
        "cwd": "the agent's directory, from the root directory; may hold fields",
        "env": "variables added to the agent's environment",
        "isolation": (
            "each attempt has a git worktree of its own, removed afterwards, even after a crash"
        ),
        "ref": "with `isolation`: the commit or branch of the worktree (default `HEAD`)",
        "base": (
            "with `isolation`: the commit or branch whose difference to `ref` is put behind the "
            "prompt"
        ),
        "tools": "what Claude Code may do, see [permissions](../guides/permissions.md)",
        "permission_mode": (
            "Claude Code's permission mode, see [permissions](../guides/permissions.md)"
        ),
        "model": "the model; agent `command` ignores it",
        "max_turns": "the most turns of one attempt; agent `command` ignores it",
        "budget_usd": "the most US dollars of one attempt; agent `command` ignores it",
    }
)
