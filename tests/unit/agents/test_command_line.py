"""The program that is an agent, and its directory: neither is chosen by what is under review."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.agents.command_line import anchored_command, files_of, relative_names
from pytest_ptc.collection.task_directory import DirectoryError, task_directory
from pytest_ptc.interfaces.environment import anchored, inherited, with_guarded_git
from pytest_ptc.model.errors import ConfigError
from tests.support.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root directory with reviewers in it."""
    for name in ("tools/reviewer.py", "tools/x.sh", "run.sh", "rules.toml", "tools/rules/a"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return tmp_path / "root"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python3 tools/reviewer.py --strict", "python3 ROOT/tools/reviewer.py --strict"),
        ("python3 -I -X utf8 ./tools/reviewer.py", "python3 -I -X utf8 ROOT/tools/reviewer.py"),
        ("python3 tools", "python3 ROOT/tools"),
        ("python3 gone.py", "python3 ROOT/gone.py"),
        ("python3 -Im json.tool", "python3 -Im json.tool"),
        ("python3 /abs/x.py", "python3 /abs/x.py"),
        ("env A=1 python3 tools/reviewer.py", "env A=1 python3 ROOT/tools/reviewer.py"),
        ("timeout 9 bash tools/x.sh", "timeout 9 bash ROOT/tools/x.sh"),
        ("bash -e tools/x.sh run", "bash -e ROOT/tools/x.sh run"),
        ("./run.sh", "ROOT/run.sh"),
        ("cat -", "cat -"),
        ("python3 {cwd}/tools/reviewer.py", "python3 {cwd}/tools/reviewer.py"),
        ("{cwd}/run.sh", "{cwd}/run.sh"),
    ],
)
def test_a_program_is_that_of_the_root_directory(root: Path, command: str, expected: str) -> None:
    """Program, script and wrapped script are found from any directory."""
    argv = anchored_command(command.split(), root, "ptc_command")
    assert " ".join(argv) == expected.replace("ROOT", str(root))
    assert relative_names(argv, root) == ()


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (["bash", "-c", "exec tools/x.sh"], "tools/x.sh"),
        (["bash", "-c", "python3 -m tools.reviewer"], "tools.reviewer"),
        (["cat", "--config=rules.toml"], "rules.toml"),
        (["cat", "tools/rules"], "tools/rules"),
        (["python3", "tools/reviewer.py", "rules.toml"], "rules.toml"),
        (["env", "-S", "tools/x.sh"], "tools/x.sh"),
        (["cat", "tools", ".", "{cwd}/rules.toml", "x" * 5000], None),
    ],
)
def test_a_name_that_could_be_of_either_is_unclear(
    root: Path, command: list[str], named: str | None
) -> None:
    """Only `{rootpath}` and `{cwd}` say which."""
    argv = anchored_command(command, root, "ptc_command")
    assert relative_names(argv, root) == (() if named is None else (named,))


@pytest.mark.parametrize("how", [["-m", "tools.reviewer"], ["-um", "tools.reviewer"], ["-c"]])
def test_pythons_modules_come_from_the_root_directory(
    root: Path, tmp_path: Path, how: list[str]
) -> None:
    """Not from the directory it is started in, whose own modules would be found first."""
    (root / "tools/reviewer.py").write_text("import json, sys\nprint('base', *sys.argv[1:])\n")
    evil = tmp_path / "evil"
    (evil / "tools").mkdir(parents=True)
    for name in ("tools/reviewer.py", "json.py", "runpy.py", "tools/__init__.py"):
        (evil / name).write_text("raise SystemExit('evil')\n")
    code = [] if len(how) > 1 else ["import json, sys; print('base', *sys.argv[1:])"]
    argv = anchored_command([sys.executable, *how, *code, "a"], root, "ptc_command")
    done = subprocess.run(argv, cwd=evil, capture_output=True, text=True, check=True)
    assert done.stdout == "base a\n"
    assert ((root / "tools/reviewer.py") in files_of(argv)) == (not code)


@pytest.mark.parametrize("command", [[], ["./gone"], ["no-such-program"], ["/no/such"]])
def test_a_program_that_is_not_there_is_named(root: Path, command: list[str]) -> None:
    """Before anything is started."""
    with pytest.raises(ConfigError, match=r"ptc_command: .*fix ptc_command|is blank"):
        anchored_command(command, root, "ptc_command")


