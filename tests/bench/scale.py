"""Beyond one machine: 10,000 tasks on 500 workers, and what a reader gets of such a run.

The workers are played, see `simulated_workers.py`; all else is as in any run: pytest with its
items, the plugin, the coordinator, journal, shared list, contents, and all reports. Once they are
the coordinator's own (`crew`), once they are on 100 nodes of an engine that is played, behind the
real remote crew (`nodes`): with its frames, calls and leases, and a node that is lost on the way.

What a worker itself costs is no part of it, nor what a cable or Dask does to a frame.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.reporting.formats.github import MAX_SUMMARY_BYTES
from pytest_ptc.reporting.formats.sarif import MAX_RESULTS
from tests.bench.figures import Check, Figure, Row, Target
from tests.bench.simulated import ENGINE, NOTES
from tests.bench.simulated_workers import part_of
from tests.bench.suite import ROOT, BenchError, Run, journal_of, others_blocked, start_pytest
from tests.support.chromium import Chromium, program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZES = (1_000, 3_000, 10_000)
WORKERS = 500
#: Milliseconds of the coordinator's CPU for a task of the largest run, and how much more a late one
#: of it may cost than an early one.
MILLISECONDS = {"crew": 3.0, "nodes": 6.0}
FLAT = Target(of="median", most=1.2)
MEGABYTES = Target(of="median", most=500.0)
#: A page that a browser opens without asking.
PAGE_MEGABYTES = Target(of="median", most=25.0)
#: GitHub's limit of a compressed SARIF file, in megabytes.
SARIF_MEGABYTES = Target(of="median", most=10.0)
#: Lines of the terminal beside one for each item that did not pass, and one for 72 items.
TERMINAL_LINES = Target(of="median", most=3_000.0)
STATUS_SECONDS = Target(of="median", most=1.0)

REPORTS = {
    "--ptc-html": "report.html",
    "--ptc-sarif": "report.sarif",
    "--ptc-json": "report.json",
    "--ptc-summary": "summary.md",
    "--junitxml": "junit.xml",
}
_SUITE = '''
import pytest

@pytest.mark.ptc(retries=2)
@pytest.mark.parametrize("value", range({size}))
def test_review(value):
    """Review src/module_{{value}}.py wholly, with what calls it. Record what a user would notice;
    name the file, the line and the rule of each finding, and quote the line. Look at errors, at
    limits, at what is written to disk, and at what happens when the process is killed meanwhile.
    """
'''
_INI = "[pytest]\nptc_agent = command\nptc_command = /bin/true\n"


@dataclass(frozen=True)
class Played:
    """A run whose workers were played, ended.

    Args:
        folder: Where it was.
        size: How many tasks it had.
        run: What the probe and the journal say.
        notes: What the plugin that played has noted.
        terminal: What pytest printed, in lines.
    """

    folder: Path
    size: int
    run: Run
    notes: dict[str, Any]
    terminal: list[str]

    @property
    def milliseconds(self) -> float:
        """Return what a task cost the coordinator's thread."""
        return float(self.run.probe["cpu_of_coordinator"]) / self.size * 1e3

    @property
    def late_to_early(self) -> float:
        """Return what a task of the last third cost, by what one of the middle third did.

        In the first third workers are starting.
        """
        cpu: list[float] = self.notes["cpu"]
        one, two, three = len(cpu) // 3, 2 * len(cpu) // 3, len(cpu) - 1
        early = (cpu[two] - cpu[one]) / (two - one)
        late = (cpu[three] - cpu[two]) / (three - two)
        return late / early


def measure(folder: Path) -> Iterator[Row]:
    """Yield the figures of both kinds of workers, and of the reports of the largest run."""
    for kind, columns in (("crew", 80), ("nodes", 160)):
        for size in SIZES:
            played = _play(folder / f"{kind}-{size}", size, kind, columns)
            yield Check(what=f"{kind}: {size:,} items as scripted", problem=_problem(played))
            most = Target(of="median", most=MILLISECONDS[kind]) if size == SIZES[-1] else None
            yield Figure(
                what=f"{kind}: the coordinator's CPU for a task, {size:,} tasks",
                unit="ms",
                values=[played.milliseconds],
                target=most,
            )
        yield Figure(
            what=f"{kind}: a late task to an early one, {SIZES[-1]:,} tasks",
            unit="",
            values=[played.late_to_early],
            target=FLAT,
        )
        yield from _memory(kind, played)
        yield from _terminal(kind, played, columns)
    yield from _reports(played)
    yield from _commands(played)
    if program() is not None:
        yield from _browser(played)


