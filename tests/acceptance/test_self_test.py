"""A run that tests its judge: outcomes, rates, and an agent that cannot tell a test from work."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.reported import report_of

if TYPE_CHECKING:
    from tests.support.suite import Suite

CANARY = "@pytest.mark.ptc_canary(expect={'path': 'src/x.py', 'rule': 'eval'})\n"
CONTROL = "@pytest.mark.ptc_control\n"


def says(kind: str, path: str | None = None, rule: str = "eval") -> str:
    """Return the prompt that has the scripted agent record this verdict."""
    finding = {"severity": "high", "message": "m", "path": path, "line": 3, "rule": rule}
    findings = [finding] if path is not None else []
    return f"say {json.dumps({'verdict': kind, 'summary': 's', 'findings': findings})}"


def item(name: str, prompt: str, marks: str = "", body: str = "pass") -> str:
    """Return a marked test."""
    return f"{marks}@pytest.mark.ptc({prompt!r})\ndef test_{name}(ptc): {body}\n"


LOOK = (
    "sh env > seen-env.txt; cat .claude/tasks/*/*.json > seen-list.txt;"
    " cat $PTC_ATTEMPT_FOLDER/task.json > seen-task.txt\n"
)
TESTS = (
    item("found", LOOK + says("fail", "src/x.py"), CANARY, "assert not ptc.findings")
    + item("missed", says("fail", "src/y.py"), CANARY)
    + item("blind", says("pass"), CANARY)
    + item("unjudged", "skip no time", CANARY)
    + item("cleared", says("pass"), CONTROL, "open('ran', 'w').close()")
    + item("refused", says("fail", "src/x.py"), CONTROL)
)
WORK = item("work", says("pass"))


@pytest.mark.parametrize("rates", [True, False])
def test_a_judge_is_tested_and_does_not_know(suite: Suite, rates: bool) -> None:
    """With minimum rates a miss is expected, and all of them together make the run red."""
    suite.write(test_planted=TESTS + WORK)
    minimums = ("--ptc-min-catch=0.8", "--ptc-max-false-alarm=0.5") if rates else ()
    result = suite.run("--ptc-exit-codes", *minimums)
    # A canary's body does not run; a control's does.
    assert (suite.path / "ran").exists()
    wrong = {"xfailed": 3} if rates else {"failed": 3}
    result.assert_outcomes(passed=3, errors=1, **wrong)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    names = [f"test_planted.py::test_{name}" for name in ("missed", "blind", "refused", "unjudged")]
    line = (
        "judge: 1 of 4 planted defects found, 1 of 2 controls failed; "
        f"missed: {names[0]}, {names[1]}; failed: {names[2]}; not judged: {names[3]}"
    )
    result.stdout.fnmatch_lines([line])
    told = report_of(suite)
    assert told["judge"]["text"] == line
    blind = "ptc: not green: blind judge: 1 of 4 planted defects found, --ptc-min-catch=0.8 asks *"
    if rates:
        result.stdout.fnmatch_lines([blind])
        assert told["run"]["why_not_successful"].startswith("blind judge: 1 of 4")
    else:
        result.stdout.no_fnmatch_line("*blind judge*")
        result.stdout.fnmatch_lines(
            ["*ptc verdict: fail - planted defect missed: no finding names src/x.py eval*"]
        )
    for name in ("env", "list", "task"):
        seen = (suite.path / f"seen-{name}.txt").read_text()
        assert "item " in seen
        assert not [word for word in ("planted", "canary", "control", "eval_") if word in seen]


def test_bad_markers_name_test_field_and_fix_before_anything_starts(suite: Suite) -> None:
    """All of them at once; and a Markdown suite says the line."""
    canary = "@pytest.mark.ptc_canary"
    suite.write(
        test_a=item("both", "pass", CANARY + CONTROL)
        + item("xfail", "pass", CANARY + "@pytest.mark.xfail\n")
        + item("none", "pass", f"{canary}\n")
        + item("known", "pass", f"{canary}(expect={{'path': 'x', 'rules': 'y'}})\n")
        + item("argument", "pass", "@pytest.mark.ptc_control(3)\n")
        + f"{CONTROL}def test_alone(): pass\n"
    )
    result = suite.run("test_a.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines_random(
        [
            "*::test_both: ptc_canary: stands beside ptc_control;*remove one",
            "*::test_xfail: ptc_canary: stands beside xfail,*; remove xfail",
            "*::test_none: ptc_canary: takes expect=*",
            "*::test_known: ptc_canary: expect: rules: unknown key; known are path, rule,*",
            "*::test_argument: ptc_control: takes no argument; leave them out",
            "*::test_alone: ptc_control: the test has no marker ptc*; add @pytest.mark.ptc",
        ]
    )
    assert suite.runs == []


@pytest.mark.slow
def test_markdown_reruns_selection_and_resume(suite: Suite) -> None:
    """A missed defect is not asked about again; what is left out is no test."""
    pytest.importorskip("pytest_rerunfailures")
    prompt = says("fail", "src/x.py").replace("src/x.py", "{path}")
    (suite.path / "planted.ptc.md").write_text(
        "---\neach:\n- {path: a.py, rule: eval}\n- {path: b.py, rule: exec}\n"
        f'canary: {{path: "{{path}}", rule: "{{rule}}"}}\n---\n{prompt}\n'
        "sh echo $PTC_PARAMS >> $XDG_STATE_HOME/params\n"
    )
    (suite.path / "clean.ptc.md").write_text("---\ncontrol: true\n---\npass\n")
    suite.write(test_a=WORK)
    suite.commit()
    state = Path(os.environ["XDG_STATE_HOME"])
    state.mkdir(mode=0o700, exist_ok=True)
    result = suite.run("--reruns=2")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        ["judge: 1 of 2 planted defects found, 0 of 1 control failed; missed: planted.ptc.md::b*"]
    )
    assert sorted(state.joinpath("params").read_text().split("\n")) == [
        "",
        '{"path": "a.py"}',
        '{"path": "b.py"}',
    ]
    alone = suite.run("--ptc-min-catch=0.5", "--ptc-exit-codes", "-k", "work")
    assert alone.ret == 10
    alone.stdout.fnmatch_lines(["*no planted defect (ptc_canary) is selected;*"])
    assert suite.run("--ptc-min-catch=0.5", "-k", "nothing").ret == 5
    # All of the last whole run is kept; and as soon as one item is judged, the judge is tested.
    suite.run()
    kept = suite.run("--ptc-resume")
    kept.stdout.fnmatch_lines(["4 verdicts of run * kept*"])
    suite.run("-k", "not work")
    again = suite.run("--ptc-resume")
    again.stdout.fnmatch_lines(["*the judge is tested in each run in which it judges*"])
