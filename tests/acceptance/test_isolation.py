"""A git worktree for each attempt."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import ptc
from tests.support.runs import start, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.suite import Suite


def git(folder: Path, *words: str) -> str:
    """Run git and return what it says."""
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    line = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repo(suite: Suite) -> Path:
    """A repository with a main branch and two others."""
    folder = suite.path / "repo"
    (folder / "src").mkdir(parents=True)
    (folder / "src/a.txt").write_text("one\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    for number in (1, 2):
        git(folder, "checkout", "-q", "-b", f"pr-{number}", "main")
        (folder / "src/a.txt").write_text(f"one\ntwo of {number}\n")
        git(folder, "commit", "-qam", f"change {number}")
    git(folder, "checkout", "-q", "main")
    return folder


def worktrees(repo: Path) -> list[str]:
    """Return the worktrees that git knows of, but for the repository itself."""
    lines = git(repo, "worktree", "list", "--porcelain").splitlines()
    return [line for line in lines if line.startswith("worktree ")][1:]


#: What an agent sees of its directory, and of its prompt.
LOOK = """
import json, os, subprocess, sys
prompt = sys.stdin.read()
name = prompt.split()[0]
seen = {"cwd": os.getcwd(), "text": open("a.txt").read(), "prompt": prompt}
json.dump(seen, open(os.environ["SEEN"] + "/" + name, "w"))
open("a.txt", "w").write("spoilt")
if "wait" in prompt.split():
    open(os.environ["SEEN"] + "/waiting", "w").close()
    import time; time.sleep(60)
