"""What a change touches decides what blocks, in whole runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.suite import Suite

#: Prints what its prompt says: the kind of a verdict, and places.
AGENT = r"""
import json, sys

kind, *places = sys.stdin.readline().split()
findings = []
for place in places:
    path, _, line = place.partition(":")
    where = {"path": path, "line": int(line) if line else None} if path else {}
    findings.append({"severity": "high", "message": place, **where})
print(json.dumps({"verdict": kind, "summary": "s", "findings": findings}))
"""
#: Of each test: its prompt, `gate_on`, its outcome, and which of its findings are excused.
ROWS: dict[str, tuple[str, str, str, list[bool]]] = {
    "elsewhere": ("fail src/a.py:1 same.py:3", "added", "passed", [True, True]),
    "here": ("fail src/a.py:1 src/a.py:5", "added", "failed", [True, False]),
    "near": ("fail src/a.py:3", "context", "failed", [False]),
    "file": ("fail src/a.py:1", "file", "failed", [False]),
    "other_file": ("fail same.py:1", "file", "passed", [True]),
    "all": ("fail same.py:1", "all", "failed", [False]),
    "no_place": ("fail same.py:1 -", "added", "failed", [True, False]),
    "no_line": ("fail same.py src/a.py", "added", "failed", [True, False]),
    "unknown": ("fail same.py:99", "added", "failed", [False]),
    "gone": ("fail gone.py:1", "added", "failed", [False]),
    "no_finding": ("fail", "added", "failed", []),
    "beside": ("pass same.py:1", "added", "passed", [True]),
    "beside_here": ("pass src/a.py:5", "added", "failed", [False]),
}
#: Where its agent works, by the marker's keyword.
PLACES = {"here": "", "apart": "isolation='worktree', "}
#: The rows that are tried in a worktree, too.
APART = ("elsewhere", "here", "gone", "all")
TEN = "".join(f"{number}\n" for number in range(1, 11))


def test_findings_elsewhere_stay_and_block_nothing(suite: Suite) -> None:
    """In a worktree by its commit, else by the working tree as it is."""
    suite.agent.write_text(AGENT)
    (suite.path / "src").mkdir()
    for name in ("src/a.py", "same.py", "gone.py"):
        (suite.path / name).write_text(TEN)
    suite.write(
        test_a="\n".join(
            f"@pytest.mark.ptc({prompt!r}, {keyword}base='base', gate_on={mode!r})\n"
            f"def test_{name}_{place}(): pass\n"
            for name, (prompt, mode, *_) in ROWS.items()
            for place, keyword in PLACES.items()
            if (name in APART if place == "apart" else mode != "all")
        )
    )
    suite.commit()
    suite.git("tag", "base")
    (suite.path / "src/a.py").write_text(TEN.replace("5\n", "five\n"))
    (suite.path / "gone.py").unlink()
    suite.git("commit", "--quiet", "--all", "--message=change")
    result = suite.run("--ptc-json=out.json", "--ptc-fail-on=high", "-v")

    document = json.loads((suite.path / "out.json").read_text())
    tasks: dict[str, Any] = {
        one["nodeid"].partition("::test_")[2]: one for one in document["tasks"]
    }
    for name, task in tasks.items():
        _, mode, outcome, excused = ROWS[name.rpartition("_")[0]]
        findings = task["verdict"]["findings"]
        assert (task["outcome"], task["gate_on"]) == (outcome, mode), name
        assert [one["excuse"] == "pre-existing" for one in findings] == excused, name
        assert [one["touched"] is False for one in findings] == excused, name
    assert len(tasks) == len(ROWS) - 1 + len(APART)
    result.stdout.fnmatch_lines(["*high src/a.py:1 (pre-existing): src/a.py:1"])
