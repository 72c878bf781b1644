"""The timeline of a run's page: what every worker was on, as one drawing. Pure.

Places along the time are in percent, so that the drawing takes the width there is, and a zoom is
nothing but another width; places across are in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.item_states import BAD, ItemState
from pytest_ptc.model.verdict import VerdictKind
from pytest_ptc.reporting.page.figures import duration
from pytest_ptc.reporting.page.markup import element, lines
from pytest_ptc.reporting.page.nodes import Lane, lanes_of
from pytest_ptc.reporting.page.titles import anchor
from pytest_ptc.reporting.wording import grouped
from pytest_ptc.reporting.worker_names import at_node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from markupsafe import Markup

    from pytest_ptc.reporting.attempts import TaskAttempt
    from pytest_ptc.reporting.nodes import NodeReport
    from pytest_ptc.reporting.run_report import Hold, RunReport, WorkerReport
    from pytest_ptc.reporting.task_report import TaskReport

_AXIS, _QUEUE = 20, 44
#: The heights of a lane and of the bars in it; less where there are many workers.
_ROOMY, _TIGHT, _MANY = (22, 14), (14, 9), 24

#: Narrowest bar, in percent: one that is there must be seen.
_NARROWEST = 0.12
#: Narrowest band that has room for words.
_WORDY = 6.0

_STEPS = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400),
)
_MAX_TICKS = 9
#: How often the drawing's width can be doubled.
_ZOOMS = 5

#: How an attempt ended: the classes of the bars, and what the legend says of them.
_ENDINGS: Mapping[str, str] = {
    "pass": "pass",
    "fail": "fail",
    "expected": "fail, as expected",
    "overruled": "pass, but the item did not",
    "skip": "skip",
    "error": "error by verdict",
    "trouble": "trouble: no verdict",
    "open": "did not end",
}


class _Bar(NamedTuple):
    """One attempt: in whose lane, from when to when, how it ended, and what is told of it."""

    worker: str
    begin: float
    end: float
    ending: str
    again: bool
    anchor: str
    tooltip: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plot:
    """What is drawn, and how large.

    Args:
        began: When the run began, in seconds since the epoch.
        seconds: How long it took.
        lanes: The lanes, from above.
        bars: The attempts.
    """

    began: float
    seconds: float
    lanes: tuple[Lane, ...]
    bars: tuple[_Bar, ...]
    #: Where each lane is, from above, by its name.
    places: dict[str, int] = field(default_factory=dict)

    def x(self, at: float) -> float:
        """Return where a moment is, in percent."""
        share = 100 * (at - self.began) / self.seconds
        return round(min(max(share, 0.0), 100.0), 3)

    @property
    def tight(self) -> bool:
        """Tell whether there are many lanes."""
        return len(self.lanes) > _MANY

    @property
    def sizes(self) -> tuple[int, int]:
        """Return the heights of a lane and of its bars."""
        return _TIGHT if self.tight else _ROOMY

    @property
    def workers(self) -> int:
        """Return how many lanes are workers'."""
        return sum(lane.node is None for lane in self.lanes)

    def y(self, name: str) -> int:
        """Return where a worker's or a node's lane begins."""
        return _AXIS + _QUEUE + self.places[name] * self.sizes[0]

    def middle(self, name: str) -> float:
        """Return where the middle of a lane is."""
        return self.y(name) + self.sizes[0] / 2

    @property
    def height(self) -> int:
        """Return the height of all."""
        return _AXIS + _QUEUE + len(self.lanes) * self.sizes[0] + 4


def timeline(run: RunReport) -> Markup | None:
    """Return the section that shows who was on what when; None if no attempt was made."""
    bars = tuple(sorted(_bars(run), key=lambda bar: bar.begin))
    if not bars:
        return None
    names = dict.fromkeys([*(worker.name for worker in run.workers), *(bar.worker for bar in bars)])
    ends = max(run.began + run.seconds, *(bar.end for bar in bars))
    lanes = tuple(lanes_of(run, names))
    plot = _Plot(
        began=run.began,
        seconds=max(ends - run.began, 0.001),
        lanes=lanes,
        bars=bars,
        places={lane.name: place for place, lane in enumerate(lanes)},
    )
    waiting = list(_waiting(run.tasks, ends))
    holds = _merged(run.holds)
    return element(
        "section",
        element(
            "div",
            element("h2", "Timeline", id="timeline"),
            _zoom(),
            class_="head",
        ),
        element(
            "div",
            _labels(plot, waiting),
            element("div", _drawing(plot, run.workers, waiting, holds), class_="plot"),
            class_="chart tight" if plot.tight else "chart",
        ),
        _legend(plot, run.workers, holds),
        class_="timeline",
        aria_labelledby="timeline",
    )


