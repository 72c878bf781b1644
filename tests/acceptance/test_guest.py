"""A good guest: what the plugin does not do, and where it keeps out of the way."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.collection.options import all_options
from tests.support.environments import new_environment
from tests.support.suite import WITHOUT

if TYPE_CHECKING:
    from tests.support.suite import Suite

PLAIN = (
    "@pytest.mark.ptc('pass {n}')\n@pytest.mark.parametrize('n', [1, 2])\ndef test_it(n): pass\n"
)


def test_without_workers_marked_tests_are_skipped_with_the_way_to_run_them(suite: Suite) -> None:
    """A plain pytest run says how to have an agent do the marked tests."""
    suite.write(test_a=PLAIN + "def test_plain(ptc_coordinator): pass\n")
    result = suite.pytester.runpytest_inprocess(*WITHOUT, "-rs", "-W", "error")
    result.assert_outcomes(skipped=3)
    result.stdout.fnmatch_lines(["SKIPPED*an agent does this test: run it with --ptc-workers=N"])
    assert suite.runs == []


def test_collect_only_shows_the_prompts_and_starts_nothing(suite: Suite) -> None:
    """`--collect-only -v` prints each prompt, filled as far as that needs no fixture."""
    suite.write(
        conftest="import pytest\n@pytest.fixture(scope='session')\n"
        "def base():\n    raise SystemExit\n",
        test_a=PLAIN.replace("{n}'", "{n} at {base}\\n  and on'"),
    )
    result = suite.run("--collect-only", "-v")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "ptc: test_a.py::test_it?2?",
            "    pass 2 at {base}",
            "      and on",
            "*<Function test_it?2?>",
        ]
    )
    assert suite.runs == []


def test_after_collection_errors_nothing_is_started(suite: Suite) -> None:
    """A suite that does not import is not given to agents."""
    suite.write(test_a=PLAIN, test_b="import no_such_module\n")
    result = suite.run()
    result.assert_outcomes(errors=1)
    assert suite.runs == []


def test_the_options_are_documented(suite: Suite) -> None:
    """Every option of the table stands in `--help`, on the command line or as an ini key."""
    text = suite.pytester.runpytest_inprocess(*WITHOUT, "--help").stdout.str()
    for option in all_options():
        assert option.ini in text
        assert not option.flag or option.cli in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["-p", "libtmux.pytest_plugin", "-p", "xdist", "--setup-show", "--junitxml=report.xml"],
        pytest.param(
            ["-p", "no:cacheprovider", "-p", "no:timeout", "-p", "no:rerunfailures", "-s"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ["-p", "no:terminal", "-p", "no:capture", "-p", "no:xdist"], marks=pytest.mark.slow
        ),
    ],
    ids=" ".join,
)
def test_beside_other_plugins(suite: Suite, arguments: list[str]) -> None:
    """The plugin works with and without what usually stands beside it."""
    suite.write(test_a=PLAIN)
    result = suite.run(*arguments)
    assert result.ret == 0
    assert len(suite.events("submitted")) == 2


def test_without_autoload_it_is_named_by_its_module(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-p pytest_ptc.plugin` is enough where autoloading is off."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    suite.write(test_a=PLAIN)
    suite.spawn("-p", "pytest_ptc.plugin").assert_outcomes(passed=2)


def test_an_agent_that_runs_pytest_starts_no_agents(suite: Suite) -> None:
    """The tests that an agent runs are not given to further agents, whatever the ini file says."""
    suite.agent.write_text(
        "import json, subprocess, sys\n"
        "run = subprocess.run([sys.executable, '-m', 'pytest', '-rs', '--ptc-workers=2'],"
        " capture_output=True, text=True)\n"
        "ok = 'agents do not start agents' in run.stdout and '2 skipped' in run.stdout\n"
        "print(json.dumps({'verdict': 'pass' if ok else 'fail', 'summary': run.stdout[-500:]}))\n"
    )
    suite.write(test_a=PLAIN)
    suite.run().assert_outcomes(passed=2)
    assert len(suite.runs) == 1


def test_no_heavy_import_without_workers(suite: Suite) -> None:
    """A run that does not use the plugin imports nothing that only its work needs."""
    heavy = {
        "libtmux",
        "filelock",
        "psutil",
        "jsonschema",
        "pytest_ptc.session.hooks",
        "watchfiles",
    }
    suite.write(test_a=f"import sys\ndef test_it():\n    assert not {heavy!r} & set(sys.modules)\n")
    result = suite.pytester.runpytest_subprocess(*WITHOUT, "-p", "no:xdist")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "option", ["--ptc-resume", pytest.param("--ptc-github", marks=pytest.mark.slow)]
)
def test_an_option_that_may_stand_alone_takes_no_path_for_its_value(
    suite: Suite, option: str
) -> None:
    """The tests that follow it are the ones that are run, with their ini file and conftest."""
    folder = suite.path / "checks"
    folder.mkdir()
    (folder / "conftest.py").write_text(
        "import pytest\n\ndef pytest_addoption(parser):\n    parser.addoption('--of-checks')\n\n"
        "@pytest.fixture(scope='session')\ndef word():\n    return 'pass'\n"
    )
    (folder / "test_it.py").write_text(
        "import pytest\n@pytest.mark.ptc('{word}')\ndef test_it(): pass\n"
    )
    suite.write(test_other="def test_other(): assert False\n")
    # Its option is known only if the conftest of the path was found in time.
    result = suite.run(option, "checks", "--of-checks=1")
    result.assert_outcomes(passed=1)
    said = {"--ptc-resume": "ptc: resumes nothing: there is no earlier run"}.get(option)
    assert said is None or said in result.outlines


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is a dependency")
@pytest.mark.parametrize("suite", ["process", "tmux"], indirect=True)
def test_linux_needs_no_psutil(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> None:
    """It is not installed there: a run goes without, its cleaning too."""
    python = new_environment(tmp_path_factory.mktemp("linux") / "env", without=["psutil"])
    prompt = "first once kill-worker\\npass"
    suite.write(test_a=f"@pytest.mark.ptc('{prompt}', retries=1)\ndef test_it(): pass\n")
    missing = suite.pytester.run(python, "-c", "import psutil")
    assert missing.ret == 1
    result = suite.pytester.run(python, "-m", "pytest", *WITHOUT, "--ptc-workers=2", "-W", "error")
    result.assert_outcomes(passed=1)
    for command in ("list", "clean"):
        assert suite.pytester.run(python, "-m", "pytest_ptc.cli", command).ret == 0


def test_the_summary_is_one_line_when_quiet_and_all_is_well(suite: Suite) -> None:
    """A model that reads the summary pays for one line."""
    suite.write(test_a=PLAIN)
    result = suite.run("-q")
    lines = [line for line in result.outlines if "ptc" in line.replace("pytest", "")]
    assert len(lines) == 1, lines
    assert "2 pass" in lines[0]


def test_the_header_says_what_the_run_is_made_of(suite: Suite) -> None:
    """Workers, host, agent and list stand in the header; `-q` has none."""
    suite.write(test_a=PLAIN)
    suite.run().stdout.fnmatch_lines(
        ["ptc: 2 workers in child processes, command agent, list ptc-*"]
    )


@pytest.mark.parametrize("suite", ["tmux"], indirect=True)
def test_the_header_says_how_to_watch(suite: Suite) -> None:
    """In tmux, the command to attach is printed, and it names the run's own socket."""
    suite.write(test_a=PLAIN)
    suite.run().stdout.fnmatch_lines(["ptc: watch with: tmux -L ptc-* attach*"])


def test_without_tmux_workers_are_child_processes(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where tmux is not installed, `auto` says so and works all the same; `tmux` is an error."""
    empty = suite.path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    suite.write(test_a=PLAIN)
    result = suite.run("--ptc-host=auto", f"--ptc-command={sys.executable} {suite.agent}")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["ptc: *tmux*"])
    result = suite.run("--ptc-host=tmux")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "tmux" in result.stderr.str()
