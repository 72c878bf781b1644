"""`ptc run` with the real Claude Code as the agent of each item."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.programs import ptc
from tests.support.suite import WITHOUT

if TYPE_CHECKING:
    from tests.support.claude_suite import ClaudeSuite


@pytest.mark.slow
def test_five_files_are_processed_by_claude_code(claude: ClaudeSuite) -> None:
    """One request an item, with the tools that were given; the results in the order of the line."""
    names = [f"{name}.txt" for name in "edcba"]
    for name in names:
        (claude.path / name).write_text(f"sample of {name}\n")
    done = ptc(
        claude,
        *("run", "Process {each}.\n> record pass {each} is complete.", *names),
        *("-n", "1", "--tools", "Read,Grep", "--budget", "1", "--", *WITHOUT),
    )
    *lines, last = done.stdout.splitlines()
    assert lines == [f"pass {name}  {name} is complete" for name in names]
    assert last.startswith("5: 5 pass, ")
    assert (done.stderr, done.returncode) == ("", 0)
    assert len(claude.api.requests) == 5
    prompts = "\n".join(request.prompt for request in claude.api.requests)
    assert [prompts.count(f"Process {name}.") for name in names] == [1] * 5
    assert {tuple(request.tools) for request in claude.api.requests} == {
        ("Grep", "Read", "TaskUpdate")
    }
