"""One suite judged in shards by several jobs, and one report of what they say."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema

from pytest_ptc.cli.main import main
from tests.support.reported import SCHEMA

if TYPE_CHECKING:
    import pytest

    from tests.support.suite import Suite

TESTS = """
@pytest.mark.ptc("pass")
def test_pass(): pass
@pytest.mark.ptc("fail as it is")
def test_fail(): pass
def test_unmarked(): pass
"""


def test_each_job_judges_its_part_and_one_report_tells_of_all(
    suite: Suite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A part without tests is green, and has a journal; a fail of one job is that of all."""
    suite.write(test_a=TESTS)
    suite.commit()
    statuses = []
    for shard in ("1/3", "2/3", "3/3"):
        result = suite.run(f"--ptc-shard={shard}", "--ptc-require=all", "-k", "not unmarked")
        statuses.append(int(result.ret))
        (taken,) = suite.events("shard")
        assert taken["nodeids"] == ["test_a.py::test_pass", "test_a.py::test_fail"]
        assert taken["shards"] == [2, 1]
        result.stdout.fnmatch_lines([f"ptc: shard {shard}: ? of 2 marked tests"])
    assert statuses == [1, 0, 0]
    (end,) = suite.events("session ended")
    assert (end["exit_status"], end["nothing_to_judge"]) == (0, 1)

    # As a later job has them: two in a folder, one as it was packed.
    jobs = tmp_path / "elsewhere" / "jobs"
    first, second, third = suite.runs
    for run in (first, second):
        shutil.copytree(run, jobs / run.name)
    packed = shutil.make_archive(str(jobs / "third"), "zip", third.parent, third.name)
    journals = [str(jobs / second.name), str(jobs / first.name), packed]
    monkeypatch.chdir(suite.path)
    capsys.readouterr()
    made, shown = jobs / "all.json", jobs / "all.html"
    words = ["--json", str(made), "--html", str(shown)]
    assert main(["report", "--merge", *journals, *words]) == 1
    told = json.loads(made.read_text())
    jsonschema.validate(told, SCHEMA)
    assert [(task["nodeid"], task["outcome"]) for task in told["tasks"]] == [
        ("test_a.py::test_fail", "failed"),
        ("test_a.py::test_pass", "passed"),
    ]
    assert [one["run"] for one in told["run"]["shards"]] == [run.name for run in suite.runs]
    links = re.findall(r'href="([^"]*/attempts/[^"]*)"', shown.read_text())
    assert sorted(Path(jobs / link).resolve().parts[-3] for link in links) == [
        first.name,
        second.name,
    ]
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in out[:2]] == [["pass", "test_pass"], ["FAIL", "test_fail"]]

    assert main(["report", "--merge", *journals[:2], *words]) == 2
    assert "no run is of shard 3/3" in capsys.readouterr().err
    assert not made.exists()
    monkeypatch.setenv("PTC_JOURNAL_KEY", "another job's key, which is no secret")
    assert main(["report", "--merge", *journals]) == 2
    assert "set the same PTC_JOURNAL_KEY for both" in capsys.readouterr().err
