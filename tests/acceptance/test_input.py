"""Bad input: an error that names the test, the field and the fix, before anything is started."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.suite import WITHOUT

if TYPE_CHECKING:
    from tests.support.suite import Suite

PLAIN = "@pytest.mark.ptc('pass')\ndef test_it(): pass\n"


#: What is wrong with a marker: its arguments, the field that is named, and what is said.
BAD = {
    "name": ("'x', timeot=3", "timeot", "unknown keyword; known are timeout"),
    "text": ("'x', timeout='3'", "timeout", "a number of seconds above 0"),
    "zero": ("'x', timeout=0", "timeout", "above 0"),
    "bool": ("'x', timeout=True", "timeout", "above 0"),
    "nan": ("'x', timeout=float('nan')", "timeout", "above 0"),
    "negative": ("'x', retries=-1", "retries", "a whole number from 0"),
    "fraction": ("'x', retries=1.5", "retries", "a whole number from 0"),
    "cwd": ("'x', cwd='nowhere'", "cwd", "is not a directory"),
    "env": ("'x', env={'A': 1}", "env", "a mapping of names to texts"),
    "env_name": ("'x', env={'A=B': ''}", "env", "a mapping of names to texts"),
    "schema": ("'x', schema={'type': 'thing'}", "schema", "is not a JSON Schema"),
    "mode": ("'x', permission_mode='yes'", "permission_mode", "one of default"),
    "gate": ("'x', gate=None", "gate", "True or False"),
    "tools": ("'x', tools=[1]", "tools", "a text or a list of texts"),
    "two": ("'x', 'y'", "ptc", "takes one positional argument"),
    "prompt_type": ("7", "prompt", "must be a text, not int"),
    "prompt_empty": ("'  '", "prompt", "is empty"),
    "no_prompt": ("", "prompt", "or the test a docstring"),
    "field": ("'{who}'", "prompt field {who}", "no parameter or session"),
    "scope": ("'{tmp_path}'", "prompt field {tmp_path}", "function scope"),
}


def test_markers_that_cannot_be_used_are_usage_errors_told_at_once(suite: Suite) -> None:
    """The run ends before it begins, and says which tests, which fields, and what is wanted."""
    suite.write(
        test_a="".join(
            f"@pytest.mark.ptc({marker})\ndef test_{name}(): pass\n"
            for name, (marker, _, _) in BAD.items()
        )
    )
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines_random(
        [f"*test_a.py::test_{name}: {field}: *{said}*" for name, (_, field, said) in BAD.items()]
    )
    assert suite.runs == []


@pytest.mark.parametrize(
    ("needs", "problem"), [("other", "no marked test 'other'"), ("test_it", "a cycle")]
)
def test_needs_that_nobody_meets_are_a_usage_error(suite: Suite, needs: str, problem: str) -> None:
    """As any other keyword, once the others can be used."""
    suite.write(test_a=f"@pytest.mark.ptc('x', needs={needs!r})\ndef test_it(): pass\n")
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: test_a.py::test_it: needs: *{problem}*"])
    assert suite.runs == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param(
            ["--ptc-workers=-1"],
            "--ptc-workers: must be a whole number from 0, not -1",
            id="negative",
        ),
        pytest.param(
            ["--ptc-host=docker"],
            "--ptc-host: must be one of auto, tmux, process, dask, not 'docker'",
            id="host",
        ),
        pytest.param(
            ["--ptc-timeout=0"],
            "--ptc-timeout: must be a number of seconds above 0, not 0.0",
            id="timeout",
        ),
        pytest.param(
            ["--ptc-timeout=nan"],
            "--ptc-timeout: must be a number of seconds above 0, not nan",
            id="nan",
        ),
        pytest.param(["--ptc-agent=oracle"], "ptc_agent: 'oracle' is not an agent", id="agent"),
        pytest.param(["--ptc-agent=os:nothing"], "'os:nothing' cannot be used", id="agent-place"),
        pytest.param(["--ptc-command=no-such-program x"], "is not a program on PATH", id="missing"),
        pytest.param(["--ptc-command='open"], "No closing quotation", id="quote"),
        pytest.param(["-o", "ptc_command="], "agent 'command' has no program", id="none"),
        pytest.param(["-o", "ptc_retries=two"], "ptc_retries: ", id="ini-type"),
        pytest.param(
            ["-o", "ptc_env=A"], "ptc_env: must be lines of the form NAME=value", id="ini-env"
        ),
        pytest.param(["-n2"], "--ptc-workers cannot be used with -n", id="xdist"),
    ],
)
def test_an_option_that_cannot_be_used_is_a_usage_error(
    suite: Suite, arguments: list[str], problem: str
) -> None:
    """The message names the option where it was said, and what would be right."""
    suite.write(test_a=PLAIN)
    result = suite.run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert problem in result.stderr.str()


def test_native_toml_options_are_typed(suite: Suite) -> None:
    """The TOML table of pytest 9 table gives values of the right type, and refuses others."""
    (suite.path / "tox.ini").unlink()
    command = json.dumps(f"{sys.executable} {suite.agent}")
    toml = suite.path / "pytest.toml"
    table = (
        f"[pytest]\nptc_agent = 'command'\nptc_command = {command}\n"
        "ptc_host = 'process'\nptc_timeout = 30.0\n"
    )
    suite.write(test_a=PLAIN)
    if not hasattr(pytest, "register_fixture"):  # pytest.toml came with 9.0
        toml = suite.path / "pyproject.toml"
        table = table.replace("[pytest]", "[tool.pytest.ini_options]")
    toml.write_text(table + "ptc_workers = 1\n")
    suite.pytester.runpytest_inprocess(*WITHOUT, "-W", "error").assert_outcomes(passed=1)


def test_an_agent_that_cannot_be_executed_is_named(suite: Suite) -> None:
    """A program that is there and cannot be run is an error of its tests, with its name."""
    program = suite.path / "agent"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    suite.write(test_a=PLAIN)
    result = suite.run(f"--ptc-command={program}")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*agent not found*{program}*"])


def test_a_list_directory_that_cannot_be_used_is_told_before_any_worker(suite: Suite) -> None:
    """A list that cannot be written is a usage error that names the path and the fix."""
    (suite.path / ".claude").write_text("in the way")
    suite.write(test_a=PLAIN)
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*ptc: *.claude*is a file*"])
    (suite.path / ".claude").unlink()


@pytest.mark.fault("disk-full-at-start")
def test_a_journal_that_cannot_be_written_is_told_before_any_worker(suite: Suite) -> None:
    """A cache directory that cannot hold the journal is a usage error that names the path."""
    (suite.path / ".pytest_cache/d/ptc").mkdir(parents=True)
    (suite.path / ".pytest_cache/d/ptc/runs").write_text("in the way")
    suite.write(test_a=PLAIN)
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*ptc: journal *runs*"])
    (suite.path / ".pytest_cache/d/ptc/runs").unlink()


def test_a_list_id_with_odd_characters_is_claude_codes_directory(suite: Suite) -> None:
    """The list lives where Claude Code would look for an id of such characters."""
    suite.write(test_a=PLAIN.replace("pass')", "touch began\\nwait go\\npass')"))
    (suite.path / "go").touch()
    suite.run("--ptc-task-list-id=a.b/../ü c").assert_outcomes(passed=1)
    (event,) = suite.events("run")
    assert Path(event["task_list"]) == suite.claude / "tasks" / "a-b------c"


def test_anothers_tasks_on_the_list_are_untouched(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A corrupt file and a foreign task on a shared list are as they were, ours are gone."""
    monkeypatch.setenv("CLAUDE_CODE_TASK_LIST_ID", "team")
    folder = suite.claude / "tasks" / "team"
    folder.mkdir(parents=True)
    theirs = {"7.json": '{"id":"7","subject":"mine","x":1}', "8.json": "{corrupt"}
    for name, text in theirs.items():
        (folder / name).write_text(text)
    suite.write(test_a=PLAIN)
    suite.run().assert_outcomes(passed=1)
    assert {p.name: p.read_text() for p in folder.glob("*.json")} == theirs
    assert suite.events("submitted")[0]["task"] == "10"
    for path in folder.iterdir():
        path.unlink()


