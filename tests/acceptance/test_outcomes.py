"""Every row of the outcome table, by pytest's own counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.marks import mark

if TYPE_CHECKING:
    from tests.support.suite import Suite


XFAIL = "@pytest.mark.xfail(strict=True)\n"
RECORDS = "record fail|--summary|two doors|--finding|high: front door|--finding|low: back\npass"
SCHEMA = ", schema={'type': 'object', 'required': ['n']}"
DATA = 'say {"verdict": "pass", "summary": "x", "data": {"n": 1}}'

#: What an agent does and the test is like, and what pytest shows of it.
ROWS = {
    # A recorded pass and a body that passes are a pass; a body may judge more strictly.
    "pass": (mark("pass well", "assert ptc.summary == 'well'", "", "ptc"), "PASSED"),
    "body": (mark("pass", "assert ptc.summary == 'something else'", "", "ptc"), "FAILED"),
    # A recorded fail is not taken back by a retry, and fails the test before its body.
    "fail": (mark("fail the door is open", "raise SystemError", ", retries=3"), "FAILED"),
    "skip": (mark("skip no such endpoint here"), "SKIPPED"),
    # Without the gate the body alone judges; trouble stays an error.
    "own_pass": (mark("fail x", "assert ptc.verdict == 'fail'", ", gate=False", "ptc"), "PASSED"),
    "own_fail": (mark("fail x", "assert ptc.passed", ", gate=False", "ptc"), "FAILED"),
    "own_trouble": (mark("exit 3", "pass", ", gate=False"), "ERROR"),
    # A canary is satisfied by a fail alone: not by a pass, nor by an agent that never answered.
    "caught": (XFAIL + mark("fail known defect"), "XFAIL"),
    "blind": (XFAIL + mark("pass looks good to me"), "FAILED"),
    "canary_trouble": (XFAIL + mark("exit 3"), "ERROR"),
    "canary_error": (XFAIL + mark("error could not look"), "ERROR"),
    # A verdict recorded with the command counts, with its findings; a fail beats a pass.
    "records": (mark(RECORDS, "assert len(ptc.findings) == 2", ", gate=False", "ptc"), "PASSED"),
    # Data that does not meet the marker's schema is a malformed verdict.
    "data": (mark(DATA, "assert ptc.data == {'n': 1}", SCHEMA, "ptc"), "PASSED"),
    "no_data": (mark("pass", keywords=SCHEMA), "ERROR"),
}


@pytest.mark.fault("two-records")
def test_each_verdict_and_body_have_their_outcome(suite: Suite) -> None:
    """And what is shown says why; nothing is asked again that has an answer."""
    suite.write(test_a="".join(text.replace("_it", f"_{name}") for name, (text, _) in ROWS.items()))
    result = suite.run("-v", "-rs")
    result.assert_outcomes(passed=4, failed=4, errors=4, skipped=1, xfailed=1)
    shown = [f"*::test_{name} {outcome}*" for name, (_, outcome) in ROWS.items()]
    result.stdout.fnmatch_lines_random(
        [
            *shown,
            "*ptc verdict: fail - the door is open*",
            "SKIPPED * test_a.py:*: no such endpoint here",
            "E * assert *",
            "*malformed verdict*data: None is not of type 'object'*",
        ]
    )
    assert "SystemError" not in result.stdout.str()
    assert len(suite.events("assigned")) == len(ROWS)


#: What an agent does, and the cause that its item has by that.
TROUBLES = {
    "error": ("error the database is down", "the database is down"),
    "no_verdict": ("say hello", "no verdict"),
    "malformed": ('say {"verdict": "pass"}', "malformed verdict"),
    "cut": ('say {"verdict": "pass", "summary":', "no verdict"),
    "exit": ("exit 3", "exit status 3"),
    "signal": ("die SIGSEGV", "SIGSEGV"),
    "pass_then_exit": ("pass fine\nexit 1", "contradicted"),
    "not_the_last_line": ("pass\nsay oh, one more thing", "no verdict"),
    "two_minds": ("record pass|--summary|ok\nskip no", "contradicted"),
    "hang": ("say working\nhang", "timeout"),
    "worker_killed": ("kill-worker", "worker lost"),
}


@pytest.mark.fault("agent-hangs", "no-verdict", "two-records")
def test_trouble_is_an_error_that_names_its_cause(suite: Suite) -> None:
    """Whatever keeps a valid verdict from being there is an error in set-up, never green."""
    suite.write(
        test_a="".join(
            mark(prompt, keywords=", timeout=1" if name == "hang" else "").replace(
                "_it", f"_{name}"
            )
            for name, (prompt, _) in TROUBLES.items()
        )
    )
    result = suite.run()
    result.assert_outcomes(errors=len(TROUBLES))
    for name, (_, cause) in TROUBLES.items():
        result.stdout.fnmatch_lines([f"*ERROR at setup of test_{name} *", f"ptc *{cause}*"])


def test_trouble_shows_what_was_last_seen(suite: Suite) -> None:
    """An error's report has the last lines that the agent printed, of both streams."""
    suite.write(test_a=mark("say looking at the door\ncomplain it is stuck\nexit 3"))
    result = suite.run()
    result.stdout.fnmatch_lines_random(["*looking at the door*", "*it is stuck*"])


