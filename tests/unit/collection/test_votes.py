"""Votes, quorum and voters of a task: they fit each other, or it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.collection.keywords import checked_keywords
from pytest_ptc.collection.task_specs import task_spec
from pytest_ptc.model.errors import MarkerError
from pytest_ptc.model.voters import Voter, parse_voter, vote_spec
from tests.support.settings import settings_with

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.model.task import TaskSpec


def spec(tmp_path: Path, *, of_run: dict[str, Any] | None = None, **keywords: Any) -> TaskSpec:
    """Return a task with these keywords, in a run with these settings."""
    return task_spec(
        settings_with(**(of_run or {})),
        nodeid="t.py::t",
        source="t.py",
        prompt="p",
        params={},
        keywords=checked_keywords("t.py::t", keywords, tmp_path),
        rootpath=tmp_path,
    )


@pytest.mark.parametrize(
    ("of_run", "keywords", "votes", "quorum"),
    [
        ({}, {}, 1, "majority"),
        ({"votes": 3}, {}, 3, "majority"),
        ({"votes": 3}, {"votes": 1}, 1, "majority"),
        ({}, {"voters": ["a", "b", ":c"]}, 3, "majority"),
        ({}, {"voters": "a", "votes": 2}, 2, "majority"),
        ({}, {"votes": 3, "quorum": 2}, 3, "2"),
        ({}, {"votes": 3, "quorum": "3"}, 3, "3"),
        ({"votes": 5, "quorum": "all"}, {}, 5, "all"),
    ],
)
def test_there_are_as_many_votes_as_somebody_says_or_as_voters(
    tmp_path: Path, of_run: dict[str, Any], keywords: dict[str, Any], votes: int, quorum: str
) -> None:
    task = spec(tmp_path, of_run=of_run, **keywords)
    assert (task.votes, task.quorum) == (votes, quorum)


@pytest.mark.parametrize(
    ("keywords", "field", "problem"),
    [
        ({"votes": 3, "quorum": 4}, "quorum", "majority, all or 1 to 3, not '4'"),
        ({"quorum": 2}, "quorum", "a quorum of 1 votes"),
        ({"quorum": "most"}, "quorum", "must be majority, all, or a whole number from 1"),
        ({"quorum": 0}, "quorum", "must be majority"),
        ({"votes": 0}, "votes", "must be a whole number from 1"),
        ({"votes": 2, "voters": ["a", "b", "c"]}, "voters", "give votes=3"),
        ({"voters": []}, "voters", "must be one or several of AGENT"),
        ({"voters": ["claude:"]}, "voters", "must be one or several of AGENT"),
        ({"verify_limit": 0}, "verify_limit", "must be a whole number from 1"),
    ],
)
def test_what_does_not_fit_is_refused_by_test_field_and_fix(
    tmp_path: Path, keywords: dict[str, Any], field: str, problem: str
) -> None:
    with pytest.raises(MarkerError, match=problem) as refused:
        spec(tmp_path, **keywords)
    assert (refused.value.nodeid, refused.value.field) == ("t.py::t", field)


@pytest.mark.parametrize(
    ("text", "voter"),
    [
        ("claude", Voter("claude")),
        ("claude:opus", Voter("claude", "opus")),
        (":opus", Voter(None, "opus")),
        ("acp:codex", Voter("acp:codex")),
        ("acp:codex:gpt-5", Voter("acp:codex", "gpt-5")),
        ("a:b:c", Voter("a", "b:c")),
    ],
)
def test_a_voter_is_an_agent_and_a_model(text: str, voter: Voter) -> None:
    assert parse_voter(text) == voter


@pytest.mark.parametrize("text", ["", " ", ":", "claude:", "acp:codex:"])
def test_what_names_neither_is_no_voter(text: str) -> None:
    with pytest.raises(ValueError, match="AGENT"):
        parse_voter(text)


def test_voters_take_turns_and_change_nothing_else(tmp_path: Path) -> None:
    item = spec(tmp_path, voters=["a:x", ":y"], votes=3, model="m", agent="own", verify=True)
    votes = [vote_spec(item, number) for number in (1, 2, 3)]
    assert [(vote.agent, vote.model) for vote in votes] == [("a", "x"), ("own", "y"), ("a", "x")]
    assert {(vote.votes, vote.voters, vote.verify) for vote in votes} == {(1, (), False)}
    assert {vote.prompt for vote in votes} == {"p"}
