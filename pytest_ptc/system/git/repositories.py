"""Where repositories are, by their files alone: no program is started to tell that."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def repository_top(place: str | Path) -> Path | None:
    """Return the top of the repository that a directory is in; None where it is in none."""
    # In a worktree and in a submodule `.git` is a file.
    top = next((folder for folder in _upwards(str(Path(place))) if _is_there(folder, ".git")), None)
    return None if top is None else Path(top)


def brought_repository(place: str | Path) -> Path | None:
    """Return the bare repository that a directory is in, if git would take its files for one.

    A checkout may bring such files, with a configuration of its own, and programs in that; `.git`
    it may not bring.
    """
    for folder in _upwards(os.path.realpath(place)):
        if _is_there(folder, ".git"):
            return None
        if _is_repository(folder):
            return Path(folder)
    return None


# Texts and not paths below: several times for each task all folders above it are looked at.


def _upwards(folder: str) -> Iterator[str]:
    """Yield a folder and all above it; of a relative path, the current one last."""
    while True:
        yield folder
        above = os.path.dirname(folder) or os.curdir  # noqa: PTH120 - see above
        if above == folder:
            return
        folder = above


def _is_there(folder: str, name: str) -> bool:
    """Tell whether a folder has something of this name.

    Raises:
        OSError: It cannot be told, as where a folder must not be entered.
    """
    try:
        os.stat(f"{folder}/{name}")  # noqa: PTH116 - see above
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        return False
    except ValueError:  # no path of a file
        return False
    return True


def _is_repository(folder: str) -> bool:
    if not os.path.lexists(f"{folder}/HEAD"):
        return False
    here = Path(folder)
    whole = (here / "objects").is_dir() and (here / "refs").is_dir()
    return whole or (here / "commondir").is_file()


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
