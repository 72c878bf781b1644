"""Absence refuses: a run is green only if every marked item has an outcome made from a verdict."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.marks import mark
from tests.support.suite import WITHOUT

if TYPE_CHECKING:
    from tests.support.suite import Suite

FAILS = mark("fail the door is open")
PLAIN = "def test_plain(): pass\n"


def statuses(suite: Suite, *options: str) -> dict[str, str]:
    """Return what the JSON report of a run has of each task, and check that the run is red."""
    result = suite.run("--ptc-json=run.json", *options)
    assert result.ret != 0
    tasks = json.loads((suite.path / "run.json").read_text())["tasks"]
    return {task["nodeid"]: task["outcome"] for task in tasks}


# Without a verdict.


def test_a_marked_body_never_runs_without_a_verdict(suite: Suite) -> None:
    """Whatever a condition says later, or whoever marks a test: it had no task, so it is red."""
    suite.write(
        test_a="import os\ndef test_first(): open('up', 'w').close()\n"
        "@pytest.mark.skipif('not os.path.exists(\"up\")', reason='no server')\n"
        + mark("fail no", "open('ran', 'w').close()")
        + "@pytest.mark.xfail('not os.path.exists(\"up\")', run=False)\n"
        + mark("fail no", "open('ran', 'w').close()").replace("test_it", "test_xfail")
        + "@pytest.fixture\ndef late(request): request.node.add_marker(pytest.mark.ptc('x'))\n"
        "def test_late(late): open('ran', 'w').close()\n"
    )
    result = suite.run("--ptc-exit-codes")
    result.assert_outcomes(passed=1, errors=2, failed=1)
    assert not (suite.path / "ran").exists()
    assert suite.runs == []


HIDING = {
    "drops": "@pytest.hookimpl(tryfirst=True)\n"
    "def pytest_runtestloop(session): session.items[:] = session.items[:1]\n",
    "drops-at-collection": "@pytest.hookimpl(trylast=True)\n"
    "def pytest_collection_finish(session): session.items[:] = session.items[:1]\n",
    "does-not-run": "def pytest_runtest_protocol(item):\n"
    "    if item.name == 'test_it': return True\n",
    "runs-the-body": "def pytest_runtest_protocol(item):\n"
    "    if item.name != 'test_it': return None\n"
    "    item.obj()\n"
    "    report = pytest.TestReport(item.nodeid, item.location, {}, 'passed', None, 'call')\n"
    "    item.ihook.pytest_runtest_logreport(report=report)\n"
    "    return True\n",
    "calls-it-passed": "@pytest.hookimpl(wrapper=True, tryfirst=True)\n"
    "def pytest_runtest_makereport():\n"
    "    report = yield\n"
    "    if report.failed: report.outcome = 'passed'\n"
    "    return report\n",
    "resets-the-status": "@pytest.hookimpl(trylast=True)\n"
    "def pytest_sessionfinish(session): session.exitstatus = 0\n"
    "def pytest_runtest_protocol(item):\n"
    "    if item.name == 'test_it': return True\n",
}


@pytest.mark.parametrize(
    "hiding",
    [
        # That of each kind is told is decided of an item's reports: see the tests of greenness.
        pytest.param(
            text, id=name, marks=[] if name in ("drops", "calls-it-passed") else pytest.mark.slow
        )
        for name, text in HIDING.items()
    ],
)
def test_an_item_that_another_plugin_loses_or_greens_is_told(suite: Suite, hiding: str) -> None:
    """Pytest counts no failure; the run is red all the same, and names the item."""
    suite.write(conftest=hiding, test_a=PLAIN + FAILS)
    result = suite.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ptc: not green: 1 *: test_a.py::test_it"])


def test_a_fail_that_is_hidden_is_told_from_what_was_not_judged(suite: Suite) -> None:
    """All that pytest counts is an error; the exit status is that of a failure all the same."""
    hiding = HIDING["calls-it-passed"].replace("report.failed:", "report.when == 'call':")
    suite.write(conftest=hiding, test_a=FAILS, test_b=mark("exit 3"))
    result = suite.run("--ptc-exit-codes", "-o", "ptc_retries=0")
    result.assert_outcomes(passed=1, errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ptc: not green: 1 failed by verdict and reported as passed: *"])


# What is required.


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (["--ptc-require=all", "--ptc-exit-codes"], 10),
        (["--ptc-require=2"], 0),
        (["--ptc-require=none"], 4),
        *(
            pytest.param(options, status, marks=pytest.mark.slow)
            for options, status in (
                (["--ptc-require=all", "-k", "not skipped"], 1),
                (["--ptc-require=1", "-p", "no:terminal", "test_plain.py"], 1),
                (["--ptc-require=all", "--lf"], 4),
            )
        ),
    ],
)
def test_what_is_required_was_judged(suite: Suite, options: list[str], status: int) -> None:
    """A test that is skipped, deselected or not there was not judged."""
    suite.write(
        test_plain=PLAIN,
        test_a="@pytest.mark.ptc('pass')\n@pytest.mark.parametrize('n', 'ab')\n"
        "def test_m(n): pass\n"
        "@pytest.mark.skip\n@pytest.mark.ptc('pass')\ndef test_skipped(): pass\n",
    )
    assert suite.run(*options).ret == status


def test_what_an_earlier_run_has_judged_counts(suite: Suite) -> None:
    """If it is named, by taking it up."""
    suite.write(test_a=mark("pass"))
    suite.run().assert_outcomes(passed=1)
    assert suite.run("--ptc-require=all", "--ptc-resume").ret == 0


GATES = ["--ptc-exit-codes", "--ptc-require=all", "--ptc-fail-on=high", "--ptc-sarif=r.sarif"]


@pytest.mark.parametrize(
    "gate",
    [
        pytest.param(gate, marks=[] if gate == "--ptc-require=all" else pytest.mark.slow)
        for gate in GATES
    ],
)
def test_a_gate_without_workers_is_not_green(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, gate: str
) -> None:
    """In CI it is a usage error; elsewhere what asks for a gate by name is not status 0."""
    suite.write(test_a=mark("pass"), test_b=PLAIN)
    arguments = [*WITHOUT, "-W", "error", gate]
    monkeypatch.delenv("CI", raising=False)
    result = suite.pytester.runpytest_inprocess(*arguments)
    by_name = gate in GATES[:2]
    assert result.ret == ((10 if gate == GATES[0] else 1) if by_name else 0)
    monkeypatch.setenv("CI", "true")
    result = suite.pytester.runpytest_inprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *{gate.partition('=')[0]}*--ptc-workers is 0*"])
    # Nothing of the gate's is among these.
    plain = suite.pytester.runpytest_inprocess(*arguments, "test_b.py")
    assert plain.ret == (1 if gate == GATES[1] else 0)
    assert suite.runs == []


def test_a_gate_whose_tests_workers_of_xdist_skip_is_not_green(suite: Suite) -> None:
    """The controller sees reports alone."""
    suite.write(test_a=mark("pass"))
    result = suite.pytester.runpytest_subprocess(*WITHOUT, "-n2", "--ptc-exit-codes")
    assert result.ret == 10
    result.stdout.fnmatch_lines(["ptc: not green: 1 not judged: test_a.py::test_it*"])


def test_a_stopped_run_says_what_was_not_judged(suite: Suite) -> None:
    """Also if it was stopped by a signal before anything had a verdict."""
    suite.write(
        test_a="@pytest.mark.ptc('touch began{n}\\nhang')\n"
        "@pytest.mark.parametrize('n', range(3))\ndef test_m(n): pass\n"
    )
    arguments = [sys.executable, "-m", "pytest", *WITHOUT, "--ptc-workers=1"]
    process = subprocess.Popen(
        arguments, cwd=suite.path, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    for _ in range(600):
        if list(suite.path.glob("began*")):
            break
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert "ptc: not green: 3 not judged: test_a.py::test_m[0], test_a.py::test_m[1]," in told
    assert told.count("3 items: 3 not done") == 1


# Skips.


SKIPPING = {
    "fixture": "@pytest.fixture(autouse=True)\ndef db(): pytest.skip('none')\n" + FAILS,
    "module fixture": "@pytest.fixture(autouse=True, scope='module')\n"
    "def db(): pytest.importorskip('no_such_module')\n" + FAILS,
    "xfail in a fixture": "@pytest.fixture(autouse=True)\ndef db(): pytest.xfail('none')\n" + FAILS,
    "setup_module": "def setup_module(): pytest.skip('none')\n" + FAILS,
    "mark that holds later": "import os\ndef test_0(): open('up', 'w').close()\n"
    "@pytest.mark.skipif('os.path.exists(\"up\")', reason='up')\n" + FAILS,
    "setup_method": "class TestA:\n    def setup_method(self): pytest.skip('none')\n"
    "    @pytest.mark.ptc('fail no')\n    def test_it(self): pass\n",
    "unittest setUp": "import unittest\nclass A(unittest.TestCase):\n"
    "    def setUp(self): self.skipTest('none')\n"
    "    @pytest.mark.ptc('fail no')\n    def test_it(self): pass\n",
    "unittest setUpClass": "import unittest\nclass A(unittest.TestCase):\n    @classmethod\n"
    "    def setUpClass(cls): raise unittest.SkipTest('none')\n"
    "    @pytest.mark.ptc('fail no')\n    def test_it(self): pass\n",
}


def test_no_skip_takes_back_a_recorded_fail(suite: Suite) -> None:
    """It is failed in its call phase, before anything is set up."""
    suite.write(**{f"test_{name.replace(' ', '_')}": text for name, text in SKIPPING.items()})
    result = suite.run("--junitxml=junit.xml")
    result.assert_outcomes(failed=len(SKIPPING), passed=1)


@pytest.mark.parametrize("hook", ["call", pytest.param("setup", marks=pytest.mark.slow)])
def test_no_hook_that_skips_takes_back_a_recorded_fail(suite: Suite, hook: str) -> None:
    """One of a conftest may come before ours."""
    suite.write(
        conftest="@pytest.hookimpl(tryfirst=True)\n"
        f"def pytest_runtest_{hook}(item): pytest.skip('none')\n",
        test_a=FAILS,
    )
    suite.run().assert_outcomes(failed=1)


FOUND = (
    'say {"verdict": "skip", "summary": "s", "findings": '
    '[{"severity": "critical", "message": "eval"}]}'
)


@pytest.mark.parametrize(
    ("prompt", "options", "outcomes", "status"),
    [
        ("skip not here", ["--ptc-exit-codes"], {"errors": 1}, 10),
        pytest.param(
            *("skip not here", ["--ptc-on-skip=error"], {"errors": 1}, 1), marks=pytest.mark.slow
        ),
        *(
            pytest.param(prompt, options, {"skipped": 1}, 0, marks=pytest.mark.slow)
            for prompt, options in (
                ("skip not here", ["--ptc-exit-codes", "--ptc-on-skip=skip"]),
                (FOUND, []),
            )
        ),
        (FOUND, ["--ptc-fail-on=high"], {"failed": 1}, 1),
    ],
)
def test_a_skip_is_no_pass(
    suite: Suite, prompt: str, options: list[str], outcomes: dict[str, int], status: int
) -> None:
    """What it makes of its test is the user's to say; what was found beside it counts."""
    suite.write(test_a=mark(prompt))
    result = suite.run(*options)
    result.assert_outcomes(**outcomes)
    assert result.ret == status


