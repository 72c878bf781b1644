"""Claude Code's own tool `Workflow` beside our workers: the same trivial agents, and all they cost.

`Workflow` runs its agents in one client, without a verdict that is enforced, a directory, a timeout
or a journal for each: nothing that fans out Claude Code is cheaper. Both get the same model, which
answers at once.

The CPU is that of all processes, but for the stand-in's. What a part of ours takes is the sum of
what was last seen of its processes, so a tick of the kernel's clock may be missing of each.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TextIO

import psutil

from tests.bench.client import client_command, client_environment
from tests.bench.figures import Check, Figure, Row, Target
from tests.bench.processes import ProcessTree, Sampler, shared_memory_mb, stand_in
from tests.bench.suite import (
    BenchError,
    Run,
    Suite,
    clean_environment,
    journal_of,
    others_blocked,
    start_pytest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

#: How often each way is measured, in turn.
ROUNDS = 3
#: What one more agent costs is the difference between runs of these sizes.
SMALL, LARGE = 24, 96
#: Seconds between two looks at the processes' CPU and at their memory.
CPU_INTERVAL_S, MEMORY_INTERVAL_S = 0.2, 0.5
#: The parts of ours, by what their command lines hold, and the most milliseconds that each may take
#: for a task.
PARTS = {
    "pytest_ptc.worker": ("the worker's", 8.0),
    "-m pytest": ("pytest's", 12.0),
    "stream-json": ("the client's", 100.0),
}
#: The most seconds from pytest's start until its first task begins.
MAX_START_S = 1.5

_RECORD = "record pass fine"


def workflow_lines(items: int, summary: str, begin: str = "") -> list[str]:
    """Return what the model of a session does that has a workflow judge these items.

    Args:
        items: How many.
        summary: What each agent says of its item.
        begin: What the first line of an agent's model begins with.
    """
    verdict = json.dumps({"verdict": "pass", "summary": summary})
    prompt = f"'Item ' + n + ': process it.\\n> {begin}use StructuredOutput {verdict}\\n> say done'"
    script = (
        "export const meta = {name: 'fan', description: 'fan out', phases: [{title: 'Go'}]}\n"
        "const schema = {type: 'object', properties: {verdict: {type: 'string'}, "
        "summary: {type: 'string'}}, required: ['verdict', 'summary']}\n"
        f"const items = Array.from({{length: {items}}}, (_, i) => i + 1)\n"
        f"const found = await parallel(items.map(n => () => agent({prompt}, "
        "{label: 'item ' + n, phase: 'Go', schema})))\n"
        "return items.map((n, i) => found[i] ? {item: n, ...found[i]} : null)"
    )
    return [
        f"use Workflow {json.dumps({'script': script})}",
        "say It is under way.",
        "say All items are processed.",
    ]


def returned_items(projects: Path) -> int:
    """Count the items that a workflow has returned to its session.

    Args:
        projects: The client's folder of transcripts.
    """
    texts = [path.read_text() for path in projects.glob("*/*.jsonl")]
    messages = [
        json.loads(line).get("message") or {} for text in texts for line in text.splitlines()
    ]
    contents = [message.get("content", "") for message in messages]
    results = [
        found[1]
        for content in contents
        if isinstance(content, str)
        and (found := re.search(r"^<task-notification>.*<result>(.*)</result>", content, re.DOTALL))
    ]
    return sum(item is not None for item in json.loads(results[-1])) if results else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way to have items judged.

    Args:
        name: Its name in the figures.
        start: Starts it in a folder, for a number of items, with what it is to have in its
            environment, and with its output in a file.
        judged: Returns how many items have a verdict, of the folder of one that has ended.
    """

    name: str
    start: Callable[[Path, int, dict[str, str], TextIO], subprocess.Popen[bytes]]
    judged: Callable[[Path], int]


class Taken(NamedTuple):
    """What one run took: times in seconds, memory in MB.

    Args:
        wall: From its start to its end.
        cpu: Of all processes.
        memory: The most that all held together.
        requests: How many requests to the model.
        parts: The CPU of each of `PARTS`.
        first: From its start to its first task; None where that is not known.
    """

    wall: float
    cpu: float
    memory: float
    requests: int
    parts: dict[str, float]
    first: float | None


class Pair(NamedTuple):
    """The same of few items and of many."""

    small: Taken
    large: Taken

    def of_one_more(self, part: str | None = None) -> float:
        """Return the milliseconds of CPU that one more item takes, or a part of ours for it."""
        small, large = (run.cpu if part is None else run.parts[part] for run in self)
        return (large - small) / (LARGE - SMALL) * 1000


def measure(folder: Path) -> Iterator[Row]:
    """Yield the figures of all ways; to be called while descendants are adopted."""
    pairs: dict[str, list[Pair]] = {way.name: [] for way in WAYS}
    for number in range(ROUNDS):
        for way in WAYS:
            runs = [_run(way, folder, number, size) for size in (SMALL, LARGE)]
            pairs[way.name].append(Pair(*runs))
    yield Check(what=f"{SMALL} and {LARGE} agents had a verdict in each way", problem=None)
    for name, found in pairs.items():
        yield from _totals(name, found)
    for name, found in pairs.items():
        if name != WAYS[0].name:
            yield from _parts(name, found)


