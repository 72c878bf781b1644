"""The runs of the project at a glance: found, and in outline. It imports little."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.journal.keys import existing_key
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.reporting.short_ids import short_run_id
from pytest_ptc.runs.glance import GlancedRun, RunFolder, folders_of, glance, is_active
from pytest_ptc.runs.places import project_of, root_of, runs_of
from pytest_ptc.runs.state import RefusedRun

if TYPE_CHECKING:
    from collections.abc import Callable


class RunsHere(NamedTuple):
    """The runs of the project that the current directory is in.

    Args:
        folders: Their folders, oldest first.
        key: The user's key; None where there is none.
    """

    folders: list[RunFolder]
    key: bytes | None

    def short_id(self, run_id: str) -> str:
        """Return the shortest end of a run's id that names it here."""
        return short_run_id(run_id, [run.folder.name for run in self.folders])

    def all(self) -> list[GlancedRun | RefusedRun]:
        """Return all runs in outline, oldest first."""
        return [glance(run, self.key, attempts=True) for run in self.folders]

    def one(self, wanted: str | None) -> GlancedRun:
        """Return the run whose id ends so; without one the active run, else the last.

        Raises:
            ConfigError: There is none, or there are several.
            RunRefusedError: Its journal is not believed.
        """
        found = glance(self._folder(wanted), self.key)
        if isinstance(found, RefusedRun):
            raise found.error()
        return found

    def active(self, wanted: str | None) -> GlancedRun:
        """Return the active run whose id ends so, or the only one; raises as `one`."""
        active = self._matching(wanted, lambda run: is_active(run, self.key))
        if not active and wanted and (named := self._matching(wanted)):
            found = glance(named[-1], self.key)
            if isinstance(found, RefusedRun):
                raise found.error()
            raise ConfigError(f"run {found.run_id} is not active: it is {found.state.value}")
        if not active:
            raise ConfigError("no run is active; see `ptc list`")
        if len(active) > 1:
            raise _ambiguous(active, "active runs")
        found = glance(active[0], self.key)
        if isinstance(found, RefusedRun):
            raise found.error()
        return found

    def _folder(self, wanted: str | None) -> RunFolder:
        if not self.folders:
            raise ConfigError("there are no runs here")
        if wanted is None:
            active = self._matching(None, lambda run: is_active(run, self.key))
            if len(active) > 1:
                raise _ambiguous(active, "active runs")
            return (active or self.folders)[-1]
        matching = self._matching(wanted)
        if not matching:
            raise ConfigError(f"no run has an id that ends with {wanted!r}; see `ptc list`")
        if len(matching) > 1:
            raise _ambiguous(matching, f"runs whose ids end with {wanted!r}")
        return matching[0]

    def _matching(
        self, wanted: str | None, condition: Callable[[RunFolder], bool] = lambda _: True
    ) -> list[RunFolder]:
        named = [run for run in self.folders if wanted is None or run.folder.name.endswith(wanted)]
        return [run for run in named if condition(run)]


def _ambiguous(runs: list[RunFolder], what: str) -> ConfigError:
    ids = ", ".join(run.folder.name for run in runs[-5:])
    return ConfigError(f"there are {len(runs)} {what}: {ids}; name one")


def runs_at_a_glance() -> RunsHere:
    """Return the runs of the project that the current directory is in."""
    project = project_of(Path.cwd(), os.environ)
    key = existing_key(os.environ, [project.top] if project.top is not None else [])
    places = [
        RunFolder(place, root_of(project, place)) for place in runs_of(project, os.environ, key)
    ]
    return RunsHere(folders_of(places), key)


def terminal_columns() -> int | None:
    """Return how wide standard output is; None where it is no terminal."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None
