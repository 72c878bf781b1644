"""No report is better than the run: every kind of outcome in every report of ours."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from pytest_ptc.reporting.story import run_report
from tests.support.documents import events_from
from tests.support.programs import ptc
from tests.support.report_files import commands
from tests.support.reported import FINDING, SCHEMA, marked

if TYPE_CHECKING:
    from tests.support.suite import Suite

PASSES = marked("it", "pass")
ALL = ("--ptc-json=r.json", "--ptc-sarif=r.sarif", "--ptc-gitlab=r.gl", "--ptc-html=r.html")


class Kind(NamedTuple):
    """A run, and what becomes of it.

    Args:
        tests: The test module.
        status: Pytest's exit status.
        states: The states of the items, sorted.
        args: More arguments.
        conftest: The suite's plugin.
    """

    tests: str
    status: int
    states: tuple[str, ...]
    args: tuple[str, ...] = ()
    conftest: str = ""


def calls(outcome: str, category: str) -> str:
    """Return a plugin that calls reports of this outcome what it likes."""
    return (
        "def pytest_report_teststatus(report):\n"
        f"    if report.when == 'call' and report.outcome == {outcome!r}:\n"
        f"        return {category!r}, 'k', 'KNOWN'\n"
    )


def ends_with(status: int, how: str) -> str:
    """Return a plugin that sets the exit status."""
    return (
        f"import pytest\n@pytest.hookimpl({how})\n"
        "def pytest_sessionfinish(session):\n"
        f"    {'yield' if 'wrapper' in how else 'pass'}\n"
        f"    session.exitstatus = {status}\n"
    )


KINDS = {
    "pass": Kind(PASSES, 0, ("passed",)),
    "fail": Kind(marked("it", "fail no"), 1, ("failed",)),
    "gate-off": Kind(marked("it", "fail no", keywords=", gate=False"), 0, ("passed",)),
    "finding": Kind(marked("it", f"say {FINDING % ('pass', 'low', 'a.py')}"), 0, ("passed",)),
    "finding-that-fails": Kind(
        marked("it", f"say {FINDING % ('pass', 'low', 'a.py')}", keywords=", fail_on='low'"),
        1,
        ("failed",),
    ),
    "verdict-error": Kind(marked("it", "error no"), 1, ("error",)),
    "trouble": Kind(marked("it", "exit 0"), 1, ("error",)),
    "trouble-alone": Kind(marked("it", "exit 0"), 10, ("error",), ("--ptc-exit-codes",)),
    "retried": Kind(
        marked("it", "first began exit 0", "pass", keywords=", retries=1"), 0, ("passed",)
    ),
    "body": Kind(marked("it", "pass", body="assert 0"), 1, ("failed",)),
    "xfail": Kind("@pytest.mark.xfail\n" + marked("it", "fail no"), 0, ("xfailed",)),
    "xfail-of-trouble": Kind("@pytest.mark.xfail\n" + marked("it", "exit 0"), 1, ("error",)),
    "xpass": Kind("@pytest.mark.xfail\n" + PASSES, 0, ("xpassed",)),
    "xpass-strict": Kind("@pytest.mark.xfail(strict=True)\n" + PASSES, 1, ("failed",)),
    "fixture-skips": Kind(
        "@pytest.fixture(autouse=True)\ndef no(): pytest.skip('no')\n" + PASSES, 0, ("skipped",)
    ),
    "set-up": Kind(
        "@pytest.fixture(autouse=True)\ndef no(): raise OSError('no')\n" + PASSES, 1, ("error",)
    ),
    "teardown": Kind(
        "@pytest.fixture(autouse=True)\ndef no():\n    yield\n    raise OSError('no')\n" + PASSES,
        1,
        ("error",),
    ),
    "teardown-after-a-fail": Kind(
        "@pytest.fixture(autouse=True)\ndef no():\n    yield\n    raise OSError('no')\n"
        + marked("it", "fail no"),
        1,
        ("failed",),
    ),
    "unasked": Kind(
        "@pytest.fixture(scope='session')\ndef s(): raise OSError('no')\n"
        "@pytest.mark.ptc('{s}')\ndef test_it(): pass\n" + marked("other", "pass"),
        1,
        ("error", "passed"),
    ),
    "nobody-asked": Kind(
        "@pytest.fixture(scope='session')\ndef s(): raise OSError('no')\n"
        "@pytest.mark.ptc('{s}')\ndef test_it(): pass\n",
        1,
        ("error",),
    ),
    "fail-called-a-pass": Kind(
        marked("it", "fail no"), 1, ("failed",), conftest=calls("failed", "passed")
    ),
    "fail-called-known": Kind(
        marked("it", "fail no"), 1, ("failed",), conftest=calls("failed", "known")
    ),
    "pass-called-a-fail": Kind(PASSES, 1, ("failed",), conftest=calls("passed", "failed")),
    "pass-called-fine": Kind(PASSES, 0, ("passed",), conftest=calls("passed", "fine")),
    "fail-made-a-pass": Kind(
        marked("it", "fail no"),
        1,
        ("failed",),
        conftest="import pytest\n@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtest_logreport(report):\n    report.outcome = 'passed'\n",
    ),
    "pass-made-a-fail": Kind(
        PASSES,
        1,
        ("failed",),
        conftest="def pytest_runtest_logreport(report):\n"
        "    report.outcome = 'failed' if report.when == 'call' else report.outcome\n",
    ),
    "dropped": Kind(
        PASSES + marked("other", "wait never"),
        1,
        ("passed", "undone"),
        conftest="import pytest\n@pytest.hookimpl(trylast=True, wrapper=True)\n"
        "def pytest_runtestloop(session):\n    session.items.pop()\n    return (yield)\n",
    ),
    "rerun-that-passes": Kind(
        marked("it", "first began record fail|--summary|no", "pass"),
        0,
        ("passed",),
        ("--reruns=1",),
    ),
    "rerun-that-fails": Kind(marked("it", "fail no"), 1, ("failed",), ("--reruns=1",)),
    "first-failure": Kind(
        marked("it", "fail no") + marked("other", "wait never", keywords=", needs='test_it'"),
        1,
        ("failed", "unresolved"),
        ("-x",),
    ),
    "exit-0": Kind(
        "def test_first(): pytest.exit('enough', returncode=0)\n" + PASSES,
        1,
        ("undone",),
    ),
    "interrupted": Kind("def test_first(): raise KeyboardInterrupt\n" + PASSES, 2, ("undone",)),
    "broken-plugin": Kind(
        PASSES,
        3,
        ("unreported",),
        conftest="def pytest_runtest_logstart(): raise OSError('no')\n",
    ),
    "set-to-7-early": Kind(PASSES, 7, ("passed",), conftest=ends_with(7, "tryfirst=True")),
    "set-to-7-late": Kind(PASSES, 7, ("passed",), conftest=ends_with(7, "trylast=True")),
    "set-to-7-last": Kind(
        PASSES, 7, ("passed",), conftest=ends_with(7, "wrapper=True, tryfirst=True")
    ),
    "another-test": Kind(PASSES + "def test_plain(): assert 0\n", 1, ("passed",)),
    "another-module": Kind(PASSES, 2, (), conftest="collect_ignore = []\n"),
    "another-module-and-on": Kind(PASSES, 1, ("passed",), ("--continue-on-collection-errors",)),
    "own-work": Kind(
        "def test_own(ptc_coordinator):\n"
        "    assert not ptc_coordinator.submit('fail no').result().passed\n",
        0,
        ("unresolved",),
    ),
    "no-tests": Kind("", 5, ()),
    "no-marked-tests": Kind("def test_plain(): pass\n", 0, ()),
    "no-workers": Kind(PASSES, 0, (), ("--ptc-workers=0",)),
}
SUBTEST = "def test_it(subtests):\n    with subtests.test('one'): assert %d\n"
KINDS["subtest-fails"] = Kind(f"@pytest.mark.ptc('pass')\n{SUBTEST % 0}", 1, ("failed",))
KINDS["subtest-passes"] = Kind(f"@pytest.mark.ptc('pass')\n{SUBTEST % 1}", 0, ("passed",))
KINDS["subtest-skips"] = Kind(
    "@pytest.mark.ptc('pass')\ndef test_it(subtests):\n"
    "    with subtests.test('one'): pytest.skip('no')\n",
    0,
    ("passed",),
)

#: Of these every item's state is the same in company, so that one run has all of one exit status.
TOGETHER = {
    name: kind
    for name, kind in KINDS.items()
    if kind.states
    and not kind.args
    and not kind.conftest
    # These end the session, submit work that has no item, or are about another test.
    and name not in ("exit-0", "interrupted", "own-work", "another-test")
}

#: One of each way that a run of one kind is no success.
ALONE = ("trouble-alone", "fail-made-a-pass", "no-workers")

#: Runs that are no success though pytest ends with 0: nothing was judged.
UNJUDGED = ("no-marked-tests", "no-workers")


def greens(suite: Suite, result: pytest.RunResult) -> dict[str, bool]:
    """Return of each report whether a reader of it would go on."""
    made = json.loads((suite.path / "r.json").read_text())
    jsonschema.validate(made, SCHEMA)
    (run,) = json.loads((suite.path / "r.sarif").read_text())["runs"]
    open_results = [one for one in run["results"] if not one["suppressions"]]
    for one in run["results"]:
        uri = one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert not uri.startswith(("/", "..", "file:"))
    page = (suite.path / "r.html").read_text()
    tone = re.search('<h1 class="([a-z]+)"', page)
    assert tone is not None
    step = (suite.path / "step.md").read_text()
    errors = [line for line in commands(result) if line.startswith("::error")]
    return {
        "json": made["run"]["successful"],
        "exit status in json": made["run"]["exit_status"] == 0,
        "sarif": run["invocations"][0]["executionSuccessful"] and not open_results,
        "gitlab": json.loads((suite.path / "r.gl").read_text()) == [],
        "annotations": not errors,
        "step summary": "Not successful" not in step,
        "page": tone[1] == "passed",
        "terminal": bool(re.search(r"^\x1b\[32m\d+ items?: ", result.stdout.str(), re.MULTILINE)),
    }


def states(tasks: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the states of those that no later attempt replaces, sorted."""
    return tuple(sorted(task["state"] for task in tasks if not task["superseded"]))