def _totals(name: str, pairs: Sequence[Pair]) -> Iterator[Row]:
    large = [pair.large for pair in pairs]
    what = f"{LARGE} agents, no model time, {name}"
    yield _figure(f"{what}: wall clock", "s", [run.wall for run in large])
    yield _figure(f"{what}: CPU", "s", [run.cpu for run in large])
    yield _figure(f"{what}: memory of all processes, peak", "MB", [run.memory for run in large])
    yield _figure(f"{what}: requests for an agent", "", [run.requests / LARGE for run in large])
    one_more = [pair.of_one_more() for pair in pairs]
    yield _figure(f"- one more agent: CPU, from {SMALL} to {LARGE}", "ms", one_more)


def _parts(name: str, pairs: Sequence[Pair]) -> Iterator[Row]:
    for mark, (what, most) in PARTS.items():
        values = [pair.of_one_more(mark) for pair in pairs]
        yield _figure(f"one more task, {name}: {what} CPU", "ms", values, most)
    firsts = [run.first for pair in pairs for run in pair if run.first is not None]
    what = f"from pytest's start to the first task's, {name}"
    yield _figure(what, "s", firsts, MAX_START_S)


def _figure(what: str, unit: str, values: Sequence[float], most: float | None = None) -> Figure:
    target = None if most is None else Target(of="median", most=most)
    return Figure(what=what, unit=unit, values=values, target=target)


# The runs.


def _run(way: Way, folder: Path, number: int, items: int) -> Taken:
    """Have items judged.

    Raises:
        BenchError: One has no verdict, or processes are left.
    """
    place = folder / f"{number}-{items}-{way.name.replace(' ', '-')}"
    place.mkdir()
    log = place / "output.log"
    with stand_in(place / "api.log") as server, log.open("w") as output:
        environ = client_environment(place, server.url)
        began, start = time.time(), time.monotonic()
        process = way.start(place, items, environ, output)
        with ProcessTree(process, beside=server.pid) as tree:
            seen: dict[int, tuple[str, float]] = {}
            with (
                Sampler(lambda: _look(tree, seen), CPU_INTERVAL_S),
                Sampler(lambda: [_memory(tree)], MEMORY_INTERVAL_S) as memory,
            ):
                tree.wait_for_root()
                wall = time.monotonic() - start
                tree.wait_for_rest()
    if process.returncode or way.judged(place) != items:
        text = log.read_text()[-4000:]
        raise BenchError(f"{way.name} ended with {process.returncode}, not all judged:\n{text}")
    parts = {mark: sum(cpu for part, cpu in seen.values() if part == mark) for mark in PARTS}
    first = _first_claim(place)
    return Taken(
        wall=wall,
        cpu=tree.cpu,
        memory=max(memory.samples, default=0.0),
        requests=len(server.sizes),
        parts=parts,
        first=None if first is None else first - began,
    )


def _look(tree: ProcessTree, seen: dict[int, tuple[str, float]]) -> tuple[float, ...]:
    """Note the CPU of each process that is one of a part."""
    for process in tree.processes():
        with contextlib.suppress(psutil.Error):
            line = " ".join(process.cmdline())
            mark = next((mark for mark in PARTS if mark in line), None)
            # A tmux server has the command line of its first worker, until it has begun.
            if mark is not None and "tmux" not in process.name():
                times = process.cpu_times()
                seen[process.pid] = mark, times.user + times.system
    return ()


def _memory(tree: ProcessTree) -> float:
    held = 0.0
    for process in tree.processes():
        with contextlib.suppress(psutil.Error):
            held += shared_memory_mb([process])
    return held


def _first_claim(folder: Path) -> float | None:
    journal = journal_of(folder)
    return None if journal is None else Run({}, journal).named("claimed")[0]["at"]


def _start_workflow(
    folder: Path, items: int, environ: dict[str, str], output: TextIO
) -> subprocess.Popen[bytes]:
    lines = ["Have the items processed in parallel.", *workflow_lines(items, "fine"), "Go on."]
    prompt = "\n".join([lines[0], *(f"> {line}" for line in lines[1:-1]), lines[-1]])
    options = ("--output-format", "json", "--permission-mode", "dontAsk")
    return subprocess.Popen(
        [*client_command(), "-p", prompt, *options, "--allowedTools", "Workflow"],
        cwd=folder,
        env=clean_environment(folder) | environ,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def _start_ours(
    folder: Path, items: int, environ: dict[str, str], output: TextIO, *, workers: int
) -> subprocess.Popen[bytes]:
    ini = "ptc_agent = claude\n"
    Suite(folder, [_RECORD] * items, prompt="Process it.\n> {value}", ini=ini)
    options = (*others_blocked(), f"--ptc-workers={workers}", "--ptc-host=tmux")
    probe = folder / "unused.json"
    return start_pytest(folder, *options, probe=probe, output=output, more=environ)


def _passed(folder: Path) -> int:
    journal = journal_of(folder)
    assert journal is not None, "it has had tasks"
    return sum(event["outcome"] == "passed" for event in Run({}, journal).named("item"))


def _ours(workers: int) -> Way:
    return Way(
        name=f"{workers} workers",
        start=lambda *args: _start_ours(*args, workers=workers),
        judged=_passed,
    )


WAYS = (
    Way(
        name="Workflow",
        start=_start_workflow,
        judged=lambda folder: returned_items(folder / ".claude/projects"),
    ),
    _ours(2),
    _ours(4),
)
