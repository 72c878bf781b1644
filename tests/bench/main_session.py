"""What a fan-out costs the Claude Code session that wants it done, in four ways.

The real client, a scripted model, and the same items in each way:

- by hand: the session creates the tasks, starts five shells that run `claude -p` for each, and
  polls TaskList every five seconds, with one request a look;
- coordinator: the session has a second session do all that, and reads what it answers;
- workflow: the session calls Claude Code's own tool `Workflow`;
- ptc run: the session calls the skill of the plugin.

In each way an item costs a worker what its client needs, and the result that the session reads has
the same summary of every item. The bytes of a request are those of its body, the whole conversation
as a model reads it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from pytest_ptc.cli.plugin import PLUGIN_FOLDER
from tests.bench.client import client_command, client_environment
from tests.bench.processes import ProcessTree, Sampler, adopting, shared_memory_mb, stand_in
from tests.bench.suite import ROOT, BenchError
from tests.bench.workflow import returned_items, workflow_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.bench.figures import Row

SIZES = (5, 50)
WORKERS = 5
#: Seconds between two looks at TaskList, as a patient model waits; and the most looks, also where a
#: worker is killed, whose task is never completed.
POLL_S, MAX_POLLS, MAX_POLLS_KILLED = 5, 200, 4
#: Seconds that each model takes where a worker is killed: all are at work then.
SLOW_S = 6
#: Seconds between two samples of memory.
SAMPLE_S = 0.25
#: The target of the way that is ours.
MAX_REQUESTS = 2
HEADINGS = (
    "way",
    "main session: requests",
    "bytes",
    "all: requests",
    "bytes",
    "CPU of all",
    "memory, peak",
    "wall clock",
    "verdicts",
)

#: What a worker says of an item, as long as such a sentence is.
_SUMMARY = "looked at all of it: 14 sections, 3 tables and 27 links, each complete as it should be"
_COORDINATE = "Coordinate it."
_MAIN = "Have the items processed in parallel."
_RULES = (
    "Bash",
    "TaskCreate",
    "TaskUpdate",
    "TaskList",
    "TaskGet",
    "Workflow",
    "Skill(ptc:fan-out)",
)


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to have items processed.

    Args:
        name: Its name in the table.
        script: The lines of the main session's model, for its folder, the number of items and what
            a worker's model begins with.
        verdicts: Returns how many items have a verdict, of the folder of a session that has ended.
        victim: Whether a process, by its command line, is what runs one item.
    """

    name: str
    script: Callable[[Path, int, str], Sequence[str]]
    verdicts: Callable[[Path], int]
    victim: Callable[[str], bool]


class Cost(NamedTuple):
    """What a session has cost; memory in MB, times in seconds."""

    name: str
    items: int
    main_requests: int
    main_bytes: int
    requests: int
    all_bytes: int
    cpu: float
    memory: float
    wall: float
    verdicts: int
    problem: str | None

    @property
    def missed(self) -> bool:
        """Tell whether it failed, an item has no verdict, or ours needs more requests."""
        more = self.name == "ptc run" and self.main_requests > MAX_REQUESTS
        return self.problem is not None or self.verdicts < self.items or more

    def cells(self) -> tuple[str, ...]:
        """Return its line of `HEADINGS`."""
        return (
            f"{self.items} items, {self.name}",
            str(self.main_requests),
            f"{self.main_bytes / 1e3:.0f} kB",
            str(self.requests),
            f"{self.all_bytes / 1e3:.0f} kB",
            f"{self.cpu:.1f} s",
            f"{self.memory:.0f} MB",
            f"{self.wall:.1f} s",
            self.problem or f"{self.verdicts} of {self.items}",
        )


class Killed(NamedTuple):
    """How many items have a verdict though what ran one of them was killed."""

    name: str
    items: int
    verdicts: int

    @property
    def missed(self) -> bool:
        """Tell whether ours has lost one."""
        return self.name == "ptc run" and self.verdicts < self.items

    def cells(self) -> tuple[str, ...]:
        """Return its line of `HEADINGS`."""
        verdicts = f"{self.verdicts} of {self.items}"
        return (f"{self.items} items, one worker killed, {self.name}", *[""] * 7, verdicts)


