"""What a run with workers imports before its first task."""

from __future__ import annotations

import subprocess
import sys

#: Imports all of it, then says which of these have come with it.
PROGRAM = """
import sys
import pytest_ptc.session.wiring
sys.exit(", ".join(name for name in sys.argv[1:] if name in sys.modules) or None)
"""

#: What only runs with a page, on a cluster, on one of the hosts or with a schema need.
LATER = (
    *("jinja2", "pytest_ptc.reporting.page.page"),
    *("pytest_ptc.remote.crew", "pytest_ptc.session.cluster", "dask"),
    *("libtmux", "pytest_ptc.hosts.process"),
    *("jsonschema", "claude_agent_sdk", "psutil"),
)


def test_what_few_runs_need_is_not_imported_by_all() -> None:
    """It is on the way to the first task: who needs a part imports it then."""
    subprocess.run([sys.executable, "-c", PROGRAM, *LATER], check=True)
