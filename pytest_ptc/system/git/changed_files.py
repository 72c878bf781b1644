"""What git says has changed since a commit: edits, deletions, moves, submodules, links and modes.

Nothing is followed or opened. The trees of the commits are compared as git has them, whatever
attributes say of their files; what is not committed counts, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.errors import GitError, ListingError
from pytest_ptc.system.git.command import git
from pytest_ptc.system.patterns import matches_any
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_DIFF = (
    "diff",
    "--raw",
    "-z",
    "--no-abbrev",
    "--find-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-relative",
    "--ignore-submodules=none",
)
_LINK, _SUBMODULE, _ABSENT = "120000", "160000", "000000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One file that is not what it was; names are from the root directory, with `/`.

    Args:
        path: Its name now; of a file that is gone, its last one.
        status: One of added, modified, deleted, renamed, type-changed, mode-changed, submodule,
            unmerged.
        old: The name that a renamed file had.
        detail: What a name alone does not tell, as one printable sentence; may be empty.
    """

    path: str
    status: str
    old: str = ""
    detail: str = ""


class Changes(NamedTuple):
    """What has changed in the root directory, sorted, and how many files outside of it have."""

    inside: tuple[Change, ...]
    outside: int


class Raw(NamedTuple):
    """One entry of `git diff --raw -z`; names are from the top of the repository."""

    old_mode: str
    new_mode: str
    old_object: str
    new_object: str
    letter: str
    old: str
    new: str


def changes_since(root: Path, base: str) -> Changes:
    """Return what differs from the commit at which HEAD left `base`.

    What is not committed counts, and new files do that git does not ignore.

    Args:
        root: A directory of a repository; names are from it.
        base: A commit or branch.

    Raises:
        ListingError: Git cannot tell; the message has its words, and the fix where we know one.
    """
    if not base.strip() or base.startswith("-") or "\0" in base:
        raise ListingError(f"changed: {base!r} is not the name of a commit or branch")
    try:
        left = _left(root, base)
        prefix = git(root, "rev-parse", "--show-prefix").removesuffix("\n")
        committed = git(root, *_DIFF, left, "HEAD", "--")
        present = git(root, *_DIFF, left, "--")
        new = git(root, "ls-files", "-z", "--others", "--exclude-standard")
    except GitError as error:
        raise ListingError(f"what has changed since {base!r} in {root}: {error}") from error
    # What is in the working tree is the last word.
    raw = {entry.new: entry for entry in (*raw_entries(committed), *raw_entries(present))}
    found: dict[str, Change] = {}
    outside = 0
    for entry in raw.values():
        change = _change(entry, prefix)
        if change is None:
            outside += 1
        else:
            found[change.path] = change
    for name in filter(None, new.split("\0")):
        found[name.rstrip("/")] = _untracked(name, found.get(name))
    return Changes(tuple(found[name] for name in sorted(found)), outside)


def raw_entries(text: str) -> Iterator[Raw]:
    """Yield the entries of what `git diff --raw -z` has printed."""
    fields = iter(text.split("\0"))
    for head in fields:
        if not head.startswith(":"):
            continue
        old_mode, new_mode, old_object, new_object, letter = head[1:].split(" ")
        old = new = next(fields)
        if letter[0] in "RC":
            new = next(fields)
        yield Raw(old_mode, new_mode, old_object, new_object, letter[0], old, new)


def _left(root: Path, base: str) -> str:
    """Return the commit at which HEAD left `base`."""
    for name, fix in (("HEAD", "commit first"), (base, "name another, or fetch it")):
        try:
            git(root, "rev-parse", "--verify", f"{name}^{{commit}}")
        except GitError as error:
            raise GitError(f"{name!r} is not a commit here; {fix} ({error})") from error
    try:
        return git(root, "merge-base", base, "HEAD").strip()
    except GitError as error:
        shallow = git(root, "rev-parse", "--is-shallow-repository").strip() == "true"
        fix = (
            "this clone is shallow: fetch the whole history (fetch-depth: 0, GIT_DEPTH: 0)"
            if shallow
            else "name a branch that HEAD has a commit in common with"
        )
        raise GitError(f"HEAD has no commit in common with it; {fix} ({error})") from error


