"""The suites that a storm is let loose on: a project of its own, run by pytest in a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

import pytest_ptc
from tests.bench.suite import others_blocked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
os.makedirs({notes!r}, exist_ok=True)
log = os.open(os.path.join({notes!r}, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

def note(*words):
    at = "%.6f" % time.time()
    os.write(log, " ".join((at, attempt, str(os.getpid()), *words, "\n")).encode())

def sleep(seconds):
    # Whoever sleeps says that it lives: so it is seen whether it goes on beside its successor.
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
        note("lives")

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
        sleep(float(rest))
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
        sleep(600)
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


class Suite(ABC):
    """A project with a marked test for every script, and the agent that does them.

    Args:
        folder: Where it is made; empty or not there yet.
        scripts: The scripts.
        notes: Where agents note what they do, as they see it.
        outcomes: Where pytest notes what it reports, as it sees it.
    """

    def __init__(
        self, folder: Path, scripts: Sequence[Script], *, notes: str, outcomes: str
    ) -> None:
        self.folder = folder
        self.scripts = tuple(scripts)
        folder.mkdir(parents=True, exist_ok=True)
        folder.joinpath("agent.py").write_text(_AGENT.format(notes=notes))
        texts = [script.text for script in scripts]
        folder.joinpath("test_storm.py").write_text(_TESTS.format(scripts=texts))
        folder.joinpath("conftest.py").write_text(_CONFTEST.format(outcomes=outcomes))
        folder.joinpath("pytest.ini").write_text(
            "[pytest]\nptc_agent = command\nptc_command = {python} -I -S '{rootpath}/agent.py'\n"
        )

    @abstractmethod
    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start pytest."""

    @abstractmethod
    def abort(self, run: subprocess.Popen[bytes]) -> None:
        """Have pytest show where each of its threads is, and be ended by it."""

    @abstractmethod
    def processes(self) -> list[psutil.Process]:
        """Return the run's processes that are alive, whatever became of their parents."""

    @abstractmethod
    def left(self) -> Iterator[str]:
        """Name whatever a run has left behind."""

    @abstractmethod
    def phases(self) -> list[Phase]:
        """Return what pytest reported, in order."""

    @abstractmethod
    def _note_folders(self) -> Sequence[Path]: ...

    @property
    def journal(self) -> Path | None:
        """Return the newest run's journal, once it is there."""
        found = sorted((self.folder / ".pytest_cache/d/ptc/runs").glob("*/journal.jsonl"))
        return found[-1] if found else None

    def notes(self) -> Mapping[str, list[str]]:
        """Return what the agents of each item noted, in order."""
        found: dict[str, list[str]] = defaultdict(list)
        for folder in self._note_folders():
            for log in folder.glob("*"):
                found[log.name] += log.read_text().splitlines()
        # Each begins with its time.
        return {name: sorted(lines) for name, lines in found.items()}


class LocalSuite(Suite):
    """A suite whose workers run on this machine.

    Args:
        folder: Where it is made; empty or not there yet.
        short: A folder with a short path, for sockets.
        scripts: The scripts.
    """

    def __init__(self, folder: Path, short: Path, scripts: Sequence[Script]) -> None:
        self._notes = folder / "notes"
        self._outcomes = folder / "outcomes.jsonl"
        super().__init__(folder, scripts, notes=str(self._notes), outcomes=str(self._outcomes))
        self._sockets = short / "tmux"
        self._scratch = short / "tmp"
        self._claude = folder / "claude"
        for place in (folder / "home", self._sockets, self._scratch):
            place.mkdir(parents=True)

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start pytest."""
        with (self.folder / "pytest.log").open("wb") as log:
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

    def abort(self, run: subprocess.Popen[bytes]) -> None:
        """Have pytest show where each of its threads is, and be ended by it."""
        run.send_signal(signal.SIGABRT)

    def phases(self) -> list[Phase]:
        """Return what pytest reported, in order."""
        return [Phase(*told) for told in read_lines(self._outcomes)]

    def processes(self) -> list[psutil.Process]:
        """Return the run's processes that are alive, whatever became of their parents."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def left(self) -> Iterator[str]:
        """Name whatever a run has left behind."""
        for process in self.processes():
            with suppress(psutil.Error):
                yield f"process {process.pid}: {' '.join(process.cmdline())}"
        for place in (self._sockets, self._scratch):
            # tmux makes a folder for its sockets, for all servers to come.
            yield from (str(path) for path in place.glob("**/*") if not path.is_dir())
        yield from (str(path) for path in self._scratch.iterdir())
        yield from (str(path) for path in self._claude.glob("tasks/*/*"))

    def _note_folders(self) -> Sequence[Path]:
        return (self._notes,)

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
            "CLAUDE_CONFIG_DIR": str(self._claude),
            "TMUX_TMPDIR": str(self._sockets),
            "TMPDIR": str(self._scratch),
            "XDG_STATE_HOME": str(self._scratch.with_name("state")),
            # The package that is tested here, installed or not.
            "PYTHONPATH": str(Path(pytest_ptc.__file__).parents[1]),
            MARK: str(self.folder),
        }


def read_lines(path: Path) -> list[list[str]]:
    """Return the JSON values in a file, one a line; none if there is no such file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
