"""The files that findings name, as they are on a real disk and in real repositories."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.system.git import worktrees
from pytest_ptc.text.printable import printable
from pytest_ptc.verdicts.places import Kind
from pytest_ptc.worker import reviewed_files
from pytest_ptc.worker.reviewed_files import ReviewedFiles
from tests.support.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository with a package, and what leads out of it."""
    return made_in(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Such a repository for tests that only look."""
    return made_in(tmp_path_factory.mktemp("shared"))


def made_in(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    made.commit("all", **{"src/a.py": "one\n\ttwo  three\n", "docs/guide.md": "# Guide"})
    (tmp_path / "outside.py").write_text("secret\n")
    (made.top / "src/out.py").symlink_to(tmp_path / "outside.py")
    (made.top / "src/in.py").symlink_to("a.py")
    (made.top / "out").symlink_to(tmp_path)
    os.mkfifo(made.top / "src/pipe")
    return made


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.py", ("a.py", "src/a.py")),
        ("./a.py", ("a.py", "src/a.py")),
        ("src/a.py", ("a.py", "src/a.py")),
        ("{top}/src/a.py", ("a.py", "src/a.py")),
        ("in.py", ("in.py", "src/a.py")),
        ("../docs/guide.md", ("../docs/guide.md", "docs/guide.md")),
        ("docs/guide.md", ("../docs/guide.md", "docs/guide.md")),
        ("{top}/docs/guide.md", ("../docs/guide.md", "docs/guide.md")),
    ],
)
def test_a_file_is_found_from_the_directory_from_the_top_and_by_its_whole_path(
    shared: Repository, path: str, expected: tuple[str, str]
) -> None:
    """It is named as a report needs it, and by its real name in the repository."""
    seen = ReviewedFiles(str(shared.top / "src")).look(path.format(top=shared.top))
    assert (seen.kind, seen.path, seen.name) == (Kind.FILE, *expected)
    assert seen.lines == (["# Guide"] if "guide" in path else ["one", "two three"])


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("nothing.py", Kind.ABSENT),
        ("a.py/b", Kind.ABSENT),
        ("a\0b", Kind.ABSENT),
        ("\udcff", Kind.ABSENT),
        ("x" * 5000, Kind.ABSENT),
        ("", Kind.DIRECTORY),
        (".", Kind.DIRECTORY),
        ("..", Kind.DIRECTORY),
        ("../..", Kind.OUTSIDE),
        ("../../outside.py", Kind.OUTSIDE),
        ("../out/outside.py", Kind.OUTSIDE),
        ("/etc/passwd", Kind.OUTSIDE),
        ("/users", Kind.OUTSIDE),
        ("out.py", Kind.OTHER),
        ("pipe", Kind.OTHER),
    ],
)
def test_nothing_outside_is_read_and_nothing_blocks(
    shared: Repository, path: str, kind: Kind
) -> None:
    """Links that lead out, FIFOs, and what is no path at all."""
    seen = ReviewedFiles(str(shared.top / "src")).look(path)
    assert (seen.kind, seen.lines) == (kind, None)


def test_without_a_repository_the_directory_is_all(tmp_path: Path) -> None:
    """And a long file, or one in UTF-16, is what it is."""
    (tmp_path / "in").mkdir()
    (tmp_path / "a.py").write_text("x\n")
    (tmp_path / "in/b.py").write_bytes("eins\r\nzwei".encode("utf-16"))
    (tmp_path / "in/long").write_bytes(b"\n" * (reviewed_files.MAX_FILE_BYTES + 1))
    files = ReviewedFiles(str(tmp_path / "in"))
    assert files.look("../a.py").kind is Kind.OUTSIDE
    assert files.look("b.py").lines == ["eins", "zwei"]
    assert files.look("long") == (Kind.FILE, "long", "long", None, False, False)
    assert files.near("B.py") == ["b.py"]


def test_a_deleted_file_is_found_in_the_commit_that_had_it(repository: Repository) -> None:
    """At the base; without one at HEAD, or before the commit that has deleted it."""
    base = repository.commit("more", **{"old.py": "1\n2\n", "older.py": "x\n"})
    (repository.top / "older.py").unlink()
    repository.commit("delete")
    (repository.top / "docs/guide.md").unlink()
    top = str(repository.top)
    seen = ReviewedFiles(top, base=base).look("older.py")
    assert (seen.lines, seen.gone) == (["x"], True)
    seen = ReviewedFiles(top).look("older.py")
    assert (seen.lines, seen.gone) == (["x"], True)
    assert ReviewedFiles(top).look("docs/guide.md").lines == ["# Guide"]
    assert ReviewedFiles(top, base=base).look("never.py").kind is Kind.ABSENT


def test_paths_of_the_task_are_those_of_its_worktree(
    repository: Repository, tmp_path: Path
) -> None:
    """A parameter may name a file by its whole path, and the agent repeats that."""
    commit = repository.commit("whole", **{"src/a.py": "as committed\n"})
    repository.write("src/a.py", "as it is now\n")
    cwd = str(repository.top / "src")
    place = tmp_path / "scratch/worktree"
    worktree, _ = worktrees.add(cwd, commit, place)
    files = ReviewedFiles(worktree, cwd)
    for path in ("a.py", f"{cwd}/a.py", f"{worktree}/a.py"):
        assert files.look(path)[:4] == (Kind.FILE, "a.py", "src/a.py", ["as committed"])
    worktrees.remove(cwd, place)


def test_a_hint_names_files_of_that_name_and_those_like_it(repository: Repository) -> None:
    """From the agent's directory, so that it can be written down as it is."""
    repository.commit("more", **{"lib/deep/tool.py": "", "src/tools.py": "", "lib/[a].py": ""})
    files = ReviewedFiles(str(repository.top / "src"))
    assert files.near("tool.py")[:2] == ["../lib/deep/tool.py", "tools.py"]
    assert files.near("nowhere/guide.md") == ["../docs/guide.md"]
    assert files.near("[tool].py") == ["tools.py"]
    assert files.look("src/x.py").known_start
    assert not files.look("srcs/x.py").known_start


def test_a_name_that_was_made_printable_is_the_file_that_it_was(repository: Repository) -> None:
    """A hostile name is escaped in a verdict, in its directories too."""
    name = "src/x\u200by/\udcff::a\u202e.py"
    repository.commit("hostile", **{name: "one\n", "src/x\\u200by/other.py": "two\n"})
    files = ReviewedFiles(str(repository.top))
    assert files.look(printable(name))[:4] == (Kind.FILE, name, name, ["one"])
    assert files.look("src/x\\u200by/other.py").lines == ["two"]
    assert files.look(printable(f"{name}x")).kind is Kind.ABSENT


def test_searches_in_commits_are_bounded(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A linter's file may name any number of files that are not there."""
    asked: list[str] = []

    def no_commits(name: str) -> Iterator[str]:
        asked.append(name)
        return iter(())

    monkeypatch.setattr(reviewed_files, "_MAX_SEARCHES", 3)
    files = ReviewedFiles(str(repository.top))
    monkeypatch.setattr(files, "_commits_with", no_commits)
    assert {files.look(f"{number}.py").kind for number in range(9)} == {Kind.ABSENT}
    assert asked == ["0.py", "1.py", "2.py"]


def test_when_its_time_is_over_nothing_more_is_looked_at(repository: Repository) -> None:
    """What was seen before is known."""
    files = ReviewedFiles(str(repository.top))
    assert files.look("src/a.py").kind is Kind.FILE
    files.begin(-1)
    assert files.look("src/a.py").kind is Kind.FILE
    assert files.look("docs/guide.md").kind is Kind.UNKNOWN
    files.begin(60)
    assert files.look("docs/guide.md").kind is Kind.FILE


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("src/x", True),
        ("{top}/src/x", True),
        ("{top}/none/x", False),
        ("none/x", False),
        ("x", False),
    ],
)
def test_the_start_of_a_path_that_leads_nowhere(shared: Repository, path: str, known: bool) -> None:
    """It tells a file's name from one of something else."""
    seen = ReviewedFiles(str(shared.top)).look(path.format(top=shared.top))
    assert (seen.kind, seen.known_start) == (Kind.ABSENT, known)
