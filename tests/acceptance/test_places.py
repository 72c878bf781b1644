"""Findings that do not stand where they say, in whole runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.suite import Suite

AGENT = r"""
import json, os, subprocess, sys

def record(kind, path, line, quote=None):
    finding = {"severity": "high", "message": "m", "path": path, "line": line, "quote": quote}
    return {"verdict": kind, "summary": kind, "findings": [finding]}

def call(kind, path, line, quote=None):
    verdict = json.dumps(record(kind, path, line, quote))
    done = subprocess.run(["ptc", "record", verdict], capture_output=True, text=True)
    print("said:", done.stderr.strip())
    return done.returncode

what = sys.stdin.readline().strip()
if what == "correct":
    # The line is far off; the message says where the quote stands.
    assert call("pass", "src/a.py", 9, "door(1)") != 0
    assert call("pass", "src/a.py", 5, "door(1)") == 0
elif what == "fail":
    assert call("fail", "src/b.py", 1) != 0
elif what == "change of mind":
    assert call("fail", "src/b.py", 1) != 0
    assert call("pass", "src/a.py", 1) == 0
elif what == "printed":
    print(json.dumps(record("pass", "src/b.py", 1)))
elif what == "name":
    print(json.dumps(record("pass", "GET /users", None)))
elif what == "printed fail":
    print(json.dumps(record("fail", "src/a.py", 99)))
"""
TESTS = """
@pytest.mark.ptc("correct")
def test_correct(): pass
@pytest.mark.ptc("fail")
def test_fail(): pass
@pytest.mark.ptc("change of mind", retries=1)
def test_change_of_mind(): pass
@pytest.mark.ptc("printed")
def test_printed(): pass
@pytest.mark.ptc("name", fail_on="high", unplaced="advisory")
def test_advisory(): pass
@pytest.mark.ptc("name", fail_on="high")
def test_name(): pass
@pytest.mark.ptc("printed fail", fail_on="low", unplaced="advisory")
def test_printed_fail(): pass
"""


def test_findings_are_looked_up_as_they_are_recorded(suite: Suite) -> None:
    """An agent that can correct a finding does; nothing else loses a fail or makes a pass."""
    suite.agent.write_text(AGENT)
    suite.write(test_a=TESTS)
    (suite.path / "src").mkdir()
    (suite.path / "src/a.py").write_text("\n\ndoor(1)\n\n\n\n\n\n\n\n")
    result = suite.run("--ptc-json=out.json", "-v")
    result.assert_outcomes(passed=3, failed=2, errors=2)
    document = json.loads((suite.path / "out.json").read_text())
    tasks: dict[str, Any] = {one["nodeid"].partition("::")[2]: one for one in document["tasks"]}
    (corrected,) = tasks["test_correct"]["verdict"]["findings"]
    assert (corrected["path"], corrected["line"]) == ("src/a.py", 3)
    assert (len(corrected["anchor"]), corrected["misplaced"]) == (32, "")
    # A refused fail is one, whatever else is recorded, and is not tried again.
    for name, cause in (("test_fail", "malformed"), ("test_change_of_mind", "contradicted")):
        trouble, attempts = tasks[name]["trouble"], tasks[name]["attempts"]
        assert (trouble["final"], len(attempts)) == (True, 1)
        assert cause in trouble["cause"]
        assert "src/b.py is not there" in trouble["message"]
    (noted,) = tasks["test_printed"]["verdict"]["findings"]
    assert (noted["line"], noted["anchor"]) == (1, None)
    assert noted["misplaced"].startswith("src/b.py is not there")
    excuses = {
        name: task["verdict"]["findings"][0]["excuse"]
        for name, task in tasks.items()
        if task["verdict"] is not None
    }
    assert excuses == {
        "test_correct": None,
        "test_printed": None,
        "test_advisory": "unplaced",
        "test_name": None,
        "test_printed_fail": None,
    }
    result.stdout.fnmatch_lines(["*src/a.py:99 (src/a.py has 10 lines, not 99): m"])
