"""What a one-step task costs with each agent: requests, bytes, CPU and memory.

The clients are the real ones, as `tests/data/acp` pins them, each with one worker against a
stand-in of its API whose model records at once. The first task of a run is the start, and the
median of the later ones a task. Linux only.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from pytest_ptc.agents.acp.clients import CLIENTS
from tests.bench.client import client_environment
from tests.bench.processes import stand_in
from tests.bench.suite import BenchError, Suite, others_blocked, start_pytest
from tests.support import acp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ROUNDS, TASKS = 3, 13
#: What is measured besides the known clients of agent `acp`.
OTHERS = ("claude", "command")
#: The most seconds of CPU that a worker with agent `acp` may take until its first task is done,
#: besides its client and what any task takes.
MAX_START_S = 0.5
HEADINGS = (
    "agent",
    "requests a task",
    "bytes sent",
    "client: CPU of its start",
    "of a task",
    "memory",
    "worker: CPU of its start",
    "of a task",
    "memory",
    "first verdict after",
    "a later one",
    f"start of an acp worker ≤ {MAX_START_S:g} s",
)
_VERDICT = json.dumps({"verdict": "pass", "summary": "fine"})


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentCosts:
    """One agent's figures, each the median of all rounds.

    Args:
        name: Its name.
        cells_: What the table shows, from the number of requests on.
        start_s: The worker's CPU until its first task is done, less that of a later one.
    """

    name: str
    cells_: tuple[str, ...]
    start_s: float

    @property
    def missed(self) -> bool:
        """Tell whether a worker with agent `acp` starts too slowly."""
        return self.name.startswith("acp:") and not self.start_s <= MAX_START_S

    def cells(self) -> tuple[str, ...]:
        """Return the agent's line."""
        return (
            self.name,
            *self.cells_,
            "**missed**" if self.missed else "met" if self.name.startswith("acp:") else "",
        )


def measure(folder: Path) -> Iterator[AgentCosts]:
    """Yield the figures of each agent.

    Raises:
        BenchError: This system does not tell them, or a task did not pass.
    """
    if sys.platform != "linux":
        raise BenchError("what a process and its children take is told on Linux alone")
    names = [*(f"acp:{client.name}" for client in CLIENTS), *OTHERS]
    # Installed, compiled and read from disk before anything is measured.
    for name in names:
        _run(folder / f"first-{name.partition(':')[2] or name}", name, tasks=2)
    rounds = [
        {name: _run(folder / f"{number}-{name.partition(':')[2] or name}", name) for name in names}
        for number in range(ROUNDS)
    ]
    for name in names:
        figures = {what: median(one[name][what] for one in rounds) for what in rounds[0][name]}
        yield AgentCosts(
            name=name,
            cells_=(
                f"{figures['requests']:.2g}",
                f"{figures['sent'] / 1e3:.1f} kB",
                *(f"{figures[f'client {what}']:.2f} s" for what in ("start", "task")),
                f"{figures['client memory']:.0f} MB",
                *(f"{figures[f'worker {what}']:.3f} s" for what in ("start", "task")),
                f"{figures['worker memory']:.0f} MB",
                *(f"{figures[what]:.2f} s" for what in ("first", "later")),
            ),
            start_s=figures["worker start"],
        )


def _run(folder: Path, name: str, tasks: int = TASKS) -> Mapping[str, float]:
    """Run one-step tasks with an agent, and return what they took.

    Raises:
        BenchError: A task did not pass.
    """
    _, _, client = name.partition(":")
    ini = f"ptc_agent = {name}\nptc_host = process\n"
    if client:
        ini += f"ptc_acp_command = {shlex.join(acp.command_of(client))}\n"
    elif name == "command":
        (folder.parent / "agent.sh").write_text(f"echo '{_VERDICT}'\n")
        ini += f"ptc_command = /bin/sh {folder.parent / 'agent.sh'}\n"
    Suite(folder, range(tasks), prompt="Look at {value}.\n> record pass fine", ini=ini)
    log, probe = folder / "pytest.log", folder / "probe.json"
    api = "model_apis" if client else "messages_api"
    with stand_in(folder / "api.log", api) as server, log.open("w") as output:
        environ = client_environment(folder, server.url)
        if client:
            environ = {"HOME": environ["HOME"], **acp.environment_of(client, server.url)}
        words = ("-p", "tests.bench.agent_probe", *others_blocked(), "--ptc-workers=1")
        began = time.time()
        status = start_pytest(folder, *words, probe=probe, output=output, more=environ).wait()
    if status:
        raise BenchError(f"{name}: pytest ended with {status}:\n{log.read_text()[-4000:]}")
    seen = json.loads(probe.read_text())
    first, last, later = seen[0], seen[-1], len(seen) - 1

    def each(what: str) -> float:
        return float(last[what] - first[what]) / later

    costs = {
        "requests": len(server.sizes) / tasks,
        "sent": sum(server.sizes) / tasks,
        "first": first["at"] - began,
        "later": each("at"),
    }
    for who in ("client", "worker"):
        a_task = each(f"{who} cpu")
        costs[f"{who} task"] = a_task
        costs[f"{who} start"] = max(0.0, first[f"{who} cpu"] - a_task)
        costs[f"{who} memory"] = max(one[f"{who} memory"] for one in seen)
    return costs