NASTY = (
    'it\'s "quoted" `id` $(touch pwned) ${HOME} ; touch pwned',
    "two\nlines\n\n  and\ttabs\r\n",
    "日本語 العربية 🙂 e\u0301",
    "nul\0byte \x1b[31mred\x07",
    "%s {0} {} \\n #{pane_pid} ;",
    "x" * 1_000_000,
)


@pytest.mark.parametrize("suite", ["process", "tmux"], indirect=True)
def test_prompts_and_parameters_arrive_as_they_are(suite: Suite) -> None:
    """Whatever is in a prompt reaches the agent's standard input whole, and no shell ever."""
    suite.agent.write_text(
        "import json, os, sys\n"
        "prompt = sys.stdin.buffer.read().decode()\n"
        "params = json.load(open(os.environ['PTC_PARAMS_FILE']))\n"
        "name = os.environ['PTC_NODEID'].partition('[')[2].rstrip(']')\n"
        "json.dump([prompt, params], open(f'seen-{name}.json', 'w'))\n"
        "print(json.dumps({'verdict': 'pass', 'summary': 'seen'}))\n"
    )
    (suite.path / "nasty.json").write_text(json.dumps(NASTY))
    suite.write(
        test_a="import json, pathlib\nNASTY = json.loads(pathlib.Path('nasty.json').read_text())\n"
        "@pytest.mark.ptc('before {n} after')\n"
        "@pytest.mark.parametrize('n', NASTY, ids=[str(n) for n in range(len(NASTY))])\n"
        "def test_it(n): pass\n"
    )
    suite.run().assert_outcomes(passed=len(NASTY))
    for number, nasty in enumerate(NASTY):
        prompt, params = json.loads((suite.path / f"seen-{number}.json").read_text())
        assert prompt.startswith(f"before {nasty} after\n\nTask ID: ")
        assert params == {"n": nasty}
    assert not list(suite.path.glob("**/pwned"))


