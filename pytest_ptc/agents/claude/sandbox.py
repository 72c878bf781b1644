"""Claude Code in a sandbox: what it needs of its own there, and the program that starts it.

It lives as long as its worker, and so does its sandbox, where its tools can only read: one task
can leave nothing to the next. Where they may do more, each task has a new client in a new one.
"""

from __future__ import annotations

import itertools
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.agents.sandbox.arguments import Access, Mount
from pytest_ptc.agents.sandbox.sandbox import (
    Sandboxes,
    is_sandboxed,
    readable,
    sandboxed_environment,
    writable,
)
from pytest_ptc.interfaces.names import ScratchPlaces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_ptc.agents.claude.profile import Profile
    from pytest_ptc.interfaces.launch import LaunchFile
    from pytest_ptc.model.task import TaskSpec

#: Files of its configuration directory: its login, which it renews in place, and settings.
_LOGIN, _SETTINGS = ".credentials.json", ("settings.json", "CLAUDE.md")
_STATE = ".claude.json"
#: Where the state is at first: what a client replaces by renaming cannot be a mount.
_STATE_COPY = "/run/ptc/claude.json"
_BEGIN = 'if [ -e "$1" ]; then cp "$1" "$2"; fi; shift 2; exec "$@"'


class ClientSandbox:
    """Makes the sandboxes of one worker's clients.

    Args:
        launch: The worker's launch file.
        environ: The environment that a client inherits from.
        client: The program that is a client.
    """

    def __init__(self, launch: LaunchFile, environ: Mapping[str, str], client: Path | None) -> None:
        self._launch = launch
        self._config = Path(os.path.realpath(launch.claude_config))
        own = "CLAUDE_CONFIG_DIR" in environ
        self._state = (self._config if own else Path(environ.get("HOME", "/"))) / _STATE
        self._client = client
        self._sandboxes = Sandboxes(launch, environ)
        self._numbers = itertools.count(1)

    def words(self, spec: TaskSpec) -> tuple[str, ...]:
        """Return the words before a client that have it run in a sandbox; none for a task without.

        Raises:
            AgentError: bubblewrap is not there any more.
        """
        return self._sandboxes.words(spec, self._needed()) if is_sandboxed(spec) else ()

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return a client's environment in a sandbox."""
        temporary = {"CLAUDE_CODE_TMPDIR": "/tmp"}  # noqa: S108 - inside
        return {**sandboxed_environment(environ), **temporary}

    def client(self, profile: Profile) -> Path:
        """Return a program that is a client in its sandbox."""
        number = next(self._numbers)
        script = self._launch.commands / f"sandbox-{self._launch.worker}-{number}"
        words = [
            *(*profile.sandbox, "/bin/sh", "-c", _BEGIN, "sh"),
            *(_STATE_COPY, str(self._state), str(self._client)),
        ]
        script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        script.chmod(0o500)
        return script

    def _needed(self) -> Iterator[Mount]:
        launch = self._launch
        yield Mount(str(self._config), Access.SCRATCH)
        if self._state.is_file():
            yield Mount(_STATE_COPY, Access.READ, os.path.realpath(self._state))
        places = [self._config / _LOGIN]
        if launch.task_list is not None:
            places.append(launch.task_list)
        yield from writable(*(place for place in places if place.exists()))
        if "user" in launch.agent.options.get("setting_sources", ()):
            files = (self._config / name for name in _SETTINGS)
            yield from readable(*(file for file in files if file.is_file()))
        words = ScratchPlaces(launch.scratch).client_words(launch.worker)
        client = self._client or Path("/nonexistent")
        yield from self._sandboxes.program(str(client))
        yield from readable(*(file for file in (client, words) if file.is_file()))
