"""Which lines a change adds, as git has them: between two commits, or up to the working tree.

Attributes have no part in the difference of two commits. What is binary has lines like any file:
what an attribute calls binary could hide none.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.model.changed_lines import WHOLE_FILE, ChangedFile, ChangedLines
from pytest_ptc.model.errors import GitError
from pytest_ptc.system.git.changed_files import raw_entries
from pytest_ptc.system.git.command import TooMuchPrintedError, git
from pytest_ptc.system.git.diffs import fork, private_repository
from pytest_ptc.system.git.hunks import HunkError, changed_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_ptc.system.git.changed_files import Raw

#: Bytes of a patch that are read; of a longer one, each changed file counts as a whole.
MAX_PATCH_BYTES = 64 * 1024 * 1024

_NAMES = ("--raw", "-z", "--no-abbrev", "-M", "-l1000", "--ignore-submodules=none", "--no-relative")
_LINES = (
    *("-p", "-U0", "--inter-hunk-context=0", "--text", "-M", "-l1000", "--no-relative"),
    *("--ignore-submodules=none", "--submodule=short", "--no-color", "--diff-algorithm=myers"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--ws-error-highlight=none"),
)
_SUBMODULE = "160000"


def lines_between(cwd: str | Path, base: str, commit: str) -> ChangedLines:
    """Return what a commit has changed since it left `base`.

    Args:
        cwd: A directory of the repository.
        base: The full name of a commit.
        commit: The full name of another.

    Raises:
        GitError: Git cannot tell.
    """
    place = os.path.realpath(cwd)
    left = fork(place, base, commit)
    with _objects(place, commit) as (folder, env):

        def asked(form: tuple[str, ...], most: int) -> str:
            return git(folder, "diff-tree", "-r", *form, left, commit, "--", env=env, most=most)

        files, note = _files(asked)
    return ChangedLines(files=files, at_base=_at_base(place, left), note=note)


def lines_until_now(cwd: str | Path, base: str) -> ChangedLines:
    """Return what differs in the working tree from a commit: new files that git lists, too.

    Args:
        cwd: A directory of the repository.
        base: The full name of the commit.

    Raises:
        GitError: Git cannot tell.
    """
    top = git(cwd, "rev-parse", "--show-toplevel").removesuffix("\n")

    # Of git 2.41 or newer: attributes of the base, not those that the change brings.
    env = {"GIT_ATTR_SOURCE": base}

    def asked(form: tuple[str, ...], most: int) -> str:
        return git(top, "diff", *form, base, "--", env=env, most=most)

    files, note = _files(asked)
    new = git(top, "ls-files", "-z", "--others", "--exclude-standard")
    files |= {name.rstrip("/"): WHOLE_FILE for name in new.split("\0") if name}
    return ChangedLines(files=files, at_base=_at_base(top, base), note=note)


def _files(asked: Callable[[tuple[str, ...], int], str]) -> tuple[dict[str, ChangedFile], str]:
    """Return what is changed in each file, and what could not be told apart.

    Args:
        asked: Returns the difference in a form, of at most so many bytes.
    """
    entries = list(raw_entries(asked(_NAMES, MAX_PATCH_BYTES)))
    note = ""
    lines: Mapping[str, ChangedFile] = {}
    try:
        lines = changed_in(asked(_LINES, MAX_PATCH_BYTES))
    except (TooMuchPrintedError, HunkError) as error:
        note = f"the changed lines are not known ({error}): every changed file counts as a whole"
        return {name: WHOLE_FILE for entry in entries for name in (entry.old, entry.new)}, note
    found: dict[str, ChangedFile] = {}
    for entry in entries:
        if entry.old != entry.new:
            found[entry.old] = WHOLE_FILE
        # A file with merge conflicts has more than one entry.
        if found.get(entry.new) != WHOLE_FILE:
            found[entry.new] = _changed(entry, lines.get(entry.new))
    return found, note


def _changed(entry: Raw, lines: ChangedFile | None) -> ChangedFile:
    if _SUBMODULE in (entry.old_mode, entry.new_mode) or entry.letter in "DTU":
        return WHOLE_FILE
    if lines is not None:
        return lines
    # Renamed, or another mode: no line is another. Where there should be lines, all count.
    return ChangedFile() if entry.old_object == entry.new_object else WHOLE_FILE


@contextmanager
def _objects(cwd: str, commit: str) -> Iterator[tuple[Path, dict[str, str]]]:
    objects = Path(cwd, git(cwd, "rev-parse", "--git-path", "objects").removesuffix("\n"))
    sha256 = len(commit) > 40  # noqa: PLR2004 - digits of SHA-1
    with private_repository(objects.absolute(), sha256=sha256) as found:
        yield found


def _at_base(cwd: str, base: str) -> Callable[[str], bool]:
    """Return what tells whether a file was there at a commit; its files are listed once."""

    @lru_cache(maxsize=1)
    def names() -> frozenset[str]:
        try:
            listed = git(cwd, "ls-tree", "-r", "-t", "-z", "--full-tree", "--name-only", base)
        except GitError:
            return frozenset()
        return frozenset(listed.split("\0"))

    return lambda name: name in names()
