"""The drawing of a run's timeline: its layout as SVG. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.reporting.page.axis import marks
from pytest_ptc.reporting.page.figures import duration
from pytest_ptc.reporting.page.markup import element, lines
from pytest_ptc.reporting.page.plot import AXIS_PX, QUEUE_PX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup

    from pytest_ptc.reporting.nodes import NodeReport
    from pytest_ptc.reporting.page.axis import Mark
    from pytest_ptc.reporting.page.plot import Plot
    from pytest_ptc.reporting.page.spans import Band, Bar
    from pytest_ptc.reporting.run_report import WorkerReport

#: Narrowest bar: one that is there must be seen.
_NARROWEST_PERCENT = 0.12
#: Narrowest band that has room for words.
_WORDY_PERCENT = 6.0
#: Most intervals between the marks of the time where nothing is zoomed.
_MAX_INTERVALS = 9
#: How often the drawing's width can be doubled.
_ZOOMS = 5


def drawing(plot: Plot) -> Markup:
    """Return the drawing."""
    took = duration(plot.seconds)
    workers = len(plot.lanes) - len(plot.nodes)
    label = f"{len(plot.bars)} attempts on {workers} workers in {took}"
    if plot.nodes:
        label = f"{label}, on {len(plot.nodes)} nodes"
    return element(
        "svg",
        _patterns(),
        *(_ticks(plot, zoom) for zoom in range(_ZOOMS)),
        _area(plot),
        *(_life(plot, worker) for worker in plot.workers),
        *(_node(plot, node) for node in plot.nodes),
        *(_band(plot, band) for band in plot.bands),
        *(_bar(plot, bar, first=not place) for place, bar in enumerate(plot.bars)),
        *(_lost(plot, one, one.lost) for one in plot.workers if one.lost is not None),
        *(_lost(plot, one, one.lost) for one in plot.nodes if one.lost is not None),
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


def _ticks(plot: Plot, zoom: int) -> Markup:
    """Return the marks of the time, as many as there is room for at a zoom."""
    found = marks(plot.seconds, _MAX_INTERVALS * 2**zoom)
    return element(
        "g",
        *(part for mark in found for part in _tick(plot, mark)),
        class_=f"ticks zoom{zoom}",
    )


def _tick(plot: Plot, mark: Mark) -> Iterator[Markup]:
    place = plot.x(plot.began + mark.at)
    yield element("line", x1=f"{place}%", x2=f"{place}%", y1=AXIS_PX, y2=plot.height, class_="grid")
    near_end = place > 95  # noqa: PLR2004 - beyond, the words would be cut off
    yield element(
        "text",
        mark.label,
        x=f"{place}%",
        y=13,
        dx=-3 if near_end else None,
        class_="tick end" if near_end else "tick",
    )


def _area(plot: Plot) -> Markup | None:
    most = plot.most_waiting
    if not most:
        return None
    high = QUEUE_PX - 8
    path = [f"M0 {high}"]
    for at, number in plot.waiting:
        path.append(f"H{plot.x(at) * 10:.1f}V{round(high * (1 - number / most), 1)}")
    path.append(f"H1000V{high}Z")
    return element(
        "svg",
        element("path", d="".join(path), class_="waiting"),
        y=AXIS_PX,
        width="100%",
        height=high,
        viewBox=f"0 0 1000 {high}",
        preserveAspectRatio="none",
    )


def _life(plot: Plot, worker: WorkerReport) -> Markup:
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


def _node(plot: Plot, node: NodeReport) -> Markup:
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


def _band(plot: Plot, band: Band) -> Markup:
    left, right = plot.x(band.begin), plot.x(band.end)
    wide = round(right - left, 3)
    return element(
        "g",
        element("title", f"Held back for {duration(band.end - band.begin)}: {band.why}"),
        element(
            "rect",
            x=f"{left}%",
            width=f"{max(wide, _NARROWEST_PERCENT):.3f}%",
            y=AXIS_PX,
            height=plot.height - AXIS_PX,
        ),
        # In a drawing of its own, which cuts off words that are too long.
        element(
            "svg",
            element("text", f"held: {band.why}", x=5, y=13),
            x=f"{left}%",
            y=AXIS_PX,
            width=f"{wide}%",
            height=QUEUE_PX,
        )
        if wide >= _WORDY_PERCENT
        else None,
        class_="hold",
    )


def _bar(plot: Plot, bar: Bar, *, first: bool) -> Markup:
    high = plot.bar_height
    top = plot.y(bar.worker) + (plot.lane_height - high) / 2
    left = plot.x(bar.begin)
    wide = max(plot.x(bar.end) - left, _NARROWEST_PERCENT)
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


def _lost(plot: Plot, lost: WorkerReport | NodeReport, at: float) -> Markup:
    middle = plot.middle(lost.name)
    return element(
        "svg",
        element("title", f"{lost.name} was lost: {lost.why}"),
        element("path", d="M-4.5-4.5 4.5 4.5M4.5-4.5-4.5 4.5"),
        x=f"{plot.x(at)}%",
        y=middle,
        class_="lost",
    )
