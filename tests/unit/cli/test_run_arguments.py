"""The arguments of `ptc run`: what they come to, and what is refused before pytest is started."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.cli.main import COMMANDS, command_parser, main
from pytest_ptc.cli.run_arguments import parse, suite_of, tools_in
from pytest_ptc.cli.run_options import NOT_HERE
from pytest_ptc.collection.keywords import KEYWORDS
from pytest_ptc.model.variables import RUN_COOKIE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

(RUN,) = (command for command in COMMANDS if command.name == "run")


def parsed(*words: str) -> argparse.Namespace:
    """Return the arguments of a call."""
    return parse(command_parser(RUN), words)


def options(*words: str) -> list[str]:
    """Return what a call has pytest do."""
    return list(suite_of(parsed(*words)).options)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that commands are called in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(RUN_COOKIE, raising=False)
    return tmp_path


def test_options_stand_anywhere() -> None:
    """Between items, too; what follows `--` is pytest's."""
    arguments = parsed("Do {each}.", "1", "-n", "3", "2", "--json", "3", "--", "-k", "1", "--", "x")
    assert arguments.items == ["1", "2", "3"]
    assert arguments.workers == 3
    assert arguments.pytest == ["-k", "1", "--", "x"]


@pytest.mark.parametrize(
    ("words", "workers"),
    [(["1"], 1), (["1", "2", "3"], 3), ([*"123456789"], 5), ([*"123456789", "-n", "9"], 9)],
)
def test_there_are_as_many_workers_as_items_and_at_most_five(
    words: Sequence[str], workers: int
) -> None:
    """Unless a number is given."""
    assert options("Do {each}.", *words)[0] == f"--ptc-workers={workers}"


def test_options_of_the_run_are_those_of_pytest() -> None:
    """Budget, agent and resume; `--resume` alone takes no item for its value."""
    given = ("--resume", "1", "--agent", "command", "--budget", "2.5")
    assert options("Do {each}.", *given, "--", "-x")[1:] == [
        "--ptc-exit-codes",
        "--ptc-agent=command",
        "--ptc-resume=last",
        "--ptc-budget-usd=2.5",
        "-x",
    ]
    assert "--ptc-resume=abc" in options("Do {each}.", "--resume=abc", "1")


def test_keywords_are_those_of_the_marker(folder: Path) -> None:
    """Each as a task has it, and as plain JSON; agents work where the command is called."""
    (folder / "schema.json").write_text('{"type": "object"}')
    given = ("--timeout", "9", "--tools", "Read, Bash(git show *)", "--schema", "schema.json")
    gate = ("--gate-on", "added", "--base", "main", "--places=note", "--unplaced=advisory")
    more = ("--env", "A=b=c", "--require-evidence")
    votes = ("--votes=3", "--quorum=2", "--voters", "claude:opus, :haiku", "--verify")
    box = ("--sandbox=bwrap", "--sandbox-write", "a", "--sandbox-write", "/b", "--sandbox-tmp=9")
    suite = suite_of(parsed("Do {each}.", "1", *given, *gate, *votes, *more, *box))
    assert json.loads(json.dumps(suite.keywords)) == {
        "cwd": str(folder),
        "timeout": 9.0,
        "tools": ["Read", "Bash(git show *)"],
        "schema": {"type": "object"},
        "env": {"A": "b=c"},
        "require_evidence": True,
        "gate_on": "added",
        "base": "main",
        "places": "note",
        "unplaced": "advisory",
        "votes": 3,
        "quorum": "2",
        "voters": ["claude:opus", ":haiku"],
        "verify": True,
        "sandbox": "bwrap",
        "sandbox_write": [str(folder / "a"), "/b"],
        "sandbox_tmp": 9,
    }


def test_every_keyword_is_an_option_in_a_group_of_the_help() -> None:
    """But those that are about tests; what a screen of 80 columns shows is not broken."""
    parser = command_parser(RUN)
    with_option = {
        action.dest for group in parser._action_groups for action in group._group_actions
    }
    assert {*KEYWORDS} - with_option == {*NOT_HERE} - {"agent"}
    formatter = parser._get_formatter()
    formatter._width = 78
    text = parser.format_help()
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "](" not in text


