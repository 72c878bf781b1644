"""What a run was asked to do, resolved once."""

from __future__ import annotations

from typing import NamedTuple

HOSTS = ("auto", "tmux", "process")
GITHUB = ("auto", "yes", "no")
FAIL_ON = ("verdict", "critical", "high", "medium", "low", "info")
ISOLATIONS = ("worktree",)
PERMISSION_MODES = ("default", "acceptEdits", "plan", "dontAsk", "bypassPermissions")


class Settings(NamedTuple):
    """What the user asked of this run, resolved once; field by field in `OPTIONS`.

    Not a dataclass: making one of this size takes 7 ms, and every pytest run would pay for it.
    """

    workers: int
    agent: str
    host: str
    command: str
    verdict_from_exit: bool
    claude_code: str
    interactive: bool
    setting_sources: tuple[str, ...]
    task_list_id: str
    max_worker_restart: int | None
    timeout: float | None
    run_timeout: float | None
    retries: int
    model: str
    tools: tuple[str, ...]
    permission_mode: str
    cwd: str
    env: tuple[str, ...]
    max_turns: int | None
    budget_usd: float | None
    task_budget_usd: float | None
    gate: bool
    require_evidence: bool
    resume: str
    fail_on: str
    exit_codes: bool
    require: str
    on_skip: str
    isolation: str
    json: str
    sarif: str
    gitlab: str
    html: str
    github: str
    properties: bool

    @property
    def skip_means(self) -> str:
        """Return what a verdict of skip makes of its test: `skip` or `error`."""
        return self.on_skip or ("error" if self.exit_codes else "skip")

    @property
    def gate_by_name(self) -> list[str]:
        """Return the options that are set and ask for nothing but a gate."""
        asked = {"--ptc-exit-codes": self.exit_codes, "--ptc-require": self.require}
        return [name for name, value in asked.items() if value]

    @property
    def gate_options(self) -> list[str]:
        """Return all options by which somebody wants a run to be judged by."""
        asked = {
            "--ptc-fail-on": self.fail_on != "verdict",
            "--ptc-on-skip": self.on_skip == "error",
            "--ptc-json": self.json,
            "--ptc-sarif": self.sarif,
            "--ptc-gitlab": self.gitlab,
            "--ptc-html": self.html,
            "--ptc-github": self.github == "yes",
        }
        return [*self.gate_by_name, *(name for name, value in asked.items() if value)]
