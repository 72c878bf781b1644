"""The plugin in a real Claude Code session: one command, and its lines are all that comes back."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_ptc.cli.plugin import PLUGIN_FOLDER
from tests.support.claude_helpers import client
from tests.support.claude_suite import OTHER_CLIENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.claude_suite import ClaudeSuite


class Session(NamedTuple):
    """What a main session came to: its result's text, and the content of each tool's result."""

    answer: str
    results: list[str]
    requests: int


@pytest.fixture
def project(claude: ClaudeSuite, monkeypatch: pytest.MonkeyPatch) -> ClaudeSuite:
    """A project without a test file, whose environment has `ptc`."""
    programs = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return claude


def main_session(
    suite: ClaudeSuite, request: str, *script: str, rules: Sequence[str] = ()
) -> Session:
    """Have a session under `dontAsk` do what is requested, by a scripted model."""
    lines = "\n".join([request, *(f"> {line}" for line in script), "Go on."])
    ended = subprocess.run(
        [
            *(client(), "-p", lines, "--plugin-dir", str(PLUGIN_FOLDER)),
            *("--permission-mode", "dontAsk", "--output-format", "json"),
            *(("--allowedTools", *rules) if rules else ()),
        ],
        cwd=suite.path,
        env={**os.environ, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    # A worker's prompt names its task.
    ours = [each for each in suite.api.conversations() if "Task ID:" not in each.prompt]
    results = [
        _text(block["content"])
        for message in ours[-1].body["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
    return Session(json.loads(ended.stdout)["result"], results, len(ours))


def _text(content: str | list[dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def bash(command: str) -> str:
    """Return a script's line in which the model runs a command."""
    return f"use Bash {json.dumps({'command': command, 'timeout': 600000})}"


def ptc_run(prompt: str, *items: str) -> str:
    """Return a script's line in which the model fans out, to one worker."""
    return bash(shlex.join(["ptc", "run", "-n", "1", prompt, *items]))


def files(suite: ClaudeSuite, *names: str) -> None:
    """Write the items."""
    for name in names:
        (suite.path / name).write_text(name)


@pytest.mark.slow
def test_validates() -> None:
    """Claude Code itself finds nothing to warn of, also of what its directory of plugins asks."""
    # Clients before that of claude-agent-sdk know no such checks.
    profile = () if OTHER_CLIENT else ("--profile", "directory")
    ended = subprocess.run(
        [client(), "plugin", "validate", "--strict", *profile, str(PLUGIN_FOLDER)],
        env={**os.environ, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_version_is_that_of_the_package() -> None:
    """Who updates the package updates the plugin: Claude Code goes by the manifest's version."""
    manifest = json.loads((PLUGIN_FOLDER / ".claude-plugin/plugin.json").read_bytes())
    assert manifest["version"] == version("pytest-ptc")


def test_installs_from_the_package(
    project: ClaudeSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `ptc plugin install` a session has the skill without being given the folder."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("CLAUDE_CODE", client())
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    subprocess.run(["ptc", "plugin", "install"], check=True, cwd=project.path, timeout=60)
    listed = subprocess.run(
        [client(), "plugin", "list", "--json"],
        check=True,
        capture_output=True,
        cwd=project.path,
        timeout=60,
    )
    enabled = {plugin["id"]: plugin["enabled"] for plugin in json.loads(listed.stdout)}
    assert enabled["ptc@pytest-ptc"]


def test_install_without_claude_code_names_the_fix(
    project: ClaudeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way that needs no installation is in the message."""
    monkeypatch.setenv("CLAUDE_CODE", "no-such-claude")
    ended = subprocess.run(
        ["ptc", "plugin", "install"],
        check=False,
        capture_output=True,
        text=True,
        cwd=project.path,
        timeout=60,
    )
    assert ended.returncode == 2
    assert "'no-such-claude'" in ended.stderr
    assert f"claude --plugin-dir {PLUGIN_FOLDER}" in ended.stderr


def test_a_skill_is_one_command_and_its_lines(project: ClaudeSuite) -> None:
    """The session runs one command, and the lines of the items are all that it reads.

    A line says which item failed, and the others stay as they are.
    """
    verdicts = "pass read it", "fail two broken links", "pass read too"
    session = main_session(
        project,
        "/ptc:fan-out process these",
        ptc_run("Process.\n> record {each}", *verdicts),
        "say One failed.",
    )
    assert session.answer == "One failed."
    (result,) = session.results
    items = [line for line in result.splitlines() if line.startswith(("pass", "FAIL"))]
    assert items == [
        "pass pass read it  read it",
        "FAIL fail two broken links  two broken links",
        "pass pass read too  read too",
    ]
    assert any(line.startswith("3: 2 pass, 1 fail") for line in result.splitlines())
    assert session.requests == 2


@pytest.mark.slow
def test_the_model_calls_the_skill_itself(project: ClaudeSuite) -> None:
    """Asked in plain words, it loads the skill; one rule allows that, and none the command."""
    files(project, "a.txt")
    skill = {"skill": "ptc:fan-out", "args": "process a.txt"}
    session = main_session(
        project,
        "Process these files in parallel.",
        f"use Skill {json.dumps(skill)}",
        ptc_run("Process {each}.\n> record pass read it", "a.txt"),
        "say Passed.",
        rules=["Skill(ptc:fan-out)"],
    )
    assert session.answer == "Passed."
    assert session.results[-1].startswith("pass a.txt  read it\n1: 1 pass")


def test_a_command_that_no_rule_allows_starts_nothing(project: ClaudeSuite) -> None:
    """Without the skill a session under `dontAsk` may not run `ptc`: nothing is begun."""
    files(project, "a.txt")
    session = main_session(
        project,
        "Process these files in parallel.",
        ptc_run("Process {each}.\n> record pass read it", "a.txt"),
        "say I may not.",
    )
    assert session.answer == "I may not."
    assert project.runs == []


def test_a_missing_package_names_the_fix(
    project: ClaudeSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plugin's own `ptc` says what to install."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "bash", "dirname", "env", "git", "cat"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    session = main_session(
        project, "/ptc:fan-out all", ptc_run("Process {each}.", "a.txt"), "say It is missing."
    )
    (result,) = session.results
    assert "pip install 'pytest-ptc[claude]'" in result


def test_a_program_of_the_project_is_not_run_for_ptc(
    project: ClaudeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative folder of PATH is in the tree under review."""
    (project.path / "ptc").write_text("#!/bin/sh\n: > was-run\n")
    (project.path / "ptc").chmod(0o755)
    monkeypatch.setenv("PATH", f".:{project.path.name}::/usr/bin:/bin")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    program = PLUGIN_FOLDER / "bin/ptc"
    ended = subprocess.run([program, "list"], check=False, cwd=project.path, timeout=60)
    assert ended.returncode == 127
    assert not (project.path / "was-run").exists()
