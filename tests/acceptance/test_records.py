"""What an agent has said is on disk before anything can lose it, and a fail ends its task."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.faults import inject, marked
from tests.support.runs import until

if TYPE_CHECKING:
    from tests.support.suite import Suite

FAIL = '{"verdict": "fail", "summary": "first"}'
NEARLY = '{"verdict": "FAIL", "summary": "first"}'
PASS = '{"verdict": "pass", "summary": "second"}'

#: Kills a worker, once a task, where the n-th of our functions begins or ends for
#: the first time since it has read a verdict; n is the test's parameter. Without it, says how many
#: such points there are.
KILLS = """
import os, signal, sys

OURS = ("agents/command", "agents/output", "agents/printed", "agents/program",
        "agents/program_verdict", "interfaces/line", "interfaces/messages",
        "journal/attempt_files", "journal/closing", "system/git/worktrees", "system/strays",
        "verdicts/endings", "verdicts/entries", "verdicts/fail_signs", "verdicts/recording",
        "verdicts/verdict_json", "worker/__main__", "worker/attempt_run", "worker/desk",
        "worker/ledger", "worker/process", "worker/worker")
FILES = tuple(f"/pytest_ptc/{name}.py" for name in OURS)

class Killer:
    def __init__(self, at):
        self.at, self.seen = at, set()

    def __call__(self, frame, event, _):
        if event not in ("call", "return") or not frame.f_code.co_filename.endswith(FILES):
            return
        self.seen.add((frame.f_code.co_filename, frame.f_code.co_name, event))
        if len(self.seen) > self.at >= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        told = frame.f_locals.get("message") if frame.f_code.co_name == "say" else None
        if event == "return" and type(told).__name__ == "Ended":
            # Its report is handed over.
            sys.setprofile(None)
            if self.at < 0:
                with open(os.environ["POINTS"], "w") as file:
                    file.write(str(len(self.seen)))

if "pytest_ptc.worker" in sys.orig_argv:
    from pytest_ptc.agents.printed import Printed
    from pytest_ptc.worker.attempt_run import AttemptRun
    real = Printed.take
    begin = AttemptRun.report

    async def report(self):
        global spec
        spec = self.spec
        return await begin(self)

    AttemptRun.report = report

    def take(self, stream, lines):
        lines = list(lines)
        armed = f"{os.environ['POINTS']}-{spec.params.get('n')}-armed"
        if not os.path.exists(armed) and any(b'"verdict"' in line for line in lines):
            open(armed, "w").close()
            Printed.take = real
            sys.setprofile(Killer(int(spec.params.get("n", -1))))
        real(self, stream, lines)

    Printed.take = take
