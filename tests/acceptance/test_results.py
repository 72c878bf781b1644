"""`ptc results`: what became of a run's items, of runs that ended, are active, or were killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.cli.main import main
from pytest_ptc.cli.results import MAX_BYTES
from pytest_ptc.journal.keys import journal_key
from tests.support.documents import events_from
from tests.support.journals import write_story
from tests.support.programs import ptc
from tests.support.runs import HANGS, start, until
from tests.support.samples import RUN_ID, events_of

if TYPE_CHECKING:
    from tests.support.suite import Suite


def test_results_of_a_run_that_ended(suite: Suite) -> None:
    """A line an item in the order of collection, under the name of its parameter; status 0."""
    suite.write(
        test_a="SAID = {'b.txt': 'fail Broken. See there.', 'a.txt': 'pass 4 samples.'}\n"
        "@pytest.mark.parametrize(('file', 'said'), SAID.items(), ids=SAID)\n"
        "@pytest.mark.ptc('{said}')\n"
        "def test_file(file, said, ptc): pass\n"
    )
    # What took longest is submitted first.
    durations = suite.path / ".pytest_cache/v/ptc/durations"
    durations.parent.mkdir(parents=True)
    durations.write_text('{"test_a.py::test_file[a.txt]": 9.0, "test_a.py::test_file[b.txt]": 1.0}')
    suite.run().assert_outcomes(passed=1, failed=1)
    submitted = [event["spec"]["nodeid"] for event in suite.events("submitted")]
    assert submitted[0] == "test_a.py::test_file[a.txt]"
    printed = ptc(suite, "results")
    assert printed.returncode == 0, printed.stderr
    first, second, totals = printed.stdout.splitlines()
    assert [first, second] == ["FAIL b.txt  Broken", "pass a.txt  4 samples"]
    assert totals.startswith("2: 1 pass, 1 fail, ")
    assert totals.endswith(f" s, run {suite.runs[0].name.rpartition('-')[2]}")
    verbose = ptc(suite, "results", suite.runs[0].name[-4:], "-v").stdout
    assert verbose.splitlines()[0] == "FAIL b.txt  Broken. See there."
    lines = [json.loads(line) for line in ptc(suite, "results", "--json-lines").stdout.splitlines()]
    assert [line.get("verdict") for line in lines] == ["fail", "pass", None]
    assert lines[0]["params"] == {"file": "b.txt", "said": "fail Broken. See there."}
    assert lines[-1]["successful"] is False
    refused = ptc(suite, "results", "nowhere")
    assert refused.returncode == 2
    assert "no run has an id that ends in" in refused.stderr


@pytest.mark.slow
def test_results_of_a_run_that_is_active_and_of_one_that_was_killed(suite: Suite) -> None:
    """What is not judged yet is no shortfall of an active run, and one of a killed run."""
    suite.write(test_a="@pytest.mark.ptc('pass')\ndef test_done(ptc): pass\n" + HANGS)
    run = start(suite)
    until(lambda: "pass test_done" in ptc(suite, "results").stdout, "the first item's outcome")
    done, hangs, totals = ptc(suite, "results").stdout.splitlines()
    assert (done, hangs) == ("pass test_done  so it is", "running test_hangs")
    assert totals.startswith("2: 1 pass, 1 running, run ")
    assert totals.endswith(", active")
    run.kill()
    run.communicate(timeout=30)
    until(lambda: not suite.processes(), "the end of all processes", 10)
    killed = ptc(suite, "results")
    assert killed.returncode == 0
    done, hangs, why, totals = killed.stdout.splitlines()
    assert hangs == "NOT DONE test_hangs  not judged: the run was over first"
    assert why.startswith("not successful: ")
    assert "active" not in totals
    ptc(suite, "clean")


@pytest.mark.slow
def test_many_results_are_bounded_unless_all_are_asked_for(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worst come first, and the last line but one says how to see the rest."""
    folder = suite.path / ".pytest_cache/d/ptc/runs" / RUN_ID
    folder.mkdir(parents=True, mode=0o700)
    began, *others = events_of(800, 2000)
    told = events_from([{**began, "scratch": str(suite.path / "scratch")}, *others])
    write_story(folder, told, journal_key(os.environ))
    monkeypatch.chdir(suite.path)
    assert main(["results"]) == 0
    printed = capsys.readouterr().out
    assert len(printed.encode()) <= MAX_BYTES
    assert printed.startswith("FAIL ")
    assert printed.splitlines()[-2].endswith(f"rest: ptc results {RUN_ID[-5:]} --all")
    assert main(["results", "--all"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 801
    line = [sys.executable, "-m", "pytest_ptc.cli", "results", "--all", "-v"]
    with subprocess.Popen(
        line, cwd=suite.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as printing:
        assert printing.stdout is not None
        assert printing.stderr is not None
        printing.stdout.close()
        assert printing.stderr.read() == b""
    assert printing.returncode == 1


def test_what_an_output_cannot_encode_is_escaped(suite: Suite) -> None:
    """A terminal without Unicode gets the results as well."""
    suite.write(test_a="@pytest.mark.ptc('pass \u4e2d')\ndef test_it(ptc): pass\n")
    suite.run().assert_outcomes(passed=1)
    line = [sys.executable, "-m", "pytest_ptc.cli", "results"]
    plain = {**os.environ, "PYTHONIOENCODING": "ascii"}
    printed = subprocess.run(line, cwd=suite.path, capture_output=True, check=True, env=plain)
    assert printed.stdout.splitlines()[0] == b"pass test_it  \\u4e2d"