def _zoom() -> Markup:
    buttons = (
        element("button", sign, type="button", data_zoom=step, aria_label=label)
        for sign, step, label in (("\u2212", -1, "Zoom out"), ("+", 1, "Zoom in"))
    )
    return element("div", *buttons, class_="zoom scripted")


# What is in the drawing.


def _bars(run: RunReport) -> Iterator[_Bar]:
    now = run.began + run.seconds
    for task in run.tasks:
        for attempt in task.attempts:
            if attempt.assigned is None:
                continue
            state = task.state if attempt is task.attempts[-1] else None
            yield _Bar(
                worker=attempt.worker,
                begin=attempt.assigned,
                end=_end(attempt, attempt.assigned, now),
                ending=_ending(attempt, state),
                again=attempt.number > 1,
                anchor=anchor(task),
                tooltip=_tooltip(task, attempt),
            )


def _end(attempt: TaskAttempt, assigned: float, now: float) -> float:
    if attempt.ended is not None:
        return attempt.ended
    if attempt.seconds is not None:
        return assigned + attempt.seconds
    return max(now, assigned)


def _ending(attempt: TaskAttempt, state: ItemState | None) -> str:
    if attempt.trouble:
        return "trouble"
    if attempt.kind is VerdictKind.FAIL and state is ItemState.XFAILED:
        return "expected"
    if attempt.kind is VerdictKind.PASS and state in BAD:
        return "overruled"
    return attempt.kind.value if attempt.kind else "open"


def _tooltip(task: TaskReport, attempt: TaskAttempt) -> str:
    took = "" if attempt.seconds is None else f", {duration(attempt.seconds)}"
    again = f", attempt {attempt.number}" if attempt.number > 1 else ""
    again = f", {attempt.part}{again}" if attempt.part else again
    worker = at_node(attempt.worker, attempt.node)
    return f"{task.nodeid}\n{attempt.ended_as}{took} on {worker}{again}"


def _waiting(tasks: Iterable[TaskReport], ends: float) -> Iterator[tuple[float, int]]:
    """Yield how many tasks wait for a worker, each time that changes."""
    changes: dict[float, int] = {}
    for task in tasks:
        if task.kept_from is None and task.submitted is not None:
            for since, until in _waits(task, task.submitted, ends):
                changes[since] = changes.get(since, 0) + 1
                changes[until] = changes.get(until, 0) - 1
    number = 0
    for at in sorted(changes):
        number += changes[at]
        yield at, number


def _waits(task: TaskReport, submitted: float, ends: float) -> Iterator[tuple[float, float]]:
    attempts = [one for one in task.attempts if one.assigned is not None]
    since = [submitted, *(one.ended for one in attempts if one.ended is not None)]
    until = [one.assigned for one in attempts if one.assigned is not None]
    # A task that was never begun waits to the end; one that was, only between its attempts.
    yield from zip(since, until or [ends], strict=False)


def _merged(holds: Iterable[Hold]) -> list[tuple[float, float, str]]:
    """Return when nothing was begun, and why: every worker that is refused says so."""
    merged: list[tuple[float, float, str]] = []
    for hold in sorted(holds, key=lambda one: one.at):
        begin, end, why = hold.at, hold.at + hold.seconds, hold.why
        if merged and begin <= merged[-1][1]:
            first, last, whys = merged[-1]
            both = whys if why in whys.split(", ") else f"{whys}, {why}"
            merged[-1] = (first, max(last, end), both)
        else:
            merged.append((begin, end, why))
    return merged


# The drawing.


