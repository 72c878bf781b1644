"""The root directories of the pytest runs of this process, the innermost last.

`files` is called while test modules are imported, where nobody can hand it the configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ROOTS: list[Path] = []
