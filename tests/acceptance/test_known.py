"""Known findings and a baseline, in whole runs of a repository."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.programs import ptc
from tests.support.reported import report_of

if TYPE_CHECKING:
    from tests.support.suite import Suite

#: Finds each line that has a word of a rule; it passes all but the one that it is told to fail.
REVIEWER = """
import json, sys
name = sys.stdin.read().split()[1]
text = open(f"src/{name}.py").read().splitlines()
findings = [
    {"severity": "high", "message": f"{word} in here", "rule": word, "path": f"src/{name}.py",
     "line": number}
    for number, line in enumerate(text, 1) for word in ("eval", "exec", "system") if word in line
]
verdict = "fail" if name == "known" else "pass"
print(json.dumps({"verdict": verdict, "summary": "read", "findings": findings}))
"""
TESTS = """
@pytest.mark.parametrize("name", ["known", "old", "grown", "void"])
@pytest.mark.ptc("Review {name} please.")
def test_it(name): pass
"""


def states(document: dict[str, Any]) -> dict[str, list[tuple[str, str | None, str]]]:
    """Return rule, excuse and state of each finding, by the items."""
    return {
        task["params"]["name"]: [
            (one["rule"], one["excuse"], one["state"]) for one in task["verdict"]["findings"]
        ]
        for task in document["tasks"]
    }


def test_what_is_known_or_old_blocks_nothing_and_stays_listed(suite: Suite) -> None:
    """What is new does, and an entry whose line has changed is void."""
    suite.write(test_a=TESTS)
    suite.agent.write_text(REVIEWER)
    source = suite.path / "src"
    source.mkdir()
    for name in ("known", "old", "grown", "void"):
        (source / f"{name}.py").write_text("x = 1\neval(x)\n")
    suite.commit("known.yaml", "*.sarif", "*.json")
    suite.run("--ptc-json=old.json").assert_outcomes(passed=3, failed=1)
    run = suite.runs[-1].name

    listed = ptc(suite, "results", run, "-v").stdout.splitlines()
    names = [line.split()[1] for line in listed if line.startswith("  - ")]
    assert names == ["f1", "f2", "f3", "f4"]
    for finding in ("f1", "src/void.py:2"):
        added = ptc(suite, "known", "add", run, finding, "--reason", "ours")
        assert added.returncode == 0, added.stderr
    again = ptc(suite, "known", "add", run, "f1", "--reason", "ours")
    assert (again.returncode, "f1 is one already" in again.stderr) == (2, True)

    # A line above, a line of the same text more, and a line that has changed.
    for name in ("known", "old"):
        (source / f"{name}.py").write_text("import y\n\n\n\n\nx = 1\n  eval(x)\n")
    (source / "grown.py").write_text("x = 1\neval(x)\ny = 2\n\n\n\neval(x)\n")
    (source / "void.py").write_text("x = 1\n\n\n\n\n\n\neval(y)\n")
    options = ("--ptc-known=known.yaml", "--ptc-baseline=old.json", "--ptc-fail-on=new:high")
    result = suite.run(*options, "--ptc-sarif=a.sarif")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*1 new finding of high or worse beside a pass: read*",
            "1 known finding (known.yaml)",
            "known finding 2 (eval in src/void.py, known.yaml:5) is void: its line changed",
            "against old.json: 2 new, 3 open, 1 gone",
        ]
    )
    document = report_of(suite)
    assert states(document) == {
        "known": [("eval", "known", "open")],
        "old": [("eval", "in the baseline", "open")],
        "grown": [("eval", "in the baseline", "open"), ("eval", None, "new")],
        "void": [("eval", None, "new")],
    }
    assert [one["path"] for one in document["run"]["baseline"]["gone"]] == ["src/void.py"]
    sarif = json.loads((suite.path / "a.sarif").read_text())
    results = sarif["runs"][0]["results"]
    assert sorted(one["baselineState"] for one in results) == ["new"] * 2 + ["unchanged"] * 3
    reasons = [one["suppressions"][0]["justification"] for one in results if one["suppressions"]]
    assert reasons == ["ours"]

    difference = ptc(suite, "diff", "old.json")
    assert difference.returncode == 1
    assert difference.stdout.splitlines()[:2] == [
        "new high src/grown.py:7 eval: eval in here",
        "new high src/void.py:8 eval: eval in here",
    ]
    assert ptc(suite, "diff", "old.json", run).returncode == 0
    # A commit is the last run at it; one without a run, and a word for nothing, are refused.
    at_commit = ptc(suite, "diff", "HEAD")
    assert (at_commit.returncode, suite.runs[-1].name in at_commit.stdout) == (0, True)
    assert ptc(suite, "diff", "nothing").returncode == 2
    check = ptc(suite, "known", "check")
    assert (check.returncode, check.stdout.splitlines()) == (
        1,
        [
            "2 eval in src/void.py: void, its line changed: ours",
            "known.yaml: 2 known, 1 void",
        ],
    )
    # Nothing is paid for where a list cannot be used.
    (suite.path / "known.yaml").write_text("- rule: x\n  untill: 2027-01-31\n")
    before = len(suite.runs)
    refused = suite.run("--ptc-known=known.yaml")
    refused.stderr.fnmatch_lines(["*known.yaml:2: entry 1: untill: unknown*did you mean until?"])
    for baseline in ("nowhere", "missing.json", "HEAD~9"):
        assert suite.run(f"--ptc-baseline={baseline}").ret == 4
    assert len(suite.runs) == before
