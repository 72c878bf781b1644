"""A run seen from outside: its status, its workers, one item of it, and how to go on with that."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.cli.main import main
from pytest_ptc.journal import events
from pytest_ptc.journal.keys import journal_key
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.verdict import Verdict, VerdictKind
from tests.support.journals import began, write_story
from tests.support.programs import ptc
from tests.support.runs import start, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.suite import Suite

TASKS = """
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.ptc("say looking at {n}\\ntouch began-{n}\\nwait go\\nrecord pass|--summary|fine")
def test_it(n): pass
"""


@pytest.mark.parametrize(
    "suite", [pytest.param("process", marks=pytest.mark.slow), "tmux"], indirect=True
)
def test_a_run_and_its_workers_are_watched_on_every_host(suite: Suite) -> None:
    """Status and output are shown; Ctrl-C leaves, and the run goes on."""
    suite.write(test_a=TASKS)
    run = start(suite)
    for n in (1, 2):
        until((suite.path / f"began-{n}").exists, "the agents")
    first, totals, *workers = ptc(suite, "status").stdout.splitlines()
    assert re.match(r"run \w+  active for 0:\d\d  2 workers in ", first)
    assert totals == "0 of 2 done, 2 running, 0 queued"
    assert re.fullmatch(r"w1  \d  0:\d\d of 0:30  no output for .*looking at \d\)", workers[0])
    assert len(workers) == 2
    line = [sys.executable, "-m", "pytest_ptc.cli", "watch"]
    pipe = subprocess.PIPE
    watching = [
        subprocess.Popen([*line, *more], cwd=suite.path, stdout=pipe, stderr=pipe, text=True)
        for more in ((), ("w2",))
    ]
    wanted = ("0 of 2 done, 2 running", "looking at ")
    for watch, text in zip(watching, wanted, strict=True):
        assert watch.stdout is not None
        assert any(text in said for said in watch.stdout)
        watch.send_signal(signal.SIGINT)
        _, complaints = watch.communicate(timeout=30)
        assert (watch.returncode, complaints) == (0, "")
    nobody = ptc(suite, "watch", "w9")
    assert nobody.returncode == 2
    assert "has no worker w9; its workers: w1, w2" in nobody.stderr
    (suite.path / "go").touch()
    output, _ = run.communicate(timeout=60)
    assert "2 passed" in output
    assert suite.events("worker lost") == []
    ended = ptc(suite, "status").stdout.splitlines()
    assert ended[1] == "2 of 2 done: 2 pass"
    assert ended[2].startswith("results: ptc results ")


def test_an_item_is_shown_and_run_again(suite: Suite) -> None:
    """What was asked and what came of it; the lines to copy; a new run of that item alone."""
    suite.write(
        test_a="@pytest.mark.parametrize('n', ['a', 'b'])\n"
        "@pytest.mark.ptc('touch ran-{n}\\nrecord fail|--summary|bad {n}|--finding|high:a hole')\n"
        "def test_it(n): pass\n"
    )
    suite.spawn("--ptc-resume", "-k", "test_it").assert_outcomes(failed=2)
    name = suite.runs[0].name
    short = name.rpartition("-")[2]
    shown = ptc(suite, "show", short, "b").stdout.splitlines()
    assert shown[0] == f"b  failed in run {short}"
    assert "bad b" in shown
    assert any(re.fullmatch(r"  - f\d+ high: a hole", line) for line in shown)
    assert "  | touch ran-b" in shown
    assert shown[-3:-1] == ["go on:", f"  ptc rerun {short} b"]
    assert shown[-1].startswith("  ptc known ")
    for path in suite.path.glob("ran-*"):
        path.unlink()
    again = ptc(suite, "rerun", short, "b")
    assert again.returncode == 1
    assert "1 failed, 1 deselected" in again.stdout, again.stdout + again.stderr
    assert [path.name for path in suite.path.glob("ran-*")] == ["ran-b"]
    assert len(suite.runs) == 2
    assert len(suite.events("submitted")) == 1
    talked = ptc(suite, "talk", short, "b")
    assert talked.returncode == 2
    assert "only sessions of agent claude can be taken up" in talked.stderr
    suite.write(test_a="def test_other(): pass\n")
    gone = ptc(suite, "rerun", short, "b")
    assert gone.returncode == 2
    assert "is not collected any more" in gone.stderr


@pytest.mark.slow
def test_an_item_of_a_command_line_is_run_again(suite: Suite) -> None:
    """`ptc run` has no file; its journal has the words."""
    words = ("say {each}\ntouch ran-{each}\nrecord pass|--summary|fine", "x1", "x2", "--json")
    done = ptc(suite, "run", *words)
    assert done.returncode == 0, done.stderr
    for path in suite.path.glob("ran-*"):
        path.unlink()
    again = ptc(suite, "rerun", suite.runs[0].name, "x2")
    assert again.returncode == 0, again.stderr
    assert '"item": "x2"' in again.stdout
    assert [path.name for path in suite.path.glob("ran-*")] == ["ran-x2"]


def _talkable(suite: Suite, *, node: str | None = None, **more: object) -> tuple[str, Path]:
    """Write the journal of a run of agent claude; return its id and its session's file."""
    run = suite.path / ".pytest_cache/d/ptc/runs/20270115-080000-000aa"
    session = "0123abcd-0123-4567-89ab-0123456789ab"
    config = suite.path / ".claude"
    spec = {"nodeid": "t.py::test_a", "prompt": "p", "timeout": 9.0, "cwd": str(suite.path), **more}
    verdict = Verdict(verdict=VerdictKind.PASS, summary="fine")
    told = [
        began(
            task_list=str(config / "tasks/ours"),
            rootdir=str(suite.path),
            scratch=str(suite.path / "gone"),
        ),
        events.TaskSubmitted(at=1, task="1", spec=TaskSpec(**spec), fingerprint={}),  # type: ignore[arg-type]
        events.WorkerStarted(at=1, worker="w1", pid=None, created=None, node=node),
        events.AttemptAssigned(at=1, attempt="1.1", worker="w1", content=None),
        events.AttemptEnded(
            at=2,
            task="1",
            attempt=1,
            worker="w1",
            seconds=1.0,
            verdict=verdict,
            trouble=None,
            usage=None,
            about={"session": session, "denied": ["Bash"]},
            sha256=None,
        ),
        events.RunEnded(at=3, seconds=2.0),
    ]
    write_story(run, told, journal_key(os.environ))
    for folder in (run, *run.parents[:4]):
        folder.chmod(0o700)
    (run / "journal.jsonl").chmod(0o600)
    file = config / "projects/here" / f"{session}.jsonl"
    file.parent.mkdir(parents=True)
    file.touch()
    return run.name, file


