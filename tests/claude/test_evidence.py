"""What is kept of each attempt for an audit."""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.claude_helpers import shell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.claude_suite import ClaudeSuite

LOOK = 'use Glob {"pattern": "*"}'


@pytest.mark.parametrize(
    ("claude", "screen"),
    [
        pytest.param("process", (), id="headless"),
        pytest.param("tmux", ("--ptc-interactive",), id="screen", marks=pytest.mark.slow),
    ],
    indirect=["claude"],
)
def test_a_green_item_can_be_audited_and_no_secret_is_kept(
    claude: ClaudeSuite, screen: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever passes has looked, where evidence is required; what was seen is kept, with hashes.

    What a tool has printed of the environment is in the model's hands, and nowhere of ours.
    """
    monkeypatch.setenv("SERVICE_PASSWORD", "hunter2-hunter2")
    key = os.environ["ANTHROPIC_API_KEY"]
    (claude.path / "plum.txt").write_text("sweet\n")
    read = f"use Read {json.dumps({'file_path': str(claude.path / 'plum.txt')})}"
    claude.tasks(
        audited=f"{read}\n{shell('true')}\nrecord pass seen",
        looks=f"{LOOK}\nrecord pass x",
        guesses="record pass x",
        denied=f"{shell('true')}\nrecord pass x",
        fails="record fail x",
        tells=(
            shell("echo $SERVICE_PASSWORD $ANTHROPIC_API_KEY")
            + "\nrecord fail hunter2-hunter2 is its password",
            {"tools": ["Bash"]},
        ),
    )
    result = claude.run(*screen, "--ptc-require-evidence", "--ptc-workers=1")
    result.assert_outcomes(passed=2, failed=2, errors=2)
    assert claude.ended() == {
        "audited": "pass",
        "looks": "pass",
        "guesses": "no evidence",
        "denied": "no evidence",
        "fails": "fail",
        "tells": "fail",
    }
    folder = claude.runs[-1] / "attempts/2.1"
    audit(claude, folder)
    assert f"hunter2-hunter2 {key}" in json.dumps(claude.api.requests[-1].body)
    for path in claude.runs[-1].rglob("*"):
        text = path.read_text() if path.is_file() else ""
        assert "hunter2-hunter2" not in text, path
        assert key not in text, path
    result.stdout.fnmatch_lines(["*fail - [[]redacted SERVICE_PASSWORD[]] is its password*"])


def audit(claude: ClaudeSuite, folder: Path) -> None:
    """Check client, model, session, settings, usage, denials, files and their hashes."""
    report = claude.reports()["audited"]
    about: dict[str, Any] = report["about"]
    assert about["client"].startswith("Claude Code 2.")
    assert re.fullmatch(r"[0-9a-f-]{36}", about["session"])
    assert about["model"].startswith("claude-")
    assert about["settings"]["tools"] == ["Read", "Grep", "Glob", "TaskUpdate"]
    assert about["settings"]["permission_mode"] == "dontAsk"
    assert about["tool_calls"] == 1
    assert report["usage"]["input_tokens"] == 3000
    assert (folder / "prompt.txt").read_text() == claude.prompt_of("audited")
    assert "sweet" in (folder / "transcript.jsonl").read_text()
    assert (folder / "output.log").read_text().strip()
    for name, digest in report["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert {"prompt.txt", "transcript.jsonl", "output.log", "records.jsonl", "task.json"} <= set(
        report["files"]
    )
    (ended,) = (one for one in claude.events("ended") if one["task"] == folder.name[0])
    assert ended["sha256"] == hashlib.sha256((folder / "report.json").read_bytes()).hexdigest()
