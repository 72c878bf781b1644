"""Keys that a person types into the panes of a run: they look around, and end nobody's work."""

from __future__ import annotations

import os
import pty
import random
import signal
import string
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import start, until

if TYPE_CHECKING:
    from tests.support.suite import Suite

#: What a terminal makes signals of, the end of a file, and what tmux itself would take for a key.
CONTROLS = ("C-c", "C-\\", "C-z", "C-d", "C-s", "C-q", "Escape", "Enter", "C-b")
TASKS = """
@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.ptc("touch began-{n}\\nwait go\\npass")
def test_it(n): pass
"""


def _tmux(socket: str, *words: str) -> subprocess.CompletedProcess[str]:
    line = ["tmux", "-S", socket, *words]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=20)


def _modes(socket: str, window: str) -> str:
    """Return the modes of a pane's terminal; nothing before there is one."""
    pane = _tmux(socket, "display-message", "-p", "-t", f"ptc:{window}", "#{pane_tty}").stdout
    line = ["stty", "-a", "-F", pane.strip()]
    return subprocess.run(line, capture_output=True, text=True, check=False).stdout


def _type(socket: str, window: str, rng: random.Random) -> None:
    for key in CONTROLS:
        _tmux(socket, "send-keys", "-t", f"ptc:{window}", key)
    text = "".join(rng.choices(string.printable, k=2000))
    _tmux(socket, "send-keys", "-t", f"ptc:{window}", "-l", "--", text)


@pytest.mark.parametrize("suite", ["tmux"], indirect=True)
@pytest.mark.slow
def test_no_key_in_a_pane_ends_a_worker(suite: Suite) -> None:
    """Signals' keys, ends of file, and 40 kB of anything: every item is judged, no worker lost."""
    suite.write(test_a=TASKS)
    rng = random.Random(8)  # noqa: S311 - keys
    run = start(suite, "--ptc-workers=2")
    until(lambda: suite.runs and suite.events("run"), "the journal")
    socket = suite.events("run")[0]["tmux_socket"]
    # From the first moment that the pane's program decides about; tmux makes a terminal whose keys
    # are signals, and until that program runs nobody can change that.
    until(lambda: "-isig" in _modes(socket, "w1"), "a pane")
    for _ in range(10):
        _tmux(socket, "send-keys", "-t", "ptc:w1", "C-c")
    until(lambda: len(list(suite.path.glob("began-*"))) == 2, "both agents")
    for window in ("w1", "w2"):
        for _ in range(10):
            _type(socket, window, rng)
    (suite.path / "go").touch()
    output, _ = run.communicate(timeout=60)
    assert "4 passed" in output
    assert suite.events("worker lost") == []
    assert len(suite.events("worker started")) == 2


@pytest.mark.parametrize("suite", ["tmux"], indirect=True)
@pytest.mark.parametrize(
    "words",
    [
        pytest.param((), id="read-only"),
        pytest.param(("--interactive",), id="interactive", marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_who_attaches_ends_no_worker(suite: Suite, words: tuple[str, ...]) -> None:
    """`ptc attach` shows a run; tmux's own keys end nothing of it unless that is asked for."""
    suite.write(test_a=TASKS)
    run = start(suite, "--ptc-workers=2")
    until(lambda: len(list(suite.path.glob("began-*"))) == 2, "both agents")
    socket = suite.events("run")[0]["tmux_socket"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(suite.path)
        os.environ["TERM"] = "xterm"
        os.execv(sys.executable, [sys.executable, "-m", "pytest_ptc.cli", "attach", *words])
    until(lambda: _tmux(socket, "list-clients").stdout, "the client")
    read_only = _tmux(socket, "list-clients", "-F", "#{client_readonly}").stdout.strip()
    assert read_only == ("0" if words else "1")
    os.write(terminal, b"\x03\x1c\x1a\x04q\r")
    if not words:
        os.write(terminal, b"\x02&y\x02xy\x02:kill-server\r")
    before = _tmux(socket, "display-message", "-p", "#{window_name}").stdout
    os.write(terminal, b"\x02n")
    window = "display-message", "-p", "#{window_name}"
    until(lambda: _tmux(socket, *window).stdout != before, "the other window")
    (suite.path / "go").touch()
    # Nobody reads the terminal any more; its end is the client's.
    os.kill(pid, signal.SIGHUP)
    os.close(terminal)
    os.waitpid(pid, 0)
    output, _ = run.communicate(timeout=60)
    assert "4 passed" in output
    assert suite.events("worker lost") == []
