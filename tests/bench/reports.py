"""What reports cost at the end of a large run: 10,000 findings over 1,000 items, in every format.

Each round is a process of its own, because the most memory that a process has had never shrinks. It
reads the run's journal from disk, as the end of a run does.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.journal.lines import STORY
from pytest_ptc.journal.seals import RunKey
from pytest_ptc.journal.story import read_story
from pytest_ptc.model.reports import REPORTS, ReportTarget
from pytest_ptc.reporting.formats.github import annotation_lines, step_summary
from pytest_ptc.reporting.story import run_report
from tests.bench.figures import Check, Figure, Row, Target
from tests.bench.suite import ROOT, BenchError
from tests.support.documents import Item, events_of, finding
from tests.support.journals import KEY, write_story

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ITEMS, FINDINGS = 1000, 10
ROUNDS = 5
SECONDS = Target(of="median", most=5.0)
MEGABYTES = Target(of="median", most=300.0)

_SEVERITIES = ("info", "low", "medium", "high", "critical")
#: As long as what a model says of a finding, with signs and letters of all kinds.
_WORDS = (
    "The handler puts `user_id` into the statement by an f-string, so that a value such as "
    "`1; drop table users` is executed \N{EM DASH} see OWASP's page | CWE-89 <injection>. "
    "Escaping quotes does not help, for numbers are not quoted. Pass it as a parameter instead."
)


def measure(folder: Path) -> Iterator[Row]:
    """Yield what each format costs, and all of them with what they are made of."""
    write_story(folder, events_of(*_items()))
    rounds = [_run(folder) for _ in range(ROUNDS)]
    what = f"{ITEMS * FINDINGS:,} findings over {ITEMS:,} items"
    wrong = [told["findings"] for told in rounds if told["findings"] != ITEMS * FINDINGS]
    yield Check(what=what, problem=f"{wrong[0]} were told" if wrong else None)
    for part in rounds[0]["cpu"]:
        yield Figure(what=f"- {part}, CPU", unit="s", values=[told["cpu"][part] for told in rounds])
    # Nothing here waits: on a machine that is not busy, wall clock and CPU are the same.
    whole = [sum(told["cpu"].values()) for told in rounds]
    yield Figure(what="all of them, CPU", unit="s", values=whole, target=SECONDS)
    yield Figure(what="the same, wall clock", unit="s", values=[told["wall"] for told in rounds])
    memory = [told["megabytes"] for told in rounds]
    yield Figure(what="memory of the process", unit="MB", values=memory, target=MEGABYTES)


def _items() -> Iterator[Item]:
    for number in range(ITEMS):
        findings = tuple(
            finding(
                _SEVERITIES[(number + place) % len(_SEVERITIES)],
                f"{number}.{place}: {_WORDS}",
                path=f"src/module_{number}/file_{place}.py",
                line=place + 1,
                rule=f"rule-{(number + place) % 50}",
            )
            for place in range(FINDINGS)
        )
        failed = number % 2 == 0
        nodeid = f"tests/test_{number % 40}.py::test_review[{number}]"
        verdict, outcome = ("fail", "failed") if failed else ("pass", "passed")
        yield Item(nodeid, outcome, verdict, findings, summary=_WORDS)


def _run(folder: Path) -> dict[str, Any]:
    line = [sys.executable, "-m", "tests.bench.reports", str(folder)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(done.stderr[-4000:])
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _once(folder: Path) -> dict[str, Any]:
    """Make every report once, and tell what that took."""
    cpu: dict[str, float] = {}
    began = time.monotonic()

    def timed(part: str, make: Callable[[], Any]) -> Any:
        start = time.process_time()
        made = make()
        cpu[part] = time.process_time() - start
        return made

    key = RunKey(KEY, folder.name)
    events = timed("reading the journal", lambda: read_story(folder / STORY, key).events)
    made = timed("the document", lambda: run_report(events))
    for kind in REPORTS:
        target = ReportTarget(folder, folder / f"report.{kind.name}")
        timed(kind.name, partial(kind.text, made, target))
    timed("annotations", lambda: annotation_lines(made))
    timed("step summary", lambda: step_summary(made))
    # In kilobytes, but on macOS.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    findings = sum(made.findings.values())
    return {
        "cpu": cpu,
        "wall": time.monotonic() - began,
        "megabytes": most,
        "findings": findings,
    }


if __name__ == "__main__":
    print(json.dumps(_once(Path(sys.argv[1]))))  # noqa: T201 - how it tells what it measured
