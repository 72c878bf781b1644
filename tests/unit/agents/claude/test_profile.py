"""What a Claude Code process is started with, and when that is known to be of no use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_ptc.agents.claude.profile import (
    Profile,
    client_environment,
    misfit,
    profile_of,
    root_problem,
)
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause

SPEC = TaskSpec(nodeid="t.py::test_x", prompt="p", timeout=60, cwd="/repo")
LIST, CONFIG = "ptc-run-1", "/home/me/.claude"


def profile(**more: Any) -> Profile:
    """Return the profile of a task that asks for this."""
    return profile_of(replace(SPEC, **more), (), "/runs")


def environment(environ: dict[str, str], made: Profile | None = None) -> dict[str, str]:
    """Return the environment of a client."""
    return client_environment(
        environ,
        made or profile(),
        run_id="run-1",
        task_list_id=LIST,
        scratch="/tmp/ptc-run-1",
        marks={"PTC_CLIENT": "c00kie"},
    )


@pytest.mark.parametrize(
    ("tools", "offered", "allowed", "harmless"),
    [
        pytest.param(
            None, ("Read", "Grep", "Glob", "TaskUpdate"), ("TaskUpdate",), True, id="default"
        ),
        pytest.param((), ("TaskUpdate",), ("TaskUpdate",), True, id="none"),
        pytest.param(("Read",), ("Read", "TaskUpdate"), ("TaskUpdate",), True, id="read-only"),
        pytest.param(
            ("Read", "Bash(git log:*)", "Bash(git show:*)"),
            ("Read", "Bash", "TaskUpdate"),
            ("Bash(git log:*)", "Bash(git show:*)", "TaskUpdate"),
            False,
            id="rules-of-one-tool",
        ),
        pytest.param(
            ("Read(/etc/**)",),
            ("Read", "TaskUpdate"),
            ("Read(/etc/**)", "TaskUpdate"),
            True,
            id="rule-of-a-reading-tool",
        ),
        pytest.param(
            ("Edit",), ("Edit", "TaskUpdate"), ("Edit", "TaskUpdate"), False, id="writing"
        ),
        pytest.param(
            ("WebFetch",), ("WebFetch", "TaskUpdate"), ("WebFetch", "TaskUpdate"), False, id="web"
        ),
    ],
)
def test_tools_become_an_offer_and_rules(
    tools: tuple[str, ...] | None,
    offered: tuple[str, ...],
    allowed: tuple[str, ...],
    *,
    harmless: bool,
) -> None:
    """A tool is offered by its name and allowed by its rule; reading needs none, recording does."""
    made = profile(tools=tools)
    assert (made.tools, made.allowed, made.harmless) == (offered, allowed, harmless)


@pytest.mark.parametrize(("asked", "mode"), [(None, "dontAsk"), ("plan", "plan")])
def test_what_no_rule_allows_is_denied_unless_asked_otherwise(asked: str | None, mode: str) -> None:
    """The mode is the marker's, else one that asks nobody and allows nothing."""
    assert profile(permission_mode=asked).permission_mode == mode


@pytest.mark.parametrize(
    ("more", "restricted"),
    [
        pytest.param({}, True, id="default"),
        pytest.param({"tools": ()}, True, id="none"),
        pytest.param({"tools": ("Read",), "permission_mode": "plan"}, True, id="reading"),
        pytest.param({"tools": ("Read", "Read(//etc/**)")}, False, id="rule-for-more"),
        pytest.param({"tools": ("Read", "Bash(true)")}, False, id="command"),
        pytest.param({"tools": ("WebFetch",)}, False, id="web"),
        pytest.param({"permission_mode": "bypassPermissions"}, False, id="everything"),
    ],
)
def test_a_client_that_only_reads_is_restricted(more: dict[str, Any], *, restricted: bool) -> None:
    """It is where that takes nothing away: no rule, mode or settings file asks for more."""
    made = profile(**more)
    assert made.restricted is restricted
    assert ("CLAUDE_CODE_RESTRICTED" in environment({}, made)) is restricted
    assert not profile_of(replace(SPEC, **more), ("project",), "/runs").restricted


def test_a_task_can_end_the_restriction() -> None:
    """What a suite sets beats what we set."""
    made = profile(env={"CLAUDE_CODE_RESTRICTED": "0"})
    assert environment({}, made)["CLAUDE_CODE_RESTRICTED"] == "0"


