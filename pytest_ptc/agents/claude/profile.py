"""The settings of a Claude Code process that a conversation cannot change. Pure.

Two tasks with the same profile can share one process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.claude.diagnosis import RECORDING_TOOL
from pytest_ptc.interfaces.environment import inherited, with_guarded_git
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.variables import RUN_COOKIE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_ptc.interfaces.launch import LaunchFile
    from pytest_ptc.model.task import TaskSpec

#: Tools that change nothing. They need no rule: Claude Code lets them read below the task's
#: directory, and nothing outside of it.
READ_ONLY = ("Read", "Grep", "Glob")

#: `dontAsk` shows no permission prompts, and denies a tool call unless a rule allows it.
DEFAULT_PERMISSION_MODE = "dontAsk"

_FIXED: Mapping[str, str] = {
    # Newer models get the Task tools only with these settings, or only after a tool search.
    "CLAUDE_CODE_ENABLE_TASKS": "1",
    "CLAUDE_CODE_ENABLE_TODO_TOOLS": "1",
    "ENABLE_TOOL_SEARCH": "false",
    # No memory and no background process of one task may reach the next.
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    "CLAUDE_CODE_DISABLE_CRON": "1",
    # `@path` in a text under review must not attach that file.
    "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",
    # Runs stay comparable: no update during a run, no feature flags from the network. No requests
    # but those to the model: no title for a session that nobody lists.
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_TERMINAL_TITLE": "1",
}

#: Has the client's engine compile what is run very often alone: what a client runs is too much and
#: too varied for compiling to pay off, and costs a fifth of its CPU. A program of a task would get
#: it as well, so only clients that start none do.
_SELDOM_COMPILED: Mapping[str, str] = {"BUN_JSC_thresholdForJITAfterWarmUp": "100000"}

#: Has the client itself hold what `Profile.restricted` says; those before 2.1.248 ignore it.
_RESTRICTED: Mapping[str, str] = {"CLAUDE_CODE_RESTRICTED": "1"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """How a Claude Code process is started.

    Args:
        cwd: Its directory.
        tools: The tools that the model gets.
        allowed: The allow rules for tools that need one.
        denied: The deny rules.
        permission_mode: Decides a call that no rule decides.
        env: What the task adds to the environment, sorted.
        model: The model; None for the client's default.
        max_turns: The most turns of a conversation.
        budget_usd: The most US dollars of a conversation.
        setting_sources: Which settings files it reads.
        sandbox: The words before it that have it run in a sandbox; none without one.
    """

    cwd: str
    tools: tuple[str, ...]
    allowed: tuple[str, ...]
    denied: tuple[str, ...]
    permission_mode: str
    env: tuple[tuple[str, str], ...]
    model: str | None
    max_turns: int | None
    budget_usd: float | None
    setting_sources: tuple[str, ...]
    sandbox: tuple[str, ...] = ()

    @property
    def harmless(self) -> bool:
        """Tell whether its tools cannot start any process."""
        return set(self.tools) <= {*READ_ONLY, RECORDING_TOOL}

    @property
    def restricted(self) -> bool:
        """Tell whether it only reads, below its directory, and no settings file has a say.

        A rule may allow more, such as a file elsewhere; Claude Code's restricted mode would not.
        """
        ruled = set(self.allowed) != {RECORDING_TOOL}
        asks_for_more = self.permission_mode == "bypassPermissions"
        return self.harmless and not (ruled or self.setting_sources or asks_for_more)

    def facts(self) -> dict[str, Any]:
        """Return it as plain JSON; of the environment only the names."""
        left_out = ("env", "sandbox")
        facts = {name: getattr(self, name) for name in self.__slots__ if name not in left_out}
        names = [name for name, _ in self.env]
        return {**facts, "env": names, "sandbox": bool(self.sandbox)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What all clients of a worker have in common.

    Args:
        client: The program; None for the one that the SDK brings.
        run_id: The run's id.
        task_list_id: The shared list.
        claude_config: The configuration directory that has the list.
        setting_sources: Which settings files Claude Code reads.
        journals: The folder of all runs' journals.
        scratch: The run's private folder, which is removed at its end.
        environ: The environment that a client inherits from.
        user: The effective user id.
    """

    client: Path | None
    run_id: str
    task_list_id: str
    claude_config: str
    setting_sources: tuple[str, ...]
    journals: str
    scratch: str
    environ: Mapping[str, str]
    user: int

    @classmethod
    def of(
        cls, launch: LaunchFile, environ: Mapping[str, str], user: int, client: Path | None
    ) -> Surroundings:
        """Return what a worker's launch file says."""
        return cls(
            client=client,
            run_id=launch.run_id,
            task_list_id=launch.task_list_id,
            claude_config=str(launch.claude_config),
            setting_sources=tuple(launch.agent.options["setting_sources"]),
            journals=str(launch.journal.parent),
            scratch=str(launch.scratch),
            environ=inherited(environ),
            user=user,
        )

    def profile(self, spec: TaskSpec) -> Profile:
        """Return what a client for this task must be started with."""
        return profile_of(spec, self.setting_sources, self.journals)

    def environment(self, profile: Profile, marks: Mapping[str, str]) -> dict[str, str]:
        """Return a client's whole environment; `marks` identify its processes."""
        return client_environment(
            self.environ,
            profile,
            run_id=self.run_id,
            task_list_id=self.task_list_id,
            scratch=self.scratch,
            marks=marks,
        )

    def problem(self, profile: Profile, environ: Mapping[str, str]) -> Trouble | None:
        """Return why a client of this profile cannot work, if that is known beforehand."""
        return misfit(
            profile, environ, claude_config=self.claude_config, task_list_id=self.task_list_id
        ) or root_problem(profile.permission_mode, environ, self.user)


