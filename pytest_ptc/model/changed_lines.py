"""Which lines a change adds, and whether a finding's place is one that it touches. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_ptc.model.choices import GateOn

#: Lines around those of a change that git shows with it.
CONTEXT_LINES = 3


class ChangedFile(NamedTuple):
    """What a change does to one file.

    Args:
        added: The first and the last of each run of lines that it adds or changes.
        cut: The lines after which it removes some and adds none; 0 for the top of the file.
        whole: Whether all of the file counts, as of a deleted one: there are no lines to tell.
    """

    added: tuple[tuple[int, int], ...] = ()
    cut: tuple[int, ...] = ()
    whole: bool = False


#: A file all of which is the change's work.
WHOLE_FILE = ChangedFile(whole=True)


def _never(_: str) -> bool:
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedLines:
    """What a change does to a repository.

    Args:
        files: What it does to each changed file, by its name from the top of the repository; the
            former names of those that are renamed or deleted are there, too.
        at_base: Tells whether a file was there before the change.
        note: What could not be told apart, in a sentence; empty where all could.
    """

    files: Mapping[str, ChangedFile]
    at_base: Callable[[str], bool] = field(default=_never, compare=False)
    note: str = ""

    def touches(self, gate_on: GateOn, name: str, line: int | None) -> bool | None:
        """Tell whether the change touches a place; None where nobody can tell.

        Args:
            gate_on: What of a changed file counts.
            name: A file or a directory, from the top of the repository.
            line: A line of the file as it is now; None for all of it.
        """
        changed = self._changed(name)
        if changed is None:
            if any(name == "." or other.startswith(f"{name}/") for other in self.files):
                return True
            # A file that git does not track may be new: nothing tells that it is not.
            return False if name == "." or self.at_base(name) else None
        if gate_on == "file" or line is None or changed.whole:
            return True
        around = CONTEXT_LINES if gate_on == "context" else 0
        if any(first - around <= line <= last + around for first, last in changed.added):
            return True
        # What is removed has no line of its own: a finding about it names one beside it.
        beside = max(1, around)
        return any(cut - beside < line <= cut + beside for cut in changed.cut)

    def _changed(self, name: str) -> ChangedFile | None:
        changed = self.files.get(name)
        if changed is not None:
            return changed
        # In a submodule, or in a repository of its own, whose files git does not list.
        parts = name.split("/")
        above = ("/".join(parts[:size]) for size in range(len(parts) - 1, 0, -1))
        found = (self.files[folder] for folder in above if folder in self.files)
        return next((folder for folder in found if folder.whole), None)
