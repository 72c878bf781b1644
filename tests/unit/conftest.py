"""What several modules of unit tests ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support.tasklists import new_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_ptc.tasklist import TaskListStore

# By default an example that takes 200 ms fails its test, and so does slow drawing. A machine that
# does other things is no property of ours.
settings.register_profile("ptc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ptc")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TaskListStore]:
    """Give an open store on a list that nobody else uses."""
    made = new_store(tmp_path)
    made.open()
    yield made
    made.close()
