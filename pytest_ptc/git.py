"""The edge to git: one command, its words as an error of ours."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from pytest_ptc.errors import GitError

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds that git may take; a checkout of a large repository from a slow disk.
PATIENCE = 300.0


def git(cwd: str | Path, *words: str) -> str:
    """Run git in a directory and return what it prints; file names may hold any bytes.

    Raises:
        GitError: It does not run, or refuses; the message has its words.
    """
    # A git that has started us, as for a hook, must not choose the repository.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(cwd), *words],
            env={**environ, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise GitError(f"git does not run: {error}") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise GitError(said[-1] if said else f"git {words[0]} ended with {done.returncode}")
    return done.stdout.decode("utf-8", "surrogateescape")
