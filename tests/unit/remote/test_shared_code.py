"""Directories that are said to be the same on a node: whether they are, by disk or by content."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest

from pytest_ptc.remote.code_format import CodeError
from pytest_ptc.remote.shared_code import SharedDirectory, check_shared, described
from tests.support.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """A repository with some files."""
    made = Repository(tmp_path / "app")
    made.commit("all", **{".gitignore": "*.log\n", "a.py": "1", "b/c.py": "2"})
    made.write("new.py", "3")
    return made


def moved(blob: bytes, to: Path) -> bytes:
    """Return what is said of a directory as if it were at another place, as a copy is."""
    there = msgspec.msgpack.decode(blob, type=SharedDirectory)
    return msgspec.msgpack.encode(msgspec.structs.replace(there, top=os.fsencode(to)))


def test_one_disk_is_the_same_though_files_have_changed(repo: Repository) -> None:
    """They have changed for all."""
    blob = described(str(repo.top))
    repo.write("a.py", "changed")
    repo.write("report.json", "written by the run")
    assert check_shared(blob) == str(repo.top)


def test_a_copy_with_the_same_content_is_the_same(repo: Repository, tmp_path: Path) -> None:
    """As in the image of a container; ignored files and those of the run are no matter."""
    repo.write("x.log", "x")
    repo.write("journal", "x")
    blob = described(str(repo.top), lambda path: path.endswith("/journal"))
    (repo.top / "journal").unlink()
    shutil.copytree(repo.top, tmp_path / "copy", symlinks=True)
    assert check_shared(moved(blob, tmp_path / "copy")) == str(tmp_path / "copy")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda repo: repo.write("a.py", "9"), "M a.py"),
        (lambda repo: repo.write("new.py", "9"), "M new.py"),
        (lambda repo: (repo.top / "new.py").unlink(), "D new.py"),
        (lambda repo: (repo.top / "a.py").unlink(), "M a.py|D a.py"),
        (lambda repo: (repo.top / "b/c.py").chmod(0o755), "M b/c.py"),
        (lambda repo: repo.write("more.py", "x"), r"\?\? more.py"),
        (lambda repo: repo.commit("later"), "commit .* is .* now"),
        (lambda repo: repo.git("add", "new.py"), "M new.py"),
    ],
)
def test_a_copy_with_another_content_is_not(
    change: Callable[[Repository], object], says: str, repo: Repository, tmp_path: Path
) -> None:
    """What differs is named, with the fix."""
    blob = moved(described(str(repo.top)), tmp_path / "copy")
    shutil.copytree(repo.top, tmp_path / "copy", symlinks=True)
    other = Repository.__new__(Repository)
    other.top = tmp_path / "copy"
    change(other)
    with pytest.raises(CodeError, match=rf"{other.top} is not what .*\({says}.*ptc_dask_code=ship"):
        check_shared(blob)


def test_a_directory_that_is_not_there_is_named(repo: Repository, tmp_path: Path) -> None:
    """Nothing is taken for it, and a directory without the repository is another one."""
    blob = described(str(repo.top))
    with pytest.raises(CodeError, match=r"there is no .*/gone here .*mount it"):
        check_shared(moved(blob, tmp_path / "gone"))
    shutil.copytree(repo.top, tmp_path / "bare", ignore=shutil.ignore_patterns(".git"))
    with pytest.raises(CodeError, match="is not what it is"):
        check_shared(moved(blob, tmp_path / "bare"))
    with pytest.raises(CodeError, match="no directory"):
        check_shared(b"x")


def test_without_git_all_files_are_compared(tmp_path: Path) -> None:
    """But what tools have made."""
    for name in ("plain/a/b.py", "plain/.venv/x"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("1")
    blob = moved(described(str(tmp_path / "plain")), tmp_path / "copy")
    shutil.copytree(tmp_path / "plain", tmp_path / "copy")
    (tmp_path / "copy" / ".venv" / "x").write_text("2")
    check_shared(blob)
    (tmp_path / "copy" / "a" / "b.py").write_text("2")
    with pytest.raises(CodeError, match=r"\(M a/b\.py\)"):
        check_shared(blob)


def test_submodules_are_compared(repo: Repository, tmp_path: Path) -> None:
    """Their files are, not only their commits."""
    library = Repository(tmp_path / "library")
    repo.git("submodule", "--quiet", "add", f"file://{library.top}", "lib")
    repo.commit("all")
    blob = moved(described(str(repo.top)), tmp_path / "copy")
    shutil.copytree(repo.top, tmp_path / "copy", symlinks=True)
    check_shared(blob)
    (tmp_path / "copy" / "lib" / "base.txt").write_text("changed")
    with pytest.raises(CodeError, match=r"M lib/base\.txt"):
        check_shared(blob)
