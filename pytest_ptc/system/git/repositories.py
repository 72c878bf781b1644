"""Where repositories are, by their files alone: no program is started to tell that."""

from __future__ import annotations

import os
from pathlib import Path


def repository_top(place: str | Path) -> Path | None:
    """Return the top of the repository that a directory is in; None where it is in none."""
    here = Path(place)
    # In a worktree and in a submodule `.git` is a file.
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), None)


def brought_repository(place: str | Path) -> Path | None:
    """Return the bare repository that a directory is in, if git would take its files for one.

    A checkout may bring such files, with a configuration of its own, and programs in that; `.git`
    it may not bring.
    """
    here = Path(os.path.realpath(place))
    for folder in (here, *here.parents):
        if (folder / ".git").exists():
            return None
        if _is_repository(folder):
            return folder
    return None


def _is_repository(folder: Path) -> bool:
    if not os.path.lexists(folder / "HEAD"):
        return False
    whole = (folder / "objects").is_dir() and (folder / "refs").is_dir()
    return whole or (folder / "commondir").is_file()


def partial_clone_hint(objects: Path) -> str:
    """Return what to do about missing objects, if the clone was made without all of them.

    Args:
        objects: The repository's folder of objects.
    """
    if any((objects / "pack").glob("*.promisor")):
        return (
            "; this clone is partial, and nothing is fetched: fetch all of it, with `git fetch "
            "--refetch --no-filter`"
        )
    return ""


def name_in_repository(place: str | Path) -> str:
    """Return a file's path from the top of its repository, with `/`; absolute where it has none."""
    real = Path(os.path.realpath(place))
    top = repository_top(real.parent)
    return str(real) if top is None else real.relative_to(top).as_posix()
