"""The real Claude Code on the nodes of a Dask cluster."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.claude_suite import ClaudeSuite


@pytest.mark.slow
def test_claude_code_works_on_nodes(claude: ClaudeSuite) -> None:
    """It reads what was sent, by its place here, and records on its node's own list.

    Each task is one request more than its tools need, as on this machine.
    """
    plum = claude.path / "plum.txt"
    plum.write_text("sweet\n")
    claude.tasks(
        reads=f"use Read {json.dumps({'file_path': str(plum)})}\nrecord pass {plum} is sweet",
        fails="record fail it is not",
        forgets="say I am done",
    )
    claude.commit()
    result = claude.spawn(
        *("--ptc-host=dask", "--ptc-dask-scheduler=local", "--ptc-require-evidence"),
    )
    result.assert_outcomes(passed=1, failed=1, errors=1)
    assert claude.ended() == {"reads": "pass", "fails": "fail", "forgets": "no verdict"}
    report = claude.reports()["reads"]
    assert report["verdict"]["summary"] == f"{plum} is sweet"
    requests = claude.requests_of("fails")
    assert len(requests) == 1
    (told,) = {path.name for path in (claude.claude / "tasks").glob("*")} or {""}
    assert not told, "a list was left"
