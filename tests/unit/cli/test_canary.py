"""`ptc canary make`: proposals are printed, and written beside the reviewed tree, never into it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from pytest_ptc.cli.main import REFUSED, main

SOURCE = """\
def total(lines, most):
    if not lines:
        raise ValueError("no line")
    return sum(lines) <= most and len(lines) < most
"""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with code to review, which is the current one."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src/orders.py").write_text(SOURCE)
    (tmp_path / "src/other.py").write_text("X = 1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_proposals_have_a_diff_and_what_to_expect(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same for the same seed; nothing is written."""
    assert main(["canary", "make", "src", "--rule", "off-by-one", "--seed", "7"]) == 0
    first = capsys.readouterr().out
    assert "1. off-by-one in src/orders.py:4: " in first
    assert "\n-    return sum(lines) <= most and len(lines) < most\n+" in first
    assert 'expect={"path": "src/orders.py", "line": 4, "rule": "off-by-one", "message": ' in first
    assert "1 of 12: no more can be planted here" in first
    assert main(["canary", "make", "src", "--rule", "off-by-one", "--seed", "7"]) == 0
    assert capsys.readouterr().out == first
    assert sorted(path.name for path in tree.rglob("*")) == ["orders.py", "other.py", "src"]


@pytest.mark.usefixtures("tree")
def test_a_suite_has_a_tree_for_each_defect(capsys: pytest.CaptureFixture[str]) -> None:
    """Its module can be imported, and no name in it tells what is planted."""
    assert main(["canary", "make", "src", "--count", "2", "--write", "judge"]) == 0
    assert "wrote judge: run it with `pytest judge --ptc-workers=N`" in capsys.readouterr().out
    module = runpy.run_path("judge/test_judge.py")
    (mark,) = [one for one in module["test_judge"].pytestmark if one.name == "parametrize"]
    params = mark.args[1]
    assert [param.id for param in params] == ["01", "02"]
    for param in params:
        (canary,) = param.marks
        assert canary.kwargs["expect"]["path"] == param.values[1] == "src/orders.py"
        planted = Path("judge/trees", param.values[0])
        assert (planted / "src/orders.py").read_text() != SOURCE
        assert (planted / "src/other.py").read_text() == "X = 1\n"
    assert Path("src/orders.py").read_text() == SOURCE
    assert runpy.run_path("judge/conftest.py")["collect_ignore"] == ["trees"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["src", "--rule", "nope"], "--rule 'nope': unknown; known are removed-check"),
        (["src", "--count", "0"], "--count: must be 1 or more, not 0"),
        (["src", "--prompt", "Review it."], "--prompt: does not name {path}"),
        (["nope.py"], "nope.py: is no file"),
        (["nope"], "nope: is no file"),
        (["../x.py"], "is not below"),
        (["src/other.py"], "nothing in 1 files can be mutated"),
        (["src", "--write", "src"], "--write src: is there already; name a new directory"),
        (["src", "--write", "src/judge"], "--write src/judge: is within src, which is reviewed"),
    ],
)
@pytest.mark.usefixtures("tree")
def test_what_cannot_be_done_is_refused(
    words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is written."""
    assert main(["canary", "make", *words]) == REFUSED
    assert problem in capsys.readouterr().err
