"""Which files a pattern means, and which it does not."""

from __future__ import annotations

import fnmatch
import os
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.collection.fan_out import files, matching
from pytest_ptc.collection.root_dir import ROOT
from pytest_ptc.model.errors import ListingError
from pytest_ptc.system.patterns import checked_patterns, matches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize(
    ("pattern", "met", "unmet"),
    [
        ("*.py", ["a.py", ".a.py"], ["src/a.py", "a.pyc"]),
        ("src/*.py", ["src/a.py"], ["src/b/a.py", "a.py", "x/src/a.py"]),
        ("**/*.py", ["a.py", "src/a.py", ".github/b/a.py"], ["a.txt"]),
        ("src/**", ["src/a", "src/b/c"], ["src", "srcs/a"]),
        ("src/**/a.py", ["src/a.py", "src/b/c/a.py"], ["a.py"]),
        ("a?.py", ["ab.py"], ["a/.py", "a.py"]),
        ("[ab].py", ["a.py"], ["c.py"]),
        ("[!a].py", ["b.py"], ["a.py"]),
        ("[[]slug].tsx", ["[slug].tsx"], ["s.tsx"]),
        ("*.{py,ts}", ["a.{py,ts}"], ["a.py", "a.ts"]),
        ("!a.py", ["!a.py"], ["b.py"]),
        ("~x", ["~x"], []),
        ("+(a).py", ["+(a).py"], ["a.py", "aa.py"]),
        ("a|b", ["a|b"], ["a"]),
        ("*.py", ["a\nb.py", "a\udcff.py", "-a.py", " .py"], []),
    ],
)
def test_a_pattern_has_one_meaning(pattern: str, met: list[str], unmet: list[str]) -> None:
    """`*` stops at `/`, `**` is any directories; braces, `!`, `~` and `(` are themselves."""
    assert [name for name in (*met, *unmet) if matches(name, pattern)] == met


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A tree with everything in it, links out of it and a pipe among them."""
    root = tmp_path / "root"
    for name in ("top.py", "src/a.py", "src/sub/b.py", "node_modules/c.py", "docs/x.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/secret.py").touch()
    (root / "link").symlink_to(tmp_path / "out")
    (root / "round").symlink_to(root)
    (root / "src/alias.py").symlink_to("a.py")
    (root / "src/dead.py").symlink_to("nowhere.py")
    os.mkfifo(root / "src/pipe.py")
    session = ROOT.set(root)
    yield root
    ROOT.reset(session)


def test_the_tree_is_what_is_in_it(root: Path) -> None:
    """Links are not followed out or round, nothing is opened, tools' directories are not meant."""
    assert matching(root, ["**/*.py"]) == ["src/a.py", "src/alias.py", "src/sub/b.py", "top.py"]
    assert matching(root, ["node_modules/*.py"]) == ["node_modules/c.py"]
    assert matching(root, "./src/*.py") == ["src/a.py", "src/alias.py"]


def test_exclude_means_what_files_means(root: Path) -> None:
    """And may match nothing: more is looked at then."""
    assert matching(root, ["**/*.py"], "src/*.py") == ["src/sub/b.py", "top.py"]
    assert matching(root, ["src/**"], ["src/*", "none/**"]) == ["src/sub/b.py"]


@pytest.mark.parametrize(
    ("patterns", "exclude", "named"),
    [
        (["srcc/*.py"], [], "'srcc/[*].py'"),
        (["src/*.py", "doc/**"], [], "'doc/**'"),
        (["src/*.py "], [], "'src/[*].py '*blank"),
        (["src/"], [], "'src/'*src/[*][*]"),
        (["src"], [], "'src'"),
        (["*.{py,md}"], [], "*braces*list"),
        ([""], [], "''"),
        (["  "], [], "'  '"),
        (["/etc/passwd"], [], "'/etc/passwd' leads out"),
        (["src/../../out/*"], [], "leads out"),
        (["link/*.py"], [], "'link/*.py'"),
        (["link/secret.py"], [], "'link/secret.py'"),
        (["src/pipe.py"], [], "'src/pipe.py'"),
        (["src/dead.py"], [], "'src/dead.py'"),
        (["*.PY"], [], "'*.PY'"),
        ([], [], "no pattern"),
        ([3], [], "must be a pattern"),
        (["*.py"], ["../x"], "exclude: '../x'"),
        (["*.py"], [""], "exclude: ''"),
        (["*.py"], ["*"], "everything"),
    ],
)
def test_a_pattern_that_means_nothing_is_named(
    root: Path, patterns: list[str], exclude: list[str], named: str
) -> None:
    """Also one of several: a suite of less items would be green though nobody looked."""
    with pytest.raises(ListingError) as caught:
        matching(root, patterns, exclude)
    assert fnmatch.fnmatch(str(caught.value), f"*{named}*")


def test_a_link_to_a_file_outside_is_not_left_out_in_silence(root: Path) -> None:
    """What is meant and cannot be looked at is an error, unless it is excluded."""
    (root / "src/evil.py").symlink_to("../../out/secret.py")
    with pytest.raises(ListingError, match=r"'src/evil\.py' is a link that leads out"):
        matching(root, ["src/*.py"])
    assert matching(root, ["src/*.py"], "**/evil.py") == ["src/a.py", "src/alias.py"]


def test_patterns_are_one_text_or_several() -> None:
    """As front matter and Python have them."""
    assert checked_patterns("files", "a") == ["a"]
    assert checked_patterns("files", ("a", "./b")) == ["a", "b"]


def test_ids_of_files_are_told_apart(root: Path) -> None:
    """Names that would be equal as ids are not the same item, and the values stay as they are."""
    for name in ("a\nb.txt", r"a\nb.txt", "::error::.txt"):
        (root / name).touch()
    listed = files("*.txt")
    assert {one.values[0] for one in listed} == {"a\nb.txt", r"a\nb.txt", "::error::.txt"}
    ids = [one.id for one in listed]
    assert len(set(ids)) == 3
    assert all("\n" not in one and "::" not in one for one in ids)
