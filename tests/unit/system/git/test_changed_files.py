"""What has changed, as real git has it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.collection.markdown import fanned_out
from pytest_ptc.model.errors import ListingError
from pytest_ptc.system.git.changed_files import (
    Change,
    Changes,
    changes_since,
    link_detail,
    selected,
)

if TYPE_CHECKING:
    from pathlib import Path


def git_in(folder: Path, *words: str) -> str:
    """Run git as nobody's configuration has it."""
    who = (
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.org",
        "-c",
        "protocol.file.allow=always",
    )
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, env=environ, check=True, capture_output=True
    )
    return done.stdout.decode("utf-8", "surrogateescape")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a branch `main` of one commit, at a branch `work`."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    root = tmp_path / "root"
    (root / "src").mkdir(parents=True)
    for name in ("auth.py", "same.py", "src/a.py", "src/b.py"):
        (root / name).write_text("".join(f"{name} line {n}\n" for n in range(20)))
    git_in(root, "init", "-qb", "main")
    commit(root)
    git_in(root, "checkout", "-qb", "work")
    return root


def commit(root: Path) -> None:
    """Commit all that is there."""
    git_in(root, "add", "-A")
    git_in(root, "commit", "-qm", "x", "--allow-empty")


def told(root: Path, base: str = "main") -> dict[str, str]:
    """Return the status of what has changed, by path."""
    return {change.path: change.status for change in changes_since(root, base).inside}


@pytest.mark.parametrize("committed", [True, False])
def test_every_kind_of_change_is_known(root: Path, committed: bool) -> None:
    """Committed or not: edits, new files, deletions, moves, links, modes."""
    (root / "auth.py").unlink()
    (root / "src/a.py").write_text("new\n")
    (root / "src/b.py").chmod(0o755)
    (root / "same.py").unlink()
    (root / "same.py").symlink_to("/etc/passwd")
    (root / "new/deep").mkdir(parents=True)
    (root / "new/deep/n.py").write_text("1")
    (root / "link.py").symlink_to("src/a.py")
    if committed:
        commit(root)
    assert told(root) == {
        "auth.py": "deleted",
        "src/a.py": "modified",
        "src/b.py": "mode-changed",
        "same.py": "type-changed",
        "new/deep/n.py": "added",
        "link.py": "added",
    }
    details = {one.path: link_detail(root, one) for one in changes_since(root, "main").inside}
    assert details["auth.py"] == "auth.py was deleted."
    assert details["same.py"].endswith("symbolic link to /etc/passwd: do not follow it.")
    assert "100644 to 100755" in details["src/b.py"]
    assert details["src/a.py"] == details["new/deep/n.py"] == ""


def test_what_attributes_and_configuration_say_hides_nothing(root: Path) -> None:
    """Of a commit, the trees are compared as they are."""
    (root / ".gitattributes").write_text("*.py -diff ident eol=crlf\n*.md export-ignore\n")
    (root / "auth.py").write_text("$Id: evil() $\n")
    git_in(root, "config", "diff.renames", "copies")
    git_in(root, "config", "diff.ignoreSubmodules", "all")
    git_in(root, "config", "diff.relative", "true")
    git_in(root, "config", "diff.external", "false")
    git_in(root, "config", "status.showUntrackedFiles", "no")
    commit(root)
    (root / "new.py").touch()
    assert told(root) == {".gitattributes": "added", "auth.py": "modified", "new.py": "added"}


def test_a_moved_file_has_both_names(root: Path) -> None:
    """And is meant by a pattern of either: to be moved out of sight is to be gone."""
    git_in(root, "mv", "src/a.py", "src/c.py")
    git_in(root, "mv", "auth.py", "auth.txt")
    commit(root)
    changes = changes_since(root, "main").inside
    assert {(one.path, one.status, one.old) for one in changes} == {
        ("auth.txt", "renamed", "auth.py"),
        ("src/c.py", "renamed", "src/a.py"),
    }
    found = selected(changes, ["**/*.py"], [])
    assert [(one.path, one.status) for one in found] == [
        ("auth.py", "deleted"),
        ("src/c.py", "renamed"),
    ]
    found = selected(changes, [], ["src/c.py", "*.txt"])
    assert [(one.path, one.status) for one in found] == [
        ("auth.py", "deleted"),
        ("src/a.py", "deleted"),
    ]


def test_submodules_and_repositories_within_are_told(root: Path, tmp_path: Path) -> None:
    """Added, moved, with changes that are not committed, whatever .gitmodules ignores; removed."""
    other = tmp_path / "other"
    other.mkdir()
    git_in(other, "init", "-qb", "main")
    (other / "x").write_text("1")
    commit(other)
    git_in(root, "submodule", "--quiet", "add", str(other), "ext")
    git_in(root, "config", "-f", ".gitmodules", "submodule.ext.ignore", "all")
    commit(root)
    assert told(root)["ext"] == "submodule"
    git_in(root, "branch", "-f", "main")
    assert told(root) == {}
    (root / "ext/x").write_text("2")
    assert told(root) == {"ext": "submodule"}
    commit(root / "ext")
    assert told(root) == {"ext": "submodule"}
    commit(root)
    assert told(root) == {"ext": "submodule"}
    git_in(root, "branch", "-f", "main")
    git_in(root, "rm", "-qf", "ext")
    assert told(root) == {".gitmodules": "modified", "ext": "submodule"}
    (root / "inner").mkdir()
    git_in(root / "inner", "init", "-q")
    (root / "inner/x").touch()
    commit(root / "inner")
    assert told(root)["inner"] == "submodule"


