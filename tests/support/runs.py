"""Runs that go on in the background, waited for and looked at."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil

from tests.support.suite import WITHOUT, Suite

if TYPE_CHECKING:
    from collections.abc import Callable


HANGS = "@pytest.mark.ptc('touch began\\nhang')\ndef test_hangs(): pass\n"


def until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait for an event of another process, which can only be looked for; fail after a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def _as_in_a_terminal() -> None:
    # A job that a script has started in the background, or by nohup, has these ignored.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(suite: Suite, *args: str) -> subprocess.Popen[str]:
    """Start pytest as a user would, in a process and a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *WITHOUT, "--ptc-workers=2", *args],
        cwd=suite.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=_as_in_a_terminal,  # noqa: PLW1509 - no thread runs here
    )


def agents_of(suite: Suite) -> list[int]:
    """Return the process ids of the suite's agents that are alive."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(suite.agent) in process.cmdline() and "pytest" not in process.cmdline():
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
