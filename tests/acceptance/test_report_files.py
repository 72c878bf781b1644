"""Reports as files: written when the run is over, and made again later by `ptc report`."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from pytest_ptc.cli.main import main
from pytest_ptc.model.reports import REPORTS
from pytest_ptc.model.variables import RUN_COOKIE
from pytest_ptc.reporting import document
from tests.support.programs import ptc
from tests.support.report_files import ALL, TWO, commands
from tests.support.reported import FINDING, SCHEMA, marked
from tests.support.runs import HANGS, start, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.suite import Suite


def written(suite: Suite) -> dict[str, Any]:
    """Return the reports in the suite's folder `out`, by their names."""
    return {path.name: json.loads(path.read_text()) for path in (suite.path / "out").iterdir()}


def test_the_reports_that_are_asked_for_are_there_when_the_run_is_over(suite: Suite) -> None:
    """Each in its file, its directory made, from where pytest was started; nothing else is left."""
    suite.write(test_a=TWO)
    result = suite.run(*ALL)
    result.assert_outcomes(passed=1, failed=1)
    made = written(suite)
    assert set(made) == {"run.json", "run.sarif", "gl.json"}
    jsonschema.validate(made["run.json"], SCHEMA)
    assert made["run.json"]["run"]["complete"] is True
    (run,) = made["run.sarif"]["runs"]
    assert [one["level"] for one in run["results"]] == ["error", "note"]
    assert [one["location"]["path"] for one in made["gl.json"]] == ["b.py", "a.py"]
    assert commands(result) == []
    result.stdout.fnmatch_lines(["ptc: wrote out/run.json, out/run.sarif, out/gl.json"])
    assert "ptc: wrote" not in suite.run(*ALL, "-q").stdout.str()


def test_they_are_made_again_from_the_journal(suite: Suite) -> None:
    """`ptc report` writes the same files, whatever has become of them."""
    suite.write(test_a=TWO)
    suite.run(*ALL, "--ptc-github").assert_outcomes(passed=1, failed=1)
    before = written(suite)
    again = ["--json", "out/run.json", "--sarif", "out/run.sarif", "--gitlab", "out/gl.json"]
    for path in (suite.path / "out").iterdir():
        path.unlink()
    done = ptc(suite, "report", *again, "--github", "--summary", "out/summary.md")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("::error file=b.py,line=3,title=high r%3A test_a.py")
    assert (suite.path / "out/summary.md").read_text().startswith("## pytest-ptc: 1 failed")
    (suite.path / "out/summary.md").unlink()
    assert written(suite) == before
    printed = ptc(suite, "report", suite.runs[0].name[-5:], "--json", "-").stdout
    assert json.loads(printed) == before["run.json"]


def test_ptc_report_refuses_what_it_cannot_do(suite: Suite) -> None:
    """With one line of reason, and without half a report."""
    suite.write(test_a=marked("it", "pass"))
    suite.run().assert_outcomes(passed=1)
    for args, said in (
        ((), "no report is requested"),
        (("--json", "-", "--sarif", "-"), "only one report can go to standard output"),
        (("--json", "-", "--github"), "only one report can go to standard output"),
        (("--json", "."), "Is a directory"),
    ):
        refused = ptc(suite, "report", *args)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert said in refused.stderr


@pytest.mark.slow
def test_a_run_that_was_killed_has_reports_too(suite: Suite) -> None:
    """They tell what it had come to, and that this is not all."""
    suite.write(test_a=HANGS)
    run = start(suite, "--ptc-sarif=run.sarif")
    until((suite.path / "began").exists, "the agent")
    run.kill()
    run.communicate(timeout=30)
    assert not (suite.path / "run.sarif").exists()
    done = ptc(suite, "report", "--sarif", "-")
    (told,) = json.loads(done.stdout)["runs"]
    assert told["invocations"][0]["executionSuccessful"] is False
    assert {result["ruleId"] for result in told["results"]} == {"ptc/error"}
    assert ptc(suite, "clean").returncode == 0


@pytest.mark.parametrize(
    ("tests", "args", "status"),
    [
        pytest.param("pass", [], pytest.ExitCode.INTERNAL_ERROR, id="green"),
        pytest.param(*("fail", [], pytest.ExitCode.TESTS_FAILED), id="red", marks=pytest.mark.slow),
        pytest.param("exit 0", ["--ptc-exit-codes"], 10, id="trouble"),
    ],
)
def test_a_report_that_cannot_be_written_hides_no_outcome_and_is_no_success(
    suite: Suite, tests: str, args: list[str], status: int
) -> None:
    """The outcome is told as ever, the reason beside it; only a green run changes its status."""
    suite.write(test_a=marked("it", tests))
    (suite.path / "taken").touch()
    result = suite.run("--ptc-json=taken/run.json", "--ptc-sarif=run.sarif", *args)
    assert result.ret == status
    result.stdout.fnmatch_lines(
        ["*= ptc summary =*", "ptc: not written: --ptc-json: *taken*", "*1 *in *s*"]
    )
    assert (suite.path / "run.sarif").exists()


