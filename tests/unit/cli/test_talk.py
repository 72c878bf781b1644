"""The environment in which Claude Code takes up a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_ptc.cli.talk import client_environment

HOME, USUAL, OTHER = Path("/home/ann"), "/home/ann/.claude", "/srv/claude"


@pytest.mark.parametrize(
    ("given", "config", "expected"),
    [
        (None, USUAL, None),
        (OTHER, USUAL, None),
        (USUAL, USUAL, USUAL),
        (None, OTHER, OTHER),
        (USUAL, OTHER, OTHER),
        (OTHER, OTHER, OTHER),
    ],
)
def test_the_usual_configuration_directory_is_not_named(
    given: str | None, config: str, expected: str | None
) -> None:
    """Named, it would have to hold the state that is beside it: a person would log in again."""
    environ = {"A": "b"} | ({} if given is None else {"CLAUDE_CONFIG_DIR": given})
    made = client_environment(environ, Path(config), HOME)
    assert made.pop("CLAUDE_CONFIG_DIR", None) == expected
    assert made == {"A": "b"}
