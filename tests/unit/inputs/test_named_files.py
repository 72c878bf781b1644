"""Files, patterns, branches and tags that the words of a task name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.inputs import named_files
from pytest_ptc.inputs.disk import Disk, TooMuchError
from pytest_ptc.inputs.named_files import candidates, fits, matches, named, refs_named, short_names

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with some files, of which no repository knows."""
    place = tmp_path / "work"
    names = ("src/a.py", "src/deep/b.py", "src/node_modules/c.js", "pr\u00fcf.md", "my file.txt")
    for name in (*names, "../beside.txt"):
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    return place


def names_in(folder: Path, *texts: str) -> set[str]:
    """Return the files that texts name, from the folder."""
    found = named(
        candidates(texts),
        cwd=str(folder),
        bases=[str(folder)],
        disk=Disk(),
        tree=None,
        ours=lambda _: False,
        exists={},
    )
    return {
        os.path.relpath(path, folder)
        for path, seen in found.items()
        if seen is not None and seen.text != "directory"
    }


@pytest.mark.parametrize(
    ("words", "names"),
    [
        pytest.param("Look at src/a.py.", {"src/a.py"}, id="end-of-sentence"),
        pytest.param("(src/a.py:12:3) is bad", {"src/a.py"}, id="place"),
        pytest.param("`src/a.py`, please", {"src/a.py"}, id="quoted"),
        pytest.param("**src/a.py**!", {"src/a.py"}, id="bold"),
        pytest.param("see [it](src/a.py)", {"src/a.py"}, id="link"),
        pytest.param("@src/a.py", {"src/a.py"}, id="mention"),
        pytest.param("src/a.py#L12", {"src/a.py"}, id="fragment"),
        pytest.param("path=src/a.py", {"src/a.py"}, id="assignment"),
        pytest.param("/src/a.py", {"src/a.py"}, id="from-the-top"),
        pytest.param("./src/../src/a.py", {"src/a.py"}, id="roundabout"),
        pytest.param("../beside.txt", {"../beside.txt"}, id="outside"),
        pytest.param("all of src", {"src/a.py", "src/deep/b.py"}, id="folder"),
        pytest.param("all of src/", {"src/a.py", "src/deep/b.py"}, id="folder-with-slash"),
        pytest.param("src/node_modules", {"src/node_modules/c.js"}, id="made-by-tools-and-named"),
        pytest.param("all of src/**/*.py", {"src/a.py", "src/deep/b.py"}, id="pattern"),
        pytest.param("**/b.p?", {"src/deep/b.py"}, id="pattern-from-here"),
        pytest.param("pr\u00fcf.md!", {"pr\u00fcf.md"}, id="not-ascii"),
        pytest.param("my file.txt", {"my file.txt"}, id="a-text-that-is-a-name"),
        pytest.param("read:\n- my file.txt\n", {"my file.txt"}, id="a-line-that-is-a-name"),
        pytest.param("read 'my file.txt' now", {"my file.txt"}, id="quotes-around-a-name"),
        pytest.param(". and / and .. and ~ \0 ** [x", set(), id="everything-is-no-name"),
    ],
)
def test_what_words_name(folder: Path, words: str, names: set[str]) -> None:
    """However a text names it."""
    assert names_in(folder, words) == names


def test_an_absolute_name(folder: Path) -> None:
    """From wherever it is looked at."""
    assert names_in(folder, f"see {folder}/src/a.py, and file://{folder}/../beside.txt") == {
        "src/a.py",
        "../beside.txt",
    }


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("MAX_NAMED", 1, "src"),
        ("MAX_WALKED", 1, "src"),
        ("MAX_WORDS", 2, "one two three"),
        ("MAX_PATTERNS", 1, "*.a *.b"),
    ],
)
def test_there_is_an_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, words: str
) -> None:
    """What cannot be looked at is refused, never left out."""
    monkeypatch.setattr(named_files, limit, value)
    with pytest.raises(TooMuchError):
        names_in(folder, words)


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a.py", "*.py", True),
        ("a/b.py", "*.py", False),
        ("a/b.py", "**/*.py", True),
        ("b.py", "**/*.py", True),
        ("a/b/c.py", "a/**/c.py", True),
        ("a/c.py", "a/**/c.py", True),
        ("a/b/c.py", "a/**", True),
        ("a/b/c.py", "a/*", True),
        ("a/b/c.py", "a", True),
        ("a/b/c.py", "**/**/**/c.py", True),
        ("a/b/c.txt", "a/**/*.py", False),
        ("a", "a/b", False),
    ],
)
def test_patterns(path: str, pattern: str, *, expected: bool) -> None:
    """A directory that matches stands for all below it."""
    assert matches(path.split("/"), pattern.split("/")) is expected


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("abc", "a*c", True),
        ("abcabc", "a*bc", True),
        ("abc", "a?c", True),
        ("abc", "a[b-d]c", True),
        ("abc", "a*d", False),
        ("", "*", True),
        ("a", "a**", True),
        ("ab", "a", False),
        ("a[", "a[", True),
    ],
)
def test_one_name(name: str, pattern: str, *, expected: bool) -> None:
    """Classes of characters stand for any character."""
    assert fits(name, pattern) is expected


def test_refs() -> None:
    """By every name that git takes for them, alone or in a range."""
    refs = {"refs/heads/main": "1", "refs/remotes/origin/main": "2", "refs/tags/v1": "3"}

    def at(text: str) -> set[str]:
        return set(refs_named(candidates([text]), short_names(refs)).values())

    assert at("compare with main...HEAD") == {"1"}
    assert at("git diff origin/main..v1~2") == {"2", "3"}
    assert at("show `v1^:src/a.py`") == {"3"}
    assert at("the mainland of refs/heads") == set()