@pytest.mark.parametrize("status", [0, 1])
def test_no_report_is_greener_than_the_worst_of_its_items(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """One run of all kinds of one exit status: each has its state, and all reports are alike."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(suite.path / "step.md"))
    kinds = {
        f"test_{name.replace('-', '_')}": kind
        for name, kind in TOGETHER.items()
        if kind.status == status
    }
    suite.write(**{module: kind.tests for module, kind in kinds.items()})
    result = suite.run(*ALL, "--ptc-github=yes", "--color=yes")
    assert result.ret == status
    tasks = json.loads((suite.path / "r.json").read_text())["tasks"]
    for module, kind in kinds.items():
        own = [task for task in tasks if task["nodeid"].startswith(f"{module}.py::")]
        assert states(own) == kind.states, module
    green = greens(suite, result)
    if status:
        assert not any(green.values()), green
    else:
        # A finding or a fail whose gate is off is shown, and is no failure.
        assert green["json"]
        assert green["exit status in json"]
        assert green["annotations"]


@pytest.mark.parametrize(
    "name",
    [
        # The state of each is in the run of all above, or decided of its events in the unit tests;
        # that each report is red by it alone is slow.
        pytest.param(name, marks=[] if name in ALONE else [pytest.mark.slow])
        for name in KINDS
    ],
)
def test_no_report_is_greener_than_the_exit_status(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Each of them, of a run of each kind; and what is green is so in all that show it."""
    kind = KINDS[name]
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(suite.path / "step.md"))
    suite.write(test_a=kind.tests)
    if name.startswith("another-module"):
        suite.write(test_b="import nowhere\n")
    if kind.conftest:
        suite.pytester.makeconftest(kind.conftest)
    # Pytester passes Ctrl-C on to us.
    run = suite.spawn if name == "interrupted" else suite.run
    result = run(*ALL, "--ptc-github=yes", "--color=yes", *kind.args)
    assert result.ret == kind.status
    made = json.loads((suite.path / "r.json").read_text())
    assert states(made["tasks"]) == kind.states
    assert made["run"]["exit_status"] == kind.status
    green = greens(suite, result)
    if kind.status != 0 or name in UNJUDGED:
        del green["exit status in json"]
        if name == "set-to-7-last":
            # The terminal is written by then, pytest's own words of success with it.
            del green["terminal"]
        assert not any(green.values()), green
    else:
        assert made["run"]["successful"]
        assert green["exit status in json"]
        assert green["annotations"] or name == "own-work"


