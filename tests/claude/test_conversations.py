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
    """Three tasks share a process; the requests of each hold its own words alone."""
    (claude.path / "notes.txt").write_text("the walnut is in the drawer\n")
    path = json.dumps({"file_path": str(claude.path / "notes.txt")})
    claude.tasks(
        first=f"say Apricot comes first.\nuse Read {path}\nrecord pass quince",
        second="say Banana.\nrecord fail cherry",
        third="record pass damson",
    )
    claude.run("--ptc-workers=1").assert_outcomes(passed=2, failed=1)
    words = {
        "first": ("Apricot", "walnut", "quince"),
        "second": ("Banana", "cherry"),
        "third": ("damson",),
    }
    for request in claude.api.requests:
        text = json.dumps(request.body)
        owners = {name for name, own in words.items() if any(word in text for word in own)}
        assert len(owners) == 1, owners
        (owner,) = owners
        assert request.prompt == claude.prompt_of(owner)
    reports = claude.reports()
    sessions = {report["about"]["session"] for report in reports.values()}
    assert len(sessions) == 3
    assert len(claude.events("worker started")) == 1


def test_tasks_of_one_kind_alone_share_a_client(claude: ClaudeSuite) -> None:
    """Another directory, environment, tool set or model is another process."""
    (claude.path / "sub").mkdir()
    others: dict[str, dict[str, object]] = {
        "cwd": {"cwd": "sub"},
        "env": {"env": {"FRUIT": "medlar"}},
        "tools": {"tools": ["Bash", "Read"]},
        "model": {"model": "claude-sonnet-5"},
    }
    alike = dict.fromkeys(("first", "second", "third"), (WHO, BASH))
    claude.tasks(**alike, **{name: (WHO, {**BASH, **o}) for name, o in others.items()})
    claude.run("--ptc-workers=1").assert_outcomes(passed=7)
    first, second, third, *rest = clients(claude)
    assert first == second == third
    assert len({first, *rest}) == 5
    models = {request.body["model"] for request in claude.api.requests}
    assert "claude-sonnet-5" in models


@pytest.mark.fault("agent-leaves-children")
def test_what_a_task_leaves_running_is_ended_and_its_client_too(claude: ClaudeSuite) -> None:
    """A child that outlives its task does not meet the next one; nothing_left checks the rest."""
    leaves = 'use Bash {"command": "echo client $PPID; (setsid sleep 600 >/dev/null 2>&1 &)"}'
    tools = {"tools": ["Bash"]}
    claude.tasks(leaves=(f"{leaves}\nrecord pass left", tools), after=(WHO, tools))
    claude.run("--ptc-workers=1").assert_outcomes(passed=2)
    found = clients(claude)
    assert len(set(found)) == 2


def test_a_prompt_is_not_a_command_and_reads_no_file(claude: ClaudeSuite) -> None:
    """Text under review that looks like Claude Code's own syntax stays text."""
    (claude.path / "secret.txt").write_text("the medlar is ripe\n")
    claude.write(
        test_it="@pytest.mark.ptc('/clear\\nSee @secret.txt and @./secret.txt\\n> record pass x')\n"
        "def test_it(): pass\n"
    )
    claude.run().assert_outcomes(passed=1)
    (request,) = claude.api.requests
    assert "/clear\nSee @secret.txt" in request.prompt
    assert "medlar" not in json.dumps(request.body)
