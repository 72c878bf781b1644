"""Which code of ours there is: here, and on a node."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest_ptc

_PACKAGE = Path(pytest_ptc.__file__).parent


def source_digest() -> str:
    """Return a hash of this package's modules, as they are on disk.

    Its version does not tell enough: a process that has run since before an upgrade has old code in
    memory, and a checkout changes under one number.

    Raises:
        OSError: A module cannot be read.
    """
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        name = path.relative_to(_PACKAGE).as_posix()
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
