"""The section of a run's page that shows what every worker was on. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.reporting.page.drawing import drawing
from pytest_ptc.reporting.page.markup import element
from pytest_ptc.reporting.page.plot import plot_of
from pytest_ptc.reporting.page.spans import ENDINGS
from pytest_ptc.reporting.wording import grouped

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_ptc.reporting.page.plot import Plot
    from pytest_ptc.reporting.run_report import RunReport


def timeline(run: RunReport) -> Markup | None:
    """Return the section that shows who was on what when; None if no attempt was made."""
    plot = plot_of(run)
    if plot is None:
        return None
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
            _labels(plot),
            element("div", drawing(plot), class_="plot"),
            class_="chart tight" if plot.tight else "chart",
        ),
        _legend(plot),
        class_="timeline",
        aria_labelledby="timeline",
    )


def _zoom() -> Markup:
    buttons = (
        element("button", sign, type="button", data_zoom=step, aria_label=label)
        for sign, step, label in (("\u2212", -1, "Zoom out"), ("+", 1, "Zoom in"))
    )
    return element("div", *buttons, class_="zoom scripted")


def _labels(plot: Plot) -> Markup:
    return element(
        "ol",
        element(
            "li",
            element("b", "waiting"),
            element("span", f"at most {grouped(plot.most_waiting)}"),
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


def _legend(plot: Plot) -> Markup:
    there = {bar.ending for bar in plot.bars}
    bar = element("rect", x=1, y=2, width=20, height=12, rx=2)
    entries = [
        (f"bar {ending}", bar, label) for ending, label in ENDINGS.items() if ending in there
    ]
    if any(one.again for one in plot.bars):
        entries.append(("bar again", element("circle", cx=11, cy=8, r=3.5), "another attempt"))
    if any(worker.lost is not None for worker in plot.workers):
        cross = element("path", d="M6.5 3.5l9 9m0-9l-9 9")
        entries.append(("lost", cross, "worker lost"))
    if plot.bands:
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
