"""The layout of a run's timeline: what is in it, where, and how large. Pure.

Places along the time are in percent, so that the drawing takes the width there is, and a zoom is
nothing but another width; places across are in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_ptc.reporting.page.nodes import Lane, lanes_of
from pytest_ptc.reporting.page.spans import Band, Bar, bands_of, bars_of, waiting_of

if TYPE_CHECKING:
    from pytest_ptc.reporting.nodes import NodeReport
    from pytest_ptc.reporting.run_report import RunReport, WorkerReport

#: The heights of the time's axis, and of the area of waiting tasks below it.
AXIS_PX, QUEUE_PX = 20, 44
#: The heights of a lane and of the bars in it; less where there are many lanes.
_ROOMY_PX, _TIGHT_PX, _MANY_LANES = (22, 14), (14, 9), 24


@dataclass(frozen=True, kw_only=True)
class Plot:
    """What is drawn, and how large.

    Args:
        began: When the run began, in seconds since the epoch.
        seconds: How long it took.
        lanes: The lanes, from above.
        bars: The attempts, by when they began.
        workers: The workers that the run tells of.
        waiting: How many tasks wait for a worker, each time that changes.
        bands: When nothing was begun.
    """

    began: float
    seconds: float
    lanes: tuple[Lane, ...]
    bars: tuple[Bar, ...]
    workers: tuple[WorkerReport, ...]
    waiting: tuple[tuple[float, int], ...]
    bands: tuple[Band, ...]

    @cached_property
    def nodes(self) -> tuple[NodeReport, ...]:
        """Return the nodes that have a lane, from above."""
        return tuple(lane.node for lane in self.lanes if lane.node is not None)

    @cached_property
    def most_waiting(self) -> int:
        """Return how many tasks waited at most."""
        return max((number for _, number in self.waiting), default=0)

    @property
    def tight(self) -> bool:
        """Tell whether there are many lanes."""
        return len(self.lanes) > _MANY_LANES

    @property
    def lane_height(self) -> int:
        """Return the height of a lane."""
        return (_TIGHT_PX if self.tight else _ROOMY_PX)[0]

    @property
    def bar_height(self) -> int:
        """Return the height of a bar."""
        return (_TIGHT_PX if self.tight else _ROOMY_PX)[1]

    @property
    def height(self) -> int:
        """Return the height of all."""
        return AXIS_PX + QUEUE_PX + len(self.lanes) * self.lane_height + 4

    def x(self, at: float) -> float:
        """Return where a moment is, in percent."""
        share = 100 * (at - self.began) / self.seconds
        return round(min(max(share, 0.0), 100.0), 3)

    def y(self, name: str) -> int:
        """Return where a worker's or a node's lane begins."""
        return AXIS_PX + QUEUE_PX + self._places[name] * self.lane_height

    def middle(self, name: str) -> float:
        """Return where the middle of a lane is."""
        return self.y(name) + self.lane_height / 2

    @cached_property
    def _places(self) -> dict[str, int]:
        return {lane.name: place for place, lane in enumerate(self.lanes)}


def plot_of(run: RunReport) -> Plot | None:
    """Return the layout of a run's timeline; None if no attempt was made."""
    bars = tuple(sorted(bars_of(run), key=lambda bar: bar.begin))
    if not bars:
        return None
    names = dict.fromkeys([*(worker.name for worker in run.workers), *(bar.worker for bar in bars)])
    ends = max(run.began + run.seconds, *(bar.end for bar in bars))
    return Plot(
        began=run.began,
        seconds=max(ends - run.began, 0.001),
        lanes=tuple(lanes_of(run, names)),
        bars=bars,
        workers=tuple(run.workers),
        waiting=tuple(waiting_of(run.tasks, ends)),
        bands=tuple(bands_of(run.holds)),
    )
