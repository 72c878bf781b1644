"""A task, complete: what an agent is asked, where, and within which limits."""

from __future__ import annotations

# An event is decoded by these types: they are there at run time.
from collections.abc import Mapping  # noqa: TC003
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_ptc.model.choices import (  # noqa: TC001
    FailOn,
    GateOn,
    Isolation,
    PermissionMode,
    PlaceCheck,
    SandboxNetwork,
    SandboxUse,
    SkipMeans,
    Unplaced,
)
from pytest_ptc.model.self_test import SelfTest


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSpec:
    """What one test asks of an agent; every default is already applied.

    Args:
        nodeid: The test's node id, or `<nodeid>::submit[n]` for work a test submits itself.
        source: The file that the test comes from, relative to the top of its repository, else
            absolute: two tests of one node id are told apart by it in a later run.
        prompt: The text for the agent, filled.
        params: The parameters and the session fixtures the prompt names, as plain JSON.
        timeout: Seconds that one attempt may take.
        group: Its group, of which no two tasks are at work at once; None for none.
        retries: How many more attempts a retryable trouble gets.
        cwd: The agent's working directory, absolute.
        env: Variables added to the agent's environment.
        needs: Node ids of the tasks that must pass first.
        gate: Whether a verdict of fail fails the test.
        require_evidence: Whether a pass or skip of an agent that used no tool is an error.
        require_checked: Whether a pass must say what it is based on.
        findings: `sarif:` and the file in the agent's directory that has an attempt's findings.
        isolation: `worktree` for an own copy of the repository; None for `cwd` itself.
        ref: The commit that the copy is at, in full.
        base: With `isolation`, the commit whose difference to `ref` is put behind the prompt, in
            full; without, the commit that the working tree's changes are from.
        gate_on: What the change from `base` must touch of a finding's place, so that it may block.
        fail_on: A severity from which on a finding fails the test, though its verdict is a pass or
            a skip; `verdict` for none.
        places: What becomes of a finding that does not stand where it says: the verdict is refused
            to an agent that can correct it, or the finding gets a note.
        unplaced: Whether a finding without a place in a file is blocking by `fail_on`, beside a
            pass or a skip, or advisory.
        on_skip: What a verdict of skip makes of the test: `skip` or `error`.
        schema: JSON Schema that the verdict's `data` must meet.
        model: The model asked for, in the agent's own words.
        tools: The tools the agent may use; None for the agent's default.
        permission_mode: Claude Code's permission mode.
        max_turns: The most turns an agent may take.
        budget_usd: The most an attempt may cost, in US dollars.
        agent: The agent; None for the run's.
        votes: How many conversations judge it.
        quorum: How many of the votes must pass: `majority`, `all`, or a number.
        voters: Who casts the votes, in turns: `AGENT`, `AGENT:MODEL` or `:MODEL`; empty for the
            item's own agent and model.
        verify: Whether each finding that blocks goes to a verifier.
        verify_limit: How many findings are verified at most, the worst first.
        sandbox: `bwrap` for a sandbox, `off` for none; `auto` until it is submitted.
        sandbox_read: More places, absolute, that its agent may read in a sandbox.
        sandbox_write: More places, absolute, that its agent may change in a sandbox.
        sandbox_network: Whether its agent has the network in a sandbox.
        sandbox_tmp: How many megabytes its agent may write in each of a sandbox's own folders.
        self_test: What it tests of its judge, who is not told; None for nothing.
        alias: What it is called before its agent, in place of the node id; None for that.
    """

    nodeid: str
    prompt: str
    timeout: float
    #: Behind the timeout, where an outline of a run finds it without reading the rest.
    group: str | None = None
    cwd: str
    source: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    retries: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    gate: bool = True
    require_evidence: bool = False
    require_checked: bool = False
    fail_on: FailOn = "verdict"
    places: PlaceCheck = "check"
    unplaced: Unplaced = "block"
    on_skip: SkipMeans = "skip"
    findings: str | None = None
    isolation: Isolation | None = None
    ref: str | None = None
    base: str | None = None
    gate_on: GateOn = "all"
    schema: Mapping[str, Any] | None = None
    model: str | None = None
    tools: tuple[str, ...] | None = None
    permission_mode: PermissionMode | None = None
    max_turns: int | None = None
    budget_usd: float | None = None
    agent: str | None = None
    votes: int = 1
    quorum: str = "majority"
    voters: tuple[str, ...] = ()
    verify: bool = False
    verify_limit: int = 20
    sandbox: SandboxUse = "off"
    sandbox_read: tuple[str, ...] = ()
    sandbox_write: tuple[str, ...] = ()
    sandbox_network: SandboxNetwork = "on"
    sandbox_tmp: int = 512
    self_test: SelfTest | None = None
    alias: str | None = None

    @property
    def has_panel(self) -> bool:
        """Tell whether more than one conversation may have a part in its verdict."""
        return self.votes > 1 or self.verify

    @property
    def for_agent(self) -> TaskSpec:
        """Return the task as its agent may know it: without what it tests, under its alias."""
        if self.alias is None:
            return replace(self, self_test=None)
        # The name of its file, too, may say what it is.
        return replace(self, nodeid=self.alias, source="", self_test=None, alias=None)

    def to_json(self) -> dict[str, Any]:
        """Return the spec as JSON, one key a field."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TaskSpec:
        """Return the spec that `to_json` wrote."""
        fields = dict(value)
        fields["needs"] = tuple(fields["needs"])
        if fields["tools"] is not None:
            fields["tools"] = tuple(fields["tools"])
        for name in ("voters", "sandbox_read", "sandbox_write"):
            fields[name] = tuple(fields.get(name, ()))
        if fields.get("self_test") is not None:
            fields["self_test"] = SelfTest.from_json(fields["self_test"])
        return cls(**fields)


def _plain(value: Any) -> Any:
    if isinstance(value, SelfTest):
        return value.to_json()
    return list(value) if isinstance(value, tuple) else value
