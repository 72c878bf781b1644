"""The garbage collector: off during imports, as it was after them, and slow in a worker."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from pytest_ptc.system.garbage import no_collections

SETTLED = """
import gc
gc.disable()
from pytest_ptc.system.garbage import WORKER_THRESHOLD, settle_in
settle_in()
assert gc.isenabled()
assert gc.get_threshold()[0] == WORKER_THRESHOLD
assert gc.get_freeze_count() > len(gc.get_objects())
"""


@pytest.mark.parametrize("enabled", [True, False])
def test_it_is_afterwards_as_it_was(monkeypatch: pytest.MonkeyPatch, *, enabled: bool) -> None:
    """Whoever has switched it off finds it off, also after an import that fails."""
    turns: list[str] = []
    monkeypatch.setattr(gc, "isenabled", lambda: enabled)
    monkeypatch.setattr(gc, "disable", lambda: turns.append("off"))
    monkeypatch.setattr(gc, "enable", lambda: turns.append("on"))
    with pytest.raises(ImportError), no_collections():
        raise ImportError
    assert turns == (["off", "on"] if enabled else [])


def test_a_worker_collects_again_but_not_what_it_began_with() -> None:
    """In a process of its own: this one is not to be changed."""
    subprocess.run([sys.executable, "-c", SETTLED], check=True)
