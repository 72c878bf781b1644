"""What the acceptance tests of report files share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.reported import FINDING, marked

if TYPE_CHECKING:
    import pytest

#: One finding that fails its item, and one that does not.
TWO = marked("fails", f"say {FINDING % ('fail', 'high', 'b.py')}") + marked(
    "passes", f"say {FINDING % ('pass', 'low', 'a.py')}"
)
ALL = ("--ptc-json=out/run.json", "--ptc-sarif=out/run.sarif", "--ptc-gitlab=out/gl.json")


def commands(result: pytest.RunResult) -> list[str]:
    """Return the lines that GitHub's runner would take for commands."""
    return [line for line in result.outlines if line.lstrip().startswith("::")]
