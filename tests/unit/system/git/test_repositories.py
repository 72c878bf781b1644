"""Where repositories are, by their files alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_ptc.system.git.repositories import brought_repository, repository_top


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a submodule, a folder, and a bare repository that it brings."""
    for folder in ("top/.git", "top/src/deep", "top/module", "top/brought/objects"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "top/module/.git").write_text("gitdir: ../.git/modules/module\n")
    (tmp_path / "top/brought/refs").mkdir()
    (tmp_path / "top/brought/HEAD").write_text("ref: refs/heads/main\n")
    monkeypatch.chdir(tmp_path / "top/src")
    return tmp_path


@pytest.mark.parametrize(
    ("place", "top"),
    [
        ("{here}/top", "{here}/top"),
        ("{here}/top/src/deep", "{here}/top"),
        ("{here}/top/module", "{here}/top/module"),
        ("{here}/top/gone/further", "{here}/top"),
        ("{here}/top/src/..", "{here}/top/src/.."),
        ("{here}", None),
        ("/", None),
        # A relative path has nothing above the current directory.
        ("deep", None),
        (".", None),
        ("..", ".."),
        ("../module", "../module"),
    ],
)
def test_the_top_is_the_nearest_folder_with_git(here: Path, place: str, top: str | None) -> None:
    """It is given as a part of the path that was asked for."""
    expected = None if top is None else Path(top.format(here=here))
    assert repository_top(place.format(here=here)) == expected


@pytest.mark.parametrize(
    ("place", "brought"),
    [("top/brought", True), ("top/brought/objects", True), ("top/src", False), (".", False)],
)
def test_a_bare_repository_is_one_that_is_met_before_git(
    here: Path, place: str, *, brought: bool
) -> None:
    """What is above the repository's own top does not count."""
    found = brought_repository(here / place)
    assert found == (here / "top/brought" if brought else None)
