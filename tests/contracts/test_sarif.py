"""SARIF is what Microsoft's multitool takes, with the rules of GitHub's code scanning."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.model.verdict import Excuse
from pytest_ptc.reporting.formats.sarif import sarif
from tests.support.documents import Item, finding, run_of
from tests.support.npm import installed

if TYPE_CHECKING:
    from pathlib import Path


def errors_in(made: dict[str, Any], folder: Path) -> list[str]:
    """Return the rules that a SARIF file breaks, by the multitool."""
    tool = folder / "multitool"
    # Its package's own script would make it executable; no script of a package is run.
    shutil.copytree(installed("sarif-multitool") / "@microsoft/sarif-multitool-linux", tool)
    (tool / "Sarif.Multitool").chmod(0o755)
    file, answer = folder / "made.sarif", folder / "answer.sarif"
    file.write_text(json.dumps(made))
    rules = ("--rule-kind", "Sarif;Ghas", "--log", "ForceOverwrite")
    line = [str(tool / "Sarif.Multitool"), "validate", str(file), "--output", str(answer), *rules]
    subprocess.run(line, check=False, stdout=subprocess.DEVNULL, timeout=60)
    shutil.rmtree(tool)
    results = json.loads(answer.read_text(encoding="utf-8-sig"))["runs"][0].get("results", [])
    # What the format leaves out is a warning.
    return [one["ruleId"] for one in results if one.get("level", "warning") == "error"]


@pytest.mark.slow
def test_every_state_of_a_finding_is_taken(tmp_path: Path) -> None:
    """Known, refuted and outvoted ones are suppressed; and what is wrong would be told."""
    excused = [
        finding("high", path="a.py", line=number, rule="r", facts={"excuse": excuse, "why": "w"})
        for number, excuse in enumerate(Excuse, 1)
    ]
    findings = (finding("critical", path="b.py", line=3, rule="sql"), finding("low"), *excused)
    made = sarif(run_of(Item("t.py::a", "failed", "fail", findings), Item("t.py::b", "error")))
    assert errors_in(made, tmp_path) == []
    made["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = -1
    assert errors_in(made, tmp_path) != []
