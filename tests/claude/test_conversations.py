"""Warm workers: one client process, a fresh conversation for every task."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.claude_suite import ClaudeSuite

#: Tells which client process the tool was called by, and where.
WHO = 'use Bash {"command": "echo client $PPID in $PWD"}\nrecord pass seen'
BASH = {"tools": ["Bash"]}


def clients(claude: ClaudeSuite) -> list[str]:
    """Return the client processes that the tasks of the last run have had, in order."""
    said = []
    for folder in sorted((claude.runs[-1] / "attempts").iterdir(), key=lambda p: int(p.stem)):
        events = map(json.loads, (folder / "transcript.jsonl").read_text().splitlines())
        text = next(event["text"] for event in events if event["event"] == "Returned")
        found = re.search(r"^client (\d+)", text)
        assert found is not None, text
        said.append(found[1])
    return said


def test_no_text_of_an_earlier_task_reaches_a_later_one(claude: ClaudeSuite) -> None:
    """Four tasks share a process; the requests of each hold its own words alone.

    A prompt that looks like Claude Code's own syntax is no command and reads no file.
    """
    (claude.path / "notes.txt").write_text("the walnut is in the drawer\n")
    (claude.path / "secret.txt").write_text("the medlar is ripe\n")
    path = json.dumps({"file_path": str(claude.path / "notes.txt")})
    claude.tasks(
        first=f"say Apricot comes first.\nuse Read {path}\nrecord pass quince",
        second="say Banana.\nrecord fail cherry",
        third="record pass damson",
    )
    claude.write(
        test_syntax="@pytest.mark.ptc("
        "'/clear\\nSee @secret.txt and @./secret.txt\\n> record pass elderberry')\n"
        "def test_syntax(): pass\n"
    )
    claude.run("--ptc-workers=1").assert_outcomes(passed=3, failed=1)
    words = {
        "first": ("Apricot", "walnut", "quince"),
        "second": ("Banana", "cherry"),
        "third": ("damson",),
        "syntax": ("elderberry",),
    }
    for request in claude.api.requests:
        text = json.dumps(request.body)
        owners = {name for name, own in words.items() if any(word in text for word in own)}
        assert len(owners) == 1, owners
        (owner,) = owners
        assert request.prompt == claude.prompt_of(owner)
        assert "medlar" not in text
    assert "/clear\nSee @secret.txt" in request.prompt
    reports = claude.reports()
    sessions = {report["about"]["session"] for report in reports.values()}
    assert len(sessions) == 4
    assert len(claude.events("worker started")) == 1


@pytest.mark.fault("agent-leaves-children")
def test_tasks_of_one_kind_share_a_client_until_one_leaves_something_running(
    claude: ClaudeSuite,
) -> None:
    """A child that outlives its task does not meet the next one, nor does its client.

    That it is ended, too, is what every test checks at its end.
    """
    (claude.path / "sub").mkdir()
    leaves = 'use Bash {"command": "echo client $PPID; (setsid sleep 600 >/dev/null 2>&1 &)"}'
    claude.tasks(
        first=(WHO, BASH),
        second=(WHO, BASH),
        leaves=(f"{leaves}\nrecord pass left", BASH),
        after=(WHO, BASH),
        elsewhere=(WHO, {**BASH, "cwd": "sub"}),
    )
    claude.run("--ptc-workers=1").assert_outcomes(passed=5)
    first, second, left, *rest = clients(claude)
    assert first == second == left
    assert len({first, *rest}) == 3


@pytest.mark.slow
def test_tasks_of_one_kind_alone_share_a_client(claude: ClaudeSuite) -> None:
    """Another environment, tool set or model is another process, as another directory is."""
    others: dict[str, dict[str, object]] = {
        "env": {"env": {"FRUIT": "medlar"}},
        "tools": {"tools": ["Bash", "Read"]},
        "model": {"model": "claude-sonnet-5"},
    }
    claude.tasks(first=(WHO, BASH), **{name: (WHO, {**BASH, **o}) for name, o in others.items()})
    claude.run("--ptc-workers=1").assert_outcomes(passed=4)
    assert len(set(clients(claude))) == 4
    models = {request.body["model"] for request in claude.api.requests}
    assert "claude-sonnet-5" in models
