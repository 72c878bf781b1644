"""A worker's sandboxes: the words and the environment that a program is started in one with."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from pytest_ptc.agents.sandbox.arguments import Access, Mount, bwrap_words
from pytest_ptc.agents.sandbox.view import View
from pytest_ptc.model.errors import AgentError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.system.bubblewrap import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_ptc.interfaces.launch import LaunchFile
    from pytest_ptc.model.task import TaskSpec

#: Variables that name folders for temporary files; those of a sandbox are in its own.
_TEMPORARY = ("TMPDIR", "TMP", "TEMP")
_MEGABYTE = 1024 * 1024


class Sandboxes:
    """Makes the sandboxes of one worker's tasks.

    Args:
        launch: The worker's launch file.
        environ: The environment that agents inherit from.
    """

    def __init__(self, launch: LaunchFile, environ: Mapping[str, str]) -> None:
        self._launch = launch
        self._environ = environ
        self._view: View | None = None

    def words(self, spec: TaskSpec, more: Iterable[Mount] = ()) -> tuple[str, ...]:
        """Return the words before a program's own; none for a task without a sandbox.

        Args:
            spec: The task.
            more: What its agent needs to see besides.

        Raises:
            AgentError: bubblewrap is not there any more.
        """
        if not is_sandboxed(spec):
            return ()
        program = shutil.which(PROGRAM, path=self._environ.get("PATH"))
        if program is None:
            message = f"the sandbox cannot be made: {PROGRAM} is not on PATH"
            raise AgentError(Trouble(cause=Cause.MACHINERY, message=message))
        if self._view is None:
            self._view = View(self._launch, self._environ)
        return bwrap_words(
            program,
            [*self._view.mounts(spec.cwd, spec.sandbox_read, spec.sandbox_write), *more],
            cwd=os.path.realpath(spec.cwd),
            network=spec.sandbox_network == "on",
            scratch_bytes=spec.sandbox_tmp * _MEGABYTE,
        )

    def program(self, word: str) -> list[Mount]:
        """Return what is needed of an installed program."""
        if self._view is None:
            self._view = View(self._launch, self._environ)
        return self._view.program(word)


def is_sandboxed(spec: TaskSpec) -> bool:
    """Tell whether a task's agent runs in a sandbox; pytest has decided what `auto` means."""
    return spec.sandbox == "bwrap"


def readable(*paths: Path | str) -> list[Mount]:
    """Return places that an agent may read."""
    return [Mount(os.path.realpath(path), Access.READ) for path in paths]


def writable(*paths: Path | str) -> list[Mount]:
    """Return places that an agent may change."""
    return [Mount(os.path.realpath(path), Access.WRITE) for path in paths]


def sandboxed_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment whose temporary files are in the sandbox's own folder."""
    moved = {name: "/tmp" for name in _TEMPORARY if name in environ}  # noqa: S108 - inside
    return {**environ, **moved}
