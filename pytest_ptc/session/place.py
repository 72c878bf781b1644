"""Where a run takes place: all that it must know of the program that started it, and no more."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_ptc.runs.places import BELOW_CACHE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pytest_ptc.model.inline_suite import InlineSuite


def _nothing() -> None:
    """Leave the cache directory to be made with the first journal."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlace:
    """Where a run takes place.

    Args:
        root: The project's root directory, which paths in options and node ids are from.
        cache: The directory below which runs have their journals; need not be there.
        start: The directory in which the program was started: from there a reader takes paths.
        arguments: The program's arguments, which reports show, without what is secret.
        config_file: The project's configuration file, which may stand for the whole in a report.
        written: Files and folders that the program writes itself while the run is on, besides what
            the run writes: what changes there is no change of what agents look at.
        inline: The suite of the command line, where that is the suite.
        make_cache: Makes the cache directory as its owner does, with what marks it as a cache.
    """

    root: Path
    cache: Path
    start: Path
    arguments: tuple[str, ...] = ()
    config_file: Path | None = None
    written: tuple[Path, ...] = ()
    inline: InlineSuite | None = None
    make_cache: Callable[[], object] = _nothing

    @property
    def runs(self) -> Path:
        """Return the folder of all runs' journals; need not be there."""
        return self.cache / BELOW_CACHE

    def shown(self, path: Path) -> Path:
        """Return the shortest path to something from where the program was started."""
        return path.relative_to(self.start) if path.is_relative_to(self.start) else path

    def is_ours(self, more: Iterable[Path]) -> Callable[[str], bool]:
        """Return what tells whether a real path is one that the run or its program writes itself.

        Args:
            more: Directories of the run: its journals, its scratch folder, its task list.
        """
        ours = {os.path.realpath(path) for path in (*self.written, *more)}

        def is_ours(path: str) -> bool:
            return path in ours or any(path.startswith(f"{place}/") for place in ours)

        return is_ours