def _play(folder: Path, size: int, kind: str, columns: int) -> Played:
    folder.mkdir()
    (folder / "test_suite.py").write_text(_SUITE.format(size=size))
    (folder / "pytest.ini").write_text(_INI)
    names = [".claude", ".pytest_cache", "pytest.log", "probe.json", NOTES, *REPORTS.values()]
    (folder / ".gitignore").write_text("".join(f"{name}\n" for name in names))
    who = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    for words in ("init --quiet", "add --all", "commit --quiet --message=all"):
        subprocess.run(["git", *who, *words.split()], cwd=folder, check=True)
    arguments = [
        *("-p", "tests.bench.simulated", "-p", "tests.bench.probe", *others_blocked()),
        *(f"--ptc-workers={WORKERS}", "--ptc-host=process", "--verbosity=0"),
        *(f"{option}={name}" for option, name in REPORTS.items()),
    ]
    more = {"COLUMNS": str(columns), **({ENGINE: "1"} if kind == "nodes" else {})}
    probe, log = folder / "probe.json", folder / "pytest.log"
    with log.open("w") as output:
        status = start_pytest(folder, *arguments, probe=probe, output=output, more=more).wait()
    if status != 1:  # some of its tests fail
        raise BenchError(f"pytest ended with {status}:\n{log.read_text()[-4000:]}")
    return Played(
        folder=folder,
        size=size,
        run=Run(json.loads(probe.read_text()), journal_of(folder)),
        notes=json.loads((folder / NOTES).read_text()),
        terminal=log.read_text().splitlines(),
    )


def _problem(played: Played) -> str | None:
    """Return which item came to something else than its script says."""
    last = {event["nodeid"]: event["outcome"] for event in played.run.named("item")}
    bad = {event["nodeid"] for event in played.run.named("item") if event["outcome"] != "passed"}
    if len(last) != played.size:
        return f"{len(last)} have an outcome"
    for number in range(played.size):
        ends = part_of(number, 2).ends
        passes = isinstance(ends, Verdict) and ends.verdict is VerdictKind.PASS
        if passes is (f"test_suite.py::test_review[{number}]" in bad):
            return f"item {number} {'did not pass' if passes else 'passed'}"
    ended = Counter(event["task"] for event in played.run.named("ended") if event["verdict"])
    return next((f"task {task} has {n} verdicts" for task, n in ended.items() if n > 1), None)


def _memory(kind: str, played: Played) -> Iterator[Row]:
    megabytes = played.notes["megabytes"]
    for moment, what in (
        ("collected", "when all items are collected"),
        ("run", "before its reports"),
        ("reported", "with its reports"),
    ):
        yield Figure(
            what=f"{kind}: memory of pytest's process, {what}",
            unit="MB",
            values=[megabytes[moment]],
            target=MEGABYTES,
        )


def _terminal(kind: str, played: Played, columns: int) -> Iterator[Row]:
    bad = sum(line.startswith(("FAILED ", "ERROR test_")) for line in played.terminal)
    others = len(played.terminal) - bad - played.size // 72
    what = f"{kind}: lines on a terminal of {columns} columns, beside one for each failure"
    yield Figure(what=what, unit="", values=[others], target=TERMINAL_LINES)
    ours = played.terminal[_place(played.terminal, " ptc summary ") :]
    wide = [line for line in ours if len(line) > columns and not line.startswith("ptc: wrote")]
    yield Check(
        what=f"{kind}: no line of the summary is wider than {columns} columns",
        problem=f"{len(wide)} are, such as {wide[0][:200]!r}" if wide else None,
    )


def _place(lines: list[str], words: str) -> int:
    return next(place for place, line in enumerate(lines) if words in line)