"""

#: Says what its prompt has for the first time that it is run, or for a further one, and ends so.
SAYS = """
import json, os, sys
first, second = sys.stdin.read().splitlines()[:2]
begun = f"{os.environ['POINTS']}-{json.loads(os.environ['PTC_PARAMS']).get('n')}-begun"
said, _, status = (second if os.path.exists(begun) else first).rpartition(" ")
open(begun, "w").close()
print(said, flush=True)
sys.exit(int(status))
"""


@pytest.mark.fault("worker-hit")
@pytest.mark.parametrize(
    ("first", "second", "outcomes", "step"),
    [
        # At a few points it is only in its output yet: then nobody knows that it is valid.
        pytest.param(f"{FAIL} 0", f"{PASS} 0", {"failed", "errors"}, 40, id="fail"),
        pytest.param(
            *(f"{FAIL} 0", f"{PASS} 0", {"failed", "errors"}, 3),
            id="fail-at-more-points",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *(f"{PASS} 0", "- 3", {"passed", "errors"}, 8),
            id="pass-at-many-points",
            marks=pytest.mark.slow,
        ),
        # Neither is ever green, whatever is killed: among the slow tests.
        pytest.param(
            *(f"{NEARLY} 0", f"{PASS} 0", {"errors"}, 24),
            id="malformed-fail",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *(f"{PASS} 3", "- 3", {"errors"}, 24), id="pass-then-3", marks=pytest.mark.slow
        ),
    ],
)
def test_a_worker_killed_at_any_point_loses_no_verdict_and_makes_none_up(
    suite: Suite,
    monkeypatch: pytest.MonkeyPatch,
    *,
    first: str,
    second: str,
    outcomes: set[str],
    step: int,
) -> None:
    """From the moment that it has read a line until its report is filed, worktree and all."""
    inject(suite, monkeypatch, KILLS)
    monkeypatch.setenv("POINTS", str(suite.path / "points"))
    suite.agent.write_text(SAYS)
    (suite.path / ".gitignore").write_text("*\n")
    for words in (("init", "-q"), ("add", "-f", "agent.py"), ("commit", "-qm", "x")):
        identity = ("-c", "user.name=n", "-c", "user.email=n@example.org")
        subprocess.run(["git", *identity, *words], cwd=suite.path, check=True)
    keywords = {"isolation": "worktree", "retries": 1}
    suite.write(test_a=marked("all", f"{first}\n{second}", **keywords))
    suite.spawn("-p", "no:cacheprovider")
    points = int((suite.path / "points").read_text())
    assert points > 50
    mark = f"@pytest.mark.parametrize('n', range(0, {points}, {step}))\n"
    test = marked("it", f"{first}\n{second}\n{{n}}", **keywords).replace("test_it()", "test_it(n)")
    suite.write(test_a=mark + test)
    result = suite.spawn("--ptc-max-worker-restart=999", "-q", "--tb=no")
    found = {name: count for name, count in result.parseoutcomes().items() if count}
    found = {f"{name}s" if name == "error" else name: count for name, count in found.items()}
    assert set(found) == outcomes
    assert sum(found.values()) == len(range(0, points, step))


SQL = {"severity": "blocker", "message": "sql injection"}
MALFORMED = json.dumps({"verdict": "fail", "summary": "bad", "findings": [SQL]})


#: What an agent does to say fail in a form or a place where it is no verdict, and how it ends then.
SAYS_FAIL = {
    "severity": (f"say {MALFORMED}", "exit 0"),
    "standard_error": (f"complain {FAIL}", "exit 0"),
    "no_summary": ("sh ptc record fail; true", "exit 0"),
    "case": ("sh ptc record FAIL --summary x; true", "exit 0"),
    "option": ("sh ptc record fail --sumary x; true", "exit 0"),
    "record_json": (f"sh ptc record '{MALFORMED}'; true", "exit 0"),
    "outside": ("sh env -i $(which ptc) record fail --summary x", "exit 0"),
    "nested": (f'say {{"result": {FAIL}}}', "exit 0"),
    "timeout": (f"complain {FAIL}", "hang"),
    "worker_lost": (f"complain {FAIL}", "kill-worker"),
    "crash": (f"say {NEARLY}", "exit 7"),
}


@pytest.mark.fault("malformed-fail")
def test_whoever_said_fail_is_not_asked_again(suite: Suite) -> None:
    """In whatever form and place: the item is an error that says so, and not green."""
    agent = suite.agent.read_text().replace("shell=True, check=True", "shell=True, check=False")
    suite.agent.write_text(agent)
    # What its worker has not read yet is lost with the worker.
    read = 'sh until grep -q fail "$PTC_ATTEMPT_FOLDER/output.log"; do sleep 0.01; done'
    tests = ""
    for name, (said, then) in SAYS_FAIL.items():
        wait = f"first {name}-waited {read}\n" if then == "kill-worker" else ""
        prompt = f"first {name}-said {said}\n{wait}first {name}-over {then}\npass"
        tests += marked(name, prompt, retries=1, timeout=3 if then == "hang" else 30)
    suite.write(test_a=tests)
    result = suite.run()
    result.assert_outcomes(errors=len(SAYS_FAIL))
    assert len(suite.events("assigned")) == len(SAYS_FAIL)
    said_so = [line for line in result.outlines if line.startswith("ptc error: ")]
    assert len(said_so) == len(SAYS_FAIL)
    assert [line for line in said_so if "it said fail: not tried again" not in line] == []


@pytest.mark.fault("malformed-fail")
@pytest.mark.slow
def test_a_pass_after_a_fail_of_any_form_is_contradicted(suite: Suite) -> None:
    """The same attempt cannot take it back but by a valid fail."""
    forms = {
        "malformed": f"say {MALFORMED}",
        "standard_error": f"complain {FAIL}",
        "refused": "sh ptc record FAIL --summary x || true",
    }
    suite.write(
        test_a="".join(
            marked(f"{name}_pass", f"{said}\npass", retries=1)
            + marked(f"{name}_record", f"{said}\nrecord pass|--summary|x", retries=1)
            + marked(f"{name}_fail", f"{said}\nfail", retries=1)
            for name, said in forms.items()
        )
    )
    result = suite.run("-v")
    result.assert_outcomes(errors=2 * len(forms), failed=len(forms))
    for name in forms:
        result.stdout.fnmatch_lines([f"*::test_{name}_fail FAILED*"])
    assert len(suite.events("assigned")) == 3 * len(forms)


def test_a_fail_by_exit_status_has_the_words_of_its_program(suite: Suite) -> None:
    """The last lines in the summary, and below it."""
    suite.write(test_a=marked("it", "say looked at 7 pages\nsay GET /users answers 500\nexit 1"))
    result = suite.run("--ptc-verdict-from-exit")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "ptc verdict: fail - * exit status 1: looked at 7 pages | GET /users answers 500",
            "last lines:",
            "  | looked at 7 pages",
        ]
    )


#: Says something when it is asked to end.
LATE = """
import contextlib, os, signal, sys, time
from pytest_ptc.cli.main import main
what = sys.stdin.readline().split()[0]
def late(*_):
    if what == "prints":
        print('{"verdict": "pass", "summary": "late"}', flush=True)
    else:
        with open(f"said-{what}", "w") as said, contextlib.redirect_stderr(said):
            main(["record", what, "--summary", "late"])
    os._exit(0)
