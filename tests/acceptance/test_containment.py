"""One attempt's trouble is its own: whatever its agent writes, the others end as they were to."""

from __future__ import annotations

import json
import shutil
import sys
from itertools import product
from typing import TYPE_CHECKING

import pytest

from tests.support import vandal

if TYPE_CHECKING:
    from tests.support.suite import Suite

#: Files of ours in an attempt's folder.
NAMES = ("records.jsonl", "report.json", "output.log", "prompt.txt", "task.json")
#: Others, who are at work until the last vandal is done.
OTHERS = """
@pytest.mark.ptc("wait done\\npass")
def test_pass(): pass
@pytest.mark.ptc("record fail|--summary|a true fail\\nwait done")
def test_fail(): pass
@pytest.mark.ptc("wait done\\nskip")
def test_skip(): pass
@pytest.mark.ptc("first tried kill-worker\\nwait done\\npass", retries=1)
def test_again(): pass
"""
#: What they come to, as the terminal has it.
SCRIPTED = (
    "PASSED test_a.py::test_pass",
    "FAILED test_a.py::test_fail - *a true fail*",
    "SKIPPED * test_a.py*",
    "PASSED test_a.py::test_again",
)
#: Words of a run that was not in order.
BROKEN = ("Traceback", "INTERNALERROR", "RecursionError", "the coordinator ended", "no workers")


def task(name: str, *lines: str, options: str = "retries=1, timeout=20") -> str:
    """Return the text of a marked test whose agent does this; a line may be the vandal's words."""
    program = f"sh {sys.executable} {vandal.__file__}"
    told = [f"{program} {entry[7:]}" if entry.startswith("vandal ") else entry for entry in lines]
    return f"@pytest.mark.ptc({chr(10).join(told)!r}, {options})\ndef test_{name}(): pass\n"


def run(suite: Suite, *tasks: str) -> pytest.RunResult:
    """Run tasks beside those of others, and check how the others ended."""
    (suite.path / "precious").write_text("of somebody\n")
    last = task("last", "touch done", "pass", options="retries=0")
    suite.write(test_a=OTHERS, test_v="".join((*tasks, last)))
    result = suite.spawn("--ptc-workers=6", "--ptc-max-worker-restart=1", "-rA")
    text = result.stdout.str() + result.stderr.str()
    assert [word for word in BROKEN if word in text] == []
    result.stdout.fnmatch_lines_random(SCRIPTED)
    assert (suite.path / "precious").read_text() == "of somebody\n"
    return result


def causes(suite: Suite) -> dict[str, list[str | None]]:
    """Return why each attempt at each vandal's task came to no verdict."""
    found: dict[str, list[str | None]] = {}
    names = {event["task"]: event["spec"]["nodeid"] for event in suite.events("submitted")}
    for event in suite.events("ended"):
        nodeid = names[event["task"]]
        if nodeid.startswith("test_v.py") and not nodeid.endswith("test_last"):
            cause = event["trouble"] and event["trouble"]["cause"]
            found.setdefault(nodeid.rpartition("test_")[2], []).append(cause)
    return found


#: Garbage that takes long to make and to read.
LARGE = ("huge", "many-lines")
SMALL = tuple(sorted(set(vandal.FILES) - set(LARGE)))
#: What is waited for, in place of the records, and half of a report.
FEW = ("fifo", "cut")


@pytest.mark.fault("garbage")
@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(list(zip(FEW, NAMES, strict=False)), id="few"),
        # Every kind in the two files that decide and in one of all, every file with some kinds.
        pytest.param(
            sorted(
                {
                    *product(SMALL, NAMES[:2]),
                    *((kind, NAMES[n % len(NAMES)]) for n, kind in enumerate(SMALL)),
                }
            ),
            id="all-small",
            marks=pytest.mark.slow,
        ),
        pytest.param(list(product(LARGE, NAMES[:2])), id="all-large", marks=pytest.mark.slow),
    ],
)
def test_garbage_in_its_folder_ends_that_attempt_alone(
    suite: Suite, spoilt: list[tuple[str, str]]
) -> None:
    """In place of each of our files: nothing is lost by it, and nothing is said by it."""
    # That it is tried again is seen of the few.
    retries = 1 if len(spoilt) == len(FEW) else 0
    options = f"retries={retries}, timeout=20"
    tasks = [
        task(f"{kind.replace('-', '_')}_{name[:3]}", f"vandal file {kind} {name}", options=options)
        for kind, name in spoilt
    ]
    kinds = sorted({kind for kind, _ in spoilt})
    for kind in kinds:
        lines = ("record fail|--summary|bad", f"vandal file {kind} records.jsonl", "exit 1")
        tasks.append(task(f"{kind.replace('-', '_')}_spoilt", *lines))
    result = run(suite, *tasks)
    found = causes(suite)
    assert len(found) == len(spoilt) + len(kinds)
    for kind in kinds:
        name = f"{kind.replace('-', '_')}_spoilt"
        assert found.pop(name) == [None], kind
        result.stdout.fnmatch_lines_random([f"FAILED test_v.py::test_{name} - *bad*"])
    assert {name: why for name, why in found.items() if why != ["no verdict"] * (1 + retries)} == {}
    # What is left of it must not stop who looks at it later.
    suite.pytester.run(sys.executable, "-m", "pytest_ptc.cli", "report", "--html=page.html")


