"""The program `ptc`, run as a person runs it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.suite import Suite


def ptc(suite: Suite, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the suite's folder."""
    line = [sys.executable, "-m", "pytest_ptc.cli", *args]
    return subprocess.run(line, cwd=suite.path, capture_output=True, text=True, check=False)