def measure(folder: Path) -> Iterator[Row]:
    """Yield the table's lines."""
    with adopting():
        for items in SIZES:
            for way in WAYS:
                yield _run(way, folder / f"{way.name}-{items}", items)
        for way in WAYS:
            yield Killed(way.name, WORKERS, _killed(way, folder / f"{way.name}-killed"))


def _run(way: Way, folder: Path, items: int) -> Cost:
    """Have the items processed, and return what that has cost.

    Raises:
        BenchError: The session did not end as it should.
    """
    with (
        _session(way, folder, items, "") as (tree, began),
        Sampler(lambda: _memory(tree), SAMPLE_S) as memory,
    ):
        tree.wait_for_root()
        wall = time.monotonic() - began
        tree.wait_for_rest()
    sent = [json.loads(line) for line in (folder / "api.log").read_text().splitlines()]
    own = [one["size"] for one in sent if _MAIN in one["prompt"]]
    try:
        answer = json.loads((folder / "session.json").read_bytes())
    except ValueError:
        raise BenchError(f"{way.name}: {(folder / 'session.json').read_text()[-2000:]}") from None
    return Cost(
        name=way.name,
        items=items,
        main_requests=len(own),
        main_bytes=sum(own),
        requests=len(sent),
        all_bytes=sum(one["size"] for one in sent),
        cpu=tree.cpu,
        memory=max(memory.samples, default=0.0),
        wall=wall,
        verdicts=way.verdicts(folder),
        problem="an error" if answer["is_error"] else None,
    )


def _killed(way: Way, folder: Path) -> int:
    """Kill what runs one item while all are at work; return how many items have a verdict."""
    with _session(way, folder, WORKERS, f"slow {SLOW_S} ") as (tree, _):
        log = folder / "api.log"
        tree.wait_until(lambda: log.read_text().count(": process it.") >= WORKERS)
        victims = [one for one in tree.processes() if way.victim(_command_line(one))]
        if not victims:
            raise BenchError(f"{way.name}: no process to kill")
        victims[0].kill()
        tree.wait_for_root()
        tree.wait_for_rest()
    return way.verdicts(folder)


@contextlib.contextmanager
def _session(way: Way, folder: Path, items: int, begin: str) -> Iterator[tuple[ProcessTree, float]]:
    """Start a main session in a new folder, and give its processes and when it began."""
    folder.mkdir()
    lines = [_opening(way), *(f"> {line}" for line in way.script(folder, items, begin)), "Go on."]
    options = (
        *("--plugin-dir", str(PLUGIN_FOLDER), "--permission-mode", "dontAsk"),
        *("--output-format", "json", "--allowedTools", *_RULES),
    )
    with stand_in(folder / "api.log") as server, (folder / "session.json").open("w") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            [*client_command(), "-p", "\n".join(lines), *options],
            cwd=folder,
            env=_environment(folder, server.url),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        with ProcessTree(process, beside=server.pid) as tree:
            yield tree, began


def _opening(way: Way) -> str:
    return f"/ptc:fan-out {_MAIN}" if way.name == "ptc run" else _MAIN


def _environment(folder: Path, url: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("LANG", "TERM") if name in os.environ}
    return {
        **kept,
        **client_environment(folder, url),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        # Out of the tree that is under test, with the key of the journals.
        "XDG_STATE_HOME": str(folder.parent / "state"),
        "CLAUDE_CODE_TASK_LIST_ID": "bench",
        "CLAUDE_CODE_ENABLE_TODO_TOOLS": "1",
        "ENABLE_TOOL_SEARCH": "false",
        "CLAUDE_CODE_MAX_RETRIES": "1",
    }


def _memory(tree: ProcessTree) -> list[float]:
    """Return what all processes of a tree hold together; without those that are just ending."""
    held = 0.0
    for process in tree.processes():
        with contextlib.suppress(psutil.Error):
            held += shared_memory_mb([process])
    return [held]


