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


@pytest.mark.slow
def test_a_real_linter_needs_no_wrapper(linted: Suite) -> None:
    """Its exit status and its file are the verdict; a status of 0 leaves it to `fail_on`."""
    result = linted.run(RUFF, *FINDINGS)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*dirty.py:1*F401*", "*dirty.py:2*S307*"])
    zero = RUFF.replace("--isolated", "--isolated --exit-zero")
    linted.run(zero, *FINDINGS).assert_outcomes(passed=2)
    linted.run(zero, *FINDINGS, "--ptc-fail-on=high").assert_outcomes(passed=1, failed=1)


#: What programs do that leave no file of findings of their own.
LEAVE_NONE = {
    "missing": "pass",
    "empty": "open('empty.sarif', 'w').close()",
    "link": "import os; os.symlink('other.sarif', 'link.sarif')",
    "fifo": "import os; os.mkfifo('fifo.sarif')",
    "prints": 'print(\'{"verdict": "pass", "summary": "fine"}\')',
    "records": "import subprocess; subprocess.run(['ptc', 'record', 'pass', 'fine'], check=True)",
    # A valid one was there before.
    "stale": "pass",
}


def test_without_a_file_of_the_attempt_nothing_passes(suite: Suite) -> None:
    """Missing, empty, a link, a FIFO, stale; whatever else the program recorded."""
    suite.write(
        test_a="@pytest.mark.ptc('Lint.', findings='sarif:{name}.sarif')\n"
        f"@pytest.mark.parametrize('name', {list(LEAVE_NONE)})\ndef test_a(name): pass"
    )
    valid = '{"version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": []}]}'
    for name in ("other", "stale"):
        (suite.path / f"{name}.sarif").write_text(valid)
    for name, does in LEAVE_NONE.items():
        (suite.path / f"{name}.py").write_text(does)
    suite.run("--ptc-command={python} {cwd}/{name}.py").assert_outcomes(errors=len(LEAVE_NONE))


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("fail", "failed"), pytest.param("pass", "passed", marks=pytest.mark.slow)],
)
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