def test_a_run_that_was_killed_is_no_success(suite: Suite) -> None:
    """Nor one of which nobody wrote down the exit status."""
    suite.write(test_a=PASSES)
    suite.run().assert_outcomes(passed=1)
    *events, last = suite.events()
    assert (last["event"], last["exit_status"]) == ("session ended", 0)
    assert run_report(events_from([*events, last])).successful
    for so_far in range(1, len(events) + 1):
        run = run_report(events_from(events[:so_far]))
        assert (run.successful, run.exit_status) == (False, None)


def test_junit_properties_tell_the_state(suite: Suite) -> None:
    """Which a verdict alone does not."""
    suite.write(test_a=KINDS["teardown"].tests)
    suite.run("--junitxml=junit.xml", "--ptc-properties")
    root = ET.parse(suite.path / "junit.xml").getroot()  # noqa: S314 - pytest wrote it
    told = {one.attrib["name"]: one.attrib["value"] for one in root.iter("property")}
    assert (told["ptc_verdict"], told["ptc_state"]) == ("pass", "error")


def git(suite: Suite, *words: str) -> None:
    """Run git in the suite's folder, as somebody."""
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", suite.path, *who, *words], check=True, capture_output=True)


def test_what_is_about_another_commit_is_not_shown_at_files_of_this_one(suite: Suite) -> None:
    """In no report that is shown beside them; at HEAD it is shown where it was found."""
    (suite.path / ".gitignore").write_text(".pytest_cache\n.claude\n__pycache__\ntmp\n")
    both = "here", "there"
    prompt = f"say {FINDING % ('pass', 'medium', 'new.py')}"
    refs = {"here": "HEAD", "there": "feature"}
    suite.write(
        test_a="".join(
            marked(name, prompt, keywords=f", isolation='worktree', ref={refs[name]!r}")
            for name in both
        )
    )
    git(suite, "init", "-q", "-b", "main")
    git(suite, "add", "-A")
    git(suite, "commit", "-qm", "base")
    git(suite, "checkout", "-qb", "feature")
    (suite.path / "new.py").write_text("eval('1')\n")
    git(suite, "add", "-A")
    git(suite, "commit", "-qm", "new")
    git(suite, "checkout", "-q", "main")
    result = suite.run(*ALL, "--ptc-github=yes")
    result.assert_outcomes(passed=2)
    here, there = commands(result)
    assert "file=new.py,line=3" in here
    assert "file=test_a.py" in there
    assert "(in new.py:3 of commit " in there
    entries = json.loads((suite.path / "r.gl").read_text())
    assert [entry["location"]["path"] for entry in entries] == ["new.py", "test_a.py"]