@pytest.mark.slow
def test_a_canary_that_is_skipped_was_not_judged(suite: Suite) -> None:
    """By the mark, by the ini file, and with a body that alone judges."""
    suite.write(
        test_a="@pytest.mark.xfail(strict=True)\n" + mark("skip no"),
        test_b="@pytest.mark.xfail(strict=True)\n"
        + mark("skip no", "assert ptc.passed", ", gate=False", "ptc"),
    )
    suite.run().assert_outcomes(errors=1, failed=1)


# Work that a test submits.


def test_work_that_nobody_awaits_is_an_error_of_its_test(suite: Suite) -> None:
    """Whatever else the test comes to, and also if a fixture submits that outlives it."""
    suite.write(
        test_a="@pytest.fixture(scope='session')\n"
        "def work(ptc_coordinator): return ptc_coordinator.submit('fail no')\n"
        "def test_uses(work): pass\n"
        "def test_forgets(ptc_coordinator): ptc_coordinator.submit('fail no')\n"
        "def test_skips(ptc_coordinator):\n"
        "    ptc_coordinator.submit('fail no')\n    pytest.skip('x')\n"
        "@pytest.mark.xfail\ndef test_expected(ptc_coordinator):\n"
        "    ptc_coordinator.submit('fail no')\n    assert 0\n"
        "def test_stops_early(ptc_coordinator):\n"
        "    for _ in ptc_coordinator.map('pass {n}', [{'n': 1}, {'n': 2}]): break\n"
        "def test_awaits(ptc_coordinator):\n"
        "    assert ptc_coordinator.submit('pass').result().passed\n"
    )
    result = suite.run()
    result.assert_outcomes(passed=4, skipped=1, xfailed=1, errors=4)
    result.stdout.fnmatch_lines(["ptc: not green: 5 submitted and never awaited*"])


