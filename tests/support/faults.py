"""Faults as tests make them: at a moment of an attempt, in tmux, on the disk, to the clock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.coordinator.coordinator import Coordinator
from tests.support.suite import WITHOUT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.suite import Suite

#: Hits a worker at a moment of the first attempt at a test that is called so: `test_KILL_recorded`.
#: Begun: nothing is recorded. Recording: it is about to be handed over. Recorded: it is on disk,
#: and whoever records does not know that yet. Reported: how it ended is about to be
#: handed over.
HITS = """
import os, signal, sys, psutil

def around(cls, method, before=None, after=None, of=lambda *_: True):
    real = getattr(cls, method)
    def hitting(self, *args):
        if before and of(*args) and hit(before):
            return None
        done = real(self, *args)
        if after and of(*args):
            hit(after)
        return done
    setattr(cls, method, hitting)

def hit(moment):
    name, _, when = run.spec.nodeid.rpartition("::test_")[2].partition("_")
    if when != moment or run.attempt.number > 1:
        return False
    if name == "CLIENT":
        # The worker lives on, and goes on with what it was about to do.
        for client in psutil.Process().children()[:1]:
            client.kill()
        return False
    os.kill(os.getpid(), getattr(signal, f"SIG{name}"))
    return True

if "pytest_ptc.worker" in sys.orig_argv:
    from pytest_ptc.interfaces import messages
    from pytest_ptc.interfaces.line import StreamLine
    from pytest_ptc.worker.attempt_run import AttemptRun
    from pytest_ptc.worker.ledger import AttemptLedger
    begin = AttemptRun.report

    async def report(self):
        global run
        run = self
        return await begin(self)

    def is_verdict(entry, _):
        return hasattr(entry, "record") and entry.record.verdict is not None

    AttemptRun.report = report
    around(AttemptLedger, "keep", after="begun", of=lambda name, _: name == "prompt.txt")
    around(AttemptLedger, "_send", before="recording", of=is_verdict)
    around(AttemptLedger, "acknowledged", before="recorded")
    around(StreamLine, "say", before="reported", of=lambda said: isinstance(said, messages.Ended))
"""


#: Adds to the wall clock of every Python what a file says.
CLOCK = """
import os, time
real = time.time

def shifted():
    try:
        with open({!r}) as file:
            return real() + float(file.read() or 0)
    except OSError:
        return real()

time.time = shifted
"""


class RunClock:
    """The clock of a run in this process, which a test can put forward.

    Args:
        monkeypatch: Pytest's own.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ahead = 0.0
        defaults = Coordinator.__init__.__kwdefaults__
        assert defaults is not None
        monkeypatch.setitem(defaults, "clock", lambda: time.monotonic() + self._ahead)

    def put_forward(self, suite: Suite, seconds: float) -> None:
        """Let so many seconds pass; a worker that has nothing to do is ended, to have it seen."""
        self._ahead += seconds
        ended = suite.events("ended")[-1]["worker"]
        (pid,) = (e["pid"] for e in suite.events("worker started") if e["worker"] == ended)
        os.kill(pid, signal.SIGTERM)


def marked(name: str, prompt: str, **keywords: Any) -> str:
    """Return a marked test of this name, with this prompt and these keywords."""
    said = "".join(f", {key}={value!r}" for key, value in keywords.items())
    return f"@pytest.mark.ptc({prompt!r}{said})\ndef test_{name}(): pass\n"


def inject(suite: Suite, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Have every Python that the suite's runs start run this first."""
    folder = suite.path / "injected"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def tmux(suite: Suite, *args: str) -> str:
    """Run a command on the tmux server of the last run, and return what it says."""
    line = ["tmux", "-L", f"ptc-{suite.runs[-1].name}", *args]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()


def hit_tmux_server(suite: Suite, number: int) -> None:
    """Send a signal to the tmux server of the last run."""
    os.kill(int(tmux(suite, "display-message", "-p", "#{pid}")), number)


def shell_namespace() -> tuple[str, ...]:
    """Return the words before a command that may mount file systems, unseen by anybody else."""
    words = ("unshare", "--user", "--map-root-user", "--mount")
    if not sys.platform.startswith("linux"):
        pytest.skip("mount namespaces are Linux's")
    allowed = subprocess.run([*words, "true"], check=False).returncode == 0
    if not allowed and not os.environ.get("CI"):
        pytest.skip("this system allows its users no namespaces")
    return words


def run_on_own_disk(
    suite: Suite, place: Path, *args: str, options: str = "size=4m"
) -> pytest.RunResult:
    """Run pytest, as root of a namespace, with a disk of its own mounted on this place.

    What is on that disk at the end is in the place afterwards.
    """
    script = """
mkdir -p "$1" && mount -t tmpfs -o "$2" none "$1" || exit 99
place=$1
shift 2
"$@"
status=$?
cp -r "$place" kept || exit 99
while mountpoint -q "$place"; do umount "$place" || exit 99; done
cp -r kept/. "$place"
exit $status
"""
    return suite.pytester.run(
        *shell_namespace(),
        *("sh", "-c", script, "sh", str(place), options),
        *(sys.executable, "-m", "pytest", *WITHOUT, "--ptc-workers=2", "-W", "error", *args),
    )


#: What an agent does to a disk: no byte fits on it any more; nothing can be written there.
FILL = "sh cat /dev/zero > {0}/filler; true"
PROTECT = "sh mount --bind {0} {0} && mount -o remount,bind,ro {0}"


def move(suite: Suite, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have the suite in another folder, with its home and its temporary files."""
    suite.path = suite.pytester._path = folder
    suite.agent, suite.claude = folder / "agent.py", folder / ".claude"
    scratch = folder / "tmp"
    scratch.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("TMPDIR", str(scratch))


#: Names that a shell, tmux or a locale without UTF-8 could take for something else.
ODD_FOLDER, ODD_SUBFOLDER = "naïve $PWD's 日本 #S", "größe; 100 %"