def _labels(plot: _Plot, waiting: Sequence[tuple[float, int]]) -> Markup:
    most = max((number for _, number in waiting), default=0)
    return element(
        "ol",
        element(
            "li",
            element("b", "waiting"),
            element("span", f"at most {grouped(most)}"),
            class_="queue",
        ),
        *(
            element(
                "li",
                lane.label,
                class_="node" if lane.node is not None else None,
                title=lane.tooltip,
            )
            for lane in plot.lanes
        ),
        class_="workers",
    )


def _drawing(
    plot: _Plot,
    workers: Sequence[WorkerReport],
    waiting: Sequence[tuple[float, int]],
    holds: Sequence[tuple[float, float, str]],
) -> Markup:
    took = duration(plot.seconds)
    label = f"{len(plot.bars)} attempts on {plot.workers} workers in {took}"
    if nodes := len(plot.lanes) - plot.workers:
        label = f"{label}, on {nodes} nodes"
    return element(
        "svg",
        _patterns(),
        *(_ticks(plot, zoom) for zoom in range(_ZOOMS)),
        _area(plot, waiting),
        *(_life(plot, worker) for worker in workers),
        *(_node(plot, lane.node) for lane in plot.lanes if lane.node is not None),
        *(_hold(plot, *hold) for hold in holds),
        *(_drawn(plot, bar, first=not place) for place, bar in enumerate(plot.bars)),
        *(_lost(plot, one, one.lost) for one in workers if one.lost is not None),
        *(
            _lost(plot, one, one.lost)
            for one in (lane.node for lane in plot.lanes)
            if one is not None and one.lost is not None
        ),
        width="100%",
        height=plot.height,
        role="group",
        aria_label=f"Timeline: {label}",
    )


def _patterns() -> Markup:
    """Return the hatchings: what a colour says is said by a form as well."""
    hatched = (
        ("hatch-hold", 8, "rotate(45)"),
        ("hatch-trouble", 5, "rotate(-45)"),
        ("hatch-expected", 4, "rotate(45)"),
    )
    return element(
        "defs",
        *(
            element(
                "pattern",
                element("rect", width=size, height=size, class_="ground"),
                element("line", y2=size, class_="stroke"),
                id=name,
                width=size,
                height=size,
                patternUnits="userSpaceOnUse",
                patternTransform=turn,
            )
            for name, size, turn in hatched
        ),
    )


def _ticks(plot: _Plot, zoom: int) -> Markup:
    """Return the marks of the time, as many as there is room for at a zoom."""
    most = _MAX_TICKS * 2**zoom
    step = next((one for one in _STEPS if plot.seconds / one <= most), None)
    if step is None:
        step = _STEPS[-1] * (1 + int(plot.seconds / _STEPS[-1] / most))
    moments = [number * step for number in range(int(plot.seconds / step) + 1)]
    return element(
        "g", *(tick for at in moments for tick in _tick(plot, at, step)), class_=f"ticks zoom{zoom}"
    )


def _tick(plot: _Plot, at: float, step: float) -> Iterator[Markup]:
    place = plot.x(plot.began + at)
    yield element("line", x1=f"{place}%", x2=f"{place}%", y1=_AXIS, y2=plot.height, class_="grid")
    near_end = place > 95  # noqa: PLR2004 - beyond, the words would be cut off
    yield element(
        "text",
        _tick_words(at, step),
        x=f"{place}%",
        y=13,
        dx=-3 if near_end else None,
        class_="tick end" if near_end else "tick",
    )


def _tick_words(seconds: float, step: float) -> str:
    if step < 1:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    if step < 60:  # noqa: PLR2004 - seconds of a minute
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}:{rest:02}" if minutes else f"{rest} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02}" if hours else f"{minutes} min"


def _area(plot: _Plot, waiting: Sequence[tuple[float, int]]) -> Markup | None:
    most = max((number for _, number in waiting), default=0)
    if not most:
        return None
    high = _QUEUE - 8
    path = [f"M0 {high}"]
    for at, number in waiting:
        path.append(f"H{plot.x(at) * 10:.1f}V{round(high * (1 - number / most), 1)}")
    path.append(f"H1000V{high}Z")
    return element(
        "svg",
        element("path", d="".join(path), class_="waiting"),
        y=_AXIS,
        width="100%",
        height=high,
        viewBox=f"0 0 1000 {high}",
        preserveAspectRatio="none",
    )


