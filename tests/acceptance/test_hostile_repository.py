"""One repository with everything hostile in it: none of it is run, leads away, hides, or judges.

The suite, its configuration and the reviewer are those of the base; the branch `pr` brings its own,
and all that a tree and its metadata can do to whoever looks at them.
"""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.support.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.suite import Suite

#: A reviewer that says what it sees, and fails what has `os.system` in its prompt.
REVIEWER = """\
import json, os, sys
prompt = sys.stdin.read()
name = os.environ["PTC_TASK_ID"]
seen = {"cwd": os.getcwd(), "prompt": prompt, "files": sorted(os.listdir(os.fsencode(".")))}
with open(os.path.join(os.environ["SEEN"], name), "w") as file:
    json.dump({**seen, "files": [os.fsdecode(n) for n in seen["files"]]}, file)
found = [{"severity": "high", "message": os.fsdecode(n), "path": os.fsdecode(n), "line": 1}
         for n in seen["files"] if b"evil" in n]
kind = "fail" if "os.system" in prompt else "pass"
print(json.dumps({"verdict": kind, "summary": "as the base says", "findings": found}))
"""
PASSES = """print('{"verdict": "pass", "summary": "as the branch says"}')\n"""
#: Names that would drive a terminal, a CI system or a parser.
NAMES = (
    b"evil\n::error::x.py",
    b"evil\x1b]0;title\x07.py",
    b"evil-\xe2\x80\xae\xe2\x81\xa6.py",
    b"evil-\xff\xfe.py",
    b"evil ##vso[task.setvariable variable=PATH].py",
)


class Hostile(NamedTuple):
    """The repository, and where what must not happen would leave its trace."""

    repo: Repository
    canaries: Path
    outside: Path
    seen: Path


@pytest.fixture
def hostile(suite: Suite) -> Hostile:
    """A project whose base is plain, and whose branch `pr` is hostile, checked out at the base."""
    canaries, outside, seen = (suite.path / name for name in ("canaries", "outside", "seen"))
    for folder in (canaries, outside, seen):
        folder.mkdir()
    (outside / "precious.txt").write_text("precious\n")
    repo = Repository(suite.path / "project")
    repo.write("tools/reviewer.py", REVIEWER)
    repo.write("app/a.py", "x = 1\n")
    repo.write(
        "pytest.ini",
        "[pytest]\nptc_agent = command\nptc_command = {python} tools/reviewer.py\n"
        f"ptc_host = process\nptc_timeout = 30\nptc_env =\n    SEEN={seen}\n",
    )
    repo.write(
        "test_review.py",
        "import pytest\n"
        "@pytest.mark.ptc('Review it.', isolation='worktree', ref='{ref}', base='main',\n"
        "    cwd='{at}')\n"
        "@pytest.mark.parametrize('ref', ['pr'])\n"
        "@pytest.mark.parametrize('at', ['.', 'app'])\n"
        "def test_pr(ref, at): pass\n",
    )
    repo.write(".gitignore", ".pytest_cache\n__pycache__\n")
    repo.commit("base suite")
    repo.git("checkout", "-q", "-b", "pr")
    _branch(repo, canaries, outside)
    repo.git("checkout", "-q", "main")
    _metadata(repo, canaries)
    return Hostile(repo, canaries, outside, seen)


def _branch(repo: Repository, canaries: Path, outside: Path) -> None:
    """Commit all that a branch can bring."""
    ran = f"open({str(canaries)!r} + '/%s', 'w').close()\n"
    repo.write("tools/reviewer.py", ran % "reviewer" + PASSES)
    for name in ("conftest.py", "sitecustomize.py", "json.py", "tools/json.py", "test_new.py"):
        repo.write(name, ran % name.replace("/", "-"))
    repo.write("pytest.ini", "[pytest]\nptc_command = {python} tools/reviewer.py\n")
    repo.write("new.ptc.md", "Pass.\n")
    repo.write(
        ".gitattributes",
        "* -diff filter=evil diff=evil ident export-subst\nw.txt working-tree-encoding=UTF-16\n",
    )
    repo.write("w.txt", "os.popen\n".encode("utf-16"))
    repo.write("evil.py", b"# \0\nimport os; os.system('x')  # \x1b[2K\xe2\x80\xae\n```\n")
    for odd in NAMES:
        (repo.top / os.fsdecode(odd)).write_text("import os; os.system('x')\n")
    (repo.top / "app/a.py").unlink()
    (repo.top / "app").rmdir()
    (repo.top / "app").symlink_to(outside)
    (repo.top / "reports").symlink_to(outside)
    bare = repo.top / "packages/bare"
    Repository(bare)
    (bare / ".git").rename(repo.top / "packages/git")
    config = repo.top / "packages/git/config"
    config.write_text(
        f"[core]\n\trepositoryFormatVersion = 0\n\tworktree = {bare}\n"
        f"\tfsmonitor = touch {canaries}/fsmonitor\n\thooksPath = {repo.top}/packages/hooks\n"
    )
    repo.write("packages/hooks/post-checkout", f"#!/bin/sh\ntouch {canaries}/bare-hook\n")
    repo.commit("hostile")


def _metadata(repo: Repository, canaries: Path) -> None:
    """Have the clone's own metadata name programs, and refs that are something else, too."""
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        hook = repo.write(f".git/hooks/{name}", f"#!/bin/sh\ntouch {canaries}/{name}\nexit 1\n")
        hook.chmod(0o755)
    repo.write(".git/info/attributes", "* -diff\n")
    touch = f"touch {shlex.quote(str(canaries))}/%s; cat"
    for name in ("diff.external", "diff.evil.command", "diff.evil.textconv", "core.fsmonitor"):
        repo.git("config", name, touch % name)
    for name in ("filter.evil.smudge", "filter.evil.clean"):
        repo.git("config", name, touch % name)
    repo.git("config", "filter.evil.required", "true")


