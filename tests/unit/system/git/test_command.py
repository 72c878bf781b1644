"""The edge to git: nothing of a tree is run, and what is reviewed cannot hide or lead away."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.model.errors import GitError
from pytest_ptc.session.suite_changes import changed_suite
from pytest_ptc.system.git import worktrees
from pytest_ptc.system.git.command import MAX_ERROR_CHARS, TooMuchPrintedError, git, of_the_user
from pytest_ptc.system.git.commits import resolve
from pytest_ptc.system.git.diffs import MAX_DIFF_CHARS, diff, looks_like_text, visible
from tests.support.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """A repository."""
    return Repository(tmp_path / "repo")


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[str]:
    """A command that must not be run."""
    ran = tmp_path / "ran"
    yield f"touch {shlex.quote(str(ran))}; cat"
    assert not ran.exists()


def hostile(repo: Repository, canary: str) -> None:
    """Have the repository's configuration name a program wherever git runs one for us."""
    hooks = repo.top / ".git/hooks"
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\n{canary}\nexit 1\n")
        (hooks / name).chmod(0o755)
    settings = {
        "core.fsmonitor": canary,
        "core.hooksPath": str(hooks),
        "diff.external": canary,
        "diff.evil.command": canary,
        "diff.evil.textconv": canary,
        "filter.evil.smudge": canary,
        "filter.evil.clean": canary,
        "filter.odd=name.process": canary,
        "filter.evil.required": "true",
    }
    for name, value in settings.items():
        repo.git("config", name, value)