def test_exit_status_as_verdict(suite: Suite) -> None:
    """Where the user asks for it, 0 is a pass, 1 a fail, anything else an error."""
    prompts = {
        "passed": ("exit 0", "pass yes\nexit 0"),
        "failed": ("exit 1", "fail no\nexit 0", "pass yes\nexit 1"),
        "error": ("exit 2",),
    }
    suite.write(
        test_a="".join(
            mark(prompt).replace("_it", f"_{outcome}_{number}")
            for outcome, several in prompts.items()
            for number, prompt in enumerate(several)
        )
    )
    result = suite.run("--ptc-verdict-from-exit", "-v")
    result.assert_outcomes(passed=2, failed=3, errors=1)
    for outcome, several in prompts.items():
        lines = [f"*::test_{outcome}_{n} {outcome.upper()}*" for n, _ in enumerate(several)]
        result.stdout.fnmatch_lines_random(lines)


def test_a_canary_is_not_satisfied_by_a_broken_fixture(suite: Suite) -> None:
    """A canary whose prompt could not be filled was given to nobody: that is an error."""
    suite.write(
        conftest="import pytest\n@pytest.fixture(scope='session')\n"
        "def base():\n    raise OSError('no port')\n",
        test_a="@pytest.mark.xfail(strict=True)\n" + mark("fail {base}"),
        test_b="@pytest.mark.xfail\n" + mark("fail {base}"),
    )
    result = suite.run()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*OSError: no port*"])


def test_needs_decide_who_comes_first_and_who_runs(suite: Suite) -> None:
    """A task runs after those it needs; if one of them does not pass it is an error."""
    suite.write(
        test_a=(
            "@pytest.mark.ptc('wait built\\npass', needs='test_build')\ndef test_use(): pass\n"
            "@pytest.mark.ptc('touch built\\npass')\ndef test_build(): pass\n"
            "@pytest.mark.ptc('fail no')\ndef test_broken(): pass\n"
            "@pytest.mark.ptc('pass', needs=['test_broken'])\ndef test_doomed(): pass\n"
        )
    )
    result = suite.run()
    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*needs unmet*test_a.py::test_broken*"])


def test_trouble_is_retried_as_often_as_asked(suite: Suite) -> None:
    """`retries` gives a crashed task another attempt, and the summary counts it."""
    suite.write(test_a=mark("first crashed kill-worker\npass", keywords=", retries=1"))
    result = suite.run()
    result.assert_outcomes(passed=1)
    assert [event["attempt"] for event in suite.events("ended")] == [1, 2]
    result.stdout.fnmatch_lines(["*1 retry*"])


def test_what_an_agent_recorded_before_it_broke_counts(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that raises has not taken back its verdict, nor held up its worker's start."""
    (suite.path / "breaking.py").write_text(
        "from pytest_ptc.model.result import Verdict, VerdictKind\n"
        "from pytest_ptc.verdicts.recording import Record\n\n\n"
        "class Breaking:\n"
        "    name = 'breaking'\n\n"
        "    async def prepare(self, spec):\n"
        "        raise RuntimeError('not ready')\n\n"
        "    async def run(self, job):\n"
        "        if job.spec.prompt != 'nothing':\n"
        "            kind = VerdictKind(job.spec.prompt)\n"
        "            verdict = Verdict(verdict=kind, summary='seen')\n"
        "            job.journal.record(Record(call='1', verdict=verdict))\n"
        "        raise RuntimeError('worn out')\n\n"
        "    async def close(self):\n"
        "        pass\n\n\n"
        "def make(config, environ):\n"
        "    return Breaking()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(suite.path))
    suite.write(
        test_a="@pytest.mark.ptc('pass')\ndef test_pass(): pass\n"
        "@pytest.mark.ptc('fail')\ndef test_fail(): pass\n"
        "@pytest.mark.ptc('nothing')\ndef test_nothing(): pass\n"
    )
    monkeypatch.syspath_prepend(suite.path)
    result = suite.run("--ptc-agent=breaking:make")
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*machinery - agent breaking raised RuntimeError('worn out')*"])


def test_a_launch_file_that_cannot_be_used_is_named(suite: Suite) -> None:
    """By each item that has no worker for it, with what is wrong with the file."""
    (suite.path / "conftest.py").write_text(
        "from pathlib import Path\n\n"
        "from pytest_ptc.hosts.process import ProcessHost\n\n\n"
        "class Spoiling(ProcessHost):\n"
        "    name = 'spoiling'\n\n"
        "    def start(self, plan):\n"
        "        Path(plan.argv[-1]).write_text('{}')\n"
        "        return super().start(plan)\n\n\n"
        "def pytest_ptc_make_host(config, settings, run_id):\n"
        "    return Spoiling()\n"
    )
    suite.write(test_a="@pytest.mark.ptc('pass')\ndef test_a(): pass\n")
    result = suite.run()
    result.assert_outcomes(errors=1)
    problem = "not valid: Object missing required field `worker`"
    result.stdout.fnmatch_lines(["ptc error: no workers - *", f"  | *launch.json: {problem}"])
