"""The findings of a linter, in a SARIF file that it writes in its attempt."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.suite import Suite

RUFF = (
    f"--ptc-command={sys.executable} -m ruff check --isolated --no-cache --select F401,S307 "
    "--output-format sarif --output-file {name}.sarif {name}.py"
)
TESTS = """
@pytest.mark.parametrize("name", ["clean", "dirty"])
@pytest.mark.ptc("Lint {name}.")
def test_it(name): pass
"""


@pytest.fixture
def linted(suite: Suite) -> Suite:
    """A suite with a clean file and one with two findings."""
    suite.write(test_a=TESTS)
    (suite.path / "clean.py").write_text("x = 1\n")
    (suite.path / "dirty.py").write_text("import os\nx = eval('1')\n")
    return suite


FINDINGS = ("-o", "ptc_findings=sarif:{name}.sarif")


def test_a_real_linter_needs_no_wrapper(linted: Suite) -> None:
    """Its exit status and its file are the verdict; a status of 0 leaves it to `fail_on`."""
    result = linted.run(RUFF, *FINDINGS)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*dirty.py:1*F401*", "*dirty.py:2*S307*"])
    zero = RUFF.replace("--isolated", "--isolated --exit-zero")
    linted.run(zero, *FINDINGS).assert_outcomes(passed=2)
    linted.run(zero, *FINDINGS, "--ptc-fail-on=high").assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize(
    "does",
    [
        "pass",
        "open('out.sarif', 'w').close()",
        "import os; os.symlink('other.sarif', 'out.sarif')",
        "import os; os.mkfifo('out.sarif')",
        'print(\'{"verdict": "pass", "summary": "fine"}\')',
        "import subprocess; subprocess.run(['ptc', 'record', 'pass', 'fine'], check=True)",
    ],
)
def test_without_a_file_of_the_attempt_nothing_passes(suite: Suite, does: str) -> None:
    """Missing, empty, a link, a FIFO; whatever else the program recorded."""
    suite.write(test_a="@pytest.mark.ptc('Lint.', findings='sarif:out.sarif')\ndef test_a(): pass")
    valid = '{"version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": []}]}'
    (suite.path / "other.sarif").write_text(valid)
    (suite.path / "a.py").write_text(does)
    suite.run("--ptc-command={python} a.py").assert_outcomes(errors=1)
    # Stale: a valid one that was there before.
    (suite.path / "out.sarif").unlink(missing_ok=True)
    (suite.path / "out.sarif").write_text(valid)
    (suite.path / "a.py").write_text("pass")
    suite.run("--ptc-command={python} a.py").assert_outcomes(errors=1)


@pytest.mark.parametrize(("kind", "outcome"), [("pass", "passed"), ("fail", "failed")])
def test_a_printed_verdict_and_the_file_both_count(linted: Suite, kind: str, outcome: str) -> None:
    """The worse one wins, and the findings are there with either."""
    verdict = f'{{"verdict": "{kind}", "summary": "own words"}}'
    wrapped = RUFF.replace("--ptc-command=", "").replace("{name}", "dirty")
    (linted.path / "lint.sh").write_text(f"{wrapped} --exit-zero\necho '{verdict}'\n")
    command = ("--ptc-command=sh lint.sh", "-k", "dirty", *FINDINGS)
    linted.run(*command).assert_outcomes(**{outcome: 1})
    linted.run(*command, "--ptc-fail-on=low").assert_outcomes(failed=1)


def test_two_tasks_do_not_share_a_file(linted: Suite) -> None:
    """Nobody would know whose findings it has."""
    assert linted.run(RUFF, "-o", "ptc_findings=sarif:out.sarif").ret == 4
    assert not linted.runs