finding = {"severity": "low", "message": "m", "path": os.path.abspath("a.txt"), "line": 2}
print(json.dumps({"verdict": "pass", "summary": "seen", "findings": [finding]}))
"""


def test_each_attempt_has_a_copy_at_its_own_commit(suite: Suite, repo: Path) -> None:
    """What one agent spoils no other sees; the difference is in the prompt; nothing is left."""
    suite.agent.write_text(LOOK)
    suite.write(
        test_a="@pytest.mark.ptc('pr-{pr} of {title}', isolation='worktree', cwd='repo/src',\n"
        f"    ref='pr-{{pr}}', base='main', env={{'SEEN': {str(suite.path)!r}}})\n"
        "@pytest.mark.parametrize('pr', [1, 2])\n"
        "def test_pr(pr, ptc): assert ptc.findings[0].path == 'a.txt'\n",
        conftest="@pytest.fixture(scope='session')\ndef title(): return 'somebody'\n",
    )
    suite.run("--ptc-workers=1").assert_outcomes(passed=2)
    for number in (1, 2):
        seen = json.loads((suite.path / f"pr-{number}").read_text())
        assert seen["text"] == f"one\ntwo of {number}\n"
        assert not seen["cwd"].startswith(str(repo))
        assert f"+two of {number}\n```" in seen["prompt"]
    assert (repo / "src/a.txt").read_text() == "one\n"
    assert worktrees(repo) == []
    assert git(repo, "status", "--porcelain") == ""


@pytest.mark.slow
def test_a_repository_may_come_from_a_session_fixture(suite: Suite, repo: Path) -> None:
    """Directory and commit are filled as a prompt is, before anything is started."""
    suite.agent.write_text(LOOK)
    suite.write(
        test_a="@pytest.mark.ptc('x', isolation='worktree', cwd='{folder}/src', ref='{branch}',\n"
        f"    env={{'SEEN': {str(suite.path)!r}}})\n"
        "@pytest.mark.parametrize('branch', ['pr-1'])\n"
        "def test_pr(branch): pass\n",
        conftest=f"@pytest.fixture(scope='session')\ndef folder(): return {str(repo)!r}\n",
    )
    suite.run().assert_outcomes(passed=1)
    assert "two of 1" in json.loads((suite.path / "x").read_text())["text"]


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        (
            "isolation='worktree', cwd='repo', ref='nowhere'",
            "*ref: 'nowhere': *name a commit or branch*",
        ),
        ("isolation='worktree', cwd='.'", "*isolation: *needs a git repository*"),
        ("cwd='repo', ref='main'", "*ref: has no effect without isolation*"),
        ("isolation='worktree', cwd='repo', ref='--help'", "*ref: must be the name of a commit*"),
        ("isolation='container'", "*isolation: must be one of worktree*"),
        ("cwd='{missing}'", "*missing*no parameter or session fixture*"),
    ],
)
def test_what_cannot_be_isolated_is_refused_before_anything_is_started(
    suite: Suite, repo: Path, keywords: str, said: str
) -> None:
    """The error names the test, the keyword, and what git says of it."""
    assert repo.is_dir()
    suite.write(test_a=f"@pytest.mark.ptc('pass', {keywords})\ndef test_it(): pass\n")
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*test_a.py::test_it: {said}"])
    assert suite.runs == [] or suite.events("worker started") == []


@pytest.mark.parametrize("how", ["worker", pytest.param("pytest", marks=pytest.mark.slow)])
def test_no_worktree_outlives_a_crash(suite: Suite, repo: Path, how: str) -> None:
    """A killed worker's goes with its run, a killed run's with `ptc clean`."""
    suite.agent.write_text(LOOK)
    suite.write(
        test_a="@pytest.mark.ptc('x wait', isolation='worktree', cwd='repo/src',\n"
        f"    env={{'SEEN': {str(suite.path)!r}}})\ndef test_it(): pass\n"
    )
    run = start(suite)
    until((suite.path / "waiting").exists, "the agent")
    assert len(worktrees(repo)) == 1
    if how == "pytest":
        run.kill()
        run.communicate(timeout=30)
        until(lambda: ptc(suite, "list").stdout.count("killed") == 1, "the end of the run")
        assert ptc(suite, "clean").returncode == 0
    else:
        for event in suite.events("worker started"):
            subprocess.run(["kill", "-9", str(event["pid"])], check=False)
        output, _ = run.communicate(timeout=30)
        assert "worker lost" in output
    assert worktrees(repo) == []


@pytest.mark.slow
def test_many_worktrees_at_once_do_not_get_in_each_others_way(suite: Suite, repo: Path) -> None:
    """Git's own races are kept out by a lock of the repository's."""
    suite.agent.write_text(LOOK)
    suite.write(
        test_a="@pytest.mark.ptc('n{n}', isolation='worktree', cwd='repo/src',\n"
        f"    env={{'SEEN': {str(suite.path)!r}}})\n"
        "@pytest.mark.parametrize('n', range(12))\ndef test_it(n): pass\n"
    )
    suite.run("--ptc-workers=6").assert_outcomes(passed=12)
    assert worktrees(repo) == []


def test_others_worktrees_stay(suite: Suite, repo: Path) -> None:
    """One that a person made, and even one whose folder is away for now."""
    suite.agent.write_text(LOOK)
    for name in ("theirs", "away"):
        git(repo, "worktree", "add", "-q", "--detach", str(suite.path / name))
    (suite.path / "away").rename(suite.path / "moved")
    suite.write(
        test_a="@pytest.mark.ptc('x', isolation='worktree', cwd='repo/src',\n"
        f"    env={{'SEEN': {str(suite.path)!r}}})\ndef test_it(): pass\n"
    )
    suite.run().assert_outcomes(passed=1)
    assert len(worktrees(repo)) == 2


def test_git_of_an_agent_is_at_its_worktree(
    suite: Suite, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever git has told a hook that runs pytest; its commit is on no branch of the user's."""
    suite.agent.write_text(
        "import json, os, subprocess\n"
        "def git(*words): return subprocess.run(['git', *words], capture_output=True, text=True)\n"
        "seen = {'text': git('show', 'HEAD:src/a.txt').stdout, 'top': os.getcwd(),\n"
        "    'git': git('rev-parse', '--show-toplevel').stdout.strip()}\n"
        "who = ['-c', 'user.name=x', '-c', 'user.email=x@example.org']\n"
        "git(*who, 'commit', '--allow-empty', '-m', 'of the agent')\n"
        "json.dump(seen, open(os.environ['SEEN'], 'w'))\n"
        "print(json.dumps({'verdict': 'pass', 'summary': 'seen'}))\n"
    )
    suite.write(
        test_a="@pytest.mark.ptc('x', isolation='worktree', cwd='repo', ref='pr-1',\n"
        f"    env={{'SEEN': {str(suite.path / 'seen')!r}}})\ndef test_it(): pass\n"
    )
    before = git(repo, "for-each-ref")
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", str(repo / ".git"))
        hook.setenv("GIT_WORK_TREE", str(repo))
        hook.setenv("GIT_INDEX_FILE", str(repo / ".git/index"))
        suite.run().assert_outcomes(passed=1)
    seen = json.loads((suite.path / "seen").read_text())
    assert seen["text"] == "one\ntwo of 1\n"
    assert seen["top"] == seen["git"]
    assert git(repo, "for-each-ref") == before


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("ref", "", "ref: is empty"),
        ("base", " ", "base: is empty"),
        ("ref", "--output=x", "ref: *begins as an option*"),
        ("base", "long", "base: the difference has *"),
    ],
)
def test_what_comes_of_a_parameter_must_be_one_commit_whose_change_fits(
    suite: Suite, repo: Path, field: str, value: str, said: str
) -> None:
    """Else it is an error before anything is paid for: HEAD, or a half, is not what is meant."""
    if value == "long":
        git(repo, "branch", value)
        (repo / "long.txt").write_text("x" * 79 + "\n" + "y\n" * 100_000)
        git(repo, "add", ".")
        git(repo, "commit", "-qm", value)
    suite.write(
        test_a=f"@pytest.mark.ptc('pass', isolation='worktree', cwd='repo', {field}='{{name}}')\n"
        f"@pytest.mark.parametrize('name', [{value!r}])\ndef test_it(name): pass\n"
    )
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*test_a.py::test_it*: {said}*"])
    assert suite.runs == [] or suite.events("worker started") == []


@pytest.mark.slow
def test_submodules_are_in_a_worktree_and_a_missing_one_is_an_error(
    suite: Suite, repo: Path
) -> None:
    """Never an empty directory that an agent passes."""
    suite.agent.write_text(
        "import json, os\nkind = 'pass' if os.path.exists('sub/src/a.txt') else 'fail'\n"
        "print(json.dumps({'verdict': kind, 'summary': 'looked'}))\n"
    )
    local = ("-c", "protocol.file.allow=always")
    git(repo.parent, *local, "clone", "-q", str(repo), "other")
    git(repo, *local, "submodule", "--quiet", "add", str(repo.parent / "other"), "sub")
    git(repo, "commit", "-qam", "sub")
    git(repo.parent, *local, "clone", "-q", str(repo), "without")
    suite.write(
        test_a="@pytest.mark.ptc('x', isolation='worktree', cwd='{at}')\n"
        "@pytest.mark.parametrize('at', ['repo', 'without'])\ndef test_it(at): pass\n"
    )
    result = suite.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*worktree - submodule sub at * is not on this machine*"])
