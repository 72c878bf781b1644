"""The faults that are tested: a test says with `@pytest.mark.fault("name")` which it is about."""

from __future__ import annotations

import ast
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parents[1]


class Fault(NamedTuple):
    """One kind of fault."""

    fault: str
    seen: str


class FaultRow(NamedTuple):
    """A fault, what the user sees of it, and the tests that are about it."""

    fault: str
    seen: str
    tests: tuple[str, ...]


FAULTS = MappingProxyType(
    {
        "worker-hit": Fault(
            "a worker is killed, ended, or stopped: before, while or after its agent records",
            (
                "`worker lost`, or the verdict that was recorded; a stopped one is ended 10 s "
                "past its task's timeout (tmux lets it go on at once)"
            ),
        ),
        "worker-stopped-idle": Fault(
            "a worker is stopped while it is idle",
            "it is ended 45 s after it was given a task: `worker lost`",
        ),
        "agent-hit": Fault(
            "the agent is killed, ended or stopped",
            (
                "`agent failed`, `timeout`; after a recorded pass `contradicted verdict`; a "
                "recorded fail stands"
            ),
        ),
        "terminal-gone": Fault(
            "the tmux window, session or server goes",
            "`worker lost`; the next worker gets a new one",
        ),
        "terminal-unread": Fault(
            "nobody reads the terminal (Ctrl-S), or tmux is stopped",
            "nothing; a worker that is lost meanwhile: `tmux does not answer`",
        ),
        "pytest-killed": Fault(
            "pytest is killed with tasks in flight",
            "workers and agents end within seconds; `--ptc-resume` takes over what is recorded",
        ),
        "signals": Fault(
            "Ctrl-C, once or twice; SIGTERM, SIGHUP",
            "pytest's own messages and reports; the run ends in order",
        ),
        "run-timeout": Fault(
            "the run takes longer than `--ptc-run-timeout`",
            (
                "`run timeout` with the last lines: SIGTERM to all that runs, then SIGKILL; what "
                "was recorded counts"
            ),
        ),
        "agent-hangs": Fault(
            "the agent hangs",
            "`timeout` with the last lines; a verdict recorded in time counts",
        ),
        "agent-floods": Fault(
            "the agent prints without an end, or 100 MB",
            "`timeout`, or its verdict; a few MB are kept",
        ),
        "agent-leaves-children": Fault(
            "the agent leaves children, in sessions of their own or orphaned",
            "nothing: they end with its task",
        ),
        "no-verdict": Fault(
            "the agent ends without a verdict, or with status 1 after a pass",
            "`no verdict`, `contradicted verdict`",
        ),
        "late-record": Fault(
            "the agent records past its time",
            "it is told so; a fail counts until SIGKILL, a pass does not",
        ),
        "foreign-record": Fault(
            "the agent records for another attempt or task",
            "it is refused, and the other's verdict stands",
        ),
        "rewritten-records": Fault(
            "an agent truncates, edits or removes files of its attempt or of the run",
            "nothing: what was recorded is known to the coordinator, which writes it again",
        ),
        "malformed-fail": Fault(
            "the agent says fail in an invalid form or in the wrong place",
            "an error that is not tried again; a later pass is `contradicted verdict`",
        ),
        "two-records": Fault(
            "the agent records twice",
            "what agrees is one verdict; a fail beats all; else `contradicted verdict`",
        ),
        "journal-full": Fault(
            "the disk of the journal is full, or read-only",
            (
                "what was recorded before counts; later, an error with its path and `No space "
                "left on device`; `journal incomplete` in the summary"
            ),
        ),
        "disk-full-at-start": Fault(
            "a disk is full or read-only from the start",
            "a usage error with the path and the reason; no worker is started",
        ),
        "list-full": Fault(
            "the disk of the list is full, or read-only",
            (
                "nothing: the journal has the verdicts; tasks stay on a list that is read-only: "
                "`tasks left on the shared list` in the summary"
            ),
        ),
        "list-broken": Fault(
            "the list is purged or removed, or a task's file is broken or cut",
            "nothing: the journal has the verdicts",
        ),
        "task-deleted": Fault(
            "somebody deletes or completes one waiting task",
            "`claim lost` with what was done to it, in further attempts too",
        ),
        "dead-locks": Fault(
            "locks of the dead",
            "nothing; a lock that is young is waited for by its own task alone",
        ),
        "held-lock": Fault(
            "somebody holds a task's lock for long",
            "nothing: the attempt goes on by the journal after 5 s, or a quarter of its timeout",
        ),
        "garbage": Fault(
            (
                "an agent puts garbage, FIFOs, links, devices or 200 MB in place of a file of its"
                " attempt, onto the list, or to the socket"
            ),
            "its own item ends as it recorded, else as `no verdict`; the others end as they would",
        ),
        "endless-schema": Fault(
            "data for which the check against `schema` never ends",
            "`malformed verdict`; a fail that says so is not tried again",
        ),
        "clock-jumps": Fault(
            "the clock jumps, forward and back",
            "nothing",
        ),
        "many-runs": Fault(
            "two or ten runs at once, in one checkout and on one list",
            "each does its own tasks, once",
        ),
        "inside-a-session": Fault(
            "a run inside a Claude Code session",
            "nothing of that session reaches the agents",
        ),
        "no-home": Fault(
            "no `HOME`",
            "a usage error that says what to set; with `CLAUDE_CONFIG_DIR` nothing",
        ),
        "root": Fault(
            "root",
            "nothing; `bypassPermissions` needs `IS_SANDBOX=1`",
        ),
        "odd-paths": Fault(
            "spaces, quotes, other scripts in the paths of project, `TMPDIR` and `cwd`",
            "nothing",
        ),
        "hostile-text": Fault(
            "a text under review gives orders",
            "at worst its own item is passed by it",
        ),
        "node-lost": Fault(
            "with `--ptc-host=dask`: a node is killed, stopped or cut off, or Dask's worker there",
            (
                "`worker lost` with the node's name once its lease is over, and then nothing of "
                "the run lives there; what was recorded counts"
            ),
        ),
        "node-silent": Fault(
            "a node is cut off for less than its lease",
            "nothing: `ptc record` waits",
        ),
        "scheduler-gone": Fault(
            "the scheduler goes",
            "what has a verdict keeps it; the rest are errors: `the scheduler ADDRESS is gone`",
        ),
        "scheduler-refused": Fault(
            "the scheduler cannot be reached, speaks no TLS or another's, or is none",
            "a usage error before anything is started, with what to do",
        ),
        "node-unfit": Fault(
            "a node has no pytest-ptc, another one, another Python, or a log of all messages",
            "it gets no workers, and is named once with what to do; others do the work",
        ),
        "storm": Fault(
            "many of these, at random and together",
            "every item ends as scripted, or in an error that names its cause",
        ),
    }
)


def marked_tests() -> dict[str, list[str]]:
    """Return for each name that tests are marked with where those tests are."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.fault(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                for name in _names(node):
                    place = f"{path.relative_to(TESTS).as_posix()}::{node.name}"
                    found.setdefault(name, []).append(place)
    return found


def _names(test: ast.FunctionDef) -> Iterator[str]:
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
            yield from (str(ast.literal_eval(name)) for name in mark.args)


def fault_rows() -> list[FaultRow]:
    """Return every fault with its tests, in the table's order."""
    tests = marked_tests()
    return [
        FaultRow(row.fault, row.seen, tuple(tests.get(name, ()))) for name, row in FAULTS.items()
    ]
