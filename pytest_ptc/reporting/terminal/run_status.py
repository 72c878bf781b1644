"""The status of a run as text: what it comes to so far, and a line for each worker. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.reporting.item_names import item_names
from pytest_ptc.reporting.wording import clock, count, listed, plural
from pytest_ptc.reporting.worker_names import at_node
from pytest_ptc.text.printable import clip, clip_left, columns, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_ptc.journal.outline import RunOutline, WorkerOutline

    #: What is known of an attempt at this moment, by its name: what it does, since when in seconds
    #: since the epoch, and what it did last; None where nothing is.
    Doing = Callable[[str], tuple[str, float | None, str] | None]

#: Columns of an item's name, at most, and of a line that is not for a terminal.
_NAME_COLUMNS, _WIDTH = 40, 200
#: Groups that are named, and columns of a name.
_MOST_GROUPS, _GROUP_COLUMNS = 3, 24
#: Where workers are, by their host.
_PLACES = {"process": "in child processes", "dask": "on dask"}
#: Nodes that are named, and those that have a line: of those that are refused or lost, the last.
_MOST_NODES = 6
#: Workers that have a line.
MAX_WORKERS = 40
_KINDS = ("pass", "fail", "skip", "error")


def status_lines(
    outline: RunOutline,
    *,
    run: str,
    state: str,
    now: float,
    doing: Doing,
    width: int | None = None,
    workers: int = MAX_WORKERS,
) -> list[str]:
    """Return where a run stands.

    Args:
        outline: The run.
        run: Its id, as people type it.
        state: `running`, `ended` or `killed`.
        now: The time, in seconds since the epoch.
        doing: Tells what an attempt is at.
        width: Columns of the terminal; None for no terminal.
        workers: How many workers have a line.
    """
    wide = _WIDTH if width is None else max(width, 20)
    active = state == "running"
    lines = [_head(outline, run, state, now), _totals(outline, active=active)]
    if active and outline.held is not None and outline.held[1] > now:
        why, until = outline.held
        lines.append(f"no attempt is begun for {clock(until - now)}: {why}")
    if outline.stopping is not None and (active or outline.standing.stopped):
        lines.append(f"{'stopping' if active else 'stopped'}: {outline.stopping}")
    if active:
        lines += _node_lines(outline)
        lines += _worker_lines(outline, now, doing, wide, workers)
    else:
        lines.append(f"results: ptc results {run}")
    return [clip(printable(line), wide) for line in lines]


def command_text(began: Mapping[str, object]) -> str:
    """Return the command that a run was started with, as it can be read, from its first event."""
    inline = began.get("inline")
    given = inline.get("words") if isinstance(inline, dict) else began.get("arguments")
    words = given if isinstance(given, list | tuple) else ()
    program = "ptc run" if isinstance(inline, dict) else "pytest"
    return " ".join([program, *(_word(str(word)) for word in words)])


def _word(word: str) -> str:
    plain = word and not set(word) & set(" \t\n'\"\\$&|;<>()*?#`")
    return word if plain else "'" + word.replace("'", "'\\''") + "'"


def _head(outline: RunOutline, run: str, state: str, now: float) -> str:
    began = outline.began
    place = _PLACES.get(began["host"], f"in {began['host']}")
    if state == "running":
        when = f"active for {clock(now - began['at'])}"
    else:
        ended = outline.ended or outline.last
        when = f"{state} {age_text(now - ended)} ago after {clock(ended - began['at'])}"
    agents = f"{count(began['workers'], 'worker')} {place}, {began['agent']} agent"
    return f"run {run}  {when}  {agents}  {command_text(began)}"


def _totals(outline: RunOutline, *, active: bool) -> str:
    standing = outline.standing
    counts = listed((kind, standing.kinds.get(kind, 0)) for kind in _KINDS)
    running = outline.running
    shard = f"shard {outline.shard}, " if outline.shard else ""
    parts = [f"{shard}{standing.done} of {standing.total} done" + (f": {counts}" if counts else "")]
    if active:
        queued = f"{standing.total - standing.done - running} queued"
        parts += [f"{running} running", queued + _behind_groups(outline.behind_group)]
    if outline.retries:
        parts.append(count(outline.retries, "retry", "retries"))
    return ", ".join([*parts, *([outline.cost] if outline.cost else [])])


def _behind_groups(waiting: Mapping[str, int]) -> str:
    """Return how many tasks wait for which groups, the groups that most wait for first."""
    if not waiting:
        return ""
    ordered = sorted(waiting, key=lambda group: (-waiting[group], group))
    names = [clip(printable(group), _GROUP_COLUMNS) for group in ordered[:_MOST_GROUPS]]
    more = [f"+{len(ordered) - len(names)}"] if len(ordered) > len(names) else []
    tasks = sum(waiting.values())
    wait = "waits" if tasks == 1 else "wait"
    groups = plural(len(ordered), "group")
    return f" ({tasks} {wait} for {groups} {', '.join([*names, *more])})"


def _node_lines(outline: RunOutline) -> list[str]:
    """Return where a run's workers are whose places are on a cluster; nothing of any other run."""
    lines = []
    live = [node.title for node in outline.nodes.values() if node.ended is None]
    waiting = len(outline.without_place)
    if live or waiting:
        more = [f"+{len(live) - _MOST_NODES}"] if len(live) > _MOST_NODES else []
        named = ", ".join([*live[:_MOST_NODES], *more])
        parts = [f"{count(len(live), 'node')}: {named}" if live else "no node yet"]
        if waiting:
            wait = "waits for a place" if waiting == 1 else "wait for a place"
            parts.append(f"{count(waiting, 'worker')} {wait}")
        lines.append("; ".join(parts))
    ended = [
        *(f"{name} gets no workers: {why}" for name, why in outline.refused_nodes.items()),
        *(f"{one.title} {one.ended}" for one in outline.nodes.values() if one.ended is not None),
    ]
    return [*lines, *(f"node {text}" for text in ended[-_MOST_NODES:])]