def test_a_journal_that_is_gone_is_no_run_without_findings(suite: Suite) -> None:
    """What no report can be made of is said, and is no success."""
    suite.write(
        test_a=marked("it", "pass") + "def test_last():\n"
        "    from pathlib import Path\n"
        "    (story,) = Path('.pytest_cache/d/ptc/runs').glob('*/journal.jsonl')\n"
        "    story.unlink()\n"
    )
    result = suite.run("--ptc-sarif=run.sarif")
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(["ptc: not written: reports: journal *: has no journal.jsonl"])
    assert not (suite.path / "run.sarif").exists()


@pytest.mark.parametrize(
    ("tests", "args", "why"),
    [
        pytest.param("def test_plain(): pass\n", [], "no item was judged", id="no-marked-tests"),
        pytest.param(
            *("import nowhere\n", [], "status 2"), id="not-collected", marks=pytest.mark.slow
        ),
        pytest.param(
            "@pytest.mark.ptc('{x}')\ndef test_it(): pass\n", [], "status 4", id="refused"
        ),
        pytest.param(*("", [], "status 5"), id="nothing", marks=pytest.mark.slow),
        pytest.param(
            marked("it", "pass"), ["--ptc-workers=0"], "the run had no workers", id="no-workers"
        ),
    ],
)
def test_a_run_that_judged_nothing_has_its_reports(
    suite: Suite, tests: str, args: list[str], why: str
) -> None:
    """A stale file would be taken for this run's, and one without a result for a clean one."""
    suite.write(test_a=tests)
    (suite.path / "run.sarif").write_text("stale")
    suite.run("--ptc-sarif=run.sarif", "--ptc-json=run.json", *args)
    (run,) = json.loads((suite.path / "run.sarif").read_text())["runs"]
    (result,) = run["results"]
    assert why in result["message"]["text"]
    assert run["invocations"][0]["executionSuccessful"] is False
    made = json.loads((suite.path / "run.json").read_text())
    jsonschema.validate(made, SCHEMA)
    assert made["run"]["successful"] is False


