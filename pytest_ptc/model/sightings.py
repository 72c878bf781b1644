"""What findings are recognised by in another run: their place in the repository. Pure."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_ptc.model.verdict import Finding


#: Most characters of a rule, and of a path: longer ones are those of no file.
_MAX_RULE_CHARS, _MAX_PATH_CHARS = 200, 4096


class Sighting(NamedTuple):
    """A finding, by what it is recognised by.

    Args:
        path: Its file, from the top of the repository; None for one outside, or without a file.
        line: Its line, from 1.
        rule: Its rule, in its agent's words.
        anchor: The hash of its path and of the text of its line, as `FindingFacts` has it.
    """

    path: str | None
    line: int | None = None
    rule: str | None = None
    anchor: str | None = None

    @classmethod
    def of(
        cls, path: str | None, line: int | None, rule: str | None, anchor: str | None
    ) -> Sighting:
        """Return it with texts of a length that can be kept."""
        if path is not None and len(path) > _MAX_PATH_CHARS:
            path = None
        return cls(path, line, rule and rule[:_MAX_RULE_CHARS], anchor)

    @property
    def location(self) -> str:
        """Return `path:line`, `path`, or the empty string."""
        if self.path is None:
            return ""
        return self.path if self.line is None else f"{self.path}:{self.line}"

    @property
    def place(self) -> tuple[str | None, int | None]:
        """Return its file and line: what is at one place is there once."""
        return self.path, self.line


class Roots(NamedTuple):
    """Where a run takes place.

    Args:
        rootdir: Pytest's root directory.
        repository: The top of the repository that it is in, if it is in one.
    """

    rootdir: str
    repository: str | None


def sighting(finding: Finding, cwd: str, roots: Roots, start: str | None = None) -> Sighting:
    """Return what a finding is recognised by.

    Args:
        finding: The finding.
        cwd: Its task's directory.
        roots: Where its run takes place.
        start: The directory that its path is from; the task's if not given.
    """
    path = None
    if finding.path:
        full = posixpath.join(cwd if start is None else start, finding.path)
        path = path_in_repository(full, cwd, roots)
    return Sighting.of(path, finding.line, finding.rule, finding.facts.anchor)


def path_in_repository(path: str, cwd: str, roots: Roots) -> str | None:
    """Return a path from the top of the repository; None for one outside of it.

    An agent that works elsewhere works on another checkout: its paths are the repository's there.

    Args:
        path: The path, from the root directory or in full.
        cwd: The directory of the task that it belongs to.
        roots: Where the run takes place.
    """
    top = roots.repository or roots.rootdir
    full = posixpath.normpath(posixpath.join(roots.rootdir, path))
    inside = _below(full, top)
    if inside is None and _below(top, cwd) is None:
        inside = _below(full, cwd)
    return inside


def _below(path: str, folder: str) -> str | None:
    base = folder.rstrip("/") + "/"
    # Never an absolute path: a leading slash may be there twice.
    return (path[len(base) :].lstrip("/") or None) if folder and path.startswith(base) else None