@pytest.mark.parametrize(
    ("tools", "environ", "expected"),
    [
        pytest.param(None, {}, "100000", id="reading"),
        pytest.param(("Read(//etc/**)",), {}, "100000", id="reading-more"),
        pytest.param(("Read", "Bash(true)"), {}, None, id="starts-programs"),
        pytest.param(None, {"BUN_JSC_thresholdForJITAfterWarmUp": "500"}, "500", id="users-own"),
    ],
)
def test_the_engine_of_a_client_that_starts_nothing_compiles_less(
    tools: tuple[str, ...] | None, environ: dict[str, str], expected: str | None
) -> None:
    """No program of a task gets that, and what a user has set stays."""
    made = environment(environ, profile(tools=tools))
    assert made.get("BUN_JSC_thresholdForJITAfterWarmUp") == expected


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param({"nodeid": "t.py::test_y", "prompt": "q", "timeout": 1.0}, True, id="asked"),
        pytest.param({"retries": 3, "schema": {}, "params": {"x": 1}}, True, id="ours"),
        pytest.param({"env": {"B": "2", "A": "1"}}, True, id="order-of-the-env"),
        pytest.param({"env": {"A": "1", "B": "3"}}, False, id="env"),
        pytest.param({"cwd": "/other"}, False, id="cwd"),
        pytest.param({"tools": ("Bash",)}, False, id="tools"),
        pytest.param({"model": "haiku"}, False, id="model"),
        pytest.param({"max_turns": 3}, False, id="max-turns"),
        pytest.param({"budget_usd": 0.5}, False, id="budget"),
        pytest.param({"permission_mode": "plan"}, False, id="mode"),
    ],
)
def test_tasks_share_a_process_only_if_nothing_fixed_differs(
    other: dict[str, Any], *, same: bool
) -> None:
    """Profiles are equal where a process may be used again, and only there."""
    ours = profile(env={"A": "1", "B": "2"})
    assert (profile(**{"env": {"A": "1", "B": "2"}, **other}) == ours) is same
    assert profile_of(replace(SPEC, env={"A": "1", "B": "2"}), ("user",), "/runs") != ours


def test_the_profile_is_what_the_task_says() -> None:
    """Nothing that a marker can say is lost on the way."""
    made = profile_of(
        replace(SPEC, env={"A": "1"}, model="haiku", max_turns=3, budget_usd=0.5),
        ("user", "local"),
        "/repo/.pytest_cache/runs",
    )
    assert made == Profile(
        cwd="/repo",
        tools=("Read", "Grep", "Glob", "TaskUpdate"),
        allowed=("TaskUpdate",),
        denied=("Read(//repo/.pytest_cache/runs/**)", "Edit(//repo/.pytest_cache/runs/**)"),
        permission_mode="dontAsk",
        env=(("A", "1"),),
        model="haiku",
        max_turns=3,
        budget_usd=0.5,
        setting_sources=("user", "local"),
    )


