"""What several modules of unit tests ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.tasklists import new_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_ptc.tasklist import TaskListStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TaskListStore]:
    """Give an open store on a list that nobody else uses."""
    made = new_store(tmp_path)
    made.open()
    yield made
    made.close()
