"""The agents that `--ptc-agent` can name.

An agent kind is used twice. In pytest's process, before anything costs money, `configure` returns
the agent's program and files, or raises why it cannot be used. In each worker, `make` makes the
agent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_ptc.interfaces.worker_python import WorkerPython
    from pytest_ptc.model.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentRequest:
    """The input of an agent's `configure`.

    Args:
        settings: The run's settings.
        rootpath: Pytest's root directory.
        start: The directory that pytest was started in.
        environ: The environment of pytest's process.
        claude_config: Claude Code's configuration directory, which has the shared list.
        python: The Python that runs workers.
    """

    settings: Settings
    rootpath: Path
    start: Path
    environ: Mapping[str, str]
    claude_config: Path
    python: WorkerPython


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentPlan:
    """The agent of one run, decided before anything is started.

    Args:
        argv: Its program and arguments, found from any directory; empty for one in Python. They are
            in the launch file, and secrets among them are redacted everywhere.
        source: The option or variable that names the program, for messages.
        unclear: Relative words of `argv` that name a file of the root directory, and may name
            another file in another directory.
        options: The settings that `make` needs, as plain JSON. Verdicts depend on them: a run with
            other options does not keep the verdicts of this one.
        files: Files besides the program that influence the verdicts; absolute paths.
        words: Texts that name files of every task's own directory.
        distributions: Installed distributions that influence the verdicts.
    """

    argv: tuple[str, ...] = ()
    source: str = ""
    unclear: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()


def no_program(_: AgentRequest) -> AgentPlan:
    """Return the plan of an agent that is Python code and needs nothing of the settings."""
    return AgentPlan()


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentKind:
    """An agent that `--ptc-agent` can name.

    Args:
        name: Its name.
        make: The place of the function that makes it in a worker, `package.module:function`. It is
            called with the worker's launch file and environment.
        configure: Returns the agent's plan for a run; raises ConfigError if it cannot be used.
        screen: The place of the function that makes it for `--ptc-interactive`; None if it has no
            interactive mode.
        limits: The limits of one attempt that it keeps to, of `max_turns` and `budget_usd`. A task
            with another one is refused.
        tells_costs: Whether it reports US dollars, for `--ptc-budget-usd`.
        tells_tool_calls: Whether it reports its tool calls, for `require_evidence`.
        sandboxes: Whether it starts what may be an attacker in the sandbox that a task asks for.
        needs_network: Whether it cannot work in a sandbox without the network.
    """

    name: str
    make: str
    configure: Callable[[AgentRequest], AgentPlan] = no_program
    screen: str | None = None
    limits: tuple[str, ...] = ()
    tells_costs: bool = True
    tells_tool_calls: bool = True
    sandboxes: bool = False
    needs_network: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentChoice:
    """A run's agent: its kind and its plan.

    Args:
        name: The kind's name.
        make: The place of the function that makes it in a worker.
        plan: Its plan.
        python: The Python that runs workers.
        module: The module of an agent that does not come with this package.
        limits: The limits of one attempt that it keeps to.
        tells_costs: Whether it reports US dollars.
        tells_tool_calls: Whether it reports its tool calls.
        sandboxes: Whether it can be sandboxed.
        needs_network: Whether it cannot work in a sandbox without the network.
    """

    name: str
    make: str
    plan: AgentPlan
    python: WorkerPython
    module: str | None = None
    limits: tuple[str, ...] = ()
    tells_costs: bool = True
    tells_tool_calls: bool = True
    sandboxes: bool = False
    needs_network: bool = True

    @property
    def search_path(self) -> tuple[str, ...]:
        """Return where that module, and what it imports, is looked for."""
        return tuple(self.python.search_path) if self.module is not None else ()
