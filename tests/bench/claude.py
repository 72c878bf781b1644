"""Claude Code in our workers against what a plain user would do: one `claude -p` a test, by xdist.

Both run the same client against a stand-in of the Messages API on the loopback interface, whose
model does one thing: it records. So what differs is what each needs around the model. A test of the
peer's ends with a second request, in which the model says that it is done; ours ends with the
verdict. `workflow` has what it takes beside the tool `Workflow`.

The CPU is that of all processes of a run, and not of the stand-in, which has a process of its own.
It is told by the kernel when a process is waited for. Those whose parents have left, such as a tmux
server, are waited for by this process: it adopts them, which is possible on Linux alone.
"""

from __future__ import annotations

import contextlib
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil

from tests.bench import workflow
from tests.bench.client import client_command, client_environment
from tests.bench.figures import Check, Figure, Row, Target, quantile
from tests.bench.processes import ProcessTree, Sampler, adopting, shared_memory_mb, stand_in
from tests.bench.suite import BenchError, Run, Suite, journal_of, others_blocked, start_pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


#: How often everything is measured; ours and the peer's in turn.
ROUNDS = 3
WORKERS = 4
#: Sizes of the runs whose model takes no time; what one more task costs is their difference.
SMALL, LARGE = 24, 96
#: The run whose model takes its time: how many tasks, and how many seconds all of them. As drawn,
#: the longest takes 12.6 s and is the 22nd.
TAIL, TAIL_SECONDS = 48, 91.2
TAIL_SEED = 5

#: Seconds between two looks at the workers' memory.
INTERVAL = 0.25

_RECORD = "record pass fine"

_PEER_SUITE = """
import json
import os
import subprocess
from pathlib import Path

import pytest

TASK = {"id": "1", "subject": "s", "description": "d", "status": "pending"}
OPTIONS = "--output-format json --permission-mode dontAsk --allowedTools TaskUpdate"


@pytest.mark.parametrize("number", range(len(SCRIPTS)))
def test_task(number):
    file = Path(os.environ["CLAUDE_CONFIG_DIR"], "tasks", f"bench-{number}", "1.json")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({**TASK, "blocks": [], "blockedBy": []}))
    prompt = f"Task ID: 1\\nLook at it.\\n> {SCRIPTS[number]}"
    own = {"CLAUDE_CODE_ENABLE_TODO_TOOLS": "1", "CLAUDE_CODE_TASK_LIST_ID": file.parent.name}
    answer = subprocess.run(
        [*CLIENT, "-p", prompt, *OPTIONS.split()],
        env={**os.environ, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    assert not json.loads(answer.stdout)["is_error"]
    assert json.loads(file.read_text())["metadata"]["ptc"]["verdict"] == "pass"
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of the two that are compared.

    Args:
        name: Its name in the figures.
        write: Writes its suite, of a script for the model for each test.
        args: Its arguments for pytest.
        worker: What the command line of its workers holds.
        requests: How many requests to the model a task needs.
    """

    name: str
    write: Callable[[Path, Sequence[str]], None]
    args: tuple[str, ...]
    worker: str
    requests: int


class Measured(NamedTuple):
    """What one run took: seconds, the requests' bytes, and a worker's MB at one time and another.

    `began` and `ended` are seconds since the epoch, to go with the journal.
    """

    began: float
    ended: float
    wall: float
    cpu: float
    sent: list[int]
    memory: list[float]
    journal: Run | None


class Pair(NamedTuple):
    """The same measured of both."""

    ours: Measured
    peer: Measured


class Round(NamedTuple):
    """All that is measured once."""

    small: Pair
    large: Pair
    tail: Pair
    #: Ours in the tail's folder once more, knowing how long its tasks took.
    again: Measured