def _life(plot: _Plot, worker: WorkerReport) -> Markup:
    """Return the line on which a worker's bars are: from when it was ready to when it was lost."""
    middle = plot.middle(worker.name)
    began = worker.ready or worker.started
    return element(
        "line",
        x1=f"{plot.x(began)}%",
        x2="100%" if worker.lost is None else f"{plot.x(worker.lost)}%",
        y1=middle,
        y2=middle,
        class_="life",
    )


def _node(plot: _Plot, node: NodeReport) -> Markup:
    """Return the line above those of a node's workers: from when it joined to its end."""
    middle = plot.middle(node.name)
    ended = node.lost if node.lost is not None else node.left
    return element(
        "line",
        x1=f"{plot.x(node.joined or plot.began)}%",
        x2="100%" if ended is None else f"{plot.x(ended)}%",
        y1=middle,
        y2=middle,
        class_="node",
    )


def _hold(plot: _Plot, begin: float, end: float, why: str) -> Markup:
    left, right = plot.x(begin), plot.x(end)
    wide = round(right - left, 3)
    return element(
        "g",
        element("title", f"Held back for {duration(end - begin)}: {why}"),
        element(
            "rect",
            x=f"{left}%",
            width=f"{max(wide, _NARROWEST):.3f}%",
            y=_AXIS,
            height=plot.height - _AXIS,
        ),
        # In a drawing of its own, which cuts off words that are too long.
        element(
            "svg",
            element("text", f"held: {why}", x=5, y=13),
            x=f"{left}%",
            y=_AXIS,
            width=f"{wide}%",
            height=_QUEUE,
        )
        if wide >= _WORDY
        else None,
        class_="hold",
    )


def _drawn(plot: _Plot, bar: _Bar, *, first: bool) -> Markup:
    lane, high = plot.sizes
    top = plot.y(bar.worker) + (lane - high) / 2
    left = plot.x(bar.begin)
    wide = max(plot.x(bar.end) - left, _NARROWEST)
    return element(
        "a",
        element("title", lines(bar.tooltip)),
        element("rect", x=f"{left}%", y=top, width=f"{wide:.3f}%", height=high, rx=2),
        element("circle", cx=f"{left}%", cy=top + 1, r=3) if bar.again else None,
        href=f"#{bar.anchor}",
        class_=f"bar {bar.ending}",
        # One stop for the Tab key, not a thousand: the arrow keys move on from it.
        tabindex=0 if first else -1,
    )


def _lost(plot: _Plot, lost: WorkerReport | NodeReport, at: float) -> Markup:
    middle = plot.middle(lost.name)
    return element(
        "svg",
        element("title", f"{lost.name} was lost: {lost.why}"),
        element("path", d="M-4.5-4.5 4.5 4.5M4.5-4.5-4.5 4.5"),
        x=f"{plot.x(at)}%",
        y=middle,
        class_="lost",
    )


def _legend(
    plot: _Plot, workers: Sequence[WorkerReport], holds: Sequence[tuple[float, float, str]]
) -> Markup:
    there = {bar.ending for bar in plot.bars}
    bar = element("rect", x=1, y=2, width=20, height=12, rx=2)
    entries = [
        (f"bar {ending}", bar, label) for ending, label in _ENDINGS.items() if ending in there
    ]
    if any(one.again for one in plot.bars):
        entries.append(("bar again", element("circle", cx=11, cy=8, r=3.5), "another attempt"))
    if any(worker.lost is not None for worker in workers):
        cross = element("path", d="M6.5 3.5l9 9m0-9l-9 9")
        entries.append(("lost", cross, "worker lost"))
    if holds:
        entries.append(("hold", bar, "held back"))
    return element(
        "ul",
        *(
            element(
                "li",
                element(
                    "svg",
                    element("g", sign, class_=name),
                    width=22,
                    height=16,
                    aria_hidden="true",
                ),
                label,
            )
            for name, sign, label in entries
        ),
        class_="legend",
    )