def _worker_lines(
    outline: RunOutline, now: float, doing: Doing, width: int, most: int
) -> list[str]:
    live = [worker for worker in outline.workers.values() if worker.lost is None]
    lost = len(outline.workers) - len(live)
    shown = (
        sorted(live, key=lambda worker: worker.task is None)[:most] if len(live) > most else live
    )
    names = dict(
        zip(outline.tasks, item_names([t.nodeid for t in outline.tasks.values()]), strict=True)
    )
    items = [printable(names.get(outline.item_of(worker.task or ""), "")) for worker in shown]
    room = min(max(map(columns, items), default=0), _NAME_COLUMNS, width // 3)
    titles = [at_node(worker.name, worker.node) for worker in shown]
    wide = max(map(columns, map(printable, titles)), default=0)
    lines = []
    for worker, title, item in zip(shown, titles, items, strict=True):
        name = clip_left(item, room)
        padded = name + " " * (room - columns(name))
        lines.append(f"{printable(title):<{wide}}  {_worker(worker, outline, padded, now, doing)}")
    if len(live) > len(shown):
        more = len(live) - len(shown)
        lines.append(f"+{more} more {plural(more, 'worker')}")
    if lost:
        lines.append(f"{count(lost, 'worker')} lost")
    return lines


def _worker(worker: WorkerOutline, outline: RunOutline, item: str, now: float, doing: Doing) -> str:
    for_so_long = clock(now - worker.since)
    if worker.task is None:
        return f"{'idle' if worker.ready else 'starting'} for {for_so_long}"
    task = outline.task(worker.task)
    assert task is not None, "a worker is assigned a task that there is"
    parts = [item, f"{for_so_long} of {clock(task.timeout)}"]
    if task.number > 1:
        parts.append(f"attempt {task.number}")
    found = doing(f"{worker.task}.{task.number}")
    if found is None:
        return "  ".join([*parts, "at work"])
    phase, since, last = found
    age = f" for {clock(now - since)}" if since is not None else ""
    return "  ".join([*parts, f"{phase}{age}{f' (last: {last})' if last else ''}"])


def age_text(seconds: float) -> str:
    """Return how long ago something was, in words: `12 s`, `3 min`, `5 h`, `2 days`."""
    whole = max(int(seconds), 0)
    for unit, size in (("days", 172800), ("h", 7200), ("min", 120)):
        if whole >= size:
            per_unit = {"days": 86400, "h": 3600, "min": 60}[unit]
            return f"{whole // per_unit} {unit}"
    return f"{whole} s"
