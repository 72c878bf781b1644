"""The Python that runs workers, asked before any of them is started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.agents.registry import choose_agent
from pytest_ptc.agents.worker_python import PresentPython, worker_python
from pytest_ptc.interfaces.agent_kind import AgentRequest
from pytest_ptc.model.errors import ConfigError
from tests.support.environments import new_environment
from tests.support.settings import settings_with

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.interfaces.worker_python import WorkerPython

OURS = version("pytest-ptc")


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make environments and return their Pythons, by what is the matter with them."""
    folder = tmp_path_factory.mktemp("environments")
    return {
        "whole": new_environment(folder / "whole"),
        "empty": new_environment(folder / "empty", empty=True),
        "older": new_environment(folder / "older", version="0.0.9"),
        "no-sdk": new_environment(folder / "no-sdk", without=["claude_agent_sdk"]),
        "broken": new_environment(folder / "broken", without=["msgspec"]),
    }


def asked(named: object, root: Path) -> WorkerPython:
    """Return the Python that workers of a run in this directory have."""
    return worker_python(str(named), root, root, os.environ)


def test_without_the_option_workers_have_the_python_of_pytest(tmp_path: Path) -> None:
    """Nothing is asked, and nothing else is started."""
    python = asked("", tmp_path)
    assert python == PresentPython(start=tmp_path)
    assert python.program == sys.executable
    assert python.version_of("pytest-ptc") == OURS
    assert python.version_of("no-such-distribution") is None
    assert python.file_of("no_such_module") is None


def test_another_python_says_what_it_has(environments: dict[str, Path], tmp_path: Path) -> None:
    """Its own packages, where they are, and by the name of its own program."""
    program = environments["whole"]
    python = asked(program, tmp_path)
    assert python.program == str(program)
    assert python.version_of("pytest-ptc") == OURS
    assert python.version_of("claude-agent-sdk") == version("claude-agent-sdk")
    (folder,) = python.package_folders
    assert folder.startswith(str(program.parents[1]))
    assert str(python.file_of("claude_agent_sdk")).startswith(folder)
    python.check_maker("pytest_ptc.agents.command:make")


def test_a_relative_name_is_from_the_root_directory(
    environments: dict[str, Path], tmp_path: Path
) -> None:
    """As everywhere in ini files, and a link stays one: what it leads to is another environment."""
    (tmp_path / "workers").symlink_to(environments["whole"].parents[1])
    python = asked("workers/bin/python", tmp_path)
    assert python.program == str(tmp_path / "workers/bin/python")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        pytest.param(
            "empty",
            f"it has no pytest-ptc; run `{{}} -m pip install pytest-ptc=={OURS}`",
            id="without-us",
        ),
        pytest.param(
            "older",
            f"it has pytest-ptc 0.0.9, and pytest has {OURS}; run `{{}} -m pip install "
            f"pytest-ptc=={OURS}`",
            id="another-version",
        ),
        pytest.param("broken", "it cannot run a worker: ModuleNotFoundError", id="incomplete"),
    ],
)
def test_a_python_that_cannot_run_workers_is_refused(
    environments: dict[str, Path], tmp_path: Path, name: str, problem: str
) -> None:
    """The message names the option, the program and the command that fixes it."""
    program = environments[name]
    with pytest.raises(ConfigError) as caught:
        asked(program, tmp_path)
    assert f"ptc_worker_python: {program}: {problem.format(program)}" in str(caught.value)


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        pytest.param(
            ".venv2/bin/python3",
            "is not a program in {root}; fix ptc_worker_python, or make it: "
            "`python3 -m venv .venv2`, then `.venv2/bin/python -m pip install pytest-ptc==",
            id="no-environment",
        ),
        pytest.param("no-such-python", "is not a program on PATH", id="not-on-path"),
        pytest.param("false", "it does not answer like Python: no output", id="another"),
        pytest.param("ls", "it does not answer like Python: ", id="another-that-talks"),
    ],
)
def test_a_program_that_is_no_python_is_refused(tmp_path: Path, named: str, problem: str) -> None:
    """It is not there, or it is something else."""
    with pytest.raises(ConfigError) as caught:
        asked(named, tmp_path)
    assert str(caught.value).startswith("ptc_worker_python: ")
    assert problem.format(root=tmp_path) in str(caught.value)


def test_the_sdk_has_to_be_where_workers_are(environments: dict[str, Path], tmp_path: Path) -> None:
    """That pytest's own environment has it is of no use to them."""
    program = environments["no-sdk"]
    request = AgentRequest(
        settings=settings_with(worker_python=str(program)),
        rootpath=tmp_path,
        start=tmp_path,
        environ=os.environ,
        claude_config=tmp_path,
        python=asked(program, tmp_path),
    )
    with pytest.raises(ConfigError) as caught:
        choose_agent(request)
    assert (
        f"needs claude-agent-sdk, which {program} does not have: `{program} -m pip install "
        f"'pytest-ptc[claude]=={OURS}'`"
    ) in str(caught.value)


@pytest.mark.slow
def test_an_agent_that_cannot_be_imported_there_is_refused_with_the_cause(
    environments: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project's own directories are on its path; packages of pytest's environment are not."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "oracle_here.py").write_text("def make(launch, environ): ...\n")
    (tmp_path / "project" / "oracle_of_sdk.py").write_text(
        "import claude_agent_sdk\ndef make(launch, environ): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "project")
    whole = asked(environments["whole"], tmp_path)
    assert whole.search_path[0] == str(tmp_path / "project")
    assert not {entry for entry in whole.search_path if "site-packages" in entry}
    whole.check_maker("oracle_here:make")
    whole.check_maker("oracle_of_sdk:make")
    python = asked(environments["no-sdk"], tmp_path)
    python.check_maker("oracle_here:make")
    with pytest.raises(ConfigError, match=r"\(ptc_worker_python\): Module.*'claude_agent_sdk'"):
        python.check_maker("oracle_of_sdk:make")
    with pytest.raises(ConfigError, match="has no attribute 'nothing'"):
        python.check_maker("oracle_here:nothing")


def test_what_is_asked_does_not_depend_on_the_directory(
    environments: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module of the project stands in for none that a worker needs."""
    for name in ("json", "asyncio", "msgspec"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('of the project')\n")
    monkeypatch.chdir(tmp_path)
    assert asked(environments["whole"], tmp_path).version_of("pytest-ptc") == OURS


def test_a_helper_environment_is_one(environments: dict[str, Path]) -> None:
    """What these tests ask is a Python of its own, and not this one under another name."""
    ask = "import sys; print(sys.prefix)"
    said = subprocess.run(
        [environments["empty"], "-c", ask], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == str(environments["empty"].parents[1])
    assert shutil.which("false") is not None
