"""Who may say how an attempt ended, and what is never written down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.suite import Suite

SECRET = "sk-live-abcdefghijkl"

#: What an agent that may run any program can find out: where the attempts of others are.
INTRUDER = """
import glob, json, os, subprocess, sys, time
mine = os.environ["PTC_ATTEMPT_FOLDER"]
what = sys.stdin.readline().split()[0]
if what == "victim":
    while not os.path.exists("attacked"):
        time.sleep(0.01)
    if os.path.exists("silent"):
        sys.exit(0)
    print(json.dumps({"verdict": "fail", "summary": "a true fail"}))
    sys.exit(0)
while len(glob.glob(os.path.dirname(mine) + "/*/prompt.txt")) < 2:
    time.sleep(0.01)
(other,) = (f for f in glob.glob(os.path.dirname(mine) + "/*") if f != mine)
task = json.load(open(other + "/task.json"))
verdict = {"verdict": "pass", "summary": "forged", "findings": [], "data": None}
(socket,) = {*glob.glob(os.path.dirname(os.environ["PTC_RECORD_SOCKET"]) + "/record-*")} - {
    os.environ["PTC_RECORD_SOCKET"]
}
with open("said", "w") as told:
    for socket in (socket, os.environ["PTC_RECORD_SOCKET"]):
        own = {"PTC_ATTEMPT_FOLDER": other, "PTC_RECORD_SOCKET": socket}
        words, env = ["ptc", "record", json.dumps(verdict)], {**os.environ, **own}
        said = subprocess.run(words, env=env, capture_output=True, text=True)
        told.write(said.stderr)
with open(other + "/records.jsonl", "a") as file:
    file.write("\\n" + json.dumps({"call": "x", "verdict": verdict, "seal": "0" * 64}))
with open(other + "/report.json", "w") as file:
    report = {key: task[key] for key in ("task", "attempt", "worker")}
    more = {"seconds": 1, "verdict": verdict, "trouble": None, "usage": None, "about": {}}
    json.dump({**report, **more, "seal": "0" * 64}, file)
open("attacked", "w").close()
print(json.dumps({"verdict": "pass", "summary": "mine"}))
"""


@pytest.mark.fault("foreign-record", "hostile-text")
@pytest.mark.parametrize(
    "silent",
    [
        pytest.param(False, id="victim-records", marks=pytest.mark.slow),
        pytest.param(True, id="victim-records-nothing"),
    ],
)
def test_an_agent_cannot_record_for_another(suite: Suite, silent: bool) -> None:
    """With its own token, a forged line, and a forged report in the other's place."""
    suite.agent.write_text(INTRUDER)
    if silent:
        (suite.path / "silent").touch()
    suite.write(
        test_a="@pytest.mark.ptc('victim')\ndef test_victim(): pass\n"
        "@pytest.mark.ptc('intruder')\ndef test_intruder(): pass\n"
    )
    result = suite.run()
    result.assert_outcomes(passed=1, failed=not silent, errors=silent)
    if not silent:
        result.stdout.fnmatch_lines(["*ptc verdict: fail - a true fail"])
    said = (suite.path / "said").read_text()
    assert said.count("is another worker's: record for your own") == 2
    reports = map(json.loads, (f.read_bytes() for f in suite.runs[-1].glob("*/*/report.json")))
    assert sorted(report["about"].get("foreign_records", 0) for report in reports) == [0, 1]


#: Records a fail, and then does to every file that it can reach what its prompt says: those of its
#: attempt, of its run, and of the run's private folder.
VANDAL = """
import json, os, pathlib, subprocess, sys
what = sys.stdin.readline().split()[0]
subprocess.run(["ptc", "record", "fail", "--summary", "a true fail"], check=True)
attempt = pathlib.Path(os.environ["PTC_ATTEMPT_FOLDER"])
private = pathlib.Path(os.environ["PTC_RECORD_SOCKET"]).parent
passed = {"verdict": "pass", "summary": "forged", "findings": [], "data": None}
forged = {"call": "x", "late": False, "verdict": passed, "ended": 0, "seal": "0" * 64,
          "task": os.environ["PTC_TASK_ID"], "attempt": 1, "worker": "w1", "seconds": 1,
          "trouble": None, "usage": None, "about": {}}
reached = 0
for place in (attempt, attempt.parent.parent, private):
    for file in sorted(place.rglob("*")):
        if file.is_file():
            reached += 1
            if what == "removes":
                file.unlink()
            else:
                file.write_text("" if what == "truncates" else json.dumps(forged))
assert reached > 5
"""


@pytest.mark.fault("rewritten-records")
@pytest.mark.parametrize(
    "what", ["forges", *(pytest.param(w, marks=pytest.mark.slow) for w in ("truncates", "removes"))]
)
def test_an_agent_that_can_write_everywhere_cannot_take_its_fail_back(
    suite: Suite, what: str
) -> None:
    """It exits with 0 after that; what was acknowledged is what the attempt comes to."""
    suite.agent.write_text(VANDAL)
    suite.write(test_a=f"@pytest.mark.ptc({what!r}, retries=1)\ndef test_it(): pass\n")
    result = suite.run("--ptc-workers=1")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ptc verdict: fail - a true fail"])
    (attempt,) = suite.runs[-1].glob("attempts/*")
    assert "a true fail" in (attempt / "records.jsonl").read_text()
    assert json.loads((attempt / "report.json").read_bytes())["verdict"]["verdict"] == "fail"


