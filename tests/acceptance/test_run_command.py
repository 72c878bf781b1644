"""`ptc run`: a fan-out in one line, with real workers and a scripted agent; and `ptc wait`."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.journals import read_events
from tests.support.programs import ptc
from tests.support.runs import until
from tests.support.suite import WITHOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.suite import Suite

EXAMPLE = Path(__file__).parents[2] / "docs/examples/one_command"


def run(suite: Suite, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the suite's folder, without plugins that no test here is about."""
    more = () if "--" in words else ("--",)
    return ptc(suite, "run", *words, *more, *WITHOUT)


def first_event(suite: Suite) -> dict[str, Any]:
    """Return how the last run began."""
    (event,) = suite.events("run")
    return event


def totals(line: str) -> str:
    """Return a line of totals without what differs from run to run."""
    return re.sub(r"[0-9.]+ s, run [0-9a-f]+$", "S, run ID", line)


@pytest.fixture
def example(suite: Suite) -> Suite:
    """The project of the guide, with an agent that does real work."""
    shutil.copytree(EXAMPLE, suite.path, dirs_exist_ok=True)
    ini = suite.path / "pytest.ini"
    ini.write_text(ini.read_text() + f"ptc_host = {suite.host}\n")
    return suite


def test_five_files_are_processed(example: Suite) -> None:
    """A line an item in the order given, one of totals, and nothing of pytest's."""
    names = ("e.txt", "d.txt", "c.txt", "b.txt", "a.txt")
    done = run(example, "Process {each}.", *names)
    *lines, last = done.stdout.splitlines()
    assert lines == [
        "pass e.txt  4 samples, all complete",
        "pass d.txt  4 samples, all complete",
        "FAIL c.txt  2 of 4 samples broken: medium c.txt:2 no number (+1)",
        "pass b.txt  4 samples, all complete",
        "pass a.txt  4 samples, all complete",
    ]
    assert totals(last) == "5: 4 pass, 1 fail, S, run ID"
    assert (done.stderr, done.returncode) == ("", 1)


@pytest.mark.slow
def test_five_endpoints_are_tested(example: Suite) -> None:
    """By four methods each, with real requests."""
    prompt = "Test GET, POST, PUT and DELETE of {endpoint}."
    done = run(example, prompt, "/users", "/orders", "/items", "/carts", "/prices")
    *lines, last = done.stdout.splitlines()
    told = "GET 200, POST 201, PUT 200, DELETE"
    assert lines[0] == f"pass /users  {told} 204"
    assert lines[3] == f"FAIL /carts  {told} 500: high DELETE answers 500"
    assert totals(last) == "5: 4 pass, 1 fail, S, run ID"


@pytest.mark.slow
def test_five_pull_requests_are_reviewed(example: Suite) -> None:
    """Each in a worktree of its own, at the pull request's head; none is left."""
    subprocess.run(["bash", "pulls.sh"], cwd=example.path, check=True)
    done = run(
        example,
        "Review pull request {pr}.",
        *("--each", "pr=123..127", "--isolation", "worktree"),
        *("--ref", "pr-{pr}", "--base", "main"),
    )
    *lines, last = done.stdout.splitlines()
    assert [line.partition("  ")[0] for line in lines] == [
        *("pass 123", "pass 124", "FAIL 125", "pass 126", "pass 127")
    ]
    assert "critical shop.py eval() runs any text as code" in lines[2]
    assert totals(last) == "5: 4 pass, 1 fail, S, run ID"
    specs = [event["spec"] for event in example.events("submitted")]
    assert len({spec["ref"] for spec in specs}) == 5
    listed = subprocess.run(
        ["git", "worktree", "list"], cwd=example.path, capture_output=True, text=True, check=True
    )
    assert len(listed.stdout.splitlines()) == 1