def measure(folder: Path) -> Iterator[Row]:
    """Yield the checks and the figures of all rounds."""
    with adopting():
        # Compiles what all later runs find compiled, and reads the client from disk.
        _both(folder, "first", [_RECORD] * WORKERS)
        rounds = [_round(folder, number) for number in range(ROUNDS)]
        beside = list(workflow.measure(folder))
    yield _check(rounds)
    yield from _without_model_time(rounds)
    yield from _with_model_times(rounds)
    large = [one.large for one in rounds]
    yield from _compared("sent to the API, a task", "kB", _each(large, _kilobytes_of_a_task), 0.3)
    yield from _of_memory([one.tail for one in rounds])
    yield from _of_start([pair.ours for pair in large])
    yield from beside


# The figures.


def _without_model_time(rounds: list[Round]) -> Iterator[Row]:
    what = f"{LARGE} tasks, no model time"
    large = [one.large for one in rounds]
    yield from _compared(f"{what}: wall clock", "s", _each(large, lambda run: run.wall), 0.35)
    yield from _compared(f"{what}: CPU", "s", _each(large, lambda run: run.cpu), 0.35)
    less = _each([one.small for one in rounds], lambda run: run.cpu)
    more = _each(large, lambda run: run.cpu)
    costs = [
        ((ours - few_ours) / (LARGE - SMALL), (peer - few_peer) / (LARGE - SMALL))
        for (ours, peer), (few_ours, few_peer) in zip(more, less, strict=True)
    ]
    yield from _compared(f"one more task: CPU, from {SMALL} to {LARGE}", "s", costs, 0.2)


def _with_model_times(rounds: list[Round]) -> Iterator[Row]:
    times = _model_times()
    bound = max(sum(times) / WORKERS, *times)
    what = f"{TAIL} tasks, {sum(times):.0f} s of model time"
    walls = _each([one.tail for one in rounds], lambda run: run.wall)
    yield from _compared(f"{what}: wall clock", "s", walls, 0.75)
    ours, peer = ([wall / bound for wall in side] for side in zip(*walls, strict=True))
    lower = f"to the lower bound of {bound:.1f} s"
    yield _figure(f"- ours {lower}", "", ours, 1.2)
    again = [one.again.wall / bound for one in rounds]
    yield _figure(f"- ours, knowing an earlier run's times, {lower}", "", again, 1.2)
    yield _figure(f"- peer {lower}", "", peer)
    yield _figure(f"- in this order without any cost, {lower}", "", [_in_order(times) / bound])


def _of_memory(pairs: list[Pair]) -> Iterator[Row]:
    """Yield figures of the run with model times: there workers are busy, and the machine is not."""
    shares: dict[str, Callable[[list[float]], float]] = {
        "median": lambda values: quantile(values, 0.5),
        "peak": max,
    }
    for name, share in shares.items():
        of_sides = [(share(ours.memory), share(peer.memory)) for ours, peer in pairs]
        what = f"worker and its client, PSS, {name} of a run"
        yield _figure(f"{what}: ours", "MB", [ours for ours, _ in of_sides])
        yield _figure(f"{what}: peer", "MB", [peer for _, peer in of_sides])
        more = [ours - peer for ours, peer in of_sides]
        yield _figure("- ours less the peer's", "MB", more, 70.0)


def _of_start(runs: list[Measured]) -> Iterator[Row]:
    parts: dict[str, list[float]] = {}
    for run in runs:
        for what, values in _start_of(run).items():
            parts.setdefault(what, []).extend(values)
    for what, values in parts.items():
        yield _figure(what, "s", values)