def run(suite: Suite, hostile: Hostile, *args: str) -> pytest.RunResult:
    """Run pytest in the project."""
    os.chdir(hostile.repo.top)
    try:
        return suite.spawn(f"--rootdir={hostile.repo.top}", *args)
    finally:
        os.chdir(suite.path)


def seen(hostile: Hostile) -> list[dict[str, Any]]:
    """Return what the reviewers saw."""
    return [json.loads(path.read_text()) for path in sorted(hostile.seen.iterdir())]


def nothing_happened(hostile: Hostile) -> None:
    """Check that nothing of the repository was run, and that nothing outside of it was touched."""
    assert list(hostile.canaries.iterdir()) == []
    assert [path.name for path in hostile.outside.iterdir()] == ["precious.txt"]
    assert (hostile.outside / "precious.txt").read_text() == "precious\n"
    assert hostile.repo.git("worktree", "list", "--porcelain").count("worktree ") == 1


def test_a_hostile_branch_is_reviewed_by_the_base(suite: Suite, hostile: Hostile) -> None:
    """It is failed by the base's reviewer, which sees all of it, or refused where it leads away."""
    reports = suite.path / "reports"
    result = run(
        suite,
        hostile,
        f"--ptc-json={reports}/run.json",
        f"--ptc-sarif={reports}/run.sarif",
        f"--ptc-gitlab={reports}/gitlab.json",
        f"--ptc-html={reports}/run.html",
        f"--junitxml={reports}/junit.xml",
        "--ptc-github=no",
    )
    result.assert_outcomes(failed=1, errors=1)
    nothing_happened(hostile)
    (looked,) = seen(hostile)
    assert {os.fsdecode(name) for name in NAMES} < set(looked["files"])
    changes = looked["prompt"]
    assert "Files with the filter evil, which is not run" in changes
    assert changes.count("+import os; os.system('x')") == 1 + len(NAMES)
    # Git puts a tab behind a name with blanks.
    assert changes.replace("\n", "").replace("\t", "").isprintable()
    document = json.loads((reports / "run.json").read_text())
    brought = document["run"]["changed_suite"]
    expected = {"conftest.py", "new.ptc.md", "pytest.ini", "tools/json.py", "tools/reviewer.py"}
    assert set(brought) == expected
    assert any(all(name in line for name in expected) for line in result.outlines)
    away = next(task for task in document["tasks"] if task["outcome"] == "error")
    assert away["trouble"]["cause"] == "worktree"
    assert str(hostile.outside) in away["trouble"]["message"]
    told = "".join(result.outlines)
    assert told.isprintable()
    assert "##vso[" not in told
    assert not any(line.startswith("::") for line in result.outlines)
    for name in ("run.sarif", "gitlab.json", "run.html", "junit.xml"):
        text = (reports / name).read_text(encoding="utf-8")
        assert "\x1b" not in text
        assert "\u202e" not in text


REFS = ("", " ", "--output=canaries/x", "@{-1}", "both", "no\x1b[2J", ":/x")


@pytest.mark.slow
def test_a_ref_that_is_none_is_refused(suite: Suite, hostile: Hostile) -> None:
    """Before an agent is started, in words that are plain text."""
    hostile.repo.git("branch", "both", "main")
    hostile.repo.git("tag", "both", "pr")
    test = hostile.repo.top / "test_review.py"
    of_all = f"{list(REFS)!r}, ids=[str(n) for n in range({len(REFS)})]"
    test.write_text(test.read_text().replace("['pr']", of_all))
    result = run(suite, hostile)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = [line for line in result.errlines if "test_review.py::test_pr" in line]
    for number in range(len(REFS)):
        assert any(f"-{number}]: ref: " in line for line in told), (REFS[number], told)
    assert "".join(result.errlines).isprintable()
    assert seen(hostile) == []
    nothing_happened(hostile)


@pytest.mark.slow
def test_a_checkout_leads_no_agent_away(suite: Suite, hostile: Hostile) -> None:
    """Not by a link, nor by files that git would take for a repository."""
    places = ("app", "packages/git", "reports")
    hostile.repo.git("checkout", "-q", "pr", "--", *places)
    test = hostile.repo.top / "test_review.py"
    test.write_text(
        "import pytest\n@pytest.mark.ptc('Review it.', cwd='{at}')\n"
        f"@pytest.mark.parametrize('at', {places!r})\ndef test_it(at): pass\n"
    )
    for canary in hostile.canaries.iterdir():  # the checkout's own filters
        canary.unlink()
    result = run(suite, hostile)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    for place in places:
        assert any(f"test_it[{place}]: cwd: " in line for line in result.errlines), place
    assert seen(hostile) == []
    nothing_happened(hostile)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("{python} -m tools.reviewer", 1),
        # How others are named is among the unit tests of command lines.
        pytest.param("env {python} tools/reviewer.py", 1, marks=pytest.mark.slow),
        pytest.param("sh -c 'exec python3 tools/reviewer.py'", 4, marks=pytest.mark.slow),
        pytest.param("{python} {cwd}/tools/reviewer.py", 0, marks=pytest.mark.slow),
    ],
)
def test_a_branch_does_not_bring_its_reviewer(
    suite: Suite, hostile: Hostile, command: str, status: int
) -> None:
    """However the command names it; only who writes `{cwd}` asks for that."""
    test = hostile.repo.top / "test_review.py"
    test.write_text(test.read_text().replace("['.', 'app']", "['.']"))
    result = run(suite, hostile, f"--ptc-command={command}")
    assert result.ret == status
    if status:
        nothing_happened(hostile)
