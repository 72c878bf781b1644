"""A reviewer without a model: well-kept linters, on the lines that a pull request changes.

It runs in a worktree at the pull request's head. ruff looks at the quality, bandit at the security;
what they say of other lines is not this pull request's.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sized
from typing import Any

#: Rules of ruff, by their beginning: how bad a finding is, and what it is about.
RUFF = {"E9": "high", "F": "medium", "B": "medium", "PERF": "low", "C4": "low", "SIM": "info"}
BANDIT = {"LOW": "low", "MEDIUM": "medium", "HIGH": "high"}
BAD = {"medium", "high", "critical"}

Finding = dict[str, Any]


def changed_lines(base: str) -> dict[str, set[int]]:
    """Return the lines that were added or changed since a branch was left, by file."""
    text = run("git", "diff", "--unified=0", "--no-color", "--diff-filter=d", f"{base}...HEAD")
    lines: dict[str, set[int]] = {}
    path = ""
    for line in text.splitlines():
        if line.startswith("+++ b/"):
            path = line.removeprefix("+++ b/")
            lines[path] = set()
        elif match := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            start, count = int(match[1]), int(match[2] or 1)
            lines[path].update(range(start, start + count))
    return lines


def ruff(paths: list[str]) -> Iterator[Finding]:
    """Yield what ruff finds."""
    options = ["--isolated", "--no-cache", "--exit-zero", "--output-format=json"]
    rules = f"--select={','.join(RUFF)}"
    said = run(sys.executable, "-m", "ruff", "check", *options, rules, *paths)
    root = run("git", "rev-parse", "--show-toplevel").strip()
    for found in json.loads(said):
        code = found["code"] or "E999"
        severity = next(RUFF[start] for start in RUFF if code.startswith(start))
        yield {
            "severity": severity,
            "message": found["message"],
            "path": found["filename"].removeprefix(f"{root}/"),
            "line": found["location"]["row"],
            "rule": f"ruff/{code}",
        }


def bandit(paths: list[str]) -> Iterator[Finding]:
    """Yield what bandit finds."""
    said = run(sys.executable, "-m", "bandit", "--quiet", "--exit-zero", "--format=json", *paths)
    for found in json.loads(said)["results"]:
        yield {
            "severity": BANDIT[found["issue_severity"]],
            "message": found["issue_text"],
            "path": found["filename"].removeprefix("./"),
            "line": found["line_number"],
            "rule": f"bandit/{found['test_id']}-{found['test_name']}",
        }


def run(*words: str) -> str:
    """Return what a program prints; one that fails ends the review."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words[:4])}: {done.stderr.strip()[-500:]}")
    return done.stdout


def review() -> Finding:
    """Return the verdict on the worktree that this runs in."""
    changed = changed_lines("main")
    paths = sorted(path for path in changed if path.endswith(".py"))
    if not paths:
        return {"verdict": "skip", "summary": "The pull request changes no Python."}
    print(f"looking at {', '.join(paths)}", flush=True)
    findings = [
        finding
        for finding in (*ruff(paths), *bandit(paths))
        if finding["line"] in changed[finding["path"]]
    ]
    bad = [finding for finding in findings if finding["severity"] in BAD]
    summary = f"{_count(paths, 'changed file')}, {_count(findings, 'finding')} on changed lines"
    return {
        "verdict": "fail" if bad else "pass",
        "summary": f"{summary}, {len(bad)} of which must be fixed." if bad else f"{summary}.",
        "findings": findings,
        "data": {"files": len(paths)},
    }


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


if __name__ == "__main__":
    try:
        verdict = review()
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        verdict = {"verdict": "error", "summary": f"The changes could not be reviewed: {error}"}
    print(json.dumps(verdict))