def _reports(played: Played) -> Iterator[Row]:
    texts = {name: (played.folder / name).read_bytes() for name in REPORTS.values()}
    for name, text in texts.items():
        target = PAGE_MEGABYTES if name.endswith(".html") else None
        yield Figure(what=f"{name}", unit="MB", values=[len(text) / 1e6], target=target)
    small = len(gzip.compress(texts["report.sarif"])) / 1e6
    yield Figure(what="- compressed SARIF", unit="MB", values=[small], target=SARIF_MEGABYTES)
    (told,) = json.loads(texts["report.sarif"])["runs"]
    shown, left_out = len(told["results"]), told["properties"]["resultsLeftOut"]
    notes = told["invocations"][0]["toolExecutionNotifications"]
    says = any(f"{left_out:,}" in n["message"]["text"].replace("\u00a0", ",") for n in notes)
    yield Check(
        what=f"SARIF has what GitHub shows, {shown:,} of {shown + left_out:,} results, and says so",
        problem=None if shown <= MAX_RESULTS and (says or not left_out) else "it does not",
    )
    size = len(texts["summary.md"])
    yield Check(
        what="the step's summary is one that GitHub takes",
        problem=None if size <= MAX_SUMMARY_BYTES else f"it has {size:,} bytes",
    )


def _commands(played: Played) -> Iterator[Row]:
    run = played.run.journal
    assert run is not None, "it had workers"
    environ = {**os.environ, "XDG_STATE_HOME": str(played.folder.with_name("state"))}
    environ["PYTHONPATH"] = str(ROOT)
    commands = {
        "status": ["status", run.name],
        "list": ["list"],
        "show": ["show", run.name, "test_review[5]"],
        "results": ["results", run.name],
    }
    for name, words in commands.items():
        before = os.times()
        line = [sys.executable, "-m", "pytest_ptc.cli", *words]
        done = subprocess.run(
            line, cwd=played.folder, env=environ, capture_output=True, text=True, check=False
        )
        after = os.times()
        cpu = after.children_user + after.children_system
        cpu -= before.children_user + before.children_system
        yield Figure(
            what=f"ptc {name}: CPU",
            unit="s",
            values=[cpu],
            target=STATUS_SECONDS if name == "status" else None,
        )
        size = len(done.stdout.encode())
        problem = f"status {done.returncode}, {size:,} bytes, {done.stderr[-300:]}"
        fine = not done.returncode and 0 < size < 25_000
        what = f"- what it prints is short: {size:,} bytes"
        yield Check(what=what, problem=None if fine else problem)


#: Two frames, when a search has begun: then what was asked for is on the screen.
_FRAMES = (
    "new Promise(told => setTimeout(() => requestAnimationFrame(() => "
    "requestAnimationFrame(() => told(1))), 150))"
)
_ACTS = {
    "scroll to its end": "scrollTo(0, document.documentElement.scrollHeight)",
    "filter": "document.querySelector('[data-facet=outcome][data-value=failed]').click()",
    "search": "(() => { const box = document.getElementById('search'); box.value = 'review[5';"
    " box.dispatchEvent(new Event('input', {bubbles: true})); })()",
    "unfold an item": "document.querySelector('.item:not([hidden])').open = true",
    "zoom the timeline": "document.querySelector('[data-zoom=\"1\"]').click()",
}


def _browser(played: Played) -> Iterator[Row]:
    """Yield what the page costs a browser: CPU of all its processes, for others use the machine."""
    with Chromium(played.folder / "profile") as browser:
        browser.open("about:blank")
        process = psutil.Process(browser._process.pid)

        def spent() -> float:
            there = [process, *process.children(recursive=True)]
            return sum(sum(one.cpu_times()[:2]) for one in there)

        before, began = spent(), time.monotonic()
        browser.open((played.folder / "report.html").as_uri())
        clock = time.monotonic() - began
        yield Figure(what="page: CPU until it is loaded", unit="s", values=[spent() - before])
        yield Figure(what="- the same, wall clock", unit="s", values=[clock])
        yield Check(
            what="- it says nothing on its console", problem="; ".join(browser.said) or None
        )
        elements = browser.value("document.querySelectorAll('*').length")
        yield Figure(what="- its elements", unit="", values=[elements])
        for what, act in _ACTS.items():
            before = spent()
            browser.value(f"{act}; {_FRAMES}")
            yield Figure(what=f"page: {what}, CPU", unit="s", values=[spent() - before])
