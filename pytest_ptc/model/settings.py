"""What a run was asked to do, resolved once."""

# Without `from __future__ import annotations`: a named tuple compiles each annotation that is a
# text, which takes a quarter of a millisecond of every pytest run for one of this size.
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.choices import (
    DaskCode,
    DaskNodeHost,
    FailOn,
    GateOn,
    GithubUse,
    HostName,
    Isolation,
    OutputForm,
    PermissionMode,
    PlaceCheck,
    SandboxNetwork,
    SandboxUse,
    SettingSource,
    SkipMeans,
    Unplaced,
)

if TYPE_CHECKING:
    from pytest_ptc.model.self_test import Minimums
    from pytest_ptc.model.shards import Shard


class Settings(NamedTuple):
    """What the user asked of this run, resolved once; a field for each option.

    Not a dataclass: making one of this size takes 7 ms, and every pytest run would pay for it.
    """

    workers: int
    agent: str
    host: HostName
    command: str
    verdict_from_exit: bool
    acp_command: str
    claude_code: str
    worker_python: str
    interactive: bool
    setting_sources: tuple[SettingSource, ...]
    task_list_id: str
    max_worker_restart: int | None
    run_timeout: float | None
    budget_usd: float | None
    dask_scheduler: str
    dask_insecure: bool
    dask_code: DaskCode
    dask_max_code: int
    dask_lease: float
    dask_node_host: DaskNodeHost
    dask_resource: str
    dask_env: tuple[str, ...]
    timeout: float | None
    retries: int
    model: str | None
    tools: tuple[str, ...] | None
    permission_mode: PermissionMode | None
    cwd: str | None
    env: tuple[str, ...]
    max_turns: int | None
    task_budget_usd: float | None
    gate: bool
    require_evidence: bool
    require_checked: bool
    fail_on: FailOn
    places: PlaceCheck
    unplaced: Unplaced
    gate_on: GateOn
    votes: int | None
    quorum: str
    voters: tuple[str, ...]
    verify: bool
    verify_limit: int
    findings: str | None
    sandbox: SandboxUse
    sandbox_read: tuple[str, ...]
    sandbox_write: tuple[str, ...]
    sandbox_network: SandboxNetwork
    sandbox_tmp: int
    isolation: Isolation | None
    base: str | None
    known: str
    baseline: str
    resume: str
    exit_codes: bool
    require: str
    shard: str
    min_catch: str
    max_false_alarm: str
    on_skip: SkipMeans | None
    output: OutputForm | None
    keep_runs: int | None
    github: GithubUse
    properties: bool
    #: The files of the reports that are asked for, by the reports' names.
    reports: Mapping[str, str]

    @property
    def variables(self) -> dict[str, str]:
        """Return the variables that are added to every agent's environment."""
        return dict(entry.split("=", 1) for entry in self.env)

    @property
    def minimums(self) -> "Minimums":
        """Return what the judge must reach in its tests."""
        # Every pytest run imports this module, and few have such tests.
        from pytest_ptc.model.self_test import Minimums  # noqa: PLC0415

        return Minimums(self.min_catch, self.max_false_alarm)

    @property
    def part(self) -> "Shard | None":
        """Return the shard that this job judges; None for all items."""
        if not self.shard:
            return None
        from pytest_ptc.model.shards import Shard  # noqa: PLC0415 - as above

        return Shard.parse(self.shard)

    @property
    def skip_means(self) -> SkipMeans:
        """Return what a verdict of skip makes of its test: `skip` or `error`."""
        return self.on_skip or ("error" if self.exit_codes else "skip")

    def is_brief(self, environ: Mapping[str, str]) -> bool:
        """Tell whether a bounded part is printed: by default where Claude Code is the caller."""
        if self.output is None:
            return environ.get("CLAUDECODE") == "1"
        return self.output == "brief"

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
            "--ptc-min-catch": self.min_catch,
            "--ptc-max-false-alarm": self.max_false_alarm,
            **{f"--ptc-{name}": path for name, path in self.reports.items()},
            "--ptc-github": self.github == "yes",
        }
        return [*self.gate_by_name, *(name for name, value in asked.items() if value)]
