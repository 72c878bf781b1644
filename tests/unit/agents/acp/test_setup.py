"""What agent `acp` refuses before anything starts, and what its clients are started with."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from pytest_ptc.agents.acp.clients import CLIENTS, client_named, merged, with_ours
from pytest_ptc.agents.acp.surroundings import Surroundings
from pytest_ptc.agents.registry import choose_agent
from pytest_ptc.agents.worker_python import PresentPython
from pytest_ptc.interfaces.agent_kind import AgentRequest
from pytest_ptc.interfaces.launch import AgentLaunch
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.task import TaskSpec
from tests.support.launch import launch_file
from tests.support.settings import settings_with


def request_of(folder: Path, environ: dict[str, str] | None = None, **said: Any) -> AgentRequest:
    """Return what a run asks that is started in this folder."""
    return AgentRequest(
        settings=settings_with(**said),
        rootpath=folder,
        start=folder,
        environ=environ or {},
        claude_config=folder / ".claude",
        python=PresentPython(start=folder),
    )


def surroundings(folder: Path, name: str, environ: dict[str, str], *sources: str) -> Surroundings:
    """Return what a worker's client has around it."""
    options = {"client": name, "setting_sources": list(sources)}
    agent = AgentLaunch(make="m:f", argv=("/bin/client", "--acp"), options=options)
    return Surroundings(launch_file(folder, agent=agent, scratch=folder), environ)