def test_nothing_of_the_project_is_needed_but_its_ini_file(suite: Suite) -> None:
    """Test files, a conftest and addopts are those of the project's tests."""
    suite.write(test_a="raise SystemExit('collected')")
    (suite.path / "conftest.py").write_text("raise SystemExit('imported')")
    with (suite.path / "tox.ini").open("a") as ini:
        ini.write("\naddopts = --no-such-option\nfilterwarnings = error\nptc_retries = 2\n")
    folder = suite.path / "inside"
    folder.mkdir()
    (folder / "a.txt").touch()
    line = [sys.executable, "-m", "pytest_ptc.cli", "run", "sh test -e {each}\npass", "a.txt"]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
    # Names of files are those that are seen from where the command was called.
    (event,) = suite.events("submitted")
    assert event["spec"]["cwd"] == str(folder)
    assert event["spec"]["retries"] == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(
            *(["Process {each}.", "a.txt"], "ITEM: a.txt is no file in "), marks=pytest.mark.slow
        ),
        (["Do {each}.", "1", "--agent", "nobody"], "ptc_agent: 'nobody' is not an agent"),
        pytest.param(
            *(["Do {each}.", "1", "--", "--no-such"], "unrecognized arguments: --no-such"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *(["Do {each}.", "1", "--", "test_a.py"], "behind --: 'test_a.py' is no option"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *(["Do {b}.", "--each=b=1..50", "--ref={b}", "--isolation=worktree"], " (+49 more)"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_cannot_be_run_is_refused_in_a_sentence(
    suite: Suite, words: Sequence[str], sentence: str
) -> None:
    """Before there is a run, let alone a task."""
    done = ptc(suite, "run", *words)
    assert done.stderr.startswith("ptc run: refused: ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert (done.stdout, done.returncode) == ("", 2)
    assert suite.runs == []


@pytest.mark.slow
def test_the_order_is_that_of_the_line_and_no_test_is_forgotten(suite: Suite) -> None:
    """A plugin may shuffle items; and what failed here is no test that failed last."""
    shuffles = "def pytest_collection_modifyitems(items):\n    items.reverse()\n"
    (suite.path / "shuffles.py").write_text(shuffles)
    suite.write(test_a="@pytest.mark.ptc('fail no')\ndef test_a(): pass")
    suite.run()
    failed = suite.path / ".pytest_cache/v/cache/lastfailed"
    before = failed.read_text()
    done = run(suite, "fail {each}", "a", "b", "c", "--", "-p", "shuffles")
    assert [line[:6] for line in done.stdout.splitlines()[:3]] == ["FAIL a", "FAIL b", "FAIL c"]
    assert failed.read_text() == before


def test_options_of_the_environment_leave_no_item_out(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate judges what its command line names; agents still inherit the variable."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only -k nothing --no-such-option")
    done = run(suite, 'sh test -n "$PYTEST_ADDOPTS"\npass')
    assert done.returncode == 0, done.stderr
    assert totals(done.stdout.splitlines()[-1]) == "1: 1 pass, S, run ID"


@pytest.mark.slow
def test_plugins_that_are_not_loaded_by_themselves_are_not_missed(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where autoload is off, the command brings its own plugin."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    done = ptc(suite, "run", "pass")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_what_pytest_only_shows_is_shown(suite: Suite) -> None:
    """An option behind `--` may run nothing; one that leaves no item is no success."""
    shown = run(suite, "pass {each}", "a", "b", "--", "--collect-only", "-q")
    assert shown.stdout.splitlines()[:2] == ["run::a", "run::b"]
    assert shown.returncode == 0
    nothing = run(suite, "pass {each}", "a", "--", "-k", "nothing")
    assert (nothing.stdout, nothing.returncode) == ("", 5)
    assert "no item is selected" in nothing.stderr
    assert suite.runs == []


def test_a_plugin_that_breaks_is_no_failed_item(suite: Suite) -> None:
    """Before there is a session: the status is pytest's own for an error within."""
    broken = "def pytest_load_initial_conftests():\n    raise RuntimeError('broken')\n"
    (suite.path / "broken.py").write_text(broken)
    done = ptc(suite, "run", "pass {each}", "a", "--", "-p", "broken")
    assert done.stderr == "ptc run: pytest could not start: RuntimeError: broken\n"
    assert done.returncode == 3


@pytest.mark.slow
def test_items_of_any_length_are_at_most_2400_bytes(suite: Suite) -> None:
    """All is said of the worst, the rest is counted, and there is a command that shows it."""
    names = [f"{number} {'long ' * 60}" for number in range(8)]
    found = [{"severity": "high", "message": "more " * 200}]
    said = {"verdict": "fail", "summary": "words " * 300, "findings": found}
    (suite.path / "said.json").write_text(json.dumps(said))
    done = run(suite, "sh cat said.json\nTask {each}", *names, "-n", "2")
    assert len(done.stdout.encode()) <= 2400
    *_, rest, last = done.stdout.splitlines()
    assert re.search(r"rest: ptc results [0-9a-f]+$", rest)
    assert totals(last) == "8: 8 fail, S, run ID"


def test_lines_of_standard_input_become_json_lines(suite: Suite) -> None:
    """One object an item, in order, and one of totals; data meets the schema.

    The items are lines of standard input, as from a command before it; empty ones are none.
    """
    schema = {"type": "object", "required": ["size"], "properties": {"size": {"type": "integer"}}}
    (suite.path / "size.json").write_text(json.dumps(schema))
    verdict = json.dumps({"verdict": "pass", "summary": "so", "data": {"size": 3}})
    words = (f"record {verdict}\nsay {{each}}", "--schema", "size.json", "--json", "--from", "-")
    done = subprocess.run(
        [sys.executable, "-m", "pytest_ptc.cli", "run", *words],
        cwd=suite.path,
        input="b\n\na\n",
        capture_output=True,
        text=True,
        check=False,
    )
    *objects, last = map(json.loads, done.stdout.splitlines())
    assert [(one["item"], one["data"]) for one in objects] == [
        ("b", {"size": 3}),
        ("a", {"size": 3}),
    ]
    assert (last["items"], last["exit_status"]) == (2, 0)


def test_a_run_is_taken_up_and_its_suite_is_in_the_journal(suite: Suite) -> None:
    """Items keep their ids: what passed is not run again, and the order is that of the line."""
    suite.commit("*.seen")
    words = ("first {each}.seen exit 3\npass", "b", "a", "b")
    (suite.path / "b.seen").touch()
    assert run(suite, *words, "--retries=0").returncode == 10
    inline = first_event(suite)["inline"]
    assert [item["name"] for item in inline["items"]] == ["b", "a", "b-2"]
    assert inline["prompt"] == words[0]
    assert inline["words"][1:4] == ["b", "a", "b"]
    done = run(suite, *words, "--resume")
    assert [line.split("  ")[0] for line in done.stdout.splitlines()[:-1]] == [
        "pass b",
        "pass a",
        "pass b-2",
    ]
    assert done.returncode == 0
    (event,) = suite.events("submitted")
    # Where nobody says how often, an item is tried once more.
    assert (event["spec"]["nodeid"], event["spec"]["retries"]) == ("run::a", 1)


def again(suite: Suite, name: str) -> subprocess.CompletedProcess[str]:
    """Run an item of the last run again, from its journal alone."""
    code = (
        "import sys\n"
        "from pytest_ptc.cli.named_runs import named_run\n"
        "from pytest_ptc.cli.run import run_again\n"
        f"sys.exit(run_again(named_run(None).began.inline, [{name!r}]))\n"
    )
    line = [sys.executable, "-c", code]
    return subprocess.run(line, cwd=suite.path, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_an_item_is_run_again_from_the_journal_alone(suite: Suite) -> None:
    """With its id, its prompt and the options of its run; a verdict that is there is no reason."""
    run(suite, "say {each}\npass", "a", "b", "-n", "1", "--retries", "2", "--resume")
    done = again(suite, "run::b")
    assert done.stdout.startswith("pass b  so it is\n1: 1 pass, ")
    (event,) = suite.events("submitted")
    assert (event["spec"]["nodeid"], event["spec"]["retries"]) == ("run::b", 2)
    assert first_event(suite)["workers"] == 1


@pytest.mark.slow
def test_secrets_of_the_command_line_are_not_in_the_journal(suite: Suite) -> None:
    """Neither in its words nor in its keywords; no item is run again with what is left of them."""
    secret = "hunter2-hunter2"
    assert run(suite, "pass", "--env", f"API_TOKEN={secret}").returncode == 0
    assert secret not in (suite.runs[-1] / "journal.jsonl").read_text()
    assert "--env API_TOKEN was a secret" in again(suite, "prompt").stderr


@pytest.mark.slow
def test_files_that_have_changed_are_items(suite: Suite) -> None:
    """As the only field, with what has become of them beside it and behind the prompt."""
    for name in ("kept.txt", "changed.txt", "gone.txt"):
        (suite.path / name).write_text(name)
    suite.commit()
    (suite.path / "changed.txt").write_text("new")
    (suite.path / "gone.txt").unlink()
    done = run(suite, "record pass|--summary|{status}\nTask {file}", "--changed", "HEAD")
    assert done.stdout.splitlines()[:2] == ["pass changed.txt  modified", "pass gone.txt  deleted"]
    alone = run(suite, "pass\nTask {file}", "--changed", "HEAD", "--files", "*.txt")
    assert alone.returncode == 0
    prompts = {
        event["spec"]["nodeid"]: event["spec"]["prompt"] for event in suite.events("submitted")
    }
    assert prompts["run::changed.txt"] == "pass\nTask changed.txt"
    assert len(prompts["run::gone.txt"]) > len("pass\nTask gone.txt")


def test_a_run_without_changes_has_nothing_to_do(suite: Suite) -> None:
    """It is green, and says why; no agent is asked."""
    suite.commit()
    done = run(suite, "Review {path}.", "--changed", "HEAD")
    assert done.stdout == "0 items: nothing changed since HEAD\n"
    assert done.returncode == 0
    assert suite.runs == []


def test_a_run_in_the_background_is_waited_for(suite: Suite) -> None:
    """Its id comes at once, and its results and status when it has ended."""
    started = run(suite, "wait go\nfail no {each}", "a", "b", "--background")
    run_id = started.stdout.strip()
    assert (started.stderr, started.returncode) == ("", 0)
    assert suite.runs[-1].name == run_id
    assert os.getsid(first_event(suite)["pid"]) == first_event(suite)["pid"]
    (suite.path / "go").touch()
    waited = ptc(suite, "wait", run_id[-7:])
    *lines, last = waited.stdout.splitlines()
    assert lines == ["FAIL a  no a", "FAIL b  no b"]
    assert totals(last) == "2: 2 fail, S, run ID"
    assert waited.returncode == 1
    # Printed when the session is over, which is what `ptc wait` waits for.
    output = suite.runs[-1] / "output.txt"
    until(lambda: output.read_text() == waited.stdout, "its own output")


def test_a_run_that_is_refused_in_the_background_says_so(suite: Suite) -> None:
    """With its sentence and its status."""
    done = run(suite, "Do {each}.", "a", "--agent", "nobody", "--background")
    assert done.stderr.startswith("ptc run: refused: ptc_agent: 'nobody' is not an agent")
    assert (done.stdout, done.returncode) == ("", 2)


def test_a_killed_run_is_not_waited_for_as_if_it_had_ended(suite: Suite) -> None:
    """Its results so far are printed, and its status is not 0."""
    started = run(suite, "first {each}.seen wait never\npass", "a", "b", "--background")
    pid = first_event(suite)["pid"]
    waiting = subprocess.Popen(
        [sys.executable, "-m", "pytest_ptc.cli", "wait", started.stdout.strip()],
        cwd=suite.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.kill(pid, signal.SIGKILL)
    out, err = waiting.communicate(timeout=60)
    assert "was killed before its end" in err
    assert "not successful" in out
    assert waiting.returncode == 10
    assert ptc(suite, "clean").returncode == 0


def test_the_end_of_a_run_that_has_ended_is_known_at_once(suite: Suite) -> None:
    """Of any run, by the end of its id; of none, it is refused."""
    assert ptc(suite, "wait").returncode == 2
    suite.write(test_a="@pytest.mark.ptc('pass')\ndef test_a(): pass")
    suite.run()
    waited = ptc(suite, "wait")
    assert waited.stdout.splitlines()[0] == "pass test_a  so it is"
    assert waited.returncode == 0


@pytest.mark.slow
def test_a_terminal_shows_how_far_the_run_is(suite: Suite) -> None:
    """Below the cursor, and gone when the results are printed."""
    shown = bytearray()

    def read(descriptor: int) -> bytes:
        data = os.read(descriptor, 1 << 16)
        shown.extend(data)
        if b"ptc 0/2 done" in shown:
            (suite.path / "shown").touch()
        return data

    # Neither ends before what is shown then has been seen.
    line = [sys.executable, "-m", "pytest_ptc.cli", "run", "wait shown\npass {each}", "a", "b"]
    script = f"cd {suite.path} && exec {shlex.join(line)}"
    status = pty.spawn(["env", "TERM=xterm", "COLUMNS=80", "bash", "-c", script], read)
    last = shown.decode().rpartition("\x1b8")[2]
    assert [line.split("  ")[0] for line in last.splitlines()[:2]] == ["pass a", "pass b"]
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.slow
def test_the_output_of_a_run_is_that_of_its_journal(suite: Suite) -> None:
    """Every item of the line is in the journal, with its place in it."""
    run(suite, "pass {each}", "a", "b")
    events = read_events(suite.runs[-1])
    tasks = {event["nodeid"]: event for event in events if event["event"] == "item"}
    assert set(tasks) == {"run::a", "run::b"}