@pytest.mark.slow
def test_work_of_a_session_fixture_that_nobody_awaits_is_not_green(suite: Suite) -> None:
    """No test of its own is to blame, and the run is red."""
    suite.write(
        test_a="@pytest.fixture(scope='session')\n"
        "def work(ptc_coordinator): return ptc_coordinator.submit('{verdict} so')\n"
        "def test_uses(work): pass\n".replace("{verdict}", "fail")
        + "@pytest.fixture(scope='session')\n"
        "def looked(ptc_coordinator): return ptc_coordinator.submit('pass so')\n"
        "def test_first(looked): pass\ndef test_second(looked): assert looked.result().passed\n"
    )
    result = suite.run("--ptc-exit-codes")
    result.assert_outcomes(passed=3)
    assert result.ret == 10
    result.stdout.fnmatch_lines(["ptc: not green: 1 submitted and never awaited*test_uses*"])


@pytest.mark.slow
def test_a_pass_means_the_same_to_submitted_work_and_to_needs(suite: Suite) -> None:
    """A finding as bad as `fail_on` is no pass for the test that submitted, or that needs it."""
    found = FOUND.replace("skip", "pass")
    suite.write(
        test_a=f"FOUND = {found!r}\n"
        "def test_all(ptc_coordinator):\n"
        "    for verdict in ptc_coordinator.map(FOUND.replace('{', '{{'), [{}]):\n"
        "        assert verdict.passed\n"
        + mark(found.replace("{", "{{"), "assert ptc.passed", ", gate=False", "ptc")
        + "@pytest.mark.ptc('pass', needs='test_it')\ndef test_needs(): pass\n"
    )
    suite.run("--ptc-fail-on=high").assert_outcomes(failed=2, errors=1)
    suite.run().assert_outcomes(passed=3)