def test_a_session_is_taken_up_where_it_was(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claude Code itself, in the attempt's directory; the usual configuration is not named."""
    name, file = _talkable(suite)
    client = suite.path / "client"
    client.write_text('#!/bin/sh\necho "$PWD ${CLAUDE_CONFIG_DIR-none} $*"\n')
    client.chmod(0o755)
    monkeypatch.setenv("CLAUDE_CODE", f"{client} --verbose")
    shown = ptc(suite, "show", name, "test_a").stdout
    assert shown.endswith("  ptc rerun 000aa test_a\n  ptc talk 000aa test_a\n")
    assert "  denied tools: Bash\n" in shown
    talked = ptc(suite, "talk", name, "test_a")
    wanted = f"{suite.path} none --verbose --resume {file.stem}\n"
    assert talked.stdout == wanted, talked.stderr
    file.unlink()
    gone = ptc(suite, "talk", name, "test_a")
    assert gone.returncode == 2
    assert f"its session {file.stem} is gone" in gone.stderr
    assert "ptc talk" not in ptc(suite, "show", name, "test_a").stdout


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"isolation": "worktree", "ref": "c" * 40}, "its worktree is gone"),
        ({"cwd": "/nowhere"}, "its directory is gone"),
        ({"node": "na-3f21"}, "it was on node na-3f21"),
    ],
)
def test_a_session_whose_place_is_gone_is_refused(
    suite: Suite,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: dict[str, Any],
    said: str,
) -> None:
    """Claude Code takes up a session only in the directory that it was in, on its machine."""
    name, _ = _talkable(suite, **more)
    monkeypatch.chdir(suite.path)
    assert main(["talk", name, "test_a"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_a_status_is_redrawn_on_a_terminal(suite: Suite) -> None:
    """In place, until the run has ended, within the terminal's size."""
    suite.write(test_a=TASKS)
    run = start(suite)
    for n in (1, 2):
        until((suite.path / f"began-{n}").exists, "the agents")
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.chdir(suite.path)
        os.execv(sys.executable, [sys.executable, "-m", "pytest_ptc.cli", "watch"])
    seen = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            seen += os.read(terminal, 65536)
        except OSError:  # its end, as Linux tells it
            break
        if seen.count(b"0 of 2 done") >= 2:
            (suite.path / "go").touch()
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0
    text = seen.decode()
    assert "2 of 2 done: 2 pass" in text
    assert text.count("\x1b[H") >= 2
    run.communicate(timeout=60)
