"""Every row of the outcome table, by pytest's own counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.marks import mark

if TYPE_CHECKING:
    from tests.support.suite import Suite


def test_pass_with_a_passing_body_passes(suite: Suite) -> None:
    """A recorded pass and a body that passes are a passed test."""
    suite.write(test_a=mark("pass all well", "assert ptc.summary == 'all well'", "", "ptc"))
    suite.run().assert_outcomes(passed=1)


def test_fail_is_a_failure_in_the_call_phase(suite: Suite) -> None:
    """A recorded fail fails the test before its body, and the report says why first."""
    suite.write(test_a=mark("fail the door is open", "raise SystemError"))
    result = suite.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ptc verdict: fail - the door is open*"])
    assert "SystemError" not in result.stdout.str()


def test_skip_is_skipped_with_the_summary(suite: Suite) -> None:
    """A recorded skip skips the test, with the summary as reason and the test's own place."""
    suite.write(test_a=mark("skip no such endpoint here"))
    result = suite.run("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED * test_a.py:2: no such endpoint here"])


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


def test_a_body_that_fails_fails(suite: Suite) -> None:
    """A body may judge more strictly than the verdict."""
    body = "assert ptc.summary == 'something else'"
    suite.write(test_a=mark("pass", body, "", "ptc"))
    result = suite.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * assert *"])


def test_without_the_gate_the_body_alone_judges(suite: Suite) -> None:
    """`gate=False` hands even a fail to the body; trouble stays an error."""
    suite.write(
        test_a=mark("fail x", "assert ptc.verdict == 'fail'", ", gate=False", "ptc"),
        test_b=mark("fail x", "assert ptc.passed", ", gate=False", "ptc"),
        test_c=mark("exit 3", "pass", ", gate=False"),
    )
    suite.run().assert_outcomes(passed=1, failed=1, errors=1)


def test_a_canary_that_fails_is_expected(suite: Suite) -> None:
    """With `xfail(strict=True)`, a recorded fail is expected and a pass fails the run."""
    xfail = "@pytest.mark.xfail(strict=True)\n"
    suite.write(
        test_a=xfail + mark("fail known defect"), test_b=xfail + mark("pass looks good to me")
    )
    result = suite.run()
    result.assert_outcomes(xfailed=1, failed=1)


def test_a_canary_is_not_satisfied_by_trouble(suite: Suite) -> None:
    """An agent that never answered is not an expected failure."""
    xfail = "@pytest.mark.xfail(strict=True)\n"
    suite.write(test_a=xfail + mark("exit 3"), test_b=xfail + mark("error could not look"))
    result = suite.run()
    result.assert_outcomes(errors=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


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


@pytest.mark.fault("two-records")
def test_ptc_record_is_a_way_to_record(suite: Suite) -> None:
    """A verdict recorded with the command counts, with its findings; a fail beats a pass."""
    record = "record fail|--summary|two doors|--finding|high: front door|--finding|low: back"
    suite.write(
        test_a=mark(record + "\npass", "assert len(ptc.findings) == 2", ", gate=False", "ptc")
    )
    suite.run().assert_outcomes(passed=1)


def test_schema_is_enforced_on_data(suite: Suite) -> None:
    """Data that does not meet the marker's schema is a malformed verdict."""
    keywords = ", schema={'type': 'object', 'required': ['n']}"
    good = 'say {"verdict": "pass", "summary": "x", "data": {"n": 1}}'
    suite.write(
        test_a=mark(good, "assert ptc.data == {'n': 1}", keywords, "ptc"),
        test_b=mark("pass", keywords=keywords),
    )
    result = suite.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*malformed verdict*data: None is not of type 'object'*"])


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


def test_a_recorded_fail_is_not_retried(suite: Suite) -> None:
    """A verdict of fail is an answer, whatever `retries` says."""
    suite.write(test_a=mark("first failed fail no", keywords=", retries=3"))
    suite.run().assert_outcomes(failed=1)


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