@pytest.mark.fault("inside-a-session")
def test_the_environment_of_an_agent(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent gets its task's variables, and none of the session that pytest was started from."""
    monkeypatch.setenv("CLAUDECODE", "1")
    monkeypatch.setenv("CLAUDE_CODE_SSE_PORT", "1234")
    monkeypatch.setenv("CLAUDE_CODE_USE_BEDROCK", "1")
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    suite.agent.write_text(
        "import json, os, sys\n"
        "json.dump([os.getcwd(), dict(os.environ)], open(os.environ['OUT'], 'w'))\n"
        "print(json.dumps({'verdict': 'pass', 'summary': 'seen'}))\n"
    )
    (suite.path / "sub dir").mkdir()
    out = suite.path / "out.json"
    suite.write(
        test_a=f"@pytest.mark.ptc('x', cwd='sub dir', env={{'OUT': {str(out)!r}, 'A': 'ü'}})\n"
        "@pytest.mark.parametrize('n', [3])\ndef test_it(n): pass\n"
    )
    suite.run("-o", "ptc_env=B=2").assert_outcomes(passed=1)
    cwd, env = json.loads(out.read_text())
    assert cwd == str(suite.path / "sub dir")
    assert (env["A"], env["B"], env["PTC_PARAMS"]) == ("ü", "2", '{"n": 3}')
    assert env["PTC_NODEID"] == "test_a.py::test_it[3]"
    assert env["CLAUDE_CODE_TASK_LIST_ID"].startswith("ptc-")
    assert env["CLAUDE_CODE_USE_BEDROCK"] == "1"
    assert not {"CLAUDECODE", "CLAUDE_CODE_SSE_PORT", "TMUX"} & set(env)
    assert env["PATH"].endswith(os.environ["PATH"])


def test_placeholders_of_the_command(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """`{claude_code}` is the command that CLAUDE_CODE names, `{rootpath}` a part of an argument."""
    monkeypatch.setenv("CLAUDE_CODE", f"{sys.executable} -I")
    suite.write(test_a=PLAIN)
    suite.run("--ptc-command={claude_code} {rootpath}/agent.py").assert_outcomes(passed=1)
    assert suite.events("run")[0]["command"] == [sys.executable, "-I", str(suite.agent)]
