"""The check of one attempt's findings: refused or noted, and whether the change touches them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.model.changed_lines import ChangedFile, ChangedLines
from pytest_ptc.model.errors import VerdictError
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.verdict import Finding, Severity, Verdict, VerdictKind
from pytest_ptc.worker.places import Places

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.model.choices import GateOn

WRONG = Finding(severity=Severity.LOW, message="m", path="a.py", line=9)
RIGHT = replace(WRONG, line=2)


def fail(*findings: Finding) -> Verdict:
    return Verdict(verdict=VerdictKind.FAIL, summary="s", findings=findings)


@pytest.fixture
def spec(tmp_path: Path) -> TaskSpec:
    """A task in a directory with a file of two lines."""
    (tmp_path / "a.py").write_text("1\n2\n")
    return TaskSpec(nodeid="t.py::t", prompt="p", timeout=1.0, cwd=str(tmp_path))


def test_what_does_not_hold_is_refused_or_noted_as_the_task_says(spec: TaskSpec) -> None:
    """At the end of an attempt nobody can be asked again: there it is noted anyway."""
    with pytest.raises(VerdictError, match=r"a\.py has 2 lines, not 9"):
        Places(spec, spec.cwd).checked(fail(WRONG, RIGHT))
    lenient = Places(replace(spec, places="note"), spec.cwd)
    for noted in (lenient.checked, lenient.noted, Places(spec, spec.cwd).noted):
        wrong, right = noted(fail(WRONG, RIGHT)).findings
        assert (wrong.facts.misplaced, right.facts.misplaced) == ("a.py has 2 lines, not 9", "")


def test_what_was_looked_up_is_not_looked_up_again(spec: TaskSpec, tmp_path: Path) -> None:
    """An agent may change the file that its finding was about."""
    places = Places(spec, spec.cwd)
    checked = places.checked(fail(RIGHT))
    (tmp_path / "a.py").unlink()
    assert Places(spec, spec.cwd).noted(checked) == checked


@pytest.mark.parametrize(("mode", "touched"), [("added", False), ("context", True)])
def test_the_gate_asks_what_the_change_touches(spec: TaskSpec, mode: GateOn, touched: bool) -> None:
    """By the name in the repository; without a change nobody knows."""
    changed = ChangedLines(files={"a.py": ChangedFile(added=((1, 1),))})
    gated = replace(spec, gate_on=mode, base="x")
    (finding,) = Places(gated, spec.cwd, changed).checked(fail(RIGHT)).findings
    assert finding.facts.touched is touched
    (finding,) = Places(gated, spec.cwd).checked(fail(RIGHT)).findings
    assert finding.facts.touched is None


def test_a_verdict_counts_whatever_the_disk_is(
    spec: TaskSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what cannot be looked up, nothing is known."""
    places = Places(spec, spec.cwd)

    def broken(_: str) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(places._files, "look", broken)
    assert places.checked(fail(WRONG)) == fail(WRONG)