@pytest.mark.slow
def test_a_suite_outside_of_the_repository_has_its_place_in_it(suite: Suite) -> None:
    """Two of its files may have tests of one node id: each has its own word."""
    (suite.path / "repo").mkdir()
    (suite.path / "repo/README.md").write_text("It.\n")
    git(suite, "init", "-q", "repo")
    suite.write(test_a=marked("it", "fail no"), test_b=marked("it", "pass"))
    places = (f"--rootdir={suite.path / 'repo'}", "-c", str(suite.path / "tox.ini"))
    suite.run(*ALL, *places, str(suite.path / "test_a.py"), str(suite.path / "test_b.py"))
    (run,) = json.loads((suite.path / "r.sarif").read_text())["runs"]
    (result,) = run["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "README.md"
    made = json.loads((suite.path / "r.json").read_text())
    assert sorted(task["outcome"] for task in made["tasks"]) == ["failed", "passed"]


def test_a_link_that_a_checkout_brings_is_not_written_through(suite: Suite) -> None:
    """Nor a folder of it that leads out: that report is refused, and the run is no success."""
    suite.write(test_a=PASSES)
    outside = suite.path.parent / f"{suite.path.name}-home"
    outside.mkdir()
    (outside / "precious.txt").write_text("precious")
    (suite.path / "r.json").symlink_to(outside / "precious.txt")
    (suite.path / "out").symlink_to(outside)
    result = suite.run("--ptc-json=r.json", "--ptc-sarif=out/r.sarif")
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(["ptc: not written: --ptc-sarif: *a link on the way leads out*"])
    assert [path.read_text() for path in outside.iterdir()] == ["precious"]
    made = json.loads((suite.path / "r.json").read_text())
    # Made again: it tells of the exit status that the other report has led to.
    assert (made["run"]["exit_status"], made["run"]["successful"]) == (3, False)
    done = ptc(suite, "report", "--json", "out/r.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "leads out" in done.stderr
    os.mkfifo(suite.path / "fifo")
    assert "nobody reads it" in ptc(suite, "report", "--json", "fifo").stderr