# Plain pytest.


@pytest.mark.parametrize(
    "option", ["--help", "--setup-plan", "--setup-only", "--fixtures", "--markers", "--cache-show"]
)
def test_who_only_asks_starts_no_agent(suite: Suite, option: str) -> None:
    """And is not told about a missing agent either."""
    suite.write(test_a=FAILS)
    result = suite.run(option, "--ptc-command=no-such-program")
    assert result.ret == 0
    assert suite.runs == []


@pytest.mark.slow
def test_stepwise_has_run_what_it_takes_for_passed(suite: Suite) -> None:
    """Items run in the order of the files then, marked or not, however verdicts arrive."""
    suite.write(
        test_a="@pytest.mark.ptc('wait third\\nfail no')\ndef test_first(): pass\n"
        "def test_plain(): assert 0\n"
        "@pytest.mark.ptc('touch third\\nfail no')\ndef test_third(): pass\n"
    )
    for option in ("--sw", "--stepwise-skip"):
        result = suite.run(option)
        assert "FAILED test_a.py::test_first" in result.stdout.str()
        assert result.parseoutcomes().get("deselected") is None


NEEDS = (
    "@pytest.mark.ptc('pass')\ndef test_first(): pass\n"
    "@pytest.mark.ptc('first tried exit 3\\npass', needs='test_first')\n"
    "def test_second(): pass\n"
)


def test_what_is_needed_and_not_selected_is_run_as_a_task(suite: Suite) -> None:
    """It has no item, and the report has its verdict as its outcome; however it was left out."""
    suite.write(test_a=NEEDS)
    suite.run().assert_outcomes(passed=1, errors=1)
    # `--lf` is first: nothing has failed after it.
    for option in ("--lf", "test_a.py::test_second"):
        result = suite.run(option, "--ptc-json=run.json")
        assert result.parseoutcomes().get("passed") == 1, option
        assert result.ret == 0
        tasks = json.loads((suite.path / "run.json").read_text())["tasks"]
        assert [task["outcome"] for task in tasks] == ["passed", "passed"], option


