"""The example suites, as a reader runs them: on five workers, without a login."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.suite import WITHOUT

SUITES = Path(__file__).parents[2] / "example_suites"


def run(suite: Path, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on a suite, with nothing of whoever runs these tests."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith(("PTC_", "CLAUDE"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--ptc-workers=5", *WITHOUT, *args],
        cwd=suite,
        env={**kept, "CLAUDE_CONFIG_DIR": str(suite / ".claude"), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def copied(name: str, to: Path) -> Path:
    """Return a copy of a suite: a run leaves its journal there."""
    ignore = shutil.ignore_patterns(".pytest_cache", "__pycache__", "many")
    return Path(shutil.copytree(SUITES / name, to / name, ignore=ignore))


def verdicts(suite: Path) -> dict[str, dict[str, object]]:
    """Return the verdicts of the last run, by what the node id ends with."""
    *_, last = sorted((suite / ".pytest_cache/d/ptc/runs").iterdir())
    events = map(json.loads, (last / "journal.jsonl").read_text().splitlines())
    return {event["task"]: event["verdict"] for event in events if event["event"] == "ended"}


@pytest.mark.slow
def test_code_review(tmp_path: Path) -> None:
    """Four pull requests pass; the CVE and two more planted defects are found, clean edits pass."""
    suite = copied("code_review", tmp_path)
    done = run(suite)
    assert "10 passed" in done.stdout, done.stdout + done.stderr
    readme = (suite / "README.md").read_text()
    (judge,) = [line.strip() for line in readme.splitlines() if line.strip().startswith("judge: ")]
    assert judge == "judge: 3 of 3 planted defects found, 0 of 3 controls failed"
    assert f"\n{judge}\n" in done.stdout
    failed = [found for found in verdicts(suite).values() if found["verdict"] == "fail"]
    findings = [one for found in failed for one in found["findings"]]  # type: ignore[attr-defined]
    found = sorted((one["path"], one) for one in findings if one["severity"] == "medium")
    assert [path for path, _ in found] == [
        *("joblib/_store_backends.py", "joblib/memory.py", "joblib/parallel.py")
    ]
    cve = found[-1][1]
    # In the release that was reviewed, whose worktree is gone by now.
    assert cve.pop("facts")["anchor"]
    assert cve == {
        "severity": "medium",
        "message": "Use of possibly insecure function - consider using safer ast.literal_eval.",
        "path": "joblib/parallel.py",
        "line": 1015,
        "rule": "bandit/B307-blacklist",
    }
    again = run(suite, "--ptc-resume")
    assert "10 verdicts of run" in again.stdout, again.stdout
    repository = suite / ".pytest_cache/d/code_review/joblib"
    line = ["git", "-C", str(repository), "worktree", "list"]
    listed = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert len(listed.splitlines()) == 1


@pytest.mark.slow
def test_a_blind_reviewer_fails_the_run(tmp_path: Path) -> None:
    """The canaries are what tells a reviewer that looks from one that does not."""
    suite = copied("code_review", tmp_path)
    verdict = {"verdict": "pass", "summary": "All fine.", "data": {"files": 1}}
    (suite / "reviewer.py").write_text(f"print({json.dumps(json.dumps(verdict))})\n")
    done = run(suite)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "judge: 0 of 3 planted defects found, 0 of 3 controls failed" in done.stdout
    assert "3 failed, 7 passed" in done.stdout


@pytest.mark.slow
def test_file_processing(tmp_path: Path) -> None:
    """Five files pass and two canaries are found; many files are only more of the same."""
    suite = copied("file_processing", tmp_path)
    assert "5 passed, 2 xfailed" in run(suite).stdout
    made = [sys.executable, str(suite / "make_files.py"), "12"]
    subprocess.run(made, check=True, capture_output=True)
    (suite / "many/words_004.py").write_text("def f(x={}): pass\n")
    done = run(suite, FILES="many/*.py")
    assert "11 passed" in done.stdout
    assert "high many/words_004.py:1 shared-default" in done.stdout