def test_names_may_be_anything(root: Path) -> None:
    """Line breaks, bytes that are no text, blanks, dashes; each is an item, with its own id."""
    names = ["a\n::error::x.py", "b\udcff.py", " c .py", "-d.py", "\x1b[31m.py", "{path}.py"]
    for name in names:
        (root / name).write_text("1")
    assert told(root) == dict.fromkeys(names, "added")
    commit(root)
    assert told(root) == dict.fromkeys(names, "added")
    for name in names:
        (root / name).unlink()
    git_in(root, "branch", "-f", "main")
    assert told(root) == dict.fromkeys(names, "deleted")
    items = fanned_out({"changed": "main"}, root).items
    assert {params["path"] for _, params in items} == set(names)
    assert all(one.isprintable() and "::" not in one for one, _ in items)
    assert all("\n" not in params["change"] for _, params in items)


def test_a_file_only_planned_or_taken_out_of_the_index_counts(root: Path) -> None:
    """As do merge conflicts, and a HEAD that is no branch."""
    (root / "planned.py").write_text("1")
    git_in(root, "add", "-N", "planned.py")
    git_in(root, "rm", "-q", "--cached", "auth.py")
    git_in(root, "checkout", "-q", "--detach")
    assert told(root) == {"planned.py": "added", "auth.py": "modified"}


def test_the_root_directory_is_what_is_looked_at(root: Path) -> None:
    """Changes outside of it are counted; what was moved out of it is gone from it."""
    git_in(root, "mv", "src/a.py", "moved.py")
    (root / "auth.py").write_text("2")
    commit(root)
    assert changes_since(root / "src", "main") == Changes(
        (
            Change(
                path="a.py",
                status="deleted",
                detail="a.py was moved out of the root directory.",
            ),
        ),
        1,
    )
    assert fanned_out({"changed": "work"}, root / "src").nothing == "nothing changed since work"
    git_in(root, "checkout", "-q", "main", "--", "src")
    git_in(root, "rm", "-qf", "moved.py")
    commit(root)
    nothing = fanned_out({"changed": "main"}, root / "src").nothing
    assert nothing == ("nothing changed since main in the root directory; 1 changed outside of it")


def test_a_base_that_went_on_is_left_where_head_left_it(root: Path) -> None:
    """What others did there since is no change of ours."""
    git_in(root, "checkout", "-q", "main")
    (root / "theirs.py").touch()
    commit(root)
    git_in(root, "checkout", "-q", "work")
    assert told(root) == {}
    (root / "ours.py").touch()
    assert told(root) == {"ours.py": "added"}


@pytest.mark.parametrize(
    "base", ["mian", "", " ", "--help", "main\0", "main..work", "HEAD:auth.py"]
)
def test_a_base_that_is_none_is_an_error(root: Path, base: str) -> None:
    """A typo is not an empty change."""
    with pytest.raises(ListingError, match="changed"):
        changes_since(root, base)


def test_without_a_common_commit_the_fix_is_told(root: Path, tmp_path: Path) -> None:
    """Of a shallow clone, of branches that have nothing in common, without any commit."""
    git_in(root, "checkout", "-q", "--orphan", "other")
    (root / "other.py").touch()
    commit(root)
    with pytest.raises(ListingError, match="common"):
        changes_since(root, "main")
    git_in(root, "checkout", "-q", "work")
    commit(root)
    commit(root)
    shallow = tmp_path / "shallow"
    git_in(tmp_path, "clone", "-q", "--depth=1", "--no-single-branch", root.as_uri(), "shallow")
    git_in(shallow, "checkout", "-q", "work")
    with pytest.raises(ListingError, match=r"shallow.*fetch-depth: 0"):
        changes_since(shallow, "origin/main")
    empty = tmp_path / "empty"
    empty.mkdir()
    git_in(empty, "init", "-q")
    with pytest.raises(ListingError, match="'HEAD' is not a commit"):
        changes_since(empty, "main")
    with pytest.raises(ListingError):
        changes_since(tmp_path, "main")


@pytest.mark.parametrize(
    ("each", "nothing"),
    [
        ({}, "2 changed files"),
        ({"files": "same.py"}, "2 changed files are not matched by `files`"),
        ({"exclude": "**"}, "2 changed files are excluded"),
        ({"files": "src/*", "exclude": "src/a.py"}, "2 changed files are not matched by `files`"),
    ],
)
def test_nothing_that_is_meant_has_a_reason(root: Path, each: dict[str, str], nothing: str) -> None:
    """Rightly empty is not an error, and not silence."""
    (root / "src/a.py").write_text("2")
    (root / "auth.py").unlink()
    fan = fanned_out({"changed": "main", **each}, root)
    if not each:
        assert len(fan.items) == 2
    else:
        assert fan.items == ()
        assert nothing in str(fan.nothing)
        assert "since main" in str(fan.nothing)


@pytest.mark.parametrize(
    "each",
    [
        {"files": "doc/**"},
        {"files": ["src/*", "doc/**"]},
        {"files": []},
        {"files": ""},
        {"files": "*.py "},
        {"files": "/src/*"},
        {"exclude": "../x"},
        {"pull_requests": ["1"]},
    ],
)
def test_a_pattern_that_means_nothing_in_the_tree_is_an_error(
    root: Path, each: dict[str, object]
) -> None:
    """Whether anything has changed or not."""
    for _ in range(2):
        with pytest.raises(ListingError):
            fanned_out({"changed": "main", **each}, root)
        (root / "src/a.py").write_text("2")


def test_a_pattern_whose_files_are_all_deleted_means_them(root: Path) -> None:
    """They are gone from the tree, and are what has changed."""
    git_in(root, "rm", "-qr", "src")
    found = fanned_out({"changed": "main", "files": "src/**"}, root)
    assert [one for one, _ in found.items] == ["src/a.py", "src/b.py"]
