"""The folder, put before PATH for agents, in which `ptc` is the one of this run."""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_commands(folder: Path, python: str) -> None:
    """Make the folder, with files that cannot be written.

    Args:
        folder: Its path.
        python: The Python that has pytest-ptc.

    Raises:
        OSError: It cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A script's own folder is what Python puts first on its path: with `-m` that would be the
    # agent's directory, where the code under review could stand in for a standard module.
    script = folder / "ptc.py"
    script.write_text("import sys\nfrom pytest_ptc.cli.main import main\nsys.exit(main())\n")
    script.chmod(0o400)
    command = folder / "ptc"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(python)} {shlex.quote(str(script))} "$@"\n')
    command.chmod(0o500)


def remove_commands(folder: Path) -> None:
    """Remove the folder, whatever somebody has put into it."""
    shutil.rmtree(folder, ignore_errors=True)
