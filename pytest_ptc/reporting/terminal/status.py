"""What a run is made of, and where it stands while it is on, as text. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_ptc.model.lifecycle import WorkerState
from pytest_ptc.model.verdict import VerdictKind
from pytest_ptc.reporting.wording import behind_group, clock, count, listed, plural
from pytest_ptc.text.printable import clip, clip_left, columns, printable, usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_ptc.model.lifecycle import Snapshot, WorkerView

#: Columns of a worker's cell in the live block, and between two cells: two cells stand side by
#: side in 80 columns, four in 160.
_CELL, _GAP = 38, 2
#: So many of the last notes are shown.
_NOTES = 2

#: From here on an age in seconds would be wider than its column: it is shown as a clock's time.
_TWO_DIGITS = 100


def header_lines(
    *,
    workers: int,
    host: str,
    agent: str,
    list_id: str,
    cluster: str | None = None,
    attach: str | None = None,
    note: str | None = None,
    sandbox: str | None = None,
    budget: float | None = None,
    task_budget: float | None = None,
    resumes: str | None = None,
) -> list[str]:
    """Return what pytest's header says of the run.

    Args:
        workers: How many workers there are.
        host: The name of the host they live in.
        agent: The agent's name.
        list_id: The shared task list.
        cluster: The address of the cluster that they find places on, `local` for one that is made
            for the run; None without one.
        attach: The command with which a person can watch.
        note: What went otherwise than asked, such as `NO_TMUX`.
        sandbox: What is to be said of the agents' sandbox.
        budget: US dollars that the run may cost.
        task_budget: US dollars that an attempt may cost.
        resumes: The earlier run whose verdicts stand for what is unchanged.
    """
    place = "in child processes" if host == "process" else f"in {host}"
    place = place if cluster is None else f"on {host}"
    lines = [f"ptc: {count(workers, 'worker')} {place}, {agent} agent, list {list_id}"]
    if cluster is not None:
        where = "a cluster on this machine" if cluster == "local" else cluster
        lines.append(f"ptc: on the nodes of {where}, as they join")
    if attach:
        lines.append(f"ptc: watch with: {attach}")
    lines += [f"ptc: {text}" for text in (note, sandbox) if text]
    if budget is not None:
        lines.append(f"ptc: budget {usd(budget)}; {_overshoot(workers, task_budget)}")
    if resumes is not None:
        lines.append(f"ptc: resumes {resumes}")
    return [printable(line) for line in lines]


def _overshoot(workers: int, task_budget: float | None) -> str:
    """Return by how much a run may cost more than its budget."""
    if task_budget is None:
        tasks = count(workers, "task")
        return f"{tasks} may overshoot it (ptc_task_budget_usd caps each)"
    answers = count(workers, "answer")
    return f"{usd(task_budget)} are put aside for a task, {answers} may overshoot it"


def progress_line(snapshot: Snapshot, *, now: float, started: float) -> str:
    """Return where the run stands, as a line of a log."""
    return "ptc: " + ", ".join(_progress(snapshot, now, started))


def live_lines(
    snapshot: Snapshot, *, now: float, started: float, width: int, height: int
) -> list[str]:
    """Return where the run and every worker stand, for a terminal of this size.

    No line reaches the last column, and the lines take at most a third of the height.
    """
    usable = max(width - 1, 0)
    # Of all of it, the retries and the cost can be missed most easily; places have a line then.
    less = replace(snapshot, retries=0, cost_usd=0.0)
    for shown, places in ((snapshot, True), (less, True), (less, False)):
        head = ["ptc " + " | ".join(_progress(shown, now, started, places=places))]
        if columns(head[0]) <= usable:
            break
    else:
        places = False
    head += [] if places else [f"ptc {text}" for text in _places(snapshot)]
    head += [f"ptc {printable(note)}" for note in snapshot.notes[-_NOTES:]]
    head = [clip(line, usable) for line in head[: max(height // 3, 1)]]
    a_row = max((usable + _GAP) // (_CELL + _GAP), 1)
    rows = max(height // 3, 1) - len(head)
    with_place = [one for one in snapshot.workers if one.state is not WorkerState.WAITING]
    cells = _worker_cells(with_place, now, rows * a_row)
    width_of_cell = (usable + _GAP) // a_row - _GAP
    table = [cells[start : start + a_row] for start in range(0, len(cells), a_row)]
    return [*head, *(_row(row, width_of_cell) for row in table)]


def _places(snapshot: Snapshot) -> list[str]:
    """Return, of a run whose workers find places on a cluster, how many have one and how many wait.

    A part, or none where all workers are on this machine.
    """
    waiting, nodes = snapshot.without_place, snapshot.nodes
    wait = "waits for a place" if waiting == 1 else "wait for a place"
    if not nodes:
        return [f"{count(waiting, 'worker')} {wait}"] if waiting else []
    placed = f"{count(len(snapshot.workers) - waiting, 'worker')} on {count(nodes, 'node')}"
    return [f"{placed}, {waiting} {wait}" if waiting else placed]


def _progress(snapshot: Snapshot, now: float, started: float, *, places: bool = True) -> list[str]:
    verdicts = listed((kind, snapshot.verdicts.get(kind, 0)) for kind in VerdictKind)
    done = f"{snapshot.done}/{snapshot.total} done"
    parts = [
        f"{done} ({verdicts})" if verdicts else done,
        f"{snapshot.running} running",
        f"{snapshot.queued} queued{behind_group(snapshot.behind_group)}",
    ]
    parts += _places(snapshot) if places else []
    if snapshot.retries:
        parts.append(count(snapshot.retries, "retry", "retries"))
    if snapshot.held and snapshot.held_until > now:
        parts.insert(1, f"{printable(snapshot.held)}, held for {clock(snapshot.held_until - now)}")
    if snapshot.cost_usd:
        parts.append(usd(snapshot.cost_usd))
    return [*parts, clock(now - started)]


def _worker_cells(workers: Sequence[WorkerView], now: float, room: int) -> list[tuple[str, str]]:
    """Return a head that is never cut and a name that may be, for as many as there is room."""
    shown = list(workers)
    if len(workers) > room:
        # Whoever has no room should be one that has nothing to show.
        shown.sort(key=lambda worker: worker.state is not WorkerState.BUSY)
        shown = shown[: max(room - 1, 0)]
    ages = [_age(now - worker.since) for worker in shown]
    names_wide = max((len(worker.name) for worker in shown), default=0)
    ages_wide = max(map(len, ages), default=0)
    cells = [
        (f"{worker.name:<{names_wide}} {age:>{max(ages_wide, 3)}} ", _doing(worker))
        for worker, age in zip(shown, ages, strict=True)
    ]
    hidden = len(workers) - len(shown)
    if hidden and room:
        cells.append((f"+{hidden} more {plural(hidden, 'worker')}", ""))
    return cells


def _doing(worker: WorkerView) -> str:
    if worker.state is WorkerState.BUSY and worker.nodeid:
        return printable(_test_name(worker.nodeid))
    return worker.state.value


def _test_name(nodeid: str) -> str:
    """Return a node id without its file and classes, but with all of its parameters."""
    file, _, inside = nodeid.partition("::")
    name, bracket, params = (inside or file).partition("[")
    return name.rpartition("::")[2] + bracket + params


def _row(cells: Iterable[tuple[str, str]], width: int) -> str:
    texts = [clip(head + clip_left(name, width - len(head)), width) for head, name in cells]
    padded = [text + " " * (width - columns(text)) for text in texts]
    return (" " * _GAP).join(padded).rstrip(" ")


def _age(seconds: float) -> str:
    return f"{max(int(seconds), 0)}s" if seconds < _TWO_DIGITS else clock(seconds)
