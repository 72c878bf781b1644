"""Verdicts of several runs on the same input: named when a run ends, and by `ptc stats`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytest_ptc.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.support.suite import Suite

#: One that passes if a folder that no file of the project is about is there, and one that passes.
TESTS = """
@pytest.mark.ptc(
    '''sh W=$(test -d "$WHIM" && echo pass || echo fail); '''
    '''echo '{"verdict": "'$W'", "summary": "-"}' '''
)
def test_whim(): pass
@pytest.mark.ptc('pass')
def test_firm(): pass
"""


def test_a_verdict_that_differs_on_the_same_input_is_named(
    suite: Suite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the run that ends, with the run that said otherwise; and in the statistics of all runs."""
    whim = tmp_path / "elsewhere" / "whim"
    whim.mkdir(parents=True)
    monkeypatch.setenv("WHIM", str(whim))
    suite.write(test_a=TESTS)
    suite.commit()
    suite.run().assert_outcomes(passed=2)
    first = suite.runs[-1].name
    whim.rmdir()
    result = suite.run()
    result.assert_outcomes(passed=1, failed=1)
    line = f"flaky test_a.py::test_whim: fail; the same input: pass in run {first}"
    result.stdout.fnmatch_lines([line])

    capsys.readouterr()
    monkeypatch.chdir(suite.path)
    assert main(["stats", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (one,) = told["suites"]
    assert [run.name for run in suite.runs] == told["runs"]
    assert (one["items"], one["judgements"], one["repeats"], one["flips"]) == (2, 4, 2, 1)
    assert one["flaky"] == [
        {
            "nodeid": "test_a.py::test_whim",
            "verdicts": [
                {"run": first, "verdict": "pass"},
                {"run": told["runs"][1], "verdict": "fail"},
            ],
        }
    ]
    assert main(["stats"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  the same input judged again: 2 times, 1 flip (50.0%), agreement alpha 0.00" in lines
