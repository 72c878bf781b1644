"""`python -m pytest_ptc.tasklist LIST RUN_ID [own]`: take a killed run's tasks off its list."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import TaskListError
from pytest_ptc.tasklist.leftovers import clean_list

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Clean the list in this directory, which a worker of a killed pytest has this started for."""
    path, run_id, *own = sys.argv[1:] if argv is None else argv
    try:
        clean_list(Path(path), run_id, own=own == ["own"])
    except TaskListError as error:
        print(f"pytest-ptc: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
