"""What reports tell of a run as a whole, also of one that never had a task."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from importlib.metadata import version
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pytest_ptc.journal.events import (
    RunBegan,
    RunEnded,
    RunStopping,
    SessionEnded,
    event_from_json,
    event_to_json,
)
from pytest_ptc.journal.lines import FORMAT
from pytest_ptc.model.errors import GitError
from pytest_ptc.model.greenness import came_to_its_end
from pytest_ptc.system.git.command import git
from pytest_ptc.system.git.repositories import repository_top
from pytest_ptc.system.machine import boot_id, process_space
from pytest_ptc.system.processes import ProcessIdentity
from pytest_ptc.text.redaction import Redactor
from pytest_ptc.text.secret_names import argument_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_ptc.journal.events import Event
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.session.place import RunPlace

#: Files that stand for a whole repository, the best first.
_WELL_KNOWN = ("README.md", "README.rst", "README.txt", "README", "pyproject.toml", "setup.cfg")

#: Most folders that are looked through for a file that stands for the repository.
_MAX_FOLDERS = 200

#: Pytest's exit status where it had no test to run: nothing broke off.
_NO_TESTS = 5


def run_began(
    place: RunPlace,
    settings: Settings,
    *,
    run_id: str,
    host: str,
    list_id: str,
    resumes: str | None = None,
) -> RunBegan:
    """Return the first event of a run that has no task yet, and no journal.

    Args:
        place: Where it takes place.
        settings: What the user asked.
        run_id: The run's id.
        host: Where its workers live.
        list_id: The shared list's id.
        resumes: The earlier run that it takes up.
    """
    top = repository_top(place.root)
    ourselves = ProcessIdentity.of(os.getpid())
    return RunBegan(
        format=FORMAT,
        key="",
        pid=os.getpid(),
        created=ourselves.created if ourselves else 0.0,
        boot=boot_id(),
        process_space=process_space(),
        run_id=run_id,
        workers=settings.workers,
        host=host,
        agent=settings.agent,
        task_list_id=list_id,
        rootdir=str(place.root),
        repository=None if top is None else str(top),
        commit=None if top is None else _commit(top),
        anchor=_anchor(top or place.root, place.config_file),
        arguments=place.arguments,
        python=sys.version.split()[0],
        pytest_ptc=version("pytest-ptc"),
        resumes=resumes,
        fail_on=settings.fail_on,
        attach=None,
        tmux_socket=None,
        scratch=None,
        task_list=None,
        own_list=False,
        command=(),
        inline=place.inline,
        interactive=settings.interactive,
        start=str(place.start),
        min_catch=settings.min_catch,
        max_false_alarm=settings.max_false_alarm,
    )


def story_without_tasks(
    began: RunBegan, session_end: SessionEnded, why_not: str | None = None
) -> list[Event]:
    """Return the journal of a run that was over before it had one.

    Args:
        began: Its first event.
        session_end: How the session of its caller ended.
        why_not: Why no agent was asked anything; None for a run that has workers.
    """
    redactor = Redactor(os.environ)
    redactor.learn(argument_secrets(began.arguments))
    now = time.time()
    events: list[Event] = [
        event_from_json(redactor.json(event_to_json(replace(began, at=now)))),
        RunEnded(at=now, seconds=0.0),
        replace(session_end, at=now),
    ]
    status = session_end.exit_status
    if why_not is None and not came_to_its_end(status) and status != _NO_TESTS:
        why_not = "pytest ended before there was a task"
    if why_not is not None:
        events.insert(1, RunStopping(at=now, why=why_not))
    return events


def _commit(top: Path) -> str | None:
    """Return the commit that is checked out; None where there is none yet, or git refuses."""
    try:
        return git(top, "rev-parse", "--verify", "HEAD").strip() or None
    except GitError:
        return None


def _anchor(top: Path, config_file: Path | None) -> str | None:
    """Return a file below a folder that can stand for all of it, relative to it and with `/`.

    What is about the whole run, or about a test that lies elsewhere, is shown at this file: GitHub
    refuses a report that has anything without a place.
    """
    wanted = [
        *([config_file] if config_file is not None else []),
        *(top / name for name in _WELL_KNOWN),
    ]
    for path in (*wanted, *_files_below(top)):
        with contextlib.suppress(OSError, ValueError):
            if path.is_file() and not path.is_symlink():
                return path.relative_to(top).as_posix()
    return None


def _files_below(top: Path) -> Iterator[Path]:
    """Yield files below a folder that are not hidden, those nearest to it first."""
    folders = [top]
    for folder in folders:
        with contextlib.suppress(OSError):
            for path in sorted(folder.iterdir()):
                if path.name.startswith(".") or path.is_symlink():
                    continue
                if path.is_dir():
                    if len(folders) < _MAX_FOLDERS:
                        folders.append(path)
                else:
                    yield path
