"""The real client in a sandbox: it records on the shared list, and sees nothing of others."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.claude_suite import ClaudeSuite

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone has it")

#: What a model with a shell looks for: journals, what others have left, other processes.
LOOK = """
ls .pytest_cache/d/ptc/runs/*/attempts /tmp/mine
echo processes $(ls -d /proc/[0-9]* | wc -l)
echo home $(ls -A ~) $(grep -c ofTheUser ~/.claude.json)
touch /tmp/mine here
"""


def test_a_client_in_a_sandbox_records_and_sees_nothing_of_others(
    claude: ClaudeSuite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Readers share a sandbox of their worker; who may run programs has one for each task.

    Of the home the client has a copy of its own state, and nothing else.
    """
    home = tmp_path / "home"
    home.mkdir()
    (home / "secret").write_text("of the user")
    state = '{"ofTheUser": 1}'
    (home / ".claude.json").write_text(state)
    monkeypatch.setenv("HOME", str(home))
    claude.ini("ptc_sandbox = bwrap")
    (claude.path / "look.sh").write_text(LOOK)
    look = f"use Bash {json.dumps({'command': 'sh look.sh'})}\nrecord pass seen"
    shell = {"tools": ["Bash(sh look.sh)"]}
    claude.tasks(
        reads='use Read {"file_path": "test_it.py"}\nrecord pass read',
        again="record fail no",
        looks=(look, shell),
        once_more=(look, shell),
    )
    result = claude.run("--ptc-workers=1")
    ended = {"reads": "pass", "again": "fail", "looks": "pass", "once_more": "pass"}
    assert claude.ended() == ended
    result.stdout.fnmatch_lines(["ptc: sandbox on (bubblewrap)"])
    assert (claude.path / "here").exists()
    assert (home / ".claude.json").read_text() == state
    for name in ("looks", "once_more"):
        (said,) = [text for text in claude.said_to_model(name) if "processes " in text]
        assert said.count("No such file or directory") == 2, said
        home_in_it = said.partition("\nhome ")[2].split()
        assert (home_in_it[-1], "secret" in home_in_it) == ("1", False)
        assert int(said.partition("processes ")[2].split()[0]) < 20
