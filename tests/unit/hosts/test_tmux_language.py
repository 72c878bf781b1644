from __future__ import annotations

import pytest

from pytest_ptc.hosts.tmux_language import (
    argument,
    command_line,
    environment_changes,
    exec_line,
    how_it_ended,
    literal,
    preparations,
    too_old,
    with_fix,
)


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("tmux 3.1c\n", True),
        ("tmux 2.9a", True),
        ("tmux 1.8", True),
        ("tmux 3.2", False),
        ("tmux 3.3a\n", False),
        ("tmux 3.10", False),
        ("tmux next-3.4", False),
        ("tmux master", False),
        ("tmux openbsd-7.5", False),
    ],
)
def test_too_old(version: str, *, old: bool) -> None:
    """Versions are compared as numbers, and one without a number is a new one."""
    assert too_old(version) is old


@pytest.mark.parametrize(
    ("text", "escaped"),
    [("", ""), ("a;b", "a;b"), (";", "\\;"), ("a;", "a\\;"), ("a\\;", "a\\\\;"), ("a\\", "a\\")],
)
def test_argument(text: str, escaped: str) -> None:
    """Only a semicolon at the end needs a backslash."""
    assert argument(text) == escaped


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("", ""),
        ("a", "a"),
        ("#", "##"),
        ("##", "####"),
        ("#{pid}", "##{pid}"),
        ("#[x", "#[x"),
        ("##[x", "##[x"),
        ("#[#{x}", "#[##{x}"),
    ],
)
def test_literal(text: str, escaped: str) -> None:
    """Every `#` is doubled but those that tmux leaves alone."""
    assert literal(text) == escaped


def test_exec_line() -> None:
    """A program is several arguments for tmux, and a shell that has set its terminal becomes it."""
    for argv in (("a b",), ("a", "b;", "$c")):
        shell, option, script, *rest = exec_line(argv)
        assert (shell, option, tuple(rest)) == ("/bin/sh", "-c", argv)
        assert script.endswith('exec "$0" "$@"')


def test_command_line() -> None:
    """Commands are joined by semicolons, and their own are escaped."""
    assert command_line([["a", "b;"], ["c"]]) == ["a", "b\\;", ";", "c"]


def test_environment_changes() -> None:
    """What differs is set, what is too much is unset, and so is a foreign terminal's size."""
    wanted = {"SAME": "1", "CHANGED": "new", "LINES": "5"}
    actual = {"SAME": "1", "CHANGED": "old", "MORE": "x", "LINES": "5"}
    assert environment_changes(wanted, actual) == [
        ["set-environment", "-g", "--", "CHANGED", "new"],
        ["set-environment", "-g", "-u", "--", "MORE"],
        ["set-environment", "-g", "-u", "--", "COLUMNS"],
    ]


def test_preparations_hold_before_the_first_window() -> None:
    """The server is told to keep dead panes, and itself, before it gets a window."""
    commands = preparations(" title ", 1234, [])
    assert commands[0] == ["start-server"]
    assert ["set-option", "-g", "remain-on-exit", "on"] in commands
    assert ["set-option", "-s", "exit-empty", "off"] in commands
    assert not [command for command in commands if command[0].startswith("new-")]
    assert commands[-1][0] == "display-message"


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        ("0  ", None),
        ("1  ", None),
        ("1 0 ", "exit status 0"),
        ("1 3 ", "exit status 3"),
        ("1  9", "killed by SIGKILL"),
        ("1  KILL", "killed by SIGKILL"),
        ("1  segv", "killed by SIGSEGV"),
    ],
)
def test_how_it_ended(state: str, ended: str | None) -> None:
    """A dead pane tells a status, or a signal by number or by name, or nothing yet."""
    assert how_it_ended(state) == ended


def test_with_fix() -> None:
    """What tmux says is kept, and what to do about it is added where that is known."""
    assert with_fix("no server running") == "no server running"
    assert with_fix("command too long").startswith("command too long; ")
