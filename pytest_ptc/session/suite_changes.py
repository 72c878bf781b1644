"""What a change under review brings of its own judge: suite, configuration, reviewer.

A run that takes these from the base is not steered by them; a run that takes them from the change
is, and a person should look at them.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import GitError
from pytest_ptc.system.git.command import git
from pytest_ptc.system.git.repositories import repository_top
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

#: Files that pytest takes its configuration and its plugins from.
_CONFIGURATION = frozenset(
    {"conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "pyproject.toml"}
    | {"tox.ini", "setup.cfg"}
)
#: The ending of a suite without Python.
_SUITE = ".ptc.md"


def changed_suite(
    root: Path,
    ranges: Iterable[tuple[str, str | None, str]],
    since: Iterable[str],
    own: Collection[Path],
    lists: Collection[Path] = (),
) -> tuple[str, ...]:
    """Return the files of the judge that differ, from the top of the repository, sorted.

    Args:
        root: Pytest's root directory.
        ranges: What tasks are about: a directory, the base (None for what is checked out), and the
            commit under review.
        since: Commits and branches since whose fork the working tree has changed.
        own: More files of the judge: modules with tests, scripts of the agent's command.
        lists: Files by which findings are excused.
    """
    top = repository_top(root)
    if top is None:
        return ()
    home = os.path.realpath(top)
    names: set[str] = set()
    for cwd, base, commit in dict.fromkeys(ranges):
        if os.path.realpath(repository_top(cwd) or "/") == home:
            names |= _between(top, base or "HEAD", commit)
    for name in dict.fromkeys(since):
        names |= _between(top, name, None)
    judge = _from_top(own, home)
    excusing = [path.as_posix() for path in _from_top(lists, home)]
    found = (
        name for name in names if is_of_a_judge(name) or name in excusing or _is_near(name, judge)
    )
    return tuple(sorted(map(printable, found)))


def _from_top(paths: Iterable[Path], home: str) -> list[Path]:
    real = [Path(os.path.realpath(path)) for path in paths]
    return [path.relative_to(home) for path in real if path.is_relative_to(home)]


def is_of_a_judge(name: str) -> bool:
    """Tell whether a file is a suite's or pytest's configuration by its name alone."""
    return PurePosixPath(name).name in _CONFIGURATION or name.endswith(_SUITE)


def _is_near(name: str, judge: Iterable[Path]) -> bool:
    """Tell whether a file is one of the judge's, or lies beside one, from where that may import."""
    path = PurePosixPath(name)
    return any(
        name == own.as_posix()
        # At the top there is everything.
        or (own.parent.name and (path.suffix, str(path.parent)) == (own.suffix, str(own.parent)))
        for own in judge
    )


def _between(top: Path, base: str, commit: str | None) -> set[str]:
    """Return the names of what has changed from where `base` was left to a commit, or to here."""
    # What git cannot tell, it has refused before, with an error of the task or the suite.
    with contextlib.suppress(GitError):
        left = _fork(top, base, commit or "HEAD")
        words = ("--name-only", "--no-renames", "--no-relative", "-z", left)
        names = git(top, "diff", *words, *([] if commit is None else [commit]), "--")
        if commit is None:
            names += git(top, "ls-files", "-z", "--others", "--exclude-standard")
        return set(names.split("\0")) - {""}
    return set()


def _fork(top: Path, base: str, commit: str) -> str:
    try:
        return git(top, "merge-base", "--end-of-options", base, commit).strip()
    except GitError:  # two histories, or a shallow clone
        return git(top, "rev-parse", "--verify", "--end-of-options", f"{base}^{{commit}}").strip()
