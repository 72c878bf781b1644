"""Which Claude Code a run has, and how a worker runs it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_ptc.agents.claude.setup import client_argv, configure, surroundings_of
from pytest_ptc.agents.worker_python import OtherPython, PresentPython
from pytest_ptc.interfaces.agent_kind import AgentRequest
from pytest_ptc.interfaces.launch import AgentLaunch
from pytest_ptc.model.errors import ConfigError
from tests.support.launch import launch_file
from tests.support.settings import settings_with


def python_with(sdk: Path | None) -> OtherPython:
    """Return a Python that has claude-agent-sdk in a folder, or has it not."""
    files = {} if sdk is None else {"claude_agent_sdk": str(sdk / "__init__.py")}
    return OtherPython(
        program="/usr/bin/other", search_path=(), environ={}, files=files, versions={}
    )


@pytest.mark.parametrize(
    ("said", "bundled", "expected"),
    [
        pytest.param("", True, ["{sdk}/_bundled/claude"], id="the-sdks-own"),
        pytest.param("", False, ["claude"], id="on-path"),
        pytest.param("claude", True, ["claude"], id="said"),
        pytest.param("sh -c 'claude x'", True, ["sh", "-c", "claude x"], id="with-arguments"),
        pytest.param("./bin/claude", True, ["{start}/bin/claude"], id="relative"),
        pytest.param("./my/claude", True, "is not a program in", id="relative-not-there"),
        pytest.param(
            "nowhere-to-be-found", True, "'nowhere-to-be-found' is not a program", id="not-there"
        ),
        pytest.param("/nowhere/claude", True, "is not a program on PATH", id="absolute"),
        pytest.param("claude 'x", True, "No closing quotation", id="open-quote"),
        pytest.param("  ", True, "CLAUDE_CODE", id="blank"),
    ],
)
def test_the_claude_code_that_is_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    *,
    bundled: bool,
    expected: list[str] | str,
) -> None:
    """It is the one that CLAUDE_CODE says, else the SDK's own, else the one on PATH."""
    sdk, programs = tmp_path / "sdk", tmp_path / "bin"
    for program in [programs / "claude", *([sdk / "_bundled" / "claude"] if bundled else [])]:
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    python = python_with(sdk)
    settings = settings_with(claude_code=said)
    if isinstance(expected, list):
        assert list(client_argv(settings, tmp_path, python)) == [
            part.format(sdk=sdk, start=tmp_path) for part in expected
        ]
    else:
        with pytest.raises(ConfigError, match=expected) as caught:
            client_argv(settings, tmp_path, python)
        assert "CLAUDE_CODE" in str(caught.value)


@pytest.mark.parametrize("said", ["", "sh"])
def test_claude_without_its_sdk_is_a_mistake_that_names_the_fix(tmp_path: Path, said: str) -> None:
    """Whatever CLAUDE_CODE says, the agent is driven through the SDK; the message installs it."""
    with pytest.raises(ConfigError, match=r"/other -m pip install 'pytest-ptc\[claude\]=="):
        client_argv(settings_with(claude_code=said), tmp_path, python_with(None))


@pytest.mark.parametrize(
    ("sources", "files"),
    [((), ()), (("project",), ()), (("user",), ("settings.json", "CLAUDE.md"))],
)
def test_a_verdict_depends_on_the_settings_that_claude_code_reads(
    tmp_path: Path, sources: tuple[str, ...], files: tuple[str, ...]
) -> None:
    """Another choice of settings files, and what is in those of the user, is another agent."""
    request = AgentRequest(
        settings=settings_with(claude_code="sh", setting_sources=sources),
        rootpath=tmp_path,
        start=tmp_path,
        environ={},
        claude_config=tmp_path / ".claude",
        python=PresentPython(start=tmp_path),
    )
    plan = configure(request)
    assert plan.options == {"setting_sources": list(sources)}
    assert plan.files == tuple(str(tmp_path / ".claude" / name) for name in files)


def client_of(folder: Path, *argv: str) -> Path | None:
    """Return the program that a worker runs for this command."""
    agent = AgentLaunch(make="", argv=argv, options={"setting_sources": []})
    return surroundings_of(launch_file(folder, agent=agent), {}).client


def test_a_command_with_arguments_is_run_as_one_program(tmp_path: Path) -> None:
    """The SDK takes a program without arguments; a key among them does not get into the journal."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "bin").mkdir()
    client = client_of(tmp_path, "sh", "-c", 'echo "$0 $*"', "--key=k 1")
    assert client is not None
    ran = subprocess.run([client, "a b"], capture_output=True, text=True, check=True)
    assert ran.stdout == "--key=k 1 a b\n"
    assert all("k 1" not in path.read_text() for path in (tmp_path / "bin").iterdir())
    (words,) = (tmp_path / "scratch").iterdir()
    assert words.stat().st_mode & 0o077 == 0


def test_a_program_alone_is_run_itself(tmp_path: Path) -> None:
    """Nothing is written where nothing has to be."""
    assert client_of(tmp_path, "/bin/sh") == Path("/bin/sh")
    assert client_of(tmp_path) is None