@pytest.mark.parametrize(
    ("environ", "env", "expected"),
    [
        pytest.param({"PATH": "/bin"}, {}, {"PATH": "/bin"}, id="inherited"),
        pytest.param({"ANTHROPIC_API_KEY": "k"}, {}, {"ANTHROPIC_API_KEY": "k"}, id="login"),
        pytest.param(
            {"CLAUDE_CODE_OAUTH_TOKEN": "t", "CLAUDE_CODE_SESSION_ID": "s", "CLAUDECODE": "1"},
            {},
            {
                "CLAUDE_CODE_OAUTH_TOKEN": "t",
                "CLAUDE_CODE_SESSION_ID": None,
                "CLAUDECODE": None,
            },
            id="not-the-session-around",
        ),
        pytest.param(
            {"DISABLE_AUTOUPDATER": "0", "CLAUDE_CODE_ENABLE_TASKS": "0"},
            {},
            {"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_ENABLE_TASKS": "1"},
            id="fixed-beats-inherited",
        ),
        pytest.param(
            {"A": "1"},
            {"A": "2", "DISABLE_AUTOUPDATER": "0"},
            {"A": "2", "DISABLE_AUTOUPDATER": "0"},
            id="the-task-beats-both",
        ),
        pytest.param(
            {"CLAUDE_CODE_TASK_LIST_ID": "mine", "PTC_RUN": "0", "PTC_CLIENT": "0"},
            {},
            {"CLAUDE_CODE_TASK_LIST_ID": LIST, "PTC_RUN": "run-1", "PTC_CLIENT": "c00kie"},
            id="the-runs-list",
        ),
        pytest.param(
            {"CLAUDE_CODE_TMPDIR": "/tmp/the-session-around"},
            {},
            {"CLAUDE_CODE_TMPDIR": "/tmp/ptc-run-1"},
            id="the-runs-temporary-folder",
        ),
        pytest.param(
            {},
            {"CLAUDE_CODE_TMPDIR": "/scratch"},
            {"CLAUDE_CODE_TMPDIR": "/scratch"},
            id="another-temporary-folder",
        ),
        pytest.param(
            {},
            {"PTC_RUN": "0", "PTC_CLIENT": "0", "CLAUDE_CODE_TASK_LIST_ID": "mine"},
            {"PTC_RUN": "run-1", "PTC_CLIENT": "c00kie", "CLAUDE_CODE_TASK_LIST_ID": "mine"},
            id="marks-cannot-be-unset",
        ),
    ],
)
def test_the_environment_of_a_client(
    environ: dict[str, str], env: dict[str, str], expected: dict[str, str | None]
) -> None:
    """A task can change how the client works, never whose it is; `misfit` sees a changed list."""
    made = environment(environ, profile(env=env))
    assert {name: made.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("environ", "env", "complaint"),
    [
        pytest.param({}, {}, None, id="fits"),
        pytest.param({"HOME": "/home/me"}, {}, None, id="home-of-pytest"),
        pytest.param({"CLAUDE_CONFIG_DIR": CONFIG}, {}, None, id="config-of-pytest"),
        pytest.param({}, {"CLAUDE_CONFIG_DIR": CONFIG}, None, id="same-config"),
        pytest.param(
            {"CLAUDE_CONFIG_DIR": CONFIG}, {"HOME": "/tmp/x"}, None, id="home-without-meaning"
        ),
        pytest.param({}, {"CLAUDE_CODE_TASK_LIST_ID": LIST}, None, id="same-list"),
        pytest.param({}, {"HOME": "/tmp/x"}, "sets HOME or CLAUDE_CONFIG_DIR", id="home"),
        pytest.param({}, {"CLAUDE_CONFIG_DIR": "/x"}, f"below {CONFIG}", id="other-config"),
        pytest.param(
            {"CLAUDE_CONFIG_DIR": CONFIG},
            {"CLAUDE_CONFIG_DIR": "/x"},
            f"below {CONFIG}",
            id="other-config-than-pytest",
        ),
        pytest.param(
            {},
            {"CLAUDE_CODE_TASK_LIST_ID": "mine"},
            f"to 'mine', the run's list is '{LIST}'",
            id="other-list",
        ),
    ],
)
def test_a_client_that_would_see_another_list_is_not_started(
    environ: dict[str, str], env: dict[str, str], complaint: str | None
) -> None:
    """A task's env must not move the client away from the run's list; the message says by what."""
    made = profile(env=env)
    trouble = misfit(made, environment(environ, made), claude_config=CONFIG, task_list_id=LIST)
    if complaint is None:
        assert trouble is None
    else:
        assert trouble is not None
        assert trouble.cause is Cause.WRONG_LIST
        assert complaint in trouble.message


@pytest.mark.parametrize(
    ("mode", "environ", "user", "refused"),
    [
        pytest.param("bypassPermissions", {}, 0, True, id="root"),
        pytest.param("bypassPermissions", {"IS_SANDBOX": "0"}, 0, True, id="no-sandbox"),
        pytest.param("bypassPermissions", {"IS_SANDBOX": "1"}, 0, False, id="sandbox"),
        pytest.param(
            "bypassPermissions", {"CLAUDE_CODE_BUBBLEWRAP": "1"}, 0, False, id="bubblewrap"
        ),
        pytest.param("bypassPermissions", {}, 1000, False, id="user"),
        pytest.param("dontAsk", {}, 0, False, id="other-mode"),
    ],
)
def test_root_is_refused_the_most_permissive_mode(
    mode: str, environ: dict[str, str], user: int, *, refused: bool
) -> None:
    """What Claude Code would refuse is told before it is started, with what to do instead."""
    trouble = root_problem(mode, environ, user)
    assert (trouble is not None) is refused
    if trouble is not None:
        assert trouble.cause is Cause.PERMISSION_MODE
        assert "IS_SANDBOX=1 in ptc_env" in trouble.message
