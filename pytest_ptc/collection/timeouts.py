"""Limits in seconds: pytest-timeout's also limit an agent's work."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

#: How long an attempt may take if nobody sets a limit.
DEFAULT_TIMEOUT_S = 600.0


def marked_timeout(item: pytest.Item) -> float | None:
    """Return the limit of pytest-timeout's marker; a test that has it means its agent's work.

    The time that pytest-timeout itself takes is that of the test's fixtures and body: an item runs
    when its verdict is there.
    """
    mark = item.get_closest_marker("timeout")
    if mark is None:
        return None
    value = mark.args[0] if mark.args else mark.kwargs.get("timeout")
    return _limit(value)


def general_timeout(config: pytest.Config) -> float | None:
    """Return pytest-timeout's limit for every test, as it finds it: option, environment, ini."""
    if not config.pluginmanager.hasplugin("timeout"):
        return None
    places = (config.getoption("timeout", None), os.environ.get("PYTEST_TIMEOUT"))
    seconds = next((value for value in places if value is not None), None)
    return _limit(config.getini("timeout") if seconds is None else seconds)


def _limit(value: object) -> float | None:
    """Return a limit in seconds; none where it is 0, or where pytest-timeout will refuse it."""
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return seconds if seconds > 0 else None
