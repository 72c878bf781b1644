"""How a worker is named, with the node that it is on. Pure."""

from __future__ import annotations


def at_node(worker: str, node: str | None) -> str:
    """Return a worker's name, with that of the node that it is on: `w3@na-3f21`."""
    return worker if node is None else f"{worker}@{node}"