def _start_of(run: Measured) -> dict[str, list[float]]:
    """Return where the time of a run's start and end goes, by our journal."""
    assert run.journal is not None
    made = run.journal.named("run")[0]["at"]
    started, ready, claimed = (
        _by_worker(run.journal.named(name))
        for name in ("worker started", "worker ready", "claimed")
    )
    ended = _by_worker(run.journal.named("ended"))
    first_claim = min(ats[0] for ats in claimed.values())
    took = {
        worker: [end - claim for claim, end in zip(claimed[worker], ats, strict=True)]
        for worker, ats in ended.items()
    }
    later = quantile([seconds for each in took.values() for seconds in each[1:]], 0.5)
    first_starts = [ats[0] for ats in started.values()]
    return {
        "start: from pytest's start to the first claim": [first_claim - run.began],
        "- pytest's start to the journal": [made - run.began],
        "- the journal to a worker's start": [at - made for at in first_starts],
        "- a worker's start until it calls in": [
            ats[0] - started[worker][0] for worker, ats in ready.items()
        ],
        "- until it claims its first task": [
            ats[0] - ready[worker][0] for worker, ats in claimed.items()
        ],
        "- its first task, beyond a later one": [each[0] - later for each in took.values()],
        "- a later task, claimed to ended": [
            seconds for each in took.values() for seconds in each[1:]
        ],
        "- ended to the same worker's next claim": _gaps(claimed, ended),
        "end: from the last verdict to pytest's end": [
            run.ended - max(ats[-1] for ats in ended.values())
        ],
    }


