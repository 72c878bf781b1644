"""What a client's process is started with: words, environment, and a home of its own."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.acp.clients import client_argv, client_named, with_ours
from pytest_ptc.agents.acp.permissions import rules_of
from pytest_ptc.agents.sandbox.sandbox import (
    Sandboxes,
    is_sandboxed,
    readable,
    sandboxed_environment,
    writable,
)
from pytest_ptc.interfaces.environment import inherited, with_guarded_git
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.variables import RUN_COOKIE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_ptc.agents.acp.clients import Client
    from pytest_ptc.agents.sandbox.arguments import Mount
    from pytest_ptc.interfaces.launch import LaunchFile
    from pytest_ptc.model.task import TaskSpec

#: What is the user's in every home: agents with git act as the user.
_COMMON_FILES = (".gitconfig", ".config/git/config")


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What a process cannot change once it is started; tasks with the same one share a process.

    Args:
        argv: Its program and arguments.
        environ: Its environment, sorted.
        sandbox: The words before it that have it run in a sandbox; none without one.
    """

    argv: tuple[str, ...]
    environ: tuple[tuple[str, str], ...]
    sandbox: tuple[str, ...] = ()


class Surroundings:
    """What all processes of one worker's client have in common.

    Args:
        launch: The worker's launch file.
        environ: The worker's environment.
    """

    def __init__(self, launch: LaunchFile, environ: Mapping[str, str]) -> None:
        options = launch.agent.options
        self.client: Client = client_named(options["client"])
        self.trusts_project = "project" in options["setting_sources"]
        # A worker may have several clients.
        self.home = launch.scratch / f"acp-{launch.worker}-{self.client.name or 'other'}"
        self._argv = tuple(launch.agent.argv)
        self._run_id = launch.run_id
        self._environ = inherited(environ)
        self._sandboxes = Sandboxes(launch, environ)
        self._user_home = Path(environ.get("HOME") or "/nonexistent")

    def profile(self, spec: TaskSpec) -> Profile:
        """Return what a process for this task must be started with."""
        client = self.client
        users = {**self._environ, **spec.env}
        ours = dict(client.environ)
        rules = rules_of(spec)
        if not rules.harmless:
            ours |= client.writing
        login = self._login(users)
        ours = {
            name: value.replace("{home}", str(self.home)).replace("{login}", login)
            for name, value in ours.items()
            # See `_login`.
            if login or "{login}" not in value
        }
        for name in client.json_environ:
            given = json_variable(users, name)
            ours[name] = json.dumps(with_ours(client, name, given, spec.model))
        if client.own_home:
            ours["HOME"] = str(self.home)
        variables = with_guarded_git({**users, **ours})
        if is_sandboxed(spec):
            variables = sandboxed_environment(variables)
        return Profile(
            sandbox=self._sandboxes.words(spec, self._seen()),
            argv=tuple(
                word.replace("{home}", str(self.home))
                for word in client_argv(client, self._argv, spec.model, runs=rules.runs)
            ),
            environ=tuple(sorted({**variables, RUN_COOKIE: self._run_id}.items())),
        )

    def make_home(self, environ: Mapping[str, str]) -> None:
        """Make the client's own home, with links to what its login needs.

        Links, not copies: a client that renews its login writes it where the user's is.

        Raises:
            OSError: It cannot be made.
        """
        self.home.mkdir(mode=0o700, exist_ok=True)
        if not self.client.own_home:
            return
        for name in (*self.client.login_files, *_COMMON_FILES):
            source, link = self._users(name), self.home / name
            if source.is_file() and not link.is_symlink():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(source)
        for value in self.client.environ.values():
            if value.startswith("{home}/"):
                place = Path(value.replace("{home}", str(self.home)))
                (place.parent if place.suffix else place).mkdir(parents=True, exist_ok=True)
        login = self._login(environ)
        for name, content in self.client.files.items():
            file = self.home / name
            file.parent.mkdir(parents=True, exist_ok=True)
            text = content if isinstance(content, str) else json.dumps(content)
            text = text.replace("{login}", login).replace("{home}", str(self.home))
            file.write_text(text, encoding="utf-8")

    def _seen(self) -> list[Mount]:
        """Return what it needs in a sandbox: its own home, and where links in it lead."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        logins = [self._users(name) for name in self.client.login_files]
        return [
            *writable(self.home, *(file for file in logins if file.is_file())),
            *readable(*filter(Path.is_file, map(self._users, _COMMON_FILES))),
        ]

    def _login(self, environ: Mapping[str, str]) -> str:
        """Return the kind of login that the user has; empty for none, or none that has a name."""
        for name, kind in self.client.login.items():
            if environ.get(name):
                return kind
        files = self.client.login_files
        has_one = not files or any(self._users(name).is_file() for name in files)
        # One that asked for a login that nobody has would wait for a person.
        return self.client.login_otherwise if has_one else ""

    def _users(self, name: str) -> Path:
        """Return where the user's file is: a variable may name another place."""
        for variable, value in self.client.environ.items():
            place = value.removeprefix("{home}")
            if variable in self._environ and place != value and f"/{name}".startswith(f"{place}/"):
                return Path(self._environ[variable]) / name[len(place) :].lstrip("/")
        return self._user_home / name

    def project_trouble(self, cwd: str) -> Trouble | None:
        """Return that something in the text under review would configure the client, if so."""
        if self.trusts_project:
            return None
        for folder in _inside_of_repository(Path(cwd)):
            for name in self.client.project_files:
                if os.path.lexists(folder / name):
                    message = (
                        f"{folder / name} would configure {self.client.name}, which reviews it: "
                        "remove it, or trust the project with ptc_setting_sources = project"
                    )
                    return Trouble(cause=Cause.PROJECT_SETTINGS, message=message)
        return None


def json_variable(environ: Mapping[str, str], name: str) -> dict[str, Any]:
    """Return the JSON object in a variable; an empty one where there is none."""
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(environ.get(name) or "{}")
        if isinstance(value, dict):
            return value
    return {}


def _inside_of_repository(folder: Path) -> Iterator[Path]:
    """Yield the folder, and those above it up to the top of its repository."""
    above = [folder, *folder.parents]
    tops = [place for place, one in enumerate(above) if os.path.lexists(one / ".git")]
    yield from above[: tops[0] + 1 if tops else 1]
