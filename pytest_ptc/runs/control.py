"""Stop and watch a run, and delete journals, from another process."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from pytest_ptc.journal.events import SessionEnded
from pytest_ptc.journal.lines import STORY, StoryError
from pytest_ptc.journal.story import read_story
from pytest_ptc.model.errors import ConfigError, JournalError
from pytest_ptc.system.processes import wait_gone

if TYPE_CHECKING:
    from pytest_ptc.runs.recorded import RecordedRun
    from pytest_ptc.runs.screens import Screens

#: How long a run may take to end in order, its workers and its reports included.
STOP_TIMEOUT_S = 60.0
#: Seconds between two looks at the journal of a run whose process lives on.
_LOOK_EVERY_S = 10.0


def stop_run(run: RecordedRun) -> bool:
    """Stop a run in order, as Ctrl-C does; return whether it has ended."""
    run.pytest.send(signal.SIGTERM)
    return not wait_gone([run.pytest], STOP_TIMEOUT_S)


def wait_for_end(run: RecordedRun) -> RecordedRun:
    """Return a run as it is when its session is over, or its process has ended.

    Raises:
        JournalError: Its process cannot be seen from here.
    """
    if not run.in_sight and not isinstance(run.events[-1], SessionEnded):
        raise JournalError(f"run {run.run_id} is in another container, or was: wait for it there")
    # Between the end of the workers and that of pytest's session, reports are made.
    while not isinstance(run.events[-1], SessionEnded):
        if not (run.of_this_boot and wait_gone([run.pytest], _LOOK_EVERY_S)):
            return _as_it_is_now(run)
        # Or a program has called pytest, and lives on.
        run = _as_it_is_now(run)
    return run


def _as_it_is_now(run: RecordedRun) -> RecordedRun:
    try:
        return replace(run, story=read_story(run.folder / STORY, run.key))
    except StoryError as error:
        raise JournalError(f"journal {run.folder}: {error}") from error


def watch(screens: Screens) -> NoReturn:
    """Replace this process by what shows these panes.

    Raises:
        ConfigError: It is not installed.
    """
    program = shutil.which(screens.argv[0])
    if program is None:
        install = {"tmux": "install tmux 3.2 or newer", "ssh": "install OpenSSH's client"}
        fix = install[screens.argv[0]]
        raise ConfigError(f"{screens.argv[0]} is not installed; {fix}, to run: {screens.command}")
    os.execv(program, screens.argv)