def test_the_operations_of_a_document_are_items(folder: Path) -> None:
    """Fields as in a suite's front matter; an error in it names its place."""
    document = {"openapi": "3.1.0", "paths": {"/users": {"get": {}, "post": {}}}}
    (folder / "api.json").write_text(json.dumps(document))
    suite = suite_of(parsed("Test {method} {path}.", "--from", "api.json"))
    assert [item.name for item in suite.items] == ["GET-/users", "POST-/users"]


@pytest.mark.parametrize(
    ("text", "tools"),
    [
        ("Read,Grep Glob", ["Read", "Grep", "Glob"]),
        ("Bash(git log, git show),Read", ["Bash(git log, git show)", "Read"]),
        (" , Read ,", ["Read"]),
        ("", []),
    ],
)
def test_tools_are_apart_by_commas_or_blanks(text: str, tools: list[str]) -> None:
    """But within parentheses, where they are a rule's."""
    assert tools_in(text) == tools


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "PROMPT is missing: say what to do"),
        (["--json"], "PROMPT is missing: say what to do"),
        (["Process.", "1", "2"], "PROMPT has no field for what ITEM gives"),
        (["Process {each}."], "{each} has no value"),
        (["Do {each}.", "1", "--no-such"], "unrecognized arguments: --no-such"),
        (["Do {each}.", "1", "--timeout", "soon"], "argument --timeout: invalid float value"),
        (["Do {each}.", "1", "--timeout=-1"], "--timeout: must be a number of seconds above 0"),
        (["Do {each}.", "1", "--task-budget=0"], "--task-budget: must be a number of US dollars"),
        (["Do {each}.", "1", "--budget=0"], "--budget: must be a number of US dollars above 0"),
        (["Do {each}.", "1", "--isolation", "x"], "--isolation: must be one of worktree"),
        (["Do {each}.", "1", "--cwd", "none"], "--cwd: "),
        (["Do {each}.", "1", "--env", "A"], "--env 'A': write NAME=VALUE"),
        (["Do {each}.", "1", "--tools", ","], "--tools: names no tool"),
        (["Do {each}.", "1", "--schema", "none.json"], "--schema none.json: cannot be read"),
        (["Do {each}.", "1", "--schema", "text"], "--schema text: cannot be read as JSON"),
        (["Do {each}.", "1", "--schema", "list"], "--schema list: must be a JSON object"),
        (["Do {each}.", "1", "--schema", "bad"], "--schema: "),
        (["Do {each}.", "1", "--from", "text"], "ITEM and --from: give one of them"),
        (["Do {each}.", "--from", "none"], "--from none: cannot be read"),
        (["Do {each}.", "--from", "empty"], "--from empty: is empty"),
        (["Do {path}.", "--from", "api.yaml"], "--from api.yaml: paths['/a']: 'gett' is no method"),
        (["Do {each}.", "1", "--ref", "main"], "--ref: needs --isolation worktree"),
        (["Do {each}.", "1", "--base=x"], "--base: needs --isolation worktree or --gate-on"),
        (["Do {each}.", "1", "--gate-on=new"], "--gate-on: must be one of all, file, context"),
        (["Do {each}.", "1", "-n", "0"], "-n: must be 1 or more"),
    ],
)
def test_what_cannot_be_run_is_refused_in_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], words: Sequence[str], sentence: str
) -> None:
    """It names the option, and what to do; pytest is not started."""
    for name, text in {
        "text": "no JSON",
        "list": "[]",
        "bad": '{"type": 3}',
        "empty": "\n",
        "api.yaml": "openapi: 3.0.0\npaths: {/a: {gett: {}}}",
    }.items():
        (folder / name).write_text(text)
    assert main(["run", *words]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("ptc run: refused: ")
    assert sentence in err
    assert (out, err.count("\n")) == ("", 1)


def test_agents_do_not_start_agents(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a task there is no run."""
    monkeypatch.setenv(RUN_COOKIE, "20261126-100000-0000000")
    assert main(["run", "Do {each}.", "1"]) == 2
    assert "agents do not start agents" in capsys.readouterr().err