def test_a_program_found_by_a_relative_path_stays_that_one(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a worktree the same entry of PATH would find another."""
    monkeypatch.chdir(root)
    for path in (".:/bin", ":/bin"):
        monkeypatch.setenv("PATH", path)
        assert anchored_command(["run.sh"], root, "p") in ((f"{root}/run.sh",), ("run.sh",))


def test_search_paths_mean_the_same_everywhere() -> None:
    """Relative and empty entries are from where pytest was started."""
    found = anchored(
        {"PATH": "bin::/bin:.", "PYTHONPATH": "src", "A": "b", "NODE_PATH": "", "GIT_DIR": "x"},
        "/s",
    )
    assert found == {
        "PATH": "/s/bin:/s:/bin:/s",
        "PYTHONPATH": "/s/src",
        "A": "b",
        "NODE_PATH": "",
    }


def test_an_agents_git_is_at_its_own_directory() -> None:
    """What a hook is told is gone, the user's configuration stays, and ours is behind it."""
    given = {
        "GIT_DIR": "x",
        "GIT_INDEX_FILE": "x",
        "GIT_WORK_TREE": "x",
        "GIT_QUARANTINE_PATH": "x",
        "GIT_AUTHOR_NAME": "n",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    kept = {name: value for name, value in given.items() if "x" not in value}
    assert inherited(given) == kept
    assert with_guarded_git(inherited(given)) == {
        **kept,
        "GIT_CONFIG_COUNT": "3",
        "GIT_CONFIG_KEY_1": "safe.bareRepository",
        "GIT_CONFIG_VALUE_1": "explicit",
        "GIT_CONFIG_KEY_2": "core.fsmonitor",
        "GIT_CONFIG_VALUE_2": "false",
    }
    assert with_guarded_git({"GIT_CONFIG_COUNT": "x"}) == {"GIT_CONFIG_COUNT": "x"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The root directory of a suite, inside of a repository that a checkout brings."""
    repo = Repository(tmp_path / "top")
    root = repo.top / "tests"
    for name in ("tests/app/inner/x", "lib/x", "tests/nested/x"):
        repo.write(name, "")
    (tmp_path / "outside/app").mkdir(parents=True)
    for name, leads in {
        "out": str(tmp_path / "outside"),
        "loop": "loop",
        "in": "app",
        "root": "/",
    }.items():
        (root / name).symlink_to(leads)
    repo.commit("tree")
    Repository(root / "clone")
    Repository(tmp_path / "nested")
    (tmp_path / "nested/.git").rename(root / "nested/.git")
    for name in ("HEAD", "objects/x", "refs/x"):
        repo.write(f"tests/bare/{name}", "")
    return root


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        (".", ""),
        ("app", "app"),
        ("app/{p}", "app/inner"),
        ("..", ".."),
        ("../lib", "../lib"),
        ("in", "in"),
        ("clone", "clone"),
        ("{root}/app", "app"),
        ("{TOP}/tests/app", "app"),
        ("{outside}", "../../outside"),
        ("{outside}/{app}", "../../outside/app"),
        ("{TMP}/outside", "../../outside"),
    ],
)
def test_a_tasks_directory(tree: Path, tmp_path: Path, text: str, inside: str) -> None:
    """In the repository by any name; out of it by a name that the suite alone has said."""
    text = text.replace("{TOP}", str(tmp_path / "top")).replace("{TMP}", str(tmp_path))
    values = {"p": "inner", "app": "app", "root": tree, "outside": tmp_path / "outside"}
    found = task_directory(text, tree, values, ("root", "outside"))
    assert found == str((tree / inside).resolve() if ".." in inside else tree / inside)


@pytest.mark.parametrize(
    "text",
    [
        "gone", "", " ", "../..", "../../outside", "out", "out/app", "in/../../..", "loop", "root",
        "{p}", "app/{up}", "{absolute}", "{root}/out", "{root}/{up}", "{TMP}/{up}",
        "{TMP}/top/tests/out", "{outside}/{up}", "bare", "nested", "../.git", "{nul}",
    ],
)  # fmt: skip
def test_a_directory_that_leads_away_is_refused(tree: Path, tmp_path: Path, text: str) -> None:
    """By links, dots or parameters; and so is what stands in the place of a repository."""
    text = text.replace("{TMP}", str(tmp_path))
    values = {
        "p": "../../outside",
        "up": "../../..",
        "absolute": str(tmp_path / "outside"),
        "root": tree,
        "outside": tmp_path / "outside/app",
        "nul": "a\0b",
    }
    with pytest.raises(DirectoryError):
        task_directory(text, tree, values, ("root", "outside"))


def test_without_a_repository_the_root_directory_is_the_bounds(tmp_path: Path) -> None:
    """A clone below it is the user's."""
    (tmp_path / "root").mkdir()
    Repository(tmp_path / "root/clone")
    assert task_directory("clone", tmp_path / "root") == str(tmp_path / "root/clone")
    with pytest.raises(DirectoryError):
        task_directory("..", tmp_path / "root")