def test_nobody_elses_run_writes_this_runs_reports(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that runs the tests has the suite's own options; so has whoever only collects."""
    suite.write(test_a=marked("it", "pass"))
    (suite.path / "run.json").write_text("the outer run's")
    suite.run("--ptc-json=run.json", "--collect-only")
    monkeypatch.setenv(RUN_COOKIE, "20270101-000000-000aa")
    suite.run("--ptc-json=run.json", "--ptc-workers=0")
    assert (suite.path / "run.json").read_text() == "the outer run's"


def test_a_run_that_cannot_begin_leaves_no_report_of_another(suite: Suite) -> None:
    """A checkout may have brought it, and a pipeline uploads what is there."""
    suite.write(test_a=marked("it", "pass"))
    (suite.path / "run.sarif").write_text("stale")
    refused = suite.run("--ptc-sarif=run.sarif", "--ptc-command=nowhere-to-be-found")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    assert not (suite.path / "run.sarif").exists()


def test_two_reports_in_one_file_are_a_mistake(suite: Suite) -> None:
    """Said before anything is started."""
    suite.write(test_a=marked("it", "pass"))
    refused = suite.run("--ptc-json=x.json", "--ptc-sarif=x.json")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*--ptc-json and --ptc-sarif: name the same file*"])
    assert suite.runs == []


def test_a_file_and_a_link_are_replaced(suite: Suite) -> None:
    """Whoever reads the old file has it whole; its rights are those of any new file."""
    suite.write(test_a=marked("it", "pass"))
    target, link = suite.path / "target.json", suite.path / "link.json"
    link.symlink_to(target)
    target.write_text("old")
    plain = suite.path / "plain.sarif"
    plain.write_text("old")
    with plain.open() as reader:
        suite.run("--ptc-json=link.json", "--ptc-sarif=plain.sarif").assert_outcomes(passed=1)
        assert reader.read() == "old"
    assert target.read_text() == "old"
    assert not link.is_symlink()
    assert json.loads(link.read_text())["run"]["complete"] is True
    (suite.path / "any").touch()
    rights = [stat.S_IMODE(path.stat().st_mode) for path in (plain, suite.path / "any")]
    assert rights[0] == rights[1]


def test_github_is_told_where_it_is_there(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Actions without being asked; annotations close the summary, each a line of its own."""
    summary: Path = suite.path / "step.md"
    summary.write_text("# Before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    suite.write(test_a=TWO)
    assert commands(suite.run()) == []
    assert summary.read_text() == "# Before\n"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = suite.run("-rA", "--color=yes")
    found = commands(result)
    assert [line.partition(" ")[0] for line in found] == ["::error", "::notice"]
    # Behind pytest's own short summary, and before the line that counts.
    assert result.outlines[-3:-1] == found
    before, after = summary.read_text().split("## pytest-ptc: 1 failed, 1 passed\n")
    assert before == "# Before\n"
    assert "1 high, 1 low" in after
    assert commands(suite.run("--ptc-github=no")) == []


@pytest.mark.slow
def test_github_can_be_told_anywhere(suite: Suite) -> None:
    """With the flag alone, without a summary where no file is named for one."""
    suite.write(test_a=TWO)
    result = suite.run("--ptc-github")
    assert [line.partition(" ")[0] for line in commands(result)] == ["::error", "::notice"]
    refused = suite.run("--ptc-github=perhaps")
    refused.stderr.fnmatch_lines(["*--ptc-github: must be one of auto, yes, no, not 'perhaps'*"])


@pytest.mark.slow
def test_a_summary_that_cannot_be_written_is_no_success(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As any other report, if somebody asked for it; the annotations are there all the same."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(suite.path))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    suite.write(test_a=marked("it", f"say {FINDING % ('pass', 'low', 'a.py')}"))
    for asked, status in (("yes", pytest.ExitCode.INTERNAL_ERROR), ("auto", pytest.ExitCode.OK)):
        result = suite.run(f"--ptc-github={asked}")
        assert result.ret == status
        # Where its absence is no success, the annotations say that, too.
        kinds = [line.partition(" ")[0] for line in commands(result)]
        assert kinds == (["::error", "::notice"] if status else ["::notice"])
        result.stdout.fnmatch_lines(["ptc: not written: GITHUB_STEP_SUMMARY: *"])


def test_a_defect_of_a_report_hides_no_outcome(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a maker raises is said as any reason; the other reports are written."""

    def breaks(made: object, _: object) -> str:
        raise KeyError(len(repr(made)) > 0)

    monkeypatch.setattr(document, "make", breaks)
    suite.write(test_a=marked("it", "fail no"))
    result = suite.run(*ALL)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ptc: not written: --ptc-json: KeyError(True)"])
    assert set(written(suite)) == {"run.sarif", "gl.json"}


def test_every_report_can_be_made_again(capsys: pytest.CaptureFixture[str]) -> None:
    """The command knows what the options know."""
    with pytest.raises(SystemExit):
        main(["report", "--help"])
    told = capsys.readouterr().out
    assert all(f"--{name} PATH" in told for name in (kind.name for kind in REPORTS))


#: A plugin that is one function: a report, its option, its ini key, and `ptc report --names`.
PLUGIN = """
from pytest_ptc.model.reports import ReportKind


def names(run, target):
    lines = [f"{task.state.value} {task.nodeid}: {task.reason.text}" for task in run.worst_first]
    return "\\n".join([f"{run.run_id} in {target.journal.name}", *lines])


def pytest_ptc_reports():
    return [ReportKind("names", "the items, a line each,", names)]
"""


@pytest.mark.parametrize(
    "how", ["conftest", *(pytest.param(how, marks=pytest.mark.slow) for how in ("plugin", "ini"))]
)
def test_a_plugin_adds_a_report(suite: Suite, how: str) -> None:
    """In one function: it has an option and an ini key, and can be made again."""
    module = "conftest" if how == "conftest" else "reporter"
    (suite.path / f"{module}.py").write_text(PLUGIN)
    suite.write(test_a=TWO)
    suite.pytester.syspathinsert()
    loaded = () if how == "conftest" else ("-p", "reporter")
    asked = ("-o", "ptc_names=names.txt") if how == "ini" else ("--ptc-names=names.txt",)
    result = suite.run(*loaded, *asked)
    result.stdout.fnmatch_lines(["ptc: wrote names.txt"])
    run = suite.runs[-1].name
    expected = [
        f"{run} in {run}",
        "failed test_a.py::test_fails: s",
        "passed test_a.py::test_passes: s",
    ]
    assert (suite.path / "names.txt").read_text().splitlines() == expected
    again = ptc(suite, "report", "-p", module, "--names=-")
    assert again.stdout.splitlines() == expected
    shown = suite.run("--help", *loaded)
    shown.stdout.fnmatch_lines(["*--ptc-names=PATH*write the items, a line each, to this file*"])


def test_a_report_needs_a_name_of_its_own(suite: Suite) -> None:
    """Otherwise the session is one that was called wrongly, and so is the command."""
    suite.write(test_a=TWO)
    suite.pytester.syspathinsert()
    another = "there is another one of this name; rename it"
    for number, (name, why) in enumerate(
        (("json", another), ("summary", another), ("a-b", "use letters, digits and _ in its name"))
    ):
        (suite.path / f"reporter_{number}.py").write_text(PLUGIN.replace('"names"', repr(name)))
        result = suite.run("-p", f"reporter_{number}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"*report {name!r}: {why}"])
    assert ptc(suite, "report", "-p", "reporter_0", "--json=-").returncode == 2
    refused = ptc(suite, "report", "-p", "nothing_there", "--json=-")
    assert refused.stderr.startswith("ptc report: refused: -p nothing_there: cannot be used: ")
