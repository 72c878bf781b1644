"""Parallel task coordination for pytest: marked tests done by agents, judged by their verdicts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_ptc.collection.fan_out import files
    from pytest_ptc.collection.sources import (
        command_lines,
        csv_rows,
        json_items,
        openapi_operations,
    )
    from pytest_ptc.model.errors import PtcError
    from pytest_ptc.model.verdict import Finding, Severity, Verdict, VerdictKind

__all__ = [
    "Finding",
    "PtcError",
    "Severity",
    "Verdict",
    "VerdictKind",
    "command_lines",
    "csv_rows",
    "files",
    "json_items",
    "openapi_operations",
]

_HOMES = {
    "PtcError": "model.errors",
    "files": "collection.fan_out",
    "command_lines": "collection.sources",
    "csv_rows": "collection.sources",
    "json_items": "collection.sources",
    "openapi_operations": "collection.sources",
}


def __getattr__(name: str) -> Any:
    # Every pytest run imports this package, for its plugin; 20 ms of records are for those that
    # use it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"pytest_ptc.{_HOMES.get(name, 'model.verdict')}")
    return getattr(home, name)
