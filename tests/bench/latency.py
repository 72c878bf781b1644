"""From the moment a verdict is recorded until its item's outcome is reported.

Agents sleep for a random short time, record, and stamp the moment at which they did: just before
the verdict is printed, or just after `ptc record` has returned. Both stamps are of clocks that all
processes of a machine share. Items whose verdicts come at the same moment wait for each other, and
that counts.
"""

from __future__ import annotations

import json
import random
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.bench.figures import Figure, Row, Target
from tests.bench.suite import Run, Suite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASKS = 300
WORKERS = 5
#: Milliseconds that an agent sleeps, from and to.
SLEEP = (50, 400)
TARGET = Target(of="p99", most=100.0)

_AGENT = """
import os, sys, time

time.sleep(int(sys.stdin.readline().split()[2]) / 1000)
if sys.argv[1] == "record":
    os.spawnlp(os.P_WAIT, "ptc", "ptc", "record", "pass", "--summary", "slept")
    verdict = ""
else:
    verdict = '"verdict": "pass", "summary": "slept", '
stamps = '{"monotonic": %r, "wall": %r}' % (time.monotonic(), time.time())
print('{%s"data": %s}' % (verdict, stamps), flush=True)
"""


class Way(NamedTuple):
    """One way from an agent to a report: which host, and how the agent records."""

    host: str
    record: str


WAYS = (Way("process", "print"), Way("tmux", "print"), Way("process", "record"))


class Passage(NamedTuple):
    """How long one verdict was on its way, in milliseconds: in all, and in each part."""

    whole: float
    filed: float
    noted: float
    queued: float
    run: float


#: What the parts of a passage are; the field's name first.
PARTS = {
    "filed": "agent exits, worker judges and files",
    "noted": "coordinator hears of it and notes it",
    "queued": "pytest comes to the item",
    "run": "pytest runs and reports the item",
}


def measure(folder: Path) -> Iterator[Row]:
    """Yield the figures of every way."""
    for way in WAYS:
        passages = passages_of(_run(folder / f"{way.host}-{way.record}", way))
        name = f"{way.host} host, {'`ptc record`' if way.record == 'record' else 'printed'}"
        whole = [passage.whole for passage in passages]
        yield Figure(what=f"{name}: recorded to reported", unit="ms", values=whole, target=TARGET)
        for field, part in PARTS.items():
            values = [getattr(passage, field) for passage in passages]
            yield Figure(what=f"- {part}", unit="ms", values=values)


def passages_of(run: Run) -> list[Passage]:
    """Return how every verdict of a run fared."""
    nodeids = {event["task"]: event["spec"]["nodeid"] for event in run.named("submitted")}
    return [_passage(run, event, nodeids[event["task"]]) for event in run.named("ended")]


def _passage(run: Run, ended: dict[str, Any], nodeid: str) -> Passage:
    assert run.journal is not None
    folder = run.journal / "attempts" / f"{ended['task']}.{ended['attempt']}"
    recorded = json.loads((folder / "output.log").read_text().splitlines()[-1])["data"]
    # The report's name is given when its content is on disk; that changes its inode, and nothing
    # does later. The stamp is the kernel's, which counts in ticks of up to 4 ms.
    filed = (folder / "report.json").stat().st_ctime
    began = run.probe["began"][nodeid]
    monotonic, reported = run.probe["reported"][nodeid]
    marks = (recorded["wall"], filed, ended["at"], began, reported)
    parts = [(late - early) * 1e3 for early, late in pairwise(marks)]
    return Passage((monotonic - recorded["monotonic"]) * 1e3, *parts)


def _run(folder: Path, way: Way) -> Run:
    return suite(folder, way.record, TASKS).run(
        f"--ptc-workers={WORKERS}", f"--ptc-host={way.host}"
    )


def suite(folder: Path, record: str, tasks: int) -> Suite:
    """Return a suite whose agents sleep and record, by printing or by `ptc record`."""
    chance = random.Random(1)  # noqa: S311 - the same sleeps for every way and every run
    times = [chance.randint(*SLEEP) for _ in range(tasks)]
    folder.mkdir()
    agent = folder / "agent.py"
    agent.write_text(_AGENT)
    # Python without its site: the agent's own start is not what we measure, and costs the others.
    command = f'ptc_command = "{sys.executable}" -I -S "{agent}" {record}\n'
    return Suite(
        folder, times, prompt="Sleep for {value} ms.", ini=f"ptc_agent = command\n{command}"
    )