def _by_worker(events: list[dict[str, Any]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for event in events:
        found.setdefault(event["worker"], []).append(event["at"])
    return found


def _gaps(claimed: dict[str, list[float]], ended: dict[str, list[float]]) -> list[float]:
    return [
        claim - end
        for worker, ends in ended.items()
        for end, claim in zip(ends, claimed[worker][1:], strict=False)
    ]


def _compared(
    what: str, unit: str, values: Sequence[tuple[float, float]], most: float
) -> Iterator[Row]:
    yield _figure(f"{what}: ours", unit, [ours for ours, _ in values])
    yield _figure(f"{what}: peer", unit, [peer for _, peer in values])
    yield _figure("- ours to the peer's", "", [ours / peer for ours, peer in values], most)


def _figure(what: str, unit: str, values: Sequence[float], most: float | None = None) -> Figure:
    target = None if most is None else Target(of="median", most=most)
    return Figure(what=what, unit=unit, values=values, target=target)


def _each(pairs: list[Pair], of: Callable[[Measured], float]) -> list[tuple[float, float]]:
    return [(of(pair.ours), of(pair.peer)) for pair in pairs]


def _kilobytes_of_a_task(run: Measured) -> float:
    return sum(run.sent) / LARGE / 1e3


def _check(rounds: list[Round]) -> Check:
    sizes = (SMALL, LARGE, TAIL)
    problems = [
        f"{len(run.sent)} requests of {side.name} for {size} tasks"
        for one in rounds
        for pair, size in zip((one.small, one.large, one.tail), sizes, strict=True)
        for run, side in zip(pair, SIDES, strict=True)
        if len(run.sent) != size * side.requests
    ]
    wanted = " and ".join(f"{side.requests} of {side.name}" for side in SIDES)
    return Check(
        what=f"every test passed, with as many requests a task: {wanted}",
        problem=problems[0] if problems else None,
    )


# The runs.


def _round(folder: Path, number: int) -> Round:
    slow = [f"slow {seconds} {_RECORD}" for seconds in _model_times()]
    ours = SIDES[0]
    return Round(
        small=_both(folder, f"{number}-small", [_RECORD] * SMALL),
        large=_both(folder, f"{number}-large", [_RECORD] * LARGE),
        tail=_both(folder, f"{number}-tail", slow, memory=True),
        again=_run(ours, folder / f"{number}-tail-{ours.name}", slow, memory=False),
    )


def _model_times() -> list[float]:
    chance = random.Random(TAIL_SEED)  # noqa: S311 - the same times for both and every run
    drawn = [chance.lognormvariate(0.0, 1.0) for _ in range(TAIL)]
    return [round(time * TAIL_SECONDS / sum(drawn), 2) for time in drawn]


def _in_order(times: Sequence[float]) -> float:
    """Return how long tasks take that free workers take in this order."""
    free_at = [0.0] * WORKERS
    for seconds in times:
        free_at[free_at.index(min(free_at))] += seconds
    return max(free_at)


def _both(folder: Path, name: str, scripts: Sequence[str], *, memory: bool = False) -> Pair:
    # Side by side: what is compiled is kept beside a suite's folder, for all of them.
    places = [(side, folder / f"{name}-{side.name}") for side in SIDES]
    return Pair(*(_run(side, place, scripts, memory=memory) for side, place in places))


def _run(side: Side, folder: Path, scripts: Sequence[str], *, memory: bool) -> Measured:
    """Run the suite that has these scripts.

    Args:
        side: Which suite.
        folder: Where it is made; where it is there, it is run once more.
        scripts: What the model does in each test.
        memory: Whether to look at the workers' memory, which takes a tenth of a core.

    Raises:
        BenchError: A test did not pass, or processes are left.
    """
    if not folder.exists():
        folder.mkdir()
        side.write(folder, scripts)
    log = folder / "pytest.log"
    with stand_in(folder / "api.log") as server, log.open("w") as output:
        environ = client_environment(folder, server.url)
        began, start = time.time(), time.monotonic()
        process = start_pytest(
            folder, *side.args, probe=folder / "unused.json", output=output, more=environ
        )
        with (
            ProcessTree(process, beside=server.pid) as tree,
            Sampler(lambda: _memory_of_workers(side.worker) if memory else (), INTERVAL) as watch,
        ):
            tree.wait_for_root()
            wall, ended = time.monotonic() - start, time.time()
            tree.wait_for_rest()
    if process.returncode:
        raise BenchError(f"pytest ended with {process.returncode}:\n{log.read_text()[-4000:]}")
    journal = journal_of(folder)
    run = Run({}, journal) if journal else None
    return Measured(began, ended, wall, tree.cpu, server.sizes, watch.samples, run)


def _write_ours(folder: Path, scripts: Sequence[str]) -> None:
    Suite(folder, scripts, prompt="Look at it.\n> {value}", ini="ptc_agent = claude\n")


def _write_peer(folder: Path, scripts: Sequence[str]) -> None:
    given = f"CLIENT = {client_command()!r}\nSCRIPTS = {scripts!r}\n"
    (folder / "test_suite.py").write_text(given + _PEER_SUITE)
    (folder / "pytest.ini").write_text("[pytest]\n")


#: In the order of `Pair`.
SIDES = (
    Side(
        name="ours",
        write=_write_ours,
        args=(*others_blocked(), f"--ptc-workers={WORKERS}", "--ptc-host=tmux"),
        worker="pytest_ptc.worker",
        requests=1,
    ),
    Side(
        name="peer",
        write=_write_peer,
        args=(*others_blocked("xdist", "xdist.looponfail"), "-n", str(WORKERS)),
        # As execnet starts it.
        worker="exec(eval(sys.stdin.readline()))",
        requests=2,
    ),
)


# Memory.


def _memory_of_workers(mark: str) -> list[float]:
    """Return the MB of each worker with all below it, where it has a client."""
    samples = []
    for worker in _workers(mark):
        # One of which a process ends meanwhile is no sample.
        with contextlib.suppress(psutil.Error):
            samples.append(shared_memory_mb(worker))
    return samples


def _workers(mark: str) -> list[list[psutil.Process]]:
    """Return the processes of each worker that has started one."""
    found: dict[int, list[psutil.Process]] = {}
    owners: dict[int, int] = {}
    # A process comes after its parent here.
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            owner = owners.get(process.ppid())
            if owner is None and mark in " ".join(process.cmdline()):
                owner = process.pid
            if owner is not None:
                owners[process.pid] = owner
                found.setdefault(owner, []).append(process)
    return [processes for processes in found.values() if len(processes) > 1]
