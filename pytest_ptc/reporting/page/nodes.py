"""Nodes on the page: the lanes of the timeline, and what became of each node. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_ptc.reporting.nodes import NodeReport
    from pytest_ptc.reporting.run_report import RunReport

#: Nodes that are named, and those that have a line of their own.
_MOST_NODES = 20


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
        versions = (("Python", self.node.python), ("pytest-ptc", self.node.pytest_ptc))
        known = ", ".join(f"{name} {version}" for name, version in versions if version)
        return "\n".join(filter(None, (self.node.title, known, self.node.ending)))


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


def node_facts(nodes: Sequence[NodeReport]) -> Iterator[tuple[str, str]]:
    """Yield which nodes there were, and what became of those that were refused or lost."""
    names = [node.title for node in nodes if node.joined is not None]
    more = [f"+{len(names) - _MOST_NODES}"] if len(names) > _MOST_NODES else []
    if names:
        yield "Nodes", ", ".join([*names[:_MOST_NODES], *more])
    bad = [node for node in nodes if node.ending]
    yield from ((f"Node {node.title}", node.ending) for node in bad[:_MOST_NODES])
    if len(bad) > _MOST_NODES:
        yield "Nodes", f"+{len(bad) - _MOST_NODES} that were lost or refused"