def spec(cwd: Path, **options: Any) -> TaskSpec:
    """Return a task in this directory."""
    return TaskSpec(nodeid="t.py::t", prompt="p", timeout=1, cwd=str(cwd), **options)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"agent": "acp"}, "--ptc-acp-command"),
        ({"agent": "acp:codex"}, "npm install -g @agentclientprotocol/codex-acp"),
        ({"agent": "acp:delphi"}, "acp:gemini"),
        ({"agent": "acp", "acp_command": "no-such-program-at-all"}, "no-such-program-at-all"),
        ({"agent": "acp", "acp_command": "sh", "interactive": True}, "no interactive mode"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(
    said: dict[str, Any], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the fix."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(ConfigError, match=named):
        choose_agent(request_of(tmp_path, **said))


def test_a_variable_that_should_be_json_is_checked_there(tmp_path: Path) -> None:
    """Ours is added to it in the worker, where it would be too late."""
    asked = request_of(tmp_path, {"CODEX_CONFIG": "{"}, agent="acp:codex", acp_command="sh")
    with pytest.raises(ConfigError, match="CODEX_CONFIG"):
        choose_agent(asked)


def test_a_known_client_may_have_another_program(tmp_path: Path) -> None:
    """All else is as the table says."""
    choice = choose_agent(request_of(tmp_path, agent="acp:codex", acp_command="sh -x"))
    assert os.path.basename(choice.plan.argv[0]) == "sh"  # noqa: PTH119
    assert choice.plan.argv[1:] == ("-x",)
    assert choice.plan.options["client"] == "codex"


def test_another_configuration_is_another_agent(tmp_path: Path) -> None:
    """A run with another model keeps no verdicts of this one; a key in it is not in the options."""
    options = [
        choose_agent(
            request_of(tmp_path, {"CODEX_CONFIG": text}, agent="acp:codex", acp_command="sh")
        ).plan.options
        for text in ('{"model": "a", "key": "sk-secret"}', '{"model": "b"}')
    ]
    assert options[0] != options[1]
    assert "sk-secret" not in json.dumps(options)


@pytest.mark.parametrize("client", [client.name for client in CLIENTS])
def test_a_client_has_a_home_of_its_own_and_the_users_login(client: str, tmp_path: Path) -> None:
    """Its login is linked: what it renews is the user's."""
    home = tmp_path / "user"
    for name in client_named(client).login_files:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("secret")
    around = surroundings(tmp_path, client, {"HOME": str(home), "PATH": "/bin"})
    environ = dict(around.profile(spec(tmp_path)).environ)
    around.make_home(environ)
    assert environ["HOME"] == str(around.home)
    assert stat.S_IMODE(around.home.stat().st_mode) == 0o700
    for name in client_named(client).login_files:
        assert (around.home / name).resolve() == home / name
    assert str(home) not in json.dumps(environ)
    assert not {name for name, value in environ.items() if "{home}" in value or "{login}" in value}
    around.make_home(environ)


def test_a_client_is_asked_for_a_login_that_the_user_has(tmp_path: Path) -> None:
    """Without a key, codex would wait for a person at a browser."""
    without = surroundings(tmp_path, "codex", {}).profile(spec(tmp_path))
    assert "DEFAULT_AUTH_REQUEST" not in dict(without.environ)
    key = surroundings(tmp_path, "codex", {"OPENAI_API_KEY": "sk"}).profile(spec(tmp_path))
    assert "api-key" in dict(key.environ)["DEFAULT_AUTH_REQUEST"]


def test_a_users_directory_for_a_client_is_where_its_login_is(tmp_path: Path) -> None:
    """`CODEX_HOME` names another place than below the home."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "auth.json").write_text("secret")
    environ = {"HOME": str(tmp_path), "CODEX_HOME": str(tmp_path / "own")}
    around = surroundings(tmp_path, "codex", environ)
    around.make_home(environ)
    assert (around.home / ".codex" / "auth.json").resolve() == tmp_path / "own" / "auth.json"
    (tmp_path / "own" / ".gemini").mkdir()
    (tmp_path / "own" / ".gemini" / "oauth_creds.json").write_text("secret")
    around = surroundings(tmp_path, "gemini", {"GEMINI_CLI_HOME": str(tmp_path / "own")})
    around.make_home({})
    linked = (around.home / ".gemini" / "oauth_creds.json").resolve()
    assert linked == tmp_path / "own" / ".gemini" / "oauth_creds.json"


def test_another_client_keeps_the_users_home(tmp_path: Path) -> None:
    """Nobody knows what its login is."""
    around = surroundings(tmp_path, "", {"HOME": "/home/user"})
    assert dict(around.profile(spec(tmp_path)).environ)["HOME"] == "/home/user"


def test_a_process_is_shared_by_tasks_that_need_the_same(tmp_path: Path) -> None:
    """Another model or environment means another process; another directory does not."""
    around = surroundings(tmp_path, "codex", {"HOME": "/h", "CODEX_CONFIG": '{"a": {"b": 1}}'})
    one = around.profile(spec(tmp_path))
    assert around.profile(spec(tmp_path / "x")) == one
    other = around.profile(spec(tmp_path, model="m"))
    assert json.loads(dict(other.environ)["CODEX_CONFIG"])["model"] == "m"
    assert json.loads(dict(one.environ)["CODEX_CONFIG"])["a"] == {"b": 1}
    assert other != one
    assert around.profile(spec(tmp_path, env={"A": "1"})) != one
    writes = around.profile(spec(tmp_path, tools=("Edit",)))
    assert dict(writes.environ)["INITIAL_AGENT_MODE"] == "workspace-write"
    assert dict(one.environ)["INITIAL_AGENT_MODE"] == "read-only"
    gemini = surroundings(tmp_path, "gemini", {})
    assert gemini.profile(spec(tmp_path, model="m")).argv[2:4] == ("--model", "m")


def test_a_client_that_runs_commands_unasked_has_none_where_none_is_allowed(tmp_path: Path) -> None:
    """Gemini takes some for harmless, whatever it is told to ask for."""
    gemini = surroundings(tmp_path, "gemini", {})
    gemini.make_home({})
    for options, policy in (
        ({}, True),
        ({"tools": ("Edit",)}, True),
        ({"tools": ("Bash",)}, False),
    ):
        argv = gemini.profile(spec(tmp_path, **options)).argv
        assert ("--policy" in argv) is policy
        if policy:
            assert "run_shell_command" in Path(argv[argv.index("--policy") + 1]).read_text()


@pytest.mark.parametrize("place", [".gemini/settings.json", "sub/.gemini/.env"])
def test_what_would_configure_the_reviewer_is_refused(place: str, tmp_path: Path) -> None:
    """In the task's directory, and above it up to the top of the repository."""
    repository = tmp_path / "r"
    (repository / ".git").mkdir(parents=True)
    (repository / place).parent.mkdir(parents=True)
    (repository / place).touch()
    (tmp_path / ".gemini").mkdir()  # the user's own
    cwd = repository / "sub" / "deep"
    cwd.mkdir(parents=True)
    around = surroundings(tmp_path, "gemini", {})
    trouble = around.project_trouble(str(cwd))
    assert trouble is not None
    assert ".gemini" in trouble.message
    assert surroundings(tmp_path, "opencode", {}).project_trouble(str(cwd)) is None
    assert surroundings(tmp_path, "gemini", {}, "project").project_trouble(str(cwd)) is None
    (repository / place).unlink()
    (repository / place).parent.rmdir()
    assert around.project_trouble(str(cwd)) is None


def test_objects_are_merged_in_depth() -> None:
    """Of what both have, ours counts."""
    both = merged({"a": {"b": 1, "c": 1}, "d": 1}, {"a": {"b": 2}, "d": {"e": 2}})
    assert both == {"a": {"b": 2, "c": 1}, "d": {"e": 2}}


@pytest.mark.parametrize(
    ("given", "model", "off"),
    [
        ({}, None, True),
        ({}, "openai/m", True),
        ({}, "opencode/free", False),
        ({"model": "opencode/free"}, None, False),
        ({"model": "opencode/free"}, "openai/m", True),
    ],
)
def test_a_client_falls_back_on_no_provider_that_nobody_asked_for(
    given: dict[str, Any], model: str | None, *, off: bool
) -> None:
    """It would send the text under review there."""
    name = "OPENCODE_CONFIG_CONTENT"
    value = with_ours(client_named("opencode"), name, given, model)
    assert (value.get("disabled_providers") == ["opencode"]) is off
    assert value.get("model") == (model or given.get("model"))
