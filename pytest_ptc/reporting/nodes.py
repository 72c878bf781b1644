"""The nodes of a cluster that a run had workers on, or that it refused. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_ptc.journal.events import NodeJoined, NodeLeft, NodeLost, NodeRefused

if TYPE_CHECKING:
    from typing import TypeAlias

    NodeEvent: TypeAlias = "NodeJoined | NodeLeft | NodeLost | NodeRefused"


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeReport:
    """One node; times are in seconds since the epoch.

    Args:
        name: Its name in this run, or its address where it never had one.
        host: The machine's name; None where it is not known.
        joined: When it was ready for workers; None if it never was.
        left: When it had ended all that it had; None if it did not tell so.
        lost: When it was taken for lost; None if it was not.
        refused: When it was found to be unfit; None if it is fit.
        why: Why it is lost or refused.
        python: The version of its Python; None where it is not known.
        pytest_ptc: The version of pytest-ptc there; None where it is not known.
    """

    name: str
    host: str | None = None
    joined: float | None = None
    left: float | None = None
    lost: float | None = None
    refused: float | None = None
    why: str | None = None
    python: str | None = None
    pytest_ptc: str | None = None

    @property
    def title(self) -> str:
        """Return its name with that of its machine."""
        return self.name if self.host is None else f"{self.name} ({self.host})"

    @property
    def ending(self) -> str:
        """Return how it was refused or lost; empty where it was not."""
        if self.refused is not None:
            return f"got no workers: {self.why}"
        return f"was lost: {self.why}" if self.lost is not None else ""


def node_after(known: NodeReport | None, event: NodeEvent) -> NodeReport:
    """Return what is known of a node after an event of it."""
    node = known or NodeReport(name=event.node)
    match event:
        case NodeJoined():
            return replace(
                node,
                host=event.host,
                joined=event.at,
                python=event.python,
                pytest_ptc=event.version,
            )
        case NodeLeft():
            return replace(node, left=event.at)
        case NodeLost():
            return replace(node, lost=event.at, why=event.why)
        case NodeRefused():
            return replace(node, refused=event.at, why=event.why)
