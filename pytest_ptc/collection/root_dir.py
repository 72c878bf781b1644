"""The root directory of the pytest session that is running.

`files` is called while test modules are imported, where nobody can hand it the configuration. A
session that runs inside of another has its own until it is over.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ROOT: ContextVar[Path] = ContextVar("ptc_root")
