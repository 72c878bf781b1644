"""The suite that a storm is let loose on: a project of its own, run by pytest in a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

import pytest_ptc
from tests.bench.suite import others_blocked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.storm.scripts import Script

#: The variable that marks every process of a storm's run, and no process else.
MARK = "STORM_FOLDER"

#: Python without its site and with few modules: a thousand agents have to start on few processors.
#: Whatever an agent notes before an act, the act has not happened yet; what it notes after
#: `ptc record`, that has acknowledged. A note is one small write, which nobody tears.
_AGENT = r"""
import os, sys, time

name, *steps = sys.stdin.readline().strip().split("; ")
attempt = os.environ["PTC_ATTEMPT"]
log = os.open(os.path.join({notes!r}, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

def note(*words):
    os.write(log, " ".join((attempt, str(os.getpid()), *words, "\n")).encode())

def end(status):
    note("ends", str(status))
    os._exit(status)

note("began")
for step in steps:
    if step.startswith("first "):
        if attempt != "1":
            continue
        step = step[6:]
    word, _, rest = step.partition(" ")
    if word == "sleep":
        time.sleep(float(rest))
    elif word == "record":
        note("says", rest)
        if os.spawnlp(os.P_WAIT, "ptc", "ptc", "record", rest, "--summary", "as told"):
            end(3)
        note("acknowledged", rest)
    elif word == "print":
        note("says", rest)
        os.write(1, b'{{"verdict": "%s", "summary": "as told"}}\n' % rest.encode())
    elif word == "garble":
        os.write(1, b'{{"verdict": "perhaps", "summary": "as told"}}\n')
    elif word == "leave":
        if not os.fork():
            os.setsid()
            os.execlp("sleep", "sleep", "600")
    elif word == "hang":
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    elif word == "exit":
        end(int(rest))
end(0)
"""

_TESTS = """
import pytest

SCRIPTS = {scripts!r}

@pytest.mark.ptc("{{script}}")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.split(";")[0])
def test_storm(script):
    pass
"""

_CONFTEST = """
import json
import pytest

@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    told = [report.nodeid, report.when, report.outcome, report.longreprtext]
    with open({outcomes!r}, "a") as outcomes:
        outcomes.write(json.dumps(told) + "\\n")
"""


class Phase(NamedTuple):
    """What pytest reported of one phase of an item."""

    nodeid: str
    when: str
    outcome: str
    text: str

    @property
    def item(self) -> str:
        """Return the item's name."""
        return self.nodeid.partition("[")[2].rstrip("]")


class Suite:
    """A project with a marked test for every script, and the agent that does them.

    Args:
        folder: Where it is made; empty or not there yet.
        short: A folder with a short path, for sockets.
        scripts: The scripts.
    """

    def __init__(self, folder: Path, short: Path, scripts: Sequence[Script]) -> None:
        self.folder = folder
        self.scripts = tuple(scripts)
        self.sockets = short / "tmux"
        self.scratch = short / "tmp"
        self.claude = folder / "claude"
        self.log = folder / "pytest.log"
        self._notes = folder / "notes"
        self._outcomes = folder / "outcomes.jsonl"
        for place in (self._notes, folder / "home", self.sockets, self.scratch):
            place.mkdir(parents=True)
        self.agent = folder / "agent.py"
        self.agent.write_text(_AGENT.format(notes=str(self._notes)))
        texts = [script.text for script in scripts]
        (folder / "test_storm.py").write_text(_TESTS.format(scripts=texts))
        (folder / "conftest.py").write_text(_CONFTEST.format(outcomes=str(self._outcomes)))
        (folder / "pytest.ini").write_text(
            f"[pytest]\nptc_agent = command\nptc_command = {{python}} -I -S '{self.agent}'\n"
        )

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start pytest."""
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "pytest", "-q", "-W", "error", *others_blocked(), *args],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the storm, which then ends its run in order.
                start_new_session=True,
            )

    @property
    def journal(self) -> Path | None:
        """Return the run's journal, once it is there."""
        return next((self.folder / ".pytest_cache/d/ptc/runs").glob("*/journal.jsonl"), None)

    def phases(self) -> list[Phase]:
        """Return what pytest reported, in order."""
        return [Phase(*told) for told in read_lines(self._outcomes)]

    def notes(self) -> Mapping[str, list[str]]:
        """Return what the agents of each item noted, in order."""
        return {log.name: log.read_text().splitlines() for log in self._notes.iterdir()}

    def processes(self) -> list[psutil.Process]:
        """Return the run's processes that are alive, whatever became of their parents."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            ours = process.environ().get(MARK) == str(self.folder)
            return ours and process.status() != psutil.STATUS_ZOMBIE
        return False

    def _environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PTC_", "PYTEST_", "PYTHON", "CLAUDE", "ANTHROPIC", "TMUX"))
        }
        return inherited | {
            "HOME": str(self.folder / "home"),
            "CLAUDE_CONFIG_DIR": str(self.claude),
            "TMUX_TMPDIR": str(self.sockets),
            "TMPDIR": str(self.scratch),
            "XDG_STATE_HOME": str(self.scratch.with_name("state")),
            # The package that is tested here, installed or not.
            "PYTHONPATH": str(Path(pytest_ptc.__file__).parents[1]),
            MARK: str(self.folder),
        }


def read_lines(path: Path) -> list[list[str]]:
    """Return the JSON values in a file, one a line; none if there is no such file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
