"""Who else is there: the person who watches, other sessions on the list, the network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.claude_helpers import meanwhile, session_of_a_person, shell, until, wait_for

if TYPE_CHECKING:
    from tests.support.claude_suite import ClaudeSuite


def test_another_session_on_the_list_sees_the_tasks_move(claude: ClaudeSuite) -> None:
    """A user's own `claude` with the same list id has them in TaskList: running, then completed."""
    script = (
        "use TaskList {}",
        shell(f"touch looked; {until('grep -q completed .claude/tasks/ours/*.json')}"),
        "use TaskList {}",
        shell("touch seen"),
        "say Seen.",
    )

    def look() -> None:
        wait_for(claude.path / "began")
        session_of_a_person(
            claude.path,
            "Look at the list.",
            script,
            tools=("Bash", "TaskList"),
            CLAUDE_CODE_TASK_LIST_ID="ours",
            CLAUDE_CODE_ENABLE_TODO_TOOLS="1",
            ENABLE_TOOL_SEARCH="false",
        )

    bash = {"tools": ["Bash"]}
    claude.tasks(
        first=(f"{shell('touch began; ' + until('[ -e looked ]'))}\nrecord pass x", bash),
        second=(f"{shell(until('[ -e seen ]'))}\nrecord pass y", bash),
    )
    with meanwhile(look):
        claude.run("--ptc-task-list-id=ours", "--ptc-workers=1").assert_outcomes(passed=2)
    seen = [r for r in claude.api.requests if r.prompt.startswith("Look at the list.")]
    lines = [line for text in seen[-1].texts for line in text.splitlines()]
    first = [line for line in lines if "test_it.py::test_first" in line]
    assert "in_progress" in first[0]
    assert "ptc-" in first[0]
    assert "completed" in first[-1]


@pytest.mark.parametrize("claude", ["tmux"], indirect=True)
def test_a_pane_shows_what_the_agent_says_calls_and_records(claude: ClaudeSuite) -> None:
    """A person who attaches reads the test, the model's words, its tools and their results."""
    (claude.path / "fruit.txt").write_text("a plum and a pear\n")
    read = json.dumps({"file_path": str(claude.path / "fruit.txt")})
    stay = shell(f"touch ready; {until('[ -e looked ]')}")
    script = f"say I look at the fruit. && use Read {read}\n{stay}\nrecord fail no plums"
    claude.tasks(it=(script, {"tools": ["Read", "Bash"]}))
    panes = []

    def watch() -> None:
        wait_for(claude.path / "ready")
        (run,) = claude.runs
        tmux = ["tmux", "-L", f"ptc-{run.name}", "capture-pane", "-p", "-J", "-t", ":w1"]
        panes.append(subprocess.run(tmux, capture_output=True, text=True, check=True).stdout)
        (claude.path / "looked").touch()

    with meanwhile(watch):
        claude.run().assert_outcomes(failed=1)
    (pane,) = panes
    for said in ("test_it.py::test_it", "I look at the fruit.", "> Read ", "a plum and a pear"):
        assert said in pane
    (output,) = claude.runs[-1].glob("attempts/*/output.log")
    assert '"verdict": "fail"' in output.read_text()


NAMESPACE = ("unshare", "--user", "--map-root-user", "--net")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="network namespaces are Linux's")
def test_nothing_but_loopback_is_needed(claude: ClaudeSuite) -> None:
    """In a network namespace without a way out a whole run does as it does elsewhere."""
    allowed = subprocess.run([*NAMESPACE, "true"], check=False).returncode == 0
    if not allowed and not os.environ.get("CI"):
        pytest.skip("this system allows its users no namespaces")
    claude.tasks(a='use Glob {"pattern": "*"}\nrecord pass x', b="record fail y")
    program = f"""
import fcntl, os, socket, struct, subprocess, sys
with socket.socket() as any_socket:
    siocsifflags, iff_up = 0x8914, 1
    fcntl.ioctl(any_socket, siocsifflags, struct.pack("16sh", b"lo", iff_up))
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.support.messages_api import MessagesApi
from tests.support.suite import WITHOUT
with MessagesApi() as api:
    os.environ["ANTHROPIC_BASE_URL"] = api.url
    line = [sys.executable, "-m", "pytest", *WITHOUT, "--ptc-workers=1"]
    status = subprocess.run(line).returncode
    assert len(api.requests) == 3, api.requests
    assert not api.unexpected
sys.exit(status)
"""
    ended = subprocess.run(
        [*NAMESPACE, sys.executable, "-c", program],
        cwd=claude.path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "1 failed, 1 passed" in ended.stdout, ended.stdout + ended.stderr