def test_no_program_of_a_repository_is_run(
    repo: Repository, canary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by a status, a difference, or a worktree; the environment's own programs are not, too."""
    repo.commit(
        "attributes",
        **{".gitattributes": "* filter=evil diff=evil\n*.x filter=odd=name\n", "a.x": "one\n"},
    )
    hostile(repo, canary)
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", canary)
    repo.write("a.x", "two\n")
    assert git(repo.top, "status", "--porcelain") == " M a.x\n"
    assert "+two" in git(repo.top, "diff", "HEAD")
    assert "+one" in diff(repo.top, repo.base, "HEAD~0" and repo.git("rev-parse", "HEAD"))
    path = tmp_path / "w/1"
    made = worktrees.add(str(repo.top), repo.git("rev-parse", "HEAD"), path)
    assert (path / "a.x").read_text() == "one\n"
    assert "evil" in " ".join(made.notes)
    worktrees.remove(str(repo.top), path)
    assert repo.git("worktree", "list").count("\n") == 0


@pytest.mark.parametrize("kind", ["whole", "commondir"])
def test_files_that_make_a_repository_are_none(repo: Repository, canary: str, kind: str) -> None:
    """Their configuration is not read, whatever the version of git."""
    bare = repo.top / "packages/evil"
    Repository(bare)
    (bare / ".git").rename(repo.top / "g")
    (repo.top / "g").rename(bare / "inner")
    repo.git("-C", str(bare / "inner"), "config", "core.fsmonitor", canary)
    place = bare / "inner"
    if kind == "commondir":
        place = repo.write("packages/other/HEAD", "ref: refs/heads/main\n").parent
        repo.write("packages/other/commondir", "../evil/inner\n")
    with pytest.raises(GitError, match="bare repository"):
        git(place, "status")


def test_git_is_told_nothing_of_the_repository_that_pytest_was_started_in(
    repo: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What git tells its hooks is taken out; what the user says of git itself stays."""
    for name in git(repo.top, "rev-parse", "--local-env-vars").split():
        if "CONFIG" not in name:
            monkeypatch.setenv(name, str(tmp_path / "other"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "of the environment")
    assert git(repo.top, "rev-parse", "HEAD").strip() == repo.base
    assert git(repo.top, "config", "user.name") == "of the environment\n"
    assert {name for name in of_the_user(os.environ) if name.startswith("GIT_")} >= {
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_KEY_0",
        "GIT_CONFIG_VALUE_0",
    }


def test_all_of_gits_words_are_told_and_no_more_than_fit(repo: Repository) -> None:
    """In one printable line, with their beginning and their end."""
    with pytest.raises(GitError) as caught:
        git(repo.top, "config", "--file", "no\x1b\n" + "x/" * MAX_ERROR_CHARS, "a.b", "c")
    said = str(caught.value)
    assert "\x1b" not in said
    assert "\n" not in said
    assert len(said) < MAX_ERROR_CHARS + 20
    with pytest.raises(GitError, match="no-such"):  # of several lines the first has it
        git(repo.top, "rev-parse", "no-such")
    with pytest.raises(TooMuchPrintedError):
        git(repo.top, "cat-file", "-p", "HEAD", most=10)


#: What a branch may do to keep its change out of a difference, and where the change is.
HIDING: dict[str, dict[str, bytes | str]] = {
    "attribute": {".gitattributes": "*.py -diff\n", "evil.py": "os.system\n"},
    "binary": {".gitattributes": "* binary\n", "evil.py": "os.system\n"},
    "driver": {".gitattributes": "* diff=evil\n", "evil.py": "os.system\n"},
    "encoding": {
        ".gitattributes": "*.py working-tree-encoding=UTF-16\n",
        "evil.py": "os.system\n".encode("utf-16"),
    },
    "nul": {"evil.py": b"# \0\nos.system\n"},
    "no UTF-8": {"evil.py": b"# \xff\xfe\nos.system\n"},
    "line ends": {"evil.py": b"os.system\r# \x1b[2K\r\n"},
    "bidirectional": {"evil.py": "os.system # \u202e\u2066\n"},
    "odd name": {"e\nvil\x1b[2J.py": "os.system\n"},
    "fence": {"evil.py": "```\nos.system\n"},
    "own attributes below": {"d/.gitattributes": "* -diff\n", "d/evil.py": "os.system\n"},
}


@pytest.mark.parametrize("hidden", HIDING)
def test_a_change_cannot_hide(repo: Repository, hidden: str) -> None:
    """Not by attributes, of tree, repository or user, and not by settings; it is all visible."""
    head = repo.commit(hidden, **HIDING[hidden])
    repo.write(".git/info/attributes", "* -diff\n")
    for name, value in {
        "core.bigFileThreshold": "1",
        "core.attributesFile": str(repo.top / ".git/info/attributes"),
        "diff.noprefix": "true",
        "diff.orderFile": "/dev/null",
        "diff.ignoreSubmodules": "all",
        "diff.context": "0",
    }.items():
        repo.git("config", name, value)
    text = diff(repo.top, repo.base, head)
    assert "+os.system" in text
    assert text.replace("\n", "").isprintable()


def test_every_kind_of_change_is_told(repo: Repository, tmp_path: Path) -> None:
    """Deletions, renames, modes, links, submodules, files that are no text."""
    other = Repository(tmp_path / "other")
    repo.write("b.bin", bytes(range(256)))
    repo.commit("more", **{"gone.py": "gone = 1\n", "old.txt": "x\n" * 9})
    repo.git("submodule", "--quiet", "add", str(other.top), "sub")
    base = repo.commit("sub")
    other.commit("other")
    repo.git("-C", "sub", "pull", "--quiet", "origin", "main")
    (repo.top / "gone.py").unlink()
    (repo.top / "old.txt").rename(repo.top / "new.txt")
    (repo.top / "base.txt").chmod(0o755)
    (repo.top / "link").symlink_to("/etc/passwd")
    repo.git("config", "submodule.sub.ignore", "all")
    repo.git("add", "--force", "sub")
    text = diff(repo.top, base, repo.commit("all", **{"b.bin": bytes(range(255, -1, -1)) * 2}))
    for told in (
        "-gone = 1",
        "rename to new.txt",
        "new mode 100755",
        "+/etc/passwd",
        "+Subproject commit",
        "at another commit, whose changes are not shown: 'sub'",
        "'b.bin': 256 bytes before, 512 after",
    ):
        assert told in text
    assert diff(repo.top, base, base) == ""


@pytest.mark.parametrize(
    "content",
    ["x = 1\n" * MAX_DIFF_CHARS, "x" * 5 * MAX_DIFF_CHARS, b"x\0\n" * MAX_DIFF_CHARS],
    ids=["lines", "one-line", "bytes"],
)
def test_what_does_not_fit_is_an_error(repo: Repository, content: str | bytes) -> None:
    """Nobody passes what was cut."""
    head = repo.commit("long", **{"long.py": content})
    with pytest.raises(GitError, match=f"a prompt takes {MAX_DIFF_CHARS}"):
        diff(repo.top, repo.base, head)


def test_replaced_objects_are_not_what_is_reviewed(repo: Repository) -> None:
    """The commit itself is, whatever stands in for it in this clone."""
    head = repo.commit("evil", **{"evil.py": "os.system\n"})
    repo.git("replace", head, repo.base)
    assert "+os.system" in diff(repo.top, repo.base, head)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"import os\0\n", True),
        ("größe\0".encode(), True),
        ("print(1)\n".encode("utf-16"), True),
        (b"\0" * 100, False),
        (bytes(range(256)), False),
        (b"", False),
    ],
)
def test_what_is_text_in_spite_of_its_nul_bytes(content: bytes, *, expected: bool) -> None:
    """A picture is none, and a program with one such byte is."""
    assert looks_like_text(content) is expected


def test_visible_text_has_its_lines_and_nothing_without_a_shape() -> None:
    """Letters of all scripts stay, line ends of other systems are seen."""
    assert visible("a\tü\n漢\r\n\x1b\u202e\udcff\ue000") == (
        "a\tü\n漢\\r\n\\x1b\\u202e\\udcff\\ue000"
    )


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "\t", "-x", "--help", "a b", "a\nb", "a\x1bb", "\u202emain"),
        *("@{-1}", "main@{1}", "main@{yesterday}", ":/base", "main^{/base}", "main:base.txt"),
        *("main..HEAD", "^main", "no", "main^{tree}", "both", "*"),
    ],
)
def test_a_name_that_is_not_one_commits_is_refused(repo: Repository, name: str) -> None:
    """With an error that shows it, and says what to write."""
    repo.git("tag", "both")
    repo.git("checkout", "-q", "-b", "both")
    repo.commit("another")
    with pytest.raises(GitError) as caught:
        resolve(repo.top, name)
    assert str(caught.value).isprintable()


def test_a_name_that_is_one_commits_is_that(repo: Repository) -> None:
    """Branches, tags, ancestors, and hashes, even where a branch has such a name as well."""
    repo.git("tag", "-a", "v1", "-m", "x")
    head = repo.commit("next")
    for name in ("main", "HEAD", "@", "heads/main", "refs/heads/main", head, head[:9]):
        assert resolve(repo.top, name) == head
    for name in ("v1", "tags/v1", "main~1", "HEAD^", "v1^{commit}"):
        assert resolve(repo.top, name) == repo.base
    repo.git("branch", head[:9], repo.base)
    with pytest.raises(GitError, match="ambiguous"):
        resolve(repo.top, head[:9])


def test_submodules_are_there_at_every_depth(tmp_path: Path) -> None:
    """From the clones on this machine, from a linked worktree too, and nothing stays behind."""
    inner, middle, top = (Repository(tmp_path / name) for name in ("inner", "middle", "top"))
    middle.git("submodule", "--quiet", "add", str(inner.top), "in")
    middle.commit("in")
    top.git("submodule", "--quiet", "add", str(middle.top), "mid")
    head = top.commit("mid")
    top.git("submodule", "--quiet", "update", "--init", "--recursive")
    top.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    for number, place in enumerate((top.top, tmp_path / "linked")):
        path = tmp_path / f"w/{number}"
        made = worktrees.add(str(place), head, path)
        assert made.notes == ()
        assert (path / "mid/in/base.txt").read_text() == "base\n"
        assert git(path, "status", "--porcelain") == ""
        worktrees.remove(str(place), path)
    assert list((tmp_path / "w").iterdir()) == []
    assert top.git("worktree", "list").count("\n") == 1


def test_a_submodule_that_is_not_there_is_an_error_or_said(tmp_path: Path) -> None:
    """Never an empty directory without a word."""
    other, repo = Repository(tmp_path / "other"), Repository(tmp_path / "repo")
    repo.git("submodule", "--quiet", "add", str(other.top), "sub")
    head = repo.commit("sub")
    repo.git("clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = str(tmp_path / "clone")
    with pytest.raises(GitError, match=r"submodule sub .* is not on this machine"):
        worktrees.add(clone, head, tmp_path / "w/1")
    worktrees.remove(clone, tmp_path / "w/1")
    repo.git("-C", clone, "config", "submodule.sub.active", "false")
    made = worktrees.add(clone, head, tmp_path / "w/2")
    assert "sub is left out" in made.notes[0]
    worktrees.remove(clone, tmp_path / "w/2")


def test_a_worktree_is_whole_where_the_checkout_is_sparse(repo: Repository, tmp_path: Path) -> None:
    """An agent that cannot see a file cannot judge it."""
    head = repo.commit("more", **{"a/x.py": "x\n", "b/y.py": "y\n"})
    repo.git("sparse-checkout", "set", "--cone", "a")
    worktrees.add(str(repo.top), head, tmp_path / "w/1")
    assert (tmp_path / "w/1/b/y.py").exists()
    worktrees.remove(str(repo.top), tmp_path / "w/1")


def test_objects_that_a_partial_clone_lacks_are_an_error_with_the_fix(
    repo: Repository, tmp_path: Path
) -> None:
    """Nothing is fetched."""
    repo.git("config", "uploadpack.allowFilter", "true")
    where = f"file://{repo.top}"
    place = str(tmp_path / "clone")
    repo.git("clone", "--quiet", "--no-checkout", "--filter=blob:none", where, place)
    with pytest.raises(GitError, match="this clone is partial"):
        worktrees.add(place, repo.base, tmp_path / "w/1")
    worktrees.remove(place, tmp_path / "w/1")


def test_what_a_change_brings_of_its_own_judge_is_found(repo: Repository) -> None:
    """Suites, configuration, the module with the test, and what lies beside the reviewer."""
    names = ("x.ptc.md", "d/conftest.py", "pytest.ini", "tests/test_it.py", "tools/rules.py")
    others = ("app.py", "tests/other.py", "tools/data.txt", "a\x1b.ptc.md")
    repo.git("checkout", "-q", "-b", "pr")
    head = repo.commit("pr", **dict.fromkeys((*names, *others), "x\n"))
    own = [repo.top / "tests/test_it.py", repo.top / "tools/reviewer.py"]
    expected = tuple(sorted((*names, "a\\x1b.ptc.md", "tests/other.py")))
    ranges = [(str(repo.top), "main", head)]
    assert changed_suite(repo.top, ranges, [], own) == expected
    assert changed_suite(repo.top, [], ["main"], own) == expected
    repo.git("checkout", "-q", "main")
    assert changed_suite(repo.top, [(str(repo.top), None, head)], [], own) == expected
    assert changed_suite(repo.top, [(str(repo.top), None, repo.base)], [], own) == ()
    # A list of known findings by its own name alone.
    lists = [repo.top / "tools/data.txt"]
    assert changed_suite(repo.top, ranges, [], own, lists) == tuple(
        sorted([*expected, "tools/data.txt"])
    )
