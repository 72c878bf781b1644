"""Which host a run gets: a row for everything that may be asked for and missing."""

from __future__ import annotations

import pytest

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.session.host_choice import HostChoice, TmuxLack, chosen_host

NOTHING = TmuxLack(None, None)
NO_TMUX = TmuxLack("is not installed; install tmux 3.2 or newer", None)
NO_SOCKET = TmuxLack(None, "the socket's path is too long")
NEITHER = TmuxLack(NO_TMUX.program, NO_SOCKET.socket)
ASK_TMUX = f"tmux {NO_TMUX.program}, or choose --ptc-host=process"
ASK_SOCKET = f"{NO_SOCKET.socket}, or choose --ptc-host=process"


@pytest.mark.parametrize(
    ("wanted", "lack", "choice"),
    [
        ("auto", NOTHING, HostChoice(tmux=True)),
        ("auto", NO_TMUX, HostChoice(tmux=False, fallback=ASK_TMUX)),
        ("auto", NO_SOCKET, HostChoice(tmux=False, fallback=ASK_SOCKET)),
        ("auto", NEITHER, HostChoice(tmux=False, fallback=ASK_TMUX)),
        ("tmux", NOTHING, HostChoice(tmux=True)),
        ("process", NOTHING, HostChoice(tmux=False)),
        ("process", NEITHER, HostChoice(tmux=False)),
    ],
)
def test_the_best_host_that_is_to_be_had_is_chosen(
    wanted: str, lack: TmuxLack, choice: HostChoice
) -> None:
    """And where it is not the best one, it is said why."""
    assert chosen_host(wanted, lack, interactive=False) == choice


@pytest.mark.parametrize(
    ("wanted", "lack", "interactive", "words"),
    [
        ("tmux", NO_TMUX, False, f"ptc_host: {ASK_TMUX}"),
        ("tmux", NO_SOCKET, False, f"ptc_host: {ASK_SOCKET}"),
        ("auto", NO_TMUX, True, f"--ptc-interactive needs tmux, which {NO_TMUX.program}"),
        ("auto", NO_SOCKET, True, f"--ptc-interactive: {NO_SOCKET.socket}"),
        ("tmux", NEITHER, True, f"--ptc-interactive needs tmux, which {NO_TMUX.program}"),
    ],
)
def test_nobody_gets_less_than_was_asked_for(
    wanted: str, lack: TmuxLack, interactive: bool, words: str
) -> None:
    """What cannot be had is a usage error with its fix, and no silent fallback."""
    with pytest.raises(ConfigError) as refused:
        chosen_host(wanted, lack, interactive=interactive)
    assert str(refused.value) == words


@pytest.mark.parametrize("wanted", ["auto", "tmux"])
def test_a_screen_is_to_be_had_in_tmux(wanted: str) -> None:
    """Where nothing is missing."""
    assert chosen_host(wanted, NOTHING, interactive=True) == HostChoice(tmux=True)
