"""What a change touches, as real git has it: between commits, and in the working tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_ptc.model.changed_lines import ChangedFile, ChangedLines
from pytest_ptc.system.git import changed_lines
from pytest_ptc.system.git.changed_lines import lines_between, lines_until_now
from tests.support.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.model.choices import GateOn

TEN = "".join(f"{number}\n" for number in range(1, 11))
MODES: tuple[GateOn, ...] = ("added", "context", "file")


def touched(changes: ChangedLines, name: str, line: int | None) -> tuple[bool | None, ...]:
    """Return what each mode says of a place: added, context, file."""
    return tuple(changes.touches(mode, name, line) for mode in MODES)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository with files of ten lines each, and a commit of them."""
    made = Repository(tmp_path / "repository")
    names = ("same", "edited", "cut", "moved", "gone", "src/renamed", "ä b", "src/renamed_edited")
    made.commit("ten", **dict.fromkeys(names, TEN), binary=b"\0" * 40, **{"lib/x": TEN})
    made.git("tag", "ten")
    return made


def change(repository: Repository) -> None:
    """Change the files of the repository, without a commit."""
    top = repository.top
    repository.write("edited", TEN.replace("5\n", "five\nfive and a half\n"))
    repository.write("cut", TEN.replace("5\n6\n", ""))
    repository.write("moved", TEN.replace("2\n", "").replace("8\n", "8\n2\n"))
    (top / "gone").unlink()
    repository.git("mv", "src/renamed", "src/new")
    repository.git("mv", "src/renamed_edited", "src/newer")
    repository.write("src/newer", TEN.replace("9\n", "nine\n"))
    repository.write("ä b", f"zero\n{TEN}")
    repository.write("binary", b"\0" * 40 + b"\n1")
    repository.write("fresh", "a\nb\n")
    # An attribute that would hide the lines.
    repository.write(".gitattributes", "* binary -diff\nedited diff=none\n")


#: Of each place, what the modes say of it.
PLACES: dict[tuple[str, int | None], tuple[bool | None, ...]] = {
    ("same", 5): (False, False, False),
    ("same", None): (False, False, False),
    ("edited", 5): (True, True, True),
    ("edited", 6): (True, True, True),
    ("edited", 4): (False, True, True),
    ("edited", 9): (False, True, True),
    ("edited", 10): (False, False, True),
    ("edited", 1): (False, False, True),
    ("edited", None): (True, True, True),
    # Between 4 and 7 something was removed.
    ("cut", 3): (False, True, True),
    ("cut", 4): (True, True, True),
    ("cut", 5): (True, True, True),
    ("cut", 6): (False, True, True),
    ("cut", 8): (False, False, True),
    ("moved", 8): (True, True, True),
    ("moved", 4): (False, True, True),
    ("gone", 1): (True, True, True),
    ("binary", 2): (True, True, True),
    ("fresh", 1): (True, True, True),
    ("\u00e4 b", 1): (True, True, True),
    ("\u00e4 b", 9): (False, False, True),
    ("src/new", 1): (False, False, True),
    ("src/new", None): (True, True, True),
    ("src/renamed", 1): (True, True, True),
    ("src/newer", 9): (True, True, True),
    ("src/newer", 1): (False, False, True),
    ("src", None): (True, True, True),
    (".", None): (True, True, True),
    ("lib", None): (False, False, False),
    ("never", 1): (None, None, None),
}


@pytest.mark.parametrize("how", ["commits", "working tree", "index"])
def test_a_place_is_one_of_the_change(repository: Repository, how: str) -> None:
    """Its lines, 3 lines around, its file; nothing of what the base had, or has got since."""
    base = repository.git("rev-parse", "HEAD")
    change(repository)
    if how == "index":
        repository.git("add", "--all")
    if how == "commits":
        ref = repository.commit("change")
        # What the base has got since is no part of the change.
        repository.git("checkout", "--quiet", "-b", "other", base)
        later = repository.commit("later", same="other\n")
        changes = lines_between(repository.top / "src", later, ref)
    else:
        changes = lines_until_now(repository.top / "src", base)
    assert {place: touched(changes, *place) for place in PLACES} == PLACES


def test_a_file_that_git_ignores_may_be_new(repository: Repository) -> None:
    """Nobody can tell: it is not excused. A repository within is no file of ours."""
    repository.write(".gitignore", "built\n")
    base = repository.commit("ignore")
    repository.write("built", "x\n")
    Repository(repository.top / "inner").commit("x", a="1\n")
    changes = lines_until_now(repository.top, base)
    assert touched(changes, "built", 1) == (None, None, None)
    assert touched(changes, "inner/a", 1) == (True, True, True)
    assert touched(changes, "same", 1) == (False, False, False)
    assert changes.touches("file", ".", None) is True


def test_a_submodule_that_has_moved_counts_as_a_whole(
    repository: Repository, tmp_path: Path
) -> None:
    """Its lines are not compared."""
    inner = Repository(tmp_path / "library")
    inner.commit("one", a="1\n")
    for name in ("sub", "still"):
        repository.git("submodule", "--quiet", "add", str(inner.top), name)
    base = repository.commit("with submodules")
    inside = Repository.__new__(Repository)
    inside.top = repository.top / "sub"
    inside.commit("two", b="2\n")
    now = lines_until_now(repository.top, base)
    commit = repository.commit("moved")
    for changes in (now, lines_between(repository.top, base, commit)):
        assert touched(changes, "sub/a", 1) == (True, True, True)
        assert touched(changes, "still/a", 1) == (None, None, None)


def test_of_a_patch_that_is_too_long_each_file_counts(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the note says so: nothing is excused for it."""
    base = repository.git("rev-parse", "HEAD")
    repository.write("edited", TEN.replace("5\n", "five " * 1000))
    monkeypatch.setattr(changed_lines, "MAX_PATCH_BYTES", 1000)
    changes = lines_until_now(repository.top, base)
    assert touched(changes, "edited", 1) == (True, True, True)
    assert touched(changes, "same", 1) == (False, False, False)
    assert "every changed file counts as a whole" in changes.note


def test_a_merge_conflict_is_in_the_file_as_it_is(repository: Repository) -> None:
    """Its marks are lines like any."""
    base = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "--quiet", "-b", "one")
    repository.commit("one", edited=TEN.replace("1\n", "one\n", 1))
    repository.git("checkout", "--quiet", "-b", "two", base)
    repository.commit("two", edited=TEN.replace("1\n", "eins\n", 1))
    with pytest.raises(Exception, match="exit status 1"):
        repository.git("merge", "one")
    changes = lines_until_now(repository.top, base)
    assert touched(changes, "edited", 1) == (True, True, True)
    assert touched(changes, "edited", 14) == (False, False, True)


def test_all_lines_of_a_file_may_be_cut() -> None:
    """A finding in what is left names the first line."""
    changes = ChangedLines(files={"a": ChangedFile(cut=(0,))})
    assert touched(changes, "a", 1) == (True, True, True)
