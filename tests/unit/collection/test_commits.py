"""The commits of a task, and what `gate_on` needs before any agent is started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.collection.task_specs import task_spec
from pytest_ptc.model.errors import MarkerError
from tests.support.repository import Repository
from tests.support.settings import settings_with

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.model.task import TaskSpec


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Branch `work` has left `main`, which has gone on; `island` has nothing in common."""
    made = Repository(tmp_path / "repository")
    made.git("checkout", "--quiet", "-b", "work")
    made.commit("work", **{"src/a": "1\n"})
    made.git("checkout", "--quiet", "main")
    made.commit("more", b="2\n")
    made.git("checkout", "--quiet", "--orphan", "island")
    made.commit("island")
    made.git("checkout", "--quiet", "work")
    return made


def spec(root: Path, said: dict[str, Any] | None = None, **keywords: Any) -> TaskSpec:
    """Return the task of a test with these keywords, in a run with these settings."""
    return task_spec(
        settings_with(**(said or {})),
        nodeid="t.py::t",
        source="t.py",
        prompt="Review.",
        params={},
        keywords=keywords,
        rootpath=root,
    )


def test_the_base_of_the_working_tree_is_where_head_has_left_it(repository: Repository) -> None:
    """In full, from any directory: what the branch gets later is no part of the change."""
    for said, keywords in (
        ({}, {"base": "main", "gate_on": "added"}),
        ({"gate_on": "file"}, {"base": "main"}),
        ({"base": "main"}, {"gate_on": "context"}),
        ({"base": "main", "gate_on": "added"}, {"cwd": "src"}),
    ):
        made = spec(repository.top, said, **keywords)
        assert (made.base, made.ref, made.isolation) == (repository.base, None, None)


def test_a_base_for_all_tests_is_nothing_to_those_that_have_no_use_for_it(
    repository: Repository, tmp_path: Path
) -> None:
    """A test without worktree and `gate_on` need not even be in a repository."""
    assert spec(tmp_path, {"base": "main"}).base is None
    assert spec(repository.top, {"base": "main"}).base is None
    isolated = spec(repository.top, {"base": "main"}, isolation="worktree", gate_on="added")
    assert isolated.base == repository.git("rev-parse", "main")
    assert isolated.ref == repository.git("rev-parse", "work")


@pytest.mark.parametrize(
    ("keywords", "problem"),
    [
        ({"gate_on": "added"}, "gate_on: 'added' needs base, the commit or branch that"),
        ({"gate_on": "file", "isolation": "worktree"}, "gate_on: 'file' needs base"),
        ({"base": "main"}, "base: has no effect without isolation='worktree' or gate_on"),
        ({"base": "main", "gate_on": "all"}, "base: has no effect without isolation"),
        ({"ref": "main", "base": "main", "gate_on": "file"}, "ref: has no effect without"),
        ({"base": "nowhere", "gate_on": "file"}, "base: 'nowhere': .*name a commit or branch"),
        ({"base": "island", "gate_on": "file"}, "base: .* have no common commit here"),
        ({"base": "main", "gate_on": "file", "cwd": ".."}, "gate_on: .*needs a git repository"),
    ],
)
def test_what_gate_on_needs_is_said_with_the_test_and_the_field(
    repository: Repository, tmp_path: Path, keywords: dict[str, Any], problem: str
) -> None:
    """Before anything is paid for."""
    given = dict(keywords)
    root = tmp_path if given.pop("cwd", None) else repository.top
    with pytest.raises(MarkerError, match=f"t.py::t: {problem}"):
        spec(root, **given)
