"""`ptc talk` with the real Claude Code: an item's session, taken up by a person on a terminal."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.claude_helpers import wait_until
from tests.support.programs import ptc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from tests.support.claude_suite import ClaudeSuite

KEY = "sk-ant-dummy-key-of-the-tests-0123456789"


class Terminal:
    """A terminal in a tmux server of the test's own.

    Args:
        suite: The suite, in whose folder it is.
    """

    def __init__(self, suite: ClaudeSuite) -> None:
        self._socket = suite.path / "person.sock"
        self._suite = suite

    def __enter__(self) -> Self:
        self.tmux("new-session", "-d", "-x", "100", "-y", "40", "-c", str(self._suite.path))
        return self

    def __exit__(self, *_: object) -> None:
        self.tmux("kill-server")
        wait_until(lambda: not self._suite.processes())

    def tmux(self, *words: str) -> str:
        """Run a command of tmux, and return what it says."""
        line = ["tmux", "-S", str(self._socket), "-f", "/dev/null", *words]
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout

    def type(self, text: str) -> None:
        """Type a line."""
        self.tmux("send-keys", "-l", text)
        self.wait(text[-20:])
        self.tmux("send-keys", "Enter")

    def wait(self, text: str) -> None:
        """Wait until it shows a text, whose lines may be broken."""
        try:
            wait_until(lambda: text in self.screen.replace("\n", ""))
        except AssertionError:
            raise AssertionError(f"{text!r} never came:\n{self.screen}") from None

    @property
    def screen(self) -> str:
        """Return what it shows."""
        return self.tmux("capture-pane", "-p")


@pytest.fixture
def terminal(claude: ClaudeSuite) -> Iterator[Terminal]:
    """A terminal of a person who has used Claude Code before, and trusts the project's folder."""
    state = {
        "hasCompletedOnboarding": True,
        "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
        "projects": {str(claude.path): {"hasTrustDialogAccepted": True}},
    }
    (claude.path / ".claude.json").write_text(json.dumps(state))
    with Terminal(claude) as opened:
        yield opened


@pytest.mark.slow
def test_the_session_of_an_item_is_taken_up(claude: ClaudeSuite, terminal: Terminal) -> None:
    """It knows what was asked and answered, and goes on with what a person types."""
    claude.tasks(it="record pass Plums are ripe.")
    claude.run().assert_outcomes(passed=1)
    (run,) = claude.runs
    asked = len(claude.api.requests)
    shown = ptc(claude, "show", run.name, "test_it").stdout
    (command,) = (line.strip() for line in shown.splitlines() if line.startswith("  ptc talk "))
    words = [sys.executable, "-m", "pytest_ptc.cli", *shlex.split(command)[1:]]
    terminal.type(shlex.join(words))
    terminal.wait("Look at it.")
    terminal.type("And the pears?")
    wait_until(lambda: len(claude.api.requests) > asked)
    text = json.dumps([request.body for request in claude.api.requests[asked:]])
    assert "And the pears?" in text
    assert "Plums are ripe." in text


@pytest.mark.slow
def test_a_session_that_a_suite_does_not_keep_is_not_taken_up(claude: ClaudeSuite) -> None:
    """It says so, and starts no client; that the item passed does not depend on it."""
    claude.tasks(it=("record pass fine", {"env": {"CLAUDE_CODE_SKIP_PROMPT_HISTORY": "1"}}))
    claude.run().assert_outcomes(passed=1)
    (run,) = claude.runs
    assert not list(claude.path.rglob("projects/*/*.jsonl"))
    talk = ptc(claude, "talk", run.name, "test_it")
    assert talk.returncode
    assert "is gone from" in talk.stderr
