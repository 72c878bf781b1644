"""Which item runs when, what stops a run, and what the other plugins still do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.suite import Suite

ORDER = """
def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        print(f"RAN {report.nodeid} {report.when}", flush=True)
"""


def ran(result: pytest.RunResult) -> list[str]:
    """Return the names of the items in the order they were reported."""
    lines = [line for line in result.outlines if "RAN " in line]
    return [line.split("RAN ")[1].split("::")[-1].split(" ")[0] for line in lines]


def test_unmarked_items_run_first_and_marked_ones_as_verdicts_arrive(suite: Suite) -> None:
    """A slow agent's item runs after a fast one's, and unmarked items run before both."""
    suite.write(
        conftest=ORDER,
        test_a="@pytest.mark.ptc('wait fast-done\\npass')\ndef test_slow(): pass\n"
        "@pytest.mark.ptc('pass')\ndef test_fast(): open('fast-done', 'w').close()\n"
        "def test_plain(): pass\n",
    )
    result = suite.run("-s")
    result.assert_outcomes(passed=3)
    assert ran(result) == ["test_plain", "test_fast", "test_slow"]


def test_maxfail_stops_workers_at_once(suite: Suite) -> None:
    """With `-x`, the first recorded fail ends the run while other agents still work."""
    suite.write(
        test_a="@pytest.mark.ptc('touch began\\nhang')\ndef test_hangs(): pass\n"
        "@pytest.mark.ptc('wait began\\nfail no')\ndef test_fails(): pass\n"
        "@pytest.mark.ptc('hang')\n@pytest.mark.parametrize('n', range(20))\n"
        "def test_queued(n): pass\n"
    )
    result = suite.run("-x")
    assert result.parseoutcomes()["failed"] == 1
    assert result.parseoutcomes().get("errors") is None
    troubles = [event["trouble"]["cause"] for event in suite.events("ended") if event["trouble"]]
    assert set(troubles) == {"run stopped"}
    # The worker of the fail may have begun one more task before pytest heard of it.
    assert len(suite.events("assigned")) <= 3


def test_an_unmarked_failure_stops_the_agents_too(suite: Suite) -> None:
    """`-x` means the same for a plain test: nothing more is begun or paid for."""
    suite.write(
        test_a="@pytest.mark.ptc('hang')\ndef test_hangs(): pass\ndef test_plain(): assert 0\n"
    )
    result = suite.run("-x")
    result.assert_outcomes(failed=1)


def test_module_fixtures_serve_all_ready_items_of_their_module(suite: Suite) -> None:
    """Fixtures of a wider scope are set up for their items and torn down after them, in order."""
    module = (
        "@pytest.fixture(scope='module', autouse=True)\ndef mod():\n"
        "    print('UP', __name__, flush=True)\n    yield\n"
        "    print('DOWN', __name__, flush=True)\n"
        "@pytest.mark.ptc('pass')\n@pytest.mark.parametrize('n', range(4))\ndef test_m(n): pass\n"
    )
    suite.write(test_a=module, test_b=module, conftest=ORDER)
    result = suite.run("-s")
    result.assert_outcomes(passed=8)
    balance = 0
    for line in result.outlines:
        if "UP test_" in line or "DOWN test_" in line:
            balance += 1 if "UP" in line else -1
            assert balance in (0, 1), "a module was entered before the last one was left"
    assert balance == 0


@pytest.mark.slow
def test_a_teardown_error_between_modules_is_reported(suite: Suite) -> None:
    """What a module fixture raises when its module is left is an error, as ever."""
    suite.write(
        test_a="@pytest.fixture(scope='module')\ndef mod():\n    yield\n    raise OSError('leak')\n"
        "@pytest.mark.ptc('pass')\ndef test_first(mod): open('first-done', 'w').close()\n"
        "@pytest.mark.ptc('wait second-done\\npass')\ndef test_third(): pass\n",
        test_b="@pytest.mark.ptc('wait first-done\\npass')\n"
        "def test_second(): open('second-done', 'w').close()\n",
    )
    result = suite.run()
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*OSError: leak*"])


def test_deselected_items_are_not_dispatched(suite: Suite) -> None:
    """`-k` decides before any task is published."""
    suite.write(
        test_a="@pytest.mark.ptc('pass')\n@pytest.mark.parametrize('n', 'abc')\ndef test_m(n): pass"
    )
    suite.run("-k", "b").assert_outcomes(passed=1, deselected=2)
    assert len(suite.events("submitted")) == 1


@pytest.mark.slow
def test_last_failed_runs_only_what_failed(suite: Suite) -> None:
    """`--lf` works on node ids as ever."""
    suite.write(
        test_a="@pytest.mark.ptc('pass')\ndef test_good(): pass\n"
        "@pytest.mark.ptc('first tried exit 3\\npass')\ndef test_bad(): pass\n"
    )
    suite.run().assert_outcomes(passed=1, errors=1)
    suite.run("--lf").assert_outcomes(passed=1)
    assert len(suite.events("submitted")) == 1


def test_skipped_items_cost_nothing(suite: Suite) -> None:
    """An item that its marks skip is never given to an agent."""
    marks = ("skip(reason='no')", "skipif(True, reason='no')", "skipif('1 == 1', reason='no')")
    suite.write(
        test_a="".join(
            f"@pytest.mark.{mark}\n@pytest.mark.ptc('pass')\ndef test_m{number}(): pass\n"
            for number, mark in enumerate(marks)
        )
        + "@pytest.mark.ptc('pass')\ndef test_n(): pass\n"
    )
    suite.run().assert_outcomes(skipped=len(marks), passed=1)
    assert len(suite.events("submitted")) == 1


def test_an_xfail_that_does_not_run_costs_nothing(suite: Suite) -> None:
    """`xfail(run=False)` means that no agent runs either."""
    suite.write(
        test_a="@pytest.mark.xfail(run=False)\n@pytest.mark.ptc('pass')\ndef test_m(): pass\n"
        "@pytest.mark.ptc('pass')\ndef test_n(): pass\n"
    )
    suite.run().assert_outcomes(xfailed=1, passed=1)
    assert len(suite.events("submitted")) == 1


def test_a_rerun_is_a_new_attempt_with_a_new_task(suite: Suite) -> None:
    """pytest-rerunfailures asks the agent again instead of showing its old verdict again."""
    suite.write(
        test_a="@pytest.mark.flaky(reruns=2)\n"
        "@pytest.mark.ptc('first tried record fail|--summary|no\\npass yes')\n"
        "def test_m(ptc): assert ptc.summary == 'yes'\n"
        "@pytest.mark.flaky(reruns=2)\n@pytest.mark.ptc('first again exit 3\\npass')\n"
        "def test_n(): pass\n"
    )
    result = suite.run()
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] == 2
    assert len(suite.events("submitted")) == 2 + outcomes.get("rerun", 0)


def test_session_fixtures_fill_the_prompt_and_are_set_up_once(suite: Suite) -> None:
    """A session fixture is there before any agent starts, once, and torn down at the end."""
    suite.write(
        conftest="import pathlib, pytest\n"
        "def add(name):\n"
        "    with open(name, 'a') as file: file.write('x')\n"
        "@pytest.fixture(scope='session', autouse=True)\n"
        "def ground():\n    add('ground')\n"
        "@pytest.fixture(scope='session')\n"
        "def base_url(tmp_path_factory):\n"
        "    assert pathlib.Path('ground').exists()\n    print('NOISE')\n"
        "    add('ups')\n    yield 'http://here'\n    add('downs')\n",
        test_a="@pytest.mark.ptc('say {base_url}/{n}\\npass')\n"
        "@pytest.mark.parametrize('n', [1, 2, 3])\ndef test_m(n): pass\n"
        "@pytest.mark.ptc('pass')\ndef test_uses(base_url): assert base_url == 'http://here'\n",
    )
    result = suite.run()
    result.assert_outcomes(passed=4)
    assert (suite.path / "ups").read_text() == "x"
    assert (suite.path / "downs").read_text() == "x"
    assert "NOISE" not in result.stdout.str()
    outputs = [path.read_text() for path in suite.runs[-1].glob("attempts/*/output.log")]
    assert sum("http://here/1\n" in output for output in outputs) == 1


@pytest.mark.parametrize(
    ("raising", "outcomes"),
    [
        pytest.param("raise OSError('no port')", {"errors": 1}, id="raises"),
        pytest.param(
            *("pytest.skip('no port')", {"skipped": 1}), id="skips", marks=pytest.mark.slow
        ),
    ],
)
def test_a_broken_session_fixture_concerns_only_its_items(
    suite: Suite, raising: str, outcomes: dict[str, int]
) -> None:
    """An item whose prompt cannot be filled ends as pytest would end it; the others run."""
    suite.write(
        conftest="import pytest\n@pytest.fixture(scope='session')\n"
        f"def base_url():\n    {raising}\n",
        test_a="@pytest.mark.ptc('say {base_url}\\npass')\ndef test_m(): pass\n"
        "@pytest.mark.ptc('pass', needs=['test_m'])\ndef test_needs(): pass\n"
        "@pytest.mark.ptc('pass')\ndef test_n(): pass\n",
    )
    expected = {"passed": 1, **outcomes}
    expected["errors"] = expected.get("errors", 0) + 1
    result = suite.run()
    result.assert_outcomes(**expected)
    result.stdout.fnmatch_lines(["*needs test_a.py::test_m, which was not run*"])


def test_submit_and_map_give_work_from_a_test(suite: Suite) -> None:
    """The session fixture hands tasks to agents and returns futures of verdicts."""
    suite.write(
        test_a="from pytest_ptc import VerdictKind\n"
        "def test_submit(ptc_coordinator):\n"
        "    future = ptc_coordinator.submit('pass {what}', {'what': 'well done'})\n"
        "    assert future.result(30).summary == 'well done'\n"
        "def test_map(ptc_coordinator):\n"
        "    each = [{'w': w} for w in ('pass', 'fail', 'skip')]\n"
        "    kinds = [v.verdict for v in ptc_coordinator.map('{w} x', each, timeout=20)]\n"
        "    assert kinds == [VerdictKind.PASS, VerdictKind.FAIL, VerdictKind.SKIP]\n"
        "def test_trouble(ptc_coordinator):\n"
        "    with pytest.raises(Exception, match='exit status 3'):\n"
        "        ptc_coordinator.submit('exit 3').result(30)\n"
        "def test_bad(ptc_coordinator):\n"
        "    with pytest.raises(Exception, match='timeot: unknown keyword'):\n"
        "        ptc_coordinator.submit('pass', timeot=3)\n"
        "    with pytest.raises(Exception, match='has no value'):\n"
        "        ptc_coordinator.submit('pass {x}')\n"
    )
    suite.run().assert_outcomes(passed=4)


@pytest.mark.slow
def test_a_second_run_begins_with_what_took_longest(suite: Suite) -> None:
    """Times are kept in pytest's cache; where the user wants another order, that holds."""
    suite.write(
        test_a="@pytest.mark.ptc('pass')\ndef test_short(): pass\n"
        "@pytest.mark.ptc('wait on\\npass')\ndef test_long(): pass\n"
        "@pytest.mark.ptc('touch on\\npass')\ndef test_last(): pass\n"
    )
    suite.run().assert_outcomes(passed=3)

    def begun() -> list[str]:
        attempts = [suite.runs[-1] / "attempts" / e["attempt"] for e in suite.events("assigned")]
        specs = [json.loads((folder / "task.json").read_bytes())["spec"] for folder in attempts]
        return [spec["nodeid"].rpartition("_")[2] for spec in specs]

    assert begun() == ["short", "long", "last"]
    cache = suite.path / ".pytest_cache/v/ptc/durations"
    known = json.loads(cache.read_text())
    known["test_a.py::test_last"] = 1000.0
    cache.write_text(json.dumps(known))
    suite.run().assert_outcomes(passed=3)
    assert begun()[0] == "last"
    suite.run("--nf").assert_outcomes(passed=3)
    assert begun()[0] != "last"