@pytest.mark.slow
def test_garbage_in_the_place_of_its_folder_ends_that_attempt_alone(suite: Suite) -> None:
    """The folder itself is another thing, or a link to somebody's."""
    kinds = ("fifo", "directory", "link", "device", "brackets", "nothing")
    tasks = [
        task(kind, "record fail|--summary|bad", f"vandal folder {kind}", "exit 1") for kind in kinds
    ]
    result = run(suite, *tasks)
    assert causes(suite) == {kind: [None] for kind in kinds}
    result.stdout.fnmatch_lines_random([f"FAILED test_v.py::test_{kind} - *bad*" for kind in kinds])


@pytest.mark.fault("garbage")
@pytest.mark.parametrize("kind", ["each", "each-other", "locks"])
@pytest.mark.slow
def test_garbage_on_the_list_costs_nobody_anything(suite: Suite, kind: str) -> None:
    """The list is a view: what is wrong with it, others go on by the journal."""
    later = [task(f"later{number}", "pass", options="retries=0") for number in range(3)]
    result = run(suite, task("list", f"vandal list {kind}", "pass", options="retries=0"), *later)
    assert "claim lost" not in result.stdout.str()
    assert causes(suite) == {name: [None] for name in ("list", "later0", "later1", "later2")}
    # A directory in the place of a task is somebody's: it stays, and that is told.
    for path in suite.claude.glob("tasks/*"):
        shutil.rmtree(path)


@pytest.mark.fault("garbage")
@pytest.mark.slow
def test_garbage_to_the_socket_costs_nobody_anything(suite: Suite) -> None:
    """Workers that start meanwhile are heard; no stranger is taken for one."""
    words = {kind: kind.replace("-", "_") for kind in vandal.CALLS}
    tasks = [
        task(word, f"vandal socket {kind}", "pass", options="retries=0")
        for kind, word in words.items()
    ]
    run(suite, *tasks)
    assert causes(suite) == {word: [None] for word in words.values()}


@pytest.mark.fault("garbage")
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.slow
def test_garbage_of_every_kind_at_random(suite: Suite, seed: int) -> None:
    """Several vandals at once, each doing many things; none of them passes."""
    vandals = [
        task(f"v{number}", "record fail|--summary|bad", f"vandal any {seed}-{number} 12", "exit 1")
        for number in range(4)
    ]
    result = run(suite, *vandals)
    assert not [line for line in result.outlines if line.startswith("PASSED test_v.py::test_v")]
    assert all(why[-1] != "claim lost" for why in causes(suite).values())
    for path in suite.claude.glob("tasks/*"):
        shutil.rmtree(path)


@pytest.mark.slow
def test_data_that_is_checked_for_ever_ends_that_attempt_alone(suite: Suite) -> None:
    """A pattern that backtracks holds up neither its worker nor the run."""
    verdict = json.dumps({"verdict": "pass", "summary": "x", "data": "a" * 60 + "!"})
    pattern = {"pattern": "^(a+)+$"}
    run(suite, task("slow", f"say {verdict}", options=f"schema={pattern}, retries=0, timeout=60"))
    assert causes(suite) == {"slow": ["malformed verdict"]}


@pytest.mark.parametrize("options", [(), ("--ptc-host=tmux",)])
def test_the_screen_of_a_client_needs_tmux(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    """Without it that is told, and no host that has no screen is advised."""
    empty = suite.path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.setenv("CLAUDE_CODE", sys.executable)
    suite.write(test_a='@pytest.mark.ptc("x")\ndef test_it(): pass\n')
    wanted = ("--ptc-agent=claude", "--ptc-interactive", "--ptc-host=auto", *options)
    result = suite.run(*wanted)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = result.stderr.str()
    assert "--ptc-interactive needs tmux, which is not installed; install tmux" in said
    assert "--ptc-host=process" not in said


def test_a_socket_that_tmux_cannot_make_is_told_before_anything_starts(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its length; where nobody insists on tmux, workers are child processes."""
    long = suite.path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("TMUX_TMPDIR", str(long))
    suite.write(test_a='@pytest.mark.ptc("pass")\ndef test_it(): pass\n')
    result = suite.run("--ptc-host=tmux")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{long}*bytes of at most*set TMUX_TMPDIR*"])
    assert suite.runs == []
    suite.run("--ptc-host=auto").assert_outcomes(passed=1)


def test_no_workers_says_how_the_last_one_ended(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last words are with the item."""
    (suite.path / "sitecustomize.py").write_text(
        "import sys\nif 'pytest_ptc.worker' in sys.orig_argv: sys.exit('plum is missing')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(suite.path))
    suite.write(test_a='@pytest.mark.ptc("pass")\ndef test_it(): pass\n')
    result = suite.spawn("--ptc-max-worker-restart=0")
    result.stdout.fnmatch_lines_random(["*no workers - *the last one, w?: *", "*plum is missing*"])


@pytest.mark.slow
def test_nothing_of_workers_is_left_beside_what_coverage_combines(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are no subprocesses of the tests, and end after their files would be read."""
    (suite.path / ".coveragerc").write_text("[run]\npatch = subprocess\nparallel = true\n")
    (suite.path / "mod.py").write_text("def f(): return 1\n")
    monkeypatch.setenv("PYTHONPATH", str(suite.path))
    suite.write(test_a='import mod\n@pytest.mark.ptc("pass")\ndef test_it(): mod.f()\n')
    suite.spawn("-p", "pytest_cov", "--cov=mod").assert_outcomes(passed=1)
    left = sorted(path.name for path in suite.path.glob(".coverage*"))
    assert left == [".coverage", ".coveragerc"]
