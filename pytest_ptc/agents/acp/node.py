"""Whether a client that is a script for Node can run here.

One that is too new for it ends with a syntax error, and says nothing of Node.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION_TIMEOUT_S = 30.0
#: As a script begins that Node runs, by `env` or by itself; npm writes the first.
_RUN_BY_NODE = re.compile(rb"#!\s*(?:\S+/env\s+(?:-S\s+)?)?(?P<node>(?:\S+/)?node)\b")
_VERSION = re.compile(r"v(\d+)\.")


def node_problem(program: str, minimum: int, environ: Mapping[str, str]) -> str | None:
    """Return why this machine's Node does not run a program; None for a program without Node.

    Args:
        program: The program, as it is found on PATH.
        minimum: The oldest major version that it runs on; 0 for any.
        environ: The environment that it will have.
    """
    path = environ.get("PATH")
    named = _node_of(shutil.which(program, path=path) or program)
    if named is None:
        return None
    node = shutil.which(named, path=path)
    if node is None:
        return f"needs Node, and there is no {named}" + ("" if "/" in named else " on PATH")
    return _version_problem(_said_version(node, environ), minimum, node) if minimum else None


def _node_of(file: str) -> str | None:
    """Return the Node that runs a file, as the file names it."""
    if os.path.basename(file) == "node":  # noqa: PTH119
        return file
    try:
        with open(file, "rb") as opened:  # noqa: PTH123
            found = _RUN_BY_NODE.match(opened.readline(256))
    except OSError:
        return None
    return os.fsdecode(found["node"]) if found else None


def _said_version(node: str, environ: Mapping[str, str]) -> str:
    try:
        return subprocess.run(
            [node, "--version"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_VERSION_TIMEOUT_S,
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)


def _version_problem(said: str, minimum: int, node: str) -> str | None:
    found = _VERSION.match(said)
    if found and int(found[1]) >= minimum:
        return None
    return f"needs Node {minimum} or newer, and {node} says {said!r:.80}"
