"""Whatever the client can say ends as a named error, never green."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.claude_helpers import client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.claude_suite import ClaudeSuite


def test_every_trouble_of_a_client_has_its_own_cause(claude: ClaudeSuite) -> None:
    """It calls an API that fails a success; each is an error that says what to do.

    So are circumstances without a shared list, before anything is asked. A failed request that the
    client gets over is no trouble.
    """
    elsewhere = str(claude.path / "other")
    claude.tasks(
        refused="status 500 1\nrecord pass x",
        cut="cut 1\nrecord pass y",
        limit="limit\nrecord pass z",
        key="status 401 9",
        credit="status 403 9",
        model="status 404 9",
        long="status 400 9",
        broken="status 500 9",
        refuses="refuse\nrefuse\nrefuse\nrefuse\nrefuse",
        **{
            name: ("record pass x", {"env": {variable: value}})
            for name, variable, value in (
                ("tools", "CLAUDE_CODE_ENABLE_TASKS", "0"),
                ("ids", "CLAUDE_CODE_TASK_LIST_ID", "other"),
                ("config", "CLAUDE_CONFIG_DIR", elsewhere),
                ("home", "HOME", elsewhere),
            )
        },
    )
    result = claude.run("--ptc-workers=1")
    result.assert_outcomes(passed=3, errors=10)
    assert claude.ended() == {
        "refused": "pass",
        "cut": "pass",
        "limit": "pass",
        "key": "login",
        "credit": "quota",
        "model": "model not found",
        "long": "context overflow",
        "broken": "API error",
        "refuses": "refusal",
        "tools": "task tools missing",
        "ids": "wrong task list",
        "config": "wrong task list",
        "home": "wrong task list",
    }
    for fix in ("ANTHROPIC_API_KEY", "add credit", "ptc_model", "name fewer files", "reword"):
        assert fix in result.stdout.str()
    for name in ("tools", "ids", "config", "home"):
        assert claude.requests_of(name) == []


@pytest.mark.slow
def test_turns_and_money_of_a_task_are_limited(claude: ClaudeSuite) -> None:
    """The marker's limits hold for each task of a warm client on its own.

    One whose limit is more than what is left of the run's budget is not started.
    """
    look = 'use Glob {"pattern": "*"}'
    looks = "\n".join([look] * 6)
    claude.tasks(
        turns=(f"{looks}\nrecord pass x", {"max_turns": 2}),
        money=(f"{looks}\nrecord pass x", {"budget_usd": 0.01}),
        within=("record pass x", {"budget_usd": 0.01}),
        again=("record pass y", {"budget_usd": 0.01}),
        too_dear=("record pass z", {"budget_usd": 2}),
    )
    result = claude.run("--ptc-workers=1", "--ptc-budget-usd=1")
    result.assert_outcomes(passed=2, errors=3)
    ended = claude.ended()
    assert ended["turns"] == "max turns"
    assert ended["money"] == "budget spent"
    result.stdout.fnmatch_lines(["*raise the marker's budget_usd*"])
    assert len(claude.events("assigned")) == 4


def test_a_missing_login_is_told_before_anything_is_asked(
    claude: ClaudeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key and without a login no request is made."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    claude.tasks(it="record pass x")
    claude.run().assert_outcomes(errors=1)
    assert claude.ended() == {"it": "login"}
    assert claude.api.requests == []


def script_of(folder: Path, text: str) -> Path:
    """Return a program that is this shell script."""
    program = folder / "client"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return program


@pytest.mark.slow
def test_the_command_in_claude_code_is_used_with_its_arguments(
    claude: ClaudeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command with arguments stands instead of the client that the SDK brings."""
    program = script_of(claude.path, f'touch "$1"; shift; exec {client()} "$@"')
    monkeypatch.setenv("CLAUDE_CODE", f"{program} '{claude.path}/was here'")
    claude.tasks(it="record pass x")
    claude.run().assert_outcomes(passed=1)
    assert (claude.path / "was here").exists()


@pytest.mark.slow
def test_a_client_that_records_on_another_list_is_found_out(
    claude: ClaudeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said that it recorded, and the run's list still has the task as it was."""
    program = script_of(claude.path, f'CLAUDE_CODE_TASK_LIST_ID=other exec {client()} "$@"')
    monkeypatch.setenv("CLAUDE_CODE", str(program))
    claude.tasks(it="record pass x")
    claude.run().assert_outcomes(errors=1)
    assert claude.ended() == {"it": "wrong task list"}


def test_a_client_that_is_missing_or_none_is_named(
    claude: ClaudeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that is not there is a usage error; one that is something else, an item's."""
    claude.tasks(it="record pass x")
    monkeypatch.setenv("CLAUDE_CODE", "/no/such/claude")
    result = claude.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*CLAUDE_CODE*/no/such/claude*not a program*"])
    monkeypatch.setenv("CLAUDE_CODE", str(script_of(claude.path, "echo I am none >&2; exit 3")))
    result = claude.run()
    result.assert_outcomes(errors=1)
    assert claude.ended() == {"it": "agent failed"}
    result.stdout.fnmatch_lines(["*I am none*"])


@pytest.mark.fault("agent-hangs")
@pytest.mark.slow
def test_a_client_that_never_answers_is_ended_with_its_task(claude: ClaudeSuite) -> None:
    """The task's timeout holds for an answer that never comes; the next gets another client.

    The money of an attempt that was cut short is unknown, its tokens are not.
    """
    claude.tasks(hangs=('use Glob {"pattern": "*"}\nhang', {"timeout": 4}), after="record pass x")
    result = claude.run("--ptc-workers=1")
    result.assert_outcomes(passed=1, errors=1)
    assert claude.ended() == {"hangs": "timeout", "after": "pass"}
    usage = claude.reports()["hangs"]["usage"]
    assert usage["input_tokens"] == 1000
    assert usage["cost_usd"] is None
    result.stdout.fnmatch_lines(["cost *1 attempt of unknown cost"])
