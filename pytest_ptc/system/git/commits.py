"""From the name of a commit, which may have come from anywhere, to the commit itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import GitError
from pytest_ptc.system.git.command import git

if TYPE_CHECKING:
    from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHORT = re.compile(r"[0-9a-f]{4,39}", re.IGNORECASE)
#: What follows a name: ancestors, the reflog, a path.
_SUFFIX = re.compile(r"\^|~|@\{|:")
_REFLOG = re.compile(r"@\{(?!(?:u|upstream|push)\})", re.IGNORECASE)


def name_problem(name: str) -> str | None:
    """Say why a text cannot name a commit that everybody finds in the same place."""
    if not name.strip():
        return "is empty; name a commit or branch (HEAD is the one that is checked out)"
    if not name.isprintable() or " " in name:
        return f"{name!r} has blanks or control characters; name a commit or branch"
    if name.startswith("-"):
        return f"{name!r} begins as an option does; name a commit or branch"
    if _REFLOG.search(name):
        return f"{name!r} is by the reflog of this clone alone; name a commit or branch"
    if ":" in name or "^{/" in name:
        return f"{name!r} is a file, or a search of messages; name a commit or branch"
    if ".." in name or name.startswith("^"):
        return f"{name!r} is a range; name one commit or branch"
    return None


def resolve(cwd: str | Path, name: str) -> str:
    """Return the full name of the commit that a name stands for in the repository of a directory.

    Raises:
        GitError: There is no repository or no such commit, or the name stands for more than one.
    """
    problem = name_problem(name)
    if problem is not None:
        raise GitError(problem)
    try:
        words = ("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
        commit = git(cwd, *words).strip()
    except GitError as error:
        raise GitError(f"{name!r}: {error}") from error
    if not _COMMIT.fullmatch(commit):
        raise GitError(f"{name!r} does not name one commit")
    _refuse_ambiguous(cwd, name)
    return commit


def _refuse_ambiguous(cwd: str | Path, name: str) -> None:
    """Refuse a name that git would choose a meaning for: a branch must not stand in for a tag."""
    short = _SUFFIX.split(name)[0]
    if short in ("", "HEAD", "@") or _COMMIT.fullmatch(short):
        return
    places = [f"refs/{kind}{short}" for kind in ("", "tags/", "heads/", "remotes/")]
    places.append(f"refs/remotes/{short}/HEAD")
    form = "--format=%(refname)%00%(objectname)%00%(*objectname)"
    lines = git(cwd, "for-each-ref", form, *places).splitlines()
    found = {}
    for line in lines:
        ref, direct, peeled = line.split("\0")
        if ref in places:
            found[ref] = peeled or direct
    if found and _SHORT.fullmatch(short):
        for other in git(cwd, "rev-parse", f"--disambiguate={short}").split():
            if git(cwd, "cat-file", "-t", other).strip() == "commit":
                found[f"commit {other}"] = other
    if len(set(found.values())) > 1:
        meanings = ", ".join(found)
        raise GitError(f"{name!r} is ambiguous: {meanings}; write the one that is meant in full")
