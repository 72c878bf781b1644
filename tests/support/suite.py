"""A pytest suite in a folder of its own, run with real workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from pytest_ptc.model.variables import RUN_COOKIE
from tests.support.journals import read_events

if TYPE_CHECKING:
    import pytest


#: An agent that does what its prompt says, line by line, up to the protocol's `Task ID:`.
AGENT = r"""
import json, os, signal, subprocess, sys, time

def verdict(kind, summary):
    print(json.dumps({"verdict": kind, "summary": summary}), flush=True)

for line in sys.stdin.read().splitlines():
    word, _, rest = line.strip().partition(" ")
    if word == "first":
        # Do what follows only where the file is not there yet: in the first attempt.
        name, _, rest = rest.partition(" ")
        if os.path.exists(name):
            continue
        open(name, "a").close()
        word, _, rest = rest.partition(" ")
    if word == "Task":
        break
    elif word in ("pass", "fail", "skip", "error"):
        verdict(word, rest or "so it is")
    elif word == "say":
        print(rest, flush=True)
    elif word == "complain":
        print(rest, file=sys.stderr, flush=True)
    elif word == "record":
        subprocess.run(["ptc", "record", *rest.split("|")], check=True)
    elif word == "exit":
        sys.exit(int(rest))
    elif word == "die":
        os.kill(os.getpid(), getattr(signal, rest))
    elif word == "touch":
        open(rest, "a").close()
    elif word == "sh":
        subprocess.run(rest, shell=True, check=True)
    elif word == "wait":
        while not os.path.exists(rest):
            time.sleep(0.01)
    elif word == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    elif word == "kill-worker":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    elif word:
        sys.exit(f"agent.py does not know {line!r}")
"""


#: Plugins that cost more of a run than the run itself: who is about one loads it with `-p`.
WITHOUT = (
    *("-p", "no:hypothesispytest", "-p", "no:libtmux", "-p", "no:anyio", "-p", "no:django"),
    *("-p", "no:pytest_cov", "-p", "no:ctrf", "-p", "no:html", "-p", "no:html_fixtures"),
    *("-p", "no:metadata", "-p", "no:platformdirs"),
)


class Suite:
    """A project with marked tests and the scripted agent.

    Args:
        pytester: Pytest's own.
        host: The host that its runs use.
    """

    def __init__(self, pytester: pytest.Pytester, host: str = "process") -> None:
        self.pytester = pytester
        self.path: Path = pytester.path
        self.agent = self.path / "agent.py"
        self.agent.write_text(AGENT)
        self.claude = self.path / ".claude"
        self.host = host
        pytester.makeini(
            f"[pytest]\nptc_agent = command\nptc_command = {sys.executable} {self.agent}\n"
            f"ptc_host = {host}\nptc_timeout = 30\n"
        )

    def write(self, **files: str) -> None:
        """Write test files, each with pytest imported."""
        for name, text in files.items():
            self.pytester.makepyfile(**{name: f"import pytest\n{text}"})

    def run(self, *args: str) -> pytest.RunResult:
        """Run pytest in this process with two workers."""
        return self.pytester.runpytest_inprocess(*WITHOUT, "--ptc-workers=2", "-W", "error", *args)

    def spawn(self, *args: str) -> pytest.RunResult:
        """Run pytest in a process of its own with two workers."""
        return self.pytester.runpytest_subprocess(*WITHOUT, "--ptc-workers=2", "-W", "error", *args)

    def commit(self, *ignored: str) -> None:
        """Make a repository of the project, with all committed that git is not told to ignore."""
        # What pytester itself, and the runs, put here.
        names = (".pytest_cache", "__pycache__", "tmp", ".claude", "stdout", "stderr", *ignored)
        (self.path / ".gitignore").write_text("".join(f"{name}\n" for name in names))
        self.git("init", "--quiet")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=all of it")

    def git(self, *words: str) -> None:
        """Run git in the project, as somebody."""
        who = ("-c", "user.name=n", "-c", "user.email=n@example.org")
        subprocess.run(["git", *who, *words], cwd=self.path, check=True, capture_output=True)

    @property
    def runs(self) -> list[Path]:
        """Return the journals' folders, oldest first."""
        return sorted((self.path / ".pytest_cache/d/ptc/runs").glob("*"))

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """Return the events of the last run, or those of one name."""
        events = read_events(self.runs[-1])
        return [event for event in events if name in (None, event["event"])]

    def processes(self) -> list[str]:
        """Return the command lines of live processes of this suite, workers among them.

        What a worker is started with is in a scratch folder, which need not be in the suite's own.
        """
        places = [self.path]
        for run in self.runs:
            places += [Path(e["scratch"]) for e in read_events(run)[:1] if e["event"] == "run"]
        return [line for place in places for line in processes_of(place)]

    def tmux_servers(self) -> list[str]:
        """Return the sockets of this suite's runs that are still there."""
        folder = Path(os.environ.get("TMUX_TMPDIR", "/tmp"), f"tmux-{os.getuid()}")
        return [run.name for run in self.runs if (folder / f"ptc-{run.name}").exists()]

    def scratch_folders(self) -> list[str]:
        """Return the scratch folders of this suite's runs that are still there."""
        events = [event for run in self.runs for event in read_events(run)]
        folders = [event["scratch"] for event in events if event["event"] == "run"]
        return [folder for folder in folders if Path(folder).exists()]

    def left_on_lists(self) -> list[str]:
        """Return what of ours is still below Claude Code's task lists.

        On a list that the user named, Claude Code's own two files stay, as Claude Code has it.
        """
        return sorted(
            str(path.relative_to(self.claude))
            for path in self.claude.glob("tasks/*/*")
            if path.parent.name.startswith("ptc-") or path.name not in (".lock", ".highwatermark")
        )


def processes_of(path: Path) -> list[str]:
    """Return the command lines of live processes that were started for this folder's tests."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if re.search(rf"{re.escape(str(path))}\b", line) and process.pid != os.getpid():
            found.append(line)
    return found


def marked_processes(suite: Suite) -> list[str]:
    """Return the command lines of live processes that carry the mark of one of the suite's runs."""
    runs = {run.name for run in suite.runs}
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(RUN_COOKIE) in runs:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def clean_environment(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out what would reach a run from whoever runs the tests, and give it a scratch folder."""
    for name in list(os.environ):
        # `CI`, too: a run that asks for a gate there has other rules.
        if name == "CI" or name.startswith(("PTC_", "CLAUDE", "ANTHROPIC", "GITHUB_", "GITLAB_")):
            monkeypatch.delenv(name)
    scratch = pytester.path / "tmp"
    scratch.mkdir()
    # Short, for the socket, and the test's own, so that what is left in it is this test's.
    monkeypatch.setenv("TMPDIR", str(scratch))
    # Out of the tree that is under test, as no key may lie there.
    state = pytester.path.with_name(f"{pytester.path.name}-state")
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    monkeypatch.setattr("tempfile.tempdir", None)


def unreaped() -> list[int]:
    """Return the pids of children of this process that have ended, and that nobody waited for."""
    children = psutil.Process().children()
    return [child.pid for child in children if child.status() == psutil.STATUS_ZOMBIE]


def nothing_left(suite: Suite) -> None:
    """Check that no process, task, tmux server or scratch folder of the suite's runs is left."""
    assert unreaped() == []
    assert suite.processes() == []
    assert marked_processes(suite) == []
    assert suite.left_on_lists() == []
    assert suite.tmux_servers() == []
    assert suite.scratch_folders() == []
    assert list((suite.path / "tmp").glob("ptc-*")) == []