def _change(entry: Raw, prefix: str) -> Change | None:
    """Return what an entry says of the directory that the prefix names; None if nothing."""
    old, new = (
        name.removeprefix(prefix) if name.startswith(prefix) else None
        for name in (entry.old, entry.new)
    )
    if new is None:
        return None if old is None else _deleted(old, "was moved out of the root directory")
    if _SUBMODULE in (entry.old_mode, entry.new_mode):
        return Change(path=new, status="submodule", detail=_of_submodule(entry, new))
    if entry.letter == "D":
        return _deleted(new, "was deleted")
    if entry.letter == "R" and old is not None and old != new:
        detail = f"{printable(new)} was renamed; it was {printable(old)}."
        return Change(path=new, status="renamed", old=old, detail=detail)
    if entry.letter == "U":
        return Change(path=new, status="unmerged", detail=f"{printable(new)} has merge conflicts.")
    if entry.letter == "T":
        what = "a symbolic link" if entry.new_mode == _LINK else "a regular file"
        detail = f"{printable(new)} has become {what}."
        return Change(path=new, status="type-changed", detail=detail)
    if entry.letter in "ARC":
        return _with_link(Change(path=new, status="added"), entry.new_mode)
    if entry.old_mode != entry.new_mode:
        same = entry.old_object == entry.new_object or not entry.new_object.strip("0")
        detail = f"The mode of {printable(new)} went from {entry.old_mode} to {entry.new_mode}."
        return Change(path=new, status="mode-changed" if same else "modified", detail=detail)
    return _with_link(Change(path=new, status="modified"), entry.new_mode)


def _deleted(path: str, what: str) -> Change:
    return Change(path=path, status="deleted", detail=f"{printable(path)} {what}.")


def _with_link(change: Change, mode: str) -> Change:
    if mode != _LINK:
        return change
    detail = f"{printable(change.path)} is a symbolic link."
    return Change(path=change.path, status=change.status, detail=detail)


def _of_submodule(entry: Raw, path: str) -> str:
    shown = printable(path)
    if entry.new_mode == _ABSENT:
        return f"The submodule {shown} was removed."
    if entry.old_mode == _ABSENT:
        return f"The submodule {shown} was added."
    if _SUBMODULE not in (entry.old_mode, entry.new_mode) or entry.old_mode != entry.new_mode:
        return f"{shown} has become {'a submodule' if entry.new_mode == _SUBMODULE else 'files'}."
    moved = entry.new_object.strip("0")
    to = f" to {entry.new_object}" if moved else ""
    return f"The submodule {shown} was moved or has changes: from {entry.old_object}{to}."


def selected(
    changes: Iterable[Change], wanted: Sequence[str], left_out: Sequence[str]
) -> list[Change]:
    """Return the changes that patterns mean; of a moved file, either name may be meant.

    Args:
        changes: What has changed.
        wanted: Patterns of those that are meant; all where there is none.
        left_out: Patterns of those that are not.
    """

    def meant(name: str) -> bool:
        return (not wanted or matches_any(name, wanted)) and not matches_any(name, left_out)

    found = []
    for change in changes:
        if meant(change.path):
            found.append(change)
        elif change.old and meant(change.old):
            # Moved out of sight is, for what these patterns mean, gone.
            found.append(_deleted(change.old, f"was moved to {printable(change.path)}"))
    return found


def _untracked(name: str, known: Change | None) -> Change:
    """Return the change of a file that git does not track; git closes a repository's by `/`."""
    if name.endswith("/"):
        path = name.rstrip("/")
        detail = f"{printable(path)} is a repository of its own, which git does not look into."
        return Change(path=path, status="submodule", detail=detail)
    if known is not None and known.status == "deleted":
        return Change(path=name, status="modified")  # taken out of the index, and still there
    return Change(path=name, status="added")


def link_detail(root: Path, change: Change) -> str:
    """Return the sentence of a change, with where a link leads."""
    try:
        target = (root / change.path).readlink()
    except OSError:
        return change.detail
    shown = printable(str(target))
    return f"{printable(change.path)} is a symbolic link to {shown}: do not follow it."
