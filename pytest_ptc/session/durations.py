"""How long each test's task took in earlier runs, so that the longest is begun first.

A long task that is begun last is waited for by all other workers. Kept in pytest's cache, as
`--lf` keeps what failed; without the cache, tasks are begun in the order of their tests.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pytest

    from pytest_ptc.model.result import Result

_KEY = "ptc/durations"


def longest_first(nodeids: Sequence[str], known: Mapping[str, float]) -> list[str]:
    """Return the node ids, the longest task first; one not known is taken for the usual one."""
    ours = [known[nodeid] for nodeid in nodeids if nodeid in known]
    usual = median(ours) if ours else 0.0
    return sorted(nodeids, key=lambda nodeid: -known.get(nodeid, usual))


def read_durations(config: pytest.Config) -> dict[str, float]:
    """Return the seconds that tasks took in earlier runs, by node id; empty if that is unknown.

    It is empty too where the user wants an order of his own, failed or new ones first.
    """
    cache = getattr(config, "cache", None)
    wanted = config.getoption("failedfirst", False) or config.getoption("newfirst", False)
    if cache is None or wanted:
        return {}
    value: Any = cache.get(_KEY, {})
    if not isinstance(value, dict):
        return {}
    return {k: float(v) for k, v in value.items() if isinstance(v, int | float)}


def keep_durations(config: pytest.Config, results: Iterable[Result]) -> None:
    """Keep how long the tasks took that ended with a verdict."""
    cache = getattr(config, "cache", None)
    took = {
        result.spec.nodeid: round(result.reports[-1].seconds, 3)
        for result in results
        if result.verdict is not None
    }
    if cache is not None and took:
        before = cache.get(_KEY, {})
        cache.set(_KEY, {**(before if isinstance(before, dict) else {}), **took})