signal.signal(signal.SIGTERM, late)
time.sleep(60)
"""


@pytest.mark.fault("late-record")
def test_a_late_pass_never_counts(suite: Suite) -> None:
    """Recorded, or printed; a fail counts."""
    suite.agent.write_text(LATE)
    suite.write(
        test_a="".join(marked(what, what, timeout=3) for what in ("prints", "pass", "fail"))
    )
    suite.run("--ptc-workers=3").assert_outcomes(errors=2, failed=1)
    for what in ("pass", "fail"):
        assert "the time of this task is over" in (suite.path / f"said-{what}").read_text()


#: Leaves a child of a child in a session of its own, with an empty environment, and says its pid.
LEAVES = """
import os, subprocess, sys, time
what = sys.stdin.readline().split()[0]
hold = '''
import os, sys, time
os.fork() and os._exit(0)
os.setsid()
os.fork() and os._exit(0)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(os.getpid()))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
'''
place = os.path.abspath(f"left-{what}")
quiet = {name: subprocess.DEVNULL for name in ("stdin", "stdout", "stderr")}
subprocess.run([sys.executable, "-c", hold, place], env={}, start_new_session=True, **quiet)
while not os.path.exists(place):
    time.sleep(0.01)
if what == "hangs":
    time.sleep(600)
print('{"verdict": "pass", "summary": "x"}')
"""


@pytest.mark.fault("agent-leaves-children")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="best effort elsewhere")
@pytest.mark.slow
def test_what_hides_ends_with_its_task_too(suite: Suite) -> None:
    """When the test's body runs it is gone, and the worker has no dead child of it."""
    suite.agent.write_text(LEAVES)
    body = (
        "from pathlib import Path\nimport psutil\n"
        "@pytest.mark.ptc('ends')\ndef test_ends():\n"
        "    assert not psutil.pid_exists(int(Path('left-ends').read_text()))\n"
    )
    suite.write(test_a=body + marked("hangs", "hangs", timeout=3, needs="test_ends"))
    suite.run().assert_outcomes(passed=1, errors=1)
    hidden = int((suite.path / "left-hangs").read_text())
    until(lambda: not psutil.pid_exists(hidden), "the end of what hid", 5)
