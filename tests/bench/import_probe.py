"""A pytest plugin that times the import of ours and each of its hooks, in a run that has no use.

It writes one JSON object to the file that `BENCH_PROBE_FILE` names. Until then it imports nothing:
a module that it had imported would cost the measured plugin nothing any more.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

from tests.bench import PROBE_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

_clocks = {"cpu": time.thread_time, "wall": time.perf_counter}
_spent = {clock: {"import": 0.0, "hooks": 0.0} for clock in _clocks}
_load = EntryPoint.load


def _timed(part: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)  # the signature and pytest's marks on a hook are found through it
    def timed(*args: Any, **kwargs: Any) -> Any:
        start = {name: clock() for name, clock in _clocks.items()}
        try:
            return call(*args, **kwargs)
        finally:
            for name, clock in _clocks.items():
                _spent[name][part] += clock() - start[name]

    return timed


def _load_timed(point: EntryPoint) -> Any:
    if point.name != "ptc":
        return _load(point)
    plugin = _timed("import", _load)(point)
    for name, value in list(vars(plugin).items()):
        if name.startswith("pytest_") and callable(value):
            setattr(plugin, name, _timed("hooks", value))
    return plugin


# pytest imports what `-p` names before it loads the plugins that are installed.
EntryPoint.load = _load_timed  # type: ignore[assignment, method-assign]


def pytest_unconfigure() -> None:
    """Write down the seconds, and what is imported by now."""
    imported = sorted(sys.modules)
    import json  # noqa: PLC0415 - see the module's docstring
    from pathlib import Path  # noqa: PLC0415

    Path(os.environ[PROBE_FILE]).write_text(json.dumps({**_spent, "imported": imported}))