def test_what_is_needed_and_was_not_collected_concerns_one_item(suite: Suite) -> None:
    """All else is run."""
    suite.write(
        test_a=NEEDS,
        test_b="@pytest.mark.ptc('pass', needs='test_a.py::test_first')\ndef test_c(): pass\n"
        "@pytest.mark.ptc('pass')\ndef test_d(): pass\n" + PLAIN,
    )
    result = suite.run("test_b.py")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*needs test_a.py::test_first, which was not run*not selected*"])


def test_a_broken_fixture_of_a_prompt_tells_its_own_error(suite: Suite) -> None:
    """Beside the fixture `ptc` too, and beside one that needs that."""
    suite.write(
        test_a="@pytest.fixture(scope='session')\n"
        "def base_url(): raise RuntimeError('port 80 refused')\n"
        "@pytest.fixture\ndef checked(ptc): return ptc\n"
        "@pytest.mark.ptc('Look at {base_url}')\ndef test_a(ptc): pass\n"
        "@pytest.mark.ptc('Look at {base_url}')\ndef test_b(checked): pass\n"
    )
    result = suite.run()
    result.assert_outcomes(errors=2)
    assert result.stdout.str().count("E   RuntimeError: port 80 refused") == 2


def test_equal_node_ids_are_two_tasks(suite: Suite) -> None:
    """A suite outside of the root directory, and a file that is collected twice."""
    for folder in ("reviews", "root"):
        (suite.path / folder).mkdir()
    for name, verdict in (("one", "fail"), ("two", "pass")):
        text = mark(f"{verdict} x")
        (suite.path / "reviews" / f"test_{name}.py").write_text(f"import pytest\n{text}")
    outside = ["--rootdir=root", "reviews/test_one.py", "reviews/test_two.py"]
    told = statuses(suite, *outside, "-o", f"cache_dir={suite.path}/.pytest_cache")
    assert told == {
        "../reviews/test_one.py::test_it": "failed",
        "../reviews/test_two.py::test_it": "passed",
    }
    suite.write(test_twice="@pytest.mark.ptc('first tried exit 3\\npass')\ndef test_it(): pass\n")
    twice = statuses(suite, "--keep-duplicates", "test_twice.py", "test_twice.py")
    assert sorted(twice) == ["test_twice.py::test_it", "test_twice.py::test_it#2"]
    assert sorted(twice.values()) == ["error", "passed"]


DJANGO = {
    "app/__init__.py": "",
    "app/settings.py": "SECRET_KEY = 'x'\nROOT_URLCONF = 'app.urls'\nALLOWED_HOSTS = ['x.org']\n"
    "STATIC_URL = 'static/'\nUSE_TZ = True\n"
    "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'db', "
    "'TEST': {'NAME': 'testdb'}}}\n"
    "INSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth']\n",
    "app/urls.py": "from django.http import HttpResponse\nfrom django.urls import path\n"
    "def users(request):\n    from django.contrib.auth.models import User\n"
    "    return HttpResponse(f'{User.objects.count()} users')\n"
    "urlpatterns = [path('users/', users)]\n",
    "agent.py": "import json, os, sys, urllib.request\nsys.stdin.read()\n"
    "(url,) = json.loads(os.environ['PTC_PARAMS']).values()\n"
    "said = urllib.request.urlopen(f'{url}/users/', timeout=20).read().decode()\n"
    "print(json.dumps({'verdict': 'pass', 'summary': said}))\n",
}


@pytest.mark.slow
def test_an_agent_can_use_the_live_server_of_pytest_django(suite: Suite) -> None:
    """Its database is there before any test asks for it, and the user's own is not touched."""
    for name, text in DJANGO.items():
        path = suite.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    suite.write(
        test_a="@pytest.fixture(scope='session')\n"
        "def base_url(live_server): return str(live_server)\n"
        "@pytest.mark.ptc('Test {base_url}')\n"
        "def test_by_prompt(ptc): assert ptc.summary == '0 users'\n"
        "@pytest.mark.ptc('Test {live_server}')\n"
        "def test_by_both(live_server, ptc): assert ptc.summary == '0 users'\n"
        "def test_database_is_closed_as_ever(): pass\n"
    )
    options = ["-o", "DJANGO_SETTINGS_MODULE=app.settings", "-o", "pythonpath=."]
    suite.spawn("-p", "django", *options).assert_outcomes(passed=3)
    assert not (suite.path / "db").exists()
