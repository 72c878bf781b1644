"""What tasks are called before their agents, in a run that tests its judge.

A node id such as `test_canaries.py::test_planted` would tell an agent what is expected of it; and a
name that only a test of the judge has would tell as much. So no task of such a run is announced by
its node id: neither on the shared list nor to its agent. The journal and all that people read have
the node ids.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.model.task import TaskSpec


class Aliases:
    """Gives the tasks of a run their aliases, from its first test of the judge on."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._needed = False

    def __repr__(self) -> str:
        return f"<Aliases {'needed' * self._needed}>"

    def given(self, specs: Sequence[TaskSpec]) -> list[TaskSpec]:
        """Return tasks of one submission, with aliases if the run needs them."""
        self._needed = self._needed or any(spec.self_test is not None for spec in specs)
        if not self._needed:
            return list(specs)
        return [replace(spec, alias=f"item {next(self._numbers)}") for spec in specs]