def profile_of(spec: TaskSpec, setting_sources: tuple[str, ...], journals: str) -> Profile:
    """Return what a process must be started with to do this task.

    Args:
        spec: The task.
        setting_sources: Which settings files the suite asks for.
        journals: The folder of all runs' journals. It lies below the project, and a task must not
            read the results of others: it is denied, and left out of searches.
    """
    tools = READ_ONLY if spec.tools is None else spec.tools
    rules = [tool for tool in tools if tool not in READ_ONLY]
    return Profile(
        cwd=spec.cwd,
        tools=tuple(dict.fromkeys([*(tool.partition("(")[0] for tool in tools), RECORDING_TOOL])),
        allowed=(*rules, RECORDING_TOOL),
        denied=(f"Read(/{journals}/**)", f"Edit(/{journals}/**)"),
        permission_mode=spec.permission_mode or DEFAULT_PERMISSION_MODE,
        env=tuple(sorted(spec.env.items())),
        model=spec.model,
        max_turns=spec.max_turns,
        budget_usd=spec.budget_usd,
        setting_sources=setting_sources,
    )


def client_environment(
    environ: Mapping[str, str],
    profile: Profile,
    *,
    run_id: str,
    task_list_id: str,
    scratch: str,
    marks: Mapping[str, str],
) -> dict[str, str]:
    """Return the whole environment of a Claude Code process.

    Args:
        environ: The worker's.
        profile: What the task adds.
        run_id: The run's id.
        task_list_id: The shared list.
        scratch: Where it may leave sockets and its tools' output, if nobody named another place.
        marks: Variables that identify its processes.
    """
    variables = {
        "CLAUDE_CODE_TMPDIR": scratch,
        **(_SELDOM_COMPILED if profile.harmless else {}),
        **inherited(environ),
        **_FIXED,
        **(_RESTRICTED if profile.restricted else {}),
        "CLAUDE_CODE_TASK_LIST_ID": task_list_id,
        **dict(profile.env),
    }
    return {**with_guarded_git(variables), RUN_COOKIE: run_id, **marks}


def misfit(
    profile: Profile, environ: Mapping[str, str], *, claude_config: str, task_list_id: str
) -> Trouble | None:
    """Return why a process of this profile cannot work, if that is known before it starts.

    Args:
        profile: The profile.
        environ: The whole environment of the process.
        claude_config: The configuration directory that has the shared list.
        task_list_id: The shared list.
    """
    listed = environ.get("CLAUDE_CODE_TASK_LIST_ID")
    if listed != task_list_id:
        return Trouble(
            cause=Cause.WRONG_LIST,
            message=f"the task's env sets CLAUDE_CODE_TASK_LIST_ID to {listed!r}, the run's list "
            f"is {task_list_id!r}; remove it, and use --ptc-task-list-id",
        )
    added = dict(profile.env)
    moved = "HOME" in added and "CLAUDE_CONFIG_DIR" not in environ
    if moved or added.get("CLAUDE_CONFIG_DIR", claude_config) != claude_config:
        return Trouble(
            cause=Cause.WRONG_LIST,
            message="the task's env sets HOME or CLAUDE_CONFIG_DIR, so Claude Code would not find "
            f"the shared list below {claude_config}; set them for pytest itself",
        )
    return None


def root_problem(permission_mode: str, environ: Mapping[str, str], user: int) -> Trouble | None:
    """Return the error if Claude Code would refuse `bypassPermissions`, because it runs as root.

    Args:
        permission_mode: The mode asked for.
        environ: The whole environment of the process.
        user: The effective user id.
    """
    sandboxed = environ.get("IS_SANDBOX") == "1" or "CLAUDE_CODE_BUBBLEWRAP" in environ
    if permission_mode != "bypassPermissions" or user != 0 or sandboxed:
        return None
    return Trouble(
        cause=Cause.PERMISSION_MODE,
        message="Claude Code does not allow bypassPermissions for root: run as another user, set "
        "IS_SANDBOX=1 in ptc_env if this is a sandbox, or allow what is needed by `tools`",
    )