def _command_line(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


# The ways.


def _worker_prompt(number: str, begin: str) -> str:
    lines = (f"{begin}record pass {_SUMMARY}", f"say pass: {_SUMMARY}")
    return "\n".join(
        [f"Task ID: {number}", f"Item {number}: process it.", *(f"> {line}" for line in lines)]
    )


def _by_hand(_: Path, items: int, begin: str) -> list[str]:
    created = " && ".join(
        "use TaskCreate "
        + json.dumps({"subject": f"Item {n}", "description": f"Process item {n}."})
        for n in range(1, items + 1)
    )
    prompt = _worker_prompt("$i", begin)
    claude = f'{shlex.join(client_command())} -p "{prompt}" --allowedTools TaskUpdate > out/$i.txt'
    shells = (
        f"mkdir -p out; for w in $(seq {WORKERS}); do "
        f"(for i in $(seq $w {WORKERS} {items}); do {claude}; done) "
        "< /dev/null > /dev/null 2>&1 & done"
    )
    polls = MAX_POLLS_KILLED if begin else MAX_POLLS
    look = f"use Bash {json.dumps({'command': f'sleep {POLL_S}'})} && use TaskList {{}}"
    return [
        created,
        f"use Bash {json.dumps({'command': shells})}",
        f"until {items} {polls} [completed] {look}",
        f"use Bash {json.dumps({'command': 'tail -n +1 out/*.txt'})}",
        "say All items are processed.",
    ]


def _coordinator(folder: Path, items: int, begin: str) -> list[str]:
    lines = _by_hand(folder, items, begin)[:-1]
    answer = "  ".join(f"{n}. pass: {_SUMMARY}" for n in range(1, items + 1))
    script = [*(f"> {line}" for line in (*lines, f"say {answer}")), ""]
    (folder / "coordinate.txt").write_text("\n".join([_COORDINATE, *script]))
    session = f'{shlex.join(client_command())} -p "$(cat coordinate.txt)"'
    command = f"{session} --allowedTools {' '.join(_RULES[:5])} < /dev/null"
    return [
        f"use Bash {json.dumps({'command': command, 'timeout': 600000})}",
        "say All items are processed.",
    ]


def _ptc_run(_: Path, items: int, begin: str) -> list[str]:
    prompt = f"Item {{each}}: process it.\n> {begin}record pass {_SUMMARY}"
    command = shlex.join(["ptc", "run", prompt, "--each", f"each=1..{items}", "--retries=1"])
    return [
        f"use Bash {json.dumps({'command': command, 'timeout': 600000})}",
        "say All items are processed.",
    ]


def _on_list(folder: Path) -> int:
    """Count the tasks of the shared list that have a verdict."""
    tasks = (folder / "home/.claude/tasks/bench").glob("*.json")
    return sum("ptc" in json.loads(task.read_bytes()).get("metadata", {}) for task in tasks)


def _in_results(folder: Path) -> int:
    """Count the items of the last run that have a verdict."""
    ended = subprocess.run(
        [Path(sys.executable).parent / "ptc", "results", "--json-lines"],
        cwd=folder,
        env=_environment(folder, ""),
        check=True,
        stdout=subprocess.PIPE,
    )
    *items, _ = [json.loads(line) for line in ended.stdout.splitlines()]
    return sum(item["verdict"] == "pass" for item in items)


WAYS = (
    Way(name="by hand", script=_by_hand, verdicts=_on_list, victim=lambda line: "Item 2:" in line),
    Way(
        name="coordinator",
        script=_coordinator,
        verdicts=_on_list,
        victim=lambda line: "Item 2:" in line and _COORDINATE not in line,
    ),
    Way(
        name="Workflow",
        script=lambda _, items, begin: workflow_lines(items, _SUMMARY, begin),
        verdicts=lambda folder: returned_items(folder / "home/.claude/projects"),
        victim=lambda line: _MAIN in line,
    ),
    Way(
        name="ptc run",
        script=_ptc_run,
        verdicts=_in_results,
        victim=lambda line: "pytest_ptc.worker" in line,
    ),
)
