"""Who casts each vote of a panel: an agent and a model, as a test names them. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_ptc.model.task import TaskSpec

#: The agent whose name has a part of its own, the program: `acp:codex`.
_TWO_PARTS = "acp"


class Voter(NamedTuple):
    """An agent and a model; None for the run's own."""

    agent: str | None = None
    model: str | None = None


def parse_voter(text: str) -> Voter:
    """Return the voter that a text names: `AGENT`, `AGENT:MODEL` or `:MODEL`.

    Raises:
        ValueError: It names neither.
    """
    agent, colon, model = text.strip().partition(":")
    if agent == _TWO_PARTS and model:
        program, colon, model = model.partition(":")
        agent = f"{agent}:{program}"
    if (not agent and not model) or (colon and not model):
        raise ValueError(f"a voter is AGENT, AGENT:MODEL or :MODEL, not {text!r}")
    return Voter(agent or None, model or None)


def is_voter(text: str) -> bool:
    """Tell whether a text names a voter."""
    try:
        parse_voter(text)
    except ValueError:
        return False
    return True


def voter_of(spec: TaskSpec, number: int) -> str:
    """Return who casts the vote of this number, from 1: the voters take turns; empty for none."""
    return spec.voters[(number - 1) % len(spec.voters)] if spec.voters else ""


def vote_spec(spec: TaskSpec, number: int) -> TaskSpec:
    """Return the task of one vote: the item's, for this voter alone."""
    own = replace(spec, votes=1, voters=(), quorum="majority", verify=False)
    text = voter_of(spec, number)
    if not text:
        return own
    voter = parse_voter(text)
    return replace(own, agent=voter.agent or spec.agent, model=voter.model or spec.model)
