"""What a client is allowed, by the task's rules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.agents.acp.permissions import allows, answer, is_recording, rules_of
from pytest_ptc.model.task import TaskSpec

if TYPE_CHECKING:
    from pathlib import Path


def spec(**options: Any) -> TaskSpec:
    """Return a task with these keywords."""
    return TaskSpec(nodeid="t.py::t", prompt="p", timeout=1, cwd="/src/repo", **options)


READ = {"kind": "read", "title": "a.py", "locations": [{"path": "/src/repo/a.py"}]}
TOUCH = {"kind": "execute", "title": "touch x", "rawInput": {"command": "touch x"}}
WRITE = {"kind": "edit", "title": "y", "rawInput": {"file_path": "/src/repo/y"}}
OURS = {"kind": "other", "title": "record_verdict (ptc MCP Server)"}


@pytest.mark.parametrize(
    ("tools", "call", "allowed"),
    [
        (None, READ, True),
        (None, {"kind": "search", "title": "def"}, True),
        (None, TOUCH, False),
        (None, WRITE, False),
        (None, {"kind": "fetch", "title": "http://127.0.0.1"}, False),
        (None, {"kind": "other", "title": "anything"}, False),
        (None, {"title": "no kind"}, False),
        (None, {"kind": ["read"], "title": "no text"}, False),
        (None, OURS, True),
        ((), READ, False),
        ((), OURS, True),
        (("Read",), {"kind": "search", "title": "x"}, False),
        (("Grep",), {"kind": "search", "title": "x"}, True),
        (("Bash",), TOUCH, True),
        (("execute",), TOUCH, True),
        (("Bash(touch x)",), TOUCH, True),
        (("Bash(touch y)",), TOUCH, False),
        (("Bash(touch *)",), TOUCH, False),
        (("Edit",), WRITE, True),
        (("Edit",), {**WRITE, "rawInput": {"file_path": "/src/other"}}, False),
        (("Unknown",), TOUCH, False),
    ],
)
def test_a_call_is_allowed_by_the_tasks_tools(
    tools: tuple[str, ...] | None, call: dict[str, Any], *, allowed: bool
) -> None:
    """By default it may read; a word that we do not know allows nothing."""
    assert allows(rules_of(spec(tools=tools)), call) is allowed


@pytest.mark.parametrize(
    ("mode", "allowed"),
    [
        (None, ["read", "execute", "edit"]),
        ("dontAsk", ["read", "execute", "edit"]),
        ("plan", ["read"]),
        ("bypassPermissions", ["read", "execute", "edit"]),
    ],
)
def test_who_plans_changes_nothing(mode: Any, allowed: list[str]) -> None:
    """Whatever `tools` names."""
    tools = ("Read", "Bash", "Edit", "Bash(touch x)")
    rules = rules_of(spec(tools=tools, permission_mode=mode))
    assert [call["kind"] for call in (READ, TOUCH, WRITE) if allows(rules, call)] == allowed


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../outside", "/src/repo/../repo2/x", "/src/repository"]
)
def test_what_is_outside_of_the_directory_is_not_read(path: str) -> None:
    """Wherever a client puts the path."""
    rules = rules_of(spec())
    assert not allows(rules, {"kind": "read", "locations": [{"path": path}]})
    assert not allows(rules, {"kind": "read", "rawInput": {"path": path}})
    assert allows(rules, {"kind": "read", "rawInput": {"path": "/src/repo"}})


@pytest.mark.parametrize(
    ("command", "exact"),
    [(["bash", "-lc", "touch x"], True), (["sh", "-c", "touch x; rm y"], False), (["a"], False)],
)
def test_a_command_in_a_shells_words_is_that_command(command: list[str], *, exact: bool) -> None:
    """Some clients show how they call the shell."""
    call = {"kind": "execute", "rawInput": {"command": command}}
    assert allows(rules_of(spec(tools=("Bash(touch x)",))), call) is exact


@pytest.mark.parametrize(
    ("call", "ours"),
    [
        ({"kind": "execute", "title": "mcp.ptc.record_verdict"}, True),
        ({"kind": "execute", "rawInput": {"server": "ptc", "tool": "record_verdict"}}, True),
        ({"kind": "other", "title": "ptc_record_verdict", "rawInput": {"verdict": "pass"}}, True),
        ({"kind": "other", "title": "ptc-record_verdict"}, True),
        ({"kind": "read", "title": 'record_verdict (ptc MCP Server): {"a": 1}'}, True),
        ({"toolCallId": "mcp_ptc_record_verdict__1"}, True),
        ({"kind": "execute", "title": "record_verdict; rm -rf ."}, False),
        ({"kind": "execute", "title": "record_verdict"}, False),
        ({"kind": "edit", "title": "record_verdict"}, False),
        ({"kind": "other", "title": "record_verdict", "rawInput": {"command": "rm"}}, False),
        ({"kind": "other", "title": "rm record_verdict"}, False),
        ({}, False),
    ],
)
def test_our_tool_is_told_from_what_has_its_name(call: dict[str, Any], *, ours: bool) -> None:
    """A command that names it is a command."""
    assert is_recording(call) is ours


def test_an_answer_is_for_this_once() -> None:
    """What was allowed for one task must not hold for the next one."""
    options = [
        {"optionId": "A", "kind": "allow_always"},
        {"optionId": "a", "kind": "allow_once"},
        {"optionId": "r", "kind": "reject_once"},
    ]
    assert answer(options, allowed=True)["outcome"]["optionId"] == "a"
    assert answer(options, allowed=False)["outcome"]["optionId"] == "r"
    assert answer(options[:2], allowed=False) == {"outcome": {"outcome": "cancelled"}}


def test_modes_that_allow_more_are_asked_for_by_name() -> None:
    """`acceptEdits` and `bypassPermissions` mean what they mean to Claude Code."""
    assert allows(rules_of(spec(permission_mode="acceptEdits")), WRITE)
    assert not allows(rules_of(spec(permission_mode="acceptEdits")), TOUCH)
    assert allows(rules_of(spec(permission_mode="bypassPermissions")), TOUCH)
    assert not rules_of(spec(permission_mode="bypassPermissions")).harmless
    assert rules_of(spec()).harmless


def test_a_link_is_where_it_leads(tmp_path: Path) -> None:
    """One in the text under review leads nobody out of it; the directory may be one itself."""
    inside, outside = tmp_path / "repository", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (tmp_path / "cwd").symlink_to(inside)
    (inside / "out").symlink_to(outside)
    (inside / "in").symlink_to(inside / "a.py")
    rules = rules_of(replace(spec(), cwd=str(tmp_path / "cwd")))
    asked = ("a.py", "in", "out/x", "out", str(inside / "out"), str(inside / "b"))
    calls = [{"kind": "read", "title": "x", "locations": [{"path": path}]} for path in asked]
    assert [allows(rules, call) for call in calls] == [True, True, False, False, False, True]