@pytest.mark.fault("late-record", "foreign-record")
def test_what_comes_after_an_attempt_is_over_is_refused(suite: Suite) -> None:
    """A program that outlived its attempt, by what a worker cannot find, records no more."""
    suite.agent.write_text(
        "import json, os, subprocess, sys\n"
        "NAMES = ('PTC_ATTEMPT_FOLDER', 'PTC_TOKEN', 'PTC_RECORD_SOCKET')\n"
        "if 'kept.json' in os.listdir():\n"
        "    stale = {**os.environ, **json.load(open('kept.json'))}\n"
        "    words = ['ptc', 'record', 'pass', '--summary', 'late']\n"
        "    said = subprocess.run(words, env=stale, capture_output=True, text=True)\n"
        "    print(json.dumps({'verdict': 'fail', 'summary': said.stderr}))\n"
        "else:\n"
        "    kept = {name: os.environ[name] for name in NAMES}\n"
        "    json.dump(kept, open('kept.json', 'w'))\n"
    )
    suite.write(test_a="@pytest.mark.ptc('x', retries=1)\ndef test_it(): pass\n")
    result = suite.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*refused: attempt 1 at task * is over*"])


@pytest.mark.parametrize(
    "suite", ["process", pytest.param("tmux", marks=pytest.mark.slow)], indirect=True
)
def test_secrets_are_nowhere(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of pytest's environment, of the ini file and of the marker; wherever an agent puts them."""
    monkeypatch.setenv("SERVICE_API_KEY", SECRET)
    own = {"DB_PASSWORD": "hunter2hunter2"}
    token = "$PTC_TOKEN"
    suite.agent.write_text(
        "import json, os, subprocess, sys\n"
        "text = sys.stdin.read()\n"
        "seen = [os.environ[n] for n in ('SERVICE_API_KEY', 'DB_PASSWORD', 'PTC_TOKEN')]\n"
        "assert json.loads(os.environ['PTC_PARAMS'])['key'] in text\n"
        "print('seen', *seen, flush=True)\n"
        "print('seen', *seen, file=sys.stderr, flush=True)\n"
        "for part in (seen[0][:7], seen[0][7:]):\n"
        "    sys.stdout.write(part)\n    sys.stdout.flush()\n"
        "open('token', 'w').write(seen[2])\n"
        "finding = {'severity': 'low', 'message': seen[0], 'path': seen[1]}\n"
        "kind = 'error' if 'breaks' in text else 'fail'\n"
        "verdict = {'verdict': kind, 'summary': ' '.join(seen), 'findings': [finding],\n"
        "           'data': {seen[0]: seen}}\n"
        "subprocess.run(['ptc', 'record', '-'], input=json.dumps(verdict).encode(), check=True)\n"
        "if 'dies' in text:\n    os.kill(os.getppid(), 9)\n    import time; time.sleep(60)\n"
        "print(json.dumps(verdict))\n"
    )
    suite.write(
        test_a=f"mark = pytest.mark.parametrize('key', [{SECRET!r}])\n"
        f"@pytest.mark.ptc('fails {{key}} {token}', env={own!r})\n@mark\n"
        "def test_fails(key): pass\n"
        f"@pytest.mark.ptc('breaks {{key}}', env={own!r})\n@mark\ndef test_breaks(key): pass\n"
        f"@pytest.mark.ptc('dies {{key}}', env={own!r})\n@mark\ndef test_dies(key): pass\n"
        f"def test_list():\n"
        "    pass\n"
    )
    suite.write(
        conftest="import shutil, pathlib\n"
        "def pytest_ptc_result(config, result):\n"
        "    lists = pathlib.Path('.claude/tasks')\n"
        "    for task in lists.glob('*/*.json'):  # and no locks, which come and go\n"
        "        shutil.copy(task, 'seen-lists')\n"
    )
    (suite.path / "seen-lists").mkdir()
    result = suite.spawn("-v", "-k", "fails or breaks or dies", "--junitxml=report.xml")
    result.assert_outcomes(failed=2, errors=1)
    secrets = [SECRET, own["DB_PASSWORD"], (suite.path / "token").read_text()]
    journal = [path for path in suite.runs[-1].rglob("*") if path.is_file()]
    lists = [path for path in (suite.path / "seen-lists").rglob("*") if path.is_file()]
    assert len(journal) > 10
    assert lists
    for path in [*journal, *lists]:
        text = path.read_text()
        assert not [secret for secret in secrets if secret in text], path
    # pytest itself shows a parameter in the test's name; nothing that we say has it.
    text = str(result.stdout)
    summary = text[text.index(" ptc summary ") : text.index(" short test summary ")]
    for ours in (summary, *(line for line in result.outlines if "test_" not in line)):
        assert not [secret for secret in secrets if secret in ours]
    assert "[redacted SERVICE_API_KEY] [redacted DB_PASSWORD] [redacted PTC_TOKEN]" in str(
        result.stdout
    )


def test_what_an_agent_would_ignore_is_refused_at_once(suite: Suite) -> None:
    """Agent `command` knows no limits, and does not tell whether it looked."""
    suite.write(test_a="@pytest.mark.ptc('pass', max_turns=3)\ndef test_it(): pass\n")
    for option, keyword in (("-v", "max_turns"), ("--ptc-budget-usd=5", "--ptc-budget-usd")):
        refused = suite.run(option)
        assert refused.ret == pytest.ExitCode.USAGE_ERROR
        refused.stderr.fnmatch_lines([f"*test_a.py::test_it: {keyword}: agent 'command' *"])
        suite.write(test_a="@pytest.mark.ptc('pass')\ndef test_it(): pass\n")
    assert suite.runs == []
