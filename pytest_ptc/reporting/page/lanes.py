"""The lanes of the timeline: the workers, those of a node below that node. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_ptc.reporting.nodes import NodeReport
    from pytest_ptc.reporting.run_report import RunReport


class Lane(NamedTuple):
    """One lane.

    Args:
        name: The worker's name, or the node's.
        node: The node, where it is the lane of one.
    """

    name: str
    node: NodeReport | None = None

    @property
    def label(self) -> str:
        """Return what stands beside it."""
        return self.name if self.node is None else self.node.title

    @property
    def tooltip(self) -> str | None:
        """Return what else is known of its node; None for a worker's."""
        if self.node is None:
            return None
        lost = f"was lost: {self.node.why}" if self.node.lost is not None else ""
        versions = (("Python", self.node.python), ("pytest-ptc", self.node.pytest_ptc))
        known = ", ".join(f"{name} {version}" for name, version in versions if version)
        return "\n".join(filter(None, (self.node.title, known, lost)))


def lanes_of(run: RunReport, names: Iterable[str]) -> list[Lane]:
    """Return the lanes of workers, in their order, each node's together.

    Args:
        run: The run.
        names: The workers' names.
    """
    on = {worker.name: worker.node for worker in run.workers}
    by_node: dict[str | None, list[Lane]] = {node.name: [] for node in run.nodes}
    lanes: list[Lane] = []
    for name in names:
        by_node.get(on.get(name), lanes).append(Lane(name))
    for node in run.nodes:
        if workers := by_node[node.name]:
            lanes += [Lane(node.name, node), *workers]
    return lanes
