"""What no agent is to be asked about starts nothing: no worker, no tmux, no journal, no money."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support.suite import WITHOUT

if TYPE_CHECKING:
    from tests.support.suite import Suite

#: Runs pytest once for each line of arguments, and answers with its exit status and with all that
#: Python has started meanwhile.
COUNTER = """
import contextlib, io, json, sys

STARTS = ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "os.system")
started = []

def hear(event, args):
    if event == "socket.bind":
        # A path: sockets of ours are files. Other plugins look for a free port.
        if isinstance(args[1], str):
            started.append(["bound", args[1]])
    elif event in STARTS:
        started.append([str(word) for word in (args[1] if event == "subprocess.Popen" else args)])

sys.addaudithook(hear)
import pytest

for line in sys.stdin:
    started.clear()
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        status = pytest.main(json.loads(line))
    print(json.dumps([int(status), started, shown.getvalue()]), flush=True)
"""

MARKED = "@pytest.mark.ptc('pass')\ndef test_marked(): pass\n"
PLAIN = "def test_plain(): pass\n"
SKIPPED = "@pytest.mark.skip(reason='not today')\n" + MARKED
NOT_IMPORTED = "import no_such_module\n"
WRONG_MARK = "@pytest.mark.ptc('pass', timeout='soon')\ndef test_wrong(): pass\n"

#: In words of pytest: arguments behind the files, by name, with the exit status. Each file that is
#: named has a marked test before whatever is wrong comes.
CASES = {
    # First: the next ones leave failures in pytest's cache.
    "deselected by --lf": (["test_marked.py", "--lf", "--lfnf=none"], 5),
    "collect-only": (["test_marked.py", "--collect-only", "-q"], 0),
    "set-up plan": (["test_marked.py", "--setup-plan"], 0),
    "an error in a later file": (["test_marked.py", "test_not_imported.py"], 2),
    "an error, and -x": (["test_marked.py", "test_not_imported.py", "-x"], 2),
    "an error in an earlier file": (["test_not_imported.py", "test_marked.py"], 2),
    "a wrong mark in a later file": (["test_marked.py", "test_wrong_mark.py"], 4),
    "a file that is not there": (["test_marked.py", "test_gone.py"], 4),
    "an option that is not there": (["test_marked.py", "--ptc-nonsense"], 4),
    "a budget that is none": (["test_marked.py", "--ptc-budget-usd=much"], 4),
    "with xdist": (["test_marked.py", "-p", "xdist", "-n", "2"], 4),
    "deselected by -k": (["test_marked.py", "test_plain.py", "-k", "plain"], 0),
    "deselected by -m": (["test_marked.py", "test_plain.py", "-m", "not ptc"], 0),
    "deselected by name": (
        ["test_marked.py", "test_plain.py", "--deselect=test_marked.py::test_marked"],
        0,
    ),
    "skipped by its mark": (["test_skipped.py", "test_plain.py"], 0),
    "not selected": (["test_plain.py"], 0),
}


class Ran(NamedTuple):
    """One run: its exit status, the command lines that it has started, and what it showed."""

    status: int
    started: list[list[str]]
    shown: str


class Counter:
    """A process that runs pytest again and again, and counts what it starts."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, arguments: list[str]) -> Ran:
        """Run pytest once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([*WITHOUT, "--ptc-workers=2", *arguments]) + "\n")
        self._process.stdin.flush()
        return Ran(*json.loads(self._process.stdout.readline()))


def _beyond_questions(ran: Ran) -> list[list[str]]:
    """Return what a run has started that does not only answer: a version, a state of git."""
    return [
        words
        for words in ran.started
        if Path(words[0]).name != "git" and words[1:] != ["-V"] and words[-1:] != ["--version"]
    ]


@pytest.mark.parametrize("suite", ["tmux"], indirect=True)
def test_what_asks_no_agent_starts_nothing(suite: Suite) -> None:
    """Neither a process nor a socket, a journal or a list is made before a task is certain."""
    suite.write(
        test_marked=MARKED,
        test_plain=PLAIN,
        test_skipped=SKIPPED,
        test_not_imported=MARKED + NOT_IMPORTED,
        test_wrong_mark=MARKED + WRONG_MARK,
    )
    suite.commit()
    with subprocess.Popen(
        [sys.executable, "-c", COUNTER],
        cwd=suite.path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        counter = Counter(process)
        for name, (arguments, status) in CASES.items():
            ran = counter.run(arguments)
            assert ran.status == status, (name, ran.shown)
            assert _beyond_questions(ran) == [], name
            assert suite.runs == [], name
            assert not (suite.claude / "tasks").exists(), name
        # What it is worth: the same counter sees all that an ordinary run starts.
        ran = counter.run(["test_marked.py"])
        assert ran.status == 0, ran.shown
        assert any("pytest_ptc.worker" in " ".join(words) for words in ran.started)
        assert any(words[0] == "bound" for words in ran.started)
        # A run of which everything is kept has a journal, and nobody works.
        ran = counter.run(["test_marked.py", "--ptc-resume"])
        assert ran.status == 0, ran.shown
        told = _beyond_questions(ran)
        assert not [words for words in told if {"tmux", "worker"} & set(words)], told
        assert len(suite.runs) == 2
        assert suite.events("worker started") == []
